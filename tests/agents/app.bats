#!/usr/bin/env bats
# The app agent with applications that behave badly. Every test has a node of its own, and kills nothing that is not on it.
load ../lib/common

fake=/run/programs/fake_service

setup() {
  node_start
  # Other users run them too, and the build tree may lie where those may not go, as in root's home.
  node_run install -D -m 755 -t /run/programs "$VIGIL_BUILD/tests/agents/fake_service" "$VIGIL_BUILD/agents/app"
  namespace=$(stat -L -c %i "/proc/$(node_pid)/ns/pid")
  cgroup_root=/sys/fs/cgroup
  [ -e $cgroup_root/cgroup.procs ] || cgroup_root=/sys/fs/cgroup/unified
  at_end remove_cgroups
}

# What a node that was cut off leaves in the machine's hierarchy.
remove_cgroups() {
  local folder
  for folder in "$cgroup_root"/vigil/app-*."$namespace"; do
    [ ! -d "$folder" ] || rmdir "$folder" || return 1
  done
  rmdir "$cgroup_root/vigil" 2>/dev/null || :
}

teardown() {
  local name
  thaw
  for name in "${!node_init[@]}"; do node_stop "$name"; done
  common_teardown
}

app() { agent app "$@"; }

# The processes of a resource, as this machine numbers them.
members() { cat "$cgroup_root/vigil/app-${1:-test}.$namespace/cgroup.procs" 2>/dev/null; }
member_count() { members "$@" | wc -l; }
has_members() { [ "$(member_count "${2:-test}")" -eq "$1" ]; }
# Processes of the node that run the fake service.
# It is this program by now, not the shell that is to become it.
has_line() { node_run pgrep -f "^([^ ]*/)?fake_service $1" >/dev/null; }
alive() { node_run pgrep -f "fake_servic[e] $1" >/dev/null; }
on_node() { node_run bash -c "$@"; }
says() { [ "$(on_node "$1")" = "$2" ]; }
# A process that a version 1 freezer holds does not end by SIGKILL before it is thawed, like one that a dead disk holds.
freeze() {
  frozen=/proc/$(node_pid)/root/run/freezer/$(unique_name vigil)
  on_node 'mkdir /run/freezer && mount -t cgroup -o freezer freezer /run/freezer' && mkdir "$frozen" &&
    echo "$1" >"$frozen/tasks" && echo FROZEN >"$frozen/freezer.state"
}
thaw() {
  [ -n "${frozen:-}" ] || return 0
  echo THAWED >"$frozen/freezer.state"
  wait_until 20 rmdir "$frozen" 2>/dev/null
  frozen=
}
# No version 2 cgroup can be made.
hide_cgroups() { node_run mount -t tmpfs -o ro tmpfs /sys/fs/cgroup; }
main_pid() { on_node "sed -n 's/^main \([0-9]*\) .*/\1/p' /run/vigil/app/${1:-test}"; }

# --- the usual ways ---

@test "a foreground application: start, monitor, stop, each twice" {
  app monitor start="$fake sleep" @interval=0
  assert_code 7
  app start start="$fake sleep" settle=0.1
  assert_code 0
  assert_no_reason
  app monitor start="$fake sleep"
  assert_code 0
  app start start="$fake sleep" settle=0.1
  assert_code 0
  assert has_members 1
  app stop start="$fake sleep"
  assert_code 0
  app stop start="$fake sleep"
  assert_code 0
  app monitor start="$fake sleep"
  assert_code 7
  refute test -e "$cgroup_root/vigil/app-test.$namespace"
}

@test "a daemon is found without a pidfile, and with one" {
  app start start="$fake daemon" settle=0.1
  assert_code 0
  main=$(main_pid)
  assert [ "$main" -gt 1 ]
  app stop start="$fake daemon"
  assert_code 0
  app start start="$fake daemon /run/fake.pid" pidfile=/run/fake.pid
  assert_code 0
  assert_equal "$(main_pid)" "$(on_node 'cat /run/fake.pid')"
  app stop start="$fake daemon /run/fake.pid" pidfile=/run/fake.pid
  assert_code 0
  refute on_node 'test -e /run/fake.pid'
}

