# SPDX-License-Identifier: GPL-2.0-or-later
# tests/demo itself: what it shows, and that nothing is left of it, however it ends.

setup() {
  demo=$BATS_TEST_DIRNAME/../demo
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  # Labs of others may run on this machine: these tests look at their own folder only.
  export TMPDIR=$BATS_TEST_TMPDIR
}

# Whatever a test leaves is ended here, so that a failed one does not disturb the next.
teardown() {
  [ -z "${demo_pid:-}" ] || kill -KILL "$demo_pid" 2>/dev/null || :
  "$demo" --down
}

start_demo() {
  "$demo" "$@" > "$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
  demo_pid=$!
}

shows() {
  grep -q -- "$1" "$BATS_TEST_TMPDIR/out"
}

wait_for() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    [ $((tries -= 1)) -gt 0 ] || { echo "not so: $*"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
    sleep 0.1
  done
}

lab_folder() {
  ls -d "$BATS_TEST_TMPDIR"/vigil-lab.* 2>/dev/null
}

# Who writes there may make a new file meanwhile.
folder_removed() {
  rm -rf "$(lab_folder)" && [ -z "$(lab_folder)" ]
}

# No folder, no control group, and no process that names the folder.
nothing_left() {
  [ -z "$(lab_folder)" ] && [ ! -d "$group" ] && ! pgrep -f "$BATS_TEST_TMPDIR/vigil-lab" >/dev/null
}

in_the_middle() {
  wait_for 300 shows "$1"
  group=$(cat "$(lab_folder)/group")
  [ -d "$group" ]
}

@test "the demo shows the takeover, loses nothing, and leaves nothing" {
  run "$demo"
  echo "$output"
  [ "$status" -eq 0 ]
  for event in "power cut" "membership lost" fenced "volume mounted" "database up" "address announced" "first commit answered" \
    "application killed" "failure noticed"; do
    grep -qE "^ +[0-9]+\.[0-9]{3} s  $event " <<< "$output" || { echo "no line for: $event"; return 1; }
  done
  [ "$(grep -cE 'client gap [1-9][0-9]* ms; acknowledged rows [1-9][0-9]*, rows lost 0$' <<< "$output")" -eq 2 ]
  grep -q 'nothing is left of it' <<< "$output"
  [ -z "$(lab_folder)" ]
}

@test "a terminated demo cleans up" {
  start_demo
  in_the_middle "a client begins"
  kill -TERM "$demo_pid"
  status=0
  wait "$demo_pid" || status=$?
  demo_pid=
  [ "$status" -eq 130 ]
  nothing_left
}

@test "what a killed demo leaves, the next run ends" {
  start_demo
  in_the_middle "configuring the cluster"
  kill -KILL "$demo_pid"
  wait "$demo_pid" || :
  demo_pid=
  [ -d "$group" ]
  "$demo" --down
  nothing_left
}

@test "a killed demo whose folder is gone is ended by its control group" {
  start_demo
  in_the_middle "configuring the cluster"
  kill -KILL "$demo_pid"
  wait "$demo_pid" || :
  demo_pid=
  wait_for 20 folder_removed
  "$demo" --down
  nothing_left
}

@test "two demos run side by side, and --down ends both that are kept" {
  # Five nodes on one machine.
  export LAB_TOKEN=3000
  start_demo --keep
  "$demo" --keep --nodes 3 > "$BATS_TEST_TMPDIR/second" 2>&1
  wait "$demo_pid" || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
  demo_pid=
  [ "$(lab_folder | wc -l)" -eq 2 ]
  group=$(cat "$(lab_folder | head -n 1)/group")
  "$demo" --down
  nothing_left
}

@test "a demo that cannot work says so: an unknown option, a wrong number of nodes" {
  run "$demo" --nodes 9
  [ "$status" -eq 2 ]
  run "$demo" --frobnicate
  [ "$status" -eq 2 ]
  grep -q frobnicate <<< "$output"
}
