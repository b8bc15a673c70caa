# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cloud_agent.bash: a node that is an instance of a simulated cloud, for the tests of the cloud agents. Load common and cloudsim first.
#
#   cloud_node CLOUD            a node (common.bash) with the simulator on it; two instances n1 (the node itself) and n2. Sets own, peer (ids), nic, peer_nic, peer_metadata, and
#                               access, the parameters that every cloud agent needs here
#   cloud_disk_here [JSON]      makes a disk whose attachment to n1 shows as a block device on the node: sets DISK, SERIAL
#   cluster_says N1-IS-QUORATE N2-JOINED      what Corosync would say on the node: "1 0" is a quorate node whose peer n2 has gone
#   fenced AGO [ACTION]         Pacemaker's history: n2 was fenced so many seconds ago; fenced never
#   cluster                     array: put it behind an agent's parameters so that it meets this cluster
#   api_gone, api_back          the parameters in access lead nowhere, and to the simulator again
#   api_calls [PATTERN]         how many requests the API has had (not the metadata service)

cloud_node() {
  cloud=$1
  node_start n1
  # shellcheck disable=SC2034 # for cloudsim.bash
  CLOUDSIM_RUN=(nsenter -t "$(node_pid)" -n --)
  folder=$BATS_TEST_TMPDIR
  mkdir -p "$folder/fake"
  at_end cloudsim_stop
  cloudsim_start "$folder" --no-https || return 1
  cloudsim settings '{"scale":0.2}' >/dev/null
  cloudsim_instance "$cloud" n2
  peer=$INSTANCE peer_nic=$NIC peer_metadata=$METADATA
  cloudsim_instance "$cloud" n1
  own=$INSTANCE nic=$NIC metadata=$METADATA
  cloudsim_credentials "$cloud" "$folder/key"
  api_back
  cluster_says 1 0
  fenced never
  fake_cibadmin
  cluster=("@LD_LIBRARY_PATH=$folder/fake" "@PATH=$folder/fake:$PATH")
}

cloud_region() {
  case $1 in aws) echo us-east-1 ;; aliyun) echo cn-hangzhou ;; tencent) echo ap-guangzhou ;; huawei) echo cn-north-4 ;; esac
}

api_at() {
  access=("cloud=$cloud" "region=$(cloud_region "$cloud")" "endpoints=all=$1" "metadata_url=$metadata" "credentials=$folder/key" "rate=6000")
}

api_back() { api_at "$CLOUDSIM"; }
api_gone() { api_at http://127.0.0.1:9; }

api_calls() {
  cloudsim log | python3 -c 'import json, re, sys
print(sum(1 for e in json.load(sys.stdin) if e["service"] != "metadata" and re.search(sys.argv[1], e["action"])))' "${1:-}"
}

# --- the block device of an attached disk: a loop device, with a serial number where the kernel would show it ---

cloud_disk_here() {
  cat >"$folder/hook" <<HOOK
#!/bin/bash
# EVENT INSTANCE NAME DISK DEVICE SERIAL LINKS
[ "\$2" = "$own" ] || exit 0
# One at a time: a free loop device is anybody's.
exec flock "$folder/hook.lock" nsenter -t $(node_pid) -m -n -u -i -p -- bash "$VIGIL_SOURCE/tests/lib/cloud_disk_hook" "$folder" "\$@"
HOOK
  chmod +x "$folder/hook"
  cloudsim settings "{\"hooks\":{\"attach\":\"$folder/hook\",\"detach\":\"$folder/hook\"}}" >/dev/null
  cloudsim_disk "$cloud" "\"size\":1${1:+,$1}"
  at_end cloud_disk_loops_end
}

# Lets go of the loop devices of this test, by what they are backed with.
cloud_disk_loops_end() {
  local device identity
  [ -f "$folder/loops" ] || return 0
  while read -r device identity; do
    [ "$(loop_identity "$device" | tr -d ' ')" != "${identity// /}" ] || loop_detach "$device" "$(loop_identity "$device")"
  done <"$folder/loops"
}

# The device behind the agent's link, "" where there is none.
disk_link() {
  node_run readlink "/run/vigil/disk/$DISK" 2>/dev/null || node_run readlink "$(build_rundir)/disk/$DISK" 2>/dev/null || :
}

build_rundir() {
  sed -n 's/^rundir = //p' "$VIGIL_BUILD/Makefile"
}

# --- the cluster around the node ---

# Compiled once for each file of tests.
cluster_says() {
  local made=${BATS_FILE_TMPDIR:-$folder}/cluster-$1-$2 name
  if [ ! -e "$made/done" ]; then
    mkdir -p "$made"
    cluster_compile "$1" "$2" "$made" && : >"$made/done" || return 1
  fi
  # A program may have the old one open: it keeps that.
  for name in libquorum.so.5 libcmap.so.4; do cp --remove-destination "$made/$name" "$folder/fake/$name" || return 1; done
}

# cluster_compile N1-IS-QUORATE N2-JOINED FOLDER
cluster_compile() {
  ${CC:-gcc} -shared -fPIC -o "$3/libquorum.so.5" -x c - <<CODE || return 1
#include <stdint.h>
int quorum_initialize(uint64_t *handle, void *callbacks, uint32_t *type) { (void)callbacks; *handle = 1; *type = 1; return 1; }
int quorum_getquorate(uint64_t handle, int *quorate) { (void)handle; *quorate = $1; return 1; }
int quorum_finalize(uint64_t handle) { (void)handle; return 1; }
CODE
  ${CC:-gcc} -shared -fPIC -o "$3/libcmap.so.4" -x c - <<CODE
#include <stdint.h>
#include <string.h>
/* cmap_value_types_t: uint32 is 7, string 12; CS_OK is 1, CS_ERR_NOT_EXIST 12 */
#include <corosync/cmap.h>
static const struct { const char *key, *text; uint32_t number; } map[] = {
  { "totem.cluster_name", "test", 0 }, { "runtime.votequorum.this_node_id", 0, 1 }, { "runtime.config.totem.token", 0, 100 },
  { "runtime.config.totem.consensus", 0, 120 }, { "nodelist.node.0.nodeid", 0, 1 }, { "nodelist.node.0.name", "n1", 0 }, { "nodelist.node.0.ring0_addr", "n1", 0 },
  { "nodelist.node.1.nodeid", 0, 2 }, { "nodelist.node.1.name", "n2", 0 }, { "nodelist.node.1.ring0_addr", "n2", 0 },
  { "runtime.members.1.status", "joined", 0 }, { "runtime.members.2.status", "$([ "$2" = 1 ] && echo joined || echo left)", 0 },
};
static unsigned next;
cs_error_t cmap_initialize(cmap_handle_t *handle) { *handle = 1; return CS_OK; }
cs_error_t cmap_finalize(cmap_handle_t handle) { (void)handle; return CS_OK; }
cs_error_t cmap_get(cmap_handle_t handle, const char *key, void *value, size_t *length, cmap_value_types_t *type) {
  (void)handle;
  for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
    if (strcmp(map[i].key, key)) continue;
    size_t size = map[i].text ? strlen(map[i].text) + 1 : sizeof(uint32_t);
    *type = map[i].text ? CMAP_VALUETYPE_STRING : CMAP_VALUETYPE_UINT32;
    if (*length < size) return CS_ERR_INVALID_PARAM;
    if (value) memcpy(value, map[i].text ? (const void *)map[i].text : (const void *)&map[i].number, size);
    *length = size;
    return CS_OK;
  }
  return CS_ERR_NOT_EXIST;
}
cs_error_t cmap_iter_init(cmap_handle_t handle, const char *prefix, cmap_iter_handle_t *iterator) { (void)handle; (void)prefix; *iterator = 1; next = 0; return CS_OK; }
cs_error_t cmap_iter_next(cmap_handle_t handle, cmap_iter_handle_t iterator, char *key, size_t *length, cmap_value_types_t *type) {
  (void)handle; (void)iterator;
  while (next < sizeof(map) / sizeof(map[0])) {
    unsigned i = next++;
    if (strncmp(map[i].key, "nodelist.node.", 14)) continue;
    strcpy(key, map[i].key);
    if (length) *length = 0;
    if (type) *type = CMAP_VALUETYPE_STRING;
    return CS_OK;
  }
  return CS_ERR_NO_SECTIONS;
}
cs_error_t cmap_iter_finalize(cmap_handle_t handle, cmap_iter_handle_t iterator) { (void)handle; (void)iterator; return CS_OK; }
CODE
}

