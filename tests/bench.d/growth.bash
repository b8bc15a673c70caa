# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# growth.bash: a monitor's cost as the machine fills with addresses and mounts. Flat means: at most half as much again at 1,000 as at 1.

growth_addresses() {
    local count=$1 number
    for ((number = growth_done; number < count; number++)); do
        echo "address add 127.99.$((number / 250)).$((number % 250 + 1))/32 dev bench0"
    done | ip -batch - && growth_done=$count
}

growth_mounts() {
    local count=$1 number
    mkdir -p "$work/growth"
    for ((number = growth_done; number < count; number++)); do
        mkdir -p "$work/growth/$number" && mount -t tmpfs -o size=16k growth "$work/growth/$number" || return 1
    done
    growth_done=$count
}

section_growth() {
    local count item stock ours device runs=$((runs < 15 ? runs : 15)) growth_done
    local address=(ip=198.51.100.22 cidr_netmask=24 nic=bench0)
    report_title "Monitor beside N more addresses: processor time"
    agent_once stock IPaddr2 start "${address[@]}" || return 1
    growth_done=0
    for count in 1 10 100 1000; do
        growth_addresses $count || return 1
        item_of "vip$count.stock" 0 stock IPaddr2 monitor "${address[@]}"; stock=("${item[@]}")
        item_of "vip$count.ours" 0 ours vip monitor "${address[@]}"; ours=("${item[@]}")
        measured "${stock[@]}" ::: "${ours[@]}" || return 1
        report "IPaddr2 / vip, $count" cpu "vip$count.stock" "vip$count.ours"
    done
    report "vip: 1 / 1000" cpu vip1.ours vip1000.ours 1.5x
    agent_once stock IPaddr2 stop "${address[@]}" || return 1
    ip address flush dev bench0 && ip address add 198.51.100.1/24 dev bench0

    report_title "Monitor beside N more mounts: processor time"
    device=$(machine_filesystem growth) || return 1
    machine_loops+=("$device")
    mkdir -p "$work/growth.mount"
    local mount=(device="$device" directory="$work/growth.mount" fstype=ext4)
    agent_once ours san-volume start "${mount[@]}" quorum=ignore || return 1
    growth_done=0
    for count in 1 10 100 1000; do
        growth_mounts $count || return 1
        item_of "volume$count.stock" 0 stock Filesystem monitor "${mount[@]}"; stock=("${item[@]}")
        item_of "volume$count.ours" 0 ours san-volume monitor "${mount[@]}" quorum=ignore; ours=("${item[@]}")
        measured "${stock[@]}" ::: "${ours[@]}" || return 1
        report "Filesystem / san-volume, $count" cpu "volume$count.stock" "volume$count.ours"
    done
    report "san-volume: 1 / 1000" cpu volume1.ours volume1000.ours 1.5x
    agent_once ours san-volume stop "${mount[@]}" quorum=ignore
}
