#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the kinds of arrays and of nodes do to each other on real kernels: every type of reservation, an array that restarts, LUNs that are added, LVM's own commands
# on the other node, a CIFS server, the guard below watchdog(8) and below systemd. One lab, no cluster; each test begins with nobody registered.

bats_require_minimum_version 1.5.0

map0=/dev/disk/by-id/dm-uuid-mpath-360014051ab0001000000000000000000
map1=/dev/disk/by-id/dm-uuid-mpath-360014051ab0002000000000000000000
lun0=WWN=0x60014051ab0001000000000000000000
lun1=WWN=0x60014051ab0002000000000000000000
lun2=WWN=0x60014051ab0003000000000000000000
lun3=WWN=0x60014051ab0004000000000000000000
keys=n1=0xa1,n2=0xb2

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  vmlab up st n1 n2 3>&- && vmlab san 2 96 && vmlab exec n1 "mkfs.ext4 -q -F $map0" && node_settings n1 && node_settings n2 &&
    vmlab save "$BATS_FILE_TMPDIR/begin" && vmlab down && vmlab restore "$BATS_FILE_TMPDIR/begin"
}

teardown_file() {
  vmlab down
}

# A test that failed leaves a lab of which nothing is known: the next one gets it as it was at the begin.
teardown() {
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ] || ! clean_up >/dev/null 2>&1; then
    vmlab down
    vmlab restore "$BATS_FILE_TMPDIR/begin"
  fi
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

node_settings() {
  vmlab exec "$1" 'sed -i "s/^[# \t]*system_id_source = .*/\tsystem_id_source = \"uname\"/" /etc/lvm/lvm.conf; mkdir -p /etc/vigil'
}

# Nobody is registered any more, and no node guards anything.
clean_up() {
  local lun node
  for lun in 0 1; do
    persist n1 $lun -o -I -S 0xfe && persist n1 $lun -o -C -K 0xfe || return 1
  done
  for node in n1 n2; do vmlab exec $node 'rm -rf /run/vigil/guard; ! mountpoint -q /srv/data' || return 1; done
}

# volume NODE ACTION TIMEOUT_MS [PARAMETER=VALUE...] [OCF_...=VALUE...]: as Pacemaker would call it, below the command in $under. Sets status, output (with its reason), took.
volume() {
  local node=$1 action=$2 timeout=$3 word words=() key
  shift 3
  case $node in n1) key=a1 ;; *) key=b2 ;; esac
  for word in "$@"; do
    case $word in
    OCF_*) words+=("$(printf %q "$word")") ;;
    *) words+=("$(printf %q "OCF_RESKEY_$word")") ;;
    esac
  done
  run vmlab exec "$node" -t 120 "begin=\${EPOCHREALTIME/./}
    env OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=volume OCF_RESKEY_CRM_meta_timeout=$timeout \
      OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_CRM_meta_name=$action OCF_RESKEY_directory=/srv/data OCF_RESKEY_device=$lun0 \
      OCF_RESKEY_quorum=ignore OCF_RESKEY_last_holder=ignore OCF_RESKEY_reservation_key=$key OCF_RESKEY_device_timeout=30 OCF_RESKEY_io_timeout=5 ${words[*]} \
      ${under:-} timeout -k 1 100 /usr/lib/ocf/resource.d/vigil/san-volume $action 2>&1
    code=\$?
    echo \"took \$(((\${EPOCHREALTIME/./} - begin) / 1000)) ms\"
    exit \$code"
  took=$(sed -n 's/^took \([0-9]*\) ms$/\1/p' <<<"$output")
}

# assert_code CODE [REGEX]: the last action's code, and what its reason says.
assert_code() {
  if [ "$status" -ne "$1" ] || { [ $# -gt 1 ] && ! grep -qE "ocf-exit-reason:.*$2" <<<"$output"; }; then
    echo "wanted code $1${2:+ and reason '$2'}, got $status:"
    echo "$output"
    return 1
  fi
}

assert() {
  "$@" || { echo "not so: $*: ${output:-}"; return 1; }
}

wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "not so in time: $*: ${output:-}"; return 1; }
    sleep 0.3
  done
}

