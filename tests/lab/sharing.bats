#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Three recorders on a real bus: peers that join, leave, are split and merged; clocks that differ and are stepped; rubbish on the bus.
# n2's monotonic clock is 1,000 s ahead of the others' (a time namespace), and vigild's wall clock can be stepped on each node.

bats_require_minimum_version 1.5.0

load_lab() {
  # shellcheck source=tests/lab/lab.bash
  . "$BATS_TEST_DIRNAME/lab.bash"
}

setup_file() {
  load_lab
  local build=${VIGIL_BUILD:-$BATS_TEST_DIRNAME/../../build} stage=$BATS_FILE_TMPDIR/stage
  lab_reap
  { lab_stage "$build" "$stage" && make -s -C "$build" tests/lab/bus_noise && install "$build/tests/lab/bus_noise" "$stage/usr/sbin/bus_noise" &&
    mkdir -p "$stage/usr/lib" && gcc -shared -fPIC -D_GNU_SOURCE -o "$stage/usr/lib/clock_shift.so" "$BATS_TEST_DIRNAME/clock_shift.c"; } \
    > "$BATS_FILE_TMPDIR/stage.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/stage.log"; return 1; }
  LAB_VIGILD=1 LAB_VIGILD_PRELOAD=/usr/lib/clock_shift.so LAB_CLOCKS="n2=1000" LAB_TOKEN=3000 lab_up 3 "$stage" || return 1
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
  local lab=$LAB
  load_lab
  lab_attach "$lab"
  lab_wait 60 "three that share" all_share 3
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || cp -r "$LAB/log" "$BATS_FILE_TMPDIR/log.$BATS_TEST_NUMBER"
}

status_of() {
  LAB_EXEC_LIMIT=10 lab_exec "$1" vigil status 2>/dev/null | sed -n "s/^$2: //p"
}

shares_with() {
  [ "$(status_of "$1" sharing)" = yes ] && [ "$(status_of "$1" members)" = "$2" ]
}

all_share() {
  local node
  for node in n1 n2 n3; do shares_with "$node" "$1" || return 1; done
}

# A line of the kind that agents write, by the node's own clocks.
note() {
  lab_exec "$1" bash -c 'read -r up _ < /proc/uptime; printf "1\t%d\t%d\tnote\t0\t0\tdrill\t\t%s\n" "$((${up/./} * 10000000 + RANDOM))" "$(date +%s%N)" "$1" >> /run/vigil/notes/spool' note "$2"
}

# How often a node knows of a note.
knows() {
  [ "$(lab_exec "$1" vigil timeline --all 2>/dev/null | grep -c "^[0-9][0-9]:.*drill: $2\$")" = "$3" ]
}

all_know() {
  local node
  for node in n1 n2 n3; do knows "$node" "$1" 1 || return 1; done
}

@test "what one notes all know, once" {
  local node
  for node in n1 n2 n3; do note "$node" "from $node"; done
  for node in n1 n2 n3; do lab_wait 60 "the note of $node on all" all_know "from $node"; done
}

@test "a split into three, and the merge: all know all, once" {
  local node round
  lab_split
  for node in n1 n2 n3; do lab_wait 60 "$node alone" shares_with "$node" 1; done
  for round in 1 2 3 4 5; do
    for node in n1 n2 n3; do note "$node" "split $round of $node"; done
  done
  for node in n1 n2 n3; do lab_wait 60 "its own on $node" knows "$node" "split 5 of $node" 1; done
  knows n1 "split 1 of n2" 0
  lab_heal
  lab_wait 60 "three that share" all_share 3
  for round in 1 2 3 4 5; do
    for node in n1 n2 n3; do lab_wait 60 "note $round of $node on all" all_know "split $round of $node"; done
  done
}

@test "two and one: the two go on telling each other, the one keeps its own, and the merge brings all together" {
  local node
  lab_link n3 lan down
  lab_wait 60 "n3 alone" shares_with n3 1
  for node in n1 n2; do lab_wait 60 "$node with one other" shares_with "$node" 2; done
  note n1 "with two"
  note n3 "alone"
  lab_wait 60 "n1's note on n2" knows n2 "with two" 1
  lab_wait 60 "its own on n3" knows n3 alone 1
  knows n3 "with two" 0
  knows n1 alone 0
  lab_link n3 lan up
  lab_wait 60 "three that share" all_share 3
  lab_wait 60 "the note of the two on all" all_know "with two"
  lab_wait 60 "the note of the one on all" all_know alone
}

@test "a node that was cut and comes back learns what it missed; its own story is kept for it" {
  note n3 "before the cut"
  lab_wait 60 "the note on all" all_know "before the cut"
  lab_node_cut n3
  lab_wait 60 "two that share" shares_with n1 2
  note n1 "while n3 was away"
  lab_node_on n3
  lab_wait 60 "three that share" all_share 3
  lab_wait 60 "what it missed" all_know "while n3 was away"
  lab_wait 60 "its own story" knows n3 "before the cut" 1
}

