# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by common.bash
# fence_vigil_bmc against a controller that says what the test wants: what OpenIPMI's simulator cannot be made to say.
load ../lib/common

setup() {
  node_start
  folder=$BATS_TEST_TMPDIR
  script power 0x01
  : >"$folder/script.calls"
  node_spawn /usr/bin/python3 "$VIGIL_SOURCE/tests/stonith/scripted_bmc.py" 127.0.0.1 9623 "$folder/script"
  at_end kill "$spawned"
  wait_until 10 port_is_open
  one=(ip=127.0.0.1:9623 username=vigil passwd=secret login_timeout=6 shell_timeout=6 power_timeout=6)
}

port_is_open() {
  node_run cat /proc/net/udp | grep -q ':2597 0*:0000 07'
}

# Writes the controller's script: script NAME VALUE [NAME VALUE]...
script() {
  printf '%s %s\n' "$@" >"$folder/script"
}

calls() {
  grep -c "^$1" "$folder/script.calls" || :
}

@test "cipher suite 17, which is the first choice" {
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(calls 'suite 17')" 1
  assert_equal "$(calls 'suite 3')" 0
  fence fence_vigil_bmc action=status cipher=17 "${one[@]}"
  assert_code 2
}

@test "cipher suite 3 where there is no 17" {
  script suites 3
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(calls 'suite 3')" 1
  fence fence_vigil_bmc action=status cipher=17 "${one[@]}"
  assert_code 1
  assert_error_has 'does not offer this cipher suite: enable suite 17 or 3'
}

@test "both suites refuse a wrong password" {
  local suite
  for suite in 3 17; do
    fence fence_vigil_bmc action=off cipher=$suite ip=127.0.0.1:9623 username=vigil passwd=wrong
    assert_code 1
    assert_error_has 'refuses the password'
  done
  assert_equal "$(calls control)" 0
}

@test "off with a power control fault is not off" {
  script power 0x10
  fence fence_vigil_bmc action=status "${one[@]}"
  assert_code 1
  assert_output_has '^Status: UNKNOWN$'
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(calls 'control 0')" 1
}

@test "off with a power control fault that stays is a failure" {
  script power 0x10 obeys no
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has 'was last seen UNKNOWN: timed out'
  node_run cat "$(build_statedir)/records/decisions.jsonl" | grep -q '"what":"fence-failed"'
}

@test "off by interlock, overload or power fault is off" {
  local byte
  for byte in 0x02 0x04 0x08 0x60; do
    script power $byte
    fence fence_vigil_bmc action=status "${one[@]}"
    assert_code 2
  done
}

@test "a busy controller is asked again" {
  script status_codes 0xc0,0xc0,0xc3 control_codes 0xc0,0xd2
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(calls 'control 0')" 3
}

@test "a controller that stays busy is a failure with its word" {
  script status_codes "$(printf '0xc0,%.0s' {1..200})"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has 'completion code 0xc0, node busy'
  assert_equal "$(calls control)" 0
}

@test "off that is refused in the present state is sent again" {
  script control_codes 0xd5
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
  assert_equal "$(calls 'control 0')" 2
}

@test "off that is answered by an error, and done all the same, is done" {
  script control_codes "$(printf '0xd4,%.0s' {1..200})" obeys always
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 0
}

@test "off that is refused for want of privilege: told, not tried on" {
  script control_codes "$(printf '0xd4,%.0s' {1..200})"
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
  assert_error_has "privilege does not suffice \\(completion code 0xd4, insufficient privilege\\): give the account operator"
  assert_equal "$(calls 'control 0')" 1
}

@test "a status that is too short is not believed" {
  script short yes power 0x00
  fence fence_vigil_bmc action=status "${one[@]}"
  assert_code 1
  fence fence_vigil_bmc action=off "${one[@]}"
  assert_code 1
}

@test "diag sends one diagnostic interrupt and nothing else" {
  fence fence_vigil_bmc action=diag "${one[@]}"
  assert_code 0
  assert_equal "$(calls control)" 1
  assert_equal "$(calls 'control 4')" 1
}

@test "cycle that is too quick to be seen off is a failure" {
  fence fence_vigil_bmc action=reboot method=cycle "${one[@]}"
  assert_code 1
  assert_error_has 'was not seen off during its power cycle; use method=onoff'
  assert_equal "$(calls 'control 2')" 1
}