# persist NODE LUN ARGUMENTS...: sg_persist over the first path of a LUN (0, 1). Once more where it met a unit attention, which tells of what another did.
persist() {
  local node=$1 lun=$2
  shift 2
  vmlab exec "$node" "path=\$(grep -l 'naa.60014051ab000$((lun + 1))' /sys/block/sd*/device/wwid | head -n 1 | cut -d/ -f4)
    sg_persist -n $* /dev/\$path || sg_persist -n $* /dev/\$path"
}

# keys_on NODE LUN KEY: how many registrations have the key. No number where they cannot be read: that is equal to nothing.
keys_on() {
  local text
  text=$(persist "$1" "$2" -i -k) && grep -q 'PR generation=0x' <<<"$text" || { echo "unreadable: $text"; return 1; }
  grep -c "^ *$3\$" <<<"$text" || :
}

keys_are() { [ "$(keys_on "$1" "$2" "$3")" -eq "$4" ]; }
paths_are() { [ "$(vmlab exec "$1" "dmsetup status ${2:-$map0}" | grep -oE ' [0-9]+:[0-9]+ A' | wc -l)" -eq "${3:-2}" ]; }

# reservation NODE ACTION PLUG [OPTION...]: of LUN 0.
reservation() {
  local node=$1 action=$2 plug=$3
  shift 3
  run vmlab exec "$node" -t 120 "fence_vigil_reservation --action=$action --plug=$plug --devices=$lun0 --keys=$keys --shell-timeout=30 --power-timeout=30 $*"
  [ "$status" -eq 0 ] || { echo "$node $action $plug: $status $output"; return 1; }
}

write_on() { vmlab exec "$1" -t 90 "dd if=/dev/zero of=$map0 bs=4096 count=1 seek=20000 oflag=direct conv=nocreat 2>&1"; }
read_on() { vmlab exec "$1" -t 90 "dd if=$map0 of=/dev/null bs=4096 count=1 iflag=direct 2>&1"; }

# is_refused write_on|read_on NODE: for the reservation (the kernel's EBADE), not for another reason.
is_refused() {
  run "$@"
  [ "$status" -eq 1 ] && grep -q 'Invalid exchange' <<<"$output" || { echo "$*: $status $output"; return 1; }
}

boot_of() { vmlab exec "$1" -t 5 'cat /proc/sys/kernel/random/boot_id'; }

