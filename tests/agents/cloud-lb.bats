#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by the libraries
# cloud-lb on a node that is an instance of a simulated cloud.
load ../lib/common
load ../lib/cloudsim
load ../lib/cloud_agent

lb() {
  local action=$1
  shift
  agent cloud-lb "$action" "${what[@]}" "${access[@]}" "$@"
}

# make_group [TYPE] [MORE-JSON]: in GROUP its id, in GROUP_NAME what the agent calls it
make_group() {
  GROUP=$(cloudsim group "{\"cloud\":\"$cloud\",\"port\":80,\"type\":\"${1:-group}\"${2:+,$2}}" | cloudsim_field id)
  GROUP_NAME=$GROUP
  case $cloud.${1:-group} in
    aliyun.slb | aliyun.group | aliyun.vgroup) GROUP_NAME=clb:$GROUP ;;
    aliyun.*) GROUP_NAME=$1:$GROUP ;;
  esac
}

# The group's members by the truth: "ID STATE" each
members() {
  cloudsim state | python3 -c '
import json, sys
group = json.load(sys.stdin)[sys.argv[1]]["group"][sys.argv[2]]
print(*sorted(key.split()[0] + "=" + value[0] for key, value in group["members"].items()))' "$cloud" "${1:-$GROUP}"
}

is_member() { grep -qE "(^| )($own|10\.0\.0\.[0-9]+)=(healthy|initial|unhealthy)" <<<"$(members "$@")"; }

is_healthy() { grep -qE "(^| )($own|10\.0\.0\.[0-9]+)=healthy" <<<"$(members "$@")"; }

balanced() {
  cloud_node "$1"
  make_group "${2:-group}"
  what=("groups=$GROUP_NAME" port=80)
  lb monitor @interval=0
  assert_code 7
  assert_no_reason
  lb start
  assert_code 0
  assert_no_reason
  assert is_member
  lb monitor
  assert_code 0
  lb start healthy_wait=15
  assert_code 0
  lb monitor @depth=10
  assert_code 0
  lb stop
  assert_code 0
  refute is_member
  lb stop
  assert_code 0
  lb monitor @interval=0
  assert_code 7
}

@test "aws: register, healthy, drain, deregister, each twice" { balanced aws; }
@test "aliyun CLB: register, healthy, drain, deregister, each twice" { balanced aliyun slb; }
@test "aliyun VServer group: register, healthy, drain, deregister, each twice" { balanced aliyun vgroup; }
@test "aliyun ALB: register, healthy, drain, deregister, each twice" { balanced aliyun alb; }
@test "aliyun NLB: register, healthy, drain, deregister, each twice" { balanced aliyun nlb; }
@test "tencent: register, healthy, drain, deregister, each twice" { balanced tencent; }
@test "huawei: register, healthy, drain, deregister, each twice" { balanced huawei; }

@test "several groups: all or a failure" {
  local first
  cloud_node aws
  make_group
  first=$GROUP
  make_group
  what=("groups=$first $GROUP")
  lb start
  assert_code 0
  assert is_member "$first"
  assert is_member "$GROUP"
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"group\",\"id\":\"$GROUP\",\"fields\":{\"members\":{}}}"
  lb monitor @depth=10
  assert_code 1
  assert_reason "registered in 1 of 2"
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"group\",\"id\":\"$first\",\"fields\":{\"members\":{}}}"
  lb monitor @depth=10
  assert_code 7
  lb stop
  assert_code 0
  # One that does not exist.
  what=("groups=$first ${first%??}zz")
  lb start
  assert_code 1
  assert_reason "balancer group"
  lb stop
  assert_code 0
  refute is_member "$first"
}

# A group that was deleted, or whose name was never right: no node is fenced for it.
unknown_group() {
  cloud_node "$1"
  make_group "${2:-group}"
  what=("groups=${GROUP_NAME%????}0000" port=80)
  lb monitor @interval=0
  assert_code 1
  lb stop
  assert_code 0
}

