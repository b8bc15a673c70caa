# SPDX-License-Identifier: GPL-2.0-or-later
# tests/demo --cloud: a takeover in a simulated cloud, with real Corosync and Pacemaker.

setup() {
  demo=$BATS_TEST_DIRNAME/../demo
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export TMPDIR=$BATS_TEST_TMPDIR
}

teardown() {
  "$demo" --down
}

# The cloud's own log: what was asked of it. "REQUESTS-OF ACTION"
requests_of() {
  python3 -c 'import json, sys; print(sum(1 for e in json.load(open(sys.argv[1])) if e["action"] == sys.argv[2]))' "$VIGIL_BUILD/log/cloud-requests.json" "$1"
}

shows_a_takeover() {
  run "$demo" --cloud "$1"
  echo "$output"
  [ "$status" -eq 0 ]
  for event in "power cut" "membership lost" "fenced                 n1, by the cloud" "disk attached          to n2" "cloud address moved    to n2" "volume mounted" \
    "database up" "first commit answered" "application killed"; do
    grep -qF "$event" <<<"$output"
  done
  # The cloud's hand first: nobody has the disk before the failed instance is off.
  [ "$(grep -nF fenced <<<"$output" | head -n 1 | cut -d: -f1)" -lt "$(grep -nF "disk attached" <<<"$output" | head -n 1 | cut -d: -f1)" ]
  [ "$(grep -c "rows lost 0" <<<"$output")" -eq 2 ]
  grep -q "never on two nodes" <<<"$output"
  grep -q "nothing is left of it" <<<"$output"
}

@test "AWS: the disk, the address and the fencing go through the cloud, and no row is lost" {
  shows_a_takeover aws
  [ "$(requests_of StopInstances)" -ge 1 ]
  # A request that is not answered in time is made again.
  [ "$(requests_of AttachVolume)" -ge 2 ]
  [ "$(requests_of DetachVolume)" -ge 1 ]
  [ "$(requests_of AssignPrivateIpAddresses)" -ge 2 ]
}

@test "an unknown cloud is refused" {
  run "$demo" --cloud azure
  [ "$status" -eq 2 ]
  run "$demo" --cloud aws --nodes 3
  [ "$status" -eq 2 ]
}
