# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# watched_cluster.bash: a lab cluster with vigild on its nodes, and the clock of failures. Behind lab.bash.
#
#   watcher_stage BUILD FOLDER          as lab_stage, with the test's application
#   watcher_up NODES FOLDER             a cluster without fencing, vigild on each node
#   watcher_start NODE, watcher_kill NODE    starts it and waits until agents reach it (WATCHER_PRELOAD: a library loaded into it first); ends it by SIGKILL
#   watcher_app NAME PORT [PARAMETER=VALUE...] [op ...]   an application that starts in 50 ms (app_start_ms), with a probe, polled once a minute
#   watcher_registered NODE NAME        true when vigild on that node watches it
#   watcher_pid NODE NAME               the watched process
#   watcher_reports NODE NAME           how many failures Pacemaker there was told of
#   watcher_reports_stay NODE NAME N    they are N, looked at for three seconds
#   watcher_reported_ms NODE NAME       when the last one was known to Pacemaker: milliseconds since midnight
#   watcher_now_ms                      the same clock, now
#   watcher_settled NAME NODE           NAME runs on NODE, and the cluster has nothing left to do
#   watcher_hanging_disk NAME           n1 has a disk /dev/disk/by-id/scsi-NAME, ext4, whose storage hangs on demand: a loop device on a FUSE file
#   watcher_hanging_set NAME h|o        it hangs from now on, or answers again ("o"), also what was asked meanwhile
#   watcher_load_start NODE, watcher_load_stop NODE    two processes that never rest
#   watcher_cycle NUMBER PORT           the next planned change of the application "app", which is on n1 before and after: by NUMBER a stop and a start, a
#                                       move to n2 and back, a reload, maintenance and back, unmanaged and back

watcher_stage() {
  lab_stage "$1" "$2" && make -s -C "$1" tests/lab/answering_app tests/agents/hangfs && install "$1/tests/lab/answering_app" "$2/usr/sbin/answering_app" &&
    mkdir -p "$2/usr/lib" && gcc -shared -fPIC -D_GNU_SOURCE -o "$2/usr/lib/clock_shift.so" "${BASH_SOURCE[0]%/*}/clock_shift.c"
}

watcher_up() {
  local node
  lab_up "$1" "$2" || return 1
  for node in "${LAB_NODES[@]}"; do
    watcher_start "$node" || return 1
  done
  lab_exec n1 crm_attribute --name stonith-enabled --update false && lab_exec n1 crm_attribute --name no-quorum-policy --update ignore
}

watcher_start() {
  # shellcheck disable=SC2016 # for the node's shell
  LAB_EXEC_LIMIT=0 lab_exec "$1" env PCMK_logfile=/var/log/vigild.log PCMK_debug="${WATCHER_DEBUG:-no}" \
    LD_PRELOAD="${WATCHER_PRELOAD:-}" sh -c 'vigild & echo $! > /run/vigild.pid; wait' </dev/null >>"$LAB/log/$1/vigild.out" 2>&1 3>&- 4>&- &
  disown $!
  lab_wait 60 "a vigild on $1 that has reached Pacemaker" watcher_is_connected "$1"
}

watcher_is_connected() {
  [ "$(LAB_EXEC_LIMIT=5 lab_exec "$1" vigil status 2>/dev/null | grep -c 'acemaker.*connected')" -gt 0 ]
}

watcher_kill() {
  # shellcheck disable=SC2016 # for the node's shell
  lab_exec "$1" sh -c 'kill -KILL "$(cat /run/vigild.pid)"'
}

# A program in the rack, which outlives what started it and ends with the lab.
watcher_in_rack() {
  # shellcheck disable=SC2016 # for the shell that is started
  setsid bash -c 'echo $$ > "$0/rack/cgroup.procs" && exec nsenter "$@"' "$LAB_GROUP" -t "$LAB_RACK" -n -m -- "$@" </dev/null >>"$LAB/log/rack.log" 2>&1 3>&- 4>&- &
  disown $!
}

# The loop device is held open in the rack and seen by n1.
watcher_hanging_disk() {
  local name=$1 folder=$LAB/disk/$1 loop
  lab_rack mkdir -p "$folder/fuse"
  lab_rack truncate -s 64M "$folder/image"
  watcher_hanging_set "$name" o
  watcher_in_rack "$VIGIL_BUILD/tests/agents/hangfs" "$folder/fuse" "$folder/image" "$folder/control"
  lab_wait 60 "the disk that can hang" lab_rack test -e "$folder/fuse/disk" || return 1
  watcher_in_rack bash -c "$(declare -f lab_volume_hold); lab_volume_hold \"\$@\"" hold "$folder/fuse/disk" "$LAB/$name-loop"
  lab_wait 60 "its loop device" test -s "$LAB/$name-loop" || return 1
  loop=$(basename "$(cat "$LAB/$name-loop")")
  lab_exec n1 mknod -m 660 "/dev/$loop" b 7 "${loop#loop}" && lab_exec n1 ln -sfn "../../$loop" "/dev/disk/by-id/scsi-$name" &&
    lab_exec n1 mkfs.ext4 -q "/dev/disk/by-id/scsi-$name"
}

