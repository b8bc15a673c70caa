# SPDX-License-Identifier: GPL-2.0-or-later
# vigild in a real cluster of two nodes: failures are known to Pacemaker long before the next poll (which comes once a minute here), and nothing
# that was planned is taken for one. No fencing: what fails here stays on its node.
#
# LAB_CYCLES: how many planned cycles (30 where not set). LAB_DELAYS: when vigild is killed within a report, in seconds behind the failure (four times).

bats_require_minimum_version 1.5.0

load_lab() {
  # shellcheck source=tests/lab/lab.bash
  . "$BATS_TEST_DIRNAME/lab.bash"
  # shellcheck source=tests/lab/watched_cluster.bash
  . "$BATS_TEST_DIRNAME/watched_cluster.bash"
}

setup_file() {
  load_lab
  local build=${VIGIL_BUILD:-$BATS_TEST_DIRNAME/../../build}
  lab_reap
  watcher_stage "$build" "$BATS_FILE_TMPDIR/stage" > "$BATS_FILE_TMPDIR/stage.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/stage.log"; return 1; }
  LAB_TOKEN=3000 watcher_up 2 "$BATS_FILE_TMPDIR/stage" && watcher_app app 8080 && place app &&
    lab_wait 60 "the application on n1" watcher_settled app n1 && lab_wait 60 "its registration" watcher_registered n1 app || return 1
  export LAB VIGIL_BUILD=$build
}

teardown_file() {
  [ -n "${LAB:-}" ] || return 0
  load_lab
  lab_attach "$LAB"
  lab_down
  local left
  left=$(lab_leftovers)
  [ -z "$left" ] || { echo "left behind: $left" >&2; return 1; }
}

setup() {
  local lab=$LAB
  load_lab
  lab_attach "$lab"
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || cp -r "$LAB/log" "$BATS_FILE_TMPDIR/log.$BATS_TEST_NUMBER"
}

# Runs a command that breaks something of a resource on n1, and demands that Pacemaker is told once, within MS: long before the next poll, also where this
# machine has much else to do. How quick it is on a quiet one is tests/bench's to say.
# shellcheck disable=SC2034 # DETECTED_MS is read by who wants the figure
detect() {
  local name=$1 limit=$2 before began
  shift 2
  before=$(watcher_reports n1 "$name")
  began=$(watcher_now_ms)
  "$@" || return 1
  lab_wait 60 "the report of $name's failure" watcher_reports_are n1 "$name" $((before + 1)) || return 1
  DETECTED_MS=$(($(watcher_reported_ms n1 "$name") - began))
  [ "$DETECTED_MS" -le "$limit" ] || { lab_fail "the failure of $name was known after $DETECTED_MS ms, not within $limit" n1; return 1; }
  echo "# $BATS_TEST_DESCRIPTION: known after $DETECTED_MS ms" >&3
}

# Its home is n1.
place() { lab_exec n1 pcs constraint location "$1" prefers n1=100 >> "$LAB/log/pcs.log" 2>&1; }

app_kill() { lab_exec n1 kill -KILL "$(watcher_pid n1 app)"; }

@test "an application that is killed is reported at once, with the reason, and counted once" {
  local pid
  lab_exec n1 crm_resource --resource app --cleanup
  lab_wait 60 "the application" watcher_settled app n1
  pid=$(watcher_pid n1 app)
  detect app 10000 app_kill
  lab_exec n1 answering_app ask 8080 60000
  lab_wait 60 "a recovered application" watcher_settled app n1
  lab_wait 60 "its new registration" watcher_registered n1 app
  [ "$(watcher_pid n1 app)" != "$pid" ]
  lab_wait 60 "the reason in crm_mon" reason_is_shown "process $pid of app has ended"
  lab_wait 60 "one failure counted" counted n1 1
}

counted() { [ "$(lab_exec n1 crm_failcount --query --resource app --node "$1" | sed 's/.*value=//')" = "$2" ]; }
starts() { grep -c "Result of start operation for app on" "$LAB/log/$1/pacemaker/pacemaker.log" || :; }

