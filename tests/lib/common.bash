# shellcheck shell=bash
# common.bash: what every bats file of this tree shares. `load ../lib/common` at its top.
#
# A node
#   node_start [NAME]          a host of one's own: network, mount, PID, UTS and IPC namespaces, private /run and statedir, `lo` up.
#                              NAME is "node" where none is given. It ends with the test, and everything in it.
#   node_run [-n NAME] CMD...  runs CMD on the node, in the foreground, and gives its exit code
#   node_spawn [-n NAME] CMD.. runs CMD there in the background; its pid (as this shell sees it) is in $spawned
#   node_stop [NAME]           ends it at once, as a power cut would
#   node_link A IF_A B IF_B    a veth pair between two nodes, both ends up
#   node_pid [NAME]            the pid of its init, for nsenter
#
# An agent, run from the build tree on a node (the only one started, or AGENT_NODE); sets $status, $output, $stderr:
#   agent NAME ACTION [param=value...] [@option=value...]
#       @depth=N       OCF_CHECK_LEVEL              @timeout=MS   Pacemaker's timeout of the action
#       @interval=MS   0 makes a monitor a probe    @instance=ID  the resource's name
#       @VARIABLE=x    any variable of the environment
#   fence NAME [key=value...]     a fence agent, with its options on standard input
#   fence_argv NAME [ARGUMENT...] the same, with its options as arguments
#   AGENT_WRAPPER is an array put in front of the agent's command line (timeout, strace, valgrind ...).
#
# Claims; each says on failure what was seen:
#   assert_code N              the exit code of the last agent
#   assert_reason REGEX        it gave exactly one ocf-exit-reason, which matches
#   assert_no_reason           it gave none
#   assert_output_has REGEX    a line of its standard output matches
#   assert_error_has REGEX     a line of its standard error matches
#   assert CMD...              CMD succeeds
#   refute CMD...              CMD fails
#   assert_equal A B           the two texts are the same
#
# wait_until SECONDS CMD...   looks every 50 ms until CMD succeeds; fails, and says so, when it did not in time. Less than 30 s is taken as 30:
#                             a machine may be busy with something else, and how long it took is for who measures it
# at_end CMD...               runs CMD when the test ends, last one first, however it ends; call common_teardown in teardown
# unique_name PREFIX          a name that no other test on this machine has
# loop_identity, loop_detach  loop devices: see loop.bash

bats_require_minimum_version 1.5.0

VIGIL_SOURCE=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# shellcheck source=tests/lib/loop.bash
. "$VIGIL_SOURCE/tests/lib/loop.bash"
VIGIL_BUILD=${VIGIL_BUILD:-$VIGIL_SOURCE/build}
[ -d "$VIGIL_BUILD" ] || {
  echo "common: no build tree in $VIGIL_BUILD; build first, or set VIGIL_BUILD" >&2
  exit 1
}
VIGIL_BUILD=$(cd "$VIGIL_BUILD" && pwd)
export VIGIL_SOURCE VIGIL_BUILD

declare -gA node_init=()
declare -p AGENT_WRAPPER >/dev/null 2>&1 || AGENT_WRAPPER=(timeout -k 5 180)
AGENT_NODE=${AGENT_NODE:-}
at_end_commands=()
unique_counter=0
status=0 output='' stderr='' spawned=''

unique_name() {
  unique_counter=$((unique_counter + 1))
  echo "$1${BATS_ROOT_PID:-$$}x${BASHPID}x$unique_counter"
}

at_end() {
  at_end_commands+=("$(printf '%q ' "$@")")
}

