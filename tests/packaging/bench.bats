#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The bench's own parts: what it measures, how it judges, what it reads from the demo. The figures themselves are nobody's test.
load ../lib/common

setup_file() {
    make -s -C "$VIGIL_BUILD" tests/bench.d/measure tests/bench.d/empty >&2
}

setup() {
    measure=$VIGIL_BUILD/tests/bench.d/measure
    empty=$VIGIL_BUILD/tests/bench.d/empty
    source_root=$VIGIL_SOURCE build=$VIGIL_BUILD work=$BATS_TEST_TMPDIR runs=3 takeovers=1
    bench_tally=$BATS_TEST_TMPDIR/tally
    : >"$bench_tally"
    . "$VIGIL_SOURCE/tests/bench.d/report.bash"
    . "$VIGIL_SOURCE/tests/bench.d/takeover.bash"
}

field() {
    awk -F '\t' -v name="$1" -v field="$2" '$1 == name { print $field }' <<<"$output"
}

@test "measure: a row for each item, with least, median and most in order" {
    output=$("$measure" --runs 5 one "$empty" ::: two "$empty")
    assert_equal "one two" "$(cut -f1 <<<"$output" | xargs)"
    assert_equal "5 0" "$(field one 2) $(field one 3)"
    assert test "$(field one 4)" -le "$(field one 5)" -a "$(field one 5)" -le "$(field one 6)"
    assert test "$(field one 7)" -le "$(field one 8)" -a "$(field one 8)" -le "$(field one 9)"
    assert test "$(field one 5)" -gt 0 -a "$(field one 10)" -gt 0
}

@test "measure: another exit code than the wanted one is counted" {
    output=$("$measure" --runs 4 wrong /bin/sh -c 'exit 7' ::: wanted =7 /bin/sh -c 'exit 7')
    assert_equal 4 "$(field wrong 3)"
    assert_equal 0 "$(field wanted 3)"
}

@test "measure: variables and standard input reach the program, and replace the caller's" {
    echo given >"$BATS_TEST_TMPDIR/input"
    output=$(NAME=outside "$measure" --runs 1 both "<$BATS_TEST_TMPDIR/input" NAME=inside /bin/sh -c \
        'read -r line && [ "$line" = given ] && [ "$NAME" = inside ] && [ "$(env | grep -c ^NAME=)" = 1 ]')
    assert_equal 0 "$(field both 3)"
}

@test "measure: the work of children counts, and with --background what was left behind" {
    local work='i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'
    output=$("$measure" --runs 3 --warmup 0 empty "$empty" ::: child /bin/sh -c "(:; $work); :" ::: left /bin/sh -c "($work) &")
    assert test "$(field child 5)" -gt $((10 * $(field empty 5)))
    local left
    left=$(field left 5)
    output=$("$measure" --runs 3 --warmup 0 --background left /bin/sh -c "($work) &")
    assert test "$(field left 5)" -gt $((5 * left))
}

@test "measure: what can't be run is an error, not a figure" {
    run ! "$measure" --runs 2 none /nonexistent/program
    run ! "$measure" --runs 0 none "$empty"
    run ! "$measure" --runs 2 none
}

@test "a bound is judged by the medians, and one below the yardstick is called so" {
    verdict() { report_compare "$@" | cut -f2; }
    assert_equal "1/40: met" "$(verdict "40000 1 2" "1000 1 2" 1/40 "400 1 2")"
    assert_equal "1/40: NOT met" "$(verdict "39000 1 2" "1000 1 2" 1/40 "400 1 2")"
    assert_equal "1/30: NOT met (an empty program is 1/6.0)" "$(verdict "3000 1 2" "600 1 2" 1/30 "500 1 2")"
    assert_equal "2x: met" "$(verdict "500 1 2" "1000 1 2" 2x)"
    assert_equal "2x: NOT met" "$(verdict "500 1 2" "1001 1 2" 2x)"
    assert_equal "4MiB: met" "$(verdict "1 1 1" "4096 1 1" 4MiB)"
    assert_equal "4MiB: NOT met" "$(verdict "1 1 1" "4097 1 1" 4MiB)"
    # Nothing measured is never a bound that is met.
    figure=([a.cpu]="100 1 2")
    report "lacking" cpu a b 1/2 >"$BATS_TEST_TMPDIR/line"
    assert grep -q 'NOT measured' "$BATS_TEST_TMPDIR/line"
    assert_equal missed "$(cat "$bench_tally")"
}

@test "the tally counts, and fails where a bound was missed" {
    figure=([a.cpu]="100 1 2" [b.cpu]="10 1 2" [c.cpu]="90 1 2")
    report one cpu a b 1/5 >/dev/null
    report_tally >"$BATS_TEST_TMPDIR/tally.out"
    assert grep -q '1 met, 0 not met' "$BATS_TEST_TMPDIR/tally.out"
    report two cpu a c 1/5 >/dev/null
    run ! report_tally
}

@test "the demo's timeline is read by phases" {
    cat >"$BATS_TEST_TMPDIR/demo" <<'END'
[  27.2 s] cutting the power of n1
     0.000 s  power cut              n1: every process has ended
     2.108 s  membership lost        n2 is on its own
     2.356 s  fenced                 n1, by its management controller
     2.420 s  volume mounted         on n2
     2.940 s  database up            on n2
     3.131 s  address announced      n2 has 192.0.2.50 for the client
     3.360 s  first commit answered  row 215, 3376 ms after the one before
  client gap 3376 ms; acknowledged rows 218, rows lost 0
[  39.8 s] killing the database on n2 (SIGKILL)
     0.000 s  application killed     on n2: process 138
     0.441 s  failure noticed        not running
     0.653 s  database up            on n2
     1.097 s  first commit answered  row 1260, 1071 ms after the one before
  client gap 1071 ms; acknowledged rows 1261, rows lost 2
END
    output=$(takeover_read <"$BATS_TEST_TMPDIR/demo")
    assert_output_has '^cut membership_lost 2108$'
    assert_output_has '^cut fenced 248$'
    assert_output_has '^cut at_first_commit_answered 3360$'
    assert_output_has '^cut gap 3376$'
    assert_output_has '^kill at_failure_noticed 441$'
    assert_output_has '^kill lost 2$'
    cp "$BATS_TEST_TMPDIR/demo" "$BATS_TEST_TMPDIR/first"
    takeover_read <"$BATS_TEST_TMPDIR/first" >"$work/takeover.ours"
    sed 's/2\.356 s/2.556 s/' "$BATS_TEST_TMPDIR/demo" | takeover_read >>"$work/takeover.ours"
    takeover_medians ours
    assert_equal "348000 248000 448000" "${figure[cut.fenced.ours.time]}"
}
