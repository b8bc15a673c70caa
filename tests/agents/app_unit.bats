#!/usr/bin/env bats
# The app agent with systemd units, on a real systemd that runs as the first process of namespaces of its own: it reads no unit of this
# machine, and everything outside of /run, /tmp and /var of its own is read-only to it.
load ../lib/common

fake=$VIGIL_BUILD/tests/agents/fake_service

# Runs as the first process of the namespaces, and becomes systemd.
manager_main() {
  set -e
  local folder
  mount --make-rprivate /
  mount -t proc proc /proc
  mount -o remount,bind,ro /
  mount --bind /dev /dev
  mount -o remount,bind,ro /dev
  umount -R /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # The build may stand below one of the folders that are covered.
  exec 7<"$VIGIL_BUILD"
  for folder in /run /tmp /var; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
  mkdir -p "$VIGIL_BUILD"
  mount --no-canonicalize --bind /proc/self/fd/7 "$VIGIL_BUILD"
  exec 7<&-
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  ip link set lo up
  mkdir -p /run/units /run/dbus /var/log
  unit boot.target '[Unit]' Wants=dbus.service After=dbus.service
  unit dbus.socket '[Unit]' '[Socket]' ListenStream=/run/dbus/system_bus_socket
  unit dbus.service '[Unit]' Requires=dbus.socket '[Service]' Type=notify \
    ExecStart='/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only'
  unit good.service '[Unit]' '[Service]' ExecStart="$1 serve 7777 redis"
  unit stubborn.service '[Unit]' '[Service]' ExecStart="$1 stubborn" TimeoutStopSec=infinity
  unit leaver.service '[Unit]' '[Service]' ExecStart="$1 escape" KillMode=process
  unit bad.service '[Unit]' '[Service]' ExecStart=/bin/false Type=oneshot
  unit dies.service '[Unit]' '[Service]' ExecStart=/bin/false
  unit slow.service '[Unit]' '[Service]' Type=notify ExecStart="$1 sleep" TimeoutStartSec=infinity
  unit restarts.service '[Unit]' '[Service]' ExecStart="$1 sleep" Restart=always RestartSec=100
  unit reloads.service '[Unit]' '[Service]' ExecStart="$1 sleep" ExecReload='/bin/touch /run/reloaded'
  ln -s /dev/null /run/units/masked.service
  exec env -i PATH="$PATH" container=vigil SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/nonexistent \
    SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent \
    /lib/systemd/systemd --system --unit=boot.target --log-target=console --show-status=no
}

# unit NAME LINE...: without the dependencies on the rest of a system that systemd adds.
unit() {
  local name=$1
  shift
  printf '%s\n' "$@" | sed 's/^\[Unit\]$/&\nDefaultDependencies=no/' >"/run/units/$name"
}