@test "aws: a group that does not exist is a failed probe, and a stop that succeeds" {
  unknown_group aws
  # Where the cloud does not know this instance either, it was asked in the wrong place, or by the wrong key.
  cloudsim_fault '"kind":"error","status":400,"code":"InvalidInstanceID.NotFound","action":"DescribeInstances","count":0'
  lb stop
  assert_code 1
  assert_reason "balancer group"
}
@test "aliyun: a group that does not exist is a failed probe, and a stop that succeeds" { unknown_group aliyun slb; }
@test "aliyun: a listener that is gone says nothing of the group that this instance is in" {
  cloud_node aliyun
  make_group alb
  what=("groups=$GROUP_NAME" port=80)
  lb start
  assert_code 0
  # While it is being added nobody asks the listener.
  wait_until 60 is_healthy
  cloudsim_fault '"kind":"error","status":404,"code":"ResourceNotFound.Listener","action":"GetListenerHealthStatus","count":0'
  lb stop @timeout=8000
  assert_code 1
  assert is_member
}
@test "tencent: a group that does not exist is a failed probe, and a stop that succeeds" { unknown_group tencent; }
@test "huawei: a group that does not exist is a failed probe, and a stop that succeeds" { unknown_group huawei; }

@test "drain: waits the balancer's own time, drain_time in its place, and none" {
  local begin
  cloud_node aws
  make_group group '"drain":3'
  what=("groups=$GROUP")
  lb start
  begin=$(date +%s%N)
  lb stop @timeout=40000
  assert_code 0
  assert [ $((($(date +%s%N) - begin) / 1000000)) -ge 500 ]
  assert_equal "$(members)" ""
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"group\",\"id\":\"$GROUP\",\"fields\":{\"drain\":300}}"
  lb start
  assert_code 0
  lb stop drain_time=1
  assert_code 0
  # It drains still: no new connection comes.
  assert_equal "$(members)" "$own=draining"
  lb monitor @interval=0
  assert_code 7
  lb start
  assert_code 0
  assert is_member
  # The stop's time-out is shorter than the drain.
  lb stop @timeout=15000
  assert_code 0
}

@test "start waits until healthy, and fails where it never is" {
  cloud_node aws
  make_group
  cloudsim settings '{"health":10000}'
  what=("groups=$GROUP")
  lb start healthy_wait=1
  assert_code 1
  assert_reason "does not find this instance healthy in time"
  # A check that the balancer has begun goes on as it is: so once more from the beginning.
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"group\",\"id\":\"$GROUP\",\"fields\":{\"members\":{}}}"
  cloudsim settings '{"health":5}'
  lb start healthy_wait=15
  assert_code 0
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"group\",\"id\":\"$GROUP\",\"fields\":{\"members\":{}}}"
  lb stop
  assert_code 0
}

@test "a balancer that can't be asked is never \"not running\"" {
  cloud_node aws
  make_group
  what=("groups=$GROUP")
  lb start
  assert_code 0
  api_gone
  lb monitor
  assert_code 0
  lb monitor api_age=0 @timeout=2000
  assert_code 1
  lb monitor @interval=0 @timeout=2000
  assert_code 1
  lb start @timeout=2000
  assert_code 1
  lb stop @timeout=2000
  assert_code 1
  assert_reason "balancer"
  api_back
  assert is_member
  lb stop
  assert_code 0
}

@test "succeeded, but answered an error" {
  cloud_node aws
  make_group
  what=("groups=$GROUP")
  cloudsim_fault '"kind":"reset-after","action":"RegisterTargets"'
  lb start
  assert_code 0
  assert is_member
  cloudsim_fault '"kind":"unavailable-after","action":"DeregisterTargets"'
  lb stop
  assert_code 0
  refute is_member
}

# killed_in ACTION PATTERN KIND: ends the agent by SIGKILL while it waits for the answer to that request
killed_in() {
  local killed
  cloudsim_fault "\"kind\":\"$3\",\"action\":\"$2\",\"seconds\":30"
  node_spawn env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_groups="$GROUP" OCF_RESKEY_api_age=0 "${access[@]/#/OCF_RESKEY_}" \
    "$VIGIL_BUILD/agents/cloud-lb" "$1"
  killed=$spawned
  wait_until 20 faulted
  node_run kill -KILL $(node_run pgrep -x cloud-lb)
  wait "$killed" 2>/dev/null || :
  cloudsim_delete faults >/dev/null
}
faulted() { [ "$(cloudsim faults)" != '[]' ]; }

@test "kill -9 in a start, a monitor and a stop, before and after the request is carried out: the next action tells the truth, and ends it" {
  local kind
  cloud_node aws
  make_group
  what=("groups=$GROUP")
  for kind in hang slow; do
    killed_in start RegisterTargets "$kind"
    cloudsim quiet '{"seconds":20}' >/dev/null
    lb monitor @interval=0
    case $kind in hang) assert_code 7; refute is_member ;; slow) assert_code 0; assert is_member ;; esac
    lb start
    assert_code 0
    assert is_member
    killed_in monitor DescribeTargetHealth "$kind"
    lb monitor api_age=0
    assert_code 0
    killed_in stop DeregisterTargets "$kind"
    case $kind in hang) assert is_member ;; slow) refute is_member ;; esac
    lb stop
    assert_code 0
    refute is_member
    # And where a start was cut off, a stop alone puts it right.
    killed_in start RegisterTargets "$kind"
    lb stop
    assert_code 0
    cloudsim quiet '{"seconds":20}' >/dev/null
    refute is_member
  done
}

