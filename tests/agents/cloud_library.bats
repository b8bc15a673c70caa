# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154,SC2153 # set by common.bash, by cloudsim.bash
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# shellcheck disable=SC2034 # stderr is read by common.bash
# lib/cloud against the simulator of the clouds, through tests/agents/cloud_call: each operation, each cloud, and servers that mean harm.
load ../lib/common
load ../lib/cloudsim

setup() {
  cloudsim_start "$BATS_TEST_TMPDIR"
  at_end cloudsim_stop
  cloudsim settings '{"scale":0.1}' >/dev/null
  clouds=(aws aliyun tencent huawei)
}

# new_world CLOUD: two instances (first, second) and a disk.
new_world() {
  cloud=$1
  cloudsim reset '{"scale":0.1}' >/dev/null
  cloudsim_instance "$cloud" node1
  first=$INSTANCE metadata=$METADATA
  cloudsim_instance "$cloud" node2
  second=$INSTANCE
  cloudsim_disk "$cloud"
  rm -rf "$BATS_TEST_TMPDIR/run"
  options=() stderr=""
}

# call WORD...: one operation, with a role's keys, over HTTPS.
call() {
  "$VIGIL_BUILD/tests/agents/cloud_call" cloud="$cloud" metadata="$metadata" endpoints="all=$CLOUDSIM_HTTPS" ca="$CLOUDSIM_CA" \
    run="$BATS_TEST_TMPDIR/run" "${options[@]}" "$@"
}

# expect TEXT WORD...: the operation succeeds, and its output holds the text.
expect() {
  run call "${@:2}"
  assert_code 0
  assert_output_has "$1"
}

# refuse TEXT WORD...: it fails with that class.
refuse() {
  run call "${@:2}"
  assert_code 1
  assert_output_has "error=$1"
}

# fault JSON: one of the API, whose actions begin with a capital; the metadata service's are paths.
fault() {
  cloudsim_fault "\"action\":\"^[A-Z]\",$1" >/dev/null
}

# eventually TEXT WORD...: it is so within ten seconds.
eventually() {
  local tries=200
  until call "${@:2}" 2>/dev/null | grep -q -- "$1"; do
    [ $((tries -= 1)) -gt 0 ] || { echo "never $1: $(call "${@:2}" 2>&1)"; return 1; }
    sleep 0.2
  done
}

@test "who am I, in each cloud, named or found out" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "instance=$first" self
    run "$VIGIL_BUILD/tests/agents/cloud_call" dmi=/nonexistent metadata="$metadata" run="$BATS_TEST_TMPDIR/run" self
    assert_code 0
    assert_output_has "cloud=$cloud"
  done
}

@test "a cloud is found by DMI without a request" {
  local vendors=("Amazon EC2" "Alibaba Cloud" "Tencent Cloud" "HUAWEICLOUD") number
  for number in 0 1 2 3; do
    new_world "${clouds[number]}"
    mkdir -p "$BATS_TEST_TMPDIR/dmi"
    echo "${vendors[number]}" >"$BATS_TEST_TMPDIR/dmi/sys_vendor"
    run "$VIGIL_BUILD/tests/agents/cloud_call" dmi="$BATS_TEST_TMPDIR/dmi" metadata="$metadata" self
    assert_code 0
    assert_output_has "cloud=${clouds[number]}"
  done
}

@test "power: hard off is seen, a stopped instance starts" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "power=running" instance "$second"
    expect "" power "$second" off
    eventually power=stopped instance "$second"
    # Kept for a start: no economical mode.
    assert_equal "$(cloudsim_get "$cloud" instance "$second" stop_mode | grep -icE 'stop_?charging')" 0
    expect "" power "$second" on
    eventually power=running instance "$second"
    [ "$(call list 2>/dev/null | wc -l)" -eq 2 ]
  done
}