# Pacemaker up to 2.1.5 counts what it is told twice; the threshold is not to see it.
@test "single failures never reach a threshold of two, and two do" {
  local round before
  lab_wait 60 "the application" watcher_settled app n1
  before=$(starts n2)
  lab_exec n1 crm_resource --resource app --meta --set-parameter migration-threshold --parameter-value 2
  for round in 1 2 3 4 5; do
    lab_exec n1 crm_resource --resource app --cleanup
    lab_wait 60 "no failure in round $round" counted n1 0
    lab_wait 60 "the application in round $round" watcher_settled app n1
    lab_wait 60 "its registration" watcher_registered n1 app
    detect app 10000 app_kill
    lab_wait 60 "the application again in round $round" watcher_settled app n1
    lab_wait 60 "one failure in round $round" counted n1 1
  done
  [ "$(starts n2)" = "$before" ]
  lab_wait 60 "its registration" watcher_registered n1 app
  detect app 10000 app_kill
  lab_wait 60 "the application on the other node" watcher_settled app n2
  lab_exec n1 crm_resource --resource app --meta --delete-parameter migration-threshold
  lab_exec n1 crm_resource --resource app --cleanup
  lab_wait 60 "the application at home" watcher_settled app n1
}

reason_is_shown() { lab_exec n1 crm_mon --one-shot | grep -q "$1"; }

@test "an application that accepts and never answers is reported" {
  lab_wait 60 "the application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  detect app 30000 lab_exec n1 kill -USR1 "$(watcher_pid n1 app)"
  lab_wait 60 "a recovered application" watcher_settled app n1
  lab_exec n1 answering_app ask 8080 60000
}

@test "in maintenance, and unmanaged, nothing is reported; afterwards it is" {
  local before
  lab_wait 60 "the application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  lab_exec n1 crm_attribute --name maintenance-mode --update true
  before=$(watcher_reports n1 app)
  app_kill
  lab_wait 60 "vigild's word that it leaves it alone" dismissed_for "unmanaged, in maintenance or blocked"
  [ "$(watcher_reports n1 app)" = "$before" ]
  lab_exec n1 crm_attribute --name maintenance-mode --delete
  lab_wait 60 "a recovered application" recovered 8080
  lab_wait 60 "the application" watcher_settled app n1
}

dismissed_for() { lab_exec n1 vigil timeline --since 60s | grep -q "$1"; }
recovered() { lab_exec n1 answering_app ask "$1" 200; }

@test "an address that is deleted by hand is reported" {
  lab_exec n1 pcs resource create ip ocf:vigil:vip ip=192.0.2.60 nic=eth0 cidr_netmask=24 arp_count=1 op monitor interval=60s --force >> "$LAB/log/pcs.log" 2>&1
  place ip
  lab_wait 60 "the address" watcher_settled ip n1
  lab_wait 60 "its registration" watcher_registered n1 ip
  detect ip 10000 lab_exec n1 ip addr del 192.0.2.60/24 dev eth0
  lab_wait 60 "the address again" watcher_settled ip n1
  lab_wait 60 "the address on the interface" address_is_there
}

address_is_there() { lab_exec n1 ip -o addr show dev eth0 | grep -q 192.0.2.60/; }

@test "a link that goes down is reported; one that flaps is not" {
  local before
  lab_wait 60 "the address" watcher_settled ip n1
  lab_exec n1 pcs resource update ip nic=eth1 ip=198.51.100.60 >> "$LAB/log/pcs.log" 2>&1
  lab_wait 60 "the address on the other interface" watcher_settled ip n1
  lab_wait 60 "its registration" watcher_registered n1 ip
  before=$(watcher_reports n1 ip)
  lab_wait 60 "vigild's second look" flap_is_dismissed
  [ "$(watcher_reports n1 ip)" = "$before" ]
  detect ip 15000 lab_link n1 mgmt down
  lab_link n1 mgmt up
  lab_exec n1 pcs resource delete ip >> "$LAB/log/pcs.log" 2>&1
}

@test "a volume that is unmounted by hand, and one that turned read-only, are reported" {
  lab_exec n1 mkdir -p /srv/volume
  lab_exec n1 pcs resource create volume ocf:vigil:san-volume device=/dev/disk/by-id/scsi-shared-volume directory=/srv/volume fstype=ext4 \
    op monitor interval=60s --force >> "$LAB/log/pcs.log" 2>&1
  place volume
  lab_wait 60 "the volume" watcher_settled volume n1
  lab_wait 60 "its registration" watcher_registered n1 volume
  detect volume 10000 lab_exec n1 umount -l /srv/volume
  lab_wait 60 "the volume again" watcher_settled volume n1
  lab_wait 60 "its registration" watcher_registered n1 volume
  detect volume 15000 lab_exec n1 mount -o remount,ro /srv/volume
  lab_wait 60 "the volume again" watcher_settled volume n1
  lab_exec n1 pcs resource delete volume >> "$LAB/log/pcs.log" 2>&1
  lab_wait 60 "a cluster with nothing left to do" lab_exec n1 crm_resource --wait --timeout=20
}