# The cluster's configuration, as far as an attribute of it is asked for: a file for each.
fake_cibadmin() {
  mkdir -p "$folder/attributes"
  cat >"$folder/fake/cibadmin" <<PROGRAM
#!/bin/bash
tr '\0' '\n' </proc/\$\$/environ >>"$folder/environ"
[ ! -e "$folder/no-cib" ] || exit 102
attributes=$folder/attributes
PROGRAM
  cat >>"$folder/fake/cibadmin" <<'PROGRAM'
# cibadmin --query|--modify --xpath XPATH [--xml-text XML]; the id of an attribute is its name.
now() { cat "$attributes/$1" 2>/dev/null; }
if [ "$1" = --query ]; then
  [[ $3 =~ @name=\'([^\']*)\' ]] && [ -e "$attributes/${BASH_REMATCH[1]}" ] || exit 105
  echo "<nvpair id=\"${BASH_REMATCH[1]}\" name=\"${BASH_REMATCH[1]}\" value=\"$(now "${BASH_REMATCH[1]}")\"/>"
  exit
fi
if [[ $3 =~ nvpair\[@id=\'([^\']*)\'\ and\ @value=\'([^\']*)\' ]]; then
  [ -e "$attributes/${BASH_REMATCH[1]}" ] && [ "$(now "${BASH_REMATCH[1]}")" = "${BASH_REMATCH[2]}" ] || exit 105
elif [[ $3 =~ not\(.*@name=\'([^\']*)\' ]]; then
  [ ! -e "$attributes/${BASH_REMATCH[1]}" ] || exit 105
else
  exit 64
fi
[[ $5 =~ name=\"([^\"]*)\"\ value=\"([^\"]*)\" ]] && echo "${BASH_REMATCH[2]}" >"$attributes/${BASH_REMATCH[1]}"
PROGRAM
  chmod +x "$folder/fake/cibadmin"
}

fenced() {
  local event=''
  [ "$1" = never ] || event="<fence_event action=\"${2:-reboot}\" target=\"n2\" client=\"c\" origin=\"n1\" delegate=\"n1\" status=\"success\" completed=\"$(date -u -d "@$(($(date +%s) - $1))" '+%F %TZ')\"/>"
  cat >"$folder/fake/stonith_admin" <<PROGRAM
#!/bin/sh
tr '\0' '\n' </proc/\$\$/environ >>"$folder/environ"
echo '<pacemaker-result api-version="2.25"><list name="fencing history">$event</list><status code="0" message="OK"/></pacemaker-result>'
PROGRAM
  chmod +x "$folder/fake/stonith_admin"
}