@test "disks: attached, with the other one refused, and detached" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "state=available" disk "$DISK"
    expect "serial=$SERIAL" disk "$DISK"
    # The whole id, which a SCSI disk shows; virtio cuts it.
    [ "$cloud" != huawei ] || expect "serial=$DISK\$" disk "$DISK"
    expect "" attach "$DISK" "$first"
    expect "attachment=$first state=attached" await "$DISK" "$first" attached
    expect "" attach "$DISK" "$first"
    refuse "in use" attach "$DISK" "$second"
    assert_output_has "$first"
    expect "" detach "$DISK" "$first"
    expect "state=available" await "$DISK" "$first" detached
    expect "" detach "$DISK" "$first"
  done
}

disk_is_leaving() { ! cloudsim_get "$cloud" disk "$DISK" attachments | grep -q '"attached"'; }

@test "a disk that is just leaving another instance is waited for" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "" attach "$DISK" "$second"
    expect "" await "$DISK" "$second" attached
    cloudsim settings '{"scale":4}' >/dev/null
    [ "$cloud" = huawei ] || expect "" detach "$DISK" "$second"
    # Huawei's detach is followed to its end.
    [ "$cloud" != huawei ] || { call detach "$DISK" "$second" >/dev/null 2>&1 3>&- & leaving=$!; wait_until 30 disk_is_leaving; }
    expect "" attach "$DISK" "$first"
    expect "attachment=$first" await "$DISK" "$first" attached
    [ "$cloud" != huawei ] || wait "$leaving" || :
  done
}

@test "a disk of another zone is told from one that is not there" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    cloudsim_disk "$cloud" '"zone":"other-zone"'
    refuse "wrong zone" attach "$DISK" "$first"
    case $cloud in
      aws) missing=vol-00000000000000000 ;;
      aliyun) missing=d-bp1none ;;
      tencent) missing=disk-none0000 ;;
      huawei) missing=00000000-0000-4000-8000-000000000000 ;;
    esac
    refuse "not found" disk "$missing"
    refuse "invalid" disk 'a b'
    refuse "invalid" disk '"],"x":["'
  done
}

@test "secondary addresses go to whom they are assigned, and leave only whom they are with" {
  for cloud in aws aliyun tencent; do
    new_world "$cloud"
    expect "assigned=0" address secondary 10.0.0.99 "$first"
    expect "" assign secondary 10.0.0.99 "$first"
    eventually "assigned=1.*instance=$first" address secondary 10.0.0.99 "$first"
    expect "here=1" in-metadata secondary 10.0.0.99
    expect "" assign secondary 10.0.0.99 "$second"
    eventually "instance=$second" address secondary 10.0.0.99 "$first"
    expect "" release secondary 10.0.0.99 "$first"
    expect "instance=$second" address secondary 10.0.0.99 "$first"
    expect "" release secondary 10.0.0.99 "$second"
    eventually "assigned=0" address secondary 10.0.0.99 "$first"
  done
}

@test "elastic addresses move, whoever has them" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    eip=$(cloudsim eip "{\"cloud\":\"$cloud\"}" | cloudsim_field id)
    expect "assigned=0" address elastic "$eip" "$first"
    expect "" assign elastic "$eip" "$first"
    eventually "assigned=1 moving=0 instance=$first" address elastic "$eip" "$first"
    expect "" assign elastic "$eip" "$second"
    eventually "assigned=1 moving=0 instance=$second" address elastic "$eip" "$first"
    expect "" release elastic "$eip" "$first"
    eventually "instance=$second" address elastic "$eip" "$first"
    expect "" release elastic "$eip" "$second"
    eventually "assigned=0" address elastic "$eip" "$first"
  done
}

@test "routes in several tables: one that lacks it, one that leads elsewhere" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    one=$(cloudsim route-table "{\"cloud\":\"$cloud\",\"routes\":[[\"192.0.2.7/32\",\"$first\"]]}" | cloudsim_field id)
    two=$(cloudsim route-table "{\"cloud\":\"$cloud\"}" | cloudsim_field id)
    expect "partial=1" address route 192.0.2.7/32 "$first" - "$one,$two"
    expect "" assign route 192.0.2.7/32 "$second" - "$one,$two"
    eventually "assigned=1.*instance=$second.*partial=0" address route 192.0.2.7/32 "$first" - "$one,$two"
    expect "" release route 192.0.2.7/32 "$first" - "$one,$two"
    expect "instance=$second" address route 192.0.2.7/32 "$first" - "$one,$two"
    expect "" release route 192.0.2.7/32 "$second" - "$one,$two"
    eventually "assigned=0" address route 192.0.2.7/32 "$first" - "$one,$two"
  done
}

