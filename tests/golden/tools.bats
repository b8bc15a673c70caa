#!/usr/bin/env bats
# The cluster's own tools find the agents and show them well: Pacemaker, pcs and crmsh, on a node that has this build installed.
load ../lib/common

setup() {
  node_start
  node_install
  # crmsh writes its log there, and will not start without.
  node_layer /var/log
  node_run mkdir -p /var/log/crmsh
}

# The parameters that are not deprecated, by metadata.
parameters_of() {
  python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree
for parameter in tree.fromstring(sys.argv[1]).iter("parameter"):
    if parameter.find("deprecated") is None and parameter.get("deprecated") != "1":
        print(parameter.get("name"))
END
}

# Every parameter, action and choice that metadata names.
named_in() {
  grep -oE '<(parameter|action|option) (name|value)="[^"]*"' <<<"$1" | sort -u
}

assert_shows_parameters() {
  local metadata=$1 name
  for name in $(parameters_of "$metadata"); do
    assert grep -qE -- "(^|[^a-z_])$name([^a-z_]|\$)" <<<"$output"
  done
}

@test "crm_resource --show-metadata" {
  local name metadata
  for name in $(build_agents); do
    agent "$name" meta-data
    metadata=$output
    capture_on_node crm_resource --show-metadata "ocf:vigil:$name"
    assert_code 0
    assert_equal "$(xmllint --noent --dropdtd --nonet --format - <<<"$output" 2>/dev/null)" \
      "$(xmllint --noent --dropdtd --nonet --format - <<<"$metadata" 2>/dev/null)"
  done
}

@test "crm_resource lists the provider and its agents" {
  local name
  capture_on_node crm_resource --list-agents ocf:vigil
  assert_code 0
  for name in $(build_agents); do
    assert_output_has "^$name\$"
  done
}

@test "pcs resource describe" {
  local name metadata
  for name in $(build_agents); do
    agent "$name" meta-data
    metadata=$output
    capture_on_node pcs resource describe "ocf:vigil:$name" --full
    assert_code 0
    assert_shows_parameters "$metadata"
    # pcs says so when it cannot read the metadata whole.
    refute grep -iE 'error|warning|unable|not valid' <<<"$stderr"
  done
}

@test "crm ra info" {
  local name metadata
  for name in $(build_agents); do
    agent "$name" meta-data
    metadata=$output
    capture_on_node crm ra info "ocf:vigil:$name"
    assert_code 0
    assert_shows_parameters "$metadata"
    refute grep -iE '^error|traceback' <<<"$output"$'\n'"$stderr"
  done
}

@test "stonith_admin --metadata" {
  local name metadata
  for name in $(build_fence_agents); do
    fence "$name" action=metadata
    metadata=$output
    capture_on_node stonith_admin --metadata --agent "$name"
    assert_code 0
    # Pacemaker adds to the descriptions and to a few parameters; it drops none.
    assert_equal "$(comm -13 <(named_in "$output") <(named_in "$metadata"))" ""
    capture_on_node stonith_admin --list-installed
    assert_output_has "^ *$name\$"
  done
}

@test "pcs stonith describe" {
  local name metadata
  for name in $(build_fence_agents); do
    fence "$name" action=metadata
    metadata=$output
    capture_on_node pcs stonith describe "$name" --full
    assert_code 0
    # pcs leaves out what is no property of a device: the action and what a person asks for on the command line.
    assert_shows_parameters "$(sed -E '/<parameter name="(action|help|version)"/,/<\/parameter>/d' <<<"$metadata")"
    refute grep -iE 'error|unable|not valid' <<<"$stderr"
  done
}

@test "crm ra info of a fence agent" {
  local name
  for name in $(build_fence_agents); do
    capture_on_node crm ra info "stonith:$name"
    assert_code 0
    assert_output_has 'plug|port'
  done
}

