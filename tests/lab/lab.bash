# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lab.bash: a cluster of real Corosync and Pacemaker nodes on one machine, in namespaces.
#
#   lab_stage BUILD FOLDER       lays out the programs of a build tree as the nodes will have them
#   lab_up NODES [AGENTS]        a lab of NODES nodes (n1, n2 ...) and the host "client", booted; Vigil's agents on each from the
#                                folder AGENTS, laid out as make install does
#                                LAB_CLOCKS="n2=1000": that node's monotonic clock is so many seconds ahead.
#                                With LAB_VIGILD=1 each node runs vigild, too (LAB_VIGILD_PRELOAD: a library loaded into it first)
#   lab_down                     ends it, and looks that nothing is left
#   lab_reap                     ends what earlier runs that were killed have left behind
#   lab_exec NODE CMD...         runs CMD on a node
#   lab_node_cut NODE            cuts its power: every process of it ends at once
#   lab_node_on NODE             gives it power again
#   lab_node_freeze NODE         stops every process of it (SIGSTOP); lab_node_thaw continues them
#   lab_link NODE NET up|down    plugs or unplugs its cable to the network lan or mgmt
#   lab_split, lab_heal          no node reaches another over lan, but each reaches the client; and back
#   lab_wait SECONDS WHAT CMD... looks every 50 ms until CMD succeeds; else says that WHAT did not happen
#   lab_fail TEXT [NODE]         says what failed, on which node, and where its log is; returns 1
#
# The lab:  lan 192.0.2.0/24 (bridge; nodes .1 .2 ..., client .100), mgmt 198.51.100.0/24 (nodes .1 .2 ..., their management
# controllers .101 .102 ...). Both bridges and the controllers live in the "rack", a network and mount namespace of the lab's
# own; nothing routes out. The shared volume is a loop device that every node sees. With LAB_CLOUD=aws (aliyun, tencent, huawei) the
# nodes are instances of that cloud, simulated, instead: see lab_cloud.bash.
#
# Everything of a lab runs in one control group, $LAB_GROUP, and its files stand in $LAB, so that nothing is lost sight of: who
# ends the group and removes the folder has ended the lab.

LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_TMP=${TMPDIR:-/tmp}
LAB=${LAB:-}
LAB_LOOP=''
LAB_VOLUME_SIZE=${LAB_VOLUME_SIZE:-320M}
export BMC_USER=vigil BMC_PASSWORD=lab-Secret-1
# shellcheck source=../lib/bmc.bash
. "$LAB_SOURCE/../lib/bmc.bash"
# shellcheck source=../lib/cloudsim.bash
. "$LAB_SOURCE/../lib/cloudsim.bash"
LAB_CLOUD=${LAB_CLOUD:-}
declare -gA LAB_INSTANCES=()
# shellcheck source=lab_cloud.bash
. "$LAB_SOURCE/lab_cloud.bash"

# --- telling ---

lab_fail() {
  local text=$1 node=${2:-} log=${LAB_KEPT_LOG:-$LAB/log}
  {
    echo "FAILED: $text"
    [ -z "$node" ] || echo "  node: $node"
    echo "  logs: $log${node:+/$node} (of the nodes: corosync/corosync.log, pacemaker/pacemaker.log, console.log)"
  } >&2
  return 1
}

lab_wait() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
  until "$@"; do
    if ((${EPOCHREALTIME/[.,]/} > end)); then
      lab_fail "$what: not within $seconds s"
      return 1
    fi
    sleep 0.05
  done
}

# --- processes and their groups ---

# A process is named by its pid and start time, since pids are used again.
lab_process() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # fields; the name in parentheses may hold spaces
  set -- $1 ${stat##*) }
  echo "$1 ${21}"
}

lab_process_lives() {
  [ -n "$1" ] && [ "$(lab_process "${1%% *}")" = "$1" ]
}

