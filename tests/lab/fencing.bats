#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The beginning and the end of a fencing are in the timeline of every node whatever the fence agent: here fence_ipmilan, which knows nothing of Vigil.

bats_require_minimum_version 1.5.0

load_lab() {
  # shellcheck source=tests/lab/lab.bash
  . "$BATS_TEST_DIRNAME/lab.bash"
  # shellcheck source=tests/lab/service.bash
  . "$BATS_TEST_DIRNAME/service.bash"
}

setup_file() {
  load_lab
  local build=${VIGIL_BUILD:-$BATS_TEST_DIRNAME/../../build} node
  lab_reap
  lab_stage "$build" "$BATS_FILE_TMPDIR/stage" > "$BATS_FILE_TMPDIR/stage.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/stage.log"; return 1; }
  export LAB_VIGILD=1
  LAB_TOKEN=3000 lab_up 3 "$BATS_FILE_TMPDIR/stage" || return 1
  lab_exec n1 cibadmin --query > "$BATS_FILE_TMPDIR/cib.xml" && lab_exec n1 cp /dev/stdin /run/cib.xml < "$BATS_FILE_TMPDIR/cib.xml" || return 1
  service_stock_fencing && service_pcs cluster cib-push /run/cib.xml scope=configuration || return 1
  for node in "${LAB_NODES[@]}"; do lab_wait 60 "the fence devices on $node" has_devices "$node" || return 1; done
  export LAB
}

teardown_file() {
  [ -n "${LAB:-}" ] || return 0
  load_lab
  lab_attach "$LAB"
  lab_down
  local left
  left=$(lab_leftovers)
  [ -z "$left" ] || { echo "left behind: $left" >&2; return 1; }
}

setup() {
  local lab=$LAB node
  load_lab
  lab_attach "$lab"
  lab_wait 90 "all nodes in the cluster" lab_members_are n1 n1 n2 n3
  lab_wait 60 "a cluster with nothing left to do" cluster_idle
  lab_wait 60 "events shared" is_sharing 3
  for node in "${LAB_NODES[@]}"; do
    lab_wait 60 "the fence devices on $node" has_devices "$node"
    lab_wait 60 "the fencer followed on $node" is_following "$node"
  done
  before=$(fencing_lines n1 | wc -l)
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || cp -r "$LAB/log" "$BATS_FILE_TMPDIR/log.$BATS_TEST_NUMBER"
}

has_devices() {
  [ "$(LAB_EXEC_LIMIT=10 lab_exec "$1" stonith_admin --list-registered 2>/dev/null | grep -c 'fence-n[123]')" = 3 ]
}

status_of() {
  LAB_EXEC_LIMIT=10 lab_exec "$1" vigil status 2>/dev/null | sed -n "s/^$2: //p"
}

is_sharing() {
  local node
  for node in "${LAB_NODES[@]}"; do
    [ "$(status_of "$node" sharing)" = yes ] && [ "$(status_of "$node" members)" = "$1" ] || return 1
  done
}

is_following() {
  [ "$(status_of "$1" fencing)" = followed ]
}

# What a node's timeline has of fencing since the lab began, as lines "TIME KIND TARGET RESULT NODE DURATION TEXT", a field that is missing as "-".
fencing_lines() {
  lab_exec "$1" vigil timeline --all --json > "$BATS_TEST_TMPDIR/$1.json" || return 1
  python3 - "$BATS_TEST_TMPDIR/$1.json" <<'END'
import json, sys
for e in json.load(open(sys.argv[1]))["events"]:
    if e["kind"].startswith("fencing-"):
        print("%.3f" % (e["time_ns"] / 1e9), e["kind"], e.get("peer") or "-", e["value"], e["node"], e.get("duration_ns") or "-", e.get("text") or "-")
END
}

new_lines() {
  fencing_lines "$1" | tail -n +$((before + 1))
}

has_new_lines() {
  new_lines "$1" > "$BATS_TEST_TMPDIR/lines.$1" && [ "$(wc -l < "$BATS_TEST_TMPDIR/lines.$1")" -ge "$2" ]
}

# One beginning and one end, and no more, on each node: "TARGET RESULT", where the result is "good" or "bad".
assert_told_once() {
  local target=$1 result=$2 node
  shift 2
  for node in "$@"; do
    lab_wait 60 "the fencing in the timeline of $node" has_new_lines "$node" 2 || { cat "$BATS_TEST_TMPDIR/lines.$node"; return 1; }
  done
  # A second telling would be on its way: what is noted behind it has come.
  lab_exec "$1" bash -c 'read -r up _ < /proc/uptime; printf "1\t%d\t%d\tnote\t0\t0\tdrill\t\t%s\n" "$((${up/./} * 10000000 + RANDOM))" "$(date +%s%N)" "behind $1" >> /run/vigil/notes/spool' note "$BATS_TEST_NUMBER"
  for node in "$@"; do
    lab_wait 60 "what was noted behind it, on $node" knows "$node" "behind $BATS_TEST_NUMBER"
    new_lines "$node" > "$BATS_TEST_TMPDIR/lines.$node"
    awk -v target="$target" -v result="$result" '
      $2 == "fencing-begin" && $3 == target && $4 == 0 && $6 == "-" && /reboot, asked for by [^ ]+ on n[123]$/ && NR == 1 { begin = $5 }
      $2 == "fencing-end" && $3 == target && $5 == begin && $6 > 0 && NR == 2 &&
        (result == "good" ? $4 == 0 && /reboot by n[123]$/ : $4 < 0 && /reboot: ./) { end = 1 }
      END { exit !(begin && end && NR == 2) }' "$BATS_TEST_TMPDIR/lines.$node" || { echo "on $node:"; cat "$BATS_TEST_TMPDIR/lines.$node"; return 1; }
  done
}

