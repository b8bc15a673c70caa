# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# fence.bash: fence_vigil_bmc and fence_ipmilan against the same management controller (ipmi_sim).

# Writes the standard input of a fence agent: fence_input NAME KEY=VALUE...
fence_input() {
    local file=$work/fence.$1
    shift
    printf '%s\n' "$@" >"$file"
}

section_fence() {
    local power port=9623 common
    # shellcheck source=tests/lib/bmc.bash
    . "$source_root/tests/lib/bmc.bash"
    power=$(bmc_power_program "$work" bench) && bmc_start bench "$work" 127.0.0.1 $port "$power" || return 1
    (umask 077 && printf '%s\n' "$BMC_PASSWORD" >"$work/bmc.password")
    common=(ip=127.0.0.1 "ipport=$port" "username=$BMC_USER" cipher=3)
    local stock=("${common[@]}" "password=$BMC_PASSWORD" lanplus=1) ours=("${common[@]}" "password_file=$work/bmc.password")
    fence_input stock.status "${stock[@]}" action=status
    fence_input stock.off "${stock[@]}" action=off
    fence_input stock.off0 "${stock[@]}" action=off power_wait=0
    fence_input ours.status "${ours[@]}" action=status
    fence_input ours.off "${ours[@]}" action=off
    local on=(on /bin/cp "$work/on" "$work/bench.power")
    echo 1 >"$work/on"
    # The stock agent waits for seconds within an off: a few runs tell enough.
    local runs=$((runs < 10 ? runs : 10))
    measured status.stock "<$work/fence.stock.status" /usr/sbin/fence_ipmilan ::: status.ours "<$work/fence.ours.status" "$build/stonith/fence_vigil_bmc" ::: \
        off.stock "<$work/fence.stock.off" /usr/sbin/fence_ipmilan ::: "${on[@]}" ::: \
        off0.stock "<$work/fence.stock.off0" /usr/sbin/fence_ipmilan ::: "${on[@]}" ::: \
        off.ours "<$work/fence.ours.off" "$build/stonith/fence_vigil_bmc" ::: "${on[@]}" || return 1
    bmc_stop bench
    report_title "Fencing over IPMI against one ipmi_sim ($runs runs): time"
    report "fence_ipmilan / bmc status" time status.stock status.ours 1/5
    report "fence_ipmilan / bmc off" time off.stock off.ours 1/5
    report "  the stock one without power_wait" time off0.stock off.ours 1/5
    report_title "Fencing: processor time"
    report "fence_ipmilan / bmc status" cpu status.stock status.ours 1/20
    report "fence_ipmilan / bmc off" cpu off.stock off.ours 1/20
    report "  the stock one without power_wait" cpu off0.stock off.ours 1/20
    report_title "Fencing: peak memory of the largest process"
    report "fence_ipmilan / bmc status" peak status.stock status.ours
}