# ---- the health responder ----

answers() { node_run curl -sS --noproxy '*' -m 20 "http://127.0.0.1:${1:-8099}/" 2>/dev/null; }
responder_pid() { node_run sed 's/ .*//' "/run/vigil/cloud-lb/test@responder"; }

@test "the health responder: answers while it is active here, and needs no cloud" {
  cloud_node aws
  what=(responder_port=8099)
  api_gone
  lb monitor @interval=0
  assert_code 7
  lb start
  assert_code 0
  assert_equal "$(answers)" "vigil: active"
  # The agent has ended, and the responder holds no right, and no file of ours.
  assert_equal "$(node_run awk '/^Uid/ { print $2 }' "/proc/$(responder_pid)/status")" 65534
  lb monitor
  assert_code 0
  lb start
  assert_code 0
  lb stop
  assert_code 0
  refute answers
  lb stop
  assert_code 0
  lb monitor @interval=0
  assert_code 7
}

@test "the health responder: killed, it is missed and started again; its number may be another's" {
  cloud_node aws
  what=(responder_port=8099)
  lb start
  node_run kill -KILL "$(responder_pid)"
  wait_until 30 eval '! answers'
  lb monitor
  assert_code 7
  assert_reason "the health responder has ended"
  lb start
  assert_code 0
  assert [ -n "$(answers)" ]
  # A state file that names another process: that one is left alone.
  node_spawn sleep 300
  wait_until 5 node_run pgrep -x sleep
  node_run bash -c 'echo "$(pgrep -nx sleep) 1" >/run/vigil/cloud-lb/other@responder'
  lb stop @instance=other
  assert_code 0
  assert node_run pgrep -nx sleep
  lb stop
  assert_code 0
  refute answers
}

@test "the health responder: a port that another has, an address that is not here" {
  cloud_node aws
  what=(responder_port=8099)
  node_spawn python3 -m http.server 8099 --bind 0.0.0.0
  wait_until 30 answers
  lb start
  assert_code 1
  assert_reason "another process has this port"
  lb stop
  assert_code 0
  lb start responder_port=8098 responder_address=192.0.2.77
  assert_code 5
  assert_reason "192.0.2.77"
}

@test "the health responder: many, slow and rude clients do not take it from the balancer" {
  cloud_node aws
  what=(responder_port=8099)
  lb start
  assert_code 0
  node_spawn python3 -c '
import socket, time
held = []
for n in range(300):
    s = socket.create_connection(("127.0.0.1", 8099))
    if n % 3 == 0: s.sendall(b"\0" * 100)
    if n % 3 == 1: s.sendall(b"G")
    held.append(s)
open("'"$folder"'/held", "w").close()
time.sleep(60)'
  wait_until 20 test -e "$folder/held"
  assert_equal "$(answers)" "vigil: active"
  lb monitor
  assert_code 0
  assert [ "$(node_run ls "/proc/$(responder_pid)/fd" | wc -l)" -lt 80 ]
  lb stop
  assert_code 0
}

@test "responder and group together: the group comes after the responder, and goes before it" {
  cloud_node aws
  make_group
  what=("groups=$GROUP" responder_port=8099)
  lb start
  assert_code 0
  assert is_member
  assert [ -n "$(answers)" ]
  node_run kill -KILL "$(responder_pid)"
  wait_until 30 eval '! answers'
  lb monitor
  assert_code 1
  lb stop
  assert_code 0
  refute is_member
}

# ---- bad input ----

@test "malformed parameters are configuration errors, and nobody is asked" {
  local bad
  cloud_node aws
  what=()
  lb start
  assert_code 6
  assert_reason "neither groups nor responder_port"
  for bad in groups=' ' "groups=a;b" "groups=$(printf 'g%.0s ' {1..40})" port=70000 port=-1 weight=1000 target=address responder_port=70000 responder_address=x; do
    what=(groups=g)
    lb start "$bad"
    assert_code 6
  done
  assert_equal "$(api_calls)" 0
}