@test "a foreground application that does not know of its pidfile gets one" {
  app start start="$fake sleep" pidfile=/run/fake.pid settle=0.1
  assert_code 0
  assert_equal "$(main_pid)" "$(on_node 'cat /run/fake.pid')"
}

@test "user, group, directory, environment and log file reach the application" {
  on_node 'mkdir /run/work'
  app start shell=yes settle=0.2 user=daemon group=games directory=/run/work environment="A='b c' D=e" logfile=/run/log \
    errlogfile=/run/errors start='id -un; id -gn; pwd; echo "$A$D" >&2; exec sleep 1000'
  assert_code 0
  wait_until 20 says 'cat /run/log' $'daemon\ngames\n/run/work'
  wait_until 20 says 'cat /run/errors' "b ce"
}

@test "a log file behind the user's own symbolic link is not opened as root" {
  on_node "mkdir -p /run/app /run/secret /run/logs; chown daemon /run/app; chmod 700 /run/secret; ln -s /run/secret /run/app/log"
  for parameter in logfile errlogfile; do
    app start user=daemon start="$fake sleep" settle=0.1 "$parameter=/run/app/log/x"
    assert_code 1
    assert_reason "log file '/run/app/log/x' can't be appended to: it is or lies behind a symbolic link"
  done
  assert_equal "$(on_node 'ls /run/secret')" ''
  app start user=daemon start="sh -c 'echo said; exec $fake sleep'" settle=0.1 logfile=/run/app/mine errlogfile=/run/logs/roots
  assert_code 0
  wait_until 20 says 'cat /run/app/mine; stat -c %U /run/app/mine /run/logs/roots' $'said\ndaemon\nroot'
  app stop start=x
  assert_code 0
}

@test "shell metacharacters are not interpreted" {
  app start settle=0.1 logfile=/run/log start="$fake"' sleep ; touch /run/bad $(touch /run/bad) `touch /run/bad` | > /run/bad && touch /run/bad'
  assert_code 0
  refute on_node 'test -e /run/bad'
  assert on_node "tr '\0' ' ' </proc/$(main_pid)/cmdline | grep -qF '; touch /run/bad \$(touch'"
}

@test "the names of the stock agent anything work" {
  local parameters=(binfile="$fake" cmdline_options=sleep workdir=/run pidfile=/run/x.pid logfile=/run/out errlogfile=/run/err
    user=daemon "monitor_hook=test -e /run/well" stop_timeout=1 settle=0.1)
  on_node 'touch /run/well'
  app start "${parameters[@]}"
  assert_code 0
  app monitor "${parameters[@]}"
  assert_code 0
  on_node 'rm /run/well'
  app monitor "${parameters[@]}"
  assert_code 1
  assert_reason 'monitor command failed with exit code 1'
  app stop "${parameters[@]}"
  assert_code 0
  refute on_node 'test -e /run/x.pid'
}

@test "reload runs its command; without one it is not offered" {
  app reload start="$fake sleep" reload='touch /run/reloaded'
  assert_code 0
  assert on_node 'test -e /run/reloaded'
  app reload start="$fake sleep"
  assert_code 3
}

# --- what is not on this node ---

@test "a program that is not here: start 5, probe 7, stop 0" {
  app start start=/run/volume/nothing
  assert_code 5
  assert_reason "program '/run/volume/nothing' is not on this node"
  app monitor start=/run/volume/nothing @interval=0
  assert_code 7
  app stop start=/run/volume/nothing
  assert_code 0
}

@test "a user, group or directory that is not here: start 5, probe 7" {
  for parameter in user=nobodyknows group=nobodyknows directory=/run/nothing; do
    app start start="$fake sleep" "$parameter"
    assert_code 5
    assert_reason "${parameter#*=}'? (is unknown on|does not exist on) this node"
    app monitor start="$fake sleep" "$parameter" @interval=0
    assert_code 7
    app stop start="$fake sleep" "$parameter"
    assert_code 0
  done
}

@test "a program that may not be executed: start 4" {
  on_node 'touch /run/program'
  app start start=/run/program
  assert_code 4
}

