# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.bash: tests/demo --san: the demo on virtual machines with a shared array. Sourced by tests/demo, whose step, build and options it uses.
#
# What namespaces can't show: a power cut that loses what was not flushed, and an array that keeps the fenced node out.

vmlab() {
  VIGIL_BUILD=$BUILD "$SOURCE/tests/vmlab/vmlab" "$@"
}

# Quiet where it goes well.
san_quiet() {
  "$@" >> "$BUILD/san-demo.log" 2>&1 || { tail -n 15 "$BUILD/san-demo.log" >&2; echo "FAILED: $*; see $BUILD/san-demo.log" >&2; return 1; }
}

san_wait() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@"; do
    [ $SECONDS -lt $end ] || { lab_fail "$what: not within $seconds s"; return 1; }
    sleep 0.3
  done
}

san_bring_up() {
  step "starting a storage machine and two nodes (virtual machines; the first time their disk is made, 1 min)"
  san_quiet vmlab up || return 1
  step "an array with one LUN, reached over two networks; multipath on the nodes"
  san_quiet vmlab san 1 384 && san_quiet vmlab exec n1 guest_volume_group settings && san_quiet vmlab exec n2 guest_volume_group settings &&
    san_quiet vmlab exec n1 'guest_volume_group create /dev/mapper/mpatha ext4' || return 1
  step "making a database on the shared volume"
  san_quiet vmlab exec n1 -t 240 guest_database || return 1
  step "starting Corosync and Pacemaker ($AGENTS agents): fencing by reservation, volume, database, address"
  vmlab exec n1 'install -d -o postgres -g postgres /run/postgresql' && vmlab exec n2 'install -d -o postgres -g postgres /run/postgresql' &&
    san_quiet vmlab cluster "$SOURCE/tests/vmlab/demo_$AGENTS.xml" || return 1
  vmlab exec st 'guest_refusals begin'
  san_client_start || return 1
  step "the service runs on $(san_node); a client commits rows through $SERVICE_ADDRESS"
}

# The node whose kernel has the volume mounted.
san_node() {
  local node
  for node in n1 n2; do
    [ "$(vmlab power $node)" != on ] || ! vmlab exec $node -t 10 'grep -q " /srv/db " /proc/mounts' || echo $node
  done
}

san_client_start() {
  mkdir -p "$LAB/log/ledger"
  CLIENT_LOG=$LAB/log/ledger
  vmlab host setsid --fork "$BUILD/tests/lab/ledger_client" "$CLIENT_LOG" 20 "$SERVICE_CONNINFO" </dev/null >"$LAB/log/client.log" 2>&1 3>&- 4>&-
  san_wait 300 "the client's first 50 committed rows" client_rows_reach 50
}

# --- the show ---

# What the survivor's daemons report, the client's neighbour table, and the client itself. Guests' clocks were set from this machine's.
san_timeline_watch() {
  local survivor=$1 victim=$2
  rm -f "$LAB/timeline" && mkfifo "$LAB/timeline" || return 1
  exec {TIMELINE_FD}<>"$LAB/timeline"
  vmlab exec "$survivor" -t 300 'exec tail -q -n 0 -F /var/log/corosync/corosync.log /var/log/pacemaker/pacemaker.log' 2>/dev/null \
    > >(timeline_read_log "$survivor" "$victim" > "$LAB/timeline") &
  TIMELINE_PIDS=($!)
  tail -q -n 0 -F "$CLIENT_LOG/events" > >(timeline_read_client > "$LAB/timeline") 2>/dev/null &
  TIMELINE_PIDS+=($!)
  disown "${TIMELINE_PIDS[@]}"
}

# Two files on the volume: one that is flushed, and one that the kernel keeps for later, as it does with most of what is written.
san_write_files() {
  vmlab exec "$1" 'cd /srv/db && echo flushed > kept && sync -f kept && echo "not flushed" > lost'
}

san_show_takeover() {
  local victim=$1 survivor=$2 status
  step "cutting the power of $victim"
  san_timeline_watch "$survivor" "$victim" && san_write_files "$victim" || return 1
  LAB_CUT_TIME=$EPOCHREALTIME
  vmlab kill "$victim" || return 1
  timeline_line 0.000 "power cut" "$victim: its memory is gone"
  timeline_print "$LAB_CUT_TIME" lost fenced volume database answered
  status=$?
  timeline_end
  return $status
}