# bats calls teardown after each test; a file with a teardown of its own calls this last.
common_teardown() {
  local index name
  for ((index = ${#at_end_commands[@]} - 1; index >= 0; index--)); do
    eval "${at_end_commands[index]}" || echo "common: at the end, this failed: ${at_end_commands[index]}" >&2
  done
  at_end_commands=()
  for name in "${!node_init[@]}"; do
    node_stop "$name"
  done
}

teardown() {
  common_teardown
}

wait_until() {
  local seconds=${1%.*} now end
  shift
  ((seconds >= 30)) || seconds=30
  # Hundredths of a second since the machine's start: the time of day may be set meanwhile.
  read -r now _ </proc/uptime
  end=$((${now/./} + seconds * 100))
  until "$@"; do
    read -r now _ </proc/uptime
    if ((${now/./} > end)); then
      echo "wait_until: not so within $seconds s: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# --- nodes ---

# Where this build keeps its lasting records, as configure was told.
build_statedir() {
  local name value
  (
    # The Makefile's ${prefix} reads the same in the shell; in the order of use.
    for name in prefix exec_prefix localstatedir statedir; do
      value=$(sed -n "s/^$name = //p" "$VIGIL_BUILD/Makefile")
      eval "$name=\"$value\""
    done
    # shellcheck disable=SC2154 # set by the loop
    echo "$statedir"
  )
}

# Runs as the node's first process: makes the mounts private, then stays to reap what it inherits.
node_main() {
  local state=$1 ready=$2 existing
  set -e
  mount --make-rprivate /
  mount -t proc proc /proc
  mkdir -p /run/lock
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /run/overlay
  node_mount_sys
  # Where libqb's rings lie: those of another node, or of a daemon that was killed, are none of this one's.
  [ ! -d /dev/shm ] || mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  # The records' folder need not exist on this machine: put a layer over what does.
  existing=$state
  while [ ! -d "$existing" ]; do existing=$(dirname "$existing"); done
  [ "$existing" != / ] || { echo "node: no parent folder of $state" >&2; exit 1; }
  mkdir /run/overlay/upper /run/overlay/work
  mount -t overlay -o "lowerdir=$existing,upperdir=/run/overlay/upper,workdir=/run/overlay/work" overlay "$existing"
  mkdir -p "$state"
  # What stands there on this machine is none of the node's.
  mount -t tmpfs -o mode=755 state "$state"
  ip link set lo up
  : >"$ready"
  set +e
  sleep infinity &
  # wait ends at each child; the shell reaps orphans meanwhile.
  while kill -0 $! 2>/dev/null; do wait $!; done
}

# A sysfs that shows this network namespace's links, with the control groups of the machine.
node_mount_sys() {
  mkdir /run/cgroup
  mount --rbind /sys/fs/cgroup /run/cgroup
  mount -t sysfs sysfs /sys
  mount --rbind /run/cgroup /sys/fs/cgroup
  umount -l /run/cgroup
}

node_start() {
  local name=${1:-node} directory=${BATS_TEST_TMPDIR:-$(mktemp -d)} ready pid
  ready=$directory/node.$name.ready
  # Under /run the marker would be hidden by the node's own /run.
  rm -f "$ready"
  # shellcheck disable=SC2016 # expanded by the shell that is started
  unshare --mount --net --uts --ipc --pid --fork --kill-child \
    bash -c "$(declare -f node_main node_mount_sys); hostname \"\$1\"; node_main \"\$2\" \"\$3\"" \
    node "$name" "$(build_statedir)" "$ready" </dev/null >"$directory/node.$name.log" 2>&1 3>&- 4>&- &
  node_init[$name]=$!
  if ! wait_until 60 test -e "$ready"; then
    cat "$directory/node.$name.log" >&2
    return 1
  fi
  # The child of unshare is the init.
  pid=$(cat "/proc/${node_init[$name]}/task/${node_init[$name]}/children")
  node_init[$name]="${node_init[$name]} ${pid// /}"
  AGENT_NODE=${AGENT_NODE:-$name}
}

node_pid() {
  local both=${node_init[${1:-${AGENT_NODE:-node}}]:-}
  [ -n "$both" ] || { echo "node: ${1:-${AGENT_NODE:-node}} was not started" >&2; return 1; }
  echo "${both#* }"
}

node_run() {
  local name=${AGENT_NODE:-node}
  if [ "$1" = -n ]; then
    name=$2
    shift 2
  fi
  [ -n "${node_init[$name]:-}" ] || node_pid "$name" || return 1
  nsenter -t "${node_init[$name]#* }" -m -n -u -i -p -- "$@"
}

node_spawn() {
  node_run "$@" </dev/null >>"${BATS_TEST_TMPDIR:-/tmp}/spawned.log" 2>&1 3>&- 4>&- &
  # shellcheck disable=SC2034 # for the test
  spawned=$!
}

# unshare's --kill-child ends the init with it; the kernel then ends all of the PID namespace before the init is gone.
node_stop() {
  local name=${1:-${AGENT_NODE:-node}} outer inner
  [ -n "${node_init[$name]:-}" ] || return 0
  outer=${node_init[$name]%% *} inner=${node_init[$name]#* }
  unset "node_init[$name]"
  [ "$AGENT_NODE" != "$name" ] || AGENT_NODE=
  kill -KILL "$inner" 2>/dev/null
  wait "$outer" 2>/dev/null
  return 0
}

node_link() {
  local first=$1 first_link=$2 second=$3 second_link=$4
  # Not in the first node's PID namespace, where the second one's pid means nothing.
  nsenter -t "$(node_pid "$first")" -n \
    ip link add "$first_link" type veth peer name "$second_link" netns "$(node_pid "$second")" || return 1
  node_run -n "$first" ip link set "$first_link" up || return 1
  node_run -n "$second" ip link set "$second_link" up
}

# --- agents ---

# Splits the standard output and error of a command; never fails, so that a test can look at $status.
capture() {
  local directory=${BATS_TEST_TMPDIR:-/tmp}
  status=0
  "$@" >"$directory/capture.out" 2>"$directory/capture.err" 3>&- || status=$?
  # NUL bytes can't be held by a shell variable; the shell leaves them out, and says so.
  { output=$(<"$directory/capture.out") stderr=$(<"$directory/capture.err"); } 2>/dev/null
}

# Runs on the node where there is one, else here.
capture_on_node() {
  if [ -n "$AGENT_NODE" ]; then
    capture node_run "$@"
  else
    capture "$@"
  fi
}

agent() {
  local name=$1 action=$2 word
  local -a environment=(PATH="$PATH" OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1
    OCF_RESOURCE_TYPE="$name" OCF_RESOURCE_PROVIDER=vigil OCF_RESKEY_crm_feature_set=3.16.2)
  local instance=test timeout=20000 interval
  case $action in monitor) interval=10000 ;; *) interval=0 ;; esac
  shift 2
  for word in "$@"; do
    case $word in
      @depth=*) environment+=("OCF_CHECK_LEVEL=${word#*=}") ;;
      @timeout=*) timeout=${word#*=} ;;
      @interval=*) interval=${word#*=} ;;
      @instance=*) instance=${word#*=} ;;
      @*) environment+=("${word#@}") ;;
      *) environment+=("OCF_RESKEY_$word") ;;
    esac
  done
  environment+=("OCF_RESOURCE_INSTANCE=$instance" "OCF_RESKEY_CRM_meta_timeout=$timeout"
    "OCF_RESKEY_CRM_meta_interval=$interval" "OCF_RESKEY_CRM_meta_name=$action")
  capture_on_node env -i "${environment[@]}" "${AGENT_WRAPPER[@]}" "$VIGIL_BUILD/agents/$name" "$action" </dev/null
}

