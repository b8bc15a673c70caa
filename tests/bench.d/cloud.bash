# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# cloud.bash: the agents of the clouds against the simulator (tests/cloudsim), which stands at the name of AWS's own endpoint with a certificate for it, so that
# stock programs, which can't be told another one, come to it as well: fence_aws (boto3) and the vendor's command line.

CLOUD_ENDPOINT=ec2.us-east-1.amazonaws.com
CLOUD_DISKS=${CLOUD_DISKS:-200}
CLOUD_PARTS=${CLOUD_PARTS:-fence disk many}
CLOUD_KEY=AKIASIMULATED0000001 CLOUD_SECRET=sim/secret+of/aws0000000000000000000001

cloud_begin() {
    # shellcheck source=tests/lib/cloudsim.bash
    . "$source_root/tests/lib/cloudsim.bash"
    { cat /etc/hosts && echo "127.0.0.1 $CLOUD_ENDPOINT"; } >"$work/hosts" && mount --bind "$work/hosts" /etc/hosts || return 1
    cloudsim_start "$work/cloud" --https-port 443 --name "$CLOUD_ENDPOINT" || return 1
    # Its answers come at once: what is measured is the client.
    cloudsim settings '{"scale":0.05}' >/dev/null && cloudsim_instance aws bench || return 1
    cloud_credentials=$work/cloud/key
    cloudsim_credentials aws "$cloud_credentials"
    cloud_access=(cloud=aws region=us-east-1 "metadata_url=$METADATA" "credentials=$cloud_credentials" "ca_file=$CLOUDSIM_CA" rate=100000)
}

# Processor time of the simulator so far in milliseconds: its TLS and what ended threads took included. It answers one request after the other here, so that this is time
# for which the client waits.
cloud_server_ms() {
    awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / tick }' "/proc/$CLOUDSIM_PID/stat"
}

# The API calls so far that are not the vendor's command line's.
cloud_api_calls() {
    cloudsim log | python3 -c 'import json, sys
print(sum(1 for e in json.load(sys.stdin) if e["service"] != "metadata" and not any(n.lower() == "user-agent" and "aws-cli" in v for n, v in e["headers"])))'
}

# Disks that show as block devices: as on a node, by what the cloud's hook does to it; one at a time, since a free loop device is anybody's.
cloud_hook() {
    mkdir -p "$work/cloud/disks"
    printf '#!/bin/bash\nCLOUD_DISK_NVME=1 exec flock %q bash %q %q "$@"\n' "$work/cloud/hook.lock" "$source_root/tests/lib/cloud_disk_hook" "$work/cloud/disks" >"$work/cloud/hook"
    chmod 755 "$work/cloud/hook"
    cloudsim settings "{\"disk_limit\":1000,\"hooks\":{\"attach\":\"$work/cloud/hook\",\"detach\":\"$work/cloud/hook\"}}" >/dev/null
}

cloud_monitor() {
    env OCF_RESOURCE_TYPE=cloud-disk OCF_RESOURCE_PROVIDER=vigil "OCF_RESOURCE_INSTANCE=$1" "OCF_RESKEY_volume=$2" OCF_RESKEY_CRM_meta_interval="$3" OCF_CHECK_LEVEL="$4" \
        "OCF_RESKEY_rate=$5" "OCF_RESKEY_api_age=$6" "${cloud_access[@]/#/OCF_RESKEY_}" "OCF_RESKEY_rate=$5" "$build/agents/cloud-disk" "$7"
}

cloud_fence() {
    local runs=$((runs < 15 ? runs : 15)) before MEASURE_OPTIONS=()
    printf '%s\n' action=status "plug=$INSTANCE" region=us-east-1 "access_key=$CLOUD_KEY" "secret_key=$CLOUD_SECRET" >"$work/fence.aws.stock"
    printf '%s\n' action=status "plug=$INSTANCE" "${cloud_access[@]}" >"$work/fence.aws.ours"
    # A first run of each says why, where it does not go.
    "$build/stonith/fence_vigil_cloud" <"$work/fence.aws.ours" >&2 && AWS_CA_BUNDLE=$CLOUDSIM_CA HOME=/nonexistent /usr/sbin/fence_aws <"$work/fence.aws.stock" >&2 || return 1
    measured aws.stock "<$work/fence.aws.stock" "AWS_CA_BUNDLE=$CLOUDSIM_CA" HOME=/nonexistent /usr/sbin/fence_aws ::: \
        aws.ours "<$work/fence.aws.ours" "$build/stonith/fence_vigil_cloud" || return 1
    report_title "Fencing in a cloud (AWS, simulated, HTTPS; $runs runs): processor time"
    report "fence_aws / cloud status" cpu aws.stock aws.ours 1/20
    report_title "Fencing in a cloud: peak memory of the largest process"
    report "fence_aws / cloud status" peak aws.stock aws.ours 1/4
    report_title "Fencing in a cloud: time"
    report "fence_aws / cloud status" time aws.stock aws.ours
    cloud_own
}

