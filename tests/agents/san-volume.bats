#!/usr/bin/env bats
# The san-volume agent on loop devices. Every test has a node of its own (mounts, processes, /run); devices are let go of at its end.
load ../lib/common

setup() {
  node_start
  work=$BATS_TEST_TMPDIR
  directory=$work/volume
  device=
}

teardown() {
  local name
  # What a test left hanging has to go on before its processes can end.
  [ ! -e "$work/control" ] || echo ok >"$work/control"
  for name in "${!node_init[@]}"; do node_stop "$name"; done
  common_teardown
}

# make_loop IMAGE: prints the device.
make_loop() {
  local made
  made=$(losetup -f --show "$1") || return 1
  echo "$made"
}

# make_volume [TYPE] [SIZE] [MKFS OPTIONS...]: a device with a file system, in $device.
make_volume() {
  local type=${1:-ext4} size=${2:-64M}
  shift $(($# > 2 ? 2 : $#))
  case $type in
    xfs) [ "$size" != 64M ] || size=320M ;;
    btrfs) [ "$size" != 64M ] || size=128M ;;
  esac
  truncate -s "$size" "$work/image"
  "mkfs.$type" -q "$@" "$work/image" >/dev/null
  device=$(make_loop "$work/image")
  at_end loop_detach "$device" "$(loop_identity "$device")"
  fstype=$type
}

# volume ACTION [param=value...]
volume() {
  local action=$1
  shift
  agent san-volume "$action" device="$device" directory="$directory" fstype="${fstype:-ext4}" quorum=ignore "$@"
}

on_node() { node_run bash -c "$@"; }
is_mounted() { node_run findmnt -n --mountpoint "${1:-$directory}" >/dev/null; }
hold() { node_spawn bash -c "cd '$directory' && echo held >'$work/held' && $1"; wait_until 60 test -e "$work/held"; rm -f "$work/held"; }

# --- the usual ways ---

usual_ways() {
  volume monitor @interval=0
  assert_code 7
  volume start
  assert_code 0
  assert_no_reason
  assert is_mounted
  volume monitor
  assert_code 0
  volume monitor @depth=10
  assert_code 0
  volume monitor @depth=20
  assert_code 0
  volume start
  assert_code 0
  assert_equal "$(on_node "grep -cF ' $directory ' /proc/self/mountinfo")" 1
  volume stop
  assert_code 0
  assert_no_reason
  refute is_mounted
  volume stop
  assert_code 0
  volume monitor
  assert_code 7
}

@test "ext4: start, monitor at every depth, stop, each twice" { make_volume ext4; usual_ways; }
@test "xfs: start, monitor at every depth, stop, each twice" { make_volume xfs; usual_ways; }
@test "btrfs: start, monitor at every depth, stop, each twice" { make_volume btrfs; usual_ways; }

# make_older: a wrapper after which the system calls with these numbers are unknown (seccomp, which strace's own injection does not do for
# calls newer than it).
make_older() {
  cat >"$work/older.py" <<'PY'
import ctypes, os, struct, sys
numbers = [int(n) for n in sys.argv[1].split(",")]
program = struct.pack("HBBI", 0x20, 0, 0, 0)
for number in numbers:
    program += struct.pack("HBBI", 0x15, 0, 1, number) + struct.pack("HBBI", 0x06, 0, 0, 0x50000 | 38)
program += struct.pack("HBBI", 0x06, 0, 0, 0x7fff0000)
code = ctypes.create_string_buffer(program, len(program))
fprog = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, fprog) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
PY
  AGENT_WRAPPER=(python3 "$work/older.py" "$1" strace -f -o "$work/trace")
}

# A kernel before 6.8 has no statmount(2) (457), one before 5.6 no openat2(2) either, and no mount ids from statx(2).
@test "on older kernels: by the mount's number, and by the whole mount table" {
  make_volume ext4
  make_older 457
  usual_ways
  assert grep -q 'mountinfo' "$work/trace"
  volume start
  volume monitor
  assert_code 0
  node_run mount -o remount,ro "$directory"
  volume monitor
  assert_code 1
  assert_reason "turned read-only"
  node_run mount -o remount,rw "$directory"
  make_older 457,437
  volume monitor
  assert_code 0
  node_run mount -o remount,ro "$directory"
  volume monitor
  assert_code 1
  assert_reason "turned read-only"
  volume stop
  assert_code 0
  usual_ways
}

@test "on older kernels: a noted mount is monitored without reading the table" {
  make_volume btrfs
  usual_ways
  fstype=ext4
  mkfs.ext4 -qF "$device"
  make_older 457
  volume start
  volume monitor
  assert_code 0
  # The first note of this kernel's kind is the start's own.
  refute grep -q 'mountinfo' "$work/trace"
  volume stop
  assert_code 0
}

