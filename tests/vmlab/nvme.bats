#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Reservations of NVMe on real kernels: an NVMe/TCP target that knows them (Linux 6.13 and later, so the lab runs the backports kernel), two hosts with native multipath. The fence
# agent, the guard and san-volume's layer; nvme-cli is the witness. One lab; each test begins with nobody registered.

bats_require_minimum_version 1.5.0

keys=n1=0x5600000000000001,n2=0x5600000000000002
disk0=/dev/nvme0n1
disk1=/dev/nvme0n2

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$ VIGIL_VMLAB_KERNEL=backports
  vmlab up st n1 n2 3>&- && vmlab nvme 2 96 && vmlab exec n1 "mkfs.ext4 -q -F $disk0"
}

teardown_file() {
  vmlab down
}

setup() {
  vmlab exec n1 "for disk in $disk0 $disk1; do
    nvme resv-register \$disk --rrega=0 --nrkey=0xfe; nvme resv-register \$disk --rrega=2 --iekey --nrkey=0xfe
    nvme resv-release \$disk --rrela=1 --crkey=0xfe; done; rm -rf /run/vigil/guard" >/dev/null 2>&1
  vmlab exec n2 'rm -rf /run/vigil/guard' >/dev/null 2>&1
  [ "$(registrants $disk0)" = "" ]
  [ "$(registrants $disk1)" = "" ]
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

assert() {
  "$@" || { echo "not so: $*"; return 1; }
}

wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*: ${output:-}"; return 1; }
    sleep 0.3
  done
}

# The keys that nvme-cli reads on n1 (or the node given), sorted, one blank between; "no report" where there is none, which is not the same as nobody.
registrants() {
  local text
  text=$(vmlab exec "${2:-n1}" "nvme resv-report $1 --eds -o json") || { echo "no report: $text"; return; }
  python3 -c 'import json, sys
report = json.loads(sys.argv[1])
rows = next(value for value in report.values() if isinstance(value, list))
assert int(report["regctl"]) == len(rows)
print(*sorted("%x" % (row["rkey"] if isinstance(row["rkey"], int) else int(row["rkey"], 0)) for row in rows))' "$text" || echo "no report: $text"
}

# reservation NODE ACTION PLUG [OPTION...]
reservation() {
  local node=$1 action=$2 plug=$3
  shift 3
  run vmlab exec "$node" -t 120 "fence_vigil_reservation --action=$action --plug=$plug --devices=$disk0,$disk1 --keys=$keys --shell-timeout=30 --power-timeout=30 $*"
  echo "$node $action $plug: $status $output"
}

both_on() {
  reservation n1 on n1
  assert [ "$status" -eq 0 ]
  reservation n2 on n2
  assert [ "$status" -eq 0 ]
}

# Behind the file system of the first test volume.
write_on() {
  vmlab exec "$1" -t 90 "dd if=/dev/zero of=${2:-$disk1} bs=4k count=1 seek=1000 oflag=direct conv=nocreat 2>&1"
}

# For its reservation (the kernel's EBADE), not for another reason.
write_is_refused() {
  run write_on "$@"
  [ "$status" -eq 1 ] && [[ $output == *"Invalid exchange"* ]] || { echo "$*: $status $output"; return 1; }
}

# volume NODE ACTION [PARAMETER=VALUE...]: as Pacemaker would call it.
volume() {
  local node=$1 action=$2 word words=() key
  shift 2
  case $node in n1) key=5600000000000001 ;; *) key=5600000000000002 ;; esac
  for word in "$@"; do words+=("$(printf %q "OCF_RESKEY_$word")"); done
  run vmlab exec "$node" -t 120 "env OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=volume \
    OCF_RESKEY_CRM_meta_timeout=60000 OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_CRM_meta_name=$action OCF_RESKEY_directory=/srv/data \
    OCF_RESKEY_device=$disk0 OCF_RESKEY_disks=$disk0 OCF_RESKEY_quorum=ignore OCF_RESKEY_reservation_key=$key OCF_RESKEY_last_holder=ignore \
    OCF_RESKEY_reservation=write-exclusive-registrants-only OCF_RESKEY_io_timeout=5 ${words[*]} \
    timeout -k 1 100 /usr/lib/ocf/resource.d/vigil/san-volume $action 2>&1"
  echo "$node $action: $status $output"
}

@test "on registers the host, off removes it on every namespace, and the target refuses the victim's write" {
  both_on
  assert [ "$(registrants $disk0)" = "5600000000000001 5600000000000002" ]
  assert [ "$(registrants $disk1 n2)" = "5600000000000001 5600000000000002" ]
  assert write_on n2
  reservation n1 status n2
  assert [ "$status" -eq 0 ]
  reservation n1 off n2
  assert [ "$status" -eq 0 ]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
  assert [ "$(registrants $disk1)" = 5600000000000001 ]
  write_is_refused n2
  assert write_on n1
  reservation n1 status n2
  assert [ "$status" -eq 2 ]
  run vmlab exec n1 "fence_vigil_reservation --action=monitor --devices=$disk0,$disk1 --keys=$keys --shell-timeout=30"
  echo "monitor: $status $output"
  assert [ "$status" -eq 0 ]
  run vmlab exec n1 'vigil fence-log --last=1'
  [[ $output == *"n1 fenced n2"* ]]
}