# The kernel tells of a change of the carrier later, and of none where the link is up again by then: so once more.
flap_is_dismissed() {
  local look
  # By one program, since both are to be through before vigild's second look, a quarter of a second later.
  lab_rack ip -batch - <<< $'link set n1-mgmt down\nlink set n1-mgmt up'
  for ((look = 0; look < 20; look++)); do
    ! dismissed_for "link eth1 is well at the second look" || return 0
    sleep 0.1
  done
  return 1
}

@test "storage that hangs is reported, while vigild and the others go on" {
  watcher_hanging_disk hanging
  lab_exec n1 mkdir -p /srv/hanging
  lab_exec n1 pcs resource create hanging ocf:vigil:san-volume device=/dev/disk/by-id/scsi-hanging directory=/srv/hanging fstype=ext4 io_timeout=2 \
    op monitor interval=60s op stop timeout=30s --force >> "$LAB/log/pcs.log" 2>&1
  place hanging
  lab_wait 60 "the volume" watcher_settled hanging n1
  lab_wait 60 "its registration" watcher_registered n1 hanging
  detect hanging 20000 watcher_hanging_set hanging h
  [ -n "$(LAB_EXEC_LIMIT=20 lab_exec n1 vigil status)" ]
  watcher_hanging_set hanging o
  lab_wait 60 "the volume again" watcher_settled hanging n1
  lab_exec n1 pcs resource delete hanging >> "$LAB/log/pcs.log" 2>&1
  lab_wait 60 "a cluster with nothing left to do" lab_exec n1 crm_resource --wait --timeout=20
}

@test "a vigild that was killed takes its registrations up again, and reports what failed meanwhile" {
  local before
  # Its poll, once a minute, would be due about now: it is not to come first.
  lab_exec n1 crm_resource --resource app --restart
  lab_wait 60 "the application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  before=$(watcher_reports n1 app)
  watcher_kill n1
  watcher_start n1
  watcher_registered n1 app
  detect app 10000 app_kill
  lab_wait 60 "a recovered application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  watcher_kill n1
  app_kill
  watcher_start n1
  lab_wait 60 "the report of what failed without vigild" watcher_reports_are n1 app $((before + 2))
  lab_wait 60 "a recovered application" watcher_settled app n1
}

# The process that is to die behind the application, after so many seconds: vigild itself, or its child that speaks to Pacemaker.
kill_within_report() {
  # shellcheck disable=SC2016 # for the node's shell
  lab_exec n1 sh -c 'kill -KILL "$1"; sleep "$2"; if [ "$3" = child ]; then child=$(pgrep -x vigild-cluster) && kill -KILL $child || :; else kill -KILL "$(cat /run/vigild.pid)"; fi' \
    within "$(watcher_pid n1 app)" "$1" "$2"
}

@test "vigild, or its child, is killed at every step of a report: the failure is reported once" {
  local delay victim before
  for delay in ${LAB_DELAYS:-0 0.004 0.015 0.06}; do
    for victim in child vigild; do
      lab_wait 60 "the application" watcher_settled app n1
      lab_wait 60 "its registration" watcher_registered n1 app
      before=$(watcher_reports n1 app)
      kill_within_report "$delay" "$victim"
      [ "$victim" = child ] || watcher_start n1
      lab_wait 60 "the report (the $victim was killed after $delay s)" watcher_reports_are n1 app $((before + 1))
      lab_wait 60 "a recovered application (the $victim was killed after $delay s)" recovered 8080
      lab_wait 60 "a vigild that has reached Pacemaker" watcher_is_connected n1
    done
  done
  lab_wait 60 "the application" watcher_settled app n1
  # And nothing comes behind them.
  watcher_reports_stay n1 app $((before + 1))
}

@test "a CIB manager that hangs holds up no vigild, and what fails meanwhile is reported when it can be" {
  local before
  lab_wait 60 "the application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  before=$(watcher_reports n1 app)
  # shellcheck disable=SC2016 # for the node's shell
  lab_exec n1 sh -c 'kill -STOP $(pgrep -x pacemaker-based)'
  app_kill
  [ -n "$(LAB_EXEC_LIMIT=20 lab_exec n1 vigil status)" ]
  # shellcheck disable=SC2016 # for the node's shell
  lab_exec n1 sh -c 'sleep 2; kill -CONT $(pgrep -x pacemaker-based)'
  lab_wait 300 "the report" watcher_reports_are n1 app $((before + 1))
  lab_wait 300 "a recovered application" recovered 8080
  lab_wait 60 "the application" watcher_settled app n1
}