@test "a log file that can't be opened is named" {
  app start start="$fake sleep" logfile=/run/nothing/log
  assert_code 1
  assert_reason "log file '/run/nothing/log' can't be appended to"
  on_node 'ln -s /etc/passwd /run/log'
  app start start="$fake sleep" logfile=/run/log
  assert_code 1
  assert_reason "log file '/run/log' can't be appended to"
  refute alive sleep
}

@test "a log file, a pidfile or a folder that hangs: the action ends by its deadline" {
  # Opening a FIFO that nobody else opens waits for ever, as on a dead server.
  on_node 'mkfifo /run/fifo'
  before=$EPOCHSECONDS
  app start start="$fake sleep" logfile=/run/fifo @timeout=4000
  assert_code 1
  assert_reason .
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  refute alive sleep
  app start start="$fake sleep" settle=0.1
  on_node "pkill -KILL -f 'fake_servic[e] sleep'"
  wait_until 20 refute alive sleep
  before=$EPOCHSECONDS
  app monitor start="$fake sleep" pidfile=/run/fifo
  assert_code 7
  app stop start="$fake sleep" pidfile=/run/fifo
  assert_code 0
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  before=$EPOCHSECONDS
  app start start="$fake daemon" pidfile=/run/fifo @timeout=5000
  assert_code 1
  assert_reason 'pidfile names no process of it'
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  refute alive daemon
}

@test "what systemd gave to Pacemaker's service does not reach the application" {
  app start shell=yes settle=0.2 start='env >/run/env; umask >>/run/env; exec sleep 1000' @NOTIFY_SOCKET=/run/x @LISTEN_FDS=1
  assert_code 0
  wait_until 20 on_node 'tail -n 1 /run/env | grep -qx 0022'
  refute on_node 'grep -E "NOTIFY|LISTEN" /run/env'
}

# --- identity ---

@test "a pid that was given to another process is not the application, and is not killed" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  node_spawn "$fake" respawn
  wait_until 20 alive respawn
  other=$(on_node "pgrep -of 'fake_servic[e] respawn'")
  # As if the main process had ended and its number had been given away.
  on_node "pkill -KILL -f 'fake_servic[e] sleep'; sed -i 's/^main [0-9]*/main $other/; s/^session [0-9]*/session $other/' /run/vigil/app/test"
  wait_until 20 has_members 0
  app monitor start="$fake sleep"
  assert_code 7
  app stop start="$fake sleep"
  assert_code 0
  assert alive respawn
}

@test "the same without cgroups" {
  hide_cgroups
  app start start="$fake sleep" settle=0.1
  assert_code 0
  node_spawn setsid "$fake" respawn
  wait_until 20 alive respawn
  other=$(on_node "pgrep -of 'fake_servic[e] respawn'")
  on_node "pkill -KILL -f 'fake_servic[e] sleep'; sed -i 's/^main [0-9]*/main $other/; s/^session [0-9]*/session $other/' /run/vigil/app/test"
  wait_until 20 refute alive sleep
  app monitor start="$fake sleep"
  assert_code 7
  app stop start="$fake sleep"
  assert_code 0
  assert alive respawn
}

# What pam_systemd does to whatever goes through su, runuser or a login.
leave_cgroup="echo 0 > \$(ls -d /sys/fs/cgroup/unified 2>/dev/null || echo /sys/fs/cgroup)/cgroup.procs"

@test "an application that left its cgroup is ended by a stop, not called stopped" {
  app start start="sh -c '$leave_cgroup; exec $fake sleep'" settle=0.2
  assert_code 0
  wait_until 20 has_members 0
  wait_until 20 has_line sleep
  app monitor start=x
  assert_code 0
  app stop start=x
  assert_code 0
  refute alive sleep
}

@test "a child that left the cgroup outlives its main process: a failure, and ended by a stop" {
  app start settle=0.2 shell=yes start="( $leave_cgroup; exec setsid $fake stubborn ) & exec $fake sleep"
  assert_code 0
  wait_until 20 has_line stubborn
  wait_until 20 has_line sleep
  wait_until 20 has_members 1
  on_node "kill -KILL $(main_pid)"
  wait_until 20 refute alive sleep
  app monitor start=x
  assert_code 1
  app stop start=x @timeout=4000
  assert_code 0
  refute alive stubborn
}

