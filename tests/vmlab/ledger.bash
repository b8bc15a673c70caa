# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ledger.bash: the ledger test. A writer on the active node appends checksummed, flushed records to the shared volume and acknowledges
# them to clients; then something happens; then the volume is looked at on the array itself.
#
#   ledger_up AGENTS            a lab with the service on it, restored from a snapshot where one was made: AGENTS is vigil or stock
#   ledger_clients_start        four clients, one for each address of each node: they follow whoever answers, and keep their connections
#   ledger_round FAULT          one round: the fault, what has to follow, and the account; LEDGER_TEXT tells what was seen
#   ledger_verify_volume        the account alone
#   ledger_faults               the names of the faults
#
# "After a fault" is judged at the array and by the host's clock, never by a node's: the host copies the LUN while the storage machine stands
# still for a moment, replays the journal in the copy, checks it, and compares the ledger in it with what clients were told before.

# shellcheck source=tests/vmlab/image_cache.bash
. "$VMLAB_FOLDER/image_cache.bash"

LEDGER_PORT=7000
LEDGER_TAKEOVER_LIMIT=${LEDGER_TAKEOVER_LIMIT:-240}
LEDGER_MEGABYTES=256

vmlab() {
  "$VMLAB_FOLDER/vmlab" "$@"
}

ledger_fail() {
  LEDGER_WHY=$*
  echo "ledger: $*" >&2
  return 1
}

ledger_wait() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
  until "$@"; do
    ((${EPOCHREALTIME/[.,]/} < end)) || { ledger_fail "$what: not within $seconds s"; return 1; }
    sleep 0.2
  done
}

# --- set-up ---

ledger_build() {
  vmlab up && vmlab san 1 $LEDGER_MEGABYTES && vmlab exec n1 guest_volume_group settings && vmlab exec n2 guest_volume_group settings &&
    vmlab exec n1 guest_volume_group create /dev/mapper/mpatha "${LEDGER_FILESYSTEM:-ext4}" > "$LEDGER/place" &&
    vmlab exec st guest_refusals begin && vmlab cluster "$VMLAB_FOLDER/ledger_$1.xml" && ledger_clients_start || return 1
  ledger_wait 240 "the service on a node" ledger_active_is_known ||
    { vmlab exec n1 'crm_mon -1rf' >&2; return 1; }
  ledger_settled && ledger_clients_stop
}

# With one node alone no round could be good.
ledger_have_joined() {
  vmlab exec n1 'crm_node --partition' 2>/dev/null | grep -qw n2 && vmlab exec n2 'crmadmin -q -S n2' 2>&1 | grep -qE 'S_(IDLE|NOT_DC|POLICY_ENGINE|TRANSITION_ENGINE)'
}

# Both nodes may have the service, and the cluster has nothing left to do.
ledger_settled() {
  ledger_wait 60 "both nodes in the cluster" ledger_have_joined && ledger_wait 180 "the key of n1" ledger_is_registered n1 && ledger_wait 180 "the key of n2" ledger_is_registered n2 &&
    ledger_wait 180 "an idle cluster" ledger_is_idle
}

ledger_is_idle() {
  vmlab exec n1 'dc=$(crmadmin -q -D 2>&1) && crmadmin -q -S "${dc##* }" 2>&1' | grep -q S_IDLE
}

# Made once, also where two tests begin at once; it stays as long as this one lasts.
ledger_snapshot() {
  flock 9
  if [ ! -e "$LEDGER_SNAPSHOT/place" ]; then
    cache_prune "${LEDGER_SNAPSHOT%/*}" ledger-vigil ledger-stock
    ledger_build "$1" && vmlab save "$LEDGER_SNAPSHOT" && cp "$LEDGER/place" "$LEDGER_SNAPSHOT/" && vmlab down || return 1
  fi
  cache_hold "$LEDGER_SNAPSHOT"
}

# A snapshot saves the 40 s of a cold start.
ledger_up() {
  local agents=$1 key snapshot
  key=$(vmlab snapshot-key) || return 1
  snapshot=${VIGIL_VMLAB_CACHE:-${HOME:-/root}/.cache/vigil-vmlab}/ledger-$agents-$({ cat "$VMLAB_FOLDER/ledger_$agents.xml"; declare -f ledger_build ledger_settled; echo "$key"; } | sha256sum | cut -c1-16)
  LEDGER_SNAPSHOT=$snapshot
  mkdir -p "${snapshot%/*}" && ledger_snapshot "$agents" 9> "${snapshot%/*}/ledger.lock" || return 1
  cp "$snapshot/place" "$LEDGER/" && ledger_restore
}

