#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by the libraries
# cloud-vip on a node that is an instance of a simulated cloud.
load ../lib/common
load ../lib/cloudsim
load ../lib/cloud_agent

# vip ACTION [param=value...]: with the parameters in $what
vip() {
  local action=$1
  shift
  agent cloud-vip "$action" "${what[@]}" "${access[@]}" "$@"
}

age_note() {
  local now
  now=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
  node_run sed -i "s/^[0-9]*/$((now - $1 * 1000))/" /run/vigil/cloud-vip/test
}

addresses_of() { cloudsim_get "$cloud" nic "$1" addresses | tr -d '[]" ' | tr ',' ' '; }
has_address() { grep -qw -- "$2" <<<"$(addresses_of "$1")"; }

# ---- secondary private addresses ----

secondary() {
  cloud_node "$1"
  what=(address=10.0.0.100 mode=auto)
  vip monitor @interval=0
  assert_code 7
  assert_no_reason
  vip start
  assert_code 0
  assert_no_reason
  assert has_address "$nic" 10.0.0.100
  vip monitor
  assert_code 0
  vip monitor @depth=10
  assert_code 0
  vip start
  assert_code 0
  vip stop
  assert_code 0
  refute has_address "$nic" 10.0.0.100
  vip stop
  assert_code 0
  vip monitor @interval=0
  assert_code 7
  # From the other instance, whatever that thinks of it.
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"nic\",\"id\":\"$peer_nic\",\"fields\":{\"addresses\":[\"$(addresses_of "$peer_nic")\",\"10.0.0.100\"]}}"
  vip monitor @interval=0
  assert_code 7
  vip start
  assert_code 0
  assert has_address "$nic" 10.0.0.100
  refute has_address "$peer_nic" 10.0.0.100
  # And the other way round: a monitor sees it go, a stop leaves the other's alone.
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"nic\",\"id\":\"$nic\",\"fields\":{\"addresses\":[\"$(addresses_of "$nic" | cut -d' ' -f1)\"]}}"
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"nic\",\"id\":\"$peer_nic\",\"fields\":{\"addresses\":[\"$(addresses_of "$peer_nic" | cut -d' ' -f1)\",\"10.0.0.100\"]}}"
  vip monitor @depth=10
  assert_code 7
  assert_reason "not at this instance any more"
  vip stop
  assert_code 0
  assert has_address "$peer_nic" 10.0.0.100
}

# The service learns of a change seconds after the API tells it: a monitor in between waits for it, and does not say that something is wrong.
@test "a metadata service that lags behind the API is waited for, both ways" {
  cloud_node aliyun
  what=(address=10.0.0.100 mode=secondary)
  vip start
  assert_code 0
  cloudsim settings '{"address":10}'
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"nic\",\"id\":\"$nic\",\"fields\":{\"addresses\":[\"$(addresses_of "$nic" | cut -d' ' -f1)\"]}}"
  vip monitor @depth=10
  assert_code 7
  assert_reason "not at this instance any more"
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"nic\",\"id\":\"$nic\",\"fields\":{\"addresses\":[\"$(addresses_of "$nic")\",\"10.0.0.100\"]}}"
  vip monitor @depth=10
  assert_code 0
}

@test "aws: a secondary address, both ways" { secondary aws; }
@test "aliyun: a secondary address, both ways" { secondary aliyun; }
@test "tencent: a secondary address, both ways" { secondary tencent; }

# ---- elastic addresses ----