@test "without fstype, what is on the device is mounted" {
  make_volume xfs
  agent san-volume start device="$device" directory="$directory" quorum=ignore
  assert_code 0
  assert_equal "$(node_run findmnt -n -o FSTYPE --mountpoint "$directory")" xfs
  agent san-volume stop device="$device" directory="$directory" quorum=ignore
  assert_code 0
}

@test "the mount options are passed on" {
  make_volume
  volume start options=noatime,ro
  assert_code 0
  assert on_node "grep -F ' $directory ' /proc/self/mountinfo | grep -q 'ro,noatime'"
  volume monitor options=noatime,ro
  assert_code 0
  volume monitor options=noatime,ro @depth=20
  assert_code 0
}

@test "a mount by hand is success, and is monitored and stopped" {
  make_volume
  mkdir "$directory"
  node_run mount "$device" "$directory"
  volume monitor @interval=0
  assert_code 0
  volume start
  assert_code 0
  volume stop
  assert_code 0
  refute is_mounted
}

@test "an unmount by hand is seen" {
  make_volume
  volume start
  assert_code 0
  node_run umount "$directory"
  volume monitor
  assert_code 7
  volume start
  assert_code 0
  volume monitor
  assert_code 0
}

@test "a mount that somebody took out of the tree while it was in use is not absent to a probe" {
  make_volume
  volume start
  assert_code 0
  node_spawn bash -c "exec 7>'$directory/written'; echo held >'$work/held'; exec sleep 300"
  wait_until 60 test -e "$work/held"
  node_run umount -l "$directory"
  volume monitor @interval=0
  assert_code 1
  assert_reason 'detached while in use and is still being written'
  volume stop @timeout=8000
  assert_code 1
  node_run pkill -f 'sleep 300'
  wait_until 60 device_is_free
  volume monitor @interval=0
  assert_code 7
  volume stop
  assert_code 0
}

# --- names of devices ---

@test "UUID, LABEL and mount's -U -L find the device, without udev's links" {
  local uuid name
  make_volume ext4 64M -L "vol $$"
  uuid=$(blkid -p -s UUID -o value "$device")
  for name in "UUID=$uuid" "LABEL=vol $$" "-U $uuid" "-L vol $$" "/dev/disk/by-uuid/$uuid"; do
    agent san-volume start device="$name" directory="$directory" fstype=ext4 quorum=ignore
    assert_code 0
    assert_equal "$(node_run findmnt -n -o SOURCE --mountpoint "$directory")" "$device"
    agent san-volume monitor device="$name" directory="$directory" fstype=ext4 quorum=ignore @depth=10
    assert_code 0
    agent san-volume stop device="$name" directory="$directory" fstype=ext4 quorum=ignore
    assert_code 0
  done
}

@test "a link that leads to another disk is not believed" {
  local uuid other
  make_volume
  uuid=$(blkid -p -s UUID -o value "$device")
  truncate -s 64M "$work/other"
  mkfs.ext4 -q "$work/other"
  other=$(make_loop "$work/other")
  at_end loop_detach "$other" "$(loop_identity "$other")"
  on_node "mkdir -p /run/dev/disk/by-uuid && ln -s '$other' /run/dev/disk/by-uuid/$uuid && mkdir -p /dev/disk && mount --bind /run/dev/disk /dev/disk"
  agent san-volume start device="UUID=$uuid" directory="$directory" fstype=ext4 quorum=ignore
  assert_code 0
  assert_equal "$(node_run findmnt -n -o SOURCE --mountpoint "$directory")" "$device"
}

@test "two devices with one UUID are refused" {
  local uuid other
  make_volume
  uuid=$(blkid -p -s UUID -o value "$device")
  cp "$work/image" "$work/copy"
  other=$(make_loop "$work/copy")
  at_end loop_detach "$other" "$(loop_identity "$other")"
  agent san-volume start device="UUID=$uuid" directory="$directory" fstype=ext4 quorum=ignore
  assert_code 1
  assert_reason "several devices bear the name"
}

@test "a device that is missing: probe 7, stop 0, start 5 once it has waited" {
  device=/dev/no-such-$$
  volume monitor @interval=0
  assert_code 7
  volume stop
  assert_code 0
  volume start device_timeout=0.3
  assert_code 5
  assert_reason "device /dev/no-such.* is not on this node \(waited 300 ms\)"
}

@test "a device that comes late is waited for" {
  make_volume
  node_spawn bash -c "sleep 1; ln -s '$device' /run/late-$$"
  agent san-volume start device="/run/late-$$" directory="$directory" fstype=ext4 quorum=ignore device_timeout=15
  assert_code 0
  assert is_mounted
}

