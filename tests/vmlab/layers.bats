#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The layers of san-volume on real kernels and a real array: iSCSI, multipath, reservation, LVM, NFS; what is refused, what is noticed, what ends in time. One lab; each
# test leaves it as it was. The tests at the end have a cluster, since who held a volume last is the cluster's to know.

bats_require_minimum_version 1.5.0

target=iqn.2001-04.com.example:vmlab
# Each node names its maps by itself: mpatha here is not mpatha there. The array's names are the same.
uuid0=mpath-360014051ab0001000000000000000000
map0=/dev/disk/by-id/dm-uuid-$uuid0
map1=/dev/disk/by-id/dm-uuid-mpath-360014051ab0002000000000000000000
lun0=WWN=0x60014051ab0001000000000000000000
lun1=WWN=0x60014051ab0002000000000000000000

setup_file() {
  export VIGIL_BUILD=${VIGIL_BUILD:-$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  vmlab up st n1 n2 3>&- && vmlab san 2 96 && vmlab exec n1 "mkfs.ext4 -q -F $map0" &&
    both 'sed -i "s/^[# \t]*system_id_source = .*/\tsystem_id_source = \"uname\"/" /etc/lvm/lvm.conf; mkdir -p /etc/vigil' &&
    vmlab save "$BATS_FILE_TMPDIR/begin" && vmlab down && vmlab restore "$BATS_FILE_TMPDIR/begin"
}

teardown_file() {
  vmlab down
}

# A test that failed leaves a lab of which nothing is known: the next one gets it as it was at the begin.
teardown() {
  # A node that was fenced may still be starting, and answers nobody.
  if [ "${BATS_TEST_COMPLETED:-}" != 1 ] || ! clean_up >/dev/null 2>&1; then
    vmlab down
    vmlab restore "$BATS_FILE_TMPDIR/begin"
  fi
}

vmlab() {
  "$BATS_TEST_DIRNAME/vmlab" "$@"
}

both() {
  vmlab exec n1 "$1" && vmlab exec n2 "$1"
}

# Nobody is registered any more.
clean_up() {
  local lun node=n2
  [ "$(vmlab power n2)" = on ] || node=n1
  for lun in 0 1; do
    persist $node $lun -o -I -S 0xfe
    persist $node $lun -o -C -K 0xfe
  done
}

# volume NODE ACTION TIMEOUT_MS [PARAMETER=VALUE...] [OCF_...=VALUE...]: as Pacemaker would call it. Sets status, output (with its reason), took.
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
      OCF_RESKEY_quorum=ignore OCF_RESKEY_reservation_key=$key OCF_RESKEY_device_timeout=30 OCF_RESKEY_io_timeout=5 ${words[*]} \
      timeout -k 1 100 /usr/lib/ocf/resource.d/vigil/san-volume $action 2>&1
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

sessions_are() { [ "$(vmlab exec n1 'grep -lx LOGGED_IN /sys/class/iscsi_session/*/state 2>/dev/null | wc -l')" -eq "$1" ]; }
paths_are() { [ "$(vmlab exec n1 'dmsetup status -u '$uuid0' | grep -oE " [0-9]+:[0-9]+ A" | wc -l')" -eq "$1" ]; }
monitor_gives() { local code=$1; shift; volume n1 monitor 30000 "$@"; [ "$status" -eq "$code" ]; }
# persist NODE LUN ARGUMENTS...: sg_persist over the first path of a LUN (0, 1). Once more where it met a unit attention, which tells of what another did.
persist() {
  local node=$1 lun=$2
  shift 2
  vmlab exec "$node" "path=\$(grep -l 'naa.60014051ab000$((lun + 1))' /sys/block/sd*/device/wwid | head -n 1 | cut -d/ -f4)
    sg_persist -n $* /dev/\$path || sg_persist -n $* /dev/\$path"
}

# keys_on NODE LUN REGEX: how many registrations have such a key, as NODE reads them. No number where they cannot be read: that is equal to nothing.
keys_on() {
  local text
  text=$(persist "$1" "$2" -i -k) && grep -q 'PR generation=0x' <<<"$text" || { echo "unreadable: $text"; return 1; }
  grep -c "^ *$3\$" <<<"$text" || :
}

# write_is_refused NODE DEVICE: for its reservation (the kernel's EBADE), not for another reason.
write_is_refused() {
  run vmlab exec "$1" -t 90 "dd if=/dev/zero of=$2 bs=4096 count=1 seek=1000 oflag=direct conv=nocreat 2>&1"
  [ "$status" -eq 1 ] && grep -q 'Invalid exchange' <<<"$output" || { echo "$1 on $2: $status $output"; return 1; }
}

@test "iSCSI: start discovers, logs in to all portals and waits for the maps" {
  vmlab exec n1 'multipath -F; iscsiadm -m node --logout >/dev/null; iscsiadm -m node -o delete'
  assert sessions_are 0
  volume n1 start 100000 portals=192.0.2.19 target=$target disks=$lun0 multipath=require paths_required=2
  assert_code 0
  assert sessions_are 2
  volume n1 monitor 30000 portals=192.0.2.19 target=$target disks=$lun0 multipath=require paths_required=2
  assert_code 0
  volume n1 stop 30000 portals=192.0.2.19 target=$target disks=$lun0
  assert_code 0
  # Sessions are the node's, unless it is told otherwise.
  assert sessions_are 2
}

@test "iSCSI: a portal that is dead delays a start, and no more" {
  volume n1 start 100000 "portals=192.0.2.19 192.0.2.200" target=$target discovery=static login_timeout=8 disks=$lun0
  assert_code 0
  assert [ "$took" -lt 30000 ]
  volume n1 monitor 30000 "portals=192.0.2.19 192.0.2.200" target=$target disks=$lun0
  assert_code 190 '192\.0\.2\.200:3260 is missing'
  volume n1 stop 30000 "portals=192.0.2.19 192.0.2.200" target=$target disks=$lun0
  assert_code 0
}

@test "iSCSI: a target that is not there, an array that does not answer" {
  volume n1 start 60000 portals=192.0.2.19 target=iqn.2001-04.com.example:other
  assert_code 5 'shows no target iqn.2001-04.com.example:other'
  volume n1 start 30000 portals=192.0.2.200 target=iqn.2001-04.com.example:other discovery=static login_timeout=3
  assert_code 1 'no iSCSI session to'
  vmlab exec n1 'iscsiadm -m node -T iqn.2001-04.com.example:other -o delete; :'
}

@test "iSCSI: CHAP by a password in a file; the password is in no argument vector, and no other user reads it" {
  local group=/sys/kernel/config/target/iscsi/$target/tpgt_1
  vmlab exec st "echo -n labuser >$group/auth/userid; echo -n lab-Secret-CHAP >$group/auth/password; echo 1 >$group/attrib/authentication"
  vmlab exec n1 'multipath -F; iscsiadm -m node --logout >/dev/null; iscsiadm -m node -o delete
    umask 077; echo lab-Secret-CHAP >/etc/vigil/chap; echo wrong-Secret-1 >/etc/vigil/wrong; install -m 644 /etc/vigil/chap /etc/vigil/open'
  volume n1 start 30000 portals=192.0.2.19 target=$target chap_username=labuser chap_password_file=/etc/vigil/open disks=$lun0
  assert_code 1 'can be read by others'
  volume n1 start 40000 portals=192.0.2.19 target=$target chap_username=labuser chap_password_file=/etc/vigil/wrong disks=$lun0 login_timeout=8
  assert_code 1 'no iSCSI session'
  assert sessions_are 0
  vmlab exec n1 'mv /usr/sbin/iscsiadm /usr/sbin/iscsiadm.real; printf "#!/bin/sh\necho \"\$@\" >>/tmp/arguments; env >>/tmp/arguments\nexec /usr/sbin/iscsiadm.real \"\$@\"\n" >/usr/sbin/iscsiadm
    chmod 755 /usr/sbin/iscsiadm'
  volume n1 start 100000 portals=192.0.2.19 target=$target chap_username=labuser chap_password_file=/etc/vigil/chap disks=$lun0 multipath=require paths_required=2
  assert_code 0
  assert sessions_are 2
  vmlab exec n1 'grep -rl lab-Secret-CHAP /etc/iscsi/nodes | xargs stat -c %a | sort -u' >"$BATS_TEST_TMPDIR/modes"
  assert [ "$(cat "$BATS_TEST_TMPDIR/modes")" = 600 ]
  assert vmlab exec n1 'grep -q -- --login /tmp/arguments && ! grep -q "lab-Secret-CHA[P]" /tmp/arguments'
  assert [ "$(vmlab exec n1 'grep -rl "lab-Secret-CHA[P]" /run /var /tmp 2>/dev/null; echo searched')" = searched ]
  vmlab exec n1 'mv /usr/sbin/iscsiadm.real /usr/sbin/iscsiadm'
  volume n1 stop 30000 disks=$lun0
  assert_code 0
  # The next test meets neither the target's name and password nor what the node has noted of them.
  vmlab exec n1 'multipath -F; iscsiadm -m node --logout >/dev/null; iscsiadm -m node -o delete'
  vmlab exec st "echo 0 >$group/attrib/authentication; echo -n NULL >$group/auth/userid; echo -n NULL >$group/auth/password"
}

@test "iSCSI: a session that is lost is degraded, comes back by itself, and its path is registered again" {
  local with=(portals=192.0.2.19 "target=$target" "disks=$lun0" multipath=require paths_required=2 reservation=write-exclusive-registrants-only)
  volume n1 start 100000 "${with[@]}"
  assert_code 0
  assert [ "$(keys_on n1 0 0xa1)" -eq 2 ]
  vmlab exec n1 'iscsiadm -m node -p 192.0.2.83 --logout >/dev/null'
  volume n1 monitor 30000 "${with[@]}"
  assert_code 190 '(192\.0\.2\.83:3260 is missing|1 of 2 paths)'
  wait_for 200 monitor_gives 0 "${with[@]}"
  assert sessions_are 2
  assert [ "$(keys_on n1 0 0xa1)" -ge 2 ]
  volume n1 stop 30000 "${with[@]}"
  assert_code 0
}

@test "multipath: one path of two is degraded, none is a failure in time, and a stop then does not wait for ever" {
  local with=("disks=$lun0" multipath=require paths_required=2)
  volume n1 start 60000 "${with[@]}"
  assert_code 0
  vmlab link n1 lan1 down
  wait_for 200 paths_are 1
  volume n1 monitor 30000 "${with[@]}"
  assert_code 190 '1 of 2 paths'
  vmlab link n1 lan0 down
  wait_for 200 paths_are 0
  # As an array's multipath.conf may have it: I/O waits for ever.
  vmlab exec n1 "dmsetup message $map0 0 queue_if_no_path; (echo lost >/srv/data/lost; sync) >/dev/null 2>&1 &"
  assert vmlab exec n1 "dmsetup table $map0 | grep -q queue_if_no_path"
  volume n1 monitor 30000 "${with[@]}"
  assert_code 1 '(paths|lost|gone)'
  assert [ "$took" -lt 30000 ]
  volume n1 stop 30000 "${with[@]}"
  assert [ "$took" -lt 30000 ]
  assert_code 0
  assert [ "$(vmlab exec n1 'ps axo stat,args | grep -c "^D.*san-volume"; :')" -le 1 ]
  vmlab link n1 lan0 up
  vmlab link n1 lan1 up
  wait_for 300 paths_are 2
}

@test "multipath: fewer paths than a start demands, and a LUN that is not there" {
  vmlab link n1 lan1 down
  wait_for 200 paths_are 1
  volume n1 start 30000 disks=$lun0 multipath=require paths_required=2 device_timeout=3
  assert_code 1 '1 working paths of 2, 2 are demanded'
  vmlab link n1 lan1 up
  wait_for 300 paths_are 2
  volume n1 start 30000 disks=WWN=0x60014051ab00ff000000000000000000 device_timeout=2
  assert_code 5 'is not on this node'
  volume n1 monitor 30000 disks=WWN=0x60014051ab00ff000000000000000000 OCF_RESKEY_CRM_meta_interval=0
  assert_code 7
}

@test "reservation: a second node is kept out; a preempted one knows at once and does not register again" {
  local with=("disks=$lun0" multipath=require paths_required=2 reservation=write-exclusive-registrants-only last_holder=ignore)
  volume n1 start 60000 "${with[@]}"
  assert_code 0
  assert [ "$(keys_on n1 0 0xa1)" -eq 2 ]
  assert write_is_refused n2 $map0
  # n2 fences n1 at the array.
  persist n2 0 -o -I -S 0xb2
  persist n2 0 -o -A -K 0xb2 -S 0xa1 -T 5
  volume n1 monitor 30000 "${with[@]}"
  assert_code 1 "registration .* is gone"
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
  volume n1 monitor 30000 "${with[@]}"
  assert_code 1
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
  volume n1 stop 30000 "${with[@]}"
  assert [ "$took" -lt 30000 ]
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
  vmlab exec n1 '! mountpoint -q /srv/data'
}

@test "reservation: released by hand is a failure, too" {
  local with=("disks=$lun0" reservation=write-exclusive-registrants-only last_holder=ignore)
  volume n1 start 60000 "${with[@]}"
  assert_code 0
  vmlab exec n1 'for d in /dev/sd?; do sg_persist -n -o -L -K 0xa1 -T 5 $d; done 2>/dev/null; :'
  volume n1 monitor 30000 "${with[@]}"
  assert_code 1 'reservation is gone'
  volume n1 stop 30000 "${with[@]}"
  assert_code 0
}

@test "reservation: a holder that is not known is not preempted unless told" {
  local with=("disks=$lun0" reservation=write-exclusive-registrants-only last_holder=require)
  persist n2 0 -o -I -S 0x0012345
  persist n2 0 -o -R -K 0x12345 -T 5
  volume n1 start 60000 "${with[@]}"
  assert_code 1
  assert [ "$(keys_on n2 0 0x12345)" -ge 1 ]
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
  volume n1 start 60000 "${with[@]}" last_holder=ignore preempt_unknown=true
  assert_code 0
  assert [ "$(keys_on n2 0 0x12345)" -eq 0 ]
  volume n1 stop 30000 "${with[@]}" last_holder=ignore release_reservation=true
  assert_code 0
  assert [ "$(keys_on n2 0 0xa1)" -eq 0 ]
}

@test "lying devices: no reservations, and a LUN that has changed behind its name" {
  local core=/sys/kernel/config/target/core group=/sys/kernel/config/target/iscsi/$target/tpgt_1
  vmlab exec st "echo 0 >$core/iblock_1/lun1/attrib/emulate_pr"
  volume n1 start 60000 device=$lun1 disks=$lun1 reservation=write-exclusive-registrants-only
  assert_code 5 'no persistent reservations'
  vmlab exec st "echo 1 >$core/iblock_1/lun1/attrib/emulate_pr"
  # The array maps the first LUN's number to the second one's storage; the kernel of the node still shows the old name.
  vmlab exec st "rm $group/lun/lun_0/storage && ln -s $core/iblock_1/lun1 $group/lun/lun_0/storage"
  volume n1 start 60000 disks=$lun0 reservation=write-exclusive-registrants-only
  echo "# $output" >&3
  assert [ "$status" -ne 0 ]
  assert grep -qE 'stands|another (device|LUN)|changed' <<<"$output"
  assert [ "$(keys_on n2 1 0xa1)" -eq 0 ]
  vmlab exec st "rm $group/lun/lun_0/storage && ln -s $core/iblock_0/lun0 $group/lun/lun_0/storage"
  wait_for 200 paths_are 2
}

@test "NFS: versions 3 and 4; a server that hangs is a verdict in time, and a stop that ends in time" {
  vmlab nfs
  volume n1 start 60000 device=192.0.2.19:/ fstype=nfs4 options=hard,timeo=50
  assert_code 0
  volume n1 monitor 30000 device=192.0.2.19:/ fstype=nfs4 OCF_CHECK_LEVEL=20
  assert_code 0
  volume n1 stop 30000 device=192.0.2.19:/ fstype=nfs4
  assert_code 0
  volume n1 start 60000 device=192.0.2.19:/srv/nfs fstype=nfs options=vers=3,nolock
  assert_code 0
  # Another mount of it is another's, and stays.
  vmlab exec n1 'mkdir -p /srv/other && mount -t nfs -o vers=3,nolock 192.0.2.19:/srv/nfs /srv/other'
  volume n1 stop 30000 device=192.0.2.19:/srv/nfs fstype=nfs options=vers=3,nolock
  assert_code 0
  assert vmlab exec n1 'mountpoint -q /srv/other && ! mountpoint -q /srv/data && umount /srv/other'
  volume n1 start 60000 device=192.0.2.19:/srv/nfs fstype=nfs options=vers=3,nolock
  assert_code 0
  vmlab exec n1 'echo data >/srv/data/file; sync'
  vmlab freeze st
  volume n1 monitor 20000 device=192.0.2.19:/srv/nfs fstype=nfs OCF_CHECK_LEVEL=10
  assert_code 1 'hangs'
  assert [ "$took" -lt 20000 ]
  vmlab exec n1 '(echo more >>/srv/data/file) >/dev/null 2>&1 & sleep 0.3'
  volume n1 stop 30000 device=192.0.2.19:/srv/nfs fstype=nfs options=vers=3,nolock
  assert [ "$took" -lt 30500 ]
  # Stopped, or not and said so: never "stopped" while the kernel has it.
  if [ "$status" -eq 0 ]; then
    assert vmlab exec n1 '! grep -q " /srv/data nfs" /proc/self/mountinfo && ! grep -q "^v3 " /proc/fs/nfsfs/volumes'
  else
    assert_code 1 '(hang|use|answer|unmount)'
  fi
  vmlab thaw st
  wait_for 30 stop_gives_0 device=192.0.2.19:/srv/nfs fstype=nfs options=vers=3,nolock
}

stop_gives_0() { volume n1 stop 20000 "$@"; [ "$status" -eq 0 ]; }

@test "CIFS: credentials that others can read are refused, and a server that is not there ends in time" {
  vmlab exec n1 'printf "username=a\npassword=b\n" >/etc/vigil/credentials; chmod 644 /etc/vigil/credentials'
  volume n1 start 30000 device=//192.0.2.19/share fstype=cifs credentials=/etc/vigil/credentials
  assert_code 1 'can be read by others'
  vmlab exec n1 'chmod 600 /etc/vigil/credentials; modprobe cifs'
  volume n1 start 20000 device=//192.0.2.19/share fstype=cifs credentials=/etc/vigil/credentials
  assert_code 1 'cannot mount'
  assert [ "$took" -lt 20000 ]
  volume n1 stop 20000 device=//192.0.2.19/share fstype=cifs credentials=/etc/vigil/credentials
  assert_code 0
}

@test "ext4: mounted by hand on the other node, its multi-mount protection refuses ours by that node's name" {
  vmlab exec n1 "mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 $map1"
  vmlab exec n2 -t 120 "mkdir -p /mnt && mount $map1 /mnt"
  volume n1 start 60000 device=$lun1
  assert_code 1 'in use: its multi-mount protection was last updated by node n2'
  assert vmlab exec n1 '! mountpoint -q /srv/data'
  assert vmlab exec n2 'echo kept > /mnt/kept && sync /mnt/kept && umount /mnt'
  volume n1 start 100000 device=$lun1
  assert_code 0
  assert vmlab exec n1 'grep -q kept /srv/data/kept'
  volume n1 stop 60000 device=$lun1
  assert_code 0
}

# ---- with a cluster --------------------------------------------------------------------------------------------------------------------

@test "LVM and XFS: the group follows the cluster's word: released or fenced, not otherwise" {

  vmlab exec n1 "wipefs -qa $map0 $map1; pvcreate -qy $map0 $map1 && vgcreate -q vgd $map0 $map1 &&
    lvcreate -qy -n data -L 120M vgd && mkfs.xfs -q --unsupported /dev/vgd/data && vgchange -q -an vgd"
  vmlab cluster
  wait_for 400 vmlab exec n1 'corosync-quorumtool -s | grep -q "Quorate: *Yes" && [ "$(cibadmin -Q --xpath "//node_state" 2>/dev/null | grep -c "join=\"member\"")" = 2 ]'
  cluster_volume n1 start 100000
  assert_code 0
  # The second field is "enabled" or nothing.
  assert [ "$(vmlab exec n1 'vgs --noheadings -o name,autoactivation vgd' | tr -d ' ')" = vgd ]
  cluster_volume n1 monitor 30000
  assert_code 0
  # The fence agent finds the disks by the group, on the node that has it active and on the other one, whose LVM takes it for foreign.
  assert vmlab exec n1 'printf "action=status\nplug=n1\nvolume_group=vgd\n" | fence_vigil_reservation | grep -q "Status: ON"'
  assert vmlab exec n2 'printf "action=status\nplug=n1\nvolume_group=vgd\n" | fence_vigil_reservation | grep -q "Status: ON"'
  # The name of a LUN is the LUN's, be a group on it active.
  assert vmlab exec n1 'printf "action=status\nplug=n1\ndevices='$lun0' '$lun1'\n" | fence_vigil_reservation | grep -q "Status: ON"'
  # n1 has it: n2 must not.
  cluster_volume n2 start 60000
  assert_code 1 'n1 had it last'
  assert vmlab exec n2 '! mountpoint -q /srv/data && ! dmsetup info vgd-data >/dev/null 2>&1'
  cluster_volume n1 stop 60000
  assert_code 0
  assert vmlab exec n1 '! dmsetup info vgd-data >/dev/null 2>&1'
  # Released: n2 takes it, and with it the group's system ID.
  cluster_volume n2 start 100000
  assert_code 0
  assert [ "$(vmlab exec n2 'vgs --noheadings -o systemid vgd' | tr -d ' ')" = n2 ]
  # n2 loses its power, with a log that says more than the file system. Before the fencing is known n1 is refused; behind it, n1 preempts n2 and takes over.
  assert vmlab exec n2 'grep -q " /srv/data xfs " /proc/mounts && echo kept > /srv/data/kept && sync /srv/data/kept'
  vmlab kill n2
  cluster_volume n1 start 30000
  assert_code 1
  wait_for 400 vmlab exec n1 'stonith_admin --reboot=n2 --timeout=60 >/dev/null 2>&1'
  cluster_volume n1 start 100000
  assert_code 0
  assert [ "$(keys_on n1 0 '0x.*00000002')" -eq 0 ]
  assert [ "$(keys_on n1 0 '0x.*00000001')" -ge 1 ]
  assert vmlab exec n1 'dmesg | grep -q "XFS.*Starting recovery" && grep -q kept /srv/data/kept'
  cluster_volume n1 monitor 30000
  assert_code 0
  cluster_volume n1 stop 60000
  assert_code 0
}

# As volume, for the volume group and with this cluster's own key.
cluster_volume() {
  local node=$1 action=$2 timeout=$3
  run vmlab exec "$node" -t 120 "begin=\${EPOCHREALTIME/./}
    env OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=group OCF_RESKEY_CRM_meta_timeout=$timeout \
      OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_CRM_meta_name=$action OCF_RESKEY_directory=/srv/data OCF_RESKEY_device=/dev/vgd/data \
      OCF_RESKEY_volume_group=vgd OCF_RESKEY_logical_volume=data 'OCF_RESKEY_disks=$lun0 $lun1' OCF_RESKEY_device_timeout=30 \
      OCF_RESKEY_reservation=write-exclusive-registrants-only timeout -k 1 100 /usr/lib/ocf/resource.d/vigil/san-volume $action 2>&1
    code=\$?
    echo \"took \$(((\${EPOCHREALTIME/./} - begin) / 1000)) ms\"
    exit \$code"
}