other_boot() {
  local now
  now=$(boot_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

# ---- types of reservations ------------------------------------------------------------------------------------------------------------

# type_protects NAME SHORT CALLED READS: a volume of that type on n1, and n2: kept out, let in, fenced, and fencing the node that took the reservation. What sg_persist calls the
# type is CALLED; READS tells whether one who is not registered may read.
type_protects() {
  local name=$1 short=$2 called=$3 reads=$4
  volume n1 start 60000 reservation="$name"
  assert_code 0
  assert grep -q "type: $called" <<<"$(persist n1 0 -i -r)"
  volume n1 monitor 30000 reservation="$name"
  assert_code 0
  assert keeps_out n2 "$reads"
  # Who registers is let in by each of these types.
  reservation n2 on n2 --reservation-type="$short"
  assert write_on n2
  assert read_on n2
  reservation n1 off n2 --reservation-type="$short"
  assert [ "$(keys_on n1 0 0xb2)" -eq 0 ]
  assert keeps_out n2 "$reads"
  volume n1 monitor 30000 reservation="$name"
  assert_code 0
  # As the victim's restart does.
  vmlab exec n2 'rm -rf /run/vigil/guard'
  reservation n2 on n2 --reservation-type="$short"
  reservation n2 off n1 --reservation-type="$short"
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
  assert grep -q "type: $called" <<<"$(persist n2 0 -i -r)"
  assert write_on n2
  assert keeps_out n1 "$reads"
  volume n1 monitor 30000 reservation="$name"
  assert_code 1 'registration .* is gone'
  volume n1 stop 30000 reservation="$name"
  assert vmlab exec n1 '! mountpoint -q /srv/data'
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
}

keeps_out() {
  is_refused write_on "$1" || return 1
  if [ "$2" = reads ]; then read_on "$1"; else is_refused read_on "$1"; fi
}

@test "type WERO: who is not registered reads and does not write" {
  type_protects write-exclusive-registrants-only WERO 'Write Exclusive, registrants only' reads
}

@test "type EARO: who is not registered neither reads nor writes" {
  type_protects exclusive-access-registrants-only EARO 'Exclusive Access, registrants only' nothing
}

@test "type WEAR: all registrants hold it, and who is not registered reads and does not write" {
  type_protects write-exclusive-all-registrants WEAR 'Write Exclusive, all registrants' reads
}

@test "type EAAR: all registrants hold it, and who is not registered neither reads nor writes" {
  type_protects exclusive-access-all-registrants EAAR 'Exclusive Access, all registrants' nothing
}

# ---- an array that restarts -----------------------------------------------------------------------------------------------------------

# restart_array FILE: its power is cut; FILE is what it has noted of LUN 0 (APTPL) when it comes back, and empty where it forgets.
restart_array() {
  vmlab kill st
  vmlab boot st
  vmlab exec st 'mkdir -p /etc/target/pr'
  vmlab put st "$1" /etc/target/pr/aptpl_vm1ab0001
  vmlab exec st 'guest_san_target 2 96'
  wait_for 200 has_sessions n1
  wait_for 200 has_sessions n2
  wait_for 200 paths_are n1
  wait_for 200 paths_are n2
}

# Both sessions of a node, as the array has them: a node that does nothing notices late that it has lost them.
has_sessions() { [ "$(vmlab exec st 'tr "\0" "\n" </sys/kernel/config/target/iscsi/*/tpgt_1/dynamic_sessions' | grep -c ":$1\$")" -eq 2 ]; }

@test "APTPL: an array that restarts remembers who was fenced; one that forgets is noticed" {
  local noted=$BATS_TEST_TMPDIR/noted forgotten=$BATS_TEST_TMPDIR/forgotten
  reservation n1 on n1 --aptpl=require
  reservation n2 on n2 --aptpl=require
  volume n1 start 60000 reservation=WERO
  assert_code 0
  assert grep -q '(PTPL_A): 1' <<<"$(persist n1 0 -i -c)"
  vmlab get st /etc/target/pr/aptpl_vm1ab0001 >"$noted"
  restart_array "$noted"
  assert [ "$(keys_on n1 0 0xa1)" -eq 2 ]
  assert [ "$(keys_on n1 0 0xb2)" -eq 2 ]
  assert grep -q 'type: Write Exclusive, registrants only' <<<"$(persist n1 0 -i -r)"
  assert write_on n1
  assert write_on n2
  volume n1 monitor 30000 reservation=WERO
  assert_code 0
  reservation n1 off n2
  vmlab get st /etc/target/pr/aptpl_vm1ab0001 >"$noted"
  restart_array "$noted"
  assert [ "$(keys_on n1 0 0xa1)" -eq 2 ]
  assert [ "$(keys_on n1 0 0xb2)" -eq 0 ]
  assert is_refused write_on n2
  volume n1 monitor 30000 reservation=WERO
  assert_code 0
  : >"$forgotten"
  restart_array "$forgotten"
  assert [ "$(keys_on n1 0 0xa1)" -eq 0 ]
  volume n1 monitor 30000 reservation=WERO
  assert_code 1 'is gone'
  # Nobody may write here any more on the word of what was.
  assert [ "$(keys_on n1 0 0xa1)" -eq 0 ]
  volume n1 stop 30000 reservation=WERO
  assert vmlab exec n1 '! mountpoint -q /srv/data'
}

# ---- LUNs that come -------------------------------------------------------------------------------------------------------------------

# add_lun INDEX: one more LUN, with a file system on it, which mkfs would not make on what the target has open.
add_lun() {
  vmlab exec st "guest_san_target $(($1 + 1)) 96 && truncate -s 96M /tmp/lun && mkfs.ext4 -q -F /tmp/lun && dd if=/tmp/lun of=/dev/mapper/lun$1 bs=1M conv=fsync status=none && rm /tmp/lun"
}

@test "a LUN that was added to a live session is found by a start, which rescans unless told not to" {
  add_lun 2
  volume n1 start 60000 device=$lun2 disks=$lun2 rescan=no device_timeout=3
  assert_code 5 'is not on this node'
  volume n1 start 100000 device=$lun2 disks=$lun2 multipath=require paths_required=2
  assert_code 0
  assert vmlab exec n1 'mountpoint -q /srv/data'
  volume n1 stop 30000 device=$lun2 disks=$lun2
  assert_code 0
}

trace_lines() { vmlab exec n1 "[ \"\$(grep -cE '$1' /tmp/trace 2>/dev/null)\" -ge $2 ] 2>/dev/null"; }

@test "a start waits for its LUN asleep on the kernel's uevents: each block event is a look, and there is no look without one but once a second" {
  # One path and no map of it, so that it is the disk itself that is awaited.
  vmlab exec n1 'kill $(pidof multipathd); while pidof -q multipathd; do sleep 0.1; done; iscsiadm -m node -p 192.0.2.83 --logout >/dev/null'
  add_lun 3
  vmlab exec n1 'rm -f /tmp/trace /tmp/code'
  vmlab exec n1 "(env OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=volume OCF_RESKEY_CRM_meta_timeout=100000 \
    OCF_RESKEY_CRM_meta_name=start OCF_RESKEY_directory=/srv/data OCF_RESKEY_device=$lun3 OCF_RESKEY_quorum=ignore OCF_RESKEY_rescan=no OCF_RESKEY_device_timeout=90 \
    strace -f -ttt -s 400 -o /tmp/trace -e trace=poll,ppoll,recvfrom,openat,bind /usr/lib/ocf/resource.d/vigil/san-volume start; echo \$? >/tmp/code) </dev/null >/tmp/said 2>&1 &"
  # It sleeps on the socket: bound to the kernel's events, and awaited.
  wait_for 60 trace_lines 'p?poll\(.*= 0 \(Timeout\)' 2
  vmlab exec n1 'for number in 1 2 3; do echo change >/sys/class/block/vdc/uevent; echo change >/sys/class/net/lo/uevent; sleep 0.3; done'
  wait_for 60 trace_lines 'recvfrom.*change@.*/vdc' 3
  vmlab exec n1 'iscsiadm -m session --rescan >/dev/null'
  wait_for 120 vmlab exec n1 '[ -s /tmp/code ]'
  vmlab get n1 /tmp/trace >"$BATS_TEST_TMPDIR/trace"
  output=$(vmlab exec n1 'cat /tmp/said')
  assert [ "$(vmlab exec n1 'cat /tmp/code')" = 0 ]
  run python3 - "$BATS_TEST_TMPDIR/trace" <<'END'
import re
import sys
rows = [line.split(None, 2) for line in open(sys.argv[1])]
calls = [(float(row[1]), row[2]) for row in rows if len(row) == 3]
begin = next(i for i, (_, text) in enumerate(calls) if text.startswith("bind(") and "AF_NETLINK" in text)
is_look = lambda text: "openat" in text and '"/sys/class/block"' in text
end = max(i for i, (_, text) in enumerate(calls) if is_look(text))
waiting = calls[begin:end + 1]
looks = sum(is_look(text) for _, text in waiting)
timeouts = sum("Timeout" in text for _, text in waiting)
events = sum("recvfrom(" in text and "SUBSYSTEM=block" in text for _, text in waiting)
seconds = waiting[-1][0] - waiting[0][0]
print("looks %d, timeouts %d, block events %d in %.1f s" % (looks, timeouts, events, seconds))
# Every synthetic event of the disk is followed by a look before the next sleep; one of the network is not.
followed = 0
for i, (_, text) in enumerate(waiting):
    if "recvfrom(" in text and re.search("change@.*/vdc", text):
        after = next((t for _, t in waiting[i + 1:] if is_look(t) or "poll(" in t), "")
        followed += is_look(after)
print("followed", followed)
assert followed == 3 and looks <= timeouts + events + 1 and timeouts <= seconds + 1
END
  echo "$output"
  assert [ "$status" -eq 0 ]
  volume n1 stop 30000 device=$lun3
  assert_code 0
  vmlab exec n1 'iscsiadm -m node -p 192.0.2.83 --login >/dev/null; multipathd'
  wait_for 120 paths_are n1
}

# ---- LVM ------------------------------------------------------------------------------------------------------------------------------

@test "LVM: a monitor asks the device mapper alone; the other node's own commands are refused; the system does not activate it" {
  local with=(volume_group=vgk logical_volume=data device=/dev/vgk/data "disks=$lun1" reservation=WERO) command
  vmlab exec n1 "wipefs -qa $map1; pvcreate -qy $map1 && vgcreate -q vgk $map1 && lvcreate -qy -W n -n data -L 60M vgk && mkfs.ext4 -q -F /dev/vgk/data && vgchange -q -an vgk"
  # As a group that nobody has prepared: the system would activate it.
  assert [ "$(vmlab exec n1 'vgchange -q --setautoactivation y vgk >/dev/null 2>&1; vgs --noheadings -o name,autoactivation vgk' | tr -d ' ')" = vgkenabled ]
  assert vmlab exec n1 'vgchange -q -aay --autoactivation event vgk; dmsetup info vgk-data >/dev/null && vgchange -q -an vgk'
  volume n1 start 100000 "${with[@]}"
  assert_code 0
  assert vmlab exec n1 'mountpoint -q /srv/data && dmsetup info vgk-data >/dev/null'
  under='strace -f -o /tmp/trace -e trace=execve,openat,open,ioctl,getdents64,readlink,connect' volume n1 monitor 30000 "${with[@]}"
  assert_code 0
  # timeout(1) and the agent, and no other program; the device mapper is asked; neither LVM's folders nor the list of devices is looked at.
  assert vmlab exec n1 'grep -q "DM_TABLE_STATUS\|DM_DEV_STATUS" /tmp/trace'
  run vmlab exec n1 'grep -o "execve(\"[^\"]*\"" /tmp/trace'
  assert [ "$output" = 'execve("/usr/bin/timeout"
execve("/usr/lib/ocf/resource.d/vigil/san-volume"' ]
  assert [ "$(vmlab exec n1 'grep -E "open(at)?\(.*\"(/dev|/dev/disk.*|/dev/mapper|/dev/vgk|/etc/lvm.*|/run/lvm.*|/sys/block|/sys/class/block)/?\"" /tmp/trace; echo looked')" = looked ]
  # An operator's slip, and what a boot would do, on the other node: the group belongs to n1's system ID.
  vmlab exec n2 'pvscan -q --cache >/dev/null 2>&1; :'
  for command in 'vgchange -ay vgk' 'vgchange -aey vgk' 'lvchange -ay vgk/data' 'lvremove -f vgk/data' 'vgrename vgk other' 'vgremove -f vgk' 'vgchange --systemid n2 vgk -y'; do
    run vmlab exec n2 "$command 2>&1"
    echo "$command: $status $output"
    assert [ "$status" -ne 0 ]
    assert grep -q 'Cannot access VG vgk with system ID n1' <<<"$output"
  done
  vmlab exec n2 'vgchange -aay --autoactivation event vgk; vgchange -ay; vgchange -aay' >/dev/null 2>&1 || :
  assert vmlab exec n2 '! dmsetup info vgk-data >/dev/null 2>&1 && ! ls /dev/vgk >/dev/null 2>&1'
  volume n1 monitor 30000 "${with[@]}"
  assert_code 0
  volume n1 stop 60000 "${with[@]}"
  assert_code 0
  # Stopped, and no node's system brings it up again.
  for node in n1 n2; do
    vmlab exec $node 'vgchange -aay --autoactivation event vgk; vgchange -aay; pvscan --cache -aay' >/dev/null 2>&1 || :
    assert vmlab exec $node '! dmsetup info vgk-data >/dev/null 2>&1 && dmsetup info -c >/dev/null'
  done
  vmlab exec n1 'vgremove -qfy vgk >/dev/null'
}

# ---- CIFS -----------------------------------------------------------------------------------------------------------------------------

stop_gives_0() { volume n1 stop 20000 "$@"; [ "$status" -eq 0 ]; }

@test "CIFS: mounted with a password from a file, written, stopped; a server that hangs is a verdict in time, and so is the stop" {
  local with=(device=//192.0.2.19/share fstype=cifs credentials=/etc/vigil/credentials)
  vmlab exec st 'guest_cifs_server labuser lab-Secret-SMB'
  vmlab exec n1 'modprobe cifs; umask 077; printf "username=labuser\npassword=lab-Secret-SMB\n" >/etc/vigil/credentials; printf "username=labuser\npassword=wrong\n" >/etc/vigil/wrong'
  volume n1 start 40000 "${with[@]}" credentials=/etc/vigil/wrong
  assert_code 1 'cannot mount'
  volume n1 start 60000 "${with[@]}"
  assert_code 0
  assert vmlab exec n1 'grep -q " /srv/data .* - cifs //192.0.2.19/share " /proc/self/mountinfo'
  assert [ "$(vmlab exec n1 'grep -l "lab-Secret-SM[B]" /proc/mounts /proc/*/cmdline /proc/*/environ 2>/dev/null; echo searched')" = searched ]
  volume n1 monitor 30000 "${with[@]}"
  assert_code 0
  volume n1 monitor 30000 "${with[@]}" OCF_CHECK_LEVEL=20
  assert_code 0
  vmlab exec n1 'echo data >/srv/data/file; sync -f /srv/data/file'
  assert [ "$(vmlab exec st 'cat /srv/cifs/file')" = data ]
  volume n1 stop 30000 "${with[@]}"
  assert_code 0
  assert vmlab exec n1 '! grep -q cifs /proc/self/mountinfo'
  volume n1 monitor 30000 "${with[@]}"
  assert_code 7
  volume n1 start 60000 "${with[@]}"
  assert_code 0
  assert [ "$(vmlab exec n1 'cat /srv/data/file')" = data ]
  vmlab freeze st
  volume n1 monitor 20000 "${with[@]}" OCF_CHECK_LEVEL=10
  assert_code 1 'hangs'
  assert [ "$took" -lt 20000 ]
  vmlab exec n1 '(echo more >>/srv/data/file) >/dev/null 2>&1 & sleep 0.3'
  volume n1 stop 30000 "${with[@]}"
  echo "stop at a server that hangs: $status after $took ms: $output"
  assert [ "$took" -lt 30500 ]
  # Stopped, or not and said so: never "stopped" while it is mounted.
  if [ "$status" -eq 0 ]; then
    assert vmlab exec n1 '! grep -q cifs /proc/self/mountinfo'
  else
    assert_code 1 '(hang|use|answer|unmount)'
  fi
  vmlab thaw st
  wait_for 60 stop_gives_0 "${with[@]}"
  assert vmlab exec n1 '! grep -q cifs /proc/self/mountinfo'
}

# ---- the guard's two homes ------------------------------------------------------------------------------------------------------------

# The processor time of what watchdog(8) has started and seen end, in ticks: it starts nothing but the guard.
tests_ran() { vmlab exec "$1" "[ \$(awk '{ print \$16 + \$17 }' /proc/\$(pidof watchdog)/stat) -ge 10 ]"; }

# The node comes back from its reset as it was made.
rejoin() {
  wait_for 180 other_boot "$1" "$2"
  vmlab exec "$1" -t 120 'guest_san_login 2'
  node_settings "$1"
}

@test "watchdog(8) with the guard as its test resets the node that was fenced, and no other" {
  local boot1 boot2 link
  reservation n1 on n1
  reservation n2 on n2
  boot1=$(boot_of n1) boot2=$(boot_of n2)
  # As doc/fencing-levels.md has it.
  link=$(grep '^ln -s .*watchdog\.d' "$BATS_TEST_DIRNAME/../../doc/fencing-levels.md")
  for node in n1 n2; do
    vmlab exec $node "modprobe i6300esb heartbeat=60; mkdir -p /etc/watchdog.d /var/log/watchdog; $link
      printf 'watchdog-device = /dev/watchdog\ninterval = 1\nrealtime = yes\npriority = 1\n' >/etc/watchdog.conf; setsid watchdog </dev/null >/dev/null 2>&1"
    wait_for 90 tests_ran $node
  done
  # The array is out of reach: no reset for that.
  vmlab link n2 lan0 down
  vmlab link n2 lan1 down
  wait_for 60 vmlab exec n2 '! grep -q running /sys/block/sd?/device/state'
  run vmlab exec n2 -t 60 'vigil-storage-guard test; echo "code $?"'
  assert grep -q 'code 0' <<<"$output"
  assert [ "$(boot_of n2)" = "$boot2" ]
  reservation n1 off n2
  vmlab link n2 lan0 up
  vmlab link n2 lan1 up
  rejoin n2 "$boot2"
  assert [ "$(boot_of n1)" = "$boot1" ]
  assert vmlab exec n1 'pidof -q watchdog'
  # With the magic character, so that the timer stops.
  vmlab exec n1 'kill $(pidof watchdog); while pidof -q watchdog; do sleep 0.1; done; rmmod i6300esb'
}

# systemd as the first process of a namespace of its own, with what the guard needs of the machine. The early units, which would set the machine up again, stay out.
start_systemd() {
  vmlab exec "$1" 'mkdir -p /sys/fs/cgroup /var/log/journal && { mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup; } &&
    for target in sysinit sockets timers; do rm -rf /usr/lib/systemd/system/$target.target.wants; done
    mkdir -p /run/systemd
    setsid env container=lab unshare --pid --fork --mount --mount-proc /usr/lib/systemd/systemd --system --unit=basic.target --log-target=console </dev/null >/tmp/systemd.log 2>&1 &'
  wait_for 60 vmlab exec "$1" 'pid=$(pgrep -x systemd) && nsenter -t $pid -p -m systemctl is-active -q basic.target' 2>/dev/null
}

in_systemd() {
  vmlab exec "$1" "nsenter -t \$(pgrep -x systemd) -p -m $2"
}

@test "systemd runs the guard by its unit, starts it again when it dies, and it resets the node that was fenced" {
  local boot unit=$BATS_TEST_TMPDIR/unit first
  reservation n1 on n1
  reservation n2 on n2
  boot=$(boot_of n2)
  sed 's,^ExecStart=[^ ]*/vigil-storage-guard,ExecStart=/usr/sbin/vigil-storage-guard,' "$VIGIL_BUILD/packaging/systemd/vigil-storage-guard.service" >"$unit"
  vmlab put n2 "$unit" /etc/systemd/system/vigil-storage-guard.service
  start_systemd n2
  in_systemd n2 'systemctl enable --now vigil-storage-guard 2>&1'
  wait_for 30 in_systemd n2 'systemctl is-active -q vigil-storage-guard' || { in_systemd n2 'systemctl --no-pager status vigil-storage-guard'; return 1; }
  first=$(vmlab exec n2 'pgrep -x vigil-storage-g')
  assert [ -n "$first" ]
  # As the unit has it: before others, and the last to go when memory is short.
  assert vmlab exec n2 "chrt -p $first | grep -q SCHED_RR && [ \$(cat /proc/$first/oom_score_adj) -eq -1000 ]"
  vmlab exec n2 "kill -KILL $first"
  wait_for 60 vmlab exec n2 "now=\$(pgrep -x vigil-storage-g) && [ \$now != $first ]"
  assert [ "$(boot_of n2)" = "$boot" ]
  reservation n1 off n2
  rejoin n2 "$boot"
}