# What is our own of the elapsed time: that of a run less what the server worked for it. Other work on this machine would be counted with it, as the wait of the one or the other for
# a processor: so the client and the server go in front of all other work here (SCHED_FIFO, some tenths of a second in all), and where this machine does not allow that, a line says so.
cloud_own() {
    local runs=$((runs * 2)) before served MEASURE_OPTIONS=(--warmup 2) MEASURE_PREFIX=(chrt -f 10) note="in front of other work"
    if ! chrt -f 10 true 2>/dev/null || ! chrt -a -f -p 10 "$CLOUDSIM_PID" 2>/dev/null; then
        MEASURE_PREFIX=() note="beside other work, which is in the figure"
    fi
    cloudsim_delete log >/dev/null
    before=$(cloud_server_ms)
    measured own.ours "<$work/fence.aws.ours" "$build/stonith/fence_vigil_cloud" || return 1
    served=$(($(cloud_server_ms) - before))
    chrt -a -o -p 0 "$CLOUDSIM_PID" 2>/dev/null
    cloud_own_time "$served" "$((runs + 2))" "$(cloudsim log | grep -o '"service"' | grep -c .)" "$note"
}

# cloud_own_time SERVER-MS RUNS REQUESTS NOTE: each of the elapsed times less the server's mean.
cloud_own_time() {
    figure[own.above.time]=$(awk -v all="${figure[own.ours.time]}" -v server="$1" -v runs="$2" 'BEGIN {
        split(all, f, " "); printf "%d %d %d", f[1] - server * 1000 / runs, f[2] - server * 1000 / runs, f[3] - server * 1000 / runs }')
    report "  above the server's own time" time - own.above 15ms
    report "  our own processor time, the same runs" cpu - own.ours
    awk -v server="$1" -v runs="$2" -v requests="$3" -v note="$4" -v all="${figure[own.ours.time]%% *}" 'BEGIN {
        printf "  (%d runs %s: %.1f ms each with the server; server: %.1f ms a run, of %.1f requests)\n", runs - 2, note, all / 1000, server / runs, requests / runs }'
}

cloud_disk() {
    local before after
    cloudsim_disk aws '"size":1' && cloud_hook || return 1
    cloud_monitor one "$DISK" 0 0 100000 300 start >/dev/null || return 1
    before=$(cloud_api_calls)
    measured disk.stock "AWS_CA_BUNDLE=$CLOUDSIM_CA" "AWS_ACCESS_KEY_ID=$CLOUD_KEY" "AWS_SECRET_ACCESS_KEY=$CLOUD_SECRET" HOME=/nonexistent \
        /usr/bin/aws ec2 describe-volumes --region us-east-1 --volume-ids "$DISK" --output text ::: \
        disk.ours OCF_RESOURCE_TYPE=cloud-disk OCF_RESOURCE_PROVIDER=vigil OCF_RESOURCE_INSTANCE=one "OCF_RESKEY_volume=$DISK" OCF_RESKEY_CRM_meta_interval=10000 \
        OCF_RESKEY_CRM_meta_name=monitor "${cloud_access[@]/#/OCF_RESKEY_}" "$build/agents/cloud-disk" monitor || return 1
    after=$(cloud_api_calls)
    report_title "A disk in a cloud: processor time" "aws (command line)"
    report "describe-volumes / disk monitor" cpu disk.stock disk.ours 1/50
    report_title "A disk in a cloud: peak memory of the largest process" "aws (command line)"
    report "describe-volumes / disk monitor" peak disk.stock disk.ours
    cloud_count "API calls of the light monitors" $((after - before)) 0
}

# A count with a bound: at most so many.
cloud_count() {
    local verdict="at most $3: met"
    [ "$2" -le "$3" ] || verdict="at most $3: NOT met"
    printf '%-34s %-26s %-26s %-9s %s\n' "$1" "-" "$2" "-" "$verdict"
    case $verdict in *NOT*) echo missed ;; *) echo met ;; esac >>"$bench_tally"
}

