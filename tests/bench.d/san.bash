# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# san.bash: fencing by reservations, and the monitor of the whole stack, at a real array: in a lab of virtual machines (tests/vmlab) that this
# section makes itself. Figures are those of emulated processors, stock and ours in the same machine: the ratios are what they are for.
# BENCH_SAN_RUNS: how often (3); BENCH_SAN_PARTS: which of san_off san_status san_guard san_monitor san_takeover.

san_runs=${BENCH_SAN_RUNS:-3}
san_luns=(mpath{a..p})

vmlab() {
    VIGIL_BUILD=$build "$source_root/tests/vmlab/vmlab" "$@"
}

# As `measured`, on node n1.
measured_on_node() {
    local name count wrong cpu_min cpu cpu_max time_min time time_max peak items
    items=$(printf '%q ' "$@")
    vmlab exec n1 -t 600 "/usr/sbin/measure --runs $san_runs --warmup 1 $items" >"$work/measured" || return 1
    while IFS=$'\t' read -r name count wrong cpu_min cpu cpu_max time_min time time_max peak; do
        [ -n "$peak" ] || continue
        figure[$name.cpu]="$cpu $cpu_min $cpu_max"
        figure[$name.time]="$time $time_min $time_max"
        figure[$name.peak]="$peak $peak $peak"
        [ "$wrong" -eq 0 ] || { echo "bench: $name: $wrong of $count runs gave another exit code than was wanted" >&2; return 1; }
    done <"$work/measured"
}

# /dev/mapper/NAME of the first N LUNs, with a separator.
san_devices() {
    local text
    text=$(printf "/dev/mapper/%s$2" "${san_luns[@]:0:$1}")
    echo "${text%"$2"}"
}

# A file with a fence agent's standard input on both nodes: NAME ACTION PLUG DEVICES.
san_order() {
    local node
    for node in n1 n2; do
        vmlab exec "$node" "printf 'action=%s\nplug=%s\ndevices=%s\n' $2 $3 '$4' >/run/$1"
    done
}

# Nobody registered, nothing reserved, on the first N LUNs: with a key that is registered for it. Who misses its registration then was not fenced.
san_clear() {
    vmlab exec n1 'rm -rf /run/vigil/guard' && vmlab exec n2 'rm -rf /run/vigil/guard' || return 1
    # The first answer to a node that was fenced is only that it was (UNIT ATTENTION): it is read away.
    vmlab exec n2 "for lun in $(san_devices "$1" ' '); do
        path=/dev/block/\$(dmsetup deps -o devno \$lun | sed -n 's/.*(\\([0-9]*\\), \\([0-9]*\\)).*/\\1:\\2/p')
        for try in 1 2 3; do ! sg_persist -n -k \$path || break; done
        sg_persist -n -o -I -S 0xc1ea \$path && sg_persist -n -o -C -K 0xc1ea \$path || exit 1; done" >/dev/null ||
        { echo "bench: the registrations of $1 LUNs cannot be cleared" >&2; return 1; }
}

# One agent: both nodes register, n1 fences n2, again and again. Prints the time and CPU of each off in microseconds.
san_measure_off() {
    local agent=$1 count=$2 separator=$3 run devices
    devices=$(san_devices "$count" "$separator")
    san_clear "$count" && san_order on1 on n1 "$devices" && san_order on2 on n2 "$devices" && san_order off2 off n2 "$devices" || return 1
    vmlab exec n1 -t 300 "/usr/sbin/$agent </run/on1 >/dev/null" || { echo "bench: $agent: on of n1 failed" >&2; return 1; }
    for ((run = 0; run < san_runs; run++)); do
        # As after a restart: it was fenced in the run before.
        vmlab exec n2 -t 300 "rm -rf /run/vigil/guard; /usr/sbin/$agent </run/on2 >/dev/null" || { echo "bench: $agent: on of n2 failed" >&2; return 1; }
        vmlab exec n1 -t 300 "/usr/sbin/measure --runs 1 --warmup 0 off '</run/off2' /usr/sbin/$agent" >"$work/off" || return 1
        awk -F '\t' '$3 == 0 { print $8, $5; found = 1 } END { exit !found }' "$work/off" || { echo "bench: $agent: off failed" >&2; return 1; }
    done
}

