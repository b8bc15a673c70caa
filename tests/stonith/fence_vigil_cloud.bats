#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by the libraries
# fence_vigil_cloud on a node that is an instance of a simulated cloud.
load ../lib/common
load ../lib/cloudsim
load ../lib/cloud_agent

# quick: what a test has no time for
quick=(status_interval=200ms power_timeout=15)

# shoot ACTION [key=value...]
shoot() {
  local action=$1
  shift
  fence fence_vigil_cloud "action=$action" "${access[@]}" "${quick[@]}" "$@"
}

state_of() { cloudsim_get "$cloud" instance "$1" state; }
records() { node_run tail -n 20 "$(build_statedir)/records/decisions.jsonl" | grep fence_vigil_cloud || :; }
set_state() { cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"instance\",\"id\":\"$1\",\"fields\":{\"state\":\"$2\"}}"; }

usual_ways() {
  cloud_node "$1"
  shoot status plug=n2
  assert_code 0
  assert_output_has '^Status: ON$'
  shoot off plug=n2
  assert_code 0
  assert_equal "$(state_of "$peer")" stopped
  assert_equal "$(state_of "$own")" running
  records | grep -q '"what":"fence-off".*was ON, seen OFF; twice: '"$peer"
  shoot status plug=n2
  assert_code 2
  # Off of what is off gives no command.
  shoot off plug=n2
  assert_code 0
  assert_equal "$(stops)" 1
  shoot on plug=n2
  assert_code 0
  assert_equal "$(state_of "$peer")" running
  shoot reboot plug=n2
  assert_code 0
  cloudsim wait "{\"cloud\":\"$cloud\",\"kind\":\"instance\",\"id\":\"$peer\",\"field\":\"state\",\"value\":\"running\"}"
  assert_equal "$(stops)" 2
  # By its id, and by a list.
  shoot status "plug=$peer"
  assert_code 0
  shoot status plug=other "hosts=other=$peer"
  assert_code 0
  shoot monitor
  assert_code 0
  shoot list
  assert_code 0
  assert_output_has "^n1,$own$"
  assert_output_has "^n2,$peer$"
  shoot list "hosts=a=$own b=$peer"
  assert_output_has "^a,$own$"
  shoot validate-all
  assert_code 0
  assert_equal "$(state_of "$own")" running
}

# How often an instance was told to stop in earnest.
stops() {
  cloudsim log | python3 -c '
import json, sys
print(sum(1 for e in json.load(sys.stdin) if e["changes"] and e["service"] != "metadata" and e["status"] < 300
          and ("stop" in (e["action"] + e["body"] + e["target"]).lower()) and "DryRun=true" not in e["body"] + e["target"]))'
}

@test "aws: status, off, on, reboot, list, monitor, validate-all" { usual_ways aws; }
@test "aliyun: status, off, on, reboot, list, monitor, validate-all" { usual_ways aliyun; }
@test "tencent: status, off, on, reboot, list, monitor, validate-all" { usual_ways tencent; }
@test "huawei: status, off, on, reboot, list, monitor, validate-all" { usual_ways huawei; }

@test "a hard stop: the guest is not asked" {
  local params
  cloud_node aws
  # A graceful one would take a minute.
  shoot off plug=n2
  assert_code 0
  params=$(cloudsim log | python3 -c 'import json, sys; print(*[e["params"] for e in json.load(sys.stdin) if e["action"] == "StopInstances"])')
  assert grep -q "'Force': 'true'" <<<"$params"
  assert grep -q "'SkipOsShutdown': 'true'" <<<"$params"
}

# ---- what is not off ----

not_off() {
  local state
  cloud_node "$1"
  # Stopping for good: it never gets there.
  cloudsim settings '{"stop":1000}'
  shoot off plug=n2 power_timeout=3
  assert_code 1
  assert_error_has 'timed out'
  shoot status plug=n2
  assert_code 1
  for state in pending stopping shutting-down; do
    [ "$cloud.$state" != huawei.shutting-down ] || continue
    set_state "$peer" "$state"
    shoot status plug=n2
    assert_code 1
  done
}