san_show_account() {
  local first=$1 survivor=$2 kept lost
  kept=$(vmlab exec "$survivor" 'cat /srv/db/kept 2>/dev/null') lost=$(vmlab exec "$survivor" 'cat /srv/db/lost 2>/dev/null')
  [ "$kept" = flushed ] || { lab_fail "a flushed file is not on the volume" "$survivor"; return 1; }
  [ "$lost" != "not flushed" ] || { lab_fail "what was not flushed has outlived the power cut: the machine did not lose its memory"; return 1; }
  echo "  the file that was flushed is there; the one that was not is lost, as in any power cut"
  CLIENT_ROWS=$(wc -l < "$CLIENT_LOG/acknowledged")
  awk '{ print $1 }' "$CLIENT_LOG/acknowledged" | sort > "$LAB/acknowledged"
  vmlab host psql -XAtq "$SERVICE_CONNINFO connect_timeout=20" -c 'SELECT id FROM ledger' | sort > "$LAB/table" && [ -s "$LAB/table" ] ||
    { lab_fail "cannot read the table through the address"; return 1; }
  CLIENT_LOST=$(comm -23 <(head -n "$CLIENT_ROWS" "$LAB/acknowledged") "$LAB/table" | wc -l)
  printf '  client gap %s ms; acknowledged rows %s, rows lost %s\n' "$(client_gap "$first")" "$CLIENT_ROWS" "$CLIENT_LOST"
  [ "$CLIENT_LOST" -eq 0 ]
}

# The fenced node has power again, and the array keeps it out until the cluster lets it in.
san_show_exclusion() {
  local victim=$1
  step "$victim gets power, and reaches the array, but has not joined the cluster: it writes to the LUN"
  vmlab boot "$victim" && san_quiet vmlab exec "$victim" 'guest_volume_group settings; guest_san_login 1' || return 1
  vmlab exec "$victim" 'LC_ALL=C dd if=/dev/zero of=/dev/mapper/mpatha bs=4096 seek=98303 count=1 oflag=direct 2>&1' | sed -n 's/^dd: /  /p'
  [ "$(vmlab exec st "guest_refusals count $victim")" -gt 0 ] || { lab_fail "the array has not refused it"; return 1; }
  echo "  the array has refused $(vmlab exec st "guest_refusals count $victim") commands of $victim"
}

san_show() {
  local victim survivor row
  victim=$(san_node)
  [[ "$victim" =~ ^n[12]$ ]] || { lab_fail "the volume is not on one node"; return 1; }
  survivor=$([ "$victim" = n1 ] && echo n2 || echo n1)
  row=$(client_rows)
  san_show_takeover "$victim" "$survivor" && san_show_account "$row" "$survivor" && san_show_exclusion "$victim" || return 1
  [ "$(san_node)" = "$survivor" ] || { lab_fail "the volume is not on $survivor alone"; return 1; }
}

# --- the end ---

san_nobody_left() {
  ! grep -lsaF -- "$LAB/" /proc/[0-9]*/cmdline >/dev/null
}

san_end() {
  [ -n "${VIGIL_VMLAB:-}" ] && [ -d "$LAB" ] || return 0
  step "ending the lab"
  timeline_end
  vmlab down
  rm -rf --one-file-system "$LAB"
  # The one that has held the lab looks once a second whether it has to go.
  san_wait 20 "the end of the lab's last process" san_nobody_left || return 1
  echo "  nothing is left of it: no machine, process, namespace or file"
}

san_finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  [ -z "${BUILD_PID:-}" ] || { pkill -TERM -P "$BUILD_PID"; kill -TERM "$BUILD_PID"; } 2>/dev/null
  rm -rf "$BUILD/log" && cp -r "$LAB/log" "$BUILD/log" 2>/dev/null
  if [ -e "$LAB/kept" ]; then
    cat <<EOF

The lab is up. To use it:
  export VIGIL_VMLAB=$VIGIL_VMLAB VIGIL_BUILD=$BUILD
  tests/vmlab/vmlab exec n1 crm_mon -1
To end it: tests/demo --down
EOF
  else
    san_end || status=1
  fi
  [ "$status" -eq 0 ] || echo "tests/demo: failed" >&2
  exit "$status"
}

san_down_kept() {
  local folder
  for folder in "$LAB_TMP"/vigil-san-demo.*; do
    [ -e "$folder/kept" ] || continue
    VIGIL_VMLAB=$folder/lab vmlab down && rm -rf --one-file-system "$folder"
  done
}

san_main() {
  # shellcheck disable=SC2034 # for timeline.bash; here and not above, since every demo reads this file
  TIMELINE_FENCER="the array"
  # Emulated machines on a busy one: what takes seconds may take minutes.
  # shellcheck disable=SC2034
  TIMELINE_LIMIT=300
  mkdir -p "$BUILD" && : > "$BUILD/san-demo.log" || exit 1
  LAB=$(mktemp -d "$LAB_TMP/vigil-san-demo.XXXXXX") && mkdir -p "$LAB/log" || exit 1
  export VIGIL_VMLAB=$LAB/lab
  [ -n "$KEEP" ] || export VIGIL_VMLAB_OWNER=$$
  trap san_finish EXIT
  trap 'echo; echo "tests/demo: interrupted" >&2; exit 130' INT TERM HUP
  step "building in ${BUILD#"$SOURCE/"}"
  build && rm -rf "$STAGE" && san_bring_up && san_show || exit 1
  [ -z "$KEEP" ] || : > "$LAB/kept"
}
