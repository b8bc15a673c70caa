#!/usr/bin/env bats
# What each agent says of itself (meta-data, --help) is what was committed: a change of the interface is seen in a review. After a change that
# is meant: tests/golden/update.
load ../lib/common

said=$VIGIL_SOURCE/tests/golden/said

# assert_said NAME KIND
assert_said() {
  diff -u "$said/$1.$2" <("$VIGIL_SOURCE/tests/golden/update" --print "$1" "$2") || {
    echo "$1 $2 is not as committed; if that is meant, run tests/golden/update"
    return 1
  }
}

@test "meta-data of every agent is as committed" {
  local name
  for name in $(build_agents) $(build_fence_agents); do
    assert_said "$name" meta-data
  done
}

@test "help of every agent is as committed" {
  local name
  for name in $(build_agents) $(build_fence_agents); do
    assert_said "$name" help
  done
}

@test "nothing is committed of an agent that is no more" {
  local file name
  for file in "$said"/*; do
    name=$(basename "$file")
    name=${name%.*}
    assert grep -qx "$name" <(build_agents; build_fence_agents)
  done
}

@test "metadata names every parameter and action once, and its texts end well" {
  local name text
  for name in $(build_agents); do
    text=$(cat "$said/$name.meta-data")
    assert_equal "$(grep -o '<parameter name="[^"]*"' <<<"$text" | sort | uniq -d)" ""
    assert_equal "$(grep -oE '<action name="[^"]*".*' <<<"$text" | sort | uniq -d)" ""
    for action in start stop monitor meta-data validate-all; do
      assert grep -q "<action name=\"$action\"" <<<"$text"
    done
    # A reader sees a title without a full stop, and prose with one.
    refute grep -E '<shortdesc lang="en">[^<]*\.</shortdesc>' <<<"$text"
    refute grep -E '(shortdesc|longdesc) lang="en"/?>(</|$)' <<<"$text"
  done
}