@test "a path that is no block device, and a device without a medium, are told" {
  local empty
  device=$work/file
  : >"$device"
  volume start
  assert_code 1
  assert_reason "not a block device"
  # A loop device over an empty file: never one that was let go of, which another test may have taken.
  : >"$work/image"
  device=$(make_loop "$work/image")
  at_end loop_detach "$device" "$(loop_identity "$device")"
  volume start device_timeout=0.3
  assert_code 1
  assert_reason "no medium"
}

# --- what must not be mounted ---

@test "no quorum to be had: refused, and on record" {
  make_volume
  agent san-volume start device="$device" directory="$directory" fstype=ext4
  assert_code 1
  assert_reason "whether this node has quorum is not known.*quorum=ignore"
  refute is_mounted
  assert on_node "grep -rq refuse-mount '$(build_statedir)'"
}

@test "a mount that is there needs no quorum" {
  make_volume
  volume start
  assert_code 0
  agent san-volume start device="$device" directory="$directory" fstype=ext4
  assert_code 0
}

@test "another type than configured is refused" {
  make_volume xfs
  fstype=ext4
  volume start
  assert_code 5
  assert_reason "holds xfs, not ext4"
  refute is_mounted
}

@test "a device without a file system is refused" {
  make_volume
  dd if=/dev/zero of="$work/image" bs=1M count=8 conv=notrunc status=none
  volume start
  assert_code 5
  assert_reason "no file system that is known"
}

@test "another device on the mount point is refused, and never unmounted" {
  make_volume
  mkdir "$directory"
  node_run mount -t tmpfs other "$directory"
  volume monitor @interval=0
  assert_code 7
  volume start
  assert_code 1
  assert_reason "other is mounted on .*volume"
  volume stop
  assert_code 0
  assert_equal "$(node_run findmnt -n -o FSTYPE --mountpoint "$directory")" tmpfs
}

@test "another device mounted over the volume: the stop fails, and leaves it" {
  make_volume
  volume start
  assert_code 0
  node_run mount -t tmpfs other "$directory"
  volume monitor
  assert_code 1
  assert_reason "another mount hides it"
  volume stop @timeout=4000
  assert_code 1
  assert_reason "another mount hides it"
  assert_equal "$(on_node "grep -F ' $directory ' /proc/self/mountinfo | grep -c tmpfs")" 1
  node_run umount "$directory"
  volume stop
  assert_code 0
}

@test "something mounted beneath the mount point would be hidden: refused" {
  make_volume
  mkdir -p "$directory/below"
  node_run mount -t tmpfs other "$directory/below"
  volume start
  assert_code 1
  assert_reason "would hide"
}

@test "a clone is a configuration error, unless forced" {
  make_volume
  volume start @OCF_RESKEY_CRM_meta_clone=0
  assert_code 6
  assert_reason "clone"
  refute is_mounted
  volume start @OCF_RESKEY_CRM_meta_clone=0 force_clones=true
  assert_code 0
}

@test "the root folder, relative paths and dots are configuration errors" {
  make_volume
  for directory in / // relative /a/../b /a/./b; do
    volume start
    assert_code 6
    volume stop
    assert_code 6
  done
}

@test "an unknown depth is a configuration error" {
  make_volume
  volume start
  assert_code 0
  volume monitor @depth=11
  assert_code 6
}

@test "a volume that is mounted elsewhere is not absent, however it is named" {
  local named
  make_volume
  mkdir "$work/elsewhere"
  node_run mount "$device" "$work/elsewhere"
  for named in "$device" "UUID=$(blkid -s UUID -o value "$device")"; do
    volume monitor device="$named" @interval=0
    assert_code 1
    assert_reason "is mounted on $work/elsewhere instead of $directory"
    volume start device="$named"
    assert_code 1
  done
}

@test "a folder for locks that is full or read-only stops no stop and blinds no monitor" {
  local options
  for options in ro size=4k,nr_inodes=2; do
    make_volume
    volume start
    assert_code 0
    node_run mount -t tmpfs -o "$options" tmpfs /run/vigil
    [ "$options" = ro ] || node_run touch /run/vigil/full
    volume monitor @depth=10
    assert_code 0
    volume stop
    assert_code 0
    refute is_mounted
    volume monitor @interval=0
    assert_code 7
    volume start
    assert_code 1
    assert_reason 'is .* full or read-only'
    node_run umount /run/vigil
    rm "$work/image"
  done
}

@test "a recurring monitor that finds it unmounted says so" {
  make_volume
  volume start
  assert_code 0
  node_run umount "$directory"
  volume monitor
  assert_code 7
  assert_reason "$device is not mounted on $directory any more"
  volume monitor @interval=0
  assert_code 7
  assert_no_reason
}

