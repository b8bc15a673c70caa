#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# doc/san.md from bare disks to a running hot standby, and a takeover: its commands, as they stand there, on the machines of the lab. The pcs commands run on
# the host, against a copy of the lab's configuration, since the machines have no pcs; what they make of it is given to the cluster.
load ../lib/common

setup_file() {
  export VIGIL_VMLAB=$BATS_FILE_TMPDIR/lab VIGIL_VMLAB_OWNER=$$
  vmlab up st n1 n2 3>&- && vmlab exec st 'guest_san_target 2 128'
}

teardown_file() {
  vmlab down
}

vmlab() {
  "$VIGIL_SOURCE/tests/vmlab/vmlab" "$@"
}

# commands NAME: the block of the page behind the mark "tested: NAME".
commands() {
  awk -v mark="<!-- tested: $1 -->" '$0 == mark { found = 1; next } found && /^```sh$/ { inside = 1; next } inside && /^```$/ { exit } inside' \
    "$VIGIL_SOURCE/doc/san.md"
}

# on_machine NODE NAME: runs a block there, each line as it is, and ends at the first that fails.
on_machine() {
  local file=$BATS_TEST_TMPDIR/commands
  {
    echo 'set -e'
    commands "$2"
  } >"$file"
  [ "$(wc -l <"$file")" -gt 1 ]
  vmlab put "$1" "$file" /tmp/commands && vmlab exec "$1" -t 120 'bash /tmp/commands'
}

# The machines have no systemd: what its command would start is started.
give_systemctl() {
  cat >"$BATS_TEST_TMPDIR/systemctl" <<'END'
#!/bin/bash
[ "$1 $2" = "enable --now" ] || exit 1
modprobe -a iscsi_tcp sd_mod sg dm_multipath dm_service_time scsi_dh_alua
for unit in "${@:3}"; do pidof -q "$unit" || "$unit"; done
END
  chmod 755 "$BATS_TEST_TMPDIR/systemctl"
  vmlab put "$1" "$BATS_TEST_TMPDIR/systemctl" /usr/bin/systemctl
}

in_cluster() {
  vmlab exec n1 "[ \"\$(cibadmin -Q --xpath '//node_state' 2>/dev/null | grep -c 'join=\"member\"')\" = 2 ]"
}

runs_on() {
  vmlab exec "$1" "mountpoint -q /srv/data && ip -brief address | grep -q '192\\.0\\.2\\.50/'"
}

@test "on each node, and the look" {
  local node
  for node in n1 n2; do
    give_systemctl $node
    on_machine $node "each node"
  done
  wait_until 300 vmlab exec n1 '[ -e /dev/disk/by-id/wwn-0x60014051ab0002000000000000000000 ] && [ "$(dmsetup ls --target multipath | wc -l)" -eq 2 ]'
  wait_until 300 vmlab exec n2 '[ "$(dmsetup ls --target multipath | wc -l)" -eq 2 ]'
  on_machine n1 look
}

@test "from bare disks to a file system" {
  run on_machine n1 "one node"
  echo "$output"
  assert [ "$status" -eq 0 ]
  assert grep -qE 'vg_data +n1' <<<"$output"
}

@test "the cluster, by the pcs commands of the page" {
  local cib=$BATS_TEST_TMPDIR/cib.xml line
  echo '<!-- none yet -->' >"$BATS_TEST_TMPDIR/none"
  vmlab cluster "$BATS_TEST_TMPDIR/none"
  for node in n1 n2; do vmlab exec $node 'mkdir -p /etc/vigil; umask 077; echo lab-Secret-1 >/etc/vigil/bmc-password'; done
  wait_until 400 in_cluster
  vmlab exec n1 'cibadmin --query' >"$cib"
  node_start
  node_install
  while read -r line; do
    case $line in
    pcs\ *) node_run bash -c "pcs -f '$cib' ${line#pcs }" ;;
    '' | '#'*) ;;
    *) echo "no pcs command: $line"; return 1 ;;
    esac
  done < <(commands pcs)
  vmlab put n1 "$cib" /tmp/cib.xml
  vmlab exec n1 'cibadmin --replace --xml-file /tmp/cib.xml'
  wait_until 500 runs_on n1
  run on_machine n1 status
  echo "$output"
  assert [ "$status" -eq 0 ]
  assert grep -q 'held n1 ' <<<"$output"
  assert grep -qi 'write exclusive, registrants only' <<<"$output"
  # Both nodes are registered (unfencing), each on two paths.
  assert [ "$(grep -cE '0x56[0-9a-f]{6}0000000[12]' <<<"$output")" -ge 4 ]
}

