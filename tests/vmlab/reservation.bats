#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# fence_vigil_reservation and vigil-storage-guard on real kernels, multipath and a real array (LIO). One lab; each test begins with nobody registered.

bats_require_minimum_version 1.5.0

keys=n1=0x5600000000000001,n2=0x5600000000000002
map0=/dev/disk/by-id/dm-uuid-mpath-360014051ab0001000000000000000000
map1=WWN=0x60014051ab0002000000000000000000
maps=$map0,$map1

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  vmlab up st n1 n2 3>&- && vmlab san 2 64
}

teardown_file() {
  vmlab down
}

setup() {
  local lun
  for lun in 0 1; do
    # A reset or a preemption of the last test is told to each path once.
    vmlab exec n1 'for disk in /dev/disk/by-path/*; do sg_persist -n -i -k $disk; sg_persist -n -i -k $disk; done' >/dev/null 2>&1
    vmlab exec n1 "disk=\$(ls /dev/disk/by-path/*-lun-$lun | head -n 1); sg_persist -n -o -I -S 0xfe \$disk; sg_persist -n -o -C -K 0xfe \$disk" >/dev/null 2>&1
  done
  vmlab exec n1 'rm -rf /run/vigil/guard'
  vmlab exec n2 'rm -rf /run/vigil/guard'
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*"; return 1; }
    sleep 0.3
  done
}

# reservation NODE ACTION PLUG [OPTION...]
reservation() {
  local node=$1 action=$2 plug=$3
  shift 3
  run vmlab exec "$node" -t 120 "fence_vigil_reservation --action=$action --plug=$plug --devices=$maps --keys=$keys --shell-timeout=30 --power-timeout=30 $*"
  echo "$node $action $plug: $status $output"
}

both_on() {
  reservation n1 on n1
  [ "$status" -eq 0 ]
  reservation n2 on n2
  [ "$status" -eq 0 ]
}

# How often a node's key is registered with a LUN. No number where that cannot be read: it is equal to nothing.
registrations() {
  local text
  text=$(vmlab exec n1 "sg_persist -n -i -k \$(ls /dev/disk/by-path/*-lun-$2 | head -n 1)") && grep -q 'PR generation=0x' <<<"$text" ||
    { echo "unreadable: $text"; return 1; }
  grep -c "0x560000000000000$1" <<<"$text" || :
}

# write_on NODE [DEVICE]
write_on() {
  vmlab exec "$1" -t 90 "dd if=/dev/zero of=${2:-$map0} bs=4k count=1 oflag=direct conv=nocreat 2>&1"
}

# For its reservation (the kernel's EBADE), not for another reason.
write_is_refused() {
  run write_on "$@"
  [ "$status" -eq 1 ] && [[ $output == *"Invalid exchange"* ]] || { echo "$*: $status $output"; return 1; }
}

@test "on registers every path, off removes all of them on every device, and the array refuses the victim's write" {
  both_on
  [ "$(registrations 1 0)" -eq 2 ]
  [ "$(registrations 2 1)" -eq 2 ]
  write_on n2
  reservation n1 off n2
  [ "$status" -eq 0 ]
  [ "$(registrations 2 0)" -eq 0 ]
  [ "$(registrations 2 1)" -eq 0 ]
  [ "$(registrations 1 0)" -eq 2 ]
  write_is_refused n2
  reservation n1 status n2
  [ "$status" -eq 2 ]
  run vmlab exec n1 'vigil fence-log --last=2'
  [[ $output == *"n1 fenced n2"* ]]
}

@test "a victim frozen while it writes is refused when it is thawed, and cannot fence its fencer" {
  both_on
  vmlab exec n2 "rm -f /tmp/refused; (while dd if=/dev/zero of=$map0 bs=4k count=1 oflag=direct; do :; done; echo refused >/tmp/refused) </dev/null >/dev/null 2>&1 &"
  vmlab freeze n2
  reservation n1 off n2
  [ "$status" -eq 0 ]
  vmlab thaw n2
  wait_for 60 vmlab exec n2 'grep -q refused /tmp/refused'
  reservation n2 off n1
  [ "$status" -eq 1 ]
  [[ $output == *"fenced itself"* ]]
  [ "$(registrations 1 0)" -eq 2 ]
  [ "$(registrations 2 0)" -eq 0 ]
}

# Takes n1's registration off its path over the second network. A first command after what happened to the session may be answered with just that (UNIT ATTENTION).
second_path_is_unregistered() {
  vmlab exec n1 "sg_persist -n -o -G -K 0x5600000000000001 -S 0 \$(ls /dev/disk/by-path/*192.0.2.83*-lun-0 | head -n 1)" >/dev/null 2>&1 || :
  [ "$(registrations 1 0)" -eq 1 ]
}

@test "works with one path down; the path that comes back joins, but not on a node that was fenced" {
  both_on
  vmlab link n1 lan1 down
  wait_for 60 vmlab exec n1 'grep -qv running /sys/block/sd?/device/state'
  reservation n1 off n2
  [ "$status" -eq 0 ]
  [ "$(registrations 2 0)" -eq 0 ]
  vmlab link n1 lan1 up
  wait_for 90 vmlab exec n1 '! grep -qv running /sys/block/sd?/device/state'
  # The session that came back is a new one to the array where the target has ended the old.
  wait_for 30 second_path_is_unregistered
  vmlab exec n1 'vigil-storage-guard check'
  [ "$(registrations 1 0)" -eq 2 ]
  run vmlab exec n2 'vigil-storage-guard check'
  [ "$status" -eq 1 ]
  [ "$(registrations 2 0)" -eq 0 ]
}