@test "balancers: registered, drained, gone" {
  local kind prefix group
  for kind in aws:group aliyun:group aliyun:alb aliyun:nlb tencent:group huawei:group; do
    new_world "${kind%:*}"
    group=$(cloudsim group "{\"cloud\":\"$cloud\",\"type\":\"${kind#*:}\"}" | cloudsim_field id)
    case $kind in
      aliyun:group) prefix=clb: ;;
      aliyun:*) prefix=${kind#*:}: ;;
      *) prefix='' ;;
    esac
    expect "health=absent" target "$prefix$group" "$first" - 80
    expect "" register "$prefix$group" "$first" - 80
    eventually "health=healthy" target "$prefix$group" "$first" - 80
    expect "" drain "$prefix$group" "$first" - 80
    eventually "health=\(draining\|absent\)" target "$prefix$group" "$first" - 80
    expect "" deregister "$prefix$group" "$first" - 80
    eventually "health=absent" target "$prefix$group" "$first" - 80
  done
}

@test "keys of a file in each vendor's format, which nobody else may read" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    cloudsim_credentials "$cloud" "$BATS_TEST_TMPDIR/keys"
    options=(credentials="$BATS_TEST_TMPDIR/keys")
    expect "power=running" instance "$first"
    chmod 644 "$BATS_TEST_TMPDIR/keys"
    refuse credentials instance "$first"
    assert_output_has "chmod 600"
    : >"$BATS_TEST_TMPDIR/keys"
    chmod 600 "$BATS_TEST_TMPDIR/keys"
    refuse credentials instance "$first"
    assert_output_has "empty"
    rm "$BATS_TEST_TMPDIR/keys"
    refuse credentials instance "$first"
  done
}

@test "a role's keys are fetched once for the node, and anew when the cloud takes them no more" {
  local before
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "power=running" instance "$first"
    assert_equal "$(stat -c %a "$BATS_TEST_TMPDIR"/run/keys-"$cloud"-* | sort -u)" 600
    assert_equal "$(stat -c %a "$BATS_TEST_TMPDIR/run")" 700
    before=$(cloudsim count/security)
    expect "power=running" instance "$first"
    assert_equal "$(cloudsim count/security)" "$before"
    fault '"kind":"expired","count":1' >/dev/null
    expect "power=running" instance "$first"
    assert [ "$(cloudsim count/security)" -gt "$before" ]
  done
}

