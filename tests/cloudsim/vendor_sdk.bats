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
    rm -rf "$SDK.new" && mkdir "$SDK.new" && cp "$folder"/package*.json "$SDK.new" && cd "$SDK.new" &&
      npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >"$SDK.log" 2>&1 && mv "$SDK.new" "$SDK"
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

@test "AWS's client" {
  cloud=aws
  vendor aws
  all_good 11
  assert_equal "$(schemes)" sigv4
}

@test "Aliyun's client, with both signatures" {
  cloud=aliyun
  vendor aliyun
  all_good 12
  assert_equal "$(schemes)" "acs3 aliyun-v1"
}

@test "Tencent Cloud's client" {
  cloud=tencent
  vendor tencent
  all_good 10
  assert_equal "$(schemes)" tc3
}

@test "Huawei Cloud's client" {
  cloud=huawei
  vendor huawei
  all_good 6
  assert_equal "$(schemes)" sdk-hmac
}

@test "none of them is served with a wrong secret" {
  for cloud in aws aliyun tencent huawei; do
    cloudsim reset '{}' >/dev/null
    vendor "$cloud" not-the-secret
    assert_equal "$(grep -c ' ok$' <<<"$output")" 0
    assert_equal "$(schemes)" refused
  done
}
