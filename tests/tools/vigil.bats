#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The command vigil: its conventions, and the timeline of events that another program wrote (events.py), as text, as JSON and as a page.
load ../lib/common

setup() {
  folder=$BATS_TEST_TMPDIR/recorder notes=$BATS_TEST_TMPDIR/notes
  mkdir "$folder" "$notes"
}

vigil() {
  run --separate-stderr "$VIGIL_BUILD/tools/vigil" "$@"
}

timeline() {
  vigil timeline --folder "$folder" --notes "$notes" "$@"
}

commands() {
  "$VIGIL_BUILD/tools/vigil" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

write_events() {
  python3 "$BATS_TEST_DIRNAME/events.py" "$folder"
}

@test "help, version, and what is no command" {
  local name
  vigil --version
  assert_equal "$status $output" "0 vigil (Vigil) $(sed -n 's/^PACKAGE_VERSION = //p' "$VIGIL_BUILD/Makefile")"
  vigil
  assert_equal "$status $output" "2 "
  vigil timelin
  assert_equal "$status" 2
  assert_equal "$stderr" "vigil: unknown command 'timelin'; did you mean 'timeline'?"
  vigil frobnicate
  assert_equal "$status" 2
  assert_error_has "vigil --help lists them"
  assert [ "$(commands | wc -l)" -ge 3 ]
  for name in $(commands); do
    vigil "$name" --help
    assert_equal "$status" 0
    assert_output_has "^Usage: vigil $name"
    vigil "$name" --no-such-option
    assert_equal "$status" 2
    assert_error_has "unknown option --no-such-option"
    vigil "$name" -x
    assert_equal "$status" 2
    vigil "$name" one two three four five six seven
    assert_equal "$status" 2
  done
}

@test "the description is well-formed and names every option of the help" {
  local name option
  "$VIGIL_BUILD/tools/vigil" metadata > "$BATS_TEST_TMPDIR/metadata"
  assert xmllint --nonet --noout "$BATS_TEST_TMPDIR/metadata"
  for name in $(commands); do
    for option in $("$VIGIL_BUILD/tools/vigil" "$name" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | grep -vE '^(json|help)$'); do
      assert grep -q . <<<"$(xmllint --xpath "//command[@name='$name']/parameter[@name='$option']" "$BATS_TEST_TMPDIR/metadata" 2>/dev/null)"
    done
  done
}

@test "options that exclude each other, values that are none" {
  timeline --last --all
  assert_equal "$status" 2
  timeline --json --html -
  assert_equal "$status" 2
  timeline --since yesterday
  assert_equal "$status" 2
  assert_error_has "neither a duration"
  timeline --since
  assert_equal "$status" 2
  timeline --folder relative
  assert_equal "$status" 2
}

@test "nothing recorded: exit code 1 and a reason" {
  timeline
  assert_equal "$status" 1
  assert_error_has "no event"
  vigil timeline --folder /nonexistent --notes /nonexistent
  assert_equal "$status" 1
}

@test "a failover: in order, by one clock, though the nodes' clocks are an hour apart" {
  "$BATS_TEST_DIRNAME/events.py" --failover "$folder"
  timeline
  assert_equal "$status" 0
  assert_equal "${lines[0]}" "n1: failure of db seen: process 4711 has ended (SIGKILL); the service was back after 2.500 s"
  assert_equal "$(grep -E '^[0-9]{2}:' <<<"$output" | awk '{ print $2 }' | tr '\n' ' ')" \
    "+0.000 +0.004 +0.600 +0.700 +1.500 +1.600 +1.610 +1.620 +1.630 +2.400 +2.500 "
  assert_output_has '^ +0\.004 s  failure seen until Pacemaker knew$'
  assert_output_has '^ +0\.800 s  fencing$'
  refute grep -q '?' <<<"$output"
}

@test "JSON: the same, for programs" {
  "$BATS_TEST_DIRNAME/events.py" --failover "$folder"
  timeline --json
  assert_equal "$status" 0
  python3 - <<END
import json
story = json.loads('''$(sed 's/\\/\\\\/g' <<<"$output")''')
kinds = [e["kind"] for e in story["events"]]
assert kinds == ["failure-seen", "failure-reported", "node-left", "fencing-begin", "fencing-end", "start-begin", "address-announced", "start-end", "start-begin",
                 "probe-answered", "start-end"], kinds
assert all(e["time_ns"] <= f["time_ns"] for e, f in zip(story["events"], story["events"][1:]))
assert story["events"][9]["text"] == "<b>http://db/&\"'</b>"
assert {p["name"]: round(p["duration_ns"] / 1e9, 3) for p in story["phases"]}["until the service was back"] == 2.5
END
}

@test "the page: self-contained, well-formed, escaped" {
  "$BATS_TEST_DIRNAME/events.py" --failover "$folder"
  timeline --html "$BATS_TEST_TMPDIR/page.html"
  assert_equal "$status" 0
  # It is written as XML can read it, but for the tags that HTML leaves open.
  sed -E 's/<!DOCTYPE html>//; s/<meta ([^>]*)>/<meta \1\/>/g' "$BATS_TEST_TMPDIR/page.html" > "$BATS_TEST_TMPDIR/page.xml"
  assert xmllint --nonet --noout "$BATS_TEST_TMPDIR/page.xml"
  refute grep -iE '<script|@import|url\(|<link|<img|<b>' "$BATS_TEST_TMPDIR/page.html"
  assert_equal "$(grep -oE 'https?://[^"<]*' "$BATS_TEST_TMPDIR/page.html" | grep -v '^http://db/' | sort -u)" "http://www.w3.org/2000/svg"
  assert grep -q 'role="img" aria-labelledby="drawn"' "$BATS_TEST_TMPDIR/page.html"
  assert grep -q '&lt;b&gt;http://db/&amp;&quot;&#39;&lt;/b&gt;' "$BATS_TEST_TMPDIR/page.html"
  timeline --html /nonexistent/page.html
  assert_equal "$status" 1
}