@test "no secret in the output, the arguments or the environment of anybody" {
  local secret
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "power=running" instance "$first"
    secret=$(sed -n 2p "$BATS_TEST_TMPDIR"/run/keys-"$cloud"-*[0-9a-f])
    assert [ ${#secret} -gt 20 ]
    fault '"kind":"error","status":403,"code":"X","message":"'"$secret"'","count":0' >/dev/null
    run call instance "$first"
    assert_code 1
    assert_equal "$(grep -cF -- "$secret" <<<"$output")" 0
  done
}

faulted() { [ "$(cloudsim faults)" != '[]' ]; }

@test "no core dump, no tracing while secrets are held" {
  new_world aws
  fault '"kind":"hang","seconds":60,"count":0' >/dev/null
  call seconds=60 instance "$first" >/dev/null 2>&1 3>&- &
  local pid=$! child='' tries=200
  at_end kill "$pid"
  # It has its keys by now, and waits for the answer.
  wait_until 30 faulted
  until [ -n "$child" ] && grep -q 'Max core file size *0 *0' "/proc/$child/limits" 2>/dev/null; do
    child=$(pgrep -P "$pid" cloud_call || pgrep -s 0 -f 'cloud_call.*seconds=60' | head -n 1)
    [ $((tries -= 1)) -gt 0 ] || { cat "/proc/$child/limits"; false; }
    sleep 0.1
  done
  at_end kill "$child"
  secret=$(sed -n 2p "$BATS_TEST_TMPDIR/run/"keys-aws-*[0-9a-f])
  assert [ ${#secret} -gt 20 ]
  assert_equal "$(tr '\0' '\n' <"/proc/$child/environ" | grep -cF -- "$secret")" 0
  assert_equal "$(tr '\0' '\n' <"/proc/$child/cmdline" | grep -cF -- "$secret")" 0
}

@test "TLS: another authority, another name and no authority are refused, before any key is sent" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "power=running" instance "$first"
    cloudsim_delete log >/dev/null
    options=(endpoints="all=$CLOUDSIM_WRONG_CA")
    refuse tls instance "$first"
    options=(endpoints="all=$CLOUDSIM_WRONG_NAME")
    refuse tls instance "$first"
    options=(ca=/etc/ssl/certs/ca-certificates.crt)
    refuse tls instance "$first"
    assert_equal "$(cloudsim count/Describe)" 0
    options=(endpoints="all=$CLOUDSIM_WRONG_CA" insecure=1)
    expect "power=running" instance "$first"
  done
}

@test "a clock that is off is told with the seconds" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    cloudsim settings '{"clock_offset":3600}' >/dev/null
    refuse clock instance "$first"
    assert_output_has 'skew=3[56][0-9][0-9]'
    assert_output_has "behind the server's"
  done
  # EC2 calls it AuthFailure, too.
  new_world aws
  cloudsim settings '{"clock_offset":270}' >/dev/null
  fault '"kind":"error","status":401,"code":"AuthFailure","count":0'
  refuse authentication instance "$first"
  assert_output_has "behind the server's"
}

@test "an unknown key is no matter of the clock" {
  new_world aws
  fault '"kind":"error","status":401,"code":"AuthFailure","count":0'
  refuse authentication instance "$first"
  [[ "$output" != *"behind the server's"* && "$output" != *"ahead of"* ]]
}

@test "throttled reads are repeated, throttled changes too, and both end with the deadline" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    fault '"kind":"throttle","count":2' >/dev/null
    expect "power=running" instance "$first"
    assert_output_has "throttled=2"
    fault '"kind":"throttle","changes":true,"count":1' >/dev/null
    expect "" attach "$DISK" "$first"
    cloudsim_delete faults >/dev/null
    expect "" await "$DISK" "$first" attached
    fault '"kind":"throttle","count":0' >/dev/null
    options=(seconds=3 run="$BATS_TEST_TMPDIR/run2")
    refuse throttled instance "$first"
    cloudsim_delete faults >/dev/null
    rm -rf "$BATS_TEST_TMPDIR/run2"
  done
}

# connections: how many requests of the API the log has, and on how many connections
connections() {
  cloudsim log | python3 -c 'import json, sys
api = [entry["connection"] for entry in json.load(sys.stdin) if entry["service"] != "metadata"]
print("requests=%s connections=%d" % ("several" if len(api) > 1 else len(api), len(set(api))))'
}

@test "one look after the other shares a connection" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    cloudsim_delete log >/dev/null
    expect "" await "$DISK" "$first" detached
    assert_equal "$(connections)" "requests=several connections=1"
  done
}

@test "a change is sent once when its answer is lost, and what became of it is looked up" {
  local kind sent
  for cloud in "${clouds[@]}"; do
    for kind in reset-after unavailable-after error-after truncate empty; do
      new_world "$cloud"
      cloudsim_fault "\"kind\":\"$kind\",\"changes\":true,\"count\":1" >/dev/null
      cloudsim_delete log >/dev/null
      run call attach "$DISK" "$first"
      sent=$(cloudsim count/Attach)
      assert_equal "$sent" 1
      # Success, or a failure that says that it is open.
      [ "$status" -eq 0 ] || assert_output_has "maybe_done=1"
      eventually "attachment=$first state=attached" disk "$DISK"
    done
  done
}