@test "a daemon that left cgroup, session and environment, and named itself in its pidfile" {
  app start shell=yes type=daemon pidfile=/run/it.pid \
    start="sleep 0.1; env -i setsid sh -c '$leave_cgroup; $fake sleep & echo \$! > /run/it.pid'"
  assert_code 0
  assert has_members 0
  app stop start=x
  assert_code 0
  refute alive sleep
}

@test "a stop that cannot see processes fails" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  node_run mount -t tmpfs -o ro tmpfs /proc
  app stop start=x @timeout=3000
  node_run umount /proc
  assert_code 1
  assert alive sleep
}

@test "a stale pidfile that names a foreign process: not running, not taken for started, not killed" {
  node_spawn "$fake" respawn
  wait_until 20 alive respawn
  on_node "pgrep -of 'fake_servic[e] respawn' >/run/fake.pid"
  local parameters=(start="$fake daemon /run/fake.pid" pidfile=/run/fake.pid)
  app monitor "${parameters[@]}"
  assert_code 7
  app stop "${parameters[@]}"
  assert_code 0
  assert alive respawn
  assert on_node 'test -e /run/fake.pid'
  app start "${parameters[@]}"
  assert_code 0
  assert on_node "grep -q daemon /proc/$(main_pid)/cmdline"
  app stop "${parameters[@]}"
  assert_code 0
  assert alive respawn
}

@test "the main process gone, others left: 1; all gone: 7" {
  app start start="$fake escape" settle=0.2
  assert_code 0
  wait_until 20 has_line stubborn
  wait_until 20 has_members 2
  on_node "pkill -KILL -f 'fake_servic[e] escape'"
  wait_until 20 has_members 1
  app monitor start="$fake escape"
  assert_code 1
  assert_reason 'test has lost its main process'
  on_node "pkill -KILL -f 'fake_servic[e] stubborn'"
  wait_until 20 has_members 0
  app monitor start="$fake escape"
  assert_code 7
}

@test "a child that left session, folder and environment is found through the cgroup and ended" {
  app start start="$fake escape" settle=0.2
  assert_code 0
  wait_until 20 has_line stubborn
  app stop start="$fake escape" @timeout=4000
  assert_code 0
  refute alive stubborn
  refute alive escape
}

@test "without cgroups a child that left the session is found by its mark" {
  hide_cgroups
  app start shell=yes settle=0.2 start="setsid sh -c '$fake stubborn & $fake stubborn & wait' & exec $fake sleep"
  assert_code 0
  wait_until 20 says "pgrep -fc 'fake_servic[e] stubborn'" 3
  app stop start=x @timeout=4000
  assert_code 0
  refute alive stubborn
}

@test "two nodes that share the hierarchy do not see each other's application" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  node_start second
  AGENT_NODE=second
  app monitor start="$fake sleep" @interval=0
  assert_code 7
  app stop start="$fake sleep"
  assert_code 0
  AGENT_NODE=node
  app monitor start="$fake sleep"
  assert_code 0
}

# --- starts that fail ---

@test "an application that dies at once: reason, nothing left" {
  app start start='false' @timeout=5000
  assert_code 1
  assert_reason 'ended with exit code 1 before test was ready'
  app start start='true' @timeout=5000
  assert_code 1
  assert_reason 'no process is left of it'
  app start start='true' type=foreground @timeout=5000
  assert_code 1
  assert_reason 'exit code 0 .* set type=daemon'
  app start start="sh -c 'kill -SEGV \$\$'" @timeout=5000
  assert_code 1
  assert_reason 'ended with signal 11'
  app monitor start=x
  assert_code 7
}