ledger_restore() {
  vmlab down && vmlab restore "$LEDGER_SNAPSHOT" && ledger_clients_start &&
    ledger_wait 180 "the restored service" ledger_has_acknowledged 20
}

# --- clients ---

ledger_clients_start() {
  local number
  rm -rf "$LEDGER/clients" && mkdir -p "$LEDGER/clients"
  for number in 1 2; do
    ledger_client_start "n$number.lan0" "192.0.2.1$number" && ledger_client_start "n$number.lan1" "192.0.2.7$((4 + number))" || return 1
  done
}

ledger_client_start() {
  vmlab host setsid --fork "$BUILD/tests/vmlab/volume_client" "$2" $LEDGER_PORT "$1" 100 "$LEDGER/clients/$1" \
    </dev/null >/dev/null 2>&1 3>&- 4>&-
}

# They end with the lab; this is for a lab that goes on.
ledger_clients_stop() {
  vmlab host sh -c 'for pid in $(pidof volume_client); do kill $pid; done'
}

# Prints the time of the newest acknowledgement of a node, in microseconds; 0 where there is none.
ledger_newest() {
  cat "$LEDGER/clients/$1".* 2>/dev/null | awk -v node="$1" '$3 == node && $5 > newest { newest = $5 } END { printf "%d\n", newest }'
}

# Has NODE acknowledged anything later than TIME?
ledger_acknowledges() {
  [ "$(ledger_newest "$1")" -gt "$2" ]
}

ledger_active() {
  local first second
  first=$(ledger_newest n1) second=$(ledger_newest n2)
  if [ "$first" -gt "$second" ]; then echo n1; elif [ "$second" -gt 0 ]; then echo n2; fi
}

ledger_has_acknowledged() {
  [ "$(cat "$LEDGER"/clients/* 2>/dev/null | wc -l)" -ge "$1" ]
}

ledger_active_is_known() {
  [ -n "$(ledger_active)" ]
}

# --- faults ---

# Name, what has to follow: "takeover" by the other node, "either" of them has the service and the other is fenced, or it "stays".
LEDGER_FAULTS="
cut takeover
freeze takeover
reset takeover
isolate takeover
paths takeover
split either
network stays
path stays
sessions stays
slow stays
"

ledger_faults() {
  awk 'NF { print $1 }' <<< "$LEDGER_FAULTS"
}

ledger_expectation() {
  awk -v name="$1" '$1 == name { print $2 }' <<< "$LEDGER_FAULTS"
}

fault_cut() { vmlab kill "$1"; }
fault_freeze() { vmlab freeze "$1"; }
fault_reset() { vmlab reset "$1"; }
# Cut off from everybody, the array too.
fault_isolate() { vmlab link "$1" lan0 down && vmlab link "$1" lan1 down; }
heal_isolate() { vmlab link "$1" lan0 up && vmlab link "$1" lan1 up; }
# Cut off from the other node only: both reach the array, and each would take over.
# knet takes the next port for each further link.
fault_split() { vmlab exec "$1" 'iptables -I INPUT -p udp --dport 5405:5406 -j DROP; iptables -I OUTPUT -p udp --dport 5405:5406 -j DROP'; }
heal_split() { vmlab exec "$1" -t 60 'iptables -F'; }
# Cut off from the array only.
fault_paths() { vmlab exec "$1" 'iptables -I OUTPUT -p tcp --dport 3260 -j DROP'; }
heal_paths() { vmlab exec "$1" -t 60 'iptables -F'; }
fault_network() { vmlab link "$1" "lan$((RANDOM % 2))" down; }
heal_network() { heal_isolate "$1"; }
fault_path() { vmlab exec "$1" "iptables -I OUTPUT -p tcp --dport 3260 -d 192.0.2.$((19 + RANDOM % 2 * 64)) -j DROP"; }
heal_path() { heal_paths "$1"; }
fault_sessions() { vmlab exec st "ss -K 'sport = :3260' >/dev/null"; }
fault_slow() { vmlab exec st "guest_slow lun0 $((100 + RANDOM % 300))"; }
heal_slow() { vmlab exec st "guest_slow lun0 0"; }

# --- the account ---

# A copy of the LUN as the array has it in one moment. $1: the file.
ledger_copy() {
  local begin length
  read -r begin length < "$LEDGER/place"
  vmlab freeze st || return 1
  dd if="$VIGIL_VMLAB/st.disk" of="$1" bs=1M iflag=skip_bytes,count_bytes skip="$begin" count="$length" conv=sparse status=none
  vmlab thaw st
}