@test "hostile answers: an error of its own class, in bounded memory and time" {
  local kind memory
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    expect "power=running" instance "$first"
    for kind in huge headers bomb deep nul garbage empty truncate drip redirect kind hang reset; do
      cloudsim_delete faults >/dev/null
      fault "\"kind\":\"$kind\",\"seconds\":30,\"count\":0" >/dev/null
      run timeout 20 bash -c 'ulimit -v 400000; exec /usr/bin/time -f "memory=%M" "$@"' - "$VIGIL_BUILD/tests/agents/cloud_call" cloud="$cloud" \
        metadata="$metadata" endpoints="all=$CLOUDSIM_HTTPS" ca="$CLOUDSIM_CA" run="$BATS_TEST_TMPDIR/run" seconds=0.8 rate=6000 instance "$first"
      # A wrong content type alone does no harm.
      [ "$kind" = kind ] || assert_code 1
      memory=$(sed -n 's/.*memory=//p' <<<"$output" | tail -n 1)
      echo "# $cloud $kind: $memory KiB"
      assert [ "$memory" -lt 40000 ]
    done
  done
}

@test "a metadata service that hangs, lies or is not there" {
  local kind
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    for kind in huge garbage hang reset error redirect; do
      cloudsim_delete faults >/dev/null
      cloudsim_fault "\"service\":\"metadata\",\"kind\":\"$kind\",\"seconds\":30,\"count\":0" >/dev/null
      run timeout 20 "$VIGIL_BUILD/tests/agents/cloud_call" cloud="$cloud" metadata="$metadata" run="$BATS_TEST_TMPDIR/run3" seconds=1 self
      assert_code 1
    done
    cloudsim_delete faults >/dev/null
    run timeout 20 "$VIGIL_BUILD/tests/agents/cloud_call" cloud="$cloud" metadata=http://127.0.0.1:9 run="$BATS_TEST_TMPDIR/run3" seconds=3 self
    assert_code 1
    assert_output_has "unreachable"
  done
}

@test "Aliyun by the older signature, too" {
  new_world aliyun
  options=(signature=v1)
  expect "power=running" instance "$first"
  expect "" attach "$DISK" "$first"
  expect "attached" await "$DISK" "$first" attached
  assert_equal "$(cloudsim log | grep -o 'HMAC-SHA1' | sort -u)" HMAC-SHA1
}

@test "a proxy is used for the API, never for the metadata service; the environment's is not" {
  new_world aws
  options=(proxy=http://127.0.0.1:9)
  refuse unreachable instance "$first"
  assert_output_has "metadata=[1-9]"
  options=()
  export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9
  expect "power=running" instance "$first"
}

@test "a denied call names the permission's trouble, not the thing's" {
  for cloud in "${clouds[@]}"; do
    new_world "$cloud"
    fault '"kind":"denied","count":0' >/dev/null
    refuse permission instance "$first"
    assert_output_has "policy"
  done
}

@test "all agents of a node share one bucket" {
  new_world aws
  cloudsim_delete log >/dev/null
  local pids=() number begin=$SECONDS
  for number in 1 2 3 4 5 6; do
    call rate=40 seconds=4 disk "$DISK" >/dev/null 2>&1 &
    pids+=($!)
  done
  for number in "${pids[@]}"; do wait "$number" || true; done
  for number in $(seq 40); do
    call rate=40 seconds=0.3 disk "$DISK" >/dev/null 2>&1 || true
  done
  # The burst of 10 less what is kept for urgent calls, and one for each two seconds that have passed.
  number=$(cloudsim count/DescribeVolumes)
  echo "# $number calls went out in $((SECONDS - begin)) s"
  assert [ "$number" -ge 6 ]
  assert [ "$number" -le $((8 + (SECONDS - begin + 1) / 2 + 1)) ]
}

@test "a run folder that cannot be written stops nobody" {
  new_world aws
  options=(run=/proc/nowhere)
  expect "power=running" instance "$first"
}
