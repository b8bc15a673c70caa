#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by common.bash
# fence_vigil_reservation against a real target (tgtd) over iSCSI sessions of its own, in namespaces: no kernel, no virtual machine. Multipath, NVMe, and disks of the
# kernel: tests/vmlab.
load ../lib/common
load ../lib/target

KEY_1=0x5600000000000001
KEY_2=0x5600000000000002

setup() {
    node_start n1
    keys="keys=n1=$KEY_1 n2=$KEY_2 n3=0xabc"
}

teardown() {
    common_teardown
}

# tgtd knows PREEMPT alone.
reservation() {
    fence fence_vigil_reservation "$keys" abort=auto "$@"
}

keys_of() {
    host_say "$1" keys
}

fence_log() {
    node_run "$VIGIL_BUILD/tools/vigil" fence-log "$@"
}

milliseconds_of() {
    local begin=${EPOCHREALTIME/[.,]/}
    "$@"
    elapsed_ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

# note_key NODE KEY: as a status notes it that has found the node by the cluster's word. In a /etc/corosync of the node's own.
note_key() {
    local names=$'\n'$1 path hash=$((0xcbf29ce484222325)) each
    for ((each = 0; each < ${#names}; each++)); do
        printf -v path %d "'${names:each:1}"
        hash=$(((hash ^ path) * 0x100000001b3))
    done
    printf -v path '/run/vigil/fence/key-path-%016x' "$hash"
    node_run mkdir -p /run/vigil/fence
    node_run bash -c "printf '$2 %s' \"\$(stat -c '%i %.9Y' /etc/corosync/corosync.conf)\" >$path"
}

plain_status() {
    fence fence_vigil_reservation abort=auto action=status plug=n2 "devices=$(target_url 1) $(target_url 2)"
}

@test "a status by a noted key says on and nothing else; another configuration of the cluster ends the note" {
    target_start 2
    host_open n2 1
    host_open n2b 2 n2
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2b register $KEY_2)"
    node_run mount -t tmpfs none /etc/corosync
    node_run bash -c 'echo "totem { }" >/etc/corosync/corosync.conf'
    plain_status
    assert_code 1
    assert_error_has 'Corosync does not run here'
    note_key n2 $KEY_2
    plain_status
    assert_code 0
    # Off must be the cluster's word, be it of one device.
    assert_equal ok "$(host_say n2b unregister $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    plain_status
    assert_code 1
    assert_error_has 'Corosync does not run here'
    fence fence_vigil_reservation abort=auto action=off plug=n2 "devices=$(target_url 1)"
    assert_code 1
    assert_error_has 'Corosync does not run here'
    assert_equal ok "$(host_say n2b register $KEY_2)"
    plain_status
    assert_code 0
    node_run bash -c 'echo "totem { cluster_name: other }" >/etc/corosync/corosync.conf'
    plain_status
    assert_code 1
    assert_error_has 'Corosync does not run here'
}

# ---- off ----

@test "off removes the victim's registration and keeps it out; its next write is refused" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    assert_equal ok "$(host_say n2 write)"
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
    [[ $(keys_of n2) == *"holder $KEY_1 (write-exclusive-registrants-only), keys $KEY_1" ]]
    reservation action=status plug=n2 "devices=$(target_url 1)"
    assert_code 2
}

@test "a device that cannot abort what is on its way is refused, unless told" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1)" abort=require
    assert_code 1
    assert_error_has 'preempting and aborting'
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
}

@test "a victim that was frozen before it was fenced cannot write when it is thawed" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    host_freeze n2
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    host_thaw n2
    assert_equal conflict "$(host_say n2 write)"
}

@test "off of sixteen LUNs works on all at once, and sees every one" {
    local lun
    target_start 16
    for lun in 1 9 16; do
        host_open "n2_$lun" "$lun" n2
        assert_equal ok "$(host_say "n2_$lun" register $KEY_2)"
    done
    reservation action=off plug=n2 "devices=$(target_urls 16)"
    assert_code 0
    for lun in 1 9 16; do assert_equal conflict "$(host_say "n2_$lun" write)"; done
    fence_log --last=1 | grep -q 'absent on 16 of 16 devices'
}