@test "moving it" {
  on_machine n1 move
  wait_until 500 runs_on n2
  refute runs_on n1
  assert vmlab exec n2 'crm_attribute -t crm_config -n vigil-holder-data -G -q | grep -q "held n2"'
}

@test "a power cut: the other node takes over, and the array has forgotten the lost one" {
  vmlab exec n2 'echo written >/srv/data/file; sync'
  vmlab kill n2
  wait_until 500 runs_on n1
  assert [ "$(vmlab exec n1 'cat /srv/data/file')" = written ]
  assert vmlab exec n1 'crm_attribute -t crm_config -n vigil-holder-data -G -q | grep -q "held n1"'
}

# ---- "When a node stays fenced": its cures, by the numbers of the page ------------------------------------------------------------------

# pcs_run NODE COMMAND...: changes the cluster's configuration, by way of a copy on the host; once more where the cluster itself has changed it meanwhile.
pcs_run() {
  local cib=$BATS_TEST_TMPDIR/changed.xml node=$1 tries
  shift
  [ ${#node_init[@]} -gt 0 ] || { node_start && node_install; }
  for ((tries = 20; tries > 0; tries--)); do
    vmlab exec "$node" 'cibadmin --query' >"$cib"
    node_run pcs -f "$cib" "$@"
    vmlab put "$node" "$cib" /tmp/cib.xml
    ! vmlab exec "$node" 'cibadmin --replace --xml-file /tmp/cib.xml' || return 0
  done
  return 1
}

# prepare NODE: a node that was restarted, with its disks, before the cluster.
prepare() {
  vmlab wait "$1"
  give_systemctl "$1"
  on_machine "$1" "each node" >/dev/null
  vmlab exec "$1" 'mkdir -p /etc/vigil; umask 077; echo lab-Secret-1 >/etc/vigil/bmc-password'
  wait_until 300 vmlab exec "$1" '[ "$(dmsetup ls --target multipath | wc -l)" -eq 2 ]'
}

# join_again NODE: it is restarted, and let in.
join_again() {
  prepare "$1"
  vmlab exec "$1" -t 120 'guest_cluster n1 n2'
  wait_until 300 vmlab exec "$1" "[ \"\$(cibadmin -Q --xpath '//node_state' 2>/dev/null | grep -c 'join=\"member\"')\" = 2 ]"
  wait_until 300 has_keys "$1" "0x56.*0000000${1#n}" 2
}

# keys_on NODE REGEX: how many registrations with LUN 0, as NODE reads them; no number where they cannot be read.
keys_on() {
  local text
  text=$(vmlab exec "$1" 'path=$(ls /dev/disk/by-path/*-lun-0 | head -n 1); sg_persist -n -i -k $path || sg_persist -n -i -k $path') &&
    grep -q 'PR generation=0x' <<<"$text" || { echo "unreadable: $text"; return 1; }
  grep -cE "^ *$2\$" <<<"$text" || :
}

has_keys() { [ "$(keys_on "$1" "$2")" -eq "$3" ]; }

# Why actions on NODE failed, as the cluster has it.
reasons_have() {
  vmlab exec "$1" "cibadmin -Q --xpath \"//node_state[@uname='$2']\"" 2>/dev/null | grep -o 'exit-reason="[^"]*"' | grep -qE "$3"
}

# stranger join|take: a host outside of the cluster (the storage machine, as an initiator) registers key 0x5ead with both LUNs; take: and preempts who holds them.
stranger() {
  vmlab exec st -t 120 "modprobe -a iscsi_tcp sd_mod sg; pidof -q iscsid || iscsid
    iscsiadm -m discovery -t sendtargets -p 192.0.2.19 >/dev/null && iscsiadm -m node -p 192.0.2.19 --login >/dev/null
    for ((tries = 200; tries > 0; tries--)); do [ \$(ls /dev/disk/by-path/*-lun-[01] 2>/dev/null | wc -l) -lt 2 ] || break; sleep 0.1; done
    for disk in /dev/disk/by-path/*-lun-0 /dev/disk/by-path/*-lun-1; do
      sg_persist -n -o -I -S 0x5ead \$disk || sg_persist -n -o -I -S 0x5ead \$disk || exit
      [ $1 = take ] || continue
      holder=\$(sg_persist -n -i -r \$disk | sed -n 's/^ *Key=//p')
      sg_persist -n -o -P -K 0x5ead -S \$holder -T 5 \$disk || exit
    done"
}

@test "cures 1, 2, 3: what happened is told; a restarted node joins and is registered again" {
  assert vmlab exec n1 'vigil fence-log | grep -q "n1 fenced n2"'
  assert vmlab exec n1 'stonith_admin --history=n2 --verbose | grep -q "n2"'
  assert has_keys n1 '0x56.*00000002' 0
  join_again n2
}

@test "cure 8: a path of the node bears another key: refused; unfencing and a cleanup" {
  vmlab exec n2 'for path in /dev/disk/by-path/*192.0.2.83*-lun-*; do sg_persist -n -o -I -S 0x99 $path || sg_persist -n -o -I -S 0x99 $path || exit; done'
  assert has_keys n1 0x99 1
  vmlab exec n1 'crm_resource --resource data --move --node n2'
  wait_until 300 reasons_have n1 n2 'a path of this node bears another key'
  wait_until 500 runs_on n1
  assert vmlab exec n2 '! mountpoint -q /srv/data'
  vmlab exec n1 -t 120 'stonith_admin --unfence=n2 --timeout=60'
  assert has_keys n1 0x99 0
  assert has_keys n1 '0x56.*00000002' 2
  vmlab exec n1 'crm_resource --resource data --cleanup >/dev/null 2>&1'
  wait_until 500 runs_on n2
  vmlab exec n1 'crm_resource --resource data --clear'
}

# move_to NODE: and no preference is left behind.
move_to() {
  vmlab exec n1 "crm_resource --resource data --cleanup >/dev/null 2>&1; crm_resource --resource data --move --node $1"
  wait_until 500 runs_on "$1"
  vmlab exec n1 'crm_resource --resource data --clear'
}

@test "cures 5 and 7: another cluster took the LUNs: refused by both nodes; told once, the one that is well takes them back, the other is restarted" {
  # Where the node is active whose key holds the reservation.
  move_to n1
  stranger take
  assert has_keys n2 '0x56.*00000001' 0
  wait_until 300 reasons_have n2 n2 'is reserved .*5ead: that is no node'
  assert vmlab exec n2 '! mountpoint -q /srv/data'
  refute runs_on n1
  pcs_run n2 resource update data preempt_unknown=true
  vmlab exec n2 'crm_resource --resource data --cleanup >/dev/null 2>&1'
  wait_until 500 runs_on n2
  assert has_keys n2 '0x0*5ead' 0
  pcs_run n2 resource update data preempt_unknown=
  assert vmlab exec n2 'cibadmin -Q >/tmp/cib.now && ! grep -q "name=\"preempt_unknown\"" /tmp/cib.now'
  # n1 was thrown out, and stays out until it is restarted.
  vmlab exec n2 'crm_resource --resource data --cleanup >/dev/null 2>&1; crm_resource --resource data --move --node n1'
  wait_until 300 reasons_have n2 n1 'registration is gone: it was fenced'
  wait_until 500 runs_on n2
  assert has_keys n2 '0x56.*00000001' 0
  vmlab exec n2 'crm_resource --resource data --clear'
  vmlab kill n1
  wait_until 300 is_on n1
  join_again n1
  move_to n1
  move_to n2
}

is_on() { [ "$(vmlab power "$1")" = on ]; }

@test "cure 10: off is not believed while an unknown key is registered, and is where it has a name" {
  local off='action=off\nplug=n1\ndevices=WWN=0x60014051ab0001000000000000000000 WWN=0x60014051ab0002000000000000000000\n'
  vmlab kill n1
  wait_until 300 is_on n1
  # Power is cut, and the array keeps it off, too.
  vmlab wait n1
  vmlab exec n2 -t 120 "printf '$off' | fence_vigil_reservation"
  assert has_keys n2 '0x56.*00000001' 0
  stranger join
  assert has_keys n2 '0x0*5ead' 1
  run vmlab exec n2 -t 120 "printf '$off' | fence_vigil_reservation"
  echo "$output"
  assert [ "$status" -eq 1 ]
  assert grep -q 'is not registered, but unknown key .*5ead is, which may be its' <<<"$output"
  run vmlab exec n2 -t 120 "printf '${off}keys=backup=0x5ead\n' | fence_vigil_reservation"
  echo "$output"
  assert [ "$status" -eq 0 ]
  assert has_keys n2 '0x0*5ead' 1
  assert runs_on n2
}

@test "cure 4: both nodes lost their power: the one that is back alone is refused until somebody says that the other is off" {
  pcs_run n2 property set startup-fencing=false
  vmlab exec n2 'cibadmin --query' | sed '/<status>/,/<\/status>/d; s,</configuration>,</configuration><status/>,' >"$BATS_TEST_TMPDIR/kept.xml"
  assert grep -q 'held n2' "$BATS_TEST_TMPDIR/kept.xml"
  vmlab kill n2
  vmlab kill n1
  # n1 alone comes back, with its disk's copy of the configuration, and does not wait for the other.
  vmlab start n1
  prepare n1
  vmlab put n1 "$BATS_TEST_TMPDIR/kept.xml" /var/lib/pacemaker/cib/cib.xml
  vmlab exec n1 'chown hacluster:haclient /var/lib/pacemaker/cib/cib.xml; chmod 600 /var/lib/pacemaker/cib/cib.xml'
  vmlab exec n1 -t 120 'VIGIL_VMLAB_WAIT_FOR_ALL=0 guest_cluster n1 n2'
  wait_until 500 reasons_have n1 n1 'n2 had it last and has neither released it nor been fenced since'
  assert vmlab exec n1 '! mountpoint -q /srv/data'
  assert [ "$(vmlab power n2)" = off ]
  vmlab exec n1 -t 60 'stonith_admin --confirm=n2'
  vmlab exec n1 'crm_resource --resource data --cleanup >/dev/null 2>&1'
  wait_until 500 runs_on n1
  assert has_keys n1 '0x56.*00000002' 0
  assert [ "$(vmlab exec n1 'cat /srv/data/file')" = written ]
}

@test "cures 6 and 9: a volume group of a node that is gone; keys of nodes that no longer exist" {
  local command
  pcs_run n1 resource disable data
  wait_until 300 vmlab exec n1 '! mountpoint -q /srv/data && crm_attribute -t crm_config -n vigil-holder-data -G -q | grep -q "released n1"'
  vmlab exec n1 'vgchange -q -y --systemid gone vg_data >/dev/null'
  pcs_run n1 resource enable data
  wait_until 300 reasons_have n1 n1 'belongs to system ID gone'
  command=$(sed -n "s/.*\`\(vgchange --config[^\`]*\)\`.*/\1/p" "$VIGIL_SOURCE/doc/san.md")
  command=${command/OLD/gone}
  vmlab exec n1 "${command/NEW/n1}"
  vmlab exec n1 'crm_resource --resource data --cleanup >/dev/null 2>&1'
  wait_until 500 runs_on n1
  pcs_run n1 resource disable data
  wait_until 300 vmlab exec n1 '! mountpoint -q /srv/data'
  vmlab exec n1 'key=$(sg_persist -n -i -r $(ls /dev/disk/by-path/*-lun-0 | head -n 1) | sed -n "s/^ *Key=//p"); for lun in 0 1; do
    sg_persist --out --clear --param-rk=$key $(ls /dev/disk/by-path/*-lun-$lun | head -n 1) >/dev/null || exit; done'
  assert has_keys n1 '0x.*' 0
  pcs_run n1 resource enable data
  wait_until 500 runs_on n1
  assert has_keys n1 '0x56.*00000001' 2
}

@test "the recipe is what the page makes" {
  local recipe=$VIGIL_SOURCE/xml/recipes/shared-array.xml name
  for name in portals target disks multipath paths_expected reservation volume_group logical_volume device directory fstype; do
    assert_equal "$(grep -oE " name=\"$name\" value=\"[^\"]*\"" "$recipe" | head -n 1 | sed 's/.*value="//; s/"$//')" \
      "$(commands pcs | grep 'san-volume' | grep -oE " $name=(\"[^\"]*\"|[^ ]*)" | head -n 1 | sed 's/^[^=]*=//; s/^"//; s/"$//')"
  done
}
