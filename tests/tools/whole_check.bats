#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/check itself, in a tree with a few tests of its own: what fails it, which processes it ends, and which jobs run beside each other.
load ../lib/common

setup() {
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"/tests/{lib,packages,tools,agents,lab} "$tree/build"
  cp "$BATS_TEST_DIRNAME/../check" "$tree/tests/"
  cp "$BATS_TEST_DIRNAME/../lib/install.bash" "$tree/tests/lib/"
  printf '#!/bin/sh\n' >"$tree/autogen.sh"
  chmod 755 "$tree/autogen.sh"
  : >"$tree/build/config.status"
  printf 'all check Makefile:\n.PHONY: all check Makefile\n' >"$tree/build/Makefile"
}

teardown() {
  common_teardown
}

# A file with one test, whose body is read from the input, with FOLDER for the folder of the test that runs it.
test_file() {
  { printf '@%s { ' "test \"$1\""; sed "s,FOLDER,$BATS_TEST_TMPDIR,g"; echo "}"; } >"$tree/tests/$1.bats"
}

check() {
  run env VIGIL_BUILD="$tree/build" VIGIL_CHECK_GRACE=2 "$tree/tests/check" --no-install "$@"
}

@test "a process that a test leaves behind fails the check and is ended; one that is ending does not, and one of somebody else's is left alone" {
  local other
  test_file tools/leaking <<'END'
  setsid sleep 301 </dev/null >/dev/null 2>&1 3>&- &
  echo $! >FOLDER/left
  disown
END
  test_file tools/ending <<'END'
  setsid sleep 1 </dev/null >/dev/null 2>&1 3>&- &
  disown
END
  # A mark like the check's, with another's number.
  VIGIL_CHECK_JOB=$$.1.0 sleep 302 3>&- &
  other=$!
  at_end kill $other
  check --only tools
  echo "$output"
  assert_equal "$status" 1
  assert_equal "$(tail -n 1 <<<"$output")" "2 passed, 1 failed, 0 skipped"
  assert_equal "$(grep -A 1 '^failed:' <<<"$output" | tail -n 1)" "  tools/leaking: left processes behind: sleep 301"
  refute grep -qE '302|tools/ending: left' <<<"$output"
  assert kill -0 $other
  # A zombie has no command.
  refute grep -qsa . "/proc/$(cat "$BATS_TEST_TMPDIR/left")/cmdline"
}

# Each job tells when it begins and ends. The three that wait end only when all of them have begun.
@test "two jobs run at once, three of those that wait, behind the others, and one of a suite that runs alone" {
  local name
  for name in agents/{app,vip,cloud-vip} tools/{one,two,three} lab/{one,two}; do
    test_file "$name" <<END
  echo "begin $name" >>FOLDER/told
  sleep 0.3
  case $name in agents/*) for try in {1..600}; do [ "\$(grep -c 'begin agents/' FOLDER/told)" -lt 3 ] || break; sleep 0.05; done ;; esac
  echo "end $name" >>FOLDER/told
END
  done
  # In an order that is not the one in which they run.
  check --only lab --only agents --only tools
  echo "$output"
  cat "$BATS_TEST_TMPDIR/told"
  assert_equal "$(tail -n 1 <<<"$output")" "8 passed, 0 failed, 0 skipped"
  assert_equal "$status" 0
  awk '
    $1 == "begin" { here[$2]; order = order " " $2 }
    $1 == "end" { delete here[$2] }
    {
      works = waits = alone = 0
      for (name in here) { works += name ~ /^tools/; waits += name ~ /^agents/; alone += name ~ /^lab/ }
      if (alone && works + waits + alone > 1 || works && works + waits > 2 || waits > 3) bad = bad " line " NR
      if (waits == 3) three = 1
      if (works == 2) two = 1
    }
    END { print "bad:" bad ", two: " two ", three: " three; exit bad != "" || !two || !three || order !~ /^ tools.* tools.* tools.* agents.* lab.* lab/ }' "$BATS_TEST_TMPDIR/told"
}

@test "what the check's lists name is there" {
  local name count=0
  for name in $(sed -n '/^waiting="$/,/^"$/p; /^working="$/,/^"$/p; s/^last=//p' "$BATS_TEST_DIRNAME/../check" | grep '^[a-z]*/'); do
    count=$((count + 1))
    case $name in
      sanitize/unit) continue ;;
      sanitize/*) assert [ -n "$(ls "$VIGIL_SOURCE"/tests/{agents,stonith}/"${name#*/}.bats" 2>/dev/null)" ] ;;
      *) assert [ -f "$VIGIL_SOURCE/tests/$name.bats" ] ;;
    esac || { echo "no job $name"; return 1; }
  done
  assert [ $count -gt 10 ]
}