ledger_verify_volume() {
  local copy=$LEDGER/copy.img
  # What was acknowledged before the copy has to be in it.
  rm -rf "$LEDGER/told" && cp -r "$LEDGER/clients" "$LEDGER/told" && ledger_copy "$copy" || return 1
  # The journal is replayed as a mount would, and then nothing may be left to repair.
  e2fsck -p -E journal_only "$copy" > "$LEDGER/fsck.log" 2>&1
  [ $? -le 1 ] || { ledger_fail "the journal can't be replayed: $(tail -n 2 "$LEDGER/fsck.log")"; return 1; }
  e2fsck -f -n "$copy" > "$LEDGER/fsck.log" 2>&1 || { ledger_fail "the file system is damaged: $(tail -n 5 "$LEDGER/fsck.log")"; return 1; }
  rm -f "$LEDGER/ledger" && debugfs -R "dump /ledger $LEDGER/ledger" "$copy" > "$LEDGER/debugfs.log" 2>&1 &&
    LEDGER_ACCOUNT=$("$VMLAB_FOLDER/ledger_verify" "$LEDGER/ledger" "$LEDGER"/told/*)
}

# The keys' holders, as the array has them: one node's name a line.
ledger_registrants() {
  vmlab exec st 'cat /sys/kernel/config/target/core/iblock_0/lun0/pr/res_pr_registered_i_pts' |
    sed -nE 's/^iSCSI Node: iqn.2001-04.com.example:(n[0-9]+),.*/\1/p' | sort -u
}

# Who holds the reservation, as the array has it.
ledger_holder() {
  vmlab exec st 'cat /sys/kernel/config/target/core/iblock_0/lun0/pr/res_holder' |
    sed -nE 's/.*iqn.2001-04.com.example:(n[0-9]+),.*/\1/p'
}

# The one node that may write: alone registered, it holds the reservation.
ledger_holds_alone() {
  [ "$(ledger_registrants)" = "$1" ] && [ "$(ledger_holder)" = "$1" ] && return
  ledger_fail "registered is $(ledger_registrants | paste -sd ' '), the reservation holds $(ledger_holder), not $1 alone"
}

ledger_mounted() {
  vmlab exec "$1" 'grep -q " /srv/data " /proc/mounts'
}

# How many writes of a node the array has refused.
ledger_refusals() {
  vmlab exec st "guest_refusals count $1"
}

ledger_was_refused() {
  [ "$(ledger_refusals "$1")" -gt "$2" ]
}

# --- a round ---

ledger_round() {
  local fault=$1 active other begin
  active=$(ledger_active)
  other=$([ "$active" = n1 ] && echo n2 || echo n1)
  LEDGER_FENCED='' LEDGER_TEXT="$fault of $active"
  begin=${EPOCHREALTIME/[.,]/}
  "fault_$fault" "$active" || { ledger_fail "the fault $fault can't be made"; return 1; }
  case $(ledger_expectation "$fault") in
  takeover)
    LEDGER_FENCED=$active
    ledger_round_takeover "$fault" "$active" "$other" "$begin" ;;
  either) ledger_round_either "$fault" "$active" "$other" "$begin" ;;
  stays) ledger_round_stays "$fault" "$active" "$other" "$begin" ;;
  esac || return 1
  ledger_verify_volume || return 1
  LEDGER_TEXT+="; $LEDGER_ACCOUNT"
}

ledger_round_takeover() {
  local fault=$1 active=$2 other=$3 begin=$4 before answered
  ledger_wait "$LEDGER_TAKEOVER_LIMIT" "the takeover by $other" ledger_acknowledges "$other" "$begin" || return 1
  answered=$(ledger_newest "$other")
  before=$(ledger_refusals "$active")
  LEDGER_GAP=$(((answered - begin) / 1000))
  LEDGER_TEXT+=", $other answers after $LEDGER_GAP ms"
  ledger_holds_alone "$other" || return 1
  ledger_mounted "$other" || { ledger_fail "$other answers without the volume"; return 1; }
  case $fault in
  freeze) vmlab thaw "$active" && ledger_late_write "$active" "$before" ;;
  isolate | paths) "heal_$fault" "$active" && ledger_forced_write "$active" ;;
  esac
}

# The fenced node can run and reach the array again: what it still wants to write, the array has to refuse.
ledger_late_write() {
  ledger_wait 120 "the refusal of a late write of $1" ledger_was_refused "$1" "$2" || return 1
  LEDGER_REFUSED=$(ledger_refusals "$1")
  LEDGER_TEXT+=", $LEDGER_REFUSED commands of $1 refused"
}

