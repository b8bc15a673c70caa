# SPDX-License-Identifier: GPL-2.0-or-later
# san-volume at an array that loses paths, hangs, and comes back: one lab, no cluster.

bats_require_minimum_version 1.5.0

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  "$BATS_TEST_DIRNAME/vmlab" up st n1 3>&- && "$BATS_TEST_DIRNAME/vmlab" san 1 64 &&
    "$BATS_TEST_DIRNAME/vmlab" exec n1 'mkfs.ext4 -q -F /dev/mapper/mpatha'
}

teardown_file() {
  "$BATS_TEST_DIRNAME/vmlab" down
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

# volume ACTION TIMEOUT_MS [VARIABLE=VALUE...]: as Pacemaker would call it; prints what it says, the milliseconds that it took, and its code.
volume() {
  local action=$1 timeout=$2
  shift 2
  vmlab exec n1 "begin=\${EPOCHREALTIME/./}
    env OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=volume OCF_RESOURCE_TYPE=san-volume \
      OCF_RESOURCE_PROVIDER=vigil OCF_RESKEY_CRM_meta_timeout=$timeout OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_CRM_meta_name=$action \
      OCF_RESKEY_device=/dev/mapper/mpatha OCF_RESKEY_directory=/srv/data OCF_RESKEY_quorum=ignore OCF_RESKEY_io_timeout=3 $* \
      timeout -k 1 60 /usr/lib/ocf/resource.d/vigil/san-volume $action 2>&1
    code=\$?
    echo \"took \$(((\${EPOCHREALTIME/./} - begin) / 1000)) ms\"
    exit \$code"
}

took() {
  sed -n 's/^took \([0-9]*\) ms$/\1/p' <<< "$output"
}

# How many processes of the agent are in uninterruptible sleep. No number where that cannot be read: it is equal to nothing.
stuck() {
  local text
  text=$(vmlab exec n1 'ps axo stat,args') && grep -q '^STAT' <<<"$text" || { echo "unreadable: $text"; return 1; }
  grep -c '^D.*san-volume' <<<"$text" || :
}

wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*"; return 1; }
    sleep 0.2
  done
}

monitor_is_well() {
  run volume monitor 20000 OCF_CHECK_LEVEL=10
  [ "$status" -eq 0 ]
}

monitor_is_degraded() {
  run volume monitor 20000 OCF_CHECK_LEVEL=10
  [ "$status" -eq 190 ]
}

paths_active() {
  [ "$(vmlab exec n1 'dmsetup status mpatha' | grep -oE ' 8:[0-9]+ A' | wc -l)" -eq "$1" ]
}

has_written() {
  [ "$(vmlab exec n1 'wc -l < /tmp/written')" -ge "$1" ] 2>/dev/null
}

nothing_stuck() {
  [ "$(stuck)" -eq 0 ]
}

setup() {
  run volume start 60000
  [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || { vmlab exec n1 'touch /tmp/enough; dmesg | tail -n 20; ps axo pid,stat,wchan:30,args | grep -v "\["; dmsetup status'; }
}

@test "one of two paths is lost under load: writing goes on, and the volume is degraded until it is back" {
  vmlab exec n1 -t 300 'rm -f /tmp/enough; : > /tmp/written; while [ ! -e /tmp/enough ]; do
    dd if=/dev/zero of=/srv/data/load bs=64k count=4 conv=fsync,notrunc status=none || exit 1; echo >> /tmp/written; done' 3>&- &
  load=$!
  wait_for 60 has_written 1
  vmlab link st lan0 down
  wait_for 60 paths_active 1
  wait_for 60 monitor_is_degraded || { echo "$status: $output"; return 1; }
  # On the path that is left.
  wait_for 60 has_written $(($(vmlab exec n1 'wc -l < /tmp/written') + 5))
  vmlab link st lan0 up
  vmlab exec n1 'touch /tmp/enough'
  wait "$load"
  wait_for 90 paths_active 2
  wait_for 60 monitor_is_well
}

@test "an array that does not answer: a verdict by the deadline, one worker, a bounded stop" {
  vmlab exec st 'dmsetup suspend --noflush --nolockfs lun0'
  # Whoever writes there now waits in the kernel.
  vmlab exec n1 'setsid sh -c "echo x > /srv/data/x; sync -f /srv/data/x" >/dev/null 2>&1 </dev/null &'
  for round in 1 2 3; do
    run volume monitor 10000 OCF_CHECK_LEVEL=10
    echo "$output"
    [ "$status" -ne 0 ] && [ "$status" -ne 7 ] && [ "$status" -ne 124 ]
    [ "$(took)" -lt 10000 ]
    [ "$(stuck)" -le 1 ]
  done
  run volume stop 12000
  echo "$output"
  # Not stopped: the cluster has to fence. Never a false "stopped".
  [ "$status" -eq 1 ]
  # The agent ends by itself, some time before its timeout; how much of it the start of a program takes is the machine's matter.
  [ "$(took)" -lt 20000 ]
  grep -q 'ocf-exit-reason:.' <<< "$output"
  [ "$(stuck)" -le 2 ] # that of the device's probe, and that of the unmount
  vmlab exec st 'dmsetup resume lun0 --noudevsync'
  stops() { run volume stop 20000; [ "$status" -eq 0 ]; }
  wait_for 60 stops
  vmlab exec n1 '! grep -q /srv/data /proc/mounts'
  wait_for 60 nothing_stuck
}

@test "the whole array freezes: the same, and it is well again when it goes on" {
  vmlab freeze st
  run volume monitor 10000 OCF_CHECK_LEVEL=10
  echo "$output"
  [ "$status" -ne 0 ] && [ "$status" -ne 7 ] && [ "$status" -ne 124 ]
  [ "$(took)" -lt 10000 ]
  vmlab thaw st
  wait_for 90 monitor_is_well || { echo "$status: $output"; return 1; }
  run volume stop 20000
  [ "$status" -eq 0 ]
}
