# SPDX-License-Identifier: GPL-2.0-or-later
# A chosen part of the ledger test (tests/vmlab/ledger; the long form is tests/soak): the faults of which a takeover by reservations is made.

bats_require_minimum_version 1.5.0

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)} TMPDIR=$BATS_FILE_TMPDIR
}

@test "frozen and thawed, cut, one path lost: nothing is lost, nothing written behind a fencing, the array refuses the late write" {
  run "$BATS_TEST_DIRNAME/ledger" --each --fault path --fault freeze --fault cut --rejoin 0 3>&-
  echo "$output"
  [ "$status" -eq 0 ]
  grep -qE '^ledger: 3 of 3 rounds good, 0 failed; late writes refused by the array: [1-9]' <<< "$output"
}

# Each of these has to be found: a test that can't fail says nothing.
@test "the account finds a missing record, a damaged one, and one of a fenced node" {
  local folder=$BATS_TEST_TMPDIR
  python3 - "$folder" <<'END'
import sys, zlib
def record(sequence, epoch, node, request):
    text = ("%010d %06d %-4s %-30s " % (sequence, epoch, node, request)).encode()
    return text + b"%08x \n" % zlib.crc32(text)
good = [record(1, 1, "n1", "start"), record(2, 1, "n1", "a.1"), record(3, 2, "n2", "start"), record(4, 2, "n2", "b.1")]
late = good[:3] + [record(4, 1, "n1", "a.2")]
damaged = good[:1] + [good[1].replace(b"a.1", b"a.9")] + good[2:]
for name, records in ("good", good), ("short", good[:3]), ("late", late), ("damaged", damaged), ("torn", good + [b"000000000"]):
    open(sys.argv[1] + "/" + name, "wb").write(b"".join(records))
open(sys.argv[1] + "/told", "w").write("2 000001 n1 a.1 1\n4 000002 n2 b.1 2\n")
open(sys.argv[1] + "/nothing", "w")
END
  verify() { run "$BATS_TEST_DIRNAME/ledger_verify" "$folder/$1" "$folder/${2:-told}"; }
  verify good
  [ "$status" -eq 0 ] && [ "$output" = "records 4 epochs 2 acknowledged 2" ]
  verify torn
  [ "$status" -eq 0 ]
  verify short
  [ "$status" -eq 1 ] && grep -q "the volume has None" <<< "$output"
  verify late
  [ "$status" -eq 1 ] && grep -q "a write of a fenced node" <<< "$output"
  verify damaged
  [ "$status" -eq 1 ] && grep -q "record 2 is damaged" <<< "$output"
  verify good nothing
  [ "$status" -eq 1 ]
}

@test "the account sums up the parts of a long test, and a round that failed fails it" {
  local journal=$BATS_TEST_TMPDIR/journal
  line() { printf '2026-01-01T00:00:00Z\t%s\t7\t%d\t%s\t%s\t%s\t%d\t20\t4\t%s\n' "$@" >> "$journal"; }
  line vigil 1 freeze good 10000 2 "freeze of n1"
  line vigil 2 freeze+rejoin good 14000 3 "freeze of n2"
  line vigil 3 path good - 0 "path of n1"
  run "$BATS_TEST_DIRNAME/ledger" --account "$journal"
  [ "$status" -eq 0 ]
  grep -qE '^freeze +2 +2 +2 +12\.0 s +14\.0 s +5$' <<< "$output"
  grep -qE '^all +3 +3 +2 ' <<< "$output"
  line vigil 4 path FAILED - 0 "path of n1: n2 took over, without need"
  run "$BATS_TEST_DIRNAME/ledger" --account "$journal"
  [ "$status" -eq 1 ]
  grep -qE '^all +4 +3 +2 ' <<< "$output" && grep -qF 'round 4 of seed 7, FAILED: path of n1: n2 took over' <<< "$output"
  : > "$journal"
  run "$BATS_TEST_DIRNAME/ledger" --account "$journal"
  [ "$status" -eq 1 ]
}

@test "of what is kept for later labs, the newest four and what is in use stay" {
  local cache=$BATS_TEST_TMPDIR/cache number holder tries
  # shellcheck source=tests/vmlab/image_cache.bash
  . "$BATS_TEST_DIRNAME/image_cache.bash"
  # Used so many hours ago.
  kept() { mkdir -p "$cache/$1" && : > "$cache/$1/complete" && touch -d "$2 hours ago" "$cache/$1"; }
  for number in 2 3 4 5 6 7 8; do kept "image-$number" $number; done
  kept ledger-vigil-2 2
  kept ledger-vigil-100 100
  kept ledger-stock-100 100
  # One is held, by what its holder has become; another was used again.
  (cache_hold "$cache/image-8" && exec sleep 60) 3>&- &
  holder=$!
  (cache_hold "$cache/image-7")
  for ((tries = 600; tries > 0; tries--)); do
    flock -n -x "$cache/image-8" true || break
    sleep 0.05
  done
  touch -d '8 hours ago' "$cache/image-8"
  cache_prune "$cache" image ledger-vigil ledger-stock
  kill "$holder"
  ls "$cache"
  [ "$(cd "$cache" && echo *)" = "image-2 image-3 image-4 image-7 image-8 ledger-vigil-2" ]
}
