#!/usr/bin/env bats
# Wrong input to every agent, made from the agent's own table of parameters: a clear reason, the right code, and nothing changed on
# the node. A new agent is tested without a line here, unless it has required parameters (see `needed`).
load ../lib/common

setup() {
  node_start
  node_run ip link add eth0 type veth peer name eth1
  # No addresses that the kernel makes in its own time.
  node_run ip link set eth0 addrgenmode none
  node_run ip link set eth1 addrgenmode none up
  node_run ip link set eth0 up
  # Nor the kernel's own routes, which come with the carrier.
  wait_until 30 link_is_up eth0
  wait_until 30 link_is_up eth1
  node_run ip address add 192.0.2.1/24 dev eth0
  marker=$BATS_TEST_TMPDIR/executed
}

link_is_up() { node_run ip link show "$1" | grep -q 'state UP'; }

# What a call needs beside the parameter under test.
needed() {
  case $1 in
    vip) echo "ip=192.0.2.10 nic=eth0" ;;
    san-volume) echo "device=/dev/vigil-no-such-device directory=/run/no-such-folder" ;;
    app) echo "start=/bin/true" ;;
    cloud-disk) echo "cloud=aws region=us-east-1 volume=vol-0123456789abcdef0" ;;
    cloud-vip) echo "cloud=aws region=us-east-1 address=192.0.2.10" ;;
    cloud-lb) echo "cloud=aws region=us-east-1 groups=web" ;;
  esac
}

# "NAME TYPE" of each parameter, as the agent's help says.
parameters() {
  env -i "$VIGIL_BUILD/agents/$1" --help | sed -nE 's/^  (-., )?([A-Za-z0-9_-]+) \(([a-z]+)[,)].*/\2 \3/p'
}

# Values that are wrong for every parameter of a type, one a line (as $'...' would be written).
wrong_values() {
  case $1 in
    integer) printf '%s\n' x 1x 1.5 ' 1' 0x10 1e3 99999999999999999999 -99999999999999999999 1\;id '１' ;;
    boolean) printf '%s\n' maybe 2 tru yess ' true' true\;id ;;
    duration) printf '%s\n' x -1 1x 1,5 '1 2' 99999999999999999999d s 1s\;id ;;
    size) printf '%s\n' x -1 1.5G 1X 99999999999999999999 1K\;id ;;
    choice) printf '%s\n' no-such-choice 'a b' "\$(id)" ;;
    path) printf '%s\n' relative ./here '~' "\$HOME" ;;
  esac
  # For every type: no text of ours holds control characters or anything but UTF-8.
  printf '%b\n' 'a\001b' 'a\033[2Jb' 'a\rb' '\0377\0376' '\0303(' '\0300\0257' '\0355\0240\0200'
}

# All that an agent could change: addresses, links, routes, mounts, processes, state files (not the locks of looks at devices).
node_state() {
  node_run sh -c 'ip -o address; ip -o link; ip route show table all; ip -6 route show table all; cat /proc/self/mounts
    ps -e -o pid,args | grep -vE " \\[?(ps|sh|grep|sort)\\>"; find /run -type f | grep -vE "^/run/(overlay|vigil/child)/" | sort' |
    sed -E 's/valid_lft [0-9]+|preferred_lft [0-9]+|expires [0-9]+sec//g' | grep -vE 'ps -e -o|sh -c ip -o'
  find "$BATS_TEST_TMPDIR" -name executed
}

# What it needs beside that parameter, as words in $others.
others_of() {
  mapfile -t others < <(needed "$1" | tr ' ' '\n' | grep -v "^$2=")
}

# refused NAME ACTION PARAMETER VALUE: by code 6, with one reason that names the parameter.
refused() {
  local name=$1 action=$2 parameter=$3 value=$4
  agent "$name" "$action" "${others[@]}" "$parameter=$value"
  assert_code 6 || { echo "$name $action with $parameter=$(printf %q "$value")"; return 1; }
  assert_reason "parameter $parameter|^ocf-exit-reason:.*\<$parameter\>" || {
    echo "$name $action with $parameter=$(printf %q "$value")"
    return 1
  }
  # A reason is one line that a terminal can show.
  refute grep -aqP '[\x00-\x08\x0a-\x1f\x7f]' <<<"${stderr//$'\n'/}"
  iconv -f UTF-8 -t UTF-8 <<<"$stderr" >/dev/null
}

@test "every value that its type forbids is refused by name, and nothing is changed" {
  local others name parameter type value before count=0
  for name in $(build_agents); do
    before=$(node_state)
    while read -r parameter type; do
      others_of "$name" "$parameter"
      while IFS= read -r value; do
        refused "$name" start "$parameter" "$value"
        count=$((count + 1))
      done < <(wrong_values "$type")
    done < <(parameters "$name")
    diff <(echo "$before") <(node_state)
  done
  echo "# $count values"
  assert [ "$count" -gt 100 ]
}