@test "multi-mount protection: a device in use elsewhere is refused by name" {
  # Without checksums, so that the test can play the other node's kernel.
  make_volume ext4 64M -O mmp,^metadata_csum -E mmp_update_interval=1
  # What another node's kernel keeps doing: a new sequence number every second.
  cat >"$work/mmp.py" <<'PY'
import os, struct, sys, time
with open(sys.argv[1], "r+b", buffering=0) as disk:
    disk.seek(1024)
    sb = disk.read(1024)
    block = 1024 << struct.unpack_from("<I", sb, 0x18)[0]
    at = struct.unpack_from("<Q", sb, 0x168)[0] * block
    disk.seek(at)
    mmp = bytearray(disk.read(1024))
    struct.pack_into("<64s32s", mmp, 0x10, b"othernode", b"sdx")
    for n in range(1, 3000):
        struct.pack_into("<I", mmp, 4, n)
        disk.seek(at); disk.write(mmp); os.fsync(disk.fileno())
        open(sys.argv[2], "w").close()
        time.sleep(0.1)
PY
  python3 "$work/mmp.py" "$device" "$work/updating" 3>&- &
  at_end kill $!
  wait_until 60 test -e "$work/updating"
  volume start @timeout=60000
  assert_code 1
  assert_reason "in use: its multi-mount protection was last updated by node othernode"
  refute is_mounted
}

@test "btrfs on two devices is one file system, not two that bear one name" {
  local other uuid
  truncate -s 128M "$work/image" "$work/second"
  device=$(make_loop "$work/image")
  at_end loop_detach "$device" "$(loop_identity "$device")"
  other=$(make_loop "$work/second")
  at_end loop_detach "$other" "$(loop_identity "$other")"
  mkfs.btrfs -q "$device" "$other" >/dev/null
  btrfs device scan "$device" "$other" >/dev/null
  at_end btrfs device scan -u
  uuid=$(blkid -p -s UUID -o value "$device")
  agent san-volume start device="UUID=$uuid" directory="$directory" fstype=btrfs quorum=ignore
  assert_code 0
  agent san-volume monitor device="UUID=$uuid" directory="$directory" fstype=btrfs quorum=ignore @depth=20
  assert_code 0
  agent san-volume stop device="UUID=$uuid" directory="$directory" fstype=btrfs quorum=ignore
  assert_code 0
}

# --- quorum: a libquorum that says what the test wants ---

quorum_says() {
  ${CC:-gcc} -shared -fPIC -o "$work/libquorum.so.5" -x c - <<CODE
#include <stdint.h>
#include <unistd.h>
int quorum_initialize(uint64_t *handle, void *callbacks, uint32_t *type) { (void)callbacks; *handle = 1; *type = $1; return $2; }
int quorum_getquorate(uint64_t handle, int *quorate) { (void)handle; if ($3 < 0) pause(); *quorate = $3; return 1; }
int quorum_finalize(uint64_t handle) { (void)handle; return 1; }
CODE
}
start_by_quorum() { agent san-volume start device="$device" directory="$directory" fstype=ext4 "@LD_LIBRARY_PATH=$work" "$@"; }

@test "quorum: with it mounted; without it, not known, or not answered refused" {
  make_volume
  quorum_says 1 1 0
  start_by_quorum
  assert_code 1
  assert_reason "this node has no quorum"
  refute is_mounted
  quorum_says 0 1 1
  start_by_quorum
  assert_code 1
  assert_reason "no quorum provider"
  quorum_says 1 6 1
  start_by_quorum
  assert_code 1
  assert_reason "does not run here, or does not answer"
  quorum_says 1 1 -1
  start_by_quorum @timeout=4000
  assert_code 1
  assert_reason "has not answered in time"
  refute is_mounted
  quorum_says 1 1 1
  start_by_quorum
  assert_code 0
  assert is_mounted
}

# --- fsck ---

@test "errors that fsck corrects are corrected before the mount" {
  make_volume
  debugfs -w -R "set_super_value state 2" "$work/image" 2>/dev/null
  volume start
  assert_code 0
  assert_equal "$(on_node "dumpe2fs -h '$device' 2>/dev/null | grep -c 'with errors'")" 0
}

@test "errors that fsck cannot correct fail the start" {
  make_volume
  # An inode table that lies outside: preen gives up, with exit code 4 and above.
  debugfs -w -R "set_bg 0 inode_table 0" "$work/image" 2>/dev/null
  debugfs -w -R "set_super_value state 2" "$work/image" 2>/dev/null
  volume start
  assert_code 1
  assert_reason "fsck.ext4 could not repair .*exit (4|8|12)"
  refute is_mounted
}

