# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by common.bash
# fence_vigil_bmc through its real caller: Pacemaker's fencer, standing alone, driven by stonith_admin.
load ../lib/common
load ../lib/bmc

setup() {
  node_start
  at_end bmc_stop_all
  # shellcheck disable=SC2034 # for bmc.bash
  BMC_RUN=(nsenter -t "$(node_pid)" -n --)
  folder=$BATS_TEST_TMPDIR
  bmc_start n1 "$folder" 127.0.0.1 9623 "$(bmc_power_program "$folder" n1)"
  bmc_start n2 "$folder" 127.0.0.1 9624 "$(bmc_power_program "$folder" n2)"
  echo "$BMC_PASSWORD" >"$folder/password"
  chmod 600 "$folder/password"
  # shellcheck disable=SC2016 # expanded by the shell on the node
  node_run sh -ec '
    mkdir -p /run/crm /run/sbin/upper /run/sbin/work
    mount -t tmpfs tmpfs /var/lib/pacemaker
    mount -t tmpfs tmpfs /var/log/pacemaker
    mkdir -p /var/lib/pacemaker/cores /var/lib/pacemaker/blackbox
    chown -R hacluster:haclient /run/crm /var/lib/pacemaker /var/log/pacemaker
    mount -t overlay -o lowerdir=/usr/sbin,upperdir=/run/sbin/upper,workdir=/run/sbin/work overlay /usr/sbin
    cp "$0" /usr/sbin/fence_vigil_bmc' "$VIGIL_BUILD/stonith/fence_vigil_bmc"
  fenced=$(pkg-config --variable=daemondir pacemaker 2>/dev/null || echo /usr/lib/pacemaker)/pacemaker-fenced
  node_spawn env PCMK_logfile="$folder/pacemaker.log" "$fenced" -s -l "$folder/fenced.log"
  at_end kill "$spawned"
  wait_until 20 node_run stonith_admin -L 2>/dev/null
  login=(-o "username=$BMC_USER" -o "password_file=$folder/password")
}

power_is() {
  assert_equal "$(cat "$folder/$1.power")" "$2"
}

register() {
  node_run stonith_admin -R "$1" -a fence_vigil_bmc "${login[@]}" "${@:2}"
}

fencer() {
  capture node_run stonith_admin "$@"
}

map=(-o "hosts=n1=127.0.0.1:9623 n2=127.0.0.1:9624")

@test "the fencer finds the agent and shows its metadata" {
  fencer -I
  assert_code 0
  assert_output_has 'fence_vigil_bmc'
  fencer -M -a fence_vigil_bmc
  assert_code 0
  assert_output_has '<resource-agent name="fence_vigil_bmc"'
}

@test "validate" {
  fencer --validate -a fence_vigil_bmc "${login[@]}" "${map[@]}"
  assert_code 0
  fencer --validate -a fence_vigil_bmc "${login[@]}" -o hosts=n1
  refute [ "$status" -eq 0 ]
}

@test "the host map tells the fencer which nodes the device can fence" {
  register both "${map[@]}"
  fencer -l n1
  assert_code 0
  assert_output_has 'both'
  fencer -l n2
  assert_output_has 'both'
  fencer -l n3
  refute grep -q both <<<"$output"
}

@test "monitor" {
  register both "${map[@]}"
  fencer -Q both
  assert_code 0
  bmc_stop n1
  bmc_stop n2
  # stonith_admin of Pacemaker 2.1.5 ends with 0 in any case.
  fencer -Q both -t 30
  wait_until 30 grep -q "Operation 'monitor' .* using both returned 1" "$folder/fenced.log"
}

@test "off, on, reboot of one of two nodes" {
  register both "${map[@]}"
  fencer -F n2 -t 30
  assert_code 0
  power_is n2 0
  power_is n1 1
  fencer -U n2 -t 30
  assert_code 0
  power_is n2 1
  fencer -B n1 -t 30
  assert_code 0
  power_is n1 1
  assert_equal "$(grep '^set' "$folder/n1.calls" | tr '\n' ' ')" "set power 0 set power 1 "
}

@test "one controller without a map, by pcmk_host_list" {
  register listed -o ip=127.0.0.1:9623 -o pcmk_host_list=n1
  fencer -F n2 -t 30
  refute [ "$status" -eq 0 ]
  fencer -F n1 -t 30
  assert_code 0
  power_is n1 0
  power_is n2 1
}

# The stock agent would be asked for the status of any node and switch off its own one in that one's place.
@test "one controller of which nobody says whose it is fences nobody" {
  register unlisted -o ip=127.0.0.1 -o ipport=9624
  fencer -F n1 -t 30
  refute [ "$status" -eq 0 ]
  fencer -F n1 -t 30
  refute [ "$status" -eq 0 ]
  power_is n1 1
  power_is n2 1
}

@test "one controller with its plug in the device" {
  register plugged -o ip=127.0.0.1:9624 -o plug=n2
  fencer -F n1 -t 30
  refute [ "$status" -eq 0 ]
  fencer -F n2 -t 30
  assert_code 0
  power_is n1 1
  power_is n2 0
}

@test "a device of fence_ipmilan, with nothing changed but the agent" {
  local agent parameters=(-o ipaddr=127.0.0.1 -o ipport=9623 -o "login=$BMC_USER" -o "passwd=$BMC_PASSWORD" -o lanplus=1 -o cipher=3
    -o auth=md5 -o method=onoff -o privlvl=administrator -o power_wait=1 -o power_timeout=10 -o timeout=20 -o pcmk_host_list=n1
    -o pcmk_off_timeout=30 -o "ipmitool_path=/usr/bin/ipmitool")
  for agent in fence_ipmilan fence_vigil_bmc; do
    node_run stonith_admin -R device -a "$agent" "${parameters[@]}"
    fencer -F n1 -t 30
    assert_code 0
    power_is n1 0
    fencer -U n1 -t 30
    assert_code 0
    power_is n1 1
    node_run stonith_admin -D device
  done
}

@test "a map by pcmk_host_map onto other names" {
  register mapped "${map[@]}" -o "pcmk_host_map=alpha:n1;beta:n2"
  fencer -F beta -t 30
  assert_code 0
  power_is n1 1
  power_is n2 0
}

@test "a controller that lies is a fencing that failed" {
  touch "$folder/n1.lies"
  register both "${map[@]}" -o power_timeout=1
  fencer -F n1 -t 20
  refute [ "$status" -eq 0 ]
  power_is n1 1
}

@test "a controller that is gone: the fencer hears of the time-out" {
  register both "${map[@]}" -o login_timeout=1
  bmc_stop n1
  fencer -F n1 -t 20
  refute [ "$status" -eq 0 ]
  wait_until 10 grep -q 'timed out: nothing answers there' "$folder/fenced.log" "$folder/pacemaker.log"
}

@test "method=cycle" {
  echo 2 >"$folder/n1.slow_on"
  register both "${map[@]}" -o method=cycle
  fencer -B n1 -t 30
  assert_code 0
  wait_until 10 power_is n1 1
  grep -q '^set power 0' "$folder/n1.calls"
}

@test "the password in the fencer's device is not in its log" {
  node_run stonith_admin -R plain -a fence_vigil_bmc -o "username=$BMC_USER" -o "passwd=$BMC_PASSWORD" "${map[@]}"
  fencer -F n1 -t 30
  assert_code 0
  power_is n1 0
  assert test -s "$folder/fenced.log"
  refute grep -qF -- "$BMC_PASSWORD" "$folder/fenced.log" "$folder/pacemaker.log"
}
