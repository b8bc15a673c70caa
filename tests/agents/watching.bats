#!/usr/bin/env bats
# vigild beside the agents, on a node without a cluster: registering, withdrawing, being killed at any time, clients that misbehave. What it sees
# stands in its log; to tell Pacemaker is the lab's part (tests/lab/vigild.bats).
load ../lib/common

setup() {
  node_start
  log=/run/vigild.log
}

teardown() {
  common_teardown
}

vigild_start() {
  vigild_spawn
  wait_until 30 answers
}

# Its own number on the node: what is spawned is what enters the node.
vigild_spawn() {
  node_run rm -f /run/vigild.pid
  # shellcheck disable=SC2016 # for the node's shell
  node_spawn env PCMK_logfile=$log PCMK_debug=yes "$@" sh -c 'echo $$ > /run/vigild.pid; exec "$0"' "$VIGIL_BUILD/tools/vigild"
  wait_until 30 node_run test -s /run/vigild.pid
  vigild=$(node_run cat /run/vigild.pid)
}

vigild_signal() { node_run kill "-$1" "$vigild"; }

answers() { node_run "$VIGIL_BUILD/tools/vigil" status >/dev/null 2>&1; }
watch_client() { node_run "$VIGIL_BUILD/tests/agents/watch_client" "$@"; }
registered() { node_run test -s "/run/vigil/watch/$1"; }
not_registered() { ! registered "$1"; }
watched() { node_run "$VIGIL_BUILD/tools/vigil" status --json 2>/dev/null | grep -o "\"resource\": *\"$1\"" >/dev/null; }
confirmed() { node_run grep -c 'failure-confirmed' $log; }
has_confirmed() { node_run grep -q "failure-confirmed: $1" $log; }
watched_pid() { node_run sed -n 's/.*\tpid=\([0-9]*\).*/\1/p' "/run/vigil/watch/$1"; }

@test "start registers, stop withdraws, and a call by hand does neither" {
  vigild_start
  agent app start start="sleep 1000" settle=0.1 @timeout=20000 @instance=one
  assert_code 0
  assert registered one
  # By hand there is no timeout of Pacemaker's.
  node_run env OCF_RESOURCE_INSTANCE=one OCF_RESKEY_start="sleep 1000" "$VIGIL_BUILD/agents/app" monitor
  assert registered one
  agent app stop start="sleep 1000" @timeout=20000 @instance=one
  assert_code 0
  refute registered one
  refute has_confirmed ''
}

@test "watch=false registers nothing, and without vigild nothing changes" {
  agent app start start="sleep 1000" settle=0.1 @timeout=20000 @instance=one
  assert_code 0
  refute node_run test -e /run/vigil/watch
  vigild_start
  agent app monitor start="sleep 1000" watch=false @timeout=20000 @interval=10000 @instance=one
  assert_code 0
  refute registered one
  agent app monitor start="sleep 1000" @timeout=20000 @interval=10000 @instance=one
  assert_code 0
  assert registered one
  # A reload that switches it off: the monitor behind it withdraws.
  agent app monitor start="sleep 1000" watch=false @timeout=20000 @interval=10000 @instance=one
  assert_code 0
  refute registered one
  agent app stop start="sleep 1000" @timeout=20000 @instance=one
  assert_code 0
}

@test "status tells each source's last sign of life and the last failure, as text and as JSON" {
  vigild_start
  agent app start start="sleep 1000" settle=0.1 @timeout=20000 @instance=one
  assert_code 0
  run -0 node_run "$VIGIL_BUILD/tools/vigil" status
  assert_output_has '^one \(app\): watched$'
  assert_output_has '^ +(process|cgroup) +well +last sign of life [0-9.]+ (ms|s) ago +'
  refute grep -q 'last failure' <<<"$output"
  assert_equal "$(status_fields last_failure)" None
  assert_equal "$(status_fields state)" watched
  node_run kill -KILL "$(watched_pid one)"
  wait_until 30 failed_is_told
  run -0 node_run "$VIGIL_BUILD/tools/vigil" status
  assert_output_has '^    last failure [0-9.]+ (ms|s) ago: process [0-9]+ of one has ended'
  assert_output_has '^ +process +failed +last sign of life [0-9.]+ (ms|s) ago +.*has ended'
  assert grep -q 'process [0-9]* of one has ended' <<<"$(status_fields last_failure)"
}

failed_is_told() { [ "$(status_fields last_failure)" != None ]; }