fence() {
  local name=$1
  shift
  capture_on_node env -i PATH="$PATH" "${AGENT_WRAPPER[@]}" "$VIGIL_BUILD/stonith/$name" \
    < <([ $# -eq 0 ] || printf '%s\n' "$@")
}

fence_argv() {
  local name=$1
  shift
  capture_on_node env -i PATH="$PATH" "${AGENT_WRAPPER[@]}" "$VIGIL_BUILD/stonith/$name" "$@" </dev/null
}

# The agents of this build, by name, one a line.
build_agents() {
  make -s --no-print-directory -C "$VIGIL_BUILD" print-agents | tr ' ' '\n' | sed -n 's:^agents/::p'
}

build_fence_agents() {
  make -s --no-print-directory -C "$VIGIL_BUILD" print-fence-agents | tr ' ' '\n' | sed -n 's:^stonith/::p'
}

# --- claims ---

claim_failed() {
  {
    echo "$1"
    echo "  exit code: $status"
    echo "  output:    ${output//$'\n'/$'\n'             }"
    echo "  errors:    ${stderr//$'\n'/$'\n'             }"
    [ ! -s "${BATS_TEST_TMPDIR:-/tmp}/spawned.log" ] || { echo "  spawned:"; tail -n 20 "${BATS_TEST_TMPDIR:-/tmp}/spawned.log"; }
  } >&2
  return 1
}

assert_code() {
  [ "$status" -eq "$1" ] || claim_failed "wanted exit code $1"
}

exit_reasons() {
  grep -a '^ocf-exit-reason:' <<<"$stderr" || :
}

# It is made some thousand times: with one process.
assert_reason() {
  local line reasons=()
  while IFS= read -r line; do
    [[ $line != ocf-exit-reason:* ]] || reasons+=("$line")
  done <<<"$stderr"
  [ ${#reasons[@]} -eq 1 ] || { claim_failed "wanted one ocf-exit-reason"; return 1; }
  grep -aqE -- "$1" <<<"${reasons[0]}" || claim_failed "wanted an ocf-exit-reason like '$1'"
}

assert_no_reason() {
  [ -z "$(exit_reasons)" ] || claim_failed "wanted no ocf-exit-reason"
}

assert_output_has() {
  grep -aqE -- "$1" <<<"$output" || claim_failed "wanted a line like '$1' on standard output"
}

assert_error_has() {
  grep -aqE -- "$1" <<<"$stderr" || claim_failed "wanted a line like '$1' on standard error"
}

assert() {
  "$@" || { echo "not so: $*" >&2; return 1; }
}

refute() {
  ! "$@" || { echo "should not be so: $*" >&2; return 1; }
}

assert_equal() {
  [ "$1" = "$2" ] || { printf 'wanted the same:\n  %s\n  %s\n' "$1" "$2" >&2; return 1; }
}

# --- the agents in the places where a cluster looks for them ---

# Puts a layer over folders of a node, so that what is written there stays on the node: node_layer [-n NAME] FOLDER...
node_layer() {
  local name=${AGENT_NODE:-node} folder layer
  if [ "$1" = -n ]; then
    name=$2
    shift 2
  fi
  for folder in "$@"; do
    layer=/run/overlay/${folder//\//-}
    node_run -n "$name" mkdir -p "$layer.upper" "$layer.work" &&
      node_run -n "$name" mount -t overlay -o "lowerdir=$folder,upperdir=$layer.upper,workdir=$layer.work" overlay "$folder" || return 1
  done
}

# Copies this build's agents to where Pacemaker, pcs and crmsh find them, on the node only: node_install [NAME]
node_install() {
  local name=${1:-${AGENT_NODE:-node}} agent
  node_layer -n "$name" /usr/lib/ocf/resource.d /usr/sbin || return 1
  node_run -n "$name" mkdir -p /usr/lib/ocf/resource.d/vigil || return 1
  for agent in $(build_agents); do
    node_run -n "$name" install -m 755 "$VIGIL_BUILD/agents/$agent" /usr/lib/ocf/resource.d/vigil/ || return 1
  done
  for agent in $(build_fence_agents); do
    node_run -n "$name" install -m 755 "$VIGIL_BUILD/stonith/$agent" /usr/sbin/ || return 1
  done
}
