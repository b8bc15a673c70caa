# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# change.bash: start and stop. The address is announced in the background after its start has returned: once without that, once with.

section_change() {
    local start stop item stock_start stock_stop ours_start ours_stop device
    local address=(ip=198.51.100.21 cidr_netmask=24 nic=bench0)
    item_of start.stock 0 stock IPaddr2 start "${address[@]}"; stock_start=("${item[@]}")
    item_of stop.stock 0 stock IPaddr2 stop "${address[@]}"; stock_stop=("${item[@]}")
    item_of start.ours 0 ours vip start "${address[@]}"; ours_start=("${item[@]}")
    item_of stop.ours 0 ours vip stop "${address[@]}"; ours_stop=("${item[@]}")
    local MEASURE_OPTIONS=()
    item_empty empty
    measured "${item[@]}" ::: "${stock_start[@]}" ::: "${stock_stop[@]}" ::: "${ours_start[@]}" ::: "${ours_stop[@]}" || return 1
    # Each waits for its last announcement here.
    MEASURE_OPTIONS=(--background)
    stock_start[0]=all.stock ours_start[0]=all.ours stock_stop[0]=after.stock ours_stop[0]=after.ours
    measured "${stock_start[@]}" ::: "${stock_stop[@]}" ::: "${ours_start[@]}" ::: "${ours_stop[@]}" || return 1
    report_title "Start and stop: processor time"
    report "IPaddr2 / vip start" cpu start.stock start.ours 1/20
    report "  with its announcements" cpu all.stock all.ours
    report "IPaddr2 / vip stop" cpu stop.stock stop.ours 1/20

    device=$(machine_filesystem change) || return 1
    machine_loops+=("$device")
    mkdir -p "$work/change.mount"
    local mount=(device="$device" directory="$work/change.mount" fstype=ext4)
    item_of mount.stock 0 stock Filesystem start "${mount[@]}"; start=("${item[@]}")
    item_of umount.stock 0 stock Filesystem stop "${mount[@]}"; stop=("${item[@]}")
    mount+=(quorum=ignore)
    item_of mount.ours 0 ours san-volume start "${mount[@]}"; ours_start=("${item[@]}")
    item_of umount.ours 0 ours san-volume stop "${mount[@]}"; ours_stop=("${item[@]}")
    MEASURE_OPTIONS=()
    measured "${start[@]}" ::: "${stop[@]}" ::: "${ours_start[@]}" ::: "${ours_stop[@]}" || return 1
    report "Filesystem / san-volume start" cpu mount.stock mount.ours
    report "Filesystem / san-volume stop" cpu umount.stock umount.ours
    report_title "Start and stop: time"
    report "IPaddr2 / vip start" time start.stock start.ours
    report "IPaddr2 / vip stop" time stop.stock stop.ours
    report "Filesystem / san-volume start" time mount.stock mount.ours
    report "Filesystem / san-volume stop" time umount.stock umount.ours
}