# A field of the only resource, behind a look at the ages: milliseconds, of this test's making.
status_fields() {
  node_run "$VIGIL_BUILD/tools/vigil" status --json | python3 -c '
import json, sys
resource, = json.load(sys.stdin)["resources"]
ages = [item["sign_ms"] for item in resource["items"]] + [resource["age_ms"]] + ([resource["last_failure_ms"]] if "last_failure" in resource else [])
assert len(ages) > 1 and all(type(age) is int and 0 <= age < 600000 for age in ages), resource
print(resource.get(sys.argv[1]))' "$1"
}

# Stopped in its tracks it takes a connection and never answers.
@test "a vigild that hangs holds up no agent, and no question to it" {
  local began
  # nsenter would stop with its child: it is not to be the parent here.
  # shellcheck disable=SC2016 # for the node's shell
  node_run sh -c '"$0" </dev/null >/dev/null 2>&1 3>&- 4>&- & echo $! > /run/vigild.pid' "$VIGIL_BUILD/tools/vigild"
  vigild=$(node_run cat /run/vigild.pid)
  wait_until 30 answers
  vigild_signal STOP
  began=$(date +%s%N)
  agent app start start="sleep 1000" settle=0.1 @timeout=20000 @instance=one
  assert_code 0
  agent app monitor start="sleep 1000" @timeout=20000 @interval=10000 @instance=one
  assert_code 0
  agent app stop start="sleep 1000" @timeout=20000 @instance=one
  assert_code 0
  run -1 node_run "$VIGIL_BUILD/tools/vigil" status
  [[ $output == *"vigild does not answer"* ]]
  assert [ $((($(date +%s%N) - began) / 1000000)) -lt 50000 ]
  vigild_signal CONT
  wait_until 30 answers
  refute registered one
}

@test "a monitor registers what is missing, and pays nothing where it stands or no vigild runs" {
  vigild_start
  agent vip start ip=192.0.2.9 nic=lo cidr_netmask=32 @timeout=20000 @instance=ip
  assert_code 0
  assert registered ip
  node_run rm /run/vigil/watch/ip
  agent vip monitor ip=192.0.2.9 nic=lo cidr_netmask=32 @timeout=20000 @interval=10000 @instance=ip
  assert_code 0
  assert registered ip
  node_run strace -f -e trace=connect,openat -o /run/trace env OCF_RESOURCE_INSTANCE=ip OCF_RESKEY_CRM_meta_timeout=20000 OCF_RESKEY_CRM_meta_interval=10000 \
    OCF_RESKEY_ip=192.0.2.9 OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32 "$VIGIL_BUILD/agents/vip" monitor
  refute node_run grep -q libqb /run/trace
  vigild_signal KILL
  # What was registered for something else is not what a vigild that begins later may find.
  node_run bash -c 'echo "vigil-watch 1" > /run/vigil/watch/ip'
  agent vip monitor ip=192.0.2.9 nic=lo cidr_netmask=32 @timeout=20000 @interval=10000 @instance=ip
  assert_code 0
  assert not_registered ip
  node_run rm -rf /run/vigil/watch
  node_run strace -f -e trace=connect,openat -o /run/trace env OCF_RESOURCE_INSTANCE=ip OCF_RESKEY_CRM_meta_timeout=20000 OCF_RESKEY_CRM_meta_interval=10000 \
    OCF_RESKEY_ip=192.0.2.9 OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32 "$VIGIL_BUILD/agents/vip" monitor
  refute node_run grep -q libqb /run/trace
}

# For each name the last line counts; what was acknowledged and not withdrawn must stand, what was withdrawn must not. What had no answer may be either.
claims_hold() {
  local sign name
  while read -r sign name; do
    case $sign in
      +) assert registered "$name" ;;
      -) assert not_registered "$name" ;;
    esac
  done < <(tac "$BATS_TEST_TMPDIR/churn" | sort -u -k2,2)
}

@test "killed at any time: what was acknowledged stands, what was withdrawn does not, and nothing is taken for a failure" {
  local round watched_process client deadline
  node_spawn sleep 1000
  watched_process=$(node_run pgrep -x sleep | tail -n 1)
  vigild_start
  node_spawn bash -c "'$VIGIL_BUILD/tests/agents/watch_client' churn 20 $watched_process > /run/churn"
  client=$spawned
  for ((round = 0; round < 25; round++)); do
    # Every other time in its begin, where a loaded machine may hold it for long.
    ((round % 2)) || wait_until 30 answers
    deadline=$((${EPOCHREALTIME/[.,]/} + RANDOM % 300000))
    while [ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ]; do :; done
    vigild_signal KILL
    vigild_spawn
  done
  wait_until 60 refute kill -0 "$client"
  wait_until 30 answers
  node_run cat /run/churn > "$BATS_TEST_TMPDIR/churn"
  assert [ "$(grep -c '^+' "$BATS_TEST_TMPDIR/churn")" -gt 20 ]
  assert [ "$(grep -c '^-' "$BATS_TEST_TMPDIR/churn")" -gt 20 ]
  claims_hold
  refute has_confirmed ''
}