@test "run_fsck: no does not, force does" {
  make_volume
  AGENT_WRAPPER=(strace -f -o "$work/trace" -e trace=execve)
  volume start run_fsck=no
  assert_code 0
  refute grep -q fsck.ext4 "$work/trace"
  volume stop
  volume start run_fsck=auto
  assert_code 0
  refute grep -q fsck.ext4 "$work/trace"
  volume stop
  volume start run_fsck=force
  assert_code 0
  assert grep -q '"fsck.ext4", "-p", "-f"' "$work/trace"
}

# --- users ---

@test "stop: users are asked, then ended; others are left alone" {
  make_volume
  volume start
  assert_code 0
  hold 'exec sleep 300'
  hold 'exec 7>open; cd /; exec sleep 301'
  hold 'trap "" TERM; while :; do sleep 0.2; done'
  node_spawn sleep 302
  volume stop @timeout=10000
  assert_code 0
  refute is_mounted
  refute node_run pgrep -f 'sleep 30[01]'
  assert node_run pgrep -f 'sleep 302'
}

@test "stop: a program that runs from the volume, and a mapped file, are found" {
  make_volume
  volume start
  assert_code 0
  on_node "cp $(command -v sleep) '$directory/sleeper'"
  node_spawn "$directory/sleeper" 300
  wait_until 60 node_run pgrep -f sleeper
  on_node "head -c 8192 /dev/zero >'$directory/map'"
  node_spawn python3 -c "
import mmap, os, time
fd = os.open('$directory/map', os.O_RDWR)
m = mmap.mmap(fd, 8192); os.close(fd); os.chdir('/')
open('$work/held', 'w').close()
time.sleep(300)"
  wait_until 60 test -e "$work/held"
  volume stop @timeout=10000
  assert_code 0
  refute is_mounted
}

@test "stop: a process that only has a unix socket there is found" {
  make_volume
  volume start
  assert_code 0
  node_spawn python3 -c "
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind('$directory/db.sock'); s.listen()
open('$work/held', 'w').close()
time.sleep(300)"
  wait_until 60 test -e "$work/held"
  volume stop force_unmount=false @timeout=4000
  assert_code 1
  assert_reason "python3: bound socket"
  volume stop @timeout=6000
  assert_code 0
  refute is_mounted
}

@test "stop: force_unmount=false ends nobody, and says who uses it" {
  make_volume
  volume start
  assert_code 0
  hold 'exec sleep 300'
  wait_until 60 node_run pgrep -fx 'sleep 300'
  volume stop force_unmount=false @timeout=4000
  assert_code 1
  assert_reason "in use by [0-9]+ \(sleep: working folder\)"
  assert node_run pgrep -f 'sleep 300'
  assert is_mounted
}

@test "stop: users that keep coming are locked out, and the device is free afterwards" {
  make_volume
  volume start
  assert_code 0
  node_spawn bash -c "while :; do (cd '$directory' 2>/dev/null && exec sleep 300) & wait \$!; done"
  wait_until 60 node_run pgrep -f 'sleep 300'
  volume stop @timeout=12000
  assert_code 0
  refute is_mounted
  assert python3 -c "import os; os.close(os.open('$device', os.O_RDONLY | os.O_EXCL))"
}

@test "stop: a loop device on the volume holds it, and that is told, not killed" {
  local inner
  make_volume
  volume start
  assert_code 0
  on_node "truncate -s 1M '$directory/inner'"
  inner=$(node_run losetup -f --show "$directory/inner")
  volume stop @timeout=4000 || :
  assert_code 1
  losetup -d "$inner"
  volume stop
  assert_code 0
}

@test "stop: it never ends its own ancestors" {
  make_volume
  volume start
  assert_code 0
  node_spawn bash -c "cd '$directory'; env OCF_RESKEY_device='$device' OCF_RESKEY_directory='$directory' OCF_RESKEY_quorum=ignore \
    OCF_RESKEY_CRM_meta_timeout=3000 OCF_RESOURCE_INSTANCE=test '$VIGIL_BUILD/agents/san-volume' stop 2>'$work/stop.err'; echo \$? >'$work/stop.code'"
  wait_until 60 test -s "$work/stop.code"
  assert_equal "$(cat "$work/stop.code")" 1
  assert grep -q 'not to be ended' "$work/stop.err"
}

device_is_free() { python3 -c "import os; os.close(os.open('$device', os.O_RDONLY | os.O_EXCL))"; }

@test "stop: a copy of the mount in another namespace goes, too, where nobody uses it" {
  make_volume
  volume start
  assert_code 0
  node_spawn unshare -m --propagation private bash -c "echo held >'$work/held'; exec sleep 300"
  wait_until 60 test -e "$work/held"
  volume stop @timeout=6000
  assert_code 0
  assert device_is_free
  assert node_run pgrep -f 'sleep 300'
}

