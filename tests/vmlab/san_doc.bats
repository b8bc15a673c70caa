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

@test "the recipe is what the page makes" {
  local recipe=$VIGIL_SOURCE/xml/recipes/shared-array.xml name
  for name in portals target disks multipath paths_expected reservation volume_group logical_volume device directory fstype; do
    assert_equal "$(grep -oE " name=\"$name\" value=\"[^\"]*\"" "$recipe" | head -n 1 | sed 's/.*value="//; s/"$//')" \
      "$(commands pcs | grep 'san-volume' | grep -oE " $name=(\"[^\"]*\"|[^ ]*)" | head -n 1 | sed 's/^[^=]*=//; s/^"//; s/"$//')"
  done
}