# new_session NODE: one more session, another nexus to the array; the disk of LUN 0 over it is $disk, and its number $session.
new_session() {
  local said
  said=$(vmlab exec "$1" -t 60 'old=$(iscsiadm -m session | sed -n "s/.*\[\([0-9]*\)\].*/\1/p" | sort -n | tail -n 1)
    iscsiadm -m session -r $old --op new >/dev/null || exit 1
    new=$(iscsiadm -m session | sed -n "s/.*\[\([0-9]*\)\].*/\1/p" | sort -n | tail -n 1)
    for try in $(seq 300); do disk=$(ls /sys/class/iscsi_session/session$new/device/target*/*:0:0:0/block) && break; sleep 0.1; done 2>/dev/null
    udevadm settle && echo "$new /dev/$disk"')
  read -r session disk <<<"$said"
  [ -n "$disk" ]
}

# are_registered NODE LUN COUNT
are_registered() {
  [ "$(registrations "$1" "$2")" -eq "$3" ]
}

@test "a path that comes as another nexus is registered before it is used, but not on a node that was fenced" {
  local session disk
  both_on
  [ "$(registrations 2 0)" -eq 2 ]
  new_session n2
  wait_for 60 are_registered 2 0 3
  write_on n2 "$disk"
  vmlab exec n2 -t 60 "iscsiadm -m session -r $session --logout >/dev/null"
  reservation n1 off n2
  [ "$status" -eq 0 ]
  new_session n2
  [ "$(registrations 2 0)" -eq 0 ]
  write_is_refused n2 "$disk"
  vmlab exec n2 -t 60 "iscsiadm -m session -r $session --logout >/dev/null"
}

@test "a unit attention after a reset of the device changes nothing" {
  both_on
  vmlab exec n1 "sg_reset --device \$(readlink -f \$(ls /dev/disk/by-path/*-lun-0 | head -n 1))"
  reservation n1 off n2
  [ "$status" -eq 0 ]
  [ "$(registrations 2 0)" -eq 0 ]
}

# The array shows LUN $1's storage at the place of LUN 1.
show_at_lun1() {
  vmlab exec st "cd /sys/kernel/config/target/iscsi/*/tpgt_1/lun/lun_1 && rm storage && ln -s /sys/kernel/config/target/core/iblock_$1/lun$1 storage"
}

@test "a map whose paths lead to another LUN is refused: the name is read from the disk each time" {
  local seen said
  both_on
  show_at_lun1 0
  run vmlab exec n1 -t 120 "fence_vigil_reservation --action=status --plug=n2 --devices=$map1 --keys=$keys --shell-timeout=30"
  seen=$status said=$output
  run vmlab exec n1 'vigil-storage-guard check --timeout=30s'
  show_at_lun1 1
  [ "$seen" -eq 1 ]
  [[ $said == *"another LUN under the same name"* ]]
  [ "$status" -eq 1 ]
  [[ $output == *"another disk stands there"* ]]
}

@test "a disk without reservations says so" {
  run vmlab exec n1 "fence_vigil_reservation --action=status --plug=n2 --devices=/dev/vdb --keys=$keys"
  [ "$status" -eq 1 ]
  [[ $output == *"no persistent reservations"* ]]
}

# Whoever of the two holds the reservation: Linux' target treats further sessions of the holder's initiator in a way of its own (lib/storage/scsi_iscsi.c).
@test "from user space: a node that is not logged in to the array fences over iscsi://" {
  local url="iscsi://192.0.2.19/iqn.2001-04.com.example:vmlab/0" holder
  for holder in n1 n2; do
    setup
    reservation $holder on $holder
    both_on
    assert_holder $holder
    run vmlab exec n1 "fence_vigil_reservation --action=off --plug=n2 '--devices=$url' --keys=$keys --shell-timeout=30"
    echo "$holder: $output"
    [ "$status" -eq 0 ]
    [ "$(registrations 2 0)" -eq 0 ]
    write_is_refused n2
    write_on n1
  done
}

assert_holder() {
  vmlab exec n1 "sg_persist -n -i -r \$(ls /dev/disk/by-path/*-lun-0 | head -n 1)" | grep -q "0x560000000000000${1#n}"
}

@test "the guard restarts a node that was fenced, and an unreachable array does not make it" {
  local boot
  both_on
  boot=$(vmlab exec n2 'cat /proc/sys/kernel/random/boot_id')
  vmlab exec n2 '(setsid vigil-storage-guard run --interval=500ms --timeout=3s --on-loss=reset </dev/null >/dev/null 2>&1 &)'
  vmlab link n2 lan0 down
  vmlab link n2 lan1 down
  wait_for 60 vmlab exec n2 '! grep -q running /sys/block/sd?/device/state'
  run vmlab exec n2 -t 30 'vigil-storage-guard check'
  [ "$status" -eq 0 ]
  [ "$boot" = "$(vmlab exec n2 'cat /proc/sys/kernel/random/boot_id')" ]
  reservation n1 off n2
  [ "$status" -eq 0 ]
  vmlab link n2 lan0 up
  vmlab link n2 lan1 up
  wait_for 120 other_boot "$boot"
}

other_boot() {
  local now
  now=$(vmlab exec n2 -t 5 'cat /proc/sys/kernel/random/boot_id') && [ -n "$now" ] && [ "$now" != "$1" ]
}
