# shellcheck shell=bash
# target.bash: an iSCSI target on a node of common.bash's (Debian package tgt; tgtd runs in user space and keeps reservations, but refuses APTPL and
# PREEMPT AND ABORT).
#
#   target_start COUNT        a target with LUNs 1 to COUNT on 127.0.0.1:3260, open to everybody; its pid is in $target_pid
#   target_url LUN [HOST]     the URL of a LUN for the initiator named HOST (n1)
#   target_urls COUNT [HOST]  those of LUNs 1 to COUNT, separated by commas
#   target_stop               ends it, as an array does that loses its power
#
#   host_open NAME LUN [HOST] a session of another host with a LUN (tests/stonith/scsi_initiator.c), under the name NAME, kept open
#   host_say NAME WORDS...    gives it a command and prints its answer
#   host_freeze NAME, host_thaw NAME

TARGET_IQN=iqn.2026-01.org.example:array

target_start() {
  local count=$1 lun
  node_spawn env TMPDIR=/run tgtd -f -C 0 --iscsi portal=127.0.0.1:3260
  # shellcheck disable=SC2154 # set by node_spawn
  target_pid=$spawned
  at_end end_process "$target_pid"
  wait_until 60 target_control --op show --mode sys
  target_control --op new --mode target --tid 1 -T "$TARGET_IQN" || return 1
  for ((lun = 1; lun <= count; lun++)); do
    truncate -s 1M "$BATS_TEST_TMPDIR/lun$lun"
    target_control --op new --mode logicalunit --tid 1 --lun "$lun" -b "$BATS_TEST_TMPDIR/lun$lun" || return 1
  done
  target_control --op bind --mode target --tid 1 -I ALL
}

target_control() {
  node_run tgtadm --lld iscsi -C 0 "$@" >/dev/null 2>&1
}

target_url() {
  echo "iscsi://127.0.0.1/$TARGET_IQN/$1?initiator=iqn.2026-01.org.example:${2:-n1}"
}

target_urls() {
  local lun urls=()
  for ((lun = 1; lun <= $1; lun++)); do urls+=("$(target_url "$lun" "${2:-n1}")"); done
  local IFS=,
  echo "${urls[*]}"
}

target_stop() {
  end_process "$target_pid"
  wait "$target_pid" 2>/dev/null || :
}

declare -gA host_pid=()

host_open() {
  local name=$1 pipe=$BATS_TEST_TMPDIR/host.$1 url
  url=$(target_url "$2" "${3:-$1}")
  mkfifo "$pipe.in" "$pipe.out"
  node_run "$VIGIL_BUILD/tests/stonith/scsi_initiator" "$url" <"$pipe.in" >"$pipe.out" 2>&1 3>&- 4>&- &
  host_pid[$name]=$!
  at_end end_process "${host_pid[$name]}"
  # Kept open by this shell, so that the session lives from one command to the next.
  exec {host_in}>"$pipe.in" {host_out}<"$pipe.out"
  eval "host_in_$name=$host_in host_out_$name=$host_out"
  host_answer "$name" >/dev/null
}

host_answer() {
  local line
  eval "read -r -t 60 line <&\$host_out_$1" || { echo "host $1 does not answer" >&2; return 1; }
  echo "$line"
}

host_say() {
  local name=$1
  shift
  eval "echo \"\$*\" >&\$host_in_$name"
  host_answer "$name"
}

# The program itself, below the shell and nsenter that started it.
leaf_process() {
  local pid=$1 child
  while child=$(cat "/proc/$pid/task/$pid/children") && [ -n "$child" ]; do pid=${child%% *}; done
  echo "$pid"
}

# nsenter stops itself when its child is stopped, and has to be let go on, too.
freeze_process() {
  local leaf
  leaf=$(leaf_process "$1")
  kill -STOP "$leaf" && wait_until 30 grep -q '^State:[[:blank:]]T' "/proc/$leaf/status"
}

thaw_process() {
  local leaf parent
  leaf=$(leaf_process "$1")
  parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$leaf/status")
  kill -CONT "$leaf" "$parent"
}

end_process() {
  [ -e "/proc/$1" ] || return 0
  thaw_process "$1" 2>/dev/null || :
  kill -KILL "$(leaf_process "$1")" 2>/dev/null || :
}

host_freeze() {
  freeze_process "${host_pid[$1]}"
}

host_thaw() {
  thaw_process "${host_pid[$1]}"
}