knows() {
  lab_exec "$1" vigil timeline --all 2>/dev/null | grep -q "drill: $2\$"
}

# The kernel keeps 15 characters of a process's name.
pid_of() {
  lab_exec "$1" pgrep -x "${2:0:15}"
}

is_gone() {
  ! lab_exec "$1" kill -0 "$2" 2>/dev/null
}

is_another() {
  local pid
  pid=$(pid_of "$1" "$2") && [ "$pid" != "$3" ]
}

@test "a node loses its power: one beginning and one end in the timeline of each node" {
  lab_node_cut n3
  assert_told_once n3 good n1 n2
  awk -v cut="$LAB_CUT_TIME" '$1 < cut { exit 1 }' "$BATS_TEST_TMPDIR/lines.n1"
  # The one that was fenced tells the same when it is back.
  lab_wait 90 "the node back" lab_members_are n1 n1 n2 n3
  assert_told_once n3 good n1 n2 n3
}

@test "a fencing that fails is told as failed" {
  lab_exec n1 pcs stonith update fence-n3 password=wrong
  run ! lab_exec n1 stonith_admin --reboot n3 --timeout 30
  assert_told_once n3 bad n1 n2 n3
  lab_exec n1 pcs stonith update fence-n3 password="$BMC_PASSWORD"
}

@test "the fencer is killed, or vigild's child that follows it: nothing false is told, and the next fencing is" {
  local vigild fencer child
  vigild=$(status_of n1 pid) fencer=$(pid_of n1 pacemaker-fenced) child=$(pid_of n1 vigild-fencing)
  lab_exec n1 kill -KILL "$child"
  lab_wait 60 "another child" is_another n1 vigild-fencing "$child"
  lab_exec n1 kill -KILL "$fencer"
  lab_wait 60 "another fencer" is_another n1 pacemaker-fenced "$fencer"
  lab_wait 90 "the fence devices" has_devices n1
  lab_wait 60 "the fencer followed" is_following n1
  [ "$(status_of n1 pid)" = "$vigild" ]
  [ "$(fencing_lines n1 | wc -l)" = "$before" ]
  lab_exec n1 stonith_admin --reboot n3 --timeout 60
  assert_told_once n3 good n1 n2
}

@test "a fencer that hangs for a while: vigild answers, nothing false is told, and the next fencing is" {
  local vigild fencer look
  vigild=$(status_of n1 pid) fencer=$(pid_of n1 pacemaker-fenced)
  lab_exec n1 kill -STOP "$fencer"
  for look in 1 2 3; do [ "$(status_of n1 pid)" = "$vigild" ]; done
  lab_exec n1 kill -CONT "$fencer" || : # Pacemaker may have replaced it meanwhile
  lab_wait 90 "the fence devices" has_devices n1
  lab_wait 60 "the fencer followed" is_following n1
  [ "$(fencing_lines n1 | wc -l)" = "$before" ]
  lab_exec n1 stonith_admin --reboot n3 --timeout 60
  assert_told_once n3 good n1 n2
  [ "$(status_of n1 pid)" = "$vigild" ]
}

@test "vigild is killed: its child ends with it, even where the fencer does not answer it" {
  local vigild fencer child
  vigild=$(status_of n2 pid) fencer=$(pid_of n2 pacemaker-fenced) child=$(pid_of n2 vigild-fencing)
  lab_exec n2 kill -STOP "$fencer"
  lab_exec n2 kill -KILL "$child"
  lab_wait 60 "another child" is_another n2 vigild-fencing "$child"
  child=$(pid_of n2 vigild-fencing)
  lab_exec n2 kill -KILL "$vigild"
  # At once; Pacemaker replaces a fencer that hangs within some 30 s, and with that one the child would end anyway.
  lab_wait 15 "the end of the child" is_gone n2 "$child"
  lab_exec n2 kill -CONT "$fencer" || :
  lab_wait 90 "the fence devices" has_devices n2
  lab_wait 60 "the fencer followed" is_following n2
  [ "$(pid_of n2 vigild-fencing | wc -l)" = 1 ]
  [ "$(fencing_lines n2 | wc -l)" = "$before" ]
}
