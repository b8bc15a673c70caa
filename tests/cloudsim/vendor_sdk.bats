#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The vendors' own clients (sdk/package.json) as independent clients of the simulator: what they send passes, and what Vigil sends has the
# same form. They are installed once into a cache outside of the tree.
load ../lib/common
load ../lib/cloudsim

setup_file() {
  local cache=${VIGIL_CACHE:-/var/cache/vigil-tests} folder=$BATS_TEST_DIRNAME/sdk
  SDK=$cache/sdk-$(cat "$folder/package.json" "$folder/package-lock.json" | md5sum | cut -c 1-12)
  export SDK
  mkdir -p "$cache"
  (
    flock 9
    [ ! -d "$SDK" ] || exit 0
    # The registry may be out of reach for a moment.
    for _ in 1 2 3; do
      rm -rf "$SDK.new" && mkdir "$SDK.new" && cp "$folder"/package*.json "$SDK.new" &&
        (cd "$SDK.new" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) >"$SDK.log" 2>&1 && mv "$SDK.new" "$SDK" && exit 0
    done
    exit 1
  ) 9>"$SDK.lock" || { tail -n 20 "$SDK.log"; return 1; } >&2
}

setup() {
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
}

teardown() {
  cloudsim_stop
  common_teardown
}

# Has a vendor's client make its calls; its lines are in $output.
vendor() {
  local cloud=$1 type=group group key secret
  [ "$cloud" != aliyun ] || type=alb
  cloudsim_instance "$cloud" n1
  cloudsim_disk "$cloud"
  group=$(cloudsim group "{\"cloud\":\"$cloud\",\"type\":\"$type\"}" | cloudsim_field id)
  read -r key secret < <(cloudsim keys | python3 -c 'import json, sys; k = json.load(sys.stdin)[sys.argv[1]]; print(k["key"], k["secret"])' "$cloud")
  cd "$SDK"
  run node "$BATS_TEST_DIRNAME/sdk/vendor_clients.js" "$cloud" "{\"url\":\"$CLOUDSIM\",\"key\":\"$key\",\"secret\":\"${2:-$secret}\",\"region\":\"region-1\",
    \"instance\":\"$INSTANCE\",\"disk\":\"$DISK\",\"device\":\"/dev/sdf\",\"nic\":\"$NIC\",\"address\":\"10.0.0.77\",\"group\":\"$group\",
    \"project\":\"0123456789abcdef0123456789abcdef\"}"
  cd "$BATS_TEST_DIRNAME"
  echo "$output"
  assert_equal "$status" 0
}

# All calls succeeded, and as many as there should be.
all_good() {
  assert_equal "$(grep -c ' ok$' <<<"$output")" "$1"
  assert_equal "$(grep -v ' ok$' <<<"$output" | grep -v DryRunOperation)" ""
  cloudsim quiet '{}'
  assert_equal "$(cloudsim_get "$cloud" instance "$INSTANCE" state)" stopped
  assert_equal "$(cloudsim_get "$cloud" disk "$DISK" state)" available
}

schemes() {
  cloudsim log | python3 -c 'import json, sys; print(*sorted({e.get("scheme") or "refused" for e in json.load(sys.stdin)}))'
}

# Makes the same calls with lib/cloud, and compares action by action: method, path, kind of body, and no parameter that the vendor's client does not send for the
# same thing, but for those named.
ours_alike() {
  local at_least=$1 allowed=$2 words key
  cloudsim log >"$BATS_TEST_TMPDIR/vendor.json"
  cloudsim reset '{"scale":0.1}' >/dev/null
  cloudsim_instance "$cloud" n1
  cloudsim_disk "$cloud"
  local group group_word type=group
  [ "$cloud" != aliyun ] || type=alb
  group=$(cloudsim group "{\"cloud\":\"$cloud\",\"type\":\"$type\"}" | cloudsim_field id)
  group_word=$group
  [ "$cloud" != aliyun ] || group_word=alb:$group
  cloudsim_credentials "$cloud" "$BATS_TEST_TMPDIR/key"
  words=("cloud=$cloud" region=region-1 "endpoints=all=$CLOUDSIM" "metadata=$METADATA" "credentials=$BATS_TEST_TMPDIR/key" "run=$BATS_TEST_TMPDIR/run" rate=100000
    project=0123456789abcdef0123456789abcdef)
  our_call() { "$VIGIL_BUILD/tests/agents/cloud_call" "${words[@]}" "$@" >>"$BATS_TEST_TMPDIR/ours.log" 2>&1; }
  assert our_call instance "$INSTANCE" -
  assert our_call disk "$DISK"
  assert our_call attach "$DISK" "$INSTANCE" /dev/sdf
  assert our_call await "$DISK" "$INSTANCE" attached
  [ "$cloud" = huawei ] || assert our_call assign secondary 10.0.0.77 "$INSTANCE" "$NIC"
  [ "$cloud" = huawei ] || assert our_call release secondary 10.0.0.77 "$INSTANCE" "$NIC"
  assert our_call detach "$DISK" "$INSTANCE" -
  assert our_call register "$group_word" "$INSTANCE" - 80
  assert our_call deregister "$group_word" "$INSTANCE" - 80
  assert our_call power "$INSTANCE" off
  cloudsim log >"$BATS_TEST_TMPDIR/ours.json"
  assert python3 "$BATS_TEST_DIRNAME/sdk/compare_requests.py" "$BATS_TEST_TMPDIR/vendor.json" "$BATS_TEST_TMPDIR/ours.json" "$at_least" "$allowed"
}

@test "AWS's client" {
  cloud=aws
  vendor aws
  all_good 11
  assert_equal "$(schemes)" sigv4
  ours_alike 9 "Filter.1.Name Filter.1.Value.1 Filter.2.Name Filter.2.Value.1"
}

@test "Aliyun's client, with both signatures" {
  cloud=aliyun
  vendor aliyun
  all_good 12
  assert_equal "$(schemes)" "acs3 aliyun-v1"
  ours_alike 8 "RegionId ConfirmStop InstanceId PrivateIpAddress.1 Servers.1.Weight DeleteWithInstance PageSize MaxResults Device VpcId ServerIds.1"
}

@test "Tencent Cloud's client" {
  cloud=tencent
  vendor tencent
  all_good 10
  assert_equal "$(schemes)" tc3
  ours_alike 8 "Filters Limit ListenerIds"
}

@test "Huawei Cloud's client" {
  cloud=huawei
  vendor huawei
  all_good 6
  assert_equal "$(schemes)" sdk-hmac
  ours_alike 4 delete_flag
}

@test "none of them is served with a wrong secret" {
  for cloud in aws aliyun tencent huawei; do
    cloudsim reset '{}' >/dev/null
    vendor "$cloud" not-the-secret
    assert_equal "$(grep -c ' ok$' <<<"$output")" 0
    assert_equal "$(schemes)" refused
  done
}
