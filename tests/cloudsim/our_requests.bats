#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What Vigil sends, beside what the vendors' own clients send for the same calls, and to whom it sends it where no endpoint is set.
load ../lib/common
load ../lib/cloudsim

teardown() {
  cloudsim_stop
  common_teardown
}

region_of() {
  case $1 in aws) echo us-east-1 ;; aliyun) echo cn-hangzhou ;; tencent) echo ap-guangzhou ;; huawei) echo cn-north-4 ;; esac
}

# The name of the vendor's own endpoint for instances.
endpoint_of() {
  case $1 in
    aws) echo ec2.us-east-1.amazonaws.com ;;
    aliyun) echo ecs.cn-hangzhou.aliyuncs.com ;;
    tencent) echo cvm.tencentcloudapi.com ;;
    huawei) echo ecs.cn-north-4.myhuaweicloud.com ;;
  esac
}

# A node that takes the simulator for the vendors: their names lead to it, and its certificate is for them.
cloud_node_at() {
  local name names=()
  node_start n1
  for name in aws aliyun tencent huawei; do names+=("$(endpoint_of "$name")"); done
  names+=(iam.cn-north-4.myhuaweicloud.com)
  { echo 127.0.0.1 localhost; printf '127.0.0.1 %s\n' "${names[@]}"; } >"$BATS_TEST_TMPDIR/hosts"
  node_run mount --bind "$BATS_TEST_TMPDIR/hosts" /etc/hosts
  CLOUDSIM_RUN=(nsenter -t "$(node_pid)" -n --)
  cloudsim_start "$BATS_TEST_TMPDIR" --https-port 443 "${names[@]/#/--name=}"
}

@test "without endpoints the vendors' own names are asked, by HTTPS that verifies" {
  local cloud
  cloud_node_at
  for cloud in aws aliyun tencent huawei; do
    cloudsim reset '{}' >/dev/null
    cloudsim_instance "$cloud" n1
    cloudsim_credentials "$cloud" "$BATS_TEST_TMPDIR/key"
    fence fence_vigil_cloud action=status "plug=$INSTANCE" "cloud=$cloud" "region=$(region_of "$cloud")" "metadata_url=$METADATA" \
      "credentials=$BATS_TEST_TMPDIR/key" "ca_file=$CLOUDSIM_CA"
    assert_code 0
    cloudsim log | grep -qE "\"[Hh]ost\", \"$(endpoint_of "$cloud")\""
    # An authority that is not ours.
    fence fence_vigil_cloud action=status "plug=$INSTANCE" "cloud=$cloud" "region=$(region_of "$cloud")" "metadata_url=$METADATA" \
      "credentials=$BATS_TEST_TMPDIR/key"
    assert_code 1
  done
}

# Every header of the vendor's own that is sent is signed, and so are the host and the type.
unsigned_headers() {
  cloudsim log | python3 -c '
import json, sys
for e in json.load(sys.stdin):
    if e["service"] == "metadata" or not e.get("signed"):
        continue
    for name, _ in e["headers"]:
        name = name.lower()
        if (name.startswith(("x-amz-", "x-acs-")) or name in ("host", "x-sdk-date", "x-project-id", "x-security-token")) and name not in e["signed"]:
            print(e["cloud"], e["action"], name)' | sort -u
}

@test "what the vendors want signed is signed" {
  local cloud
  node_start n1
  CLOUDSIM_RUN=(nsenter -t "$(node_pid)" -n --)
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
  for cloud in aws aliyun tencent huawei; do
    cloudsim reset '{"scale":0.1}' >/dev/null
    cloudsim_instance "$cloud" n1
    # Keys of the role, so that there is a token.
    fence fence_vigil_cloud action=off "plug=$INSTANCE" "cloud=$cloud" "region=$(region_of "$cloud")" "endpoints=all=$CLOUDSIM" "metadata_url=$METADATA"
    assert_code 0
    assert_equal "$(cloudsim_get "$cloud" instance "$INSTANCE" state)" stopped
    assert_equal "$(unsigned_headers)" ""
  done
}
