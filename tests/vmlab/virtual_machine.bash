# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtual_machine.bash: the lab's machines: their networks, their emulators, and what is done to them.
#
# A lab is one process and network namespace: $LAB/init is the pid of its first process, whose end is the end of everything in it. Inside:
# the bridges lan0 192.0.2.0/26, lan1 192.0.2.64/26 (both carry Corosync and the SAN) and mgmt 198.51.100.0/24 (commands and
# management controllers); nothing routes out. The host's side has address .1 (.65) on each, machine nI .1I (.7I), st .19 (.83), and on
# mgmt nI .1I, its management controller .10I. Emulators are steered through sockets in $LAB, which no guest reaches.

VMLAB_NETWORKS=(lan0 lan1 mgmt)
VMLAB_MEMORY=${VIGIL_VMLAB_MEMORY:-640}
VMLAB_SHELL_PORT=5000

# --- the lab's namespaces ---

lab_lives() {
  local pid start
  read -r pid start 2>/dev/null < "$LAB/init" || return 1
  [ "$(process_start "$pid")" = "$start" ]
}

# A pid is used again; with its start time it is one process.
process_start() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # fields; the name in parentheses may hold spaces
  set -- ${stat##*) }
  echo "${20}"
}

# Runs a command in the lab's namespaces: of this shell, when it is there already (the management controllers' programs).
inside() {
  local pid _
  if [ -n "${VMLAB_INSIDE:-}" ]; then
    "$@"
    return
  fi
  lab_lives || { fail "no lab runs in $LAB"; return 1; }
  read -r pid _ < "$LAB/init"
  VMLAB_INSIDE=1 nsenter -t "$pid" -n -p -m -- "$@"
}