@test "an application that never becomes ready: fails by the deadline with the probe's reason, nothing left" {
  before=$EPOCHSECONDS
  app start start="$fake escape" probe=tcp://127.0.0.1:7777 @timeout=4000
  assert_code 1
  assert_reason 'test was not ready within .*: tcp probe of 127.0.0.1 port 7777: connection refused'
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  refute alive escape
  refute alive stubborn
  refute test -e "$cgroup_root/vigil/app-test.$namespace"
  app monitor start=x
  assert_code 7
}

@test "an application that accepts and never answers: timed out says the reason" {
  app start start="$fake serve 7777 hang" probe='smtp://127.0.0.1:7777#timeout=0.5' @timeout=4000
  assert_code 1
  assert_reason 'smtp probe of 127.0.0.1 port 7777: timed out, no answer within'
  refute alive serve
}

@test "start waits until the probe answers" {
  app start start="$fake late 1500 7777 smtp" probe=smtp://127.0.0.1:7777 type=foreground
  assert_code 0
  app monitor start="$fake late 1500 7777 smtp" probe=smtp://127.0.0.1:7777 @depth=10
  assert_code 0
}

@test "the state folder cannot be written: start fails and starts nothing; probe 7; stop 0" {
  on_node 'mkdir /run/vigil; mount -t tmpfs -o ro tmpfs /run/vigil'
  app start start="$fake sleep" settle=0.1
  assert_code 1
  assert_reason 'record'
  refute alive sleep
  app monitor start="$fake sleep" @interval=0
  assert_code 7
  app stop start="$fake sleep"
  assert_code 0
}

@test "the disk of the record is full: start fails before anything runs" {
  on_node 'mkdir -p /run/vigil; mount -t tmpfs -o size=64k tmpfs /run/vigil; mkdir /run/vigil/app; cat /dev/zero >/run/vigil/full 2>/dev/null; :'
  app start start="sh -c 'touch /run/ran; exec $fake sleep'" settle=0.1
  assert_code 1
  assert_reason "can't (write|lock) /run/vigil"
  refute on_node 'test -e /run/ran'
  refute alive sleep
  app stop start="$fake sleep"
  assert_code 0
}

@test "a full process table: start fails and says so; stop works" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  on_node 'chmod 777 /run/vigil/app'
  # Limits count per user and do not bind root: so the whole is called as another user.
  capture_on_node setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=0 env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=other \
    OCF_RESKEY_start="$fake sleep" OCF_RESKEY_CRM_meta_timeout=3000 /run/programs/app start
  assert_code 1
  assert_reason 'the process table is full'
  app stop start="$fake sleep"
  assert_code 0
}

# --- stops ---

@test "an application that ignores every signal is killed in time" {
  app start start="$fake stubborn" settle=0.1
  assert_code 0
  before=$EPOCHSECONDS
  app stop start="$fake stubborn" @timeout=4000
  assert_code 0
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  refute alive stubborn
}

@test "a process that can't be killed: stop fails by the deadline and names it; then it succeeds" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  freeze "$(members)"
  before=$EPOCHSECONDS
  app stop start="$fake sleep" @timeout=4000
  assert_code 1
  assert_reason 'after SIGKILL these processes are left: [0-9]+ \(state [A-Z]\)'
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
  app monitor start="$fake sleep"
  assert_code 0
  thaw
  app stop start="$fake sleep"
  assert_code 0
  refute alive sleep
}

@test "stop_timeout bounds the gentle step" {
  app start start="$fake stubborn" settle=0.1
  before=$EPOCHSECONDS
  app stop start="$fake stubborn" stop_timeout=0.5 @timeout=100000
  assert_code 0
  assert [ $((EPOCHSECONDS - before)) -le 20 ]
}

@test "a stop command that hangs, fails or is missing does not keep the application alive" {
  for command in 'sleep 1000' false /run/nothing; do
    app start start="$fake sleep" settle=0.1
    assert_code 0
    app stop start="$fake sleep" stop="$command" @timeout=4000
    assert_code 0
    refute alive sleep
  done
}

@test "the stop command's way is tried first" {
  app start start="$fake sleep" settle=0.1 stop_signal=KILL
  app stop start="$fake sleep" stop="sh -c 'touch /run/asked; pkill -f \"fake_servic[e] sleep\"'"
  assert_code 0
  assert on_node 'test -e /run/asked'
}