@test "a victim frozen while it writes is refused when it is thawed, and cannot fence its fencer" {
  both_on
  vmlab exec n2 "rm -f /tmp/refused; (while dd if=/dev/zero of=$disk1 bs=4k count=1 oflag=direct; do :; done; echo refused >/tmp/refused) </dev/null >/dev/null 2>&1 &"
  vmlab freeze n2
  reservation n1 off n2
  assert [ "$status" -eq 0 ]
  vmlab thaw n2
  wait_for 60 vmlab exec n2 'grep -q refused /tmp/refused'
  reservation n2 off n1
  assert [ "$status" -eq 1 ]
  [[ $output == *"fenced itself"* ]]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
}

@test "one path down: off works; the registration is the host's, so that the path that comes back has it" {
  both_on
  vmlab link n1 lan0 down
  wait_for 90 vmlab exec n1 'grep -qv live /sys/class/nvme/nvme*/state'
  reservation n1 off n2
  assert [ "$status" -eq 0 ]
  vmlab link n1 lan0 up
  wait_for 120 vmlab exec n1 '! grep -qv live /sys/class/nvme/nvme*/state'
  vmlab link n1 lan1 down
  assert write_on n1
  run vmlab exec n1 -t 90 'vigil-storage-guard check --timeout=30s'
  echo "guard: $status $output"
  assert [ "$status" -eq 0 ]
  vmlab link n1 lan1 up
  wait_for 120 vmlab exec n1 '! grep -qv live /sys/class/nvme/nvme*/state'
  run vmlab exec n2 'vigil-storage-guard check --timeout=30s'
  assert [ "$status" -eq 1 ]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
}

@test "a holder that is not known is not preempted unless told; a key is a number" {
  vmlab exec n2 "nvme resv-register $disk0 --rrega=0 --nrkey=0x12345 && nvme resv-acquire $disk0 --racqa=0 --rtype=3 --crkey=0x12345"
  reservation n1 on n1
  assert [ "$status" -eq 1 ]
  assert [ "$(registrants $disk0)" = 12345 ]
  reservation n1 on n1 --foreign-holder=preempt
  assert [ "$status" -eq 0 ]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
}

@test "san-volume: a second host is kept out; a preempted one knows at once and does not register again" {
  volume n1 start
  assert [ "$status" -eq 0 ]
  volume n1 monitor
  assert [ "$status" -eq 0 ]
  volume n1 monitor
  assert [ "$status" -eq 0 ]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
  write_is_refused n2 $disk0
  # The holder fences: Linux' target does that only under the type that all registrants hold, which protects alike.
  vmlab exec n2 "fence_vigil_reservation --action=on --plug=n2 --devices=$disk0 --keys=$keys --shell-timeout=30"
  run vmlab exec n1 "fence_vigil_reservation --action=off --plug=n2 --devices=$disk0 --keys=$keys --shell-timeout=30"
  echo "$output"
  assert [ "$status" -eq 0 ]
  assert [ "$(registrants $disk0)" = 5600000000000001 ]
  volume n1 monitor
  assert [ "$status" -eq 0 ]
  vmlab exec n2 'rm -rf /run/vigil/guard' # as its restart does
  run vmlab exec n2 "fence_vigil_reservation --action=off --plug=n1 --devices=$disk0 --keys=$keys --shell-timeout=30"
  assert [ "$status" -eq 0 ]
  volume n1 monitor
  assert [ "$status" -eq 1 ]
  [[ $output == *"registration"*"is gone"* ]]
  volume n1 monitor
  assert [ "$status" -eq 1 ]
  assert [ "$(registrants $disk0)" = 5600000000000002 ]
  volume n1 stop
  assert vmlab exec n1 '! mountpoint -q /srv/data'
  assert [ "$(registrants $disk0)" = 5600000000000002 ]
}

@test "a namespace without reservations says so" {
  vmlab exec st 'cd /sys/kernel/config/nvmet/subsystems/*/namespaces/2 && echo 0 >enable && echo 0 >resv_enable && echo 1 >enable'
  wait_for 60 vmlab exec n1 "[ -b $disk1 ]"
  run vmlab exec n1 "fence_vigil_reservation --action=status --plug=n2 --devices=$disk1 --keys=$keys --shell-timeout=20"
  echo "$status $output"
  vmlab exec st 'cd /sys/kernel/config/nvmet/subsystems/*/namespaces/2 && echo 0 >enable && echo 1 >resv_enable && echo 1 >enable'
  wait_for 60 vmlab exec n1 "[ -b $disk1 ]"
  assert [ "$status" -eq 1 ]
  [[ $output == *"no persistent reservations"* ]]
}