@test "off of a node that is off already succeeds, and is looked at" {
    target_start 1
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
}

@test "without a reservation nobody is off: everybody can write" {
    target_start 1
    host_open n2 1
    reservation action=status plug=n2 "devices=$(target_url 1)"
    assert_code 0
    assert_output_has 'Status: ON'
}

@test "a node does not fence itself, be it registered or not" {
    target_start 1
    reservation action=off plug=n1 "devices=$(target_url 1)"
    assert_code 1
    assert_error_has 'this node itself'
    host_open own 1 n1x
    assert_equal ok "$(host_say own register $KEY_1)"
    assert_equal ok "$(host_say own reserve $KEY_1)"
    reservation action=off plug=n1 "devices=$(target_url 1)"
    assert_code 1
    [[ $(keys_of own) == *"$KEY_1"* ]]
}

@test "a node that was fenced does not fence its fencer" {
    local wwid
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    wwid=$(node_run "$VIGIL_BUILD/tests/stonith/scsi_initiator" "$(target_url 1 look)" </dev/null | sed -n 's/^open //p')
    # n1 had registered itself since it was started, and its key is gone.
    node_run mkdir -p /run/vigil/guard
    printf 'vigil-guard 1\nowner data\nkey %s\nwwid %s\ndevice /dev/mapper/mpatha\n' $KEY_1 "$wwid" |
        node_run tee /run/vigil/guard/path-0123456789abcdef-path-0123456789abcdef >/dev/null
    reservation action=off plug=n2 "devices=$(target_url 1)" power_timeout=5
    assert_code 1
    assert_error_has 'fenced itself'
    assert_equal ok "$(host_say n2 write)"
}

# ---- keys ----

@test "a wrong key is absent, and says nothing: the node's own stands there, and it writes" {
    target_start 2
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    # The other LUN is as it should be behind a fencing.
    host_open own 2 n1
    assert_equal ok "$(host_say own register $KEY_1)"
    assert_equal ok "$(host_say own reserve $KEY_1)"
    reservation action=off plug=n2 key=0xbad "devices=$(target_urls 2)"
    assert_code 1
    assert_error_has "n2 has key $KEY_2 registered"
    keys="keys=n1=$KEY_1 n2=0xbad" reservation action=off plug=n2 "devices=$(target_urls 2)"
    assert_code 1
    assert_error_has "unknown key $KEY_2 is, which may be its"
    keys="keys=n1=$KEY_1 n2=0xbad" reservation action=status plug=n2 "devices=$(target_urls 2)"
    assert_code 1
    keys="keys=n1=$KEY_1 n2=0xbad" reservation action=list-status "devices=$(target_urls 2)"
    assert_code 0
    assert_output_has '^n2,,UNKNOWN$'
    reservation action=off plug=n2 key=0xabc "devices=$(target_urls 2)"
    assert_code 1
    assert_error_has "key 0x0000000000000abc is another node's"
    assert_equal ok "$(host_say n2 write)"
    reservation action=off plug=n2 "devices=$(target_urls 2)"
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
}

@test "a node that is off already: a host that nobody knows must be named before that is believed" {
    target_start 1
    host_open n2 1
    host_open backup 1
    assert_equal ok "$(host_say backup register 0xb0)"
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 1
    assert_error_has 'unknown key 0x00000000000000b0'
    keys="$keys backup=0xb0" reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    assert_equal ok "$(host_say backup write)"
    assert_equal conflict "$(host_say n2 write)"
}

@test "keys with leading zeros are one number" {
    target_start 1
    host_open n3 1
    assert_equal ok "$(host_say n3 register 0x0000000000000abc)"
    assert_equal ok "$(host_say n3 reserve 0xabc)"
    reservation action=status plug=n3 "devices=$(target_url 1)"
    assert_code 0
    keys="keys=n1=0x1,n3=0x00abc" reservation action=off plug=n3 "devices=$(target_url 1)"
    assert_code 0
    assert_equal conflict "$(host_say n3 write)"
}