@test "children that are forked anew as fast as they die are all ended" {
  app start start="$fake respawn" settle=0.3
  assert_code 0
  app stop start="$fake respawn" @timeout=4000
  assert_code 0
  refute alive respawn
}

@test "without cgroups they are all ended, too" {
  hide_cgroups
  app start start="$fake respawn" settle=0.3
  assert_code 0
  app stop start="$fake respawn" @timeout=6000
  assert_code 0
  refute alive respawn
}

# --- interrupted and doubled actions ---

@test "a caller that ignores the end of its children" {
  AGENT_WRAPPER=(perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV or die')
  app start start="$fake sleep" monitor=/bin/true settle=0.1
  assert_code 0
  app monitor start=x monitor=/bin/false
  assert_code 1
  assert_reason 'the monitor command failed with exit code 1'
  app stop start=x stop=/bin/true
  assert_code 0
  refute alive sleep
}

# /dev/log on the node, with somebody who has it and never reads.
deaf_log() {
  node_run bash -c 'mkdir /run/dev && mount -t tmpfs tmpfs /run/dev && cp -a /dev/{null,zero,urandom,random,full} /run/dev && mount --bind /run/dev /dev'
  node_spawn perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, pack_sockaddr_un("/dev/log")) or die; sleep 1000'
  wait_until 20 node_run test -S /dev/log
  node_run timeout -s KILL 20 perl -MSocket -MFcntl -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); connect($s, pack_sockaddr_un("/dev/log"));
    fcntl($s, F_SETFL, O_NONBLOCK); 1 while send($s, "x", 0)'
}

@test "a journal that hangs holds nobody" {
  app start start="$fake sleep" settle=0.1
  assert_code 0
  deaf_log
  AGENT_WRAPPER=(timeout -s KILL 60)
  app monitor start=x monitor=/bin/false
  assert_code 1
  assert_reason 'the monitor command failed'
  app stop start=x
  assert_code 0
  refute alive sleep
}

@test "a log that hangs ends the action before its time-out, with a reason" {
  # A pipe that is full and held open takes nothing more.
  node_run mkfifo /run/log.fifo
  node_spawn perl -MFcntl -e 'sysopen(my $p, "/run/log.fifo", O_RDWR | O_NONBLOCK) or die; 1 while syswrite($p, "x" x 4096); 1 while syswrite($p, "x");
    mkdir "/run/full"; sleep 1000'
  wait_until 20 node_run test -d /run/full
  AGENT_WRAPPER=(timeout -s KILL 60)
  app start start="$fake sleep" settle=0.1 bogus=1 @timeout=2000 @PCMK_logfile=/run/log.fifo
  assert_code 1
  assert_reason 'start of test hung until its time-out'
  app stop start=x
  assert_code 0
}

