# SPDX-License-Identifier: GPL-2.0-or-later
# bmc.bash: a real management controller for a node. Each is one process of OpenIPMI's simulator (ipmi_sim, Debian
# package openipmi) that speaks RMCP+ on a UDP port and whose chassis power is whatever a program says it is.
#
#   bmc_start NAME DIR ADDRESS PORT POWER_PROGRAM
#       Starts the controller NAME and returns when its port is open (60 s at most; 1 and a word on stderr otherwise).
#       Its files are DIR/NAME.{conf,emu,log,pid} and DIR/NAME.state/. ADDRESS is IPv4 or IPv6. POWER_PROGRAM is an absolute path,
#       with arguments if need be, called as
#           POWER_PROGRAM get power          prints power:1 or power:0, exit 0
#           POWER_PROGRAM set power 0|1      cuts or gives the power, exit 0 (another exit code: the BMC answers an error)
#           POWER_PROGRAM set reset 1        a hard reset or a power cycle
#       The simulator waits for the program and answers nobody meanwhile: what takes time belongs into the background.
#   bmc_stop NAME [DIR]
#       Ends it (by its own pid) and returns when it is gone. DIR is needed only in another shell than the one that started it.
#   bmc_stop_all
#       Ends all that this shell started: for a trap or a teardown.
#   bmc_power_program DIR NAME
#       Writes a power program that keeps the power in the file DIR/NAME.power (0 or 1, 1 at first), notes each call in
#       DIR/NAME.calls, and prints its path. Files that a test may write steer it:
#           DIR/NAME.lies        exists: "set" answers ok and changes nothing
#           DIR/NAME.refuses     exists: "set" fails
#           DIR/NAME.slow        holds seconds: a "set" takes effect that much later
#           DIR/NAME.slow_on     the same for "set power 1" alone: a power cycle, whose off lasts a second, is off that much longer
#           DIR/NAME.held        exists: a "set" takes effect when it is removed
#           DIR/NAME.blind       exists: "get" fails
#           DIR/NAME.glitch      exists: the next "get" says off, whatever is true; it is removed then
#           DIR/NAME.stays_off   exists: "set power 1" answers ok and changes nothing
#
# BMC_RUN is an array put in front of the simulator's command line, such as (ip netns exec NAME) or (nsenter -t PID -n); it has to
# end in the same pid. BMC_USER, BMC_PASSWORD: the account (administrator); BMC_OPERATOR: an account with operator privilege and the
# same password. BMC_KEY, where set: the controller's key (Kg), 32 hexadecimal digits. Cipher suite 3 works; this simulator has no suite 17.

BMC_USER=${BMC_USER:-vigil}
BMC_OPERATOR=${BMC_OPERATOR:-operator}
BMC_PASSWORD=${BMC_PASSWORD:-lab-Secret-1}
declare -p BMC_RUN >/dev/null 2>&1 || BMC_RUN=()
declare -gA bmc_directory=()

bmc_start() {
    local name=$1 directory=$2 address=$3 port=$4 power=$5 pid

    mkdir -p "$directory/$name.state" || return 1
    bmc_write_configuration "$name" "$directory" "$address" "$port" "$power" || return 1
    "${BMC_RUN[@]}" ipmi_sim -c "$directory/$name.conf" -f "$directory/$name.emu" -s "$directory/$name.state" -n \
        </dev/null >"$directory/$name.log" 2>&1 3>&- &
    pid=$!
    echo "$pid" >"$directory/$name.pid"
    bmc_directory[$name]=$directory
    bmc_wait_port "$pid" "$port" && return 0
    echo "bmc_start: $name did not open port $port; its log: $directory/$name.log" >&2
    bmc_stop "$name"
    return 1
}