@test "one that begins waits for one that is about to end, and gives up on one that is not" {
  local first
  vigild_start
  first=$vigild
  run -1 node_run timeout 60 "$VIGIL_BUILD/tools/vigild"
  [[ $output == *"another vigild runs"* ]]
  vigild_spawn
  node_run kill -KILL "$first"
  wait_until 30 answers
  assert vigild_signal 0
}

@test "a full queue, rubbish, and a subscriber that does not read: vigild goes on" {
  vigild_start
  # Answers that nobody reads are dropped; the queue is, and vigild stays.
  watch_client flood 5000 || :
  watch_client rubbish 3000
  wait_until 30 answers
  node_spawn "$VIGIL_BUILD/tests/agents/watch_client" silent 1000
  agent app start start="sleep 1000" settle=0.1 @timeout=20000 @instance=one
  assert_code 0
  for _ in 1 2 3 4 5 6 7 8; do watch_client rubbish 100; done
  wait_until 30 answers
  assert registered one
  refute has_confirmed ''
  assert_equal "$(node_run cat /run/vigild.pid)" "$vigild"
  assert vigild_signal 0
}

@test "who is neither root nor of haclient is not let in" {
  vigild_start
  run -0 node_run bash -c "install -D -m 755 '$VIGIL_BUILD/tests/agents/watch_client' /run/programs/watch_client; ! runuser -u nobody -- /run/programs/watch_client flood 1"
  assert answers
}

@test "the rights that it does not need are given up" {
  vigild_start
  # CHOWN, DAC_OVERRIDE, KILL, NET_ADMIN, NET_RAW: capabilities(7), linux/capability.h
  assert_equal "$(node_run sed -n 's/^CapEff:\t0*//p' "/proc/$vigild/status")" "3023"
  assert_equal "$(node_run sed -n 's/^NoNewPrivs:\t//p' "/proc/$vigild/status")" 1
  # Opened before they were.
  assert_equal "$(node_run find "/proc/$vigild/fd" -lname '/proc/pressure/*' | wc -l)" 2
}

# But for what it needs to open the node's pressure.
@test "what the service's unit leaves it is what it keeps by itself" {
  local unit kept
  unit=$(sed -n 's/^CapabilityBoundingSet=//p' "$VIGIL_SOURCE/packaging/systemd/vigild.service.in" | tr ' ' '\n' | sort)
  kept=$(sed -n '/^#define \(ALWAYS\|WORKER\) /p' "$VIGIL_SOURCE/tools/watcher/privileges.c" | grep -o 'CAP_[A-Z_]*' | sort)
  assert [ "$(wc -l <<<"$kept")" -ge 5 ]
  assert_equal "$unit" "$(printf '%s\n' "$kept" CAP_SYS_RESOURCE | sort)"
  # And the kernel's own count of it, as far as this machine grants it.
  vigild_start
  assert_equal "$(node_run sed -n 's/^CapBnd:\t//p' "/proc/$vigild/status")" "$(bounding_set "$kept")"
}

# The numbers of linux/capability.h, of those that the test has itself.
bounding_set() {
  local name number set=0
  for name in $1; do
    number=$(sed -nE "s/^#define ${name}[[:space:]]+([0-9]+)\$/\1/p" /usr/include/linux/capability.h)
    set=$((set | 1 << number))
  done
  printf '%016x' $((set & 0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status)))
}

@test "systemd is told that it is ready, and that it lives" {
  node_run bash -c "python3 - <<'END' > /run/notified &
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('/run/notify')
while True:
    print(s.recv(500).decode().split('\\\\n')[0], flush=True)
END"
  wait_until 30 node_run test -S /run/notify
  vigild_spawn NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=400000
  wait_until 30 node_run grep -q READY=1 /run/notified
  wait_until 30 node_run bash -c '[ "$(grep -c WATCHDOG=1 /run/notified)" -ge 3 ]'
  vigild_signal TERM
  wait_until 30 node_run grep -q STOPPING=1 /run/notified
}