# Cut off from the array, the node has given up its writes before it was let back; whatever else is run there may still write. So a block that
# nobody uses is written (behind the last whole extent of the volume group), when it reaches the array again.
ledger_forced_write() {
  ledger_wait 120 "the array's refusal of a write of $1" ledger_write_is_refused "$1" || return 1
  LEDGER_REFUSED=$(ledger_refusals "$1")
  LEDGER_TEXT+=", $LEDGER_REFUSED commands of $1 refused"
  [ "$LEDGER_REFUSED" -gt 0 ]
}

# "Invalid exchange" is EBADE, the kernel's word for a reservation conflict.
ledger_write_is_refused() {
  vmlab exec "$1" -t 60 "LC_ALL=C dd if=/dev/zero of=/dev/mapper/mpatha bs=4096 seek=$((LEDGER_MEGABYTES * 256 - 1)) count=1 oflag=direct 2>&1" \
    > "$LEDGER/late-write"
  ! grep -q '^1+0 records out' "$LEDGER/late-write" || { ledger_fail "the array has taken a write of $1, which is fenced"; return 1; }
  grep -q 'Invalid exchange' "$LEDGER/late-write"
}

# Both nodes reach the array, not each other: the array decides whose fencing comes first.
ledger_round_either() {
  local fault=$1 active=$2 other=$3 begin=$4
  ledger_wait "$LEDGER_TAKEOVER_LIMIT" "the fencing of one of the nodes" ledger_one_is_registered || return 1
  if [ "$(ledger_registrants)" = "$other" ]; then
    LEDGER_FENCED=$active
    ledger_round_takeover "$fault" "$active" "$other" "$begin" && "heal_$fault" "$active" || return 1
    # Its writer was ended before it wrote again, or the array has refused it: what it wrote is looked for below.
    LEDGER_REFUSED=$(ledger_refusals "$active")
  else
    LEDGER_FENCED=$other
    LEDGER_TEXT+=", $other is fenced"
    ledger_wait 120 "an acknowledgement of $active behind the fencing of $other" ledger_acknowledges "$active" "${EPOCHREALTIME/[.,]/}" &&
      "heal_$fault" "$active" && ledger_holds_alone "$active" || return 1
    ! ledger_mounted "$other" || { ledger_fail "$other has mounted the volume"; return 1; }
  fi
}

ledger_one_is_registered() {
  [ "$(ledger_registrants | wc -l)" -eq 1 ]
}

# The fault lasts until what it does has come about: acknowledgements for as long as failure detection would need.
ledger_round_stays() {
  local fault=$1 active=$2 other=$3 begin=$4
  ledger_wait 120 "another acknowledgement of $active under the fault" ledger_acknowledges "$active" $((begin + ${LEDGER_FAULT_SECONDS:-8} * 1000000)) || return 1
  ! declare -F "heal_$fault" >/dev/null || "heal_$fault" "$active" || return 1
  ledger_wait 120 "an acknowledgement of $active after the fault" ledger_acknowledges "$active" "${EPOCHREALTIME/[.,]/}" || return 1
  [ "$(ledger_newest "$other")" -lt "$begin" ] || { ledger_fail "$other took over, without need"; return 1; }
  ! ledger_mounted "$other" || { ledger_fail "the volume is mounted on both nodes"; return 1; }
  LEDGER_TEXT+=", no takeover"
}

# Brings the fenced node back into the cluster by a new boot, and waits until all is as it was before, with the roles changed.
ledger_rejoin() {
  local node=$1
  case $(vmlab power "$node") in
  off) vmlab start "$node" ;;
  *) vmlab reset "$node" ;;
  esac
  vmlab link "$node" lan0 up && vmlab link "$node" lan1 up && vmlab wait "$node" && vmlab exec "$node" 'guest_volume_group settings; guest_san_login 1' ||
    return 1
  ! ledger_mounted "$node" || { ledger_fail "$node has the volume mounted after its boot"; return 1; }
  vmlab put "$node" "$VMLAB_FOLDER/ledger_$LEDGER_AGENTS.xml" /etc/lab-resources.xml &&
    vmlab exec "$node" "VIGIL_VMLAB_TOKEN=${VIGIL_VMLAB_TOKEN:-3000} guest_cluster n1 n2" &&
    ledger_settled
}

ledger_is_registered() {
  ledger_registrants | grep -qx "$1"
}
