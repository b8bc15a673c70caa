#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by the libraries
# cloud-disk on a node that is an instance of a simulated cloud; an attached disk shows as a loop device with a serial number.
load ../lib/common
load ../lib/cloudsim
load ../lib/cloud_agent

# disk ACTION [param=value...]
disk() {
  local action=$1
  shift
  agent cloud-disk "$action" volume="$DISK" "${access[@]}" "${cluster[@]}" "$@"
}

attached_to() {
  cloudsim_get "$cloud" disk "$DISK" attachments | python3 -c 'import json, sys; print(*sorted(item[0] for item in json.load(sys.stdin) if item[2] != "detaching"))'
}

records() { node_run tail -n 20 "$(build_statedir)/records/decisions.jsonl" | grep -F "$DISK" || :; }

# Makes the cloud's last word so many seconds old.
age_note() {
  local now
  now=$(awk '{ printf "%d", $1 * 1000 }' /proc/uptime)
  node_run sed -i "s/^confirmed=.*/confirmed=$((now - $1 * 1000))/" /run/vigil/cloud-disk/test
}

quiet_cloud() { cloudsim quiet '{"seconds":20}' >/dev/null; }

# Nothing of the key is where others can read it.
assert_no_secret() {
  local secret
  secret=$(cloudsim keys | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]]["secret"])' "$cloud")
  assert [ ${#secret} -gt 10 ]
  refute grep -qF "$secret" <<<"$output$stderr"
  refute node_run grep -rqF "$secret" /run/vigil "$(build_statedir)/records/decisions.jsonl"
  [ ! -e "$folder/environ" ] || refute grep -qF "$secret" "$folder/environ"
}

# ---- the usual ways, in each cloud ----

usual_ways() {
  local calls
  cloud_node "$1"
  cloud_disk_here
  disk monitor @interval=0
  assert_code 7
  assert_no_reason
  assert_equal "$(api_calls)" 0
  disk stop
  assert_code 0
  assert_equal "$(api_calls)" 0
  disk start
  assert_code 0
  assert_no_reason
  assert_equal "$(attached_to)" "$own"
  assert node_run test -b "$(disk_link)"
  assert_equal "$(node_run blockdev --getsize64 "/run/vigil/disk/$DISK")" $((1 << 30))
  calls=$(api_calls)
  disk monitor
  assert_code 0
  disk monitor @interval=0
  assert_code 0
  disk monitor @depth=10
  assert_code 0
  disk start
  assert_code 0
  assert_equal "$(api_calls)" "$calls"
  # The cloud's word is too old now: it is asked again.
  age_note 151
  disk monitor @depth=10
  assert_code 0
  assert [ "$(api_calls)" -gt "$calls" ]
  disk stop
  assert_code 0
  assert_no_reason
  assert_equal "$(attached_to)" ""
  assert_equal "$(disk_link)" ""
  disk stop
  assert_code 0
  disk monitor @interval=0
  assert_code 7
  assert_equal "$(records | grep -c '"what":"attach"\|"what":"detach"')" 2
  assert_no_secret
}

@test "aws: start, monitor at both depths, stop, each twice" { usual_ways aws; }
@test "aliyun: start, monitor at both depths, stop, each twice" { usual_ways aliyun; }
@test "tencent: start, monitor at both depths, stop, each twice" { usual_ways tencent; }
@test "huawei: start, monitor at both depths, stop, each twice" { usual_ways huawei; }

# ---- a disk that another instance has ----

# Refused without proof, whatever is missing; taken with it.
held_by_peer() {
  cloud_node "$1"
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600"
  disk start
  assert_code 1
  assert_reason "is on instance $peer \(n2\), not proven fenced: n2 was not fenced"
  records | grep -q '"what":"refuse-detach"'
  # It has come back since.
  fenced 100
  cluster_says 1 1
  disk start
  assert_code 1
  assert_reason "n2 is a member of the cluster"
  # This side of a split has no quorum.
  cluster_says 0 0
  disk start
  assert_code 1
  assert_reason "this node has no quorum"
  cluster_says 1 0
  # The fencing is in the future: a clock is wrong.
  fenced -3600
  disk start
  assert_code 1
  assert_reason "in the future"
  # Pacemaker can't be asked.
  printf '#!/bin/sh\nexit 1\n' >"$folder/fake/stonith_admin"
  disk start
  assert_code 1
  assert_reason "whether n2 was fenced is not known"
  # The list does not have that instance.
  fenced 100
  disk start "hosts=n1=$own n3=i-0123456789"
  assert_code 1
  assert_reason "hosts names no node for instance $peer"
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" "$peer"
  # The proof.
  disk start "hosts=n1=$own n2=$peer"
  assert_code 0
  assert_equal "$(attached_to)" "$own"
  records | grep -q "\"what\":\"force-detach\".*from $peer: n2 was fenced (reboot)"
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" ""
}

@test "aws: a disk of a live node is refused, of a fenced one taken" { held_by_peer aws; }
@test "aliyun: a disk of a live node is refused, of a fenced one taken" { held_by_peer aliyun; }
@test "tencent: a disk of a live node is refused, of a fenced one taken" { held_by_peer tencent; }
@test "huawei: a disk of a live node is refused, of a fenced one taken" { held_by_peer huawei; }

@test "a fencing before the disk was attached proves nothing" {
  cloud_node aws
  made=$(date +%s)
  cloud_disk_here "\"attached\":\"$peer\",\"age\":100"
  fenced 3600
  disk start
  assert_code 1
  assert_reason "not later than the time it took hold"
  # Nor does one so close that the clocks may be wrong: a few seconds behind it.
  fenced $(($(date +%s) - made + 97))
  disk start
  assert_code 1
  assert_reason "not later"
  fenced 80
  disk start
  assert_code 0
  assert_equal "$(attached_to)" "$own"
}

# A copy of the fenced node's machine: its name proves nothing about it.
copy_of_node() {
  cloud_node "$1"
  cloudsim_instance "$1" n2
  cloud_disk_here "\"attached\":\"$INSTANCE\",\"age\":3600"
  fenced 60
  disk start
  assert_code 1
  assert_reason "several instances are called 'n2'"
  assert_equal "$(attached_to)" "$INSTANCE"
  disk start "hosts=n1=$own n2=$peer"
  assert_code 1
  assert_reason "hosts names no node for instance $INSTANCE"
  assert_equal "$(attached_to)" "$INSTANCE"
}

@test "aws: another instance of the fenced node's name keeps the disk" { copy_of_node aws; }
@test "huawei: another instance of the fenced node's name keeps the disk" { copy_of_node huawei; }

@test "the cluster's own record: fenced since, or not" {
  cloud_node aws
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600"
  fenced 60
  # The node came back after that fencing and took the disk that was still attached: the cloud's time is older than the fencing all the same.
  echo "held n2 $(($(date +%s) - 60))" >"$folder/attributes/vigil-holder-test"
  disk start
  assert_code 1
  assert_reason "by the cluster's record, n2 took hold after its last fencing"
  # The record cannot be read.
  : >"$folder/no-cib"
  disk start @timeout=20000
  assert_code 1
  assert_reason "record of who had it last is not known"
  rm "$folder/no-cib"
  echo "held n2 $(($(date +%s) - 4000))" >"$folder/attributes/vigil-holder-test"
  disk start
  assert_code 0
  assert grep -q '^held n1 0 1$' "$folder/attributes/vigil-holder-test"
  disk stop
  assert_code 0
  assert grep -q '^released n1 0 1$' "$folder/attributes/vigil-holder-test"
}

@test "Tencent: the record is as good as a time" {
  cloud_node tencent
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600"
  fenced 3600
  echo "held n2 $(($(date +%s) - 4000))" >"$folder/attributes/vigil-holder-test"
  disk start
  assert_code 0
}

@test "an instance that was fenced and is seen off needs no clock" {
  cloud_node aws
  cloud_disk_here "\"attached\":\"$peer\",\"age\":100"
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"instance\",\"id\":\"$peer\",\"fields\":{\"state\":\"stopped\"}}"
  disk start
  assert_code 1
  assert_reason "was not fenced"
  fenced 3600
  disk start
  assert_code 0
  records | grep -q "its power was seen off"
}

@test "a cloud that does not tell since when: only a fresh fencing proves something" {
  cloud_node tencent
  cloud_disk_here "\"attached\":\"$peer\",\"age\":100"
  fenced 3600
  disk start
  assert_code 1
  assert_reason "nobody tells when n2 took hold"
  fenced 60
  disk start
  assert_code 0
}

@test "the guest of the fenced node has it open: force takes it" {
  cloud_node aws
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600,\"open\":true"
  fenced 60
  disk start
  assert_code 0
  assert_equal "$(attached_to)" "$own"
  # Before force, the cloud was told to detach it from that instance and no other.
  cloudsim log | python3 -c '
import json, sys
calls = [e["params"] for e in json.load(sys.stdin) if e["action"] == "DetachVolume"]
assert len(calls) == 1 and calls[0]["InstanceId"] == sys.argv[1] and calls[0]["Force"] == "true", calls' "$peer"
}

@test "a detach that the other node's own stop asked for is awaited, not forced" {
  local ended
  cloud_node aws
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600"
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"disk\",\"id\":\"$DISK\",\"fields\":{\"attachments\":[[\"$peer\",\"/dev/sdf\",\"detaching\",1]]}}"
  (sleep 2; cloudsim set "{\"cloud\":\"aws\",\"kind\":\"disk\",\"id\":\"$DISK\",\"fields\":{\"attachments\":[],\"state\":\"available\"}}") 3>&- &
  ended=$!
  disk start
  wait "$ended"
  assert_code 0
  assert_equal "$(attached_to)" "$own"
  assert_equal "$(api_calls DetachVolume)" 0
}

beside_peer() {
  cloud_node "$1"
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600,\"multi_attach\":true"
  disk start
  assert_code 0
  assert_equal "$(attached_to)" "$(printf '%s\n' "$own" "$peer" | sort | xargs)"
  age_note 1000
  disk monitor @depth=10
  assert_code 0
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" "$peer"
}

@test "aws: multi-attach: attached beside the other, which keeps it" { beside_peer aws; }
@test "aliyun: multi-attach: attached beside the other, which keeps it" { beside_peer aliyun; }
@test "huawei: multi-attach: attached beside the other, which keeps it" { beside_peer huawei; }

@test "many disks that start at once on one node: each with a device name of its own, and none in another's way" {
  local disks=() started=() number
  cloud_node aws
  cloud_disk_here
  disks=("$DISK")
  for number in 1 2 3 4 5 6 7; do
    cloudsim_disk aws '"size":1'
    disks+=("$DISK")
  done
  for number in "${!disks[@]}"; do
    (
      DISK=${disks[number]}
      disk start "@instance=d$number" @timeout=60000
      echo "d$number: $status: $stderr" >"$folder/started.$number"
      assert_code 0
    ) &
    started+=($!)
  done
  for number in "${!started[@]}"; do
    wait "${started[number]}" || { cat "$folder"/started.*; false; }
  done
  assert_equal "$(cloudsim state | python3 -c '
import json, sys
names = [item[1] for disk in json.load(sys.stdin)["aws"]["disk"].values() for item in disk["attachments"]]
print(len(names), len(set(names)))')" "8 8"
  for number in "${!disks[@]}"; do
    DISK=${disks[number]}
    disk monitor "@instance=d$number"
    assert_code 0
    assert node_run test -b "$(disk_link)"
  done
}

# ---- refusals, each with its own reason ----

@test "another zone, another size, an error state, no such disk" {
  cloud_node aws
  cloud_disk_here '"zone":"us-east-1b"'
  disk start
  assert_code 5
  assert_reason "is in zone us-east-1b, this instance in us-east-1a"
  cloudsim_disk aws '"size":2'
  disk start size=1G
  assert_code 6
  assert_reason "has 2 GiB, and size says 1 GiB"
  cloudsim_disk aws '"size":1,"state":"error"'
  disk start
  assert_code 1
  assert_reason "in state 'error'"
  DISK=vol-0123456789abcdef0
  disk start
  assert_code 1
  assert_reason "the cloud knows no such disk in this region"
  # A stop of what was never begun here is a stop of nothing.
  disk stop
  assert_code 0
  assert_equal "$(api_calls AttachVolume)" 0
}

@test "a quota, and a device name that is taken" {
  local first
  cloud_node aws
  cloud_disk_here
  cloudsim settings '{"disk_limit":0}'
  disk start
  assert_code 1
  assert_reason "no room for one more disk"
  disk stop
  assert_code 0
  cloudsim settings '{"disk_limit":28}'
  first=$DISK
  cloudsim_disk aws "\"size\":1,\"attached\":\"$own\",\"device\":\"/dev/sdg\""
  DISK=$first
  disk start device_name=/dev/sdg
  assert_code 1
  assert_reason "device name /dev/sdg is taken"
  disk start device_name=/dev/sdh
  assert_code 0
  assert_equal "$(cloudsim_get aws disk "$DISK" attachments 0 1)" /dev/sdh
}

@test "no permission, an unknown key, a clock that is off" {
  cloud_node aws
  cloud_disk_here
  cloudsim settings '{"denied":["AttachVolume"]}'
  disk start
  assert_code 1
  assert_reason "cannot be attached.*(permission|may not|authorized|UnauthorizedOperation)"
  cloudsim settings '{"denied":[]}'
  sed -i 's/AKIA/AKIB/' "$folder/key"
  disk start
  assert_code 1
  assert_reason "disk $DISK"
  cloudsim_credentials aws "$folder/key"
  cloudsim settings '{"clock_offset":4000}'
  disk start
  assert_code 1
  assert_reason "clock"
}

# ---- the key ----

@test "a key file that others can read, an empty one, none at all" {
  cloud_node aws
  cloud_disk_here
  chmod 644 "$folder/key"
  disk start
  assert_code 1
  assert_reason "others may read it"
  assert_no_secret
  chmod 600 "$folder/key"
  : >"$folder/key"
  disk start
  assert_code 1
  assert_reason "$folder/key"
  printf '[default]\naws_access_key_id = \naws_secret_access_key =\n' >"$folder/key"
  disk start
  assert_code 1
  assert_reason "key"
  rm "$folder/key"
  disk start
  assert_code 1
  assert_reason "$folder/key"
  assert_equal "$(api_calls)" 0
  disk start secret_key=verysecretvalue
  assert_code 6
  assert_reason "not taken from the configuration"
  refute grep -q verysecret <<<"$stderr"
}

@test "the instance's role gives the key, and nothing of it is left in the open" {
  cloud_node aws
  cloud_disk_here
  # Which cloud, which region, which key: all of it by the metadata service.
  access=("endpoints=all=$CLOUDSIM" "metadata_url=$metadata" rate=6000)
  disk start
  assert_code 0
  disk stop
  assert_code 0
  # What is cached of it is root's alone.
  assert_equal "$(node_run find /run/vigil/cloud -type f -perm /077)" ""
  assert_equal "$(node_run find /run/vigil/cloud -maxdepth 0 -perm /077)" ""
}

# ---- an API that can't be reached ----

@test "API unreachable: start fails, a probe is local, a monitor goes on for api_age, stop fails" {
  cloud_node aws
  cloud_disk_here
  api_gone
  disk start @timeout=2500
  assert_code 1
  assert_reason "disk $DISK"
  disk monitor @interval=0
  assert_code 7
  # Nothing was begun: not even a cloud that is gone can have attached anything here.
  disk stop @timeout=2500
  assert_code 0
  api_back
  disk start
  assert_code 0
  api_gone
  disk monitor
  assert_code 0
  disk monitor @depth=10
  assert_code 0
  age_note 200
  disk monitor @depth=10 api_age=300 @timeout=2500
  assert_code 0
  age_note 301
  disk monitor @depth=10 api_age=300 @timeout=2500
  assert_code 1
  assert_reason "disk $DISK"
  disk stop @timeout=2500
  assert_code 1
  assert_reason "disk $DISK"
  # It is still there, and said so.
  disk monitor
  assert_code 0
  api_back
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" ""
}

# ---- cut off half-way ----

# kill_at ACTION PATTERN PHASE: kills the action when the simulator has had the request; the answer to it hangs.
kill_at() {
  local action=$1 pattern=$2 kind=$3 pid
  cloudsim_fault "\"kind\":\"$kind\",\"action\":\"$pattern\",\"seconds\":30"
  node_spawn env -i PATH="$folder/fake:$PATH" LD_LIBRARY_PATH="$folder/fake" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_volume="$DISK" \
    "${access[@]/#/OCF_RESKEY_}" "$VIGIL_BUILD/agents/cloud-disk" "$action"
  pid=$spawned
  wait_until 20 has_call "$pattern"
  # Its number on the node, where no other process of this name is.
  node_run kill -KILL $(node_run pgrep -x cloud-disk)
  wait "$pid" 2>/dev/null || :
  cloudsim_delete faults >/dev/null
}
has_call() { [ "$(cloudsim faults | grep -c "$1")" -gt 0 ]; }

@test "kill -9 in a start before and after the attach: a probe tells the truth, a retry succeeds, a stop cleans up" {
  cloud_node aws
  cloud_disk_here
  # Before: the request was never carried out.
  kill_at start AttachVolume hang
  disk monitor @interval=0
  assert_code 7
  disk start
  assert_code 0
  disk stop
  assert_code 0
  # After: it was, and the answer never came.
  kill_at start AttachVolume slow
  quiet_cloud
  disk monitor @interval=0
  assert_code 1
  assert_reason "a stop and a start|a stop puts it right"
  disk start
  assert_code 0
  disk monitor
  assert_code 0
  disk stop
  assert_code 0
  kill_at start AttachVolume slow
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" ""
  assert_equal "$(disk_link)" ""
}

@test "kill -9 in a stop before and after the detach: the retry ends it" {
  cloud_node aws
  cloud_disk_here
  disk start
  assert_code 0
  kill_at stop DetachVolume hang
  disk monitor
  assert_code 1
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" ""
  disk start
  kill_at stop DetachVolume slow
  disk stop
  assert_code 0
  disk monitor @interval=0
  assert_code 7
}

@test "succeeded, but answered an error; answered, but cut off" {
  local kind
  cloud_node aws
  cloud_disk_here
  for kind in unavailable-after reset-after truncate garbage; do
    cloudsim_fault "\"kind\":\"$kind\",\"action\":\"AttachVolume\""
    disk start
    assert_code 0
    assert_equal "$(attached_to)" "$own"
    cloudsim_fault "\"kind\":\"$kind\",\"action\":\"DetachVolume\""
    disk stop
    assert_code 0
    assert_equal "$(attached_to)" ""
  done
}

@test "a request to attach that has its effect after the start has failed: the stop sees it" {
  local late looks
  cloud_node aws
  cloud_disk_here
  cloudsim_fault '"kind":"hang","action":"AttachVolume","count":0'
  disk start @timeout=6000 request_timeout=1
  assert_code 1
  (sleep 3; cloudsim set "{\"cloud\":\"aws\",\"kind\":\"disk\",\"id\":\"$DISK\",\"fields\":{\"state\":\"in-use\",\"attachments\":[[\"$own\",\"/dev/sdf\",\"attached\",1]]}}") 3>&- &
  late=$!
  disk stop
  assert_code 0
  wait "$late"
  assert_equal "$(attached_to)" ""
  # Later still, behind the stop: the next probe sees it, although no device shows it.
  disk start @timeout=6000 request_timeout=1
  assert_code 1
  disk stop @timeout=8000
  assert_code 0
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"disk\",\"id\":\"$DISK\",\"fields\":{\"state\":\"in-use\",\"attachments\":[[\"$own\",\"/dev/sdf\",\"attached\",1]]}}"
  disk monitor @interval=0
  assert_code 1
  assert_reason "a stop puts it right"
  disk stop
  assert_code 0
  assert_equal "$(attached_to)" ""
  # And then nothing is left that would have to be asked about.
  cloudsim_delete log >/dev/null
  disk monitor @interval=0
  assert_code 7
  assert_equal "$(cloudsim count/DescribeVolumes)" 0
  # One that was refused is not waited for.
  cloudsim_delete faults >/dev/null
  cloudsim settings '{"disk_limit":0}'
  disk start
  assert_code 1
  looks=$(api_calls DescribeVolumes)
  disk stop
  assert_code 0
  echo "looks: $looks, $(api_calls DescribeVolumes)"
  assert [ "$(api_calls DescribeVolumes)" -lt $((looks + 5)) ]
}

@test "describes that lag behind: no false stopped, no false attached" {
  cloud_node aws
  cloud_disk_here
  cloudsim settings '{"lag":5}'
  disk start
  assert_code 0
  disk stop
  assert_code 0
  quiet_cloud
  assert_equal "$(attached_to)" ""
}

# ---- the device ----

@test "stop refuses while it is mounted or held, and loses nothing that was written" {
  local device
  cloud_node aws
  cloud_disk_here
  disk start
  assert_code 0
  device=$(disk_link)
  node_run mkfs.ext4 -q "$device"
  node_run mkdir -p "$folder/mnt"
  node_run mount "$device" "$folder/mnt"
  disk stop
  assert_code 1
  assert_reason "is in use"
  assert_equal "$(attached_to)" "$own"
  assert_equal "$(api_calls DetachVolume)" 0
  node_run umount "$folder/mnt"
  # Written to the device's cache, not synced by its writer.
  node_run bash -c "printf written | dd of=$device bs=512 seek=2000000 conv=notrunc,sync status=none"
  disk stop
  assert_code 0
  assert_equal "$(dd if="$folder/$DISK.image" bs=512 skip=2000000 count=1 status=none | tr -d '\0')" written
}

@test "a disk with another serial number, or another size, is not presented" {
  cloud_node aws
  cloud_disk_here
  echo vol0000000000000bad >"$folder/serial"
  disk start device_timeout=2
  assert_code 1
  assert_reason "no device with its serial number came up"
  assert_equal "$(disk_link)" ""
  disk stop
  assert_code 0
  rm "$folder/serial"
  echo 2G >"$folder/size"
  rm -f "$folder/$DISK.image"
  disk start
  assert_code 1
  assert_reason "has 2147483648 bytes, and the cloud says 1 GiB"
  assert_equal "$(disk_link)" ""
}

@test "the link was moved, or the device went: the monitor tells, the restart mends" {
  local device
  cloud_node aws
  cloud_disk_here
  disk start
  device=$(disk_link)
  node_run ln -sfn /dev/null "/run/vigil/disk/$DISK"
  disk monitor
  assert_code 1
  assert_reason "the link .* does not lead to $device"
  disk start
  assert_code 0
  disk monitor
  assert_code 0
  # Detached behind the cluster's back.
  cloudsim set "{\"cloud\":\"aws\",\"kind\":\"disk\",\"id\":\"$DISK\",\"fields\":{\"attachments\":[],\"state\":\"available\"}}"
  disk monitor
  assert_code 0
  age_note 1000
  disk monitor @depth=10
  assert_code 1
  assert_reason "the cloud says that it is not on this instance"
  "$folder/hook" detach "$own" n1 "$DISK" x "$SERIAL" x
  disk monitor
  assert_code 7
  assert_reason "is gone from this node"
  disk stop
  assert_code 0
}

@test "attached since before this node started: the probe says so, a stop and a start put it right" {
  cloud_node aws
  cloud_disk_here
  disk start
  assert_code 0
  # A restart of the node clears /run.
  node_run find /run/vigil -mindepth 1 -delete
  disk monitor @interval=0
  assert_code 1
  assert_reason "was not started by the cluster"
  disk start
  assert_code 0
  assert_equal "$(api_calls AttachVolume)" 1
  disk monitor
  assert_code 0
}

@test "something that is no link has the link's name: it is not touched" {
  cloud_node aws
  cloud_disk_here
  node_run mkdir -p /run/vigil/disk
  node_run bash -c "echo mine >/run/vigil/disk/$DISK"
  disk start
  assert_code 1
  assert_reason "something that is no link to a device has this name"
  assert_equal "$(node_run cat "/run/vigil/disk/$DISK")" mine
  # A link that leads to a file is somebody else's.
  node_run ln -sfn /etc/hostname "/run/vigil/disk/$DISK"
  disk start
  assert_code 1
  assert_reason "no link to a device"
  disk start link=/run/data
  assert_code 0
  assert node_run test -b /run/data
  disk stop link=/run/data
  assert_code 0
  refute node_run test -e /run/data
}

@test "a full /run: nothing is attached without a note" {
  cloud_node aws
  cloud_disk_here
  node_run mkdir -p /run/vigil
  node_run mount -t tmpfs -o size=4k,nr_inodes=3 none /run/vigil
  disk start
  assert_code 1
  assert_reason "full or read-only"
  assert_equal "$(attached_to)" ""
}

# ---- the light monitor ----

@test "the light monitor opens no library of the cloud's, and asks nobody" {
  cloud_node aws
  cloud_disk_here
  disk start
  AGENT_WRAPPER=(strace -f -o "$folder/trace")
  disk monitor
  assert_code 0
  AGENT_WRAPPER=()
  assert grep -q 'diskseq' "$folder/trace"
  refute grep -qE 'libcurl|libxml2|libjansson|libcrypto|AF_INET|clone|fork' "$folder/trace"
}

@test "no secret is in the arguments or the environment of a child" {
  local secret
  cloud_node aws
  cloud_disk_here "\"attached\":\"$peer\",\"age\":3600"
  fenced 60
  secret=$(sed -n 's/^aws_secret_access_key = //p' "$folder/key")
  AGENT_WRAPPER=(strace -f -v -s 4096 -e trace=execve -o "$folder/trace")
  disk start
  AGENT_WRAPPER=()
  assert_code 0
  assert grep -q stonith_admin "$folder/trace"
  assert [ -s "$folder/environ" ]
  refute grep -qF "$secret" "$folder/trace" "$folder/environ"
}

# ---- bad input ----

@test "malformed ids and parameters are configuration errors, and nobody is asked" {
  local bad
  cloud_node aws
  for bad in 'vol-1 vol-2' '../../etc/passwd' 'vol-1;reboot' '-vol' $'vol-\n1' "$(printf 'a%.0s' {1..200})" 'vol-ä'; do
    agent cloud-disk start volume="$bad" "${access[@]}"
    assert_code 6
  done
  agent cloud-disk start "${access[@]}"
  assert_code 6
  assert_reason "volume is required"
  DISK=vol-0123456789abcdef0
  for bad in hosts=n1 'hosts=n1=i-1 n1=i-2' 'hosts=n1=i-1 n2=i-1' size=1.5G size=1M link=relative device_name=/dev/../sda 'device_name=sd a' endpoints=nonsense cloud=azure rate=0 api_age=-1; do
    disk start "$bad"
    assert_code 6
  done
  assert_equal "$(api_calls)" 0
}

@test "validate-all at depth 10 asks the cloud; at depth 0 it does not" {
  cloud_node aws
  cloud_disk_here '"zone":"us-east-1b"'
  disk validate-all
  assert_code 0
  assert_equal "$(api_calls)" 0
  disk validate-all @depth=10
  assert_code 5
  assert_reason "zone"
}