@test "every action refuses them alike" {
  local others name parameter type action value before
  for name in $(build_agents); do
    before=$(node_state)
    while read -r parameter type; do
      others_of "$name" "$parameter"
      value=$(wrong_values "$type" | head -n 1)
      for action in stop monitor validate-all; do
        refused "$name" "$action" "$parameter" "$value"
      done
    done < <(parameters "$name")
    diff <(echo "$before") <(node_state)
  done
}

@test "a value that is too long is refused" {
  local others name parameter type value before
  value=/$(head -c 9000 /dev/zero | tr '\0' x)
  for name in $(build_agents); do
    before=$(node_state)
    while read -r parameter type; do
      others_of "$name" "$parameter"
      refused "$name" start "$parameter" "$value"
      # The reason shows the beginning only.
      assert [ ${#stderr} -lt 2000 ]
    done < <(parameters "$name")
    diff <(echo "$before") <(node_state)
  done
}

@test "shell metacharacters are bytes like others" {
  local others name parameter type value before
  for name in $(build_agents); do
    before=$(node_state)
    while read -r parameter type; do
      others_of "$name" "$parameter"
      for value in "\$(touch $marker)" "\`touch $marker\`" "; touch $marker;" "| touch $marker" "x && touch $marker" \
        "' ; touch $marker ; '" "\" ; touch $marker ; \"" "-h" "--help" "%s%n%s%n" "../../etc/passwd" "*"; do
        agent "$name" validate-all "${others[@]}" "$parameter=$value"
        case $status in
          0 | 1 | 5 | 6) ;;
          *) claim_failed "$name validate-all with $parameter=$value" ;;
        esac
        [ "$status" = 0 ] || assert_reason .
      done
    done < <(parameters "$name")
    diff <(echo "$before") <(node_state)
  done
  refute test -e "$marker"
}

@test "a required parameter that is missing, or empty, is named" {
  local name parameter before value action
  for name in $(build_agents); do
    before=$(node_state)
    for parameter in $(env -i "$VIGIL_BUILD/agents/$name" --help | sed -nE 's/^  ([A-Za-z0-9_-]+) \(.*\<required\>.*/\1/p'); do
      for action in start stop monitor validate-all; do
        # shellcheck disable=SC2046 # words
        agent "$name" "$action" $(needed "$name" | tr ' ' '\n' | grep -v "^$parameter=")
        assert_code 6
        assert_reason "parameter $parameter is required"
        # shellcheck disable=SC2046 # words
        agent "$name" "$action" $(needed "$name" | tr ' ' '\n' | grep -v "^$parameter=") "$parameter="
        assert_code 6
        assert_reason "parameter $parameter is required"
      done
    done
    diff <(echo "$before") <(node_state)
  done
}

@test "no environment at all" {
  local name action before
  for name in $(build_agents); do
    before=$(node_state)
    for action in start stop monitor validate-all; do
      capture_on_node env -i "$VIGIL_BUILD/agents/$name" "$action"
      assert_code 6
      assert_reason .
    done
    capture_on_node env -i "$VIGIL_BUILD/agents/$name" meta-data
    assert_code 0
    diff <(echo "$before") <(node_state)
  done
}

@test "closed standard streams" {
  local name code
  for name in $(build_agents); do
    code=0
    node_run bash -c 'exec env -i "$1" start <&- >&- 2>&-' bash "$VIGIL_BUILD/agents/$name" || code=$?
    assert_equal "$code" 6
    code=0
    # Metadata that could not be written must not look like success.
    node_run bash -c '"$1" meta-data >/dev/full' bash "$VIGIL_BUILD/agents/$name" || code=$?
    assert_equal "$code" 1
  done
}

@test "unknown actions, none, and words that are none" {
  local name action before
  for name in $(build_agents); do
    before=$(node_state)
    for action in no-such-action START 'start ' promote '' $'\xff\xfe' '../start' "$(head -c 5000 /dev/zero | tr '\0' x)"; do
      # shellcheck disable=SC2046 # words
      agent "$name" "$action" $(needed "$name")
      assert_code 3
      assert_reason 'no action'
    done
    capture_on_node env -i "$VIGIL_BUILD/agents/$name"
    assert_code 2
    assert_reason 'usage'
    capture_on_node env -i "$VIGIL_BUILD/agents/$name" start word
    assert_code 2
    assert_reason 'usage'
    diff <(echo "$before") <(node_state)
  done
}