@test "a page of thousands of events, and of names that no node has" {
  python3 - <<'END' | write_events
import json
for i in range(1, 3001):
    print(json.dumps({"kind": i % 33 + 1, "node": "node-%d" % (i % 50), "node_id": i % 50 + 1, "incarnation": i % 50 + 1, "mono": i + 0.5,
                      "wall": 1800000000 + i / 200, "resource": "r%d" % i, "text": "x" * 200}))
END
  timeline --all --html "$BATS_TEST_TMPDIR/page.html"
  assert_equal "$status" 0
  assert grep -q 'more events are in the table only' "$BATS_TEST_TMPDIR/page.html"
  timeline --all --json
  assert_equal "$status" 0
}

@test "files that are torn, foreign or full of rubbish cost their own events only" {
  "$BATS_TEST_DIRNAME/events.py" --failover "$folder"
  head -c 100000 /dev/urandom > "$folder/node-9.events"
  truncate -s -20 "$folder/node-2.events"
  cp /bin/true "$folder/program"
  timeline
  assert_equal "$status" 0
  assert_output_has "start of db_ip has succeeded"
  refute grep -q "start of db has succeeded" <<<"$output"
}

@test "what agents have noted is shown, though no vigild took it" {
  printf '1\t%s\t%s\tstart-begin\t0\t0\tdb\t\t\n1\t%s\t%s\tstart-end\t0\t500000000\tdb\t\t\nrubbish\n1\tcut' \
    1000000000 1800000000000000000 1500000000 1800000000500000000 > "$notes/spool"
  timeline
  assert_equal "$status" 0
  assert_output_has "start of db has succeeded after 0.500 s"
  assert_output_has "vigild has not recorded: does it run"
}

@test "a reader that goes away, a disk that is full" {
  "$BATS_TEST_DIRNAME/events.py" --failover "$folder"
  run bash -c '"$1" timeline --folder "$2" --notes "$3" > /dev/full' full "$VIGIL_BUILD/tools/vigil" "$folder" "$notes"
  assert_equal "$status" 1
}

@test "without vigild status and watch say so" {
  node_start
  run --separate-stderr node_run "$VIGIL_BUILD/tools/vigil" status
  assert_equal "$status" 1
  assert_error_has "vigild does not run on this node"
  run --separate-stderr node_run "$VIGIL_BUILD/tools/vigil" status --json
  assert_equal "$output" '{"vigild":null,"resources":[]}'
  run --separate-stderr node_run "$VIGIL_BUILD/tools/vigil" watch --for 0.2s
  assert_equal "$status" 0
  assert_error_has "following what this node's agents note"
}

@test "with vigild: status shows a started resource, watch its stop, and the timeline both" {
  node_start
  node_spawn "$VIGIL_BUILD/tools/vigild"
  wait_until 60 node_run "$VIGIL_BUILD/tools/vigil" status
  agent vip start ip=192.0.2.7 cidr_netmask=24 nic=lo @instance=test_ip
  assert_code 0
  node_run "$VIGIL_BUILD/tools/vigil" watch --count 4 --json > "$BATS_TEST_TMPDIR/watched" 3>&- &
  watcher=$!
  # Nothing tells when it follows: so once more until it has seen enough.
  wait_until 60 stopped_and_seen
  wait "$watcher"
  assert grep -qxE '((stop-begin stop-end ){2}|(stop-end stop-begin ){2})' <<<"$(sed -E 's/.*"kind":"([^"]*)".*/\1/' "$BATS_TEST_TMPDIR/watched" | tr '\n' ' ')"
  # The events are written behind the watcher's back, by a process of their own.
  wait_until 60 all_is_recorded
  assert_output_has "start of test_ip has succeeded"
  assert_output_has "stop of test_ip has succeeded"
}

all_is_recorded() {
  run --separate-stderr node_run "$VIGIL_BUILD/tools/vigil" timeline
  [ "$status" -eq 0 ] && ! grep -q "does it run" <<<"$output$stderr"
}

stopped_and_seen() {
  agent vip stop ip=192.0.2.7 cidr_netmask=24 nic=lo @instance=test_ip
  assert_code 0
  ! kill -0 "$watcher" 2>/dev/null
}