find_manager() {
  manager=$(cat "/proc/$outer/task/$outer/children") && manager=${manager// /} && [ -n "$manager" ]
}

manager_up() { nsenter -t "$manager" -m -p -- systemctl is-active dbus.service >/dev/null 2>&1; }

setup() {
  cgroup_root=/sys/fs/cgroup
  [ -e $cgroup_root/cgroup.procs ] || cgroup_root=/sys/fs/cgroup/unified
  group=$cgroup_root/$(unique_name vigil-test)
  mkdir "$group"
  # Made here, since a substitution in the background would be a child to be mistaken for systemd.
  script="$(declare -f manager_main unit); manager_main \"\$1\""
  # shellcheck disable=SC2016 # expanded by the shell that is started
  bash -c 'echo 0 >"$1/cgroup.procs"; exec unshare --mount --pid --cgroup --net --ipc --uts --fork --kill-child bash -c "$2" manager "$3"' \
    - "$group" "$script" "$fake" </dev/null >"$BATS_TEST_TMPDIR/manager.log" 2>&1 3>&- 4>&- &
  outer=$!
  wait_until 60 find_manager
  wait_until 60 manager_up || { cat "$BATS_TEST_TMPDIR/manager.log" >&2; return 1; }
}

teardown() {
  local folder
  echo 1 >"$group/cgroup.kill"
  wait "$outer" 2>/dev/null || :
  wait_until 60 grep -q 'populated 0' "$group/cgroup.events"
  while read -r folder; do rmdir "$folder"; done < <(find "$group" -depth -type d)
  common_teardown
}

on_manager() { nsenter -t "$manager" -m -n -u -i -p -C -- "$@"; }
capture_on_node() { capture on_manager "$@"; }
app() { agent app "$@"; }
is() { [ "$(on_manager systemctl show -P ActiveState "$1")" = "$2" ]; }
alive() { on_manager pgrep -f "fake_servic[e] $1" >/dev/null; }

@test "a unit: probe, start, monitor, stop, each twice; never enabled" {
  app monitor unit=good.service @interval=0
  assert_code 7
  app start unit=good.service probe=redis://127.0.0.1:7777
  assert_code 0
  app start unit=good.service probe=redis://127.0.0.1:7777
  assert_code 0
  app monitor unit=good.service probe=redis://127.0.0.1:7777 @depth=10
  assert_code 0
  assert is good.service active
  app stop unit=good.service
  assert_code 0
  refute alive serve
  app stop unit=good.service
  assert_code 0
  app monitor unit=good.service
  assert_code 7
  assert_reason 'unit good.service is inactive'
  assert_equal "$(on_manager systemctl show -P UnitFileState good.service)" static
}

@test "a unit that was killed: not running, and can be started again" {
  app start unit=good.service probe=redis://127.0.0.1:7777
  on_manager systemctl kill -s KILL good.service
  wait_until 60 is good.service failed
  app monitor unit=good.service
  assert_code 7
  assert_reason 'unit good.service is failed'
  app start unit=good.service probe=redis://127.0.0.1:7777
  assert_code 0
}

@test "a unit that is not here, or masked: start 5, probe 7, stop 0" {
  for name in nothing.service masked.service; do
    app monitor unit=$name @interval=0
    assert_code 7
    app start unit=$name
    assert_code 5
    assert_reason "unit $name is (not-found|masked) on this node"
    app stop unit=$name
    assert_code 0
  done
}

@test "a unit that fails to start: systemd's verdict is the reason" {
  app start unit=bad.service
  assert_code 1
  assert_reason "StartUnit of unit bad.service ended as 'failed'"
  app start unit=dies.service settle=10
  assert_code 1
  assert_reason 'dies.service is failed .* before test was ready'
}

@test "a unit that never becomes ready, by systemd's notice or by the probe: fails by the deadline, nothing left" {
  app start unit=slow.service @timeout=4000
  assert_code 1
  assert_reason 'was not done in time'
  refute alive sleep
  app start unit=good.service probe=tcp://127.0.0.1:7778 @timeout=4000
  assert_code 1
  assert_reason 'connection refused'
  refute alive serve
}

@test "a unit that ignores TERM is killed in time" {
  app start unit=stubborn.service settle=0.1
  assert_code 0
  app stop unit=stubborn.service @timeout=4000
  assert_code 0
  refute alive stubborn
}

@test "processes that KillMode=process leaves in the cgroup are ended" {
  app start unit=leaver.service settle=0.3
  assert_code 0
  wait_until 20 alive stubborn
  app stop unit=leaver.service @timeout=6000
  assert_code 0
  refute alive stubborn
}

@test "a unit that systemd is restarting by itself has failed to a monitor; its stop ends that" {
  app start unit=restarts.service settle=0.1
  on_manager systemctl kill -s KILL restarts.service
  wait_until 60 is restarts.service activating
  app monitor unit=restarts.service
  assert_code 1
  assert_reason 'activating \(auto-restart\)'
  app stop unit=restarts.service
  assert_code 0
  assert is restarts.service inactive
}

@test "reload is systemd's" {
  app start unit=reloads.service settle=0.1
  app reload unit=reloads.service
  assert_code 0
  assert on_manager test -e /run/reloaded
}

@test "systemd that can't be asked is unknown, never absent" {
  app monitor unit=good.service @DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/nothing @interval=0
  assert_code 1
  assert_reason "D-Bus is not reached"
  app stop unit=good.service @DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/nothing
  assert_code 1
}

@test "a D-Bus that does not answer: the action ends by its deadline" {
  app start unit=good.service probe=redis://127.0.0.1:7777
  bus=$(on_manager systemctl show -P MainPID dbus.service)
  on_manager kill -STOP "$bus"
  before=$EPOCHSECONDS
  app monitor unit=good.service @timeout=2000
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  on_manager kill -CONT "$bus"
  assert_code 1
  assert_reason 'did not answer in time'
}

@test "unit does not go with start; its name is checked" {
  app monitor unit=good.service start=x
  assert_code 6
  app monitor unit=good
  assert_code 6
  app monitor unit='a/../b.service'
  assert_code 6
  app monitor
  assert_code 6
}