@test "a wall clock that is stepped by an hour, forth and back, changes nothing" {
  local shift before
  watcher_kill n1
  WATCHER_PRELOAD=/usr/lib/clock_shift.so watcher_start n1
  lab_wait 60 "the application" watcher_settled app n1
  lab_wait 60 "its registration" watcher_registered n1 app
  for shift in 3600 -3600 0; do
    before=$(watcher_reports n1 app)
    lab_exec n1 sh -c 'echo "$1" > /run/clock-shift.new && mv /run/clock-shift.new /run/clock-shift' shift "$shift"
    lab_wait 60 "the step said" steps_are $((++steps))
    watcher_reports_stay n1 app "$before" # through some turns of its probe
    detect app 10000 app_kill
    lab_wait 60 "the application" watcher_settled app n1
    lab_wait 60 "its registration" watcher_registered n1 app
  done
  lab_exec n1 rm /run/clock-shift
  watcher_kill n1
  watcher_start n1
}

steps=0
steps_are() { [ "$(lab_exec n1 vigil timeline --all | grep -c "n1 .*the wall clock was stepped by")" -ge "$1" ]; }

@test "without vigild every agent works, and one that starts later is told by the next monitor" {
  watcher_kill n1
  lab_exec n1 rm -rf /run/vigil/watch
  lab_exec n1 crm_resource --resource app --restart
  lab_wait 60 "the application" watcher_settled app n1
  watcher_not_registered n1 app
  watcher_start n1
  lab_exec n1 pcs resource update app op monitor interval=1s timeout=20s >> "$LAB/log/pcs.log" 2>&1
  lab_wait 60 "its registration by a monitor" watcher_registered n1 app
  lab_exec n1 pcs resource update app op monitor interval=60s timeout=20s >> "$LAB/log/pcs.log" 2>&1
  lab_wait 60 "the application" watcher_settled app n1
}

@test "planned starts, stops, moves, reloads and maintenance under load: not one is reported" {
  local before i
  before=$(($(watcher_reports n1 app) + $(watcher_reports n2 app)))
  watcher_load_start n1
  for ((i = 0; i < ${LAB_CYCLES:-30}; i++)); do
    watcher_cycle $i 8080 || return 1
  done
  watcher_load_stop n1
  lab_wait 60 "the application on n1" watcher_settled app n1
  [ $(($(watcher_reports n1 app) + $(watcher_reports n2 app))) = "$before" ]
}

@test "a hundred failures at once are all reported, each once" {
  local i commands='' pids=''
  for ((i = 1; i <= 100; i++)); do
    commands+="<primitive id=\"many$i\" class=\"ocf\" provider=\"vigil\" type=\"app\"><instance_attributes id=\"many$i-p\"><nvpair id=\"many$i-s\" name=\"start\" value=\"sleep 100000\"/><nvpair id=\"many$i-t\" name=\"type\" value=\"foreground\"/><nvpair id=\"many$i-e\" name=\"settle\" value=\"0\"/></instance_attributes><operations><op id=\"many$i-m\" name=\"monitor\" interval=\"300s\" timeout=\"60s\"/></operations></primitive>"
  done
  lab_exec n1 crm_attribute --type nodes --node n2 --name standby --update on
  lab_exec n1 cibadmin --modify --allow-create --scope resources --xml-pipe <<< "<resources>$commands</resources>"
  lab_wait 300 "a hundred registrations" many_are_registered 100
  LAB_EXEC_LIMIT=320 lab_exec n1 crm_resource --wait --timeout=300
  for ((i = 1; i <= 100; i++)); do
    pids+=" $(watcher_pid n1 "many$i")"
  done
  # shellcheck disable=SC2086 # a list
  lab_exec n1 kill -KILL $pids
  lab_wait 300 "a hundred reports" many_are_reported 100
  LAB_EXEC_LIMIT=320 lab_exec n1 crm_resource --wait --timeout=300
  [ "$(many_reports)" = 100 ]
}

many_are_registered() { [ "$(find "/proc/$(lab_node_pid n1)/root/run/vigil/watch" -name 'many*' | wc -l)" = "$1" ]; }
many_reports() { grep -c 'Result of asyncmon operation for many[0-9]* on' "$LAB/log/n1/pacemaker/pacemaker.log" || :; }
many_are_reported() { [ "$(grep -o 'Result of asyncmon operation for many[0-9]* on' "$LAB/log/n1/pacemaker/pacemaker.log" | sort -u | wc -l)" = "$1" ]; }
