# SPDX-License-Identifier: GPL-2.0-or-later
# The lab of virtual machines itself: what its commands promise, and that nothing is left of it.

bats_require_minimum_version 1.5.0

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  "$BATS_TEST_DIRNAME/vmlab" up 3>&-
}

teardown_file() {
  "$BATS_TEST_DIRNAME/vmlab" down
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*"; return 1; }
    sleep 0.1
  done
}

# Emulators that name this lab's folder.
emulators() {
  pgrep -fc -- "^qemu-system.*$1/" || :
}

@test "a command runs on a machine, with its output, input and exit code" {
  [ "$(vmlab exec n1 'echo out; echo err >&2; hostname')" = $'out\nerr\nn1' ]
  run vmlab exec n2 'exit 42'
  [ "$status" -eq 42 ]
  run vmlab exec n2 -t 1 'sleep 30'
  [ "$status" -eq 124 ]
  head -c 300000 /dev/urandom > "$BATS_TEST_TMPDIR/data"
  chmod 640 "$BATS_TEST_TMPDIR/data"
  vmlab put n1 "$BATS_TEST_TMPDIR/data" '/tmp/a name'
  vmlab get n1 '/tmp/a name' | cmp - "$BATS_TEST_TMPDIR/data"
  [ "$(vmlab exec n1 'stat -c %a "/tmp/a name"')" = 640 ]
}

@test "the machines have the agents of this build" {
  vmlab get n1 /usr/lib/ocf/resource.d/vigil/san-volume | cmp - "$VIGIL_BUILD/agents/san-volume"
  vmlab exec n2 'fence_vigil_bmc --help >/dev/null'
}

@test "what a power cut takes is what was not flushed" {
  vmlab exec n1 'mkdir -p /mnt && mkfs.ext4 -q -F /dev/vdc && mount /dev/vdc /mnt && echo kept > /mnt/kept && sync && echo lost > /mnt/lost'
  vmlab kill n1
  [ "$(vmlab power n1)" = off ]
  run vmlab exec n1 -t 1 true
  [ "$status" -ne 0 ]
  vmlab boot n1
  vmlab exec n1 'mkdir -p /mnt && mount /dev/vdc /mnt'
  [ "$(vmlab exec n1 'cat /mnt/kept')" = kept ]
  run vmlab exec n1 'cat /mnt/lost'
  [ "$output" != lost ]
}

@test "a frozen machine goes on where it was, a reset one begins again" {
  vmlab exec n1 'touch /tmp/before'
  vmlab freeze n1
  [ "$(vmlab power n1)" = frozen ]
  run vmlab exec n1 -t 1 true
  [ "$status" -eq 124 ]
  vmlab thaw n1
  vmlab exec n1 'test -e /tmp/before'
  vmlab reset n1
  vmlab wait n1
  wait_for 180 vmlab exec n1 -t 5 'test ! -e /tmp/before'
}

@test "a cable is pulled and plugged" {
  vmlab link n2 lan0 down
  run vmlab exec n2 'ping -c 1 -W 1 192.0.2.19 >/dev/null'
  [ "$status" -ne 0 ]
  wait_for 60 vmlab exec n2 'ping -c 1 -W 2 192.0.2.83 >/dev/null'
  vmlab link n2 lan0 up
  # A neighbour that was not found is unreachable for a while.
  wait_for 60 vmlab exec n2 'ping -c 1 -W 2 192.0.2.19 >/dev/null'
}

@test "a management controller cuts, gives and resets its machine's power" {
  local order='printf "action=%s\nip=198.51.100.102\nusername=vigil\npassword=lab-Secret-1\n"'
  vmlab exec n1 "$order off | fence_vigil_bmc"
  [ "$(vmlab power n2)" = off ]
  vmlab exec n1 "$order on | fence_vigil_bmc"
  vmlab wait n2
  # No guest reaches an emulator's own control.
  run vmlab exec n1 'for port in 4444 7001 7002 7009; do timeout 1 bash -c "exec 3<>/dev/tcp/192.0.2.1/$port" && exit 9; done; exit 3'
  [ "$status" -eq 3 ]
}

@test "a watchdog that nobody feeds resets its machine" {
  vmlab exec n1 'modprobe i6300esb heartbeat=2; touch /tmp/before; exec 7>/dev/watchdog; sleep 0.1' || :
  wait_for 180 vmlab exec n1 -t 5 'test ! -e /tmp/before'
}

is_registered() {
  vmlab exec n1 "sg_persist -n -k $1" | grep -q 0x1
}

@test "the array: two paths, a reservation that keeps a node out, a lab saved and restored" {
  # By the array's own name: each node counts its maps for itself, and mpatha here may be mpathb there.
  local map=/dev/disk/by-id/dm-uuid-mpath-360014051ab0001000000000000000000
  local hold="for path in /sys/block/\$(basename \$(readlink -f $map))/slaves/*; do sg_persist -n -o -I -S 0x1 /dev/\${path##*/} || exit; done
    sg_persist -n -o -R -K 0x1 -T 5 $map"
  vmlab san 2 64
  # A target that has just come up may say "not ready" for a moment.
  wait_for 60 vmlab exec n1 "$hold" >/dev/null
  vmlab exec st 'guest_refusals begin'
  run vmlab exec n2 "dd if=/dev/zero of=$map bs=4k count=1 oflag=direct"
  [ "$status" -ne 0 ]
  [ "$(vmlab exec st 'guest_refusals count n2')" -gt 0 ]
  vmlab save "$BATS_TEST_TMPDIR/saved"
  vmlab down
  [ "$(emulators "$VIGIL_VMLAB")" -eq 0 ]
  [ ! -e "$VIGIL_VMLAB" ]
  vmlab restore "$BATS_TEST_TMPDIR/saved" 3>&-
  # The machines did not stop and go on at the same moment: a session may have to come back.
  wait_for 60 is_registered "$map"
  wait_for 60 vmlab exec n1 "dd if=/dev/zero of=$map bs=4k count=1 oflag=direct"
}

@test "two labs run side by side, and one ends with its owner" {
  local owner
  sleep infinity 3>&- &
  owner=$!
  VIGIL_VMLAB=$BATS_TEST_TMPDIR/second VIGIL_VMLAB_OWNER=$owner vmlab up n1 3>&-
  vmlab exec n1 'touch /tmp/first'
  run env VIGIL_VMLAB="$BATS_TEST_TMPDIR/second" "$BATS_TEST_DIRNAME/vmlab" exec n1 'test -e /tmp/first'
  [ "$status" -eq 1 ]
  kill "$owner"
  second_is_gone() { [ "$(emulators "$BATS_TEST_TMPDIR/second")" -eq 0 ]; }
  wait_for 60 second_is_gone
  vmlab exec n1 true
}
