# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by common.bash
# fence_vigil_bmc against OpenIPMI's simulator, each test in a network namespace of its own.
load ../lib/common
load ../lib/bmc

setup() {
  node_start
  at_end bmc_stop_all
  # shellcheck disable=SC2034 # for bmc.bash
  BMC_RUN=(nsenter -t "$(node_pid)" -n --)
  folder=$BATS_TEST_TMPDIR
  bmc_start n1 "$folder" 127.0.0.1 9623 "$(bmc_power_program "$folder" n1)"
  echo "$BMC_PASSWORD" >"$folder/password"
  chmod 600 "$folder/password"
  login=("username=$BMC_USER" "password_file=$folder/password")
  one=("${login[@]}" ip=127.0.0.1 ipport=9623)
}

# A second controller, on IPv6, and a map of both.
start_second() {
  bmc_start n2 "$folder" ::1 9624 "$(bmc_power_program "$folder" n2)"
  map=("${login[@]}" "hosts=n1=127.0.0.1:9623 n2=[::1]:9624")
}

# A relay on port 9700 in front of n1, passing everything at first.
start_relay() {
  echo pass >"$folder/mode"
  node_spawn /usr/bin/python3 "$VIGIL_SOURCE/tests/stonith/udp_relay.py" 127.0.0.1 9700 127.0.0.1 9623 "$folder/mode"
  at_end kill "$spawned"
  relayed=("${login[@]}" ip=127.0.0.1:9700)
  wait_until 10 bmc_test_port 9700
}

bmc_test_port() {
  node_run cat /proc/net/udp | grep -q "$(printf ':%04X 0*:0000 07' "$1")"
}

power_is() {
  assert_equal "$(cat "$folder/$1.power")" "$2"
}

# How often the chassis was told to change.
sets_of() {
  grep -c '^set' "$folder/$1.calls" || :
}

records() {
  node_run cat "$(build_statedir)/records/decisions.jsonl"
}