lab_group_root() {
  local root
  root=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
  [ -n "$root" ] && [ -w "$root" ] || { lab_fail "no writable control group (v2) file system on this machine"; return 1; }
  echo "$root"
}

lab_group_make() {
  local name
  LAB_GROUP=$(lab_group_root)/vigil-lab-$LAB_ID || return 1
  for name in "" /rack /client "${LAB_NODES[@]/#//}"; do
    mkdir "$LAB_GROUP$name" || { lab_fail "cannot make the control group $LAB_GROUP$name"; return 1; }
  done
  echo "$LAB_GROUP" > "$LAB/group"
}

lab_group_empty() {
  ! grep -q '^populated 1' "$1/cgroup.events" 2>/dev/null
}

# Ends every process of a group, and removes it and those below it.
lab_group_end() {
  local group=$1 tries=1500
  [ -d "$group" ] || return 0
  echo 1 > "$group/cgroup.kill"
  until lab_group_empty "$group"; do
    [ $((tries -= 1)) -gt 0 ] || { echo "lab: processes of $group do not end" >&2; return 1; }
    sleep 0.02
  done
  find "$group" -depth -type d -exec rmdir {} +
}

# --- the rack ---

# Runs a command in the rack: the lab's own network and mount namespace.
lab_rack() {
  nsenter -t "$LAB_RACK" -n -m -- "$@"
}

lab_rack_start() {
  # shellcheck disable=SC2016 # for the shell that is started
  setsid bash -c 'echo $$ > "$0/rack/cgroup.procs" && exec unshare --net --mount sleep infinity' "$LAB_GROUP" \
    </dev/null >>"$LAB/log/rack.log" 2>&1 3>&- 4>&- &
  LAB_RACK=$!
  disown "$LAB_RACK" # its end is not the shell's to report
  lab_wait 30 "the rack's namespaces" lab_rack_ready || return 1
  echo "$LAB_RACK" > "$LAB/rack"
  lab_rack mount -t tmpfs -o mode=755 vigil-lab "$LAB/disk" || { lab_fail "cannot mount the nodes' disks"; return 1; }
  lab_rack ip link set lo up
  lab_bridge lan 02:00:c0:00:02:fe && lab_bridge mgmt 02:00:c6:33:64:fe
}

lab_rack_ready() {
  [ "$(readlink "/proc/$LAB_RACK/exe")" = "$(readlink -f "$(type -P sleep)")" ]
}

# A switch without an address of its own takes its lowest port's, and changes it when that node goes: the neighbours of the
# management controllers, which live on it, would go on sending to the old one.
lab_bridge() {
  lab_rack ip link add "$1" address "$2" type bridge stp_state 0 mcast_snooping 0 && lab_rack ip link set "$1" up ||
    lab_fail "cannot make the switch $1"
}

# Runs in the rack for as long as the lab lives: holds the shared volume's loop device open. "Detached" while it is open, the device
# goes by itself with its last user, so that a killed lab leaves none behind; and nobody else's detaching takes it away.
lab_volume_hold() {
  local image=$1 note=$2 loop
  loop=$(losetup -f --show "$image") && exec 5<>"$loop" || exit 1
  [ "$(losetup -n -O BACK-INO "$loop" | tr -d ' ')" = "$(stat -c %i "$image")" ] || { echo "$loop is another's" >&2; exit 1; }
  losetup -d "$loop"
  losetup -n -O NAME,BACK-MAJ:MIN,BACK-INO "$loop" > "$note-identity"
  echo "$loop" > "$note.new" && mv "$note.new" "$note"
  exec sleep infinity
}

