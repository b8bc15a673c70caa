#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The flight recorder in a real cluster: the story of a failover is the same from either node and has all of its events in the right order; peers that join,
# leave, are split and merged share what they have; what was taken is not lost by a killed vigild or a full disk.

bats_require_minimum_version 1.5.0

load_lab() {
  # shellcheck source=tests/lab/lab.bash
  . "$BATS_TEST_DIRNAME/lab.bash"
  # shellcheck source=tests/lab/service.bash
  . "$BATS_TEST_DIRNAME/service.bash"
}

setup_file() {
  load_lab
  local build=${VIGIL_BUILD:-$BATS_TEST_DIRNAME/../../build}
  lab_reap
  lab_stage "$build" "$BATS_FILE_TMPDIR/stage" > "$BATS_FILE_TMPDIR/stage.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/stage.log"; return 1; }
  STATEDIR=$(make -s -C "$build" print-statedir)/recorder
  export LAB_VIGILD=1 STATEDIR
  LAB_TOKEN=3000 lab_up 2 "$BATS_FILE_TMPDIR/stage" && service_volume_fill && service_configure vigil && service_wait n1 60 || return 1
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
  lab_wait 60 "both nodes in the cluster" lab_members_are n2 n1 n2
  lab_wait 60 "the service on one node" service_node
  active=$(service_node)
  standby=$([ "$active" = n1 ] && echo n2 || echo n1)
  service_wait "$active" 60
  lab_wait 60 "events shared" is_sharing 2
  began=$(date +%s)
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || cp -r "$LAB/log" "$BATS_FILE_TMPDIR/log.$BATS_TEST_NUMBER"
}

status_of() {
  lab_exec "$1" vigil status 2>/dev/null | sed -n "s/^$2: //p"
}

# Every vigild is in the group with so many.
is_sharing() {
  local node
  for node in "${LAB_NODES[@]}"; do
    [ "$(status_of "$node" sharing)" = yes ] && [ "$(status_of "$node" members)" = "$1" ] || return 1
  done
}

# The story since the test began, as lines "SECONDS NODE KIND RESOURCE PEER VALUE", by the clock of NODE.
story() {
  lab_exec "$1" vigil timeline --since "$(($(date +%s) - began + 1))s" --json > "$BATS_TEST_TMPDIR/story.json" || return 1
  python3 - "$BATS_TEST_TMPDIR/story.json" <<'END'
import json, sys
for e in json.load(open(sys.argv[1]))["events"]:
    print("%.6f" % (e["time_ns"] / 1e9), e["node"], e["kind"], e.get("resource", "-"), e.get("peer", "-"), e["value"], "wall" if e["uncertainty_ns"] is None else e["uncertainty_ns"])
END
}

