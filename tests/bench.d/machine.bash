# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# machine.bash: the bench's own machine, inside of the namespaces that tests/bench has made: private mounts, /run and records, a
# pair of links, and loop devices.

machine_begin() {
    mkdir -p "$work" && mount --make-rprivate / || return 1
    # Everything below is in memory, so that no disk is in the figures.
    mount -t tmpfs -o mode=755 tmpfs "$work" || return 1
    machine_records || return 1
    mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lock /run/resource-agents || return 1
    hostname bench
    ip link set lo up && ip link add bench0 type veth peer name bench1 || return 1
    ip link set bench0 up && ip link set bench1 up && ip address add 198.51.100.1/24 dev bench0 || return 1
    machine_loops=()
    agent_environment
}

# The records of ours go to memory too, whatever statedir the build was configured with.
machine_records() {
    local state existing
    state=$(make -s --no-print-directory -C "$build" print-statedir) || return 1
    existing=$state
    while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
    mkdir -p "$work/upper" "$work/over" || return 1
    mount -t overlay -o "lowerdir=$existing,upperdir=$work/upper,workdir=$work/over" overlay "$existing" && mkdir -p "$state"
}

machine_end() {
    local device
    . "$source_root/tests/lib/bmc.bash" 2>/dev/null && bmc_stop_all
    # Its number may be another's by now: see tests/lib/loop.bash.
    for device in "${machine_loops[@]}"; do
        [[ "$(losetup -n -O BACK-FILE "$device" 2>/dev/null)" == "$work/"* ]] || continue
        umount -A "$device" 2>/dev/null
        losetup -d "$device" 2>/dev/null
    done
}

# Prints a new loop device with an ext4 filesystem; the caller adds it to machine_loops.
machine_filesystem() {
    truncate -s 64M "$work/$1.image" && mkfs.ext4 -q -F "$work/$1.image" >/dev/null 2>&1 && losetup -f --show "$work/$1.image"
}

# Only what pacemaker-execd gives its agents, the log's settings included: a figure must not depend on the caller's environment.
agent_environment() {
    local name
    for name in $(compgen -e); do
        case $name in PATH | TMPDIR | bench_tally | BENCH_INSIDE | CLOUD_*) ;; *) unset "$name" ;; esac
    done
    export OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 OCF_RESKEY_crm_feature_set=3.16.2 \
        OCF_RESKEY_CRM_meta_timeout=60000 PCMK_service=pacemaker-execd PCMK_logfacility=daemon HA_logfacility=daemon \
        HA_LOGFACILITY=daemon PCMK_logfile="$work/pacemaker.log" PCMK_debug=0 HA_debug=0 LC_ALL=C
}

# Sets the array `item` to an item of measure: item_of NAME CODE stock|ours AGENT ACTION [PARAMETER=VALUE]...
item_of() {
    local name=$1 code=$2 whose=$3 agent=$4 action=$5 interval=0 word
    shift 5
    [ "$action" != monitor ] || interval=10000
    item=("$name" "=$code" "OCF_RESOURCE_TYPE=$agent" "OCF_RESOURCE_INSTANCE=bench_$whose" "OCF_RESKEY_CRM_meta_interval=$interval"
        "OCF_RESKEY_CRM_meta_name=$action")
    for word in "$@"; do item+=("OCF_RESKEY_$word"); done
    if [ "$whose" = stock ]; then
        item+=(OCF_RESOURCE_PROVIDER=heartbeat "/usr/lib/ocf/resource.d/heartbeat/$agent" "$action")
    else
        item+=(OCF_RESOURCE_PROVIDER=vigil "$build/agents/$agent" "$action")
    fi
}

# Runs an agent's action once, unmeasured: agent_once stock|ours AGENT ACTION [PARAMETER=VALUE]...
agent_once() {
    local words
    item_of once 0 "$@"
    words=("${item[@]:2}")
    env "${words[@]}" >"$work/once.log" 2>&1 && return
    echo "bench: $1 $2 $3 failed:" >&2
    cat "$work/once.log" >&2
    return 1
}

# An item that sets something back between two measured ones.
item_empty() {
    item=("$1" "$build/tests/bench.d/empty")
}