elastic() {
  local eip public
  cloud_node "$1"
  eip=$(cloudsim eip "{\"cloud\":\"$cloud\"}" | tee "$folder/eip" | cloudsim_field id)
  public=$(cloudsim_field address <"$folder/eip")
  what=("address=$eip" mode=eip)
  vip monitor @interval=0
  assert_code 7
  vip start
  assert_code 0
  assert_equal "$(cloudsim_get "$cloud" eip "$eip" nic)" "$nic"
  vip monitor @depth=10
  assert_code 0
  # By its address it is the same one.
  what=("address=$public")
  vip monitor @depth=10
  assert_code 0
  vip stop
  assert_code 0
  assert_equal "$(cloudsim_get "$cloud" eip "$eip" nic)" ""
  vip stop
  assert_code 0
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"eip\",\"id\":\"$eip\",\"fields\":{\"nic\":\"$peer_nic\",\"association\":\"0123\"}}"
  vip monitor @interval=0
  assert_code 7
  vip start
  assert_code 0
  assert_equal "$(cloudsim_get "$cloud" eip "$eip" nic)" "$nic"
}

# One that was given back, or whose id was never right: no node is fenced for it.
unknown_elastic() {
  local eip
  cloud_node "$1"
  eip=$(cloudsim eip "{\"cloud\":\"$cloud\"}" | cloudsim_field id)
  what=("address=${eip%????}0000" mode=eip)
  vip monitor @interval=0
  assert_code 1
  vip stop
  assert_code 0
}

@test "aliyun: an elastic address that does not exist is a failed probe, and a stop that succeeds" { unknown_elastic aliyun; }
@test "tencent: an elastic address that does not exist is a failed probe, and a stop that succeeds" { unknown_elastic tencent; }
@test "huawei: an elastic address that does not exist is a failed probe, and a stop that succeeds" { unknown_elastic huawei; }
@test "aws: an elastic address that does not exist is a failed probe, and a stop that succeeds" {
  unknown_elastic aws
  # Where the cloud does not know this instance either, it was asked in the wrong place, or by the wrong key.
  cloudsim_fault '"kind":"error","status":400,"code":"InvalidInstanceID.NotFound","action":"DescribeInstances","count":0'
  vip stop
  assert_code 1
  assert_reason "elastic address"
}

@test "aws: an elastic address" { elastic aws; }
@test "aliyun: an elastic address" { elastic aliyun; }
@test "tencent: an elastic address" { elastic tencent; }
@test "huawei: an elastic address" { elastic huawei; }

# ---- routes ----

route() {
  local first second
  cloud_node "$1"
  first=$(cloudsim route-table "{\"cloud\":\"$cloud\",\"routes\":[[\"198.51.100.7/32\",\"$peer\"]]}" | cloudsim_field id)
  second=$(cloudsim route-table "{\"cloud\":\"$cloud\",\"routes\":[[\"198.51.100.7/32\",\"$peer\"]]}" | cloudsim_field id)
  what=(address=198.51.100.7/32 mode=route "tables=$first $second")
  vip monitor @interval=0
  assert_code 7
  vip start
  assert_code 0
  assert_equal "$(route_target "$first") $(route_target "$second")" "$nic $nic"
  vip monitor @depth=10
  assert_code 0
  # One table of two leads elsewhere: neither running nor stopped.
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"route-table\",\"id\":\"$second\",\"fields\":{\"routes\":[[\"198.51.100.7/32\",\"nic\",\"$peer_nic\",\"rti-00000001\"]]}}"
  vip monitor @depth=10
  assert_code 1
  assert_reason "some of its route tables"
  vip start
  assert_code 0
  assert_equal "$(route_target "$first") $(route_target "$second")" "$nic $nic"
  cloudsim set "{\"cloud\":\"$cloud\",\"kind\":\"route-table\",\"id\":\"$second\",\"fields\":{\"routes\":[[\"198.51.100.7/32\",\"nic\",\"$peer_nic\",\"rti-00000001\"]]}}"
  vip stop
  assert_code 0
  # What leads to the other stays.
  assert_equal "$(route_target "$first") $(route_target "$second")" " $peer_nic"
  vip monitor @interval=0
  assert_code 7
}