@test "stop: a copy of the mount in another namespace that is in use is no stopped volume" {
  make_volume
  volume start
  assert_code 0
  # Written through the copy: neither its path nor its mount is ours.
  node_spawn unshare -m --propagation private bash -c "exec 7>'$directory/written'; echo held >'$work/held'; exec sleep 300"
  wait_until 60 test -e "$work/held"
  wait_until 60 node_run pgrep -fx 'sleep 300'
  volume stop @timeout=6000
  assert_code 1
  assert_reason "still holds .* for the mount namespace of process [0-9]+ \(sleep\)"
  # Nor does a second look forget it.
  volume stop @timeout=3000
  assert_code 1
  node_run pkill -f 'sleep 300'
  wait_until 60 stop_succeeds
  assert device_is_free
}

# --- mounts upon mounts ---

@test "stop: sub-mounts and bind mounts of the volume go first" {
  make_volume
  volume start
  assert_code 0
  on_node "mkdir '$directory/sub' '$directory/part' '$work/bound' '$work/bound2' && mount -t tmpfs t '$directory/sub' && mkdir '$directory/sub/deep' &&
    mount -t tmpfs t '$directory/sub/deep' && mount --bind '$directory' '$work/bound' && mount --bind '$directory/part' '$work/bound2'"
  volume stop
  assert_code 0
  assert_equal "$(on_node "grep -cF '$work/' /proc/self/mountinfo")" 0
}

@test "a bind mount as a resource: its source stays, with its users" {
  make_volume
  volume start
  assert_code 0
  hold 'exec sleep 300'
  on_node "mkdir '$directory/part'"
  local -a bind=(device="$directory/part" directory="$work/bound" fstype=none options=bind quorum=ignore @instance=bind)
  agent san-volume start "${bind[@]}"
  assert_code 0
  agent san-volume monitor "${bind[@]}"
  assert_code 0
  node_spawn bash -c "cd '$work/bound' && exec sleep 299"
  wait_until 60 node_run pgrep -fx 'sleep 299'
  agent san-volume stop "${bind[@]}"
  assert_code 0
  assert is_mounted
  assert node_run pgrep -f 'sleep 300'
  refute node_run pgrep -f 'sleep 299'
  refute is_mounted "$work/bound"
}

@test "btrfs: two resources, each with a subvolume; one stops without the other" {
  make_volume btrfs
  on_node "mkdir '$work/top' && mount '$device' '$work/top' && btrfs -q subvolume create '$work/top/a' && btrfs -q subvolume create '$work/top/b' && umount '$work/top'"
  volume start options=subvol=a
  assert_code 0
  agent san-volume start device="$device" directory="$work/other" fstype=btrfs options=subvol=b quorum=ignore @instance=other
  assert_code 0
  volume stop options=subvol=a
  assert_code 0
  refute is_mounted
  assert is_mounted "$work/other"
  agent san-volume stop device="$device" directory="$work/other" fstype=btrfs options=subvol=b quorum=ignore @instance=other
  assert_code 0
}

@test "mount points with blanks, backslashes, octal look-alikes and UTF-8" {
  local name
  make_volume
  for name in 'a b' 'a\b' 'a\040b' 'größe ü' "quote's \"two\"" 'semi;colon$HOME'; do
    directory=$work/$name
    volume start
    assert_code 0
    volume monitor
    assert_code 0
    volume stop
    assert_code 0
  done
}

@test "a neighbour's mount point with a newline does not confuse" {
  make_volume
  volume start
  assert_code 0
  on_node "mkdir '$directory'/\$'new\nline' && mount -t tmpfs t '$directory'/\$'new\nline'"
  volume monitor
  assert_code 0
  volume stop
  assert_code 0
  refute is_mounted
}

@test "a mount point that is a symbolic link" {
  make_volume
  mkdir "$work/real"
  ln -s "$work/real" "$directory"
  volume start
  assert_code 0
  volume monitor
  assert_code 0
  volume stop
  assert_code 0
  refute is_mounted "$work/real"
}

# --- faults ---

@test "a file system that turned read-only fails the monitor" {
  make_volume
  volume start
  assert_code 0
  node_run mount -o remount,ro "$directory"
  volume monitor
  assert_code 1
  assert_reason "turned read-only"
  volume monitor @depth=20
  assert_code 1
}

@test "ext4 and xfs that shut themselves down fail the monitor at depth 0" {
  make_volume ext4
  volume start
  assert_code 0
  node_run xfs_io -x -c shutdown "$directory"
  volume monitor
  assert_code 1
  assert_reason "shut itself down"
  volume stop
  assert_code 0
  loop_detach "$device" "$(loop_identity "$device")"
  rm -f "$work/image"
  make_volume xfs
  volume start
  assert_code 0
  node_run xfs_io -x -c shutdown "$directory"
  volume monitor
  assert_code 1
  assert_reason "shut itself down"
  volume stop
  assert_code 0
}