lab_volume_make() {
  lab_rack truncate -s "$LAB_VOLUME_SIZE" "$LAB/disk/volume.img" &&
    lab_rack mkfs.ext4 -q -L vigil-lab "$LAB/disk/volume.img" || { lab_fail "cannot make the shared volume"; return 1; }
  # shellcheck disable=SC2016 # for the shell that is started
  setsid bash -c 'echo $$ > "$0/rack/cgroup.procs" && exec nsenter "$@"' "$LAB_GROUP" -t "$LAB_RACK" -n -m -- \
    bash -c "$(declare -f lab_volume_hold); lab_volume_hold \"\$@\"" hold "$LAB/disk/volume.img" "$LAB/loop" \
    </dev/null >>"$LAB/log/rack.log" 2>&1 3>&- 4>&- &
  disown $!
  lab_wait 30 "the shared volume's loop device (see rack.log)" test -s "$LAB/loop"
}

lab_bmc_start() {
  local node=$1 address=198.51.100.$((100 + $2))
  lab_rack ip addr add "$address/24" dev mgmt || return 1
  # shellcheck disable=SC2034 # read by bmc_start
  BMC_RUN=(bash -c 'echo $$ > "$0/rack/cgroup.procs" && exec nsenter "$@"' "$LAB_GROUP" -t "$LAB_RACK" -n -m --)
  bmc_start "$node" "$LAB/log/bmc" "$address" 623 "$LAB_SOURCE/node_power $LAB $node" ||
    { lab_fail "the management controller of $node does not start; see $LAB/log/bmc/$node.log"; return 1; }
  disown "$(cat "$LAB/log/bmc/$node.pid")"
}

# What switches the node's power: a management controller, or the cloud.
lab_power_start() {
  if [ -n "$LAB_CLOUD" ]; then lab_cloud_instance "$1" "$2"; else lab_bmc_start "$1" "$2"; fi
}

# --- nodes ---

lab_node_own() {
  local folder
  for folder in "$@"; do
    echo "$folder" >> "$LAB/disk/$LAB_NODE/own.list"
    mkdir -p "$LAB/disk/$LAB_NODE/own/$folder"
  done
}