@test "clocks: a node that is 1,000 s ahead is measured, and the order of events is right" {
  local i node
  lab_wait 60 "a measured clock" clock_is_measured || { status_of n1 clock; return 1; }
  for i in 1 2 3 4 5 6; do
    note "n$((i % 3 + 1))" "order $i"
    lab_wait 60 "the note" knows n1 "order $i" 1
  done
  for node in n1 n2 n3; do
    lab_wait 60 "all of it" knows "$node" "order 6" 1
    assert_order "$node"
  done
}

# ns; the measured bound must hold, and be worth something.
clock_is_measured() {
  status_of n1 clock | awk '$1 == "n2" { e = $2 - 1000e9; if (e < 0) e = -e; good = e <= $3 + 10e6 && $3 < 200e6 } END { exit !good }'
}

assert_order() {
  local order
  order=$(lab_exec "$1" vigil timeline --all | grep -o 'drill: order [0-9]*$' | grep -o '[0-9]*$' | tr '\n' ' ')
  [ "$order" = "1 2 3 4 5 6 " ] || { echo "on $1: $order"; lab_exec "$1" vigil timeline --all | tail -n 30; return 1; }
}

@test "a wall clock that is stepped by an hour, forth and back: it is said, and the order stays" {
  local shift i=0
  for shift in 3600 -3600 0; do
    lab_exec n2 sh -c 'echo "$1" > /run/clock-shift.new && mv /run/clock-shift.new /run/clock-shift' shift "$shift"
    i=$((i + 1))
    lab_wait 60 "the step said" eval '[ "$(lab_exec n1 vigil timeline --all | grep -c "n2 .*the wall clock was stepped by")" -ge '$i' ]'
    note n2 "step $i"
    lab_wait 60 "the note" knows n1 "step $i" 1
  done
  [ "$(lab_exec n1 vigil timeline --all | grep -o 'drill: step [0-9]$' | tr -d '\n')" = "drill: step 1drill: step 2drill: step 3" ]
  # And those of before stay where they were.
  assert_order n1
  ! lab_exec n1 vigil timeline --all | grep -q 'failure of'
}

@test "rubbish on the bus: nobody ends, it is dropped, and the sharing goes on" {
  local node before=() after
  for node in n1 n2 n3; do before+=("$(status_of "$node" pid)"); done
  [ "$(lab_exec n1 bus_noise vigil-events 5000)" = 5000 ]
  note n2 "behind the noise"
  lab_wait 60 "the note on all" all_know "behind the noise"
  for node in n1 n2 n3; do
    after=$(status_of "$node" pid)
    [ "$after" = "${before[${node#n} - 1]}" ] || { echo "vigild of $node has ended"; return 1; }
  done
  [ "$(status_of n2 messages_dropped)" -gt 1000 ]
}

# By hand, but as Pacemaker calls it: so it is watched.
drill_start() {
  lab_exec n3 env OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=drilled OCF_RESKEY_CRM_meta_timeout=60000 OCF_RESKEY_start="sleep 100000" OCF_RESKEY_type=foreground \
    OCF_RESKEY_settle=0 /usr/lib/ocf/resource.d/vigil/app start
}

has_seen_the_kill() {
  LAB_EXEC_LIMIT=10 lab_exec "$1" vigil timeline --all 2>/dev/null | grep -q 'failure of drilled confirmed: .*has ended'
}

all_have_seen_the_kill() {
  has_seen_the_kill n1 && has_seen_the_kill n2 && has_seen_the_kill n3
}

# "yes", or "no" with a word of the reason.
says() {
  local why
  why=$(status_of n3 sharing_why)
  [ "$(status_of n3 sharing)" = "$1" ] && if [ "$1" = yes ]; then [ -z "$why" ]; else [[ $why == *"$2"* ]]; fi
}

# The others go on without n3, and its Pacemaker, for want of fencing, takes up again behind it.
@test "a Corosync that hangs: it is said, vigild goes on, and what was seen meanwhile reaches the others" {
  local corosync vigild watched
  vigild=$(status_of n3 pid)
  corosync=$(lab_exec n3 pgrep -x corosync)
  drill_start
  watched=$(lab_exec n3 sed -n 's/.*\tpid=\([0-9]*\).*/\1/p' /run/vigil/watch/drilled)
  says yes
  lab_exec n3 kill -STOP "$corosync"
  note n3 "while Corosync hung"
  lab_wait 90 "n3 says that nothing comes from Corosync" says no "hands none out" || { status_of n3 'sharing.*'; return 1; }
  lab_exec n3 kill -KILL "$watched"
  lab_wait 60 "the killed process, seen on n3" has_seen_the_kill n3
  note n3 "and behind it"
  lab_wait 60 "the note on n3 itself" knows n3 "and behind it" 1
  knows n1 "and behind it" 0
  [ "$(status_of n3 pid)" = "$vigild" ]
  lab_exec n3 kill -CONT "$corosync"
  lab_wait 120 "three that share" all_share 3
  says yes
  lab_wait 60 "what was noted before it was silent" all_know "while Corosync hung"
  lab_wait 60 "what was noted behind it" all_know "and behind it"
  lab_wait 60 "the killed process, on all" all_have_seen_the_kill
  [ "$(status_of n3 pid)" = "$vigild" ]
}