@test "a long reason is not cut within a character" {
  local pad text
  for pad in '' x xx xxx; do
    app start start=/bin/true directory="/$pad$(printf '\360\237\230\200%.0s' {1..60})"
    assert_code 5
    text=$(exit_reasons)
    text=${text#ocf-exit-reason:}
    head -c 128 <<<"$text" | iconv -f UTF-8 -t UTF-8 >/dev/null
    iconv -f UTF-8 -t UTF-8 <<<"$text" >/dev/null
  done
}

@test "two starts at once start it once" {
  for _ in 1 2 3; do
    node_spawn env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_start="$fake sleep" OCF_RESKEY_settle=0.3 "$VIGIL_BUILD/agents/app" start
    pids+=("$spawned")
  done
  for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    assert_equal "$code" 0
  done
  assert has_members 1
}

@test "a start that is killed at any moment: the next start runs it once, a stop leaves nothing" {
  for delay in 0 0.001 0.002 0.004 0.01 0.1 0.5; do
    for next in start stop; do
      AGENT_WRAPPER=(timeout -s KILL "$delay")
      [ "$delay" != 0 ] || AGENT_WRAPPER=(timeout -s KILL 0.0001)
      app start start="$fake escape" settle=0.4
      AGENT_WRAPPER=()
      app "$next" start="$fake escape" settle=0.1 stop_timeout=0.5 @timeout=6000
      assert_code 0
      if [ "$next" = start ]; then wait_until 20 has_members 2; else assert has_members 0; fi
      app stop start="$fake escape" stop_timeout=0.5 @timeout=6000
      assert_code 0
      assert has_members 0
      refute alive stubborn
    done
  done
}

# A log file that cannot be opened holds the new process where neither cgroup nor environment tell of it yet: a pipe without a reader.
@test "a start that is killed before its command runs: the command never runs" {
  on_node 'mkfifo -m 600 /run/log'
  node_spawn env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_CRM_meta_timeout=100000 OCF_RESKEY_start="$fake sleep" OCF_RESKEY_logfile=/run/log \
    "$VIGIL_BUILD/agents/app" start
  wait_until 20 says 'pgrep -c -x app' 2
  on_node 'kill -KILL $(pgrep -o -x app)'
  wait "$spawned" || :
  wait_until 20 says 'pgrep -c -x app' 0
  app stop start="$fake sleep"
  assert_code 0
  on_node 'timeout 1 cat /run/log || :'
  refute alive sleep
}

@test "a start that was cut off is a failure to a monitor, not running and not absent" {
  node_spawn env -i PATH="$PATH" OCF_RESOURCE_INSTANCE=test OCF_RESKEY_CRM_meta_timeout=100000 OCF_RESKEY_start="$fake sleep" OCF_RESKEY_settle=90 \
    "$VIGIL_BUILD/agents/app" start
  wait_until 20 has_line sleep
  node_run pkill -KILL -x app
  wait "$spawned" || :
  assert has_members 1
  app monitor start="$fake sleep" @interval=0
  assert_code 1
}

@test "a stop that is killed at any moment: the next stop succeeds" {
  for delay in 0.0005 0.002 0.01 0.2 1.2; do
    app start start="$fake escape" settle=0.1 @timeout=6000
    assert_code 0
    AGENT_WRAPPER=(timeout -s KILL "$delay")
    app stop start="$fake escape" @timeout=2000
    AGENT_WRAPPER=()
    app stop start="$fake escape" stop_timeout=0.5 @timeout=4000
    assert_code 0
    assert has_members 0
  done
}

@test "a record that was torn: what lives is found and ended" {
  app start start="$fake sleep" settle=0.1
  on_node 'head -c 30 /run/vigil/app/test >/run/half; cat /run/half >/run/vigil/app/test'
  app monitor start="$fake sleep"
  assert_code 1
  app stop start="$fake sleep"
  assert_code 0
  refute alive sleep
}

@test "a lost record: what lives is still found" {
  app start start="$fake sleep" settle=0.1
  on_node 'rm -r /run/vigil'
  app monitor start="$fake sleep" @interval=0
  assert_code 1
  app stop start="$fake sleep"
  assert_code 0
  refute alive sleep
}

# --- probes in monitors ---

@test "a probe that fails counts to the threshold, and a good one resets the count" {
  local parameters=(start="$fake serve 7777 hang" probe=tcp://127.0.0.1:7777 failures=3)
  app start "${parameters[@]}"
  assert_code 0
  parameters[1]='probe=redis://127.0.0.1:7777#timeout=0.1'
  app monitor "${parameters[@]}" @depth=10
  assert_code 190
  app monitor "${parameters[@]}" @depth=10
  assert_code 190
  parameters[1]=probe=tcp://127.0.0.1:7777
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  parameters[1]='probe=redis://127.0.0.1:7777#timeout=0.1'
  app monitor "${parameters[@]}" @depth=10
  app monitor "${parameters[@]}" @depth=10
  assert_code 190
  app monitor "${parameters[@]}" @depth=10
  assert_code 1
  assert_reason '3 times in a row'
}

@test "a light probe that answers does not hide a deep one that fails" {
  local parameters=(start="$fake serve 7777 hang" probe=tcp://127.0.0.1:7777 failures=2 type=foreground)
  app start "${parameters[@]}"
  assert_code 0
  parameters+=('deep_probe=redis://127.0.0.1:7777#timeout=0.1')
  app monitor "${parameters[@]}" @depth=20
  assert_code 190
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  app monitor "${parameters[@]}" @depth=20
  assert_code 1
  app stop "${parameters[@]}"
  assert_code 0
  refute on_node 'ls /run/vigil/app/*failures*'
}

@test "a monitor of depth 0 asks no probe, of 10 not the deep one, another depth is refused" {
  local parameters=(start="$fake sleep" settle=0.1)
  app start "${parameters[@]}"
  parameters+=("probe=exec:'touch /run/light'" "deep_probe=exec:'touch /run/deep'")
  app monitor "${parameters[@]}"
  assert_code 0
  refute on_node 'test -e /run/light'
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  assert on_node 'test -e /run/light'
  refute on_node 'test -e /run/deep'
  app monitor "${parameters[@]}" @depth=20
  assert_code 0
  assert on_node 'test -e /run/deep'
  app monitor "${parameters[@]}" @depth=15
  assert_code 6
}

@test "line protocols: a good service, a busy one, one that hangs behind its greeting, one that closes" {
  for protocol in smtp imap pop3 redis; do
    for service in "$protocol" "busy-$protocol" close hang deaf; do
      app start start="$fake serve 7777 $service" probe=tcp://127.0.0.1:7777 type=foreground
      assert_code 0
      # Little only for what never answers.
      case $service in hang | deaf) timeout=0.3 ;; *) timeout=10 ;; esac
      app monitor start=x "probe=$protocol://127.0.0.1:7777#timeout=$timeout" @depth=10
      case $service in
        "$protocol") assert_code 0 ;;
        busy-*) assert_code 1; assert_reason "$protocol probe of .* the service answered" ;;
        close) assert_code 1; assert_reason "the connection (was closed|broke)" ;;
        *) assert_code 1; assert_reason "timed out" ;;
      esac
      app stop start=x
      assert_code 0
    done
  done
  app start start="$fake serve 7777 greet" probe=tcp://127.0.0.1:7777 type=foreground
  app monitor start=x 'probe=smtp://127.0.0.1:7777#timeout=0.3' @depth=10
  assert_code 1
  assert_reason "timed out"
  app monitor start=x 'probe=imap://127.0.0.1:7777#timeout=10' @depth=10
  assert_code 1
  assert_reason "not the protocol: '220 ready'"
}