lab_corosync_conf() {
  local number two_node=0
  [ ${#LAB_NODES[@]} -ne 2 ] || two_node=1
  cat <<EOF
totem {
  version: 2
  cluster_name: vigil-lab
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: ${LAB_TOKEN:-1000}
}
logging {
  to_stderr: no
  to_logfile: yes
  logfile: /var/log/corosync/corosync.log
  to_syslog: no
  timestamp: hires
}
quorum {
  provider: corosync_votequorum
  two_node: $two_node
}
nodelist {
EOF
  for ((number = 1; number <= ${#LAB_NODES[@]}; number++)); do
    printf '  node {\n    nodeid: %d\n    name: n%d\n    ring0_addr: 192.0.2.%d\n  }\n' $number $number $number
  done
  echo "}"
}

lab_hosts() {
  local number
  echo "127.0.0.1 localhost"
  for ((number = 1; number <= ${#LAB_NODES[@]}; number++)); do
    echo "192.0.2.$number n$number"
  done
  echo "192.0.2.100 client"
}

# Without it, the first election of a node waits 20 s for others to show up.
lab_first_cib() {
  cat <<'EOF'
<cib crm_feature_set="3.0.14" validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="cib-bootstrap-options-dc-deadtime" name="dc-deadtime" value="2s"/>
      </cluster_property_set>
    </crm_config>
    <nodes/>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>
EOF
}

# Runs in the rack's mount namespace: writes what stands on a node's disk before its first boot.
lab_node_files() {
  local LAB_NODE=$1 number=$2 agents=$3 disk=$LAB/disk/$1
  local etc=$disk/upper/root/etc own=$disk/own
  mkdir -p "$etc" "$own" "$disk/upper/root/srv/db" "$LAB/log/$LAB_NODE"
  printf 'eth0 192.0.2.%d/24\neth1 198.51.100.%d/24\n' "$number" "$number" > "$etc/lab-network"
  lab_hosts > "$etc/hosts"
  echo "$LAB_NODE" > "$etc/hostname"
  [ -z "$agents" ] || cp -a "$agents/." "$disk/upper/root/"
  # A folder that mktemp made would close the node's root to every user.
  chmod 755 "$disk/upper/root"
  : > "$disk/own.list"
  [ "$LAB_NODE" != client ] || return 0
  [ -z "$LAB_CLOUD" ] || lab_cloud_files "$LAB_NODE"
  lab_node_own etc/corosync etc/pacemaker var/lib/corosync var/lib/pacemaker var/lib/pcsd var/lib/vigil usr/local/var/lib/vigil
  lab_corosync_conf > "$own/etc/corosync/corosync.conf"
  mkdir -p "$own"/var/lib/pacemaker/{cib,pengine,cores,blackbox} "$LAB/log/$LAB_NODE"/{corosync,pacemaker}
  lab_first_cib > "$own/var/lib/pacemaker/cib/cib.xml"
  chmod 600 "$own/var/lib/pacemaker/cib/cib.xml"
  chown -R hacluster:haclient "$own/var/lib/pacemaker" "$LAB/log/$LAB_NODE/pacemaker"
  chmod 750 "$own"/var/lib/pacemaker/*
}

# The functions above in a shell of the rack, since the nodes' disks are mounted only there.
lab_node_prepare() {
  echo "$2" > "$LAB/$1.number"
  mkdir -p "$LAB/log/$1"
  # /usr/lib/ocf may be empty on a client; its folders come with the agents.
  lab_rack bash -c "$(declare -f lab_node_files lab_node_own lab_corosync_conf lab_hosts lab_first_cib lab_cloud_files)
    $(declare -p LAB_CLOUD LAB_METADATA_ADDRESSES)
    set -e; LAB=\$1; LAB_TOKEN=\$2; shift 2; file=\$1 number=\$2 agents=\$3; shift 3; LAB_NODES=(\"\$@\")
    lab_node_files \"\$file\" \"\$number\" \"\$agents\"" lab "$LAB" "${LAB_TOKEN:-1000}" "$1" "$2" "$3" "${LAB_NODES[@]}" ||
    lab_fail "cannot write the files of the node" "$1"
}

lab_node_on() {
  lab_rack "$LAB_SOURCE/node_power" "$LAB" "$1" set power 1 || lab_fail "does not start" "$1"
}

lab_node_is_off() {
  lab_group_empty "$LAB_GROUP/$1"
}

# Its first process, while it lives. A number is given again soon (/proc/sys/kernel/pid_max may be 32768), even to a process of the other node: it is
# the node's as long as it is in the node's control group.
lab_node_pid() {
  local pid line
  read -r pid 2>/dev/null < "$LAB/$1.pid" || return 1
  while read -r line; do
    [[ $line != */"${LAB_GROUP##*/}/$1" ]] || { echo "$pid"; return 0; }
  done 2>/dev/null < "/proc/$pid/cgroup"
  return 1
}

# The end of its first process is the end of the PID namespace: the kernel kills all that is in it. LAB_CUT_TIME says when.
lab_node_cut() {
  local pid
  pid=$(lab_node_pid "$1") || { lab_fail "is not running" "$1"; return 1; }
  LAB_CUT_TIME=$EPOCHREALTIME
  kill -KILL "$pid" || { lab_fail "cannot be ended" "$1"; return 1; }
  lab_wait 30 "the end of all processes of $1" lab_node_is_off "$1"
}

lab_node_booted() {
  [ -e "/proc/$(lab_node_pid "$1")/root/run/lab-booted" ]
}

# What is run on a node belongs to its control group, so that it ends with the node.
lab_exec() {
  local node=$1 pid clock=()
  shift
  pid=$(lab_node_pid "$node") || return 1
  [ ! -e "$LAB/$node.clock" ] || clock=(-T)
  # shellcheck disable=SC2016 # for the shell that is started
  timeout -k 2 "${LAB_EXEC_LIMIT:-120}" bash -c 'echo $$ > "$0/cgroup.procs" && exec nsenter "$@"' "$LAB_GROUP/$node" \
    -t "$pid" -m -u -i -n -p -C "${clock[@]}" -- env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# Signals every process of a node until a look finds none that it has not reached: new ones may be born meanwhile.
lab_node_signal() {
  local node=$1 signal=$2 pids='' before=none
  while [ "$pids" != "$before" ]; do
    before=$pids
    pids=$(find "$LAB_GROUP/$node" -name cgroup.procs -exec cat {} + | sort -n | tr '\n' ' ')
    # shellcheck disable=SC2086 # a list of pids; one may have ended
    [ -z "$pids" ] || kill "-$signal" $pids 2>/dev/null
  done
}

lab_node_freeze() { lab_node_signal "$1" STOP; }
lab_node_thaw() { lab_node_signal "$1" CONT; }

# --- faults of the network ---

lab_link() {
  local node=$1 bridge=$2 state=$3
  if [ "$state" = down ]; then : > "$LAB/$node.$bridge.unplugged"; else rm -f "$LAB/$node.$bridge.unplugged"; fi
  lab_rack ip link set "$node-$bridge" "$state"
}

# Isolated ports of a bridge talk to the others only, not to each other.
lab_split_set() {
  local node
  for node in "${LAB_NODES[@]}"; do
    # A node that is off has no port; node_power sets it when it plugs the cable.
    lab_rack bridge link set dev "$node-lan" isolated "$1" 2>/dev/null || lab_node_is_off "$node" ||
      { lab_fail "cannot split the network" "$node"; return 1; }
  done
}

lab_split() { : > "$LAB/split"; lab_split_set on; }
lab_heal() { rm -f "$LAB/split"; lab_split_set off; }

# --- the cluster ---

# Prints the names of the nodes that the cluster's own status, as NODE sees it, calls members; nothing if it can't be asked.
lab_members() {
  lab_exec "$1" cibadmin --query --xpath '//node_state' 2>/dev/null |
    sed -nE '/in_ccm="(true|[1-9][0-9]*)"/{/crmd="(online|[1-9][0-9]*)"/{/join="member"/s/.* uname="([^"]*)".*/\1/p}}' | sort | tr '\n' ' '
}

lab_members_are() {
  local seen=$1
  shift
  [ "$(lab_members "$seen")" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]
}

# --- up and down ---

# The folders are the nodes', whatever prefix the build tree was configured with.
lab_stage() {
  make -s -C "$1" all tests/lab/ledger_client &&
    make -s -C "$1" install-ocfagentPROGRAMS install-fencePROGRAMS install-sbinPROGRAMS \
      "DESTDIR=$2" ocfagentdir=/usr/lib/ocf/resource.d/vigil fencedir=/usr/sbin sbindir=/usr/sbin &&
    install -D "$1/tests/lab/ledger_client" "$2/usr/sbin/ledger_client"
}

lab_settings() {
  # The owner's pid and start time stand in the name of the control group, too: see lab_reap.
  LAB_ID=$(lab_process $$ | tr ' ' x)x$RANDOM
  LAB=$LAB_TMP/vigil-lab.$LAB_ID
  mkdir -m 755 "$LAB" && mkdir -p "$LAB/disk" "$LAB/log/bmc" || { lab_fail "cannot make $LAB"; return 1; }
  lab_process $$ > "$LAB/owner"
  LAB_NODES=()
  local number
  for ((number = 1; number <= $1; number++)); do
    LAB_NODES+=("n$number")
  done
  echo "${LAB_NODES[*]}" > "$LAB/nodes"
}

lab_up() {
  local count=$1 agents=${2:-} number
  lab_settings "$count" || return 1
  for number in ${LAB_CLOCKS:-}; do # NODE=SECONDS
    echo "${number#*=}" > "$LAB/${number%%=*}.clock"
  done
  [ -z "${LAB_VIGILD:-}" ] || echo "${LAB_VIGILD_PRELOAD:-}" > "$LAB/vigild"
  lab_group_make && lab_rack_start && lab_volume_make || return 1
  [ -z "$LAB_CLOUD" ] || lab_cloud_start || return 1
  lab_node_prepare client 100 "$agents" || return 1
  for ((number = 1; number <= count; number++)); do
    lab_node_prepare "n$number" "$number" "$agents" && lab_power_start "n$number" "$number" && lab_node_on "n$number" || return 1
  done
  lab_node_on client && lab_wait 60 "the boot of the client" lab_node_booted client || return 1
  lab_wait 120 "a cluster of all nodes" lab_members_are n1 "${LAB_NODES[@]}" || return 1
  # From now on a node that is started takes as long as a (very quick) server.
  echo "${LAB_SELF_TEST:-6}" > "$LAB/self-test-seconds"
}

# Takes up a lab that runs (--keep) from its folder.
lab_attach() {
  LAB=$1
  LAB_GROUP=$(cat "$LAB/group") && LAB_RACK=$(cat "$LAB/rack") && read -ra LAB_NODES < "$LAB/nodes"
}

lab_volume_is_gone() {
  [ -z "$LAB_LOOP" ] || ! losetup -n -O NAME,BACK-MAJ:MIN,BACK-INO 2>/dev/null | grep -qxF -- "$LAB_LOOP"
}

# Prints what of the lab is still there.
lab_leftovers() {
  local group=${LAB_GROUP:-/nonexistent} file words
  [ -n "$LAB" ] || return 0
  [ ! -d "$group" ] || echo "control group $group"
  [ ! -e "$LAB" ] || echo "folder $LAB"
  grep -F -- "$LAB/" /proc/mounts | sed 's/^/mount /'
  lab_volume_is_gone || echo "loop device $LAB_LOOP"
  for file in /proc/[0-9]*/cmdline; do
    mapfile -d '' -t words 2>/dev/null < "$file" || continue
    [[ "${words[*]}" != *"$LAB"* ]] || echo "process ${file//[!0-9]/}: ${words[*]}"
  done
}

lab_down() {
  [ -n "$LAB" ] && [ -d "$LAB" ] || return 0
  LAB_GROUP=$(cat "$LAB/group" 2>/dev/null) || LAB_GROUP=''
  LAB_LOOP=$(cat "$LAB/loop-identity" 2>/dev/null)
  [ -z "$LAB_GROUP" ] || lab_group_end "$LAB_GROUP"
  lab_wait 30 "the end of the loop device" lab_volume_is_gone
  rm -rf --one-file-system "$LAB"
}

# Leaves the lab to its user when the run ends; `tests/demo --down` ends it.
lab_keep() {
  : > "$LAB/kept" && mkdir "$LAB_GROUP/kept"
}

# Ends the labs whose run is gone without having ended them. One that was kept on purpose stays.
lab_reap() {
  local folder
  for folder in "$LAB_TMP"/vigil-lab.*; do
    [ -d "$folder" ] && [ ! -e "$folder/kept" ] || continue
    lab_process_lives "$(cat "$folder/owner" 2>/dev/null)" && continue
    echo "  ending what a killed run has left: $folder"
    (LAB=$folder lab_down)
  done
  lab_reap_groups
}

# A run with another temporary folder, or one whose folder was removed, is known by its control group alone.
lab_reap_groups() {
  local group pid start
  for group in "$(lab_group_root)"/vigil-lab-*; do
    [ -d "$group" ] && [ ! -d "$group/kept" ] || continue
    IFS=x read -r pid start _ <<< "${group##*/vigil-lab-}"
    lab_process_lives "$pid $start" && continue
    echo "  ending the processes that a killed run has left: $group"
    lab_group_end "$group"
  done
}