@test "an address is the same in each way it may be written: none of them is a false stopped" {
  local table address
  cloud_node aws
  table=$(cloudsim route-table "{\"cloud\":\"aws\",\"routes\":[[\"198.51.100.7/32\",\"$own\"],[\"198.51.100.0/28\",\"$own\"],[\"2001:db8:7::7/128\",\"$own\"]]}" | cloudsim_field id)
  for address in 198.51.100.7/32 198.51.100.7 198.51.100.9/28 2001:db8:7::7/128 2001:DB8:7::7 2001:0db8:0007:0::7/128; do
    what=("address=$address" mode=route "tables=$table")
    vip monitor @depth=10
    assert_code 0
  done
  what=(address=198.51.100.7/33 mode=route "tables=$table")
  vip monitor @depth=10
  assert_code 1
  what=(address=198.51.100.7 mode=route "tables=$table")
  vip stop
  assert_code 0
  assert_equal "$(route_target "$table")" ""
}

@test "an answer that lacks what was asked for is no word of its absence" {
  local table
  cloud_node aws
  table=$(cloudsim route-table "{\"cloud\":\"aws\",\"routes\":[[\"198.51.100.7/32\",\"$own\"]]}" | cloudsim_field id)
  cloudsim_fault '"kind":"lacks","action":"DescribeRouteTables","count":0'
  what=(address=198.51.100.7/32 mode=route "tables=$table")
  vip stop @timeout=8000
  assert_code 1
  assert_reason "lacks"
  cloudsim_fault '"kind":"lacks","action":"DescribeNetworkInterfaces","count":0,"skip":1'
  what=(address=10.0.0.100 mode=secondary)
  vip stop @timeout=8000
  assert_code 1
}

route_target() {
  cloudsim_get "$cloud" route-table "$1" routes | python3 -c 'import json, sys; print(*[r[2] for r in json.load(sys.stdin) if r[0] == "198.51.100.7/32"])'
}

@test "aws: a route in two tables" { route aws; }
@test "aliyun: a route in two tables" { route aliyun; }
@test "tencent: a route in two tables" { route tencent; }

# ---- HaVip ----

havip() {
  local id
  cloud_node "$1"
  id=$(cloudsim havip "{\"cloud\":\"$cloud\",\"address\":\"10.0.0.200\"}" | cloudsim_field id)
  what=("address=$id")
  # Huawei's has no form of its own; a private address is one there.
  [ "$cloud" != huawei ] || what=(address=10.0.0.200)
  vip monitor @interval=0
  assert_code 7
  vip start
  assert_code 0
  vip monitor @depth=10
  assert_code 0
  vip stop
  assert_code 0
  vip monitor @interval=0
  assert_code 7
}

@test "aliyun: a HaVip" { havip aliyun; }
@test "tencent: a HaVip" { havip tencent; }
@test "huawei: a virtual IP address of the subnet" { havip huawei; }

# ---- what can't be seen is not "not running" ----

unreachable() {
  cloud_node "$1"
  what=(address=10.0.0.100)
  vip start
  assert_code 0
  api_gone
  # The last word is young enough.
  vip monitor
  assert_code 0
  age_note 31
  vip monitor @timeout=2000
  assert_code 1
  assert_reason "10.0.0.100"
  vip monitor @interval=0 @timeout=2000
  assert_code 1
  vip monitor @depth=10 @timeout=2000
  assert_code 1
  vip start @timeout=2000
  assert_code 1
  vip stop @timeout=2000
  assert_code 1
  assert_reason "10.0.0.100"
  api_back
  assert has_address "$nic" 10.0.0.100
  vip stop
  assert_code 0
}

@test "aws: an API that can't be reached is a failure of every action" { unreachable aws; }
@test "aliyun: an API that can't be reached is a failure of every action" { unreachable aliyun; }