@test "http: status, text across chunks" {
  app start start="$fake serve 7777 http" probe=http://127.0.0.1:7777/ type=foreground
  assert_code 0
  app monitor start=x 'probe=http://127.0.0.1:7777/x?a=b#text=all%20is%20well' @depth=10
  assert_code 1 # the body of this one holds a line end in its middle
  app monitor start=x 'probe=http://127.0.0.1:7777/x?a=b#text=l%20is%20well' @depth=10
  assert_code 0
  app monitor start=x 'probe=http://127.0.0.1:7777/#status=201-299' @depth=10
  assert_code 1
  assert_reason 'answered with status 200'
}

@test "process: and exec: probes" {
  app start start="$fake sleep" settle=0.1
  app monitor start=x probe=process:fake_service @depth=10
  assert_code 0
  app monitor start=x probe=process:other @depth=10
  assert_code 1
  app monitor start=x "probe=exec:'sh -c \"echo no; exit 3\"'" @depth=10
  assert_code 1
  assert_reason "exec probe .*exit code 3, it said: no"
  app monitor start=x "probe=exec:'sleep 100'" probe_timeout=0.3 @depth=10
  assert_code 1
  assert_reason "timed out"
  app monitor start=x "probe=exec:/run/nothing" @depth=10
  assert_code 1
}

@test "an application that is frozen passes the process check and fails its probe" {
  app start start="$fake serve 7777 redis" probe=redis://127.0.0.1:7777 type=foreground
  on_node "pkill -STOP -f 'fake_servic[e]'"
  app monitor start=x
  assert_code 0
  app monitor start=x 'probe=redis://127.0.0.1:7777#timeout=0.3' @depth=10
  assert_code 1
  assert_reason "timed out"
  app stop start=x @timeout=4000
  assert_code 0
  refute alive serve
}