# True when the story has these in this order: each "NODE KIND RESOURCE PEER", where * is anything.
has_in_order() {
  local node=$1 line
  shift
  story "$node" > "$BATS_TEST_TMPDIR/story.$node" || return 1
  while read -r line; do
    # shellcheck disable=SC2053 # a pattern
    [[ $(cut -d' ' -f2-5 <<< "$line") != $1 ]] || shift
    [ $# -gt 0 ] || return 0
  done < "$BATS_TEST_TMPDIR/story.$node"
  missing=$1
  return 1
}

await_story() {
  missing=
  lab_wait 60 "the story" has_in_order "$@" || { echo "missing: $missing"; cat "$BATS_TEST_TMPDIR/story.$1"; return 1; }
}

time_of() {
  awk -v node="$2" -v kind="$3" '$2 == node && $3 == kind { print $1; exit }' "$BATS_TEST_TMPDIR/story.$1"
}

# What the stories of these nodes may be wrong by, in seconds, by their own account.
tolerance() {
  local node files=()
  for node in "$@"; do files+=("$BATS_TEST_TMPDIR/story.$node"); done
  awk '$NF != "wall" && $NF > most[FILENAME] { most[FILENAME] = $NF } END { sum = 0.05; for (file in most) sum += most[file] / 1e9; print sum }' "${files[@]}"
}

assert_between() {
  awk -v low="$1" -v x="$2" -v high="$3" 'BEGIN { exit !(low <= x && x <= high) }' || { echo "$2 is not between $1 and $3 ($4)"; return 1; }
}

# What the agents note, written as they do.
note() {
  lab_exec "$1" bash -c 'read -r up _ < /proc/uptime; printf "1\t%d\t%d\tnote\t0\t0\tdrill\t\t%s\n" "$((${up/./} * 10000000 + RANDOM))" "$(date +%s%N)" "$1" >> /run/vigil/notes/spool' note "$2"
}

count_notes() {
  lab_exec "$1" vigil timeline --since "$(($(date +%s) - began + 1))s" 2>/dev/null | grep -c "^[0-9][0-9]:.*drill: $2" || :
}

notes_are() {
  [ "$(count_notes "$1" "$2")" = "$3" ]
}

vigild_pid() {
  lab_exec "$1" vigil status 2>/dev/null | sed -n 's/^pid: //p'
}

vigild_is_new() {
  local pid
  pid=$(vigild_pid "$1")
  [ -n "$pid" ] && [ "$pid" != "$2" ]
}

@test "a failover: the whole story, in order, from either node" {
  lab_node_cut "$active"
  service_wait "$standby" 60
  local order=(
    "$standby node-left - $active" "$standby fencing-begin - $active" "$standby fencing-end - $active"
    "$standby start-begin volume *" "$standby start-end volume *" "$standby start-begin database *" "$standby probe-answered database *"
    "$standby start-end database *" "$standby start-begin address *" "$standby address-announced address *" "$standby start-end address *"
  )
  await_story "$standby" "${order[@]}"
  # vigild, which hears of every fencing from Pacemaker, leaves it to Vigil's own fence agent.
  [ "$(grep -c ' fencing-' "$BATS_TEST_TMPDIR/story.$standby")" = 2 ]
  # The moment of death is the lab's, by the same clock. Corosync's token is 3 s; what follows takes seconds at most.
  assert_between "$LAB_CUT_TIME" "$(time_of "$standby" "$standby" node-left)" "$(awk -v t="$LAB_CUT_TIME" 'BEGIN { printf "%.6f", t + 60 }')" "node-left"
  assert_between 0 "$(awk -v a="$(time_of "$standby" "$standby" fencing-begin)" -v b="$(time_of "$standby" "$standby" fencing-end)" 'BEGIN { print b - a }')" 30 fencing
  # The node that died and came back tells the same, though it saw none of it.
  lab_wait 60 "the node back" lab_members_are "$standby" n1 n2
  lab_wait 60 "events shared again" is_sharing 2
  await_story "$active" "${order[@]}"
  local first last
  first=$(time_of "$standby" "$standby" node-left) last=$(time_of "$active" "$standby" node-left)
  # One kernel, one clock: the two stories differ by what the measurement of the offset is wrong, which they say themselves.
  assert_between 0 "$(awk -v a="$first" -v b="$last" 'BEGIN { print (a > b ? a - b : b - a) }')" "$(tolerance "$standby" "$active")" "the same moment from both nodes"
  lab_exec "$standby" vigil timeline | tee "$BATS_TEST_TMPDIR/text" >&2
  grep -q "^$standby: $active is lost; the service was back after [0-9.]* s$" "$BATS_TEST_TMPDIR/text"
  lab_exec "$standby" vigil timeline --html - > "$BATS_TEST_TMPDIR/page.html"
  xmllint --html --noout "$BATS_TEST_TMPDIR/page.html" 2>&1 | grep -v 'Tag \(svg\|main\|figure\|figcaption\|g\|rect\|line\|text\|circle\|path\|title\) invalid' | grep error && return 1
  ! grep -iE 'https?://|<script|@import|url\(' "$BATS_TEST_TMPDIR/page.html" | grep -v 'www.w3.org/2000/svg'
}

@test "a planned move: stop on one node, start on the other, no failure" {
  lab_exec "$standby" crm_resource --move --resource service --node "$standby" >/dev/null 2>&1
  service_wait "$standby" 60
  lab_exec "$standby" crm_resource --clear --resource service >/dev/null 2>&1
  await_story "$active" "$active stop-begin address *" "$active stop-end address *" "$active stop-end database *" "$active stop-end volume *" \
    "$standby start-begin volume *" "$standby start-end volume *" "$standby start-end database *" "$standby start-end address *"
  ! grep -E ' (failure-seen|failure-confirmed|failure-reported) ' "$BATS_TEST_TMPDIR/story.$active"
}

@test "vigild is killed and restarted: nothing that was noted is lost, nothing comes twice" {
  local pid round
  for round in 1 2 3; do
    pid=$(vigild_pid "$active")
    note "$active" "before $round"
    lab_exec "$active" kill -KILL "$pid"
    note "$active" "behind $round"
    lab_wait 60 "another vigild" vigild_is_new "$active" "$pid"
  done
  for round in 1 2 3; do
    lab_wait 60 "on $active: before $round" notes_are "$active" "before $round" 1
    lab_wait 60 "on $active: behind $round" notes_are "$active" "behind $round" 1
    lab_wait 60 "on $standby: before $round" notes_are "$standby" "before $round" 1
    lab_wait 60 "on $standby: behind $round" notes_are "$standby" "behind $round" 1
  done
}

@test "a hundred notes at once reach both nodes" {
  lab_exec "$active" bash -c 'read -r up _ < /proc/uptime; for ((i = 1; i <= 100; i++)); do
    printf "1\t%d\t%d\tnote\t0\t0\tdrill\t\thundred\n" "$((${up/./} * 10000000 + i))" "$(date +%s%N)" >> /run/vigil/notes/spool; done'
  lab_wait 60 "all on $standby" notes_are "$standby" hundred 100
  lab_wait 60 "all on $active" notes_are "$active" hundred 100
}

@test "a disk that is full: it is said, the story goes on in memory and to the peers, and is written when there is room" {
  local pid
  pid=$(vigild_pid "$active")
  lab_exec "$active" mount -t tmpfs -o size=64k recorder "$STATEDIR"
  lab_exec "$active" bash -c 'cat /dev/zero > "$1/ballast" 2>/dev/null; :' fill "$STATEDIR"
  lab_exec "$active" kill -KILL "$pid" # so that it opens the files of the full disk
  lab_wait 60 "another vigild" vigild_is_new "$active" "$pid"
  lab_wait 60 "events shared" is_sharing 2
  for ((i = 1; i <= 40; i++)); do note "$active" "no room $i."; done
  lab_wait 60 "the trouble said" eval '[ "$(status_of "$active" recorder)" = "No space left on device" ]'
  lab_wait 60 "the story on the peer" notes_are "$standby" "no room 40\." 1
  lab_wait 60 "the log's word of it" grep -q "flight recorder can't write" "$LAB/log/$active/vigild.log"
  lab_exec "$active" rm "$STATEDIR/ballast"
  lab_wait 60 "writing again" eval '[ "$(status_of "$active" recorder)" = writing ]'
  lab_wait 60 "all written" notes_are "$active" "no room" 40
  pid=$(vigild_pid "$active")
  lab_exec "$active" umount -l "$STATEDIR"
  lab_exec "$active" kill -KILL "$pid"
  lab_wait 60 "another vigild" vigild_is_new "$active" "$pid"
}

@test "without vigild the commands say so, and read what is there" {
  run -1 lab_exec client vigil status
  [[ $output == *"vigild does not run on this node"* ]]
  run -1 lab_exec client vigil timeline --folder /nonexistent --notes /nonexistent
  [[ $output == *"no event"* ]]
}