@test "what Pacemaker passes can be wrong as well" {
  local name before
  for name in $(build_agents); do
    before=$(node_state)
    # shellcheck disable=SC2046 # words
    agent "$name" monitor $(needed "$name") @depth=x
    assert_code 6
    assert_reason 'OCF_CHECK_LEVEL'
    # shellcheck disable=SC2046 # words
    agent "$name" monitor $(needed "$name") @depth=77
    assert_code 6
    assert_reason 'OCF_CHECK_LEVEL'
    # An instance's name becomes part of file names.
    # shellcheck disable=SC2046 # words
    agent "$name" monitor $(needed "$name") @interval=0 @instance=../../../etc/x
    # What a cloud's API alone could tell is not known here, and not known is never "not running".
    case $name:$status in *:5 | *:7 | cloud-*:1) ;; *) claim_failed "a probe with a strange instance" ;; esac
    # shellcheck disable=SC2046 # words
    agent "$name" monitor $(needed "$name") @interval=0 @instance="$(head -c 3000 /dev/zero | tr '\0' x)"
    case $status in 1 | 5 | 7) ;; *) claim_failed "a probe with a long instance" ;; esac
    # shellcheck disable=SC2046 # words
    agent "$name" monitor $(needed "$name") @interval=0 @timeout=x
    case $name:$status in *:5 | *:7 | cloud-*:1) ;; *) claim_failed "a probe with a strange time-out" ;; esac
    diff <(echo "$before") <(node_state)
  done
}

@test "a full process table fails with its reason, and does not look stopped" {
  local name code
  for name in $(build_agents); do
    # The build tree may lie where another user may not go, as in root's home.
    node_run install -D -m 755 -t /run/programs "$VIGIL_BUILD/agents/$name"
    for action in start monitor stop; do
      # The limit does not bind root; the agent, without its privileges, finds it full. So would a sanitizer's leak checker.
      # shellcheck disable=SC2046 # words
      capture_on_node env -i ASAN_OPTIONS=detect_leaks=0 OCF_RESKEY_CRM_meta_interval=10000 \
        $(needed "$name" | sed -E 's/(^| )/ OCF_RESKEY_/g') setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=1 "/run/programs/$name" "$action"
      case $status in
        0) [ "$action" = stop ] || claim_failed "$name $action succeeded without a process or a privilege" ;;
        *) assert_reason . ;;
      esac
    done
  done
}

# --- fence agents: exit code 1 and a sentence on standard error, and no device is touched ---

fence_parameters() {
  env -i "$VIGIL_BUILD/stonith/$1" --help | sed -nE 's/^  (-., )?([A-Za-z0-9_-]+) \(([a-z]+)[,)].*/\2 \3/p'
}

@test "fence agents refuse every value that its type forbids" {
  local name parameter type value before count=0
  for name in $(build_fence_agents); do
    before=$(node_state)
    while read -r parameter type; do
      while IFS= read -r value; do
        # Blanks around a value are none of it on standard input.
        case $value in ' '* | *' ' | *$'\r'*) continue ;; esac
        # Which action it is stands in no table.
        [ "$parameter" != action ] || continue
        fence "$name" action=off plug=n1 ip=127.0.0.1 "$parameter=$value"
        assert_code 1 || { echo "$name with $parameter=$(printf %q "$value")"; return 1; }
        assert_error_has "\<$parameter\>" || { echo "$name with $parameter=$(printf %q "$value")"; return 1; }
        refute grep -aqP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$stderr"
        count=$((count + 1))
      done < <(wrong_values "$type")
    done < <(fence_parameters "$name")
    diff <(echo "$before") <(node_state)
  done
  assert [ "$count" -gt 50 ]
}

@test "fence agents: unknown actions, nothing, garbage" {
  local name action before
  for name in $(build_fence_agents); do
    before=$(node_state)
    for action in no-such-action OFF 'off;id' "$(head -c 5000 /dev/zero | tr '\0' x)"; do
      fence "$name" "action=$action" plug=n1 ip=127.0.0.1
      assert_code 1
      assert_error_has 'action'
    done
    fence "$name"
    assert_code 1
    assert_error_has .
    fence "$name" "$(head -c 20000 /dev/urandom | tr -d '\0')"
    assert_code 1
    # More than an agent would ever be told.
    fence "$name" "ip=$(head -c 100000 /dev/zero | tr '\0' x)"
    assert_code 1
    assert_error_has .
    capture_on_node "$VIGIL_BUILD/stonith/$name" --no-such-option
    assert_code 1
    assert_error_has 'unknown option'
    capture_on_node "$VIGIL_BUILD/stonith/$name" off
    assert_code 1
    assert_error_has .
    diff <(echo "$before") <(node_state)
  done
}

@test "fence agents: a secret is neither taken from the command line nor shown" {
  local name parameter
  for name in $(build_fence_agents); do
    for parameter in $(fence_parameters "$name" | awk '$1 == "password" || $1 == "passwd" { print $1 }'); do
      fence_argv "$name" --action=status --ip=127.0.0.1 "--$parameter=TopSecret$$"
      assert_code 1
      refute grep -q "TopSecret$$" <<<"$output$stderr"
      fence "$name" action=status ip=127.0.0.1 login_timeout=100ms verbose=1 "$parameter=TopSecret$$"$'\x01'
      assert_code 1
      refute grep -q "TopSecret$$" <<<"$output$stderr"
    done
  done
}