# Puts the medians of "TIME CPU" lines into `figure`.
san_keep() {
    local name=$1 column
    for column in 1:time 2:cpu; do
        figure[$name.${column#*:}]=$(cut -d ' ' -f "${column%:*}" "$work/$name" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR] }')
    done
}

san_off() {
    local count bound
    report_title "Fencing by reservations at an array, n1 fences n2, $san_runs times each" "fence_scsi" "fence_vigil_reservation"
    for count in 1 4 16; do
        san_measure_off fence_scsi $count , >"$work/stock-off-$count" && san_measure_off fence_vigil_reservation $count ' ' >"$work/ours-off-$count" || return 1
        san_keep "stock-off-$count"
        san_keep "ours-off-$count"
        bound=1/10
        report "off, $count LUNs, time" time "stock-off-$count" "ours-off-$count" "$bound"
        report "off, $count LUNs, CPU" cpu "stock-off-$count" "ours-off-$count"
    done
}

san_status() {
    san_order status-stock status n1 "$(san_devices 4 ,)"
    san_order status-ours status n1 "$(san_devices 4 ' ')"
    # Ours holds the registrations since its last off; stock looks at its own.
    measured_on_node status-ours '</run/status-ours' /usr/sbin/fence_vigil_reservation || return 1
    san_clear 4 && vmlab exec n1 -t 300 "sed s/status/on/ /run/status-stock | /usr/sbin/fence_scsi >/dev/null" || return 1
    measured_on_node status-stock '</run/status-stock' /usr/sbin/fence_scsi || return 1
    report "status, 4 LUNs, CPU" cpu status-stock status-ours 1/20
    report "status, 4 LUNs, time" time status-stock status-ours
}

# What a watchdog daemon calls every few seconds on each node. The stock one ends at the first LUN on which the node is registered: with four it still looks at
# one, ours at all of them.
san_guard() {
    local count bound=1/20
    report_title "Self-fencing: a node looks after its own registrations" "fence_scsi_check" "vigil-storage-guard test"
    for count in 1 4; do
        san_order guard-stock on n1 "$(san_devices $count ,)" && san_order guard-ours on n1 "$(san_devices $count ' ')" && san_clear $count || return 1
        vmlab exec n1 -t 300 '/usr/sbin/fence_scsi </run/guard-stock >/dev/null' || { echo "bench: fence_scsi: on failed" >&2; return 1; }
        measured_on_node guard-stock-$count /usr/share/cluster/fence_scsi_check && san_clear $count || return 1
        vmlab exec n1 -t 300 '/usr/sbin/fence_vigil_reservation </run/guard-ours >/dev/null' || { echo "bench: fence_vigil_reservation: on failed" >&2; return 1; }
        measured_on_node guard-ours-$count /usr/sbin/vigil-storage-guard test || return 1
        report "check, $count LUNs, CPU" cpu guard-stock-$count guard-ours-$count $bound
        report "check, $count LUNs, time" time guard-stock-$count guard-ours-$count
        bound=''
    done
}

# The same volume under both: reservation, multipath, LVM, mount.
san_monitor() {
    local common=(OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE=volume OCF_RESKEY_CRM_meta_timeout=60000
        OCF_RESKEY_CRM_meta_interval=10000 PATH=/usr/sbin:/usr/bin)
    local ours=("${common[@]}" OCF_RESOURCE_TYPE=san-volume OCF_RESOURCE_PROVIDER=vigil OCF_RESKEY_device=/dev/shared/data OCF_RESKEY_directory=/srv/data
        OCF_RESKEY_volume_group=shared OCF_RESKEY_disks=/dev/mapper/mpatha OCF_RESKEY_reservation=write-exclusive-registrants-only
        OCF_RESKEY_quorum=ignore OCF_RESKEY_last_holder=ignore)
    local lvm=("${common[@]}" OCF_RESOURCE_TYPE=LVM-activate OCF_RESOURCE_PROVIDER=heartbeat OCF_RESKEY_vgname=shared OCF_RESKEY_vg_access_mode=system_id)
    local filesystem=("${common[@]}" OCF_RESOURCE_TYPE=Filesystem OCF_RESOURCE_PROVIDER=heartbeat OCF_RESKEY_device=/dev/shared/data
        OCF_RESKEY_directory=/srv/data OCF_RESKEY_fstype=ext4)
    san_clear 1 && vmlab exec n1 'guest_volume_group settings && guest_volume_group create /dev/mapper/mpatha ext4' >/dev/null || return 1
    vmlab exec n1 -t 120 "env $(printf '%q ' "${ours[@]}") OCF_RESKEY_CRM_meta_name=start /usr/lib/ocf/resource.d/vigil/san-volume start 2>&1" ||
        { echo "bench: san-volume does not start" >&2; return 1; }
    measured_on_node stack-ours "${ours[@]}" OCF_RESKEY_CRM_meta_name=monitor /usr/lib/ocf/resource.d/vigil/san-volume monitor ::: \
        stack-lvm "${lvm[@]}" OCF_RESKEY_CRM_meta_name=monitor /usr/lib/ocf/resource.d/heartbeat/LVM-activate monitor ::: \
        stack-filesystem "${filesystem[@]}" OCF_RESKEY_CRM_meta_name=monitor /usr/lib/ocf/resource.d/heartbeat/Filesystem monitor ::: \
        empty /usr/sbin/empty || return 1
    san_order status-one status n1 /dev/mapper/mpatha
    vmlab exec n1 'sed s/status/on/ /run/status-one | /usr/sbin/fence_scsi >/dev/null 2>&1'
    measured_on_node stack-scsi '</run/status-one' /usr/sbin/fence_scsi || return 1
    figure[stack-stock.cpu]=$(san_sum stack-lvm stack-filesystem stack-scsi)
    report_title "The recurring monitor: reservation, multipath, LVM, mount" "LVM-activate + Filesystem + fence_scsi" "san-volume"
    report "monitor of the stack, CPU" cpu stack-stock stack-ours 1/30
    report "beside an empty program, CPU" cpu empty stack-ours 2x
}

# Reads the survivor's pacemaker.log; prints "san PHASE MILLISECONDS" of the last takeover in it, as takeover_medians takes them. The layers' times are the agent's
# own word; of the stock agents each is a layer.
san_read_takeover() {
    awk '
        function at(text, parts) { split(text, parts, /[:.]/); return ((parts[1] * 60 + parts[2]) * 60 + parts[3]) * 1000 + parts[4] }
        function since(end, begin) { return (end - begin + 86400000) % 86400000 }
        function say(name, value) { printf "san %s %d\n", name, value }
        /Requesting fencing \((off|reboot)\) of node/ { request = at($3); fenced = start = ended = lvm = mount = 0; layers = "" }
        !request { next }
        /Operation .(off|reboot). targeting .*: OK/ { fenced = at($3) }
        /Requesting local execution of start operation for (volume|group-of-volumes) / && !start { start = at($3) }
        /Result of start operation for group-of-volumes on .*: ok/ { lvm = at($3) }
        /Requesting local execution of start operation for volume / { mount = at($3) }
        / up in [0-9]+ ms: / { layers = $0; sub(/.* up in [0-9]+ ms: /, "", layers) }
        /Result of start operation for volume on .*: ok/ { ended = at($3) }
        END {
            if (!request || !fenced || !start || !ended) exit 1
            say("fenced", since(fenced, request)); say("begun", since(start, fenced)); say("whole", since(ended, request))
            if (lvm) { say("lvm", since(lvm, start)); say("mount", since(ended, mount)); say("between", since(mount, lvm)); exit }
            for (count = split(layers, words, /, /); count > 0; count--) {
                split(words[count], word, " ")
                if (word[1] == "device" || word[1] == "filesystem") rest += word[2]; else { say(tolower(word[1]), word[2]) }
                known += word[2]
            }
            say("mount", rest); say("between", since(ended, start) - known)
        }'
}

# Cuts the active node of the ledger test, again and again: it has the whole stack, stock and ours.
san_cut() {
    local whose=$1 agents=$2 run victim survivor begin
    : >"$work/takeover.$whose"
    for ((run = 0; run < san_runs; run++)); do
        if [ $run -eq 0 ]; then vmlab down && ledger_up "$agents"; else ledger_restore; fi >>"$work/vmlab.log" 2>&1 || return 1
        victim=$(ledger_active)
        survivor=$([ "$victim" = n1 ] && echo n2 || echo n1)
        begin=${EPOCHREALTIME/[.,]/}
        vmlab kill "$victim" && ledger_wait 180 "the takeover by $survivor" ledger_acknowledges "$survivor" "$begin" || return 1
        echo "san gap $((($(ledger_newest "$survivor") - begin) / 1000))" >>"$work/takeover.$whose"
        vmlab get "$survivor" /var/log/pacemaker/pacemaker.log | san_read_takeover >>"$work/takeover.$whose" || { echo "bench: no takeover in the log of $survivor" >&2; return 1; }
    done
    takeover_medians "$whose"
}

san_takeover() {
    local phase label
    # shellcheck disable=SC2034 # for ledger.bash
    LEDGER=$work/ledger BUILD=$build VMLAB_FOLDER=$source_root/tests/vmlab
    mkdir -p "$LEDGER"
    # shellcheck source=tests/vmlab/ledger.bash
    . "$VMLAB_FOLDER/ledger.bash"
    # shellcheck source=tests/bench.d/takeover.bash
    . "$parts/takeover.bash"
    san_cut stock stock && san_cut ours vigil || return 1
    report_title "Takeover with the array after a power cut, $san_runs times each: the layers' times" "fence_scsi + LVM-activate + Filesystem" "fence_vigil_reservation + san-volume"
    while IFS=: read -r phase label; do report "$label" time "san.$phase.stock" "san.$phase.ours"; done <<'END'
fenced:fence request to fenced
begun:Pacemaker, until the start begins
cluster:quorum, last holder
multipath:multipath
reservation:reservation taken and read back
lvm:volume group taken over
record:record of the new holder
mount:device checked and mounted
between:between and around the layers
whole:fence request to volume mounted
gap:power cut to the first answer
END
}

# Sums of medians, leasts and mosts.
san_sum() {
    local name
    for name in "$@"; do echo "${figure[$name.cpu]}"; done | awk '{ for (i = 1; i <= 3; i++) s[i] += $i } END { print s[1], s[2], s[3] }'
}

section_san() {
    local status=0 node part
    export VIGIL_VMLAB=$work/vmlab VIGIL_VMLAB_OWNER=$$ VIGIL_BUILD=$build
    vmlab up >"$work/vmlab.log" 2>&1 && vmlab san 16 32 >>"$work/vmlab.log" 2>&1 && vmlab cluster >>"$work/vmlab.log" 2>&1 ||
        { tail -n 5 "$work/vmlab.log" >&2; vmlab down; return 1; }
    for node in n1 n2; do
        vmlab put "$node" "$build/tests/bench.d/measure" /usr/sbin/measure && vmlab put "$node" "$build/tests/bench.d/empty" /usr/sbin/empty || status=1
    done
    # What one of them could not measure, the others still can.
    [ $status -ne 0 ] || for part in ${BENCH_SAN_PARTS:-san_off san_status san_guard san_monitor san_takeover}; do "$part" || status=1; done
    vmlab down
    return $status
}