@test "aws: stopping and pending are not off" { not_off aws; }
@test "aliyun: stopping and pending are not off" { not_off aliyun; }
@test "tencent: stopping and pending are not off" { not_off tencent; }
@test "huawei: stopping and pending are not off" { not_off huawei; }

never_off() {
  local kind
  cloud_node "$1"
  for kind in throttle unavailable denied expired error reset hang truncate garbage empty kind nul bomb deep huge headers; do
    cloudsim_fault "\"kind\":\"$kind\",\"service\":\"$2\",\"action\":\"$3\",\"count\":0"
    # On a slow machine the time may be over before the fault is met: then once more.
    until faulted; do
      shoot status "plug=$peer" shell_timeout=1 login_timeout=1
      assert_code 1
      shoot off "plug=$peer" shell_timeout=1 login_timeout=1 power_timeout=1 retry_on=1
      assert_code 1
    done
    cloudsim_delete faults >/dev/null
  done
}
faulted() { [ "$(cloudsim faults)" != '[]' ]; }

@test "aws: no fault on the way is ever taken for off" { never_off aws ec2 DescribeInstances; }
@test "aliyun: no fault on the way is ever taken for off" { never_off aliyun ecs DescribeInstances; }
@test "tencent: no fault on the way is ever taken for off" { never_off tencent cvm DescribeInstances; }
@test "huawei: no fault on the way is ever taken for off" { never_off huawei ecs ''; }

@test "off has to be seen twice: one lagging or lying read is not enough" {
  cloud_node aws
  # The next describe but one sees what was so before.
  set_state "$peer" stopped
  sleep 0.2
  set_state "$peer" running
  cloudsim_fault '"kind":"stale","action":"DescribeInstances","lag":0.1,"count":1,"skip":1'
  shoot status "plug=$peer"
  assert [ "$status" -ne 2 ]
}

@test "not found is not off, and neither is an instance of the same name that was terminated" {
  cloud_node aws
  shoot off plug=i-0123456789abcdef0
  assert_code 1
  shoot status plug=n9
  assert_code 1
  assert_error_has "no instance is called 'n9'"
  set_state "$peer" terminated
  shoot off plug=n2
  assert_code 1
  assert_error_has 'one that was terminated'
  # By its id it is this very one.
  shoot off plug=n2 "hosts=n2=$peer"
  assert_code 0
  # A new one of that name is the one that is meant.
  cloudsim_instance aws n2
  shoot off plug=n2
  assert_code 0
  assert_equal "$(state_of "$INSTANCE")" stopped
  cloudsim_instance aws n2
  shoot off plug=n2
  assert_code 1
  assert_error_has "several instances are called 'n2'"
}

@test "huawei: a machine whose memory lives on is not off, whatever its status says" {
  local state
  cloud_node huawei
  set_state "$peer" stopped
  shoot status plug=n2
  assert_code 2
  for state in 1 3 7; do
    cloudsim set "{\"cloud\":\"huawei\",\"kind\":\"instance\",\"id\":\"$peer\",\"fields\":{\"hypervisor\":$state}}"
    shoot status plug=n2
    assert_code 1
  done
}

@test "aws: a hibernated instance is not off: it would go on where it was" {
  cloud_node aws
  set_state "$peer" stopped
  shoot status plug=n2
  assert_code 2
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"instance\",\"id\":\"$peer\",\"fields\":{\"reason\":\"Client.UserInitiatedHibernate\"}}"
  shoot status plug=n2
  assert_code 1
}

@test "a stop by somebody else that is under way: off as soon as it is seen" {
  local other
  cloud_node tencent
  set_state "$peer" stopping
  (sleep 3; set_state "$peer" stopped) 3>&- &
  other=$!
  SECONDS=0
  shoot off plug=n2 power_timeout=120 shell_timeout=20
  wait "$other"
  assert_code 0
  # Not at the end of power_timeout only.
  assert [ "$SECONDS" -lt 60 ]
}