@test "key maps that are wrong are refused before anything is done" {
    local map
    for map in n1 n1= n1=0 n1=xyz n1=0x12345678901234567 "n1=1 n1=2" "n1=1 n2=1" "n1=1 n2=0x01" "a/b=1"; do
        fence fence_vigil_reservation action=status plug=n2 devices=/dev/null "keys=$map"
        assert_code 1
        assert_error_has 'parameter keys'
    done
}

@test "devices that are wrong are refused before anything is done" {
    local device
    for device in "" sdb ../x "iscsi://h/iqn.x" "iscsi://u%secret@h/iqn.x/0" "iscsi://h;reboot/iqn.x/0"; do
        [ -n "$device" ] || continue
        reservation action=status plug=n2 "devices=$device"
        assert_code 1
        assert_error_has 'devices'
    done
    reservation action=status plug=n2 "devices=iscsi://u%secret@h/iqn.x/0"
    assert_error_has 'a password does not belong'
    refute grep -q secret <<<"$stderr$output"
}

@test "a resource whose nodes register keys of their own: they must be told, or a victim's key would be absent" {
    local fake=$BATS_TEST_TMPDIR/fake
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    mkdir "$fake"
    cat >"$fake/cibadmin" <<END
#!/bin/sh
echo '<resources><primitive id="data" class="ocf" provider="vigil" type="san-volume"><instance_attributes id="i"><nvpair id="a" name="reservation" value="WERO"/>'
echo '<nvpair id="b" name="reservation_key" value="5600000000000002"/><nvpair id="c" name="disks" value="$(target_url 1)"/></instance_attributes></primitive></resources>'
END
    chmod 755 "$fake/cibadmin"
    PATH=$fake:$PATH fence fence_vigil_reservation action=status plug=n2 cluster_name=lab
    assert_code 1
    assert_error_has 'data sets reservation_key'
    PATH=$fake:$PATH fence fence_vigil_reservation "$keys" action=status plug=n2
    assert_code 0
    assert_output_has 'Status: ON'
}

@test "a node that nobody knows cannot be fenced" {
    target_start 1
    reservation action=off plug=n9 "devices=$(target_url 1)"
    assert_code 1
    assert_error_has "no key of node 'n9'"
}

@test "sixty-four registrants: one is removed, the others stay" {
    local number
    target_start 1
    for number in {1..64}; do
        printf 'register %x\nquit\n' $((0x7000 + number)) |
            node_run "$VIGIL_BUILD/tests/stonith/scsi_initiator" "$(target_url 1 "host$number")" | grep -qx ok
    done
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    host_open look 1
    keys_of look >"$BATS_TEST_TMPDIR/keys"
    assert_equal 65 "$(grep -o '0x[0-9a-f]*' "$BATS_TEST_TMPDIR/keys" | sort -u | wc -l)"
    refute grep -q "$KEY_2" "$BATS_TEST_TMPDIR/keys"
}

# ---- foreign holders ----

@test "an unknown key that holds the reservation is never preempted unless told" {
    target_start 1
    host_open other 1
    assert_equal ok "$(host_say other register 0xdead)"
    assert_equal ok "$(host_say other reserve 0xdead)"
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
    assert_equal ok "$(host_say other write)"
    reservation action=off plug=n2 "devices=$(target_url 1)"
    assert_code 1
    assert_error_has 'unknown key 0x000000000000dead'
    assert_equal ok "$(host_say other write)"
    reservation action=off plug=n2 "devices=$(target_url 1)" foreign_holder=preempt
    assert_code 0
    assert_equal conflict "$(host_say other write)"
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1)" foreign_holder=preempt
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
}

# ---- devices that fail ----

@test "a device that does not answer makes off fail, and nothing was changed on the others" {
    target_start 2
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_url 1),$(target_url 2),iscsi://127.0.0.1:3999/$TARGET_IQN/3?initiator=iqn.x:n1"
    assert_code 1
    assert_error_has '127.0.0.1:3999'
    assert_equal ok "$(host_say n2 write)"
    reservation action=monitor "devices=$(target_url 1),iscsi://127.0.0.1:3999/$TARGET_IQN/3?initiator=iqn.x:n1"
    assert_code 1
}

