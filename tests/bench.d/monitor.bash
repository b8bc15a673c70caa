# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# monitor.bash: one recurring monitor of each agent beside its stock model, and beside a program that does nothing.

section_monitor() {
    local empty stock_vip ours_vip stock_volume ours_volume stock_app ours_app stock_device ours_device item
    report_title "One monitor: processor time"
    stock_device=$(machine_filesystem stock) || return 1
    machine_loops+=("$stock_device")
    ours_device=$(machine_filesystem ours) || return 1
    machine_loops+=("$ours_device")
    mkdir -p "$work/stock.mount" "$work/ours.mount"

    local address=(ip=198.51.100.20 cidr_netmask=24 nic=bench0)
    local stock_mount=(device="$stock_device" directory="$work/stock.mount" fstype=ext4)
    local ours_mount=(device="$ours_device" directory="$work/ours.mount" fstype=ext4 quorum=ignore)
    local stock_program=(binfile=/bin/sleep cmdline_options=infinity pidfile="$work/stock.pid" user=root)
    local ours_program=("start=/bin/sleep infinity")

    # One address serves both: the monitors look at the same thing.
    agent_once stock IPaddr2 start "${address[@]}" &&
        agent_once stock Filesystem start "${stock_mount[@]}" && agent_once ours san-volume start "${ours_mount[@]}" &&
        agent_once stock anything start "${stock_program[@]}" && agent_once ours app start "${ours_program[@]}" || return 1

    item_empty empty; empty=("${item[@]}")
    item_of vip.stock 0 stock IPaddr2 monitor "${address[@]}"; stock_vip=("${item[@]}")
    item_of vip.ours 0 ours vip monitor "${address[@]}"; ours_vip=("${item[@]}")
    item_of volume.stock 0 stock Filesystem monitor "${stock_mount[@]}"; stock_volume=("${item[@]}")
    item_of volume.ours 0 ours san-volume monitor "${ours_mount[@]}"; ours_volume=("${item[@]}")
    item_of app.stock 0 stock anything monitor "${stock_program[@]}"; stock_app=("${item[@]}")
    item_of app.ours 0 ours app monitor "${ours_program[@]}"; ours_app=("${item[@]}")
    measured "${empty[@]}" ::: "${stock_vip[@]}" ::: "${ours_vip[@]}" ::: "${stock_volume[@]}" ::: "${ours_volume[@]}" ::: \
        "${stock_app[@]}" ::: "${ours_app[@]}" || return 1

    report "IPaddr2 / vip" cpu vip.stock vip.ours 1/40
    report "Filesystem / san-volume" cpu volume.stock volume.ours 1/30
    report "anything / app" cpu app.stock app.ours 1/30
    report "empty program / vip" cpu empty vip.ours 2x
    report "empty program / san-volume" cpu empty volume.ours
    report "empty program / app" cpu empty app.ours
    report_title "One monitor: time"
    report "IPaddr2 / vip" time vip.stock vip.ours
    report "Filesystem / san-volume" time volume.stock volume.ours
    report "anything / app" time app.stock app.ours
    report_title "One monitor: peak memory of its largest process"
    report "IPaddr2 / vip" peak vip.stock vip.ours 4MiB
    report "Filesystem / san-volume" peak volume.stock volume.ours 4MiB
    report "anything / app" peak app.stock app.ours 4MiB
    report "empty program" peak empty empty

    agent_once ours app stop "${ours_program[@]}" && agent_once stock anything stop "${stock_program[@]}" &&
        agent_once ours san-volume stop "${ours_mount[@]}" && agent_once stock Filesystem stop "${stock_mount[@]}" &&
        agent_once stock IPaddr2 stop "${address[@]}"
}