@test "by a tag" {
  cloud_node aws
  cloudsim_instance aws whatever '"tags":{"cluster-node":"db1"}'
  shoot off plug=db1 host_tag=cluster-node
  assert_code 0
  assert_equal "$(state_of "$INSTANCE")" stopped
  shoot list host_tag=cluster-node
  assert_output_has "^db1,$INSTANCE$"
  assert_equal "$(grep -c . <<<"$output")" 1
}

@test "an instance that is starting is stopped as soon as that is possible" {
  cloud_node aws
  set_state "$peer" stopped
  cloudsim settings '{"start":8}'
  shoot on plug=n2 power_timeout=1 retry_on=1
  shoot off plug=n2
  assert_code 0
  assert_equal "$(state_of "$peer")" stopped
}

@test "succeeded, but answered an error; and the answer never came" {
  local kind
  cloud_node aws
  for kind in unavailable-after reset-after truncate; do
    set_state "$peer" running
    cloudsim_fault "\"kind\":\"$kind\",\"action\":\"StopInstances\""
    shoot off plug=n2
    assert_code 0
    assert_equal "$(state_of "$peer")" stopped
  done
  set_state "$peer" running
  cloudsim_fault '"kind":"slow","action":"StopInstances","seconds":30'
  shoot off plug=n2 shell_timeout=3
  assert_code 0
}

# killed_in ACTION PATTERN KIND [SKIP]: ends the agent by SIGKILL while it waits for the answer to that request
killed_in() {
  local killed
  cloudsim_fault "\"kind\":\"$3\",\"action\":\"$2\",\"seconds\":30,\"skip\":${4:-0}"
  node_spawn env -i PATH="$PATH" "$VIGIL_BUILD/stonith/fence_vigil_cloud" --action="$1" --plug=n2 "${access[@]/#/--}" --shell-timeout=60 --login-timeout=60 --status-interval=200ms
  killed=$spawned
  wait_until 20 faulted
  node_run kill -KILL $(node_run pgrep -x fence_vigil_clo)
  wait "$killed" 2>/dev/null || :
  cloudsim_delete faults >/dev/null
}

killed_fencing() {
  local other
  cloud_node "$1"
  # No stop comes to its end while somebody looks whether it has.
  cloudsim settings '{"stop":10000}'
  # The request was never carried out: the instance runs, and that is what the next one says.
  killed_in off "$2" hang
  assert_equal "$(state_of "$peer")" running
  shoot status plug=n2
  assert_code 0
  # It was, and nobody was told: on its way down it is not off, however often one asks.
  killed_in off "$2" slow
  refute [ "$(state_of "$peer")" = stopped ]
  shoot status plug=n2
  refute [ "$status" -eq 2 ]
  # Before the next run looks, or while it waits.
  (sleep 1; set_state "$peer" stopped) 3>&- &
  other=$!
  shoot off plug=n2 power_timeout=60
  wait "$other"
  assert_code 0
  assert_equal "$(state_of "$peer")" stopped
  cloudsim settings '{"stop":15}'
  # Between the command and the proof, and between the two reads of the proof: the next run judges anew.
  set_state "$peer" running
  killed_in off "$3" hang 2
  shoot off plug=n2 power_timeout=30
  assert_code 0
  assert_equal "$(state_of "$peer")" stopped
  killed_in off "$3" hang 2
  set_state "$peer" running
  shoot status plug=n2
  assert_code 0
  shoot reboot plug=n2 power_timeout=30
  assert_code 0
}

@test "aws: kill -9 in the midst of fencing: the next run judges anew" { killed_fencing aws StopInstances DescribeInstances; }
@test "aliyun: kill -9 in the midst of fencing: the next run judges anew" { killed_fencing aliyun StopInstance DescribeInstances; }
@test "tencent: kill -9 in the midst of fencing: the next run judges anew" { killed_fencing tencent StopInstances DescribeInstances; }
@test "huawei: kill -9 in the midst of fencing: the next run judges anew" { killed_fencing huawei ServersAction 'ShowServer|ListServers'; }

# ---- two nodes that shoot each other ----

@test "a node that is itself being switched off does not take its peer with it" {
  cloud_node aws
  set_state "$own" stopping
  shoot off plug=n2
  assert_code 1
  assert_error_has "own instance $own is being switched off"
  assert_equal "$(state_of "$peer")" running
  shoot off plug=n2 race_check=false
  assert_code 0
}

