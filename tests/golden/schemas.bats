#!/usr/bin/env bats
# The schemas in xml/: every agent's metadata is valid, and their verdicts are those of the schemas that others wrote.
load ../lib/common

# One line for each variant of a document: its number, the verdict, what was changed. verdicts SCHEMA DOCUMENT
verdicts() {
  local folder=$BATS_TEST_TMPDIR/variants
  mkdir -p "$folder"
  [ -f "$folder/steps" ] || "$VIGIL_SOURCE/tests/golden/mutate" "$2" "$folder"
  (cd "$folder" && xmllint --noout --nonet --relaxng "$1" [0-9]*.xml 2>&1) |
    sed -nE 's/^([0-9]+)\.xml (validates|fails to validate)$/\1 \2/p' | sort |
    join - "$folder/steps"
}

# Both schemas say the same of every variant.
assert_agree() {
  local ours theirs
  ours=$(verdicts "$1" "$3")
  theirs=$(verdicts "$2" "$3")
  assert [ "$(wc -l <<<"$ours")" -gt 300 ]
  diff <(echo "$ours") <(echo "$theirs")
}

@test "every resource agent's metadata is valid OCF 1.1" {
  local name agents
  agents=$(build_agents)
  assert [ -n "$agents" ]
  for name in $agents; do
    agent "$name" meta-data
    assert_code 0
    xmllint --noout --nonet --relaxng "$VIGIL_SOURCE/xml/ocf-ra-1.1.rng" - <<<"$output"
    # Debian's pcs brings a schema too, of what it can read.
    xmllint --noout --nonet --relaxng /usr/share/pcs/data/ocf-1.1.rng - <<<"$output"
  done
}

@test "every fence agent's metadata is valid" {
  local name agents
  agents=$(build_fence_agents)
  assert [ -n "$agents" ]
  for name in $agents; do
    fence "$name" action=metadata
    assert_code 0
    xmllint --noout --nonet --relaxng "$VIGIL_SOURCE/xml/fence-agent.rng" - <<<"$output"
    xmllint --noout --nonet --relaxng /usr/share/cluster/relaxng/metadata.rng - <<<"$output"
  done
}

@test "the fence schema gives the verdicts of the schema of fence-agents" {
  assert_agree "$VIGIL_SOURCE/xml/fence-agent.rng" /usr/share/cluster/relaxng/metadata.rng \
    "$VIGIL_SOURCE/tests/golden/documents/fence-full.xml"
}

# The OCF project's own schema is in no package of Debian: its verdicts were noted once, in ocf-full.verdicts.
@test "the OCF schema gives the verdicts of the standard's schema" {
  local ours
  ours=$(verdicts "$VIGIL_SOURCE/xml/ocf-ra-1.1.rng" "$VIGIL_SOURCE/tests/golden/documents/ocf-full.xml")
  diff <(echo "$ours") "$VIGIL_SOURCE/tests/golden/documents/ocf-full.verdicts"
}

# The schema of pcs is laxer by its own words: what ours takes, it must take.
@test "what the OCF schema accepts, pcs accepts" {
  local ours theirs accepted
  ours=$(verdicts "$VIGIL_SOURCE/xml/ocf-ra-1.1.rng" "$VIGIL_SOURCE/tests/golden/documents/ocf-full.xml" | grep ' validates')
  theirs=$(verdicts /usr/share/pcs/data/ocf-1.1.rng "$VIGIL_SOURCE/tests/golden/documents/ocf-full.xml" | grep ' validates')
  accepted=$(wc -l <<<"$ours")
  assert [ "$accepted" -gt 50 ]
  assert_equal "$(comm -23 <(echo "$ours" | sort) <(echo "$theirs" | sort))" ""
}