watcher_hanging_set() { lab_rack sh -c "echo $2 > '$LAB/disk/$1/control'"; }

watcher_app() {
  local name=$1 port=$2 set=() interval=60s
  shift 2
  while [ $# -gt 0 ] && [ "$1" != op ]; do
    case $1 in monitor=*) interval=${1#*=} ;; *) set+=("$1") ;; esac
    shift
  done
  [[ " ${set[*]} " == *" watch_interval="* ]] || set+=(watch_interval=0.2)
  lab_exec n1 pcs resource create "$name" ocf:vigil:app "start=answering_app serve $port ${app_start_ms:-50}" type=foreground \
    "probe=http://127.0.0.1:$port/" "${set[@]}" op monitor "interval=$interval" timeout=20s --force >> "$LAB/log/pcs.log" 2>&1
}

watcher_registered() {
  [ -s "/proc/$(lab_node_pid "$1")/root/run/vigil/watch/$2" ]
}

watcher_pid() {
  sed -n 's/.*\tpid=\([0-9]*\).*/\1/p' "/proc/$(lab_node_pid "$1")/root/run/vigil/watch/$2"
}

watcher_reports() {
  grep -c "Result of asyncmon operation for $2 on" "$LAB/log/$1/pacemaker/pacemaker.log" || :
}

watcher_reports_are() {
  [ "$(watcher_reports "$1" "$2")" = "$3" ]
}

watcher_reports_stay() {
  local look
  for ((look = 0; look < 30; look++)); do
    watcher_reports_are "$@" || return
    sleep 0.1
  done
}

watcher_clock_ms() {
  awk -F'[:.]' '{ print (($1 * 60 + $2) * 60 + $3) * 1000 + $4 }'
}

watcher_reported_ms() {
  grep "Result of asyncmon operation for $2 on" "$LAB/log/$1/pacemaker/pacemaker.log" | tail -n 1 | awk '{ print $3 }' | watcher_clock_ms
}

# Pacemaker's log has the time of the node, which has the zone of this machine.
watcher_now_ms() {
  date +%T.%3N | watcher_clock_ms
}

# Each failure of NAME that a controller was told of has led to a stop: before, the cluster's status does not have it yet, and there seems to be nothing to do.
watcher_acted() {
  local log
  for log in "$LAB"/log/n*/pacemaker/pacemaker.log; do
    awk -v told="Result of asyncmon operation for $1 on" -v stop="Requesting local execution of stop operation for $1 on" \
      'index($0, told) { open = 1 } index($0, stop) { open = 0 } END { exit open }' "$log" || return 1
  done
}

watcher_settled() {
  watcher_acted "$1" && LAB_EXEC_LIMIT=10 lab_exec n1 crm_resource --wait --timeout=10 >/dev/null 2>&1 &&
    LAB_EXEC_LIMIT=5 lab_exec n1 crm_resource --resource "$1" --locate 2>/dev/null | grep -q "is running on: $2 *$"
}

watcher_load_start() {
  # shellcheck disable=SC2016 # for the node's shell
  LAB_EXEC_LIMIT=0 lab_exec "$1" sh -c 'for i in 1 2; do (while :; do :; done) & echo $! >> /run/load.pids; done; wait' \
    </dev/null >/dev/null 2>&1 3>&- 4>&- &
  disown $!
}

watcher_load_stop() {
  # shellcheck disable=SC2016 # for the node's shell
  lab_exec "$1" sh -c 'kill $(cat /run/load.pids); rm /run/load.pids'
}

watcher_not_registered() { ! watcher_registered "$@"; }
watcher_says() { grep -q "$2" "/proc/$(lab_node_pid n1)/root/run/vigil/watch/$1"; }
watcher_answers() { lab_exec n1 answering_app ask "$1" 100; }
watcher_role() { lab_exec n1 crm_resource --resource app --meta --set-parameter "$1" --parameter-value "$2" >/dev/null 2>>"$LAB/log/cycles.log"; }

watcher_cycle() {
  local number=$1 port=$2 failures=$((3 + $1 % 90))
  case $((number % 5)) in
    0) watcher_role target-role Stopped && lab_wait 60 "a stopped application" watcher_not_registered n1 app &&
       watcher_role target-role Started && lab_wait 60 "its registration" watcher_registered n1 app && lab_wait 60 "its answer" watcher_answers "$port" ;;
    1) lab_exec n1 crm_resource --resource app --move --node n2 >/dev/null 2>>"$LAB/log/cycles.log"
       lab_wait 60 "its registration on n2" watcher_registered n2 app || return 1
       lab_exec n1 crm_resource --resource app --move --node n1 >/dev/null 2>>"$LAB/log/cycles.log"
       lab_wait 60 "its registration on n1" watcher_registered n1 app ;;
    2) lab_exec n1 crm_resource --resource app --set-parameter watch_failures --parameter-value "$failures" >/dev/null 2>>"$LAB/log/cycles.log" &&
       lab_wait 60 "the reload" watcher_says app "failures=$failures" ;;
    3) lab_exec n1 crm_attribute --name maintenance-mode --update true >/dev/null && lab_exec n1 crm_attribute --name maintenance-mode --delete >/dev/null ;;
    4) watcher_role is-managed false && watcher_role is-managed true ;;
  esac
}