@test "quorum=majority: one dead device of three is told, two of three are not enough" {
    local dead="iscsi://127.0.0.1:3999/$TARGET_IQN"
    target_start 2
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 quorum=majority "devices=$(target_urls 2),$dead/3?initiator=iqn.x:n1"
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
    fence_log --last=2 | grep -q 'no answer 1'
    reservation action=off plug=n2 quorum=majority "devices=$(target_url 1),$dead/3?initiator=iqn.x:n1,$dead/4?initiator=iqn.x:n1"
    assert_code 1
    reservation action=status plug=n2 quorum=majority "devices=$(target_url 1),$dead/3?initiator=iqn.x:n1"
    assert_code 1
}

@test "quorum=majority: a LUN that is named by two portals has one voice" {
    local lun dead="iscsi://127.0.0.1:3999/$TARGET_IQN/2?initiator=iqn.x:n1"
    target_start 2
    lun="$(target_url 1),$(target_url 1 | sed 's|//127.0.0.1/|//127.0.0.2/|')"
    target_control --op new --mode portal --param portal=127.0.0.2:3260
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    reservation action=off plug=n2 quorum=majority "devices=$lun,$dead"
    assert_code 1
    assert_error_has '1 of 3 devices do not tell who may write, and of the others some are one LUN'
    assert_equal ok "$(host_say n2 write)"
    reservation action=monitor quorum=majority "devices=$lun,$dead"
    assert_code 1
    reservation action=off plug=n2 quorum=majority "devices=$lun,$(target_url 2),$dead"
    assert_code 0
    assert_equal conflict "$(host_say n2 write)"
    reservation action=status plug=n2 quorum=majority "devices=$lun,$dead"
    assert_code 1
}

@test "an array that hangs is a failure by the deadline" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    freeze_process "$target_pid"
    milliseconds_of reservation action=off plug=n2 "devices=$(target_url 1)" shell_timeout=2 power_timeout=2
    assert_code 1
    assert test "$elapsed_ms" -lt 30000
    thaw_process "$target_pid"
    wait_until 60 reservation_succeeds
    assert_equal conflict "$(host_say n2 write)"
}

reservation_succeeds() {
    reservation action=off plug=n2 "devices=$(target_url 1)"
    [ "$status" -eq 0 ]
}

@test "a target that refuses APTPL: registered without where that may be, else refused by name" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    [[ $(host_say n2 demand $KEY_2) == *APTPL* ]]
    reservation action=off plug=n2 "devices=$(target_url 1)" aptpl=require
    assert_code 1
    assert_error_has APTPL
    assert_equal ok "$(host_say n2 write)"
    reservation action=off plug=n2 "devices=$(target_url 1)" aptpl=no
    assert_code 0
}

@test "a LUN that is no disk with reservations says so" {
    target_start 1
    reservation action=status plug=n2 devices=/dev/null
    assert_code 1
    assert_error_has '/dev/null is no block device'
    # LUN 0 of tgtd is its controller.
    reservation action=monitor "devices=$(target_url 0)"
    assert_code 1
}

# ---- the rest ----

# group_is LINE...: an LVM on the node whose group has these physical volumes, as LVM 2.03 prints them; the first line is a warning.
group_is() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    {
        printf '#!/bin/bash\nif [[ " $* " != *" --nameprefixes "* ]]; then prefix=""; else prefix=LVM2_PV_NAME=; fi\n'
        printf 'echo "  WARNING: Device %s has size of 8 sectors which is smaller than corresponding PV size." >&2\n' "$(target_url 9)"
        printf 'echo "  ${prefix}%s"\n' "$@"
    } >"$BATS_TEST_TMPDIR/bin/vgs"
    chmod 755 "$BATS_TEST_TMPDIR/bin/vgs"
}

@test "volume_group: a disk that is missing on this node is not left out, and a warning names none" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    group_is /dev/null '[unknown]'
    reservation action=off plug=n2 volume_group=vg
    assert_code 1
    assert_error_has 'a disk of volume group vg is missing'
    assert_equal ok "$(host_say n2 write)"
    group_is /dev/null
    reservation action=status plug=n2 volume_group=vg
    assert_code 1
    assert_error_has '1 of 1 devices'
}