@test "a device that is gone while it is mounted fails the monitor at depth 0" {
  make_volume
  volume start
  assert_code 0
  # As after a disk's removal: the kernel has no such device any more.
  on_node "mount -t tmpfs none /sys/dev/block"
  volume monitor
  assert_code 1
  assert_reason "is gone from this node while"
  on_node "umount /sys/dev/block"
  volume monitor
  assert_code 0
}

@test "a mount point that is a file, and a check file outside of the volume" {
  make_volume
  echo text >"$directory"
  volume start
  assert_code 1
  assert_reason "."
  rm "$directory"
  volume start
  assert_code 0
  for prefix in /etc/ ../ a/../../; do
    volume monitor statusfile_prefix="$prefix" @depth=20
    assert_code 6
  done
}

@test "a full disk: degraded at depth 20, sound at depth 0" {
  make_volume
  volume start
  assert_code 0
  on_node "dd if=/dev/zero of='$directory/fill' bs=1M status=none 2>/dev/null; dd if=/dev/zero of='$directory/fill2' bs=1k status=none 2>/dev/null; true"
  volume monitor
  assert_code 0
  volume monitor @depth=20
  assert_code 190
  assert_reason "is full"
  on_node "rm '$directory/fill'"
  volume monitor @depth=20
  assert_code 0
}

# A disk that can be made to hang or to fail, in $device.
make_hanging_volume() {
  truncate -s 32M "$work/image"
  mkfs.ext4 -q "$@" "$work/image"
  mkdir -p "$work/fuse"
  echo ok >"$work/control"
  "$VIGIL_BUILD/tests/agents/hangfs" "$work/fuse" "$work/image" "$work/control" >"$work/hangfs.log" 2>&1 3>&- &
  at_end umount -l "$work/fuse"
  wait_until 60 test -e "$work/fuse/disk"
  device=$(make_loop "$work/fuse/disk")
  at_end loop_detach "$device" "$(loop_identity "$device")"
  fstype=ext4
}

@test "a device that hangs: verdict in time, one worker only, and well again afterwards" {
  local began
  make_hanging_volume
  volume start
  assert_code 0
  echo hang >"$work/control"
  volume monitor
  assert_code 0
  began=$EPOCHSECONDS
  volume monitor @depth=10 io_timeout=1
  assert_code 1
  assert_reason "hangs: a read of one block has had no answer for 1 s"
  volume monitor @depth=10 io_timeout=1
  assert_code 1
  assert_reason "hangs: a read of an earlier check still has no answer"
  volume monitor @depth=20 io_timeout=1
  assert_code 1
  assert_reason "hangs"
  assert [ $((EPOCHSECONDS - began)) -le 40 ]
  wait_until 20 one_worker_at_most
  echo ok >"$work/control"
  wait_until 60 depth_10_is_well
  volume stop
  assert_code 0
}
one_worker_at_most() { [ "$(node_run pgrep -cx san-volume)" -le 1 ]; }
depth_10_is_well() { volume monitor @depth=10 io_timeout=1; [ "$status" -eq 0 ]; }

@test "a device that hangs during a stop: fails in time, never stopped" {
  local began
  make_hanging_volume
  volume start
  assert_code 0
  on_node "dd if=/dev/urandom of='$directory/dirty' bs=64k count=4 status=none"
  echo hang >"$work/control"
  began=$EPOCHSECONDS
  volume stop @timeout=4000
  assert_code 1
  assert [ $((EPOCHSECONDS - began)) -le 40 ]
  volume stop @timeout=2000
  assert_code 1
  echo ok >"$work/control"
  wait_until 60 stop_succeeds
  refute is_mounted
}
stop_succeeds() { volume stop; [ "$status" -eq 0 ]; }

@test "a device that hangs during a start: fails in time; the stop then does not lie" {
  make_hanging_volume
  echo hang >"$work/control"
  volume start @timeout=4000 io_timeout=1
  assert_code 1
  assert_reason "hangs"
  volume stop @timeout=2000 io_timeout=1
  assert_code 1
  echo ok >"$work/control"
  wait_until 60 stop_succeeds
  refute is_mounted
}

@test "input/output errors: depth 10 and 20 fail with the place, a start fails" {
  make_hanging_volume
  volume start
  assert_code 0
  echo eio >"$work/control"
  volume monitor @depth=10
  assert_code 1
  assert_reason "cannot read the block at byte [0-9]+ of 33554432: input/output error"
  volume monitor @depth=20
  assert_code 1
  volume stop
  assert_code 0
  volume start device_timeout=1
  assert_code 1
  assert_reason "device $device"
  refute is_mounted
}