seconds_of() {
  local begin=${EPOCHREALTIME/[.,]/}
  "$@"
  elapsed_ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

# ---- the good controller ----

@test "status: on is 0, off is 2" {
  fence fence_vigil_bmc action=status "${one[@]}"
  assert_code 0
  assert_output_has '^Status: ON$'
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=status "${one[@]}"
  assert_code 2
  assert_output_has '^Status: OFF$'
  assert_equal "$(sets_of n1)" 0
}

@test "off is done, seen, and recorded with the controller's words" {
  fence fence_vigil_bmc action=off plug=n1 "${one[@]}"
  assert_code 0
  power_is n1 0
  assert_equal "$(sets_of n1)" 1
  records | grep -q '"what":"fence-off".*was ON, seen OFF; chassis status of BMC 127.0.0.1:9623: power bits 0x00'
}

@test "off of a chassis that is off is success without a command" {
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(sets_of n1)" 0
  records | grep -q '"what":"fence-off".*already OFF'
}

@test "on" {
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=on "${one[@]}"
  assert_code 0
  power_is n1 1
}

@test "reboot is off, then on" {
  fence fence_vigil_bmc action=reboot "${one[@]}"
  assert_code 0
  power_is n1 1
  assert_equal "$(grep '^set' "$folder/n1.calls" | tr '\n' ' ')" "set power 0 set power 1 "
}

@test "reboot of a chassis that is off only turns it on" {
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=reboot "${one[@]}"
  assert_code 0
  assert_equal "$(grep '^set' "$folder/n1.calls" | tr '\n' ' ')" "set power 1 "
}

@test "reboot is the action where none is named" {
  fence fence_vigil_bmc "${one[@]}"
  assert_code 0
  assert_equal "$(grep -c '^set power 0' "$folder/n1.calls")" 1
}

@test "method=cycle: the power is seen off, then on" {
  echo 2 >"$folder/n1.slow_on"
  fence fence_vigil_bmc action=reboot method=cycle "${one[@]}"
  assert_code 0
  wait_until 30 power_is n1 1
  records | grep -q 'seen OFF during a power cycle'
}

@test "method=cycle on a chassis that is off turns it on, and is no error" {
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=reboot method=cycle "${one[@]}"
  assert_code 0
  power_is n1 1
  assert_equal "$(grep '^set' "$folder/n1.calls" | tr '\n' ' ')" "set power 1 "
}

@test "method=cycle whose off is never seen is a failure" {
  touch "$folder/n1.lies"
  fence fence_vigil_bmc action=reboot method=cycle power_timeout=3 "${one[@]}"
  assert_code 1
  assert_error_has 'timed out: .*was not seen off'
}

@test "diag that the controller does not have is told" {
  fence fence_vigil_bmc action=diag "${one[@]}"
  assert_code 1
  assert_error_has 'does not know this chassis command \(completion code 0xcc'
}

@test "a chassis that takes 3 s to turn off is waited for" {
  echo 3 >"$folder/n1.slow"
  seconds_of fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  power_is n1 0
  ((elapsed_ms >= 2900 && elapsed_ms < 18000))
}

@test "power_timeout and power_wait are kept" {
  echo 30 >"$folder/n1.slow"
  seconds_of fence fence_vigil_bmc action=off power_timeout=1 power_wait=1 "${one[@]}"
  assert_code 1
  assert_error_has 'timed out'
  ((elapsed_ms >= 1900 && elapsed_ms < 20000))
}

@test "delay holds off and reboot, not status and on" {
  seconds_of fence fence_vigil_bmc action=off delay=1 "${one[@]}"
  assert_code 0
  ((elapsed_ms >= 1000))
  seconds_of fence fence_vigil_bmc action=on delay=60 "${one[@]}"
  assert_code 0
  ((elapsed_ms < 50000))
  seconds_of fence fence_vigil_bmc action=status delay=60 "${one[@]}"
  assert_code 0
  ((elapsed_ms < 50000))
}

@test "an account with operator privilege can fence" {
  fence fence_vigil_bmc action=off ip=127.0.0.1:9623 "username=$BMC_OPERATOR" "password_file=$folder/password" privlvl=operator
  assert_code 0
  power_is n1 0
}

@test "the controller's sessions are given back" {
  local i
  for i in $(seq 80); do
    fence fence_vigil_bmc action=status "${one[@]}"
    assert_code 0
  done
}

# ---- several nodes ----

@test "a host map: each node by its name, over IPv4 and IPv6" {
  start_second
  fence fence_vigil_bmc action=off plug=n2 "${map[@]}"
  assert_code 0
  power_is n1 1
  power_is n2 0
  fence fence_vigil_bmc action=off nodename=N1 "${map[@]}"
  assert_code 0
  power_is n1 0
  fence fence_vigil_bmc action=status port=n2 "${map[@]}"
  assert_code 2
}

@test "a plug goes before the node's name" {
  start_second
  fence fence_vigil_bmc action=off plug=n2 nodename=n1 "${map[@]}"
  assert_code 0
  power_is n1 1
  power_is n2 0
}

@test "a map with one controller for two nodes is refused: off would turn off one and call the other fenced" {
  fence fence_vigil_bmc action=off plug=n2 "${login[@]}" "hosts=n1=127.0.0.1:9623 n2=127.0.0.1:9623"
  assert_code 1
  assert_error_has "nodes 'n1' and 'n2' have the same controller"
  power_is n1 1
}

@test "a node that the map does not have is refused, and nothing is switched" {
  start_second
  fence fence_vigil_bmc action=off plug=n3 "${map[@]}"
  assert_code 1
  assert_error_has "hosts names no controller for node 'n3'"
  fence fence_vigil_bmc action=off "${map[@]}"
  assert_code 1
  assert_error_has 'needs a plug'
  assert_equal "$(sets_of n1)$(sets_of n2)" 00
}

@test "list and list-status" {
  start_second
  echo 0 >"$folder/n2.power"
  fence fence_vigil_bmc action=list "${map[@]}"
  assert_code 0
  assert_equal "$output" $'n1,\nn2,'
  fence fence_vigil_bmc action=list-status "${map[@]}"
  assert_code 0
  assert_equal "$output" $'n1,,ON\nn2,,OFF'
}

@test "list asks no controller" {
  start_second
  bmc_stop n1
  bmc_stop n2
  fence fence_vigil_bmc action=list "${map[@]}"
  assert_code 0
  assert_equal "$output" $'n1,\nn2,'
  fence fence_vigil_bmc action=list plug=n1 "${one[@]}"
  assert_code 0
  assert_equal "$output" n1,
}

# A real fencer without a cluster, its own memory segments and folders.
start_fencer() {
  node_install
  node_layer /var/lib/pacemaker /var/log
  node_run bash -c 'mount -t tmpfs tmpfs /dev/shm; mkdir -p /run/crm; chown hacluster:haclient /run/crm'
  node_spawn env PCMK_logfile=/var/log/fencer.log /usr/lib/pacemaker/pacemaker-fenced -s
  wait_until 20 node_run stonith_admin --list-registered
}

fencer_knows() {
  local -a options=()
  local option
  for option in "${@:2}"; do options+=(-o "$option"); done
  node_run stonith_admin -R "$1" -a fence_vigil_bmc "${options[@]}"
}

can_fence() { node_run stonith_admin --list "$1" | grep -q "$2"; }

# Told that list fails, the fencer would ask for the status of any node, take the answer for "can fence it", and switch this
# controller's node off in the place of another one.
@test "a controller whose node is not known is used for no node at all" {
  start_second
  fence fence_vigil_bmc action=list "${one[@]}"
  assert_code 0
  assert_equal "$output" ''
  start_fencer
  fencer_knows alone "${one[@]}"
  refute can_fence n2 alone
  refute can_fence n2 alone
  fencer_knows mapped "${map[@]}"
  assert can_fence n2 mapped
  fencer_knows plugged plug=n1 "${one[@]}"
  assert can_fence n1 plugged
  refute can_fence n2 plugged
}

@test "port_as_ip: the plug is the address" {
  fence fence_vigil_bmc action=off port_as_ip=1 plug=127.0.0.1:9623 "${login[@]}"
  assert_code 0
  power_is n1 0
}

@test "monitor: one controller, on or off; the whole map" {
  start_second
  fence fence_vigil_bmc action=monitor "${one[@]}"
  assert_code 0
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=monitor "${one[@]}"
  assert_code 0
  fence fence_vigil_bmc action=monitor "${map[@]}"
  assert_code 0
}

@test "monitor: a controller that is gone fails alone, and in a map by monitor_hosts" {
  start_second
  bmc_stop n1
  fence fence_vigil_bmc action=monitor login_timeout=1 "${one[@]}"
  assert_code 1
  fence fence_vigil_bmc action=monitor "${map[@]}"
  assert_code 0
  fence fence_vigil_bmc action=monitor monitor_hosts=all "${map[@]}"
  assert_code 1
  assert_error_has '1 of 2 controllers cannot be used, the first is BMC 127.0.0.1:9623 of n1: timed out'
  bmc_stop n2
  fence fence_vigil_bmc action=monitor "${map[@]}"
  assert_code 1
}

@test "two fencings at once" {
  start_second
  fence_in_background first off n1
  fence_in_background second off n2
  wait_until 60 test -s "$folder/first.code"
  wait_until 60 test -s "$folder/second.code"
  assert_equal "$(cat "$folder/first.code" "$folder/second.code" | tr '\n' ' ')" "0 0 "
  power_is n1 0
  power_is n2 0
}

@test "ten of the same at once" {
  local i
  for i in $(seq 10); do
    fence_in_background "call$i" off n1
  done
  for i in $(seq 10); do
    wait_until 90 test -s "$folder/call$i.code"
    assert_equal "$(cat "$folder/call$i.code")" 0
  done
  power_is n1 0
}

fence_in_background() {
  (
    code=0
    printf '%s\n' "action=$2" "plug=$3" login_timeout=30 shell_timeout=30 "${login[@]}" "hosts=n1=127.0.0.1:9623 n2=[::1]:9624" |
      node_run "$VIGIL_BUILD/stonith/fence_vigil_bmc" >"$folder/$1.out" 2>&1 || code=$?
    echo "$code" >"$folder/$1.code"
  ) 3>&- 4>&- &
}

# The agent on the node; what was spawned is nsenter, which waits for it.
agent_pid() {
  pgrep -f "^$VIGIL_BUILD/stonith/fence_vigil_bmc" --ns "$(node_pid)" --nslist pid
}

@test "a SIGKILL in the middle of off, then the same again" {
  touch "$folder/n1.held"
  printf '%s\n' action=off "${one[@]}" >"$folder/input"
  node_spawn sh -c "exec $VIGIL_BUILD/stonith/fence_vigil_bmc <'$folder/input'"
  wait_until 10 grep -q '^set power 0' "$folder/n1.calls"
  kill -KILL "$(agent_pid)"
  wait "$spawned" || :
  rm "$folder/n1.held"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  power_is n1 0
}

# ---- the bad controller ----

@test "a controller that says off once, before it has looked, is not believed" {
  touch "$folder/n1.glitch"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  power_is n1 0
  assert_equal "$(sets_of n1)" 1
}

@test "reboot of a node that does not come up again: fenced, which is what counts, and told" {
  touch "$folder/n1.stays_off"
  fence fence_vigil_bmc action=reboot power_timeout=5 verbose=1 "${one[@]}"
  assert_code 0
  power_is n1 0
  assert_error_has 'was seen off, as it should be, but not on again within'
  fence fence_vigil_bmc action=on power_timeout=2 "${one[@]}"
  assert_code 1
}

@test "a controller that lies: off is answered with ok and the power stays on" {
  touch "$folder/n1.lies"
  fence fence_vigil_bmc action=off power_timeout=3 "${one[@]}"
  assert_code 1
  assert_error_has 'was told to turn OFF and was last seen ON: timed out'
  fence fence_vigil_bmc action=reboot power_timeout=3 "${one[@]}"
  assert_code 1
  records | grep -q '"what":"fence-failed".*seen ON'
}

@test "a controller that refuses to switch" {
  touch "$folder/n1.refuses"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has 'completion code 0x'
  power_is n1 1
}

@test "a controller that cannot see its chassis says neither on nor off" {
  touch "$folder/n1.blind"
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=status "${one[@]}"
  assert_code 1
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
}

@test "a controller that goes blind after the command is no evidence of off" {
  touch "$folder/n1.held"
  printf '%s\n' action=off power_timeout=8 "${one[@]}" >"$folder/input"
  (
    code=0
    node_run "$VIGIL_BUILD/stonith/fence_vigil_bmc" <"$folder/input" >/dev/null 2>"$folder/errors" || code=$?
    echo "$code" >"$folder/code"
  ) 3>&- 4>&- &
  wait_until 10 grep -q '^set power 0' "$folder/n1.calls"
  touch "$folder/n1.blind"
  rm "$folder/n1.held"
  wait_until 10 power_is n1 0
  wait_until 60 test -s "$folder/code"
  assert_equal "$(cat "$folder/code")" 1
  grep -q 'timed out waiting for it, .*completion code 0x' "$folder/errors"
}

@test "wrong password, wrong user, wrong privilege: each its own reason, at once" {
  seconds_of fence fence_vigil_bmc action=off "username=$BMC_USER" passwd=wrong ip=127.0.0.1:9623 login_timeout=60
  assert_code 1
  assert_error_has 'refuses the password: check username and password_file'
  ((elapsed_ms < 30000))
  fence fence_vigil_bmc action=off username=nobody passwd=wrong ip=127.0.0.1:9623
  assert_code 1
  assert_error_has 'does not know this user name'
  fence fence_vigil_bmc action=off username="$BMC_USER" "password_file=$folder/password" ip=127.0.0.1:9623 privlvl=user
  assert_code 1
  assert_error_has 'privilege'
  power_is n1 1
}

@test "nobody there: timed out, in login_timeout" {
  seconds_of fence fence_vigil_bmc action=off "${login[@]}" ip=127.0.0.1:9999 login_timeout=3
  assert_code 1
  assert_error_has 'timed out: nothing answers there: check the address'
  ((elapsed_ms >= 2500 && elapsed_ms < 20000))
}

@test "no route to the controller" {
  fence fence_vigil_bmc action=off "${login[@]}" ip=198.51.100.7 login_timeout=2
  assert_code 1
  assert_error_has 'BMC 198.51.100.7:623'
}

@test "a name that nobody knows" {
  seconds_of fence fence_vigil_bmc action=off "${login[@]}" ip=bmc.invalid login_timeout=2
  assert_code 1
  assert_error_has 'host name|name server'
  ((elapsed_ms < 20000))
}

@test "a host name" {
  fence fence_vigil_bmc action=off "${login[@]}" ip=localhost:9623
  assert_code 0
  power_is n1 0
}

@test "a wall clock that is set back does not stretch the waiting" {
  "${CC:-cc}" -shared -fPIC -o "$folder/clock_back.so" "$VIGIL_SOURCE/tests/stonith/clock_back.c"
  # shellcheck disable=SC2034 # for common.bash
  AGENT_WRAPPER=(timeout -k 5 60 env LD_PRELOAD="$folder/clock_back.so" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0")
  seconds_of fence fence_vigil_bmc action=off "${login[@]}" ip=127.0.0.1:9999 login_timeout=2
  assert_code 1
  assert_error_has 'timed out'
  ((elapsed_ms < 20000))
}

@test "a silent controller: timed out" {
  start_relay
  echo silent >"$folder/mode"
  seconds_of fence fence_vigil_bmc action=off "${relayed[@]}" login_timeout=2
  assert_code 1
  assert_error_has 'timed out'
  ((elapsed_ms < 20000))
}

@test "garbage for answers is a failure, in time" {
  start_relay
  echo garbage >"$folder/mode"
  seconds_of fence fence_vigil_bmc action=off "${relayed[@]}" login_timeout=2
  assert_code 1
  ((elapsed_ms < 20000))
  power_is n1 1
}

@test "a flood of garbage is a failure, in time" {
  start_relay
  echo flood >"$folder/mode"
  seconds_of fence fence_vigil_bmc action=off "${relayed[@]}" login_timeout=2
  assert_code 1
  ((elapsed_ms < 20000))
}

@test "corrupted answers are not believed" {
  start_relay
  echo corrupt >"$folder/mode"
  echo 0 >"$folder/n1.power"
  fence fence_vigil_bmc action=status "${relayed[@]}" login_timeout=2 shell_timeout=2
  assert_code 1
}

@test "a lossy network: two of seven datagrams" {
  start_relay
  echo lossy >"$folder/mode"
  fence fence_vigil_bmc action=off "${relayed[@]}" login_timeout=20 shell_timeout=20
  assert_code 0
  power_is n1 0
}

@test "a controller without a free session" {
  start_relay
  echo full >"$folder/mode"
  fence fence_vigil_bmc action=off "${relayed[@]}" login_timeout=5
  assert_code 1
  assert_error_has 'no free session: close other IPMI sessions'
}

@test "a controller that gets a session free in time" {
  start_relay
  echo full >"$folder/mode"
  printf '%s\n' action=off login_timeout=60 "${relayed[@]}" >"$folder/input"
  node_spawn sh -c "exec $VIGIL_BUILD/stonith/fence_vigil_bmc <'$folder/input' && echo done >'$folder/done'"
  wait_until 10 test -e "$folder/mode.refused"
  echo pass >"$folder/mode"
  wait_until 60 power_is n1 0
}

@test "a cable that comes out after the log-in and is put back: the session is taken up" {
  # Time enough to take the cable out before the power goes.
  echo 6 >"$folder/n1.slow"
  start_relay
  printf '%s\n' action=off power_timeout=60 "${relayed[@]}" >"$folder/input"
  (
    code=0
    node_run "$VIGIL_BUILD/stonith/fence_vigil_bmc" <"$folder/input" >/dev/null 2>"$folder/errors" || code=$?
    echo "$code" >"$folder/code"
  ) 3>&- 4>&- &
  wait_until 10 grep -q '^set power 0' "$folder/n1.calls"
  echo deaf >"$folder/mode"
  wait_until 20 power_is n1 0
  refute test -s "$folder/code"
  echo pass >"$folder/mode"
  wait_until 60 test -s "$folder/code"
  assert_equal "$(cat "$folder/code")" 0
}

@test "a controller that restarts with the power and forgets its sessions" {
  start_relay
  echo 2 >"$folder/n1.slow"
  printf '%s\n' action=off power_timeout=60 "${relayed[@]}" >"$folder/input"
  (
    code=0
    node_run "$VIGIL_BUILD/stonith/fence_vigil_bmc" <"$folder/input" >/dev/null 2>"$folder/errors" || code=$?
    echo "$code" >"$folder/code"
  ) 3>&- 4>&- &
  wait_until 10 grep -q '^set power 0' "$folder/n1.calls"
  bmc_stop n1
  echo 0 >"$folder/n1.power"
  bmc_start n1 "$folder" 127.0.0.1 9623 "$folder/n1.program"
  wait_until 80 test -s "$folder/code"
  assert_equal "$(cat "$folder/code")" 0
}

# ---- the call ----

@test "names with - and _ alike, stock names, unknown names" {
  fence fence_vigil_bmc option=off login="$BMC_USER" passwd="$BMC_PASSWORD" ipaddr=127.0.0.1 ipport=9623 lanplus=1 \
    power-timeout=5 power_timeout=6 auth=md5 ipmitool_path=/usr/bin/ipmitool crm_feature_set=3.16.2 nodeid=1 strange=yes
  assert_code 0
  power_is n1 0
}

@test "options on the command line, long and short" {
  fence_argv fence_vigil_bmc -o status -a 127.0.0.1 -u 9623 -l "$BMC_USER" --password-file "$folder/password" -P -L administrator -C 3
  assert_code 0
  fence_argv fence_vigil_bmc --action=off --ip=127.0.0.1:9623 --username="$BMC_USER" --password_file="$folder/password" --plug=n1 -vvv
  assert_code 0
  power_is n1 0
  # A mistyped option may hold the password.
  fence_argv fence_vigil_bmc -o status --pazzword=hunter2
  assert_code 1
  assert_error_has "unknown option '--pazzword'"
  refute grep -q hunter2 <<<"$stderr"
  fence_argv fence_vigil_bmc -o status --nonsense
  assert_code 1
  assert_error_has 'unknown option'
}

@test "a password on the command line is refused" {
  fence_argv fence_vigil_bmc -o status -a 127.0.0.1:9623 -l "$BMC_USER" -p "$BMC_PASSWORD"
  assert_code 1
  assert_error_has 'password_file|password-file'
  refute grep -qF -- "$BMC_PASSWORD" <<<"$output$stderr"
}

@test "the password is nowhere to be seen" {
  local pid
  touch "$folder/n1.held"
  printf '%s\n' action=off "username=$BMC_USER" "passwd=$BMC_PASSWORD" ip=127.0.0.1:9623 verbose=1 \
    "debug_file=$folder/debug" >"$folder/input"
  node_spawn sh -c "exec $VIGIL_BUILD/stonith/fence_vigil_bmc <'$folder/input'"
  wait_until 10 grep -q '^set power 0' "$folder/n1.calls"
  pid=$(agent_pid)
  [ -n "$pid" ]
  refute grep -qaF -- "$BMC_PASSWORD" "/proc/$pid/cmdline" "/proc/$pid/environ"
  rm "$folder/n1.held"
  wait "$spawned"
  refute grep -qaF -- "$BMC_PASSWORD" "$folder/debug" "$BATS_TEST_TMPDIR/spawned.log"
  assert test -s "$folder/debug"
  refute grep -qF -- "$BMC_PASSWORD" <<<"$(records)"
}

@test "bad parameters: told, and nothing is done" {
  local bad
  # shellcheck disable=SC2016 # not to be expanded by anyone
  for bad in ip= ip=a/b ip=127.0.0.1:0 ip=127.0.0.1:99999 ip=[::1 'ip=$(id)' ipport=x ipport=0 privlvl=root cipher=99 \
    cipher=-1 hosts=n1 hosts==1.2.3.4 'hosts=n1=1.2.3.4 n1=1.2.3.5' password_file=relative password_file=/nonexistent \
    method=hard power_timeout=soon power_timeout=-1 delay=-1 target=256 workarounds=all hexadecimal_kg=xyz hexadecimal_kg=abc \
    login=12345678901234567 passwd=123456789012345678901 password_script=/bin/true action=explode verbose=maybe; do
    fence fence_vigil_bmc action=off ip=127.0.0.1:9623 "${login[0]}" "$bad"
    assert_code 1
    [ -n "$stderr" ] || { echo "no word on $bad" >&2; return 1; }
  done
  assert_equal "$(sets_of n1)" 0
}

@test "parameters that contradict each other, and none at all" {
  fence fence_vigil_bmc action=off "${one[@]}" hosts=n1=127.0.0.1:9623 plug=n1
  assert_code 1
  assert_error_has 'ip and hosts are both set'
  fence fence_vigil_bmc action=off "${one[@]}" passwd=x
  assert_code 1
  assert_error_has 'password and password_file are both set'
  fence fence_vigil_bmc
  assert_code 1
  assert_error_has 'no controller is named'
  assert_equal "$(sets_of n1)" 0
}

@test "a password file that others may read is refused" {
  chmod 644 "$folder/password"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has 'mode 0600'
  : >"$folder/password"
  chmod 600 "$folder/password"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has 'is empty'
  power_is n1 1
}

@test "validate-all needs no controller" {
  bmc_stop n1
  fence fence_vigil_bmc action=validate-all "${one[@]}"
  assert_code 0
  fence fence_vigil_bmc action=validate-all
  assert_code 1
}

@test "cipher suites: 3, 17 that this controller lacks, one that protects nothing" {
  fence fence_vigil_bmc action=status "${one[@]}" cipher=3
  assert_code 0
  fence fence_vigil_bmc action=status "${one[@]}" cipher=17
  assert_code 1
  assert_error_has 'cipher|workarounds'
  fence fence_vigil_bmc action=status "${one[@]}" cipher=1 verbose=1
  assert_error_has 'does not protect'
}

@test "the controller's key (Kg)" {
  bmc_stop n1
  BMC_KEY=30313233343536373839616263646566 bmc_start n1 "$folder" 127.0.0.1 9623 "$folder/n1.program"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has "key \(Kg\) does not match: set hexadecimal_kg_file"
  (umask 077 && echo 0x30313233343536373839616263646566 >"$folder/key")
  fence fence_vigil_bmc action=off "${one[@]}" "hexadecimal_kg_file=$folder/key"
  assert_code 0
  power_is n1 0
}

@test "no descriptor left: a failure with its reason" {
  printf '%s\n' action=off "${one[@]}" >"$folder/input"
  capture node_run prlimit --nofile=4 "$VIGIL_BUILD/stonith/fence_vigil_bmc" <"$folder/input"
  assert_code 1
  assert_error_has 'Too many open files|descriptor'
  power_is n1 1
}

@test "a record that cannot be written does not undo a fencing" {
  node_run mount -t tmpfs -o size=4k,ro tmpfs "$(build_statedir)"
  fence fence_vigil_bmc action=off verbose=1 "${one[@]}"
  assert_code 0
  power_is n1 0
  assert_error_has 'could not be recorded'
}

@test "standard descriptors may be closed" {
  local code=0
  printf '%s\n' action=off "${one[@]}" >"$folder/input"
  node_run sh -c "exec $VIGIL_BUILD/stonith/fence_vigil_bmc -o status -a 127.0.0.1:9623 -l $BMC_USER --password-file $folder/password <&- >&- 2>&-" || code=$?
  assert_equal "$code" 0
}

@test "metadata is valid by the schema of fence-agents" {
  fence_argv fence_vigil_bmc -o metadata
  assert_code 0
  echo "$output" >"$folder/metadata.xml"
  xmllint --noout --relaxng /usr/share/cluster/relaxng/metadata.rng "$folder/metadata.xml"
}

@test "every parameter of fence_ipmilan is known" {
  local name
  fence_argv fence_vigil_bmc -o metadata
  for name in $(fence_ipmilan -o metadata 2>/dev/null | sed -n 's/.*<parameter name="\([^"]*\)".*/\1/p'); do
    grep -q "<parameter name=\"$name\"" <<<"$output" || { echo "fence_ipmilan's $name is not there" >&2; return 1; }
  done
}