@test "each fault on the way: never a false answer" {
  local kind
  cloud_node aws
  what=(address=10.0.0.100)
  for kind in unavailable throttle denied expired reset truncate garbage empty kind nul bomb deep error; do
    cloudsim_fault "\"kind\":\"$kind\",\"action\":\"Describe\",\"count\":0"
    # On a slow machine the time may be over before the fault is met: then once more.
    until faulted; do
      vip monitor @interval=0 @timeout=1500
      assert_code 1
      vip stop @timeout=1500
      assert_code 1
    done
    cloudsim_delete faults >/dev/null
  done
}

@test "the metadata service does not answer: nothing is claimed" {
  cloud_node aws
  what=(address=10.0.0.100)
  metadata=http://127.0.0.1:9
  api_back
  vip start @timeout=2000
  assert_code 1
  assert_reason "which instance this is could not be told"
  vip monitor @interval=0 @timeout=2000
  assert_code 1
  vip stop @timeout=2000
  assert_code 1
}

@test "succeeded, but answered an error" {
  cloud_node aws
  what=(address=10.0.0.100)
  cloudsim_fault '"kind":"reset-after","action":"AssignPrivateIpAddresses"'
  vip start
  assert_code 0
  assert has_address "$nic" 10.0.0.100
  cloudsim_fault '"kind":"unavailable-after","action":"UnassignPrivateIpAddresses"'
  vip stop
  assert_code 0
  refute has_address "$nic" 10.0.0.100
}

@test "kill -9 in the middle of a start and of a stop: the retry ends it" {
  local action pattern pid
  cloud_node aws
  what=(address=10.0.0.100)
  for action in start stop; do
    for kind in hang slow; do
      [ "$action" = start ] || { vip start; assert_code 0; }
      case $action in start) pattern=AssignPrivate ;; stop) pattern=UnassignPrivate ;; esac
      cloudsim_fault "\"kind\":\"$kind\",\"action\":\"$pattern\",\"seconds\":30"
      node_spawn env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_address=10.0.0.100 "${access[@]/#/OCF_RESKEY_}" "$VIGIL_BUILD/agents/cloud-vip" "$action"
      pid=$spawned
      wait_until 20 faulted
      node_run kill -KILL $(node_run pgrep -x cloud-vip)
      wait "$pid" 2>/dev/null || :
      cloudsim_delete faults >/dev/null
      vip "$action"
      assert_code 0
      case $action in start) assert has_address "$nic" 10.0.0.100 ;; stop) refute has_address "$nic" 10.0.0.100 ;; esac
      vip stop
      assert_code 0
    done
  done
}
faulted() { [ "$(cloudsim faults)" != '[]' ]; }

# ---- bad input ----

@test "malformed parameters are configuration errors, and nobody is asked" {
  local bad
  cloud_node aws
  for bad in 'a b' '-x' "$(printf '1%.0s' {1..100})" '10.0.0.1;id'; do
    what=("address=$bad")
    vip start
    assert_code 6
  done
  what=()
  vip start
  assert_code 6
  what=(address=10.0.0.100)
  for bad in mode=route mode=nonsense 'tables=a;b' interface='eni 1' private_address=x mode=; do
    [ "$bad" = mode= ] || { vip start "$bad"; assert_code 6; }
  done
  vip start mode=secondary tables=rtb-1
  assert_code 6
  what=(address=eipalloc-1 mode=secondary)
  vip start
  assert_code 6
  assert_equal "$(api_calls)" 0
}

@test "a monitor whose last word is young asks nobody and opens no library of the cloud's" {
  local calls
  cloud_node aws
  what=(address=10.0.0.100)
  vip start
  assert_code 0
  calls=$(api_calls)
  AGENT_WRAPPER=(strace -f -o "$folder/trace")
  vip monitor
  assert_code 0
  AGENT_WRAPPER=()
  refute grep -qE 'libcurl|libxml2|libjansson|libcrypto|AF_INET' "$folder/trace"
  assert_equal "$(api_calls)" "$calls"
}
