#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The simulator of the clouds itself: what it proves about the agents is worth what it is.
load ../lib/common
load ../lib/cloudsim

teardown() {
  cloudsim_stop
  common_teardown
}

# Like a client that does not look at what comes: prints "CODE BYTES EXIT". It waits for LIMIT seconds.
fetch() {
  local code=0
  curl -s --noproxy '*' -m "${LIMIT:-60}" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code} %{size_download}' "$@" || code=$?
  echo " $code"
}

@test "signatures, refusals and delays of the four clouds" {
  run python3 "$CLOUDSIM_FOLDER/sim_test.py" "$VIGIL_SOURCE/tests/unit/cloud/fixtures/signing-vectors.json"
  echo "$output"
  assert_equal "$status" 0
}

@test "starts by one command, beside others, and ends by its pid" {
  cloudsim_start "$BATS_TEST_TMPDIR/one"
  local first=$CLOUDSIM first_pid=$CLOUDSIM_PID
  cloudsim_start "$BATS_TEST_TMPDIR/two" --no-https
  refute [ "$first" = "$CLOUDSIM" ]
  cloudsim_instance aws n1
  assert_equal "$(CLOUDSIM=$first cloudsim state)" "{}"
  cloudsim_stop
  refute curl -s --noproxy '*' -m 20 "$CLOUDSIM/_sim/state"
  CLOUDSIM_PID=$first_pid
  cloudsim_stop
  refute kill -0 "$first_pid"
}

@test "HTTPS with an authority of its own; a wrong name and another authority do not verify" {
  cloudsim_start
  assert curl -s --noproxy '*' --cacert "$CLOUDSIM_CA" "$CLOUDSIM_HTTPS/_sim/state"
  refute curl -s --noproxy '*' "$CLOUDSIM_HTTPS/_sim/state"
  refute curl -s --noproxy '*' --cacert "$CLOUDSIM_CA" "$CLOUDSIM_WRONG_NAME/_sim/state"
  refute curl -s --noproxy '*' --cacert "$CLOUDSIM_CA" "$CLOUDSIM_WRONG_CA/_sim/state"
}

@test "an API call without a signature, or with a wrong one, is nobody's" {
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
  assert_equal "$(fetch -d 'Action=DescribeInstances&Version=2016-11-15' "$CLOUDSIM/")" "404 10 0"
  assert_equal "$(fetch -H 'Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/r/ec2/aws4_request, SignedHeaders=host, Signature=00' \
    -d 'Action=StopInstances' "$CLOUDSIM/" | cut -c1-3)" 400
  grep -q RequestExpired "$BATS_TEST_TMPDIR/body"
}

@test "metadata services: tokens, modes, roles whose keys end" {
  local cloud token header path
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
  for cloud in aws aliyun huawei; do
    cloudsim reset '{"metadata_token":"required","role_seconds":2}' >/dev/null
    cloudsim_instance "$cloud" n1
    case $cloud in
      aws) header=X-aws-ec2-metadata-token path=/latest/meta-data/instance-id token=/latest/api/token ;;
      aliyun) header=X-aliyun-ecs-metadata-token path=/latest/meta-data/instance-id token=/latest/api/token ;;
      huawei) header=X-Metadata-Token path=/openstack/latest/meta_data.json token=/meta-data/latest/api/token ;;
    esac
    assert_equal "$(fetch "$METADATA$path" | cut -c1-3)" 401
    assert_equal "$(fetch -X PUT -H "$header-ttl-seconds: 99999" "$METADATA$token" | cut -c1-3)" 400
    token=$(curl -s --noproxy '*' -X PUT -H "$header-ttl-seconds: 60" "$METADATA$token")
    curl -s --noproxy '*' -H "$header: $token" "$METADATA$path" | grep -q "$INSTANCE"
    cloudsim settings '{"metadata_token":"disabled"}' >/dev/null
    assert_equal "$(fetch -H "$header: $token" "$METADATA$path" | cut -c1-3)" 403
  done
  cloudsim reset '{"role_seconds":1}' >/dev/null
  cloudsim_instance tencent n1
  local first
  first=$(curl -s --noproxy '*' "$METADATA/latest/meta-data/cam/security-credentials/vigil" | cloudsim_field TmpSecretId)
  keys_changed() { [ "$(curl -s --noproxy '*' "$METADATA/latest/meta-data/cam/security-credentials/vigil" | cloudsim_field TmpSecretId)" != "$first" ]; }
  wait_until 30 keys_changed
}

@test "each kind of fault is what it says" {
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
  cloudsim_instance aws n1
  local url=$METADATA/latest/meta-data/instance-id kind
  spoiled() { cloudsim_fault "\"kind\":\"$1\"${2:+,$2}" >/dev/null && fetch "$url"; }
  assert_equal "$(spoiled reset)" "000 0 56"
  assert_equal "$(spoiled truncate | cut -d' ' -f3)" 18
  assert_equal "$(spoiled error)" "500 6 0"
  assert_equal "$(spoiled empty)" "200 0 0"
  assert_equal "$(LIMIT=3 spoiled hang '"seconds":30')" "000 0 28"
  assert_equal "$(spoiled redirect | cut -c1-3)" 302
  assert_equal "$(spoiled headers | cut -d' ' -f3)" 56
  assert [ "$(spoiled huge '"bytes":2000000' | cut -d' ' -f2)" -ge 2000000 ]
  assert_equal "$(spoiled deep | cut -d' ' -f2)" 400013
  spoiled kind && grep -q 'Please log in' "$BATS_TEST_TMPDIR/body"
  spoiled nul && grep -qaP '\x00' "$BATS_TEST_TMPDIR/body"
  assert_equal "$(fetch "$url")" "200 19 0"
}

@test "hooks run before the state is told, and hold it back when they fail" {
  cloudsim_start "$BATS_TEST_TMPDIR" --no-https
  printf '#!/bin/sh\necho "$@" >>%s\n[ ! -e %s ]\n' "$BATS_TEST_TMPDIR/hooked" "$BATS_TEST_TMPDIR/fail" >"$BATS_TEST_TMPDIR/hook"
  chmod +x "$BATS_TEST_TMPDIR/hook"
  cloudsim reset "{\"scale\":0.1,\"hooks\":{\"all\":\"$BATS_TEST_TMPDIR/hook\"}}" >/dev/null
  cloudsim_instance aws n1
  cloudsim_disk aws "\"attached\":\"$INSTANCE\""
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"instance\",\"id\":\"$INSTANCE\",\"fields\":{\"state\":\"running\"}}"
  cloudsim power "{\"cloud\":\"aws\",\"id\":\"$INSTANCE\",\"action\":\"off\"}"
  cloudsim quiet '{}'
  assert_equal "$(cloudsim_get aws instance "$INSTANCE" state)" stopped
  assert_equal "$(cat "$BATS_TEST_TMPDIR/hooked")" "stop $INSTANCE n1"
  touch "$BATS_TEST_TMPDIR/fail"
  cloudsim power "{\"cloud\":\"aws\",\"id\":\"$INSTANCE\",\"action\":\"on\"}"
  cloudsim quiet '{}'
  assert_equal "$(cloudsim_get aws instance "$INSTANCE" state)" pending
}