@test "list names the nodes; list-status says how they are" {
    target_start 1
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    assert_equal ok "$(host_say n2 reserve $KEY_2)"
    reservation action=list "devices=$(target_url 1)"
    assert_code 0
    assert_output_has '^n2,$'
    reservation action=list-status "devices=$(target_url 1)"
    assert_code 0
    assert_output_has '^n2,,ON$'
    assert_output_has '^n3,,OFF$'
}

@test "on: a node lets in itself alone, over its kernel's disk" {
    target_start 1
    reservation action=on plug=n2 "devices=$(target_url 1)" power_timeout=1
    assert_code 1
    assert_error_has 'another node'
    reservation action=on plug=n1 "devices=$(target_url 1)" power_timeout=1
    assert_code 1
    assert_error_has "this node's kernel has no disk"
}

@test "reboot is not offered, so that the cluster uses off" {
    fence_argv fence_vigil_reservation --action=metadata
    refute grep -q 'action name="reboot"' <<<"$output"
    assert_output_has 'action name="on" on_target="1" automatic="1"'
    reservation action=reboot plug=n2 devices=/dev/null
    assert_code 1
}

@test "validate-all looks at no device" {
    reservation action=validate-all plug=n2 devices=/dev/nothing
    assert_code 0
    reservation action=validate-all devices=/dev/a volume_group=vg
    assert_code 1
}

@test "CHAP: the password is in a file, and in nothing else" {
    local url="iscsi://fencing@127.0.0.1/$TARGET_IQN/1?initiator=iqn.2026-01.org.example:n1&password_file=$BATS_TEST_TMPDIR/chap"
    target_start 1
    target_control --op new --mode account --user fencing --password lab-Secret-12
    target_control --op bind --mode account --tid 1 --user fencing
    reservation action=monitor "devices=$(target_url 1)"
    assert_code 1
    echo lab-Secret-12 >"$BATS_TEST_TMPDIR/chap"
    reservation action=monitor "devices=$url"
    assert_code 1
    assert_error_has 'mode 0600'
    chmod 600 "$BATS_TEST_TMPDIR/chap"
    reservation action=monitor "devices=$url"
    assert_code 0
    reservation action=off plug=n2 "devices=$url" verbose=1
    assert_code 0
    refute grep -q lab-Secret-12 <<<"$output$stderr"
    assert node_run grep -q '"preempt"' "$(build_statedir)/records/decisions.jsonl"
    refute node_run grep -q lab-Secret-12 "$(build_statedir)/records/decisions.jsonl"
}

@test "vigil fence-log tells who fenced whom, with the registrations before and after, as text and as JSON" {
    target_start 2
    host_open n2 1
    assert_equal ok "$(host_say n2 register $KEY_2)"
    reservation action=off plug=n2 "devices=$(target_urls 2)"
    assert_code 0
    fence_log >"$BATS_TEST_TMPDIR/log"
    grep -q 'n1 removed the registrations of n2' "$BATS_TEST_TMPDIR/log"
    grep -q "before: .*$KEY_2" "$BATS_TEST_TMPDIR/log"
    grep -q "after:  .*holder $KEY_1" "$BATS_TEST_TMPDIR/log"
    refute grep -q "after:  .*$KEY_2" "$BATS_TEST_TMPDIR/log"
    grep -q 'n1 fenced n2' "$BATS_TEST_TMPDIR/log"
    fence_log --json >"$BATS_TEST_TMPDIR/json"
    assert_equal "n1 n2 preempt 2" "$(python3 -c '
import json, sys
record = [r for r in json.load(sys.stdin) if r["what"] == "preempt"][-1]
print(record["by"], record["target"], record["what"], len(record["devices"]))' <"$BATS_TEST_TMPDIR/json")"
    assert_equal "no fencing is recorded on this node" "$(fence_log --node=n7)"
    assert_equal "[]" "$(fence_log --node=n7 --json)"
    # A line that a power loss has cut.
    node_run sh -c "printf '{\"time\":\"2026-1' >>'$(build_statedir)/records/decisions.jsonl'"
    fence_log 2>"$BATS_TEST_TMPDIR/error" | grep -q 'n1 fenced n2'
    grep -q '1 damaged' "$BATS_TEST_TMPDIR/error"
}