# Stays outside of the lab and ends it with its owner: the kernel ends a PID namespace with its first process.
# shellcheck disable=SC2016 # for the shell that is started
LAB_HOLD='
  owner=$1 file=$2
  unshare --net --pid --mount --fork --kill-child --mount-proc sleep infinity &
  until pid=$(cat "/proc/$!/task/$!/children") && pid=${pid%% *} && grep -qsx sleep "/proc/$pid/comm"; do sleep 0.02; done 2>/dev/null
  stat=$(cat "/proc/$pid/stat")
  set -- ${stat##*) }
  echo "$pid ${20}" > "$file.new" && mv "$file.new" "$file"
  while kill -0 "$pid" 2>/dev/null && { [ -z "$owner" ] || kill -0 "$owner" 2>/dev/null; }; do sleep 1; done
  kill -KILL "$pid" 2>/dev/null'

lab_open() {
  local tries=1500
  ! lab_lives || { fail "a lab runs in $LAB already (vmlab down ends it)"; return 1; }
  rm -rf --one-file-system "$LAB" && mkdir -p "$LAB" || return 1
  LAB=$(cd "$LAB" && pwd)
  cache_hold "$IMAGE" || { fail "no image in $IMAGE (vmlab build makes one)"; return 1; }
  setsid bash -c "$LAB_HOLD" vmlab-hold "${VIGIL_VMLAB_OWNER:-}" "$LAB/init" </dev/null >"$LAB/hold.log" 2>&1 3>&- 4>&- 9>&- &
  disown $!
  until lab_lives && inside true 2>/dev/null; do
    [ $((tries -= 1)) -gt 0 ] || { fail "no namespaces: $(cat "$LAB/hold.log")"; return 1; }
    sleep 0.02
  done
  lab_networks
}

# shellcheck disable=SC2016 # for the shell that is started
lab_networks() {
  inside bash -e -c '
    ip link set lo up
    for net in "$@"; do ip link add "$net" type bridge mcast_snooping 0; ip link set "$net" up; done
    ip addr add 192.0.2.1/26 dev lan0
    ip addr add 192.0.2.65/26 dev lan1
    ip addr add 198.51.100.1/24 dev mgmt' networks "${VMLAB_NETWORKS[@]}" || fail "cannot make the lab's networks"
}

lab_machines() {
  local file
  for file in "$LAB"/*.qmp; do
    [ ! -S "$file" ] || basename "$file" .qmp
  done
}

lab_nodes() {
  lab_machines | grep -v '^st$'
}

lab_up() {
  local name
  lab_open && image_stage "$LAB/stage.ext4" || { lab_down; return 1; }
  for name in "$@"; do
    machine_start "$name" && controller_start "$name" || { lab_down; return 1; }
  done
  for name in "$@"; do
    machine_wait "$name" || { lab_down; return 1; }
  done
}

lab_down() {
  local pid start tries=1500
  if lab_lives; then
    read -r pid start < "$LAB/init"
    kill -KILL "$pid"
    while lab_lives; do
      [ $((tries -= 1)) -gt 0 ] || { fail "the lab in $LAB does not end"; return 1; }
      sleep 0.02
    done
  fi
  rm -rf --one-file-system "$LAB"
}

# --- machines ---

machine_number() {
  case $1 in
  st) echo 9 ;;
  n[1-8]) echo "${1#n}" ;;
  *) fail "no machine '$1': st, n1 ... n8" ;;
  esac
}

machine_address() {
  echo "198.51.100.1$(machine_number "$1")"
}

# An emulator in the foreground of the lab; "-daemonize" ends the command when the machine is set up, or says why not.
machine_start() {
  local name=$1 number net index=0 arguments=()
  shift
  number=$(machine_number "$name") || return 1
  for net in "${VMLAB_NETWORKS[@]}"; do
    inside ip link show "$name-$net" >/dev/null 2>&1 ||
      inside sh -c "ip tuntap add $name-$net mode tap && ip link set $name-$net master $net up" || return 1
    arguments+=(-netdev "tap,id=$net,ifname=$name-$net,script=no,downscript=no"
      -device "virtio-net-pci,netdev=$net,mac=52:54:00:00:0$index:0$number")
    index=$((index + 1))
  done
  [ -e "$LAB/$name.disk" ] || truncate -s 4G "$LAB/$name.disk" || return 1
  inside qemu-system-x86_64 -name "$name" -nodefaults -no-user-config -display none -M q35 -m "$VMLAB_MEMORY" -smp 1 \
    -accel tcg,thread=multi,tb-size=256 -cpu qemu64,+rdrand -kernel "$IMAGE/vmlinux" -initrd "$IMAGE/initrd" \
    -append "console=ttyS0 quiet loglevel=5 norandmaps mitigations=off init_on_alloc=0 apparmor=0 audit=0 panic=1 net.ifnames=0 lab_machine=$name lab_number=$number" \
    -serial "file:$LAB/$name.console" -qmp "unix:$LAB/$name.qmp,server,nowait" -watchdog-action reset -device i6300esb \
    -drive "file=$IMAGE/root.ext4,if=none,id=root,format=raw,readonly=on,cache=unsafe" -device virtio-blk-pci,drive=root \
    -drive "file=$LAB/stage.ext4,if=none,id=stage,format=raw,readonly=on,cache=unsafe" -device virtio-blk-pci,drive=stage \
    -drive "file=$LAB/$name.disk,if=none,id=disk,format=raw,cache=unsafe,discard=unmap" -device virtio-blk-pci,drive=disk,serial=disk \
    "${arguments[@]}" -daemonize -pidfile "$LAB/$name.pid" "$@" </dev/null >"$LAB/$name.log" 2>&1 ||
    { fail "$name does not start: $(tail -n 2 "$LAB/$name.log")"; return 1; }
}

# The pid as the lab's own namespace has it.
machine_lives() {
  local pid
  pid=$(cat "$LAB/$1.pid" 2>/dev/null) && inside grep -qsaF -- "$LAB/$1.pid" "/proc/$pid/cmdline"
}

machine_boot() {
  ! machine_lives "$1" || { fail "$1 is on"; return 1; }
  machine_start "$1"
}

# Everything that the machine had in memory is lost; its disk has what it had written.
machine_kill() {
  local tries=1500
  machine_lives "$1" || { fail "$1 is off"; return 1; }
  inside kill -KILL "$(cat "$LAB/$1.pid")"
  while machine_lives "$1"; do
    [ $((tries -= 1)) -gt 0 ] || { fail "$1 does not end"; return 1; }
    sleep 0.01
  done
}

machine_power_state() {
  machine_lives "$1" || { echo off; return; }
  case $(machine_qmp "$1" query-status) in
  *'"running": true'*) echo on ;;
  *) echo frozen ;;
  esac
}

machine_qmp() {
  inside "$VMLAB_SOURCE/machine_command" "$LAB/$1.qmp" "${@:2}"
}

machine_exec() {
  local name=$1 seconds=60 address
  shift
  [ "${1:-}" != -t ] || { seconds=$2; shift 2; }
  address=$(machine_address "$name") || return 1
  inside "$BUILD/tests/vmlab/guest_shell" "$address" "$VMLAB_SHELL_PORT" "$seconds" "$@"
}

machine_put() {
  local address
  address=$(machine_address "$1") || return 1
  inside "$BUILD/tests/vmlab/guest_shell" "$address" "$VMLAB_SHELL_PORT" 60 --stdin \
    "cat > $(printf %q "$3") && chmod $(stat -c %a "$2") $(printf %q "$3")" < "$2"
}

# A guest's clock starts where the emulator's does; its first answer is the time to set it to the host's.
machine_wait() {
  local end=$((SECONDS + ${VIGIL_VMLAB_BOOT:-180}))
  until machine_exec "$1" -t 5 "date -s @$EPOCHREALTIME >/dev/null" 2>/dev/null; do
    machine_lives "$1" || { fail "$1 has ended: $(tail -n 2 "$LAB/$1.log")"; return 1; }
    [ $SECONDS -lt $end ] || { fail "$1 does not answer; see $LAB/$1.console"; return 1; }
    sleep 0.1
  done
}

# --- management controllers ---

# Each node has one, a process of OpenIPMI's simulator; it can cut, give and reset its node's power, and nothing else.
controller_start() {
  local name=$1 number
  [ "$name" != st ] || return 0
  number=$(machine_number "$name") && inside ip addr add "198.51.100.10$number/24" dev mgmt || return 1
  mkdir -p "$LAB/controllers"
  export BMC_USER=vigil BMC_PASSWORD=lab-Secret-1
  # shellcheck source=tests/lib/bmc.bash
  . "$VMLAB_SOURCE/../lib/bmc.bash"
  bmc_write_configuration "$name" "$LAB/controllers" "198.51.100.10$number" 623 "$VMLAB_SOURCE/machine_power $LAB $BUILD $name" || return 1
  mkdir -p "$LAB/controllers/$name.state"
  inside setsid --fork ipmi_sim -c "$LAB/controllers/$name.conf" -f "$LAB/controllers/$name.emu" -s "$LAB/controllers/$name.state" -n \
    </dev/null >"$LAB/controllers/$name.log" 2>&1 3>&- 4>&-
}