@test "ext4 that notes an error turns read-only, and the monitor says so" {
  make_hanging_volume -O ^has_journal -e remount-ro
  volume start
  assert_code 0
  node_run bash -c "echo 1 >/sys/fs/ext4/${device##*/}/trigger_fs_error"
  volume monitor
  assert_code 1
  assert_reason "shut itself down|turned read-only"
}

@test "a slow device is slow, not dead" {
  make_hanging_volume
  volume start
  assert_code 0
  echo slow >"$work/control"
  volume monitor @depth=10 io_timeout=15
  assert_code 0
}

@test "two starts at once: both succeed, one mount" {
  make_volume
  local i
  for i in 1 2 3 4; do
    node_spawn env OCF_RESKEY_device="$device" OCF_RESKEY_directory="$directory" OCF_RESKEY_fstype=ext4 OCF_RESKEY_quorum=ignore \
      OCF_RESOURCE_INSTANCE=test bash -c "'$VIGIL_BUILD/agents/san-volume' start; echo \$? >'$work/code.$i'"
  done
  for i in 1 2 3 4; do
    wait_until 60 test -s "$work/code.$i"
    assert_equal "$(cat "$work/code.$i")" 0
  done
  assert_equal "$(on_node "grep -cF ' $directory ' /proc/self/mountinfo")" 1
}

@test "a full process table: the failure is told, nothing is claimed" {
  make_volume
  on_node "mount -t cgroup2 none /run/cg 2>/dev/null; true"
  # Processes of root are not bounded by RLIMIT_NPROC, so an injected EAGAIN stands for the full table.
  AGENT_WRAPPER=(strace -f -o /dev/null -e trace=clone,fork,vfork,clone3 -e inject=clone,fork,vfork,clone3:error=EAGAIN)
  volume start
  assert_code 1
  assert_reason "."
  refute is_mounted
  AGENT_WRAPPER=()
  volume start
  assert_code 0
  AGENT_WRAPPER=(strace -f -o /dev/null -e trace=clone,fork,vfork,clone3 -e inject=clone,fork,vfork,clone3:error=EAGAIN)
  volume monitor
  assert_code 0
  volume monitor @depth=10
  assert_code 1
  volume stop
  assert_code 1
  assert is_mounted
}

# Kills an action at its n-th system call of a kind, for all n, and runs it again.
kill_sweep() {
  local action=$1 before=$2 call n
  for call in openat statx execve umount2 mount write rename renameat unlink fsync read; do
    for n in 1 2 3 4 6 9; do
      AGENT_WRAPPER=()
      volume "$before"
      assert_code 0
      AGENT_WRAPPER=(strace -f -o /dev/null -e trace="$call" -e inject="$call":signal=KILL:when="$n")
      volume "$action"
      AGENT_WRAPPER=()
      volume "$action"
      assert_code 0
      if [ "$action" = start ]; then
        assert is_mounted
        volume monitor
        assert_code 0
      else
        refute is_mounted
        volume monitor
        assert_code 7
      fi
    done
  done
}

@test "SIGKILL in the middle of a start, then the start again" { make_volume; kill_sweep start stop; }
@test "SIGKILL in the middle of a stop, then the stop again" { make_volume; kill_sweep stop start; }

@test "the note is only a note: damaged or lost, nothing changes" {
  make_volume
  volume start
  assert_code 0
  on_node "head -c 100 /dev/urandom >/run/vigil/san-volume/test"
  volume monitor
  assert_code 0
  on_node "rm -r /run/vigil/san-volume"
  volume monitor
  assert_code 0
  on_node "rm -r /run/vigil/san-volume"
  volume stop
  assert_code 0
  refute is_mounted
}

@test "ten volumes stop quickly" {
  local i began ended
  make_volume
  volume start
  assert_code 0
  for i in 1 2 3 4 5 6 7 8 9; do on_node "mkdir -p '$directory/s$i' && mount -t tmpfs t '$directory/s$i'"; done
  began=${EPOCHREALTIME/[.,]/}
  volume stop @timeout=100000
  ended=${EPOCHREALTIME/[.,]/}
  assert_code 0
  assert [ $((ended - began)) -lt 20000000 ]
}

@test "the usual monitor runs no program and waits for no storage" {
  make_volume
  volume start
  assert_code 0
  AGENT_WRAPPER=(strace -f -o "$work/trace")
  volume monitor
  assert_code 0
  refute grep -qE 'clone|fork|libmount|libblkid|mountinfo' "$work/trace"
  assert grep -q RESOLVE_CACHED "$work/trace"
}
