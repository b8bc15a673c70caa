# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeline.bash: a takeover as it happens, from what the programs on the nodes themselves report.
#
#   timeline_watch NODE PEER     begins to watch: NODE's Corosync and Pacemaker, PEER's fencing, and the client
#   timeline_print TIME EVENT... prints each event, with the seconds since TIME, as it comes in; returns 0 when all of the named
#                                ones have been seen, 1 after 90 s. TIMELINE holds "EVENT SECONDS" lines.
#   timeline_end
#
# Events: lost (membership), fenced, disk and moved (a cloud's disk and address), volume, database, address, answered; noticed (a monitor that failed). Those of the cluster
# carry the time that the daemon wrote into its log, "address" the time when the client's neighbour table took the
# node's hardware address, "answered" the client's own clock: all are the clock of this one machine.

declare -A TIMELINE_TEXT=(
  [lost]="membership lost" [fenced]="fenced" [disk]="disk attached" [moved]="cloud address moved" [volume]="volume mounted" [database]="database up"
  [address]="address announced" [answered]="first commit answered" [noticed]="failure noticed"
)

TIMELINE_PIDS=()

# "Nov 22 16:39:02.743 ..." to seconds since the epoch.
timeline_log_time() {
  local month day time
  read -r month day time _ <<< "$1"
  date -d "$month $day $time" +%s.%N 2>/dev/null || echo "$EPOCHREALTIME"
}

timeline_read_log() {
  local node=$1 peer=$2 line
  while read -r line; do
    case $line in
    *"A new membership"*"Members left"*) set -- lost "$node is on its own" ;;
    *"Operation '"*"' targeting $peer by "*": OK"*) set -- fenced "$peer, by ${TIMELINE_FENCER:-$([ -n "$LAB_CLOUD" ] && echo "the cloud" || echo "its management controller")}" ;;
    *"Result of start operation for disk on $node: "[oO][kK]*) set -- disk "to $node" ;;
    *"Result of start operation for cloud-address on $node: "[oO][kK]*) set -- moved "to $node" ;;
    *"Result of start operation for volume on $node: "[oO][kK]*) set -- volume "on $node" ;;
    *"Result of start operation for database on $node: "[oO][kK]*) set -- database "on $node" ;;
    *"Result of monitor operation for database on $node: "*) set -- noticed "${line##*"$node: "}" ;;
    *) continue ;;
    esac
    [ "$1" != noticed ] || [[ "$2" != [oO][kK]* ]] || continue
    echo "$(timeline_log_time "$line") $1 ${2%% |*}"
  done
}

# The client's neighbour table takes another hardware address for the virtual one: the announcement has arrived.
timeline_read_neighbours() {
  local node=$1 mac line last=''
  mac=$(printf '02:00:c0:00:02:%02x' "${node#n}")
  while read -r line; do
    [[ "$line" = "$SERVICE_ADDRESS "*"lladdr $mac"* ]] || continue
    [ -n "$last" ] || echo "$EPOCHREALTIME address $node has $SERVICE_ADDRESS for the client"
    last=$mac
  done
}

timeline_read_client() {
  local event time row gap
  while read -r event time row gap; do
    [ "$event" = answered ] || continue
    printf '%d.%06d answered row %s, %s ms after the one before\n' $((time / 1000000)) $((time % 1000000)) "$row" $((gap / 1000))
  done
}

# The readers end when what they read from ends.
timeline_watch() {
  local node=$1 peer=$2 log=$LAB/log
  rm -f "$LAB/timeline" && mkfifo "$LAB/timeline" || return 1
  exec {TIMELINE_FD}<>"$LAB/timeline"
  # From their beginning, since it may read for the first time when the failure has been noticed already; what is of earlier times is left out below.
  tail -q -n +1 -F "$log/$node/corosync/corosync.log" "$log/$node/pacemaker/pacemaker.log" \
    > >(timeline_read_log "$node" "$peer" > "$LAB/timeline") 2>/dev/null &
  TIMELINE_PIDS=($!)
  tail -q -n +1 -F "$CLIENT_LOG/events" > >(timeline_read_client > "$LAB/timeline") 2>/dev/null &
  TIMELINE_PIDS+=($!)
  nsenter -t "$(lab_node_pid client)" -n ip monitor neigh > >(timeline_read_neighbours "$node" > "$LAB/timeline") 2>/dev/null &
  TIMELINE_PIDS+=($!)
  disown "${TIMELINE_PIDS[@]}"
}

timeline_since() {
  awk -v from="$1" -v to="$2" 'BEGIN { printf "%.3f", to - from }'
}

timeline_line() {
  printf '  %8.3f s  %-22s %s\n' "$1" "$2" "$3"
}

timeline_print() {
  local start=$1 time event detail since
  shift
  local -A wanted=()
  for event in "$@"; do wanted[$event]=1; done
  TIMELINE=''
  while [ ${#wanted[@]} -gt 0 ]; do
    read -r -t "${TIMELINE_LIMIT:-90}" -u "$TIMELINE_FD" time event detail || { lab_fail "not seen within ${TIMELINE_LIMIT:-90} s: ${!wanted[*]}"; return 1; }
    since=$(timeline_since "$start" "$time")
    # What was on its way before the cut is not of this takeover; a repeated event neither.
    [[ "$since" != -* ]] && [ -n "${wanted[$event]:-}" ] || continue
    timeline_line "$since" "${TIMELINE_TEXT[$event]}" "$detail"
    TIMELINE+="$event $since"$'\n'
    unset "wanted[$event]"
  done
}

timeline_end() {
  [ ${#TIMELINE_PIDS[@]} -eq 0 ] || kill "${TIMELINE_PIDS[@]}" 2>/dev/null
  TIMELINE_PIDS=()
  [ -z "${TIMELINE_FD:-}" ] || exec {TIMELINE_FD}>&-
  TIMELINE_FD=''
}