# All of a node's disks, in a cloud that wants no device names (Aliyun): a round of light monitors, a round of deep ones whose last word is young, and a minute in which every
# monitor wants to ask, more often than Pacemaker would. The bucket is the node's, in /run.
cloud_many() {
    local number disks=() before failed rate=120 cloud_access
    cloudsim_instance aliyun many && cloudsim_credentials aliyun "$work/cloud/key.aliyun" || return 1
    cloud_access=(cloud=aliyun region=cn-hangzhou "endpoints=all=$CLOUDSIM" "metadata_url=$METADATA" "credentials=$work/cloud/key.aliyun")
    cloud_hook
    for ((number = 0; number < CLOUD_DISKS; number++)); do
        cloudsim_disk aliyun '"size":1' && disks+=("$DISK") || return 1
    done
    for number in "${!disks[@]}"; do
        cloud_monitor "d$number" "${disks[number]}" 0 0 100000 300 start >/dev/null 2>>"$work/many.log" &
        [ $((number % 8)) -ne 7 ] || wait_jobs
    done
    wait_jobs
    report_title "$CLOUD_DISKS disks on one node: calls to the API" "-" "calls"
    before=$(cloud_api_calls)
    cloud_round 10000 0 300 || return 1
    cloud_count "a round of light monitors" $(($(cloud_api_calls) - before)) 0
    before=$(cloud_api_calls)
    cloud_round 60000 10 300 || return 1
    cloud_count "a round of deep ones, word is young" $(($(cloud_api_calls) - before)) 0
    before=$(cloud_api_calls)
    cloud_deep_minute
    cloud_count "a minute of deep ones that all ask" $(($(cloud_api_calls) - before)) "$rate"
    wait_jobs
    touch "$work/deep.failed"
    failed=$(grep -c . "$work/deep.failed")
    echo "  ($(grep -c . "$work/deep.done") deep monitors, $failed of them failed; the start of all took $(cloudsim count/AttachDisk) AttachDisk)"
}

# cloud_round INTERVAL DEPTH API-AGE: each disk's monitor once
cloud_round() {
    local number
    for number in "${!disks[@]}"; do
        cloud_monitor "d$number" "${disks[number]}" "$1" "$2" $rate "$3" monitor 2>>"$work/many.log" && continue
        echo "bench: disk $number is not there:" >&2
        tail -n 3 "$work/many.log" >&2
        return 1
    done
}

wait_jobs() {
    local job
    for job in $(jobs -rp); do [ "$job" = "$CLOUDSIM_PID" ] || wait "$job"; done
}

# The last word of each disk counts as old after a second.
cloud_deep_minute() {
    local end=$((SECONDS + 60)) number=0
    : >"$work/deep.done"
    while [ $SECONDS -lt "$end" ]; do
        {
            cloud_monitor "d$number" "${disks[number]}" 60000 10 $rate 2 monitor >/dev/null 2>>"$work/deep.log" || echo "$number" >>"$work/deep.failed"
            echo "$number" >>"$work/deep.done"
        } &
        number=$(((number + 1) % CLOUD_DISKS))
        [ $((number % 10)) -ne 0 ] || wait_until_second "$end"
    done
}

# Waits for all of them, but no longer than the minute lasts.
wait_until_second() {
    local job
    for job in $(jobs -rp); do
        while [ "$job" != "$CLOUDSIM_PID" ] && [ $SECONDS -lt "$1" ] && kill -0 "$job" 2>/dev/null; do sleep 0.05; done
    done
}

section_cloud() {
    local cloud_access cloud_credentials part code=0
    cloud_begin || code=1
    for part in $CLOUD_PARTS; do
        [ $code -eq 0 ] && "cloud_$part" || code=1
    done
    cloud_end
    return $code
}

# The loop devices go by what they are backed with, which shows where the disk's sysfs is no longer covered.
cloud_end() {
    local device
    cloudsim_stop
    while read -r device _; do
        umount -l "/sys/devices/virtual/block/${device#/dev/}" 2>/dev/null
        [[ "$(losetup -n -O BACK-FILE "$device" 2>/dev/null)" != "$work/cloud/disks/"* ]] || losetup -d "$device"
    done < <(cat "$work/cloud/disks/loops" 2>/dev/null)
    umount /etc/hosts
}