# The accounts' key type "straight" etc. only matters to IPMI 1.5; RMCP+ uses the password as the key.
bmc_write_configuration() {
    local name=$1 directory=$2 address=$3 port=$4 power=$5 who

    {
        echo "name \"$name\""
        echo "set_working_mc 0x20"
        echo "startlan 1"
        echo "  addr $address $port"
        [ -z "${BMC_KEY:-}" ] || echo "  bmc_key $BMC_KEY"
        echo "  priv_limit admin"
        for who in callback user operator admin; do
            echo "  allowed_auths_$who md5"
        done
        echo "  guid a123456789abcdefa123456789abcdef"
        echo "endlan"
        echo "chassis_control \"$power\""
        echo "user 1 false \"\" \"\" user 10 md5"
        echo "user 2 true \"$BMC_USER\" \"$BMC_PASSWORD\" admin 10 md5"
        echo "user 3 true \"$BMC_OPERATOR\" \"$BMC_PASSWORD\" operator 10 md5"
    } >"$directory/$name.conf" || return 1
    {
        echo "mc_setbmc 0x20"
        echo "mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr"
        echo "mc_enable 0x20"
    } >"$directory/$name.emu"
}

# /proc/PID/net is the network namespace of that process, wherever it runs.
bmc_wait_port() {
    local pid=$1 pattern tries=1200

    pattern=$(printf ':%04X 0*:0000 07' "$2")
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
        grep -qs -- "$pattern" "/proc/$pid/net/udp" "/proc/$pid/net/udp6" && return 0
        sleep 0.05
        tries=$((tries - 1))
    done
    return 1
}

bmc_stop() {
    local name=$1 directory=${2:-${bmc_directory[$1]:-}} pid tries=100

    [ -n "$directory" ] && pid=$(cat "$directory/$name.pid" 2>/dev/null) || return 0
    # A pid alone is not identity: end it only while it is this controller.
    if grep -qaF -- "$directory/$name.conf" "/proc/$pid/cmdline" 2>/dev/null; then
        kill -TERM "$pid" 2>/dev/null || :
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
            [ "$tries" -gt 40 ] || kill -KILL "$pid" 2>/dev/null || :
            sleep 0.05
            tries=$((tries - 1))
        done
        wait "$pid" 2>/dev/null || :
    fi
    rm -f "$directory/$name.pid"
    unset "bmc_directory[$name]"
    return 0
}

bmc_stop_all() {
    local name

    for name in "${!bmc_directory[@]}"; do
        bmc_stop "$name"
    done
}

bmc_power_program() {
    local base=$1/$2

    echo 1 >"$base.power"
    : >"$base.calls"
    cat >"$base.program" <<EOF
#!/bin/sh
# The power of $2; see tests/lib/bmc.bash.
base='$base'
EOF
    cat >>"$base.program" <<'EOF'
echo "$*" >>"$base.calls"
# Nobody reads half of it.
write_power() {
    echo "$1" >"$base.power.$$" && mv "$base.power.$$" "$base.power"
}
set_power() {
    if [ -e "$base.held" ]; then
        (while [ -e "$base.held" ]; do sleep 0.05; done; write_power "$1") >/dev/null 2>&1 </dev/null &
    elif [ "$1" = 1 ] && [ -s "$base.slow_on" ]; then
        (sleep "$(cat "$base.slow_on")"; write_power 1) >/dev/null 2>&1 </dev/null &
    elif [ -s "$base.slow" ]; then
        (sleep "$(cat "$base.slow")"; write_power "$1") >/dev/null 2>&1 </dev/null &
    else
        write_power "$1"
    fi
}
case "$1 $2" in
"get power")
    [ ! -e "$base.blind" ] || exit 1
    if [ -e "$base.glitch" ]; then
        rm "$base.glitch"
        echo power:0
        exit 0
    fi
    echo "power:$(cat "$base.power")" ;;
"set power")
    [ ! -e "$base.refuses" ] || exit 1
    if [ -e "$base.lies" ] || { [ -e "$base.stays_off" ] && [ "$3" = 1 ]; }; then exit 0; fi
    set_power "$3" ;;
"set reset")
    [ ! -e "$base.refuses" ] || exit 1 ;;
*)
    exit 1 ;;
esac
EOF
    chmod 755 "$base.program"
    echo "$base.program"
}