@test "two nodes at once, one with a delay: one dies" {
  local first second
  cloud_node aws
  # The first is still at it when the other one's delay is over, however long each of them took to get there.
  cloudsim settings '{"stop":10000}'
  node_spawn env -i PATH="$PATH" "$VIGIL_BUILD/stonith/fence_vigil_cloud" --action=off --plug=n2 "${access[@]/#/--}" --power-timeout=120 --status-interval=200ms
  first=$spawned
  # The other one, by its own metadata service, so much later.
  access[3]="metadata_url=$peer_metadata"
  shoot off plug=n1 delay=8 power_timeout=30
  second=$status
  set_state "$peer" stopped
  wait "$first"
  assert_equal "$second" 1
  assert_error_has "is being switched off"
  assert_equal "$(state_of "$peer")" stopped
  assert_equal "$(state_of "$own")" running
}

# ---- keys and configuration ----

@test "no secret in output, log, record, arguments or environment" {
  local secret
  cloud_node aws
  secret=$(sed -n 's/^aws_secret_access_key = //p' "$folder/key")
  shoot off plug=n2 verbose=1 "debug_file=$folder/debug"
  assert_code 0
  refute grep -qF "$secret" <<<"$output$stderr"
  refute grep -qF "$secret" "$folder/debug"
  refute grep -qF "$secret" <<<"$(records)"
  AGENT_WRAPPER=(strace -f -v -s 4096 -e trace=execve -o "$folder/trace")
  shoot status plug=n2
  AGENT_WRAPPER=()
  assert_code 2
  refute grep -qF "$secret" "$folder/trace"
}

@test "a key file that others can read, an empty one, a key in the configuration" {
  cloud_node aws
  chmod 640 "$folder/key"
  chgrp 1 "$folder/key"
  shoot status plug=n2
  assert_code 1
  assert_error_has 'others may read it'
  chmod 600 "$folder/key"
  : >"$folder/key"
  shoot status plug=n2
  assert_code 1
  shoot status plug=n2 access_key=AKIA secret_key=verysecret
  assert_code 1
  assert_error_has 'not taken from the configuration'
  refute grep -q verysecret <<<"$stderr"
}

@test "validate-all tries the permissions, and a missing one is told" {
  cloud_node aws
  cloudsim settings '{"denied":["StopInstances"]}'
  shoot validate-all
  assert_code 1
  assert_error_has 'may not be switched'
  shoot validate-all "hosts=n1=$own n2=$peer"
  assert_code 1
  cloudsim settings '{"denied":[]}'
  shoot validate-all "hosts=n1=$own n2=$peer"
  assert_code 0
  assert_equal "$(state_of "$peer")" running
}

@test "malformed parameters; an API that is not there" {
  local bad
  cloud_node aws
  for bad in hosts=n1 'hosts=n1=i-1 n1=i-2' cloud=azure endpoints=x rate=0; do
    shoot status plug=n2 "$bad"
    assert_code 1
  done
  shoot off
  assert_code 1
  assert_error_has 'needs a plug'
  assert_equal "$(api_calls)" 0
  api_gone
  shoot monitor
  assert_code 1
  shoot off plug=n2 login_timeout=3
  assert_code 1
}

@test "TLS: a certificate of another authority, or for another name, is refused" {
  cloud_node aws
  cloudsim_stop
  cloudsim_start "$folder"
  cloudsim_instance aws n2
  cloudsim_credentials aws "$folder/key"
  api_at "$CLOUDSIM_HTTPS"
  shoot status plug=n2 "ca_file=$CLOUDSIM_CA"
  assert_code 0
  shoot status plug=n2
  assert_code 1
  api_at "$CLOUDSIM_WRONG_NAME"
  shoot status plug=n2 "ca_file=$CLOUDSIM_CA"
  assert_code 1
  api_at "$CLOUDSIM_WRONG_CA"
  shoot status plug=n2 "ca_file=$CLOUDSIM_CA"
  assert_code 1
  shoot status plug=n2 tls_verify=false
  assert_code 0
}
