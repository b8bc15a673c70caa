#!/usr/bin/env bats
# The vip agent on a node of its own, with a peer at the other end of the wire. All addresses are from the documentation ranges.
load ../lib/common

setup() {
  node_start node
  node_start peer
  AGENT_NODE=node
  node_link node eth0 peer eth0
  wait_until 30 link_is_up
  ip_of node addr add 192.0.2.1/24 brd + dev eth0
  ip_of peer addr add 192.0.2.2/24 dev eth0
  ip_of node addr add 2001:db8::1/64 dev eth0 nodad
  ip_of peer addr add 2001:db8::2/64 dev eth0 nodad
}

ip_of() {
  local name=$1
  shift
  node_run -n "$name" ip "$@"
}

# Fast enough for a wire without delay, and one packet where the test does not look at them.
vip() {
  local action=$1
  shift
  agent vip "$action" "$@"
}

quick=(duplicate_wait=10ms arp_count=1)
has() { ip_of node -o addr show | grep -qF -- " $1"; }
link_is_up() { ip_of node link show eth0 | grep -q 'state UP'; }
# One that has ended and waits for the node's first process to take notice is none any more.
announcers() { node_run pgrep -c -x -r R,S,D,T vip; }
has_announcers() { [ "$(announcers)" -eq "$1" ]; }
carrier_lost() { ip_of node link show eth0 | grep -q NO-CARRIER; }
second_link() { node_link node eth1 peer eth1; }

# --- packets, as the peer sees them ---

listen() {
  node_spawn -n peer tcpdump -l -n -e -i eth0 arp or icmp6
  wait_until 30 grep -q 'listening on' "$BATS_TEST_TMPDIR/spawned.log"
}
heard() { grep -cE -- "$1" "$BATS_TEST_TMPDIR/spawned.log"; }
has_heard() { [ "$(heard "$2")" -ge "$1" ]; }

# --- the usual ways ---

@test "IPv4: start, monitor, stop, each twice; prefix, broadcast and interface from the routing table" {
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 7
  assert_no_reason
  vip start ip=192.0.2.10 "${quick[@]}"
  assert_code 0
  assert_no_reason
  assert has "192.0.2.10/24 brd 192.0.2.255 scope global secondary eth0"
  vip start ip=192.0.2.10 "${quick[@]}"
  assert_code 0
  vip monitor ip=192.0.2.10
  assert_code 0
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  refute has 192.0.2.10
  assert has "192.0.2.1/24"
  vip stop ip=192.0.2.10
  assert_code 0
  vip monitor ip=192.0.2.10
  assert_code 7
  assert_reason "192.0.2.10 is not on any interface"
}

@test "IPv6: start, monitor, stop; the text is compared in canonical form" {
  vip start ip=2001:DB8:0:0:0:0:0:10 "${quick[@]}"
  assert_code 0
  assert has 2001:db8::10/64
  refute has "2001:db8::10/64 scope global tentative"
  vip monitor ip=2001:db8::10
  assert_code 0
  vip stop ip=2001:db8:0::10
  assert_code 0
  refute has 2001:db8::10
  vip monitor ip=2001:db8::10 @interval=0
  assert_code 7
}

@test "an interface that does not exist: probe 7, stop 0, start 5, recurring monitor 1" {
  vip monitor ip=192.0.2.10 nic=nope @interval=0
  assert_code 7
  vip stop ip=192.0.2.10 nic=nope
  assert_code 0
  vip start ip=192.0.2.10 nic=nope
  assert_code 5
  assert_reason "interface nope for 192.0.2.10 does not exist"
  vip monitor ip=192.0.2.10 nic=nope
  assert_code 1
  assert_reason "interface nope"
}

@test "an interface that was renamed has kept the address: 1, and a stop takes it away" {
  vip start ip=192.0.2.10 nic=eth0 "${quick[@]}"
  assert_code 0
  ip_of node link set eth0 down
  ip_of node link set eth0 name lan0
  ip_of node link set lan0 up
  vip monitor ip=192.0.2.10 nic=eth0 @interval=0
  assert_code 1
  assert_reason '192.0.2.10 is on lan0, and interface eth0 does not exist'
  vip stop ip=192.0.2.10 nic=eth0
  assert_code 0
  refute has 192.0.2.10/
  assert has 192.0.2.1/24
}

@test "cached routes are flushed where that is asked for" {
  local ip
  for ip in 192.0.2.10 2001:db8::10; do
    vip start "ip=$ip" nodad=true "${quick[@]}"
    AGENT_WRAPPER=(strace -f -qq -e trace=write,openat -o "$BATS_TEST_TMPDIR/trace")
    vip stop "ip=$ip" flush_routes=true
    AGENT_WRAPPER=()
    assert_code 0
    assert grep -qE 'route/flush", [A-Z_|]+\) = [0-9]' "$BATS_TEST_TMPDIR/trace"
    assert grep -qE 'write\([0-9]+, "1", 1\) += 1' "$BATS_TEST_TMPDIR/trace"
  done
}

@test "a network namespace that does not exist is like an interface that does not" {
  vip monitor ip=192.0.2.10 network_namespace=nope @interval=0
  assert_code 7
  vip stop ip=192.0.2.10 network_namespace=nope
  assert_code 0
  vip start ip=192.0.2.10 network_namespace=nope
  assert_code 5
  assert_reason "network namespace nope"
  vip monitor ip=192.0.2.10 network_namespace=nope
  assert_code 1
}

@test "in a network namespace" {
  ip_of node netns add inner
  ip_of node link add in0 type veth peer name in1 netns inner
  ip_of node link set in0 up
  ip_of node -n inner link set in1 up
  vip start ip=198.51.100.7 nic=in1 cidr_netmask=24 network_namespace=inner "${quick[@]}"
  assert_code 0
  refute has 198.51.100.7
  assert node_run bash -c 'ip -n inner -o addr show dev in1 | grep -q 198.51.100.7/24'
  vip monitor ip=198.51.100.7 network_namespace=inner
  assert_code 0
  vip stop ip=198.51.100.7 network_namespace=inner
  assert_code 0
  refute node_run bash -c 'ip -n inner -o addr show dev in1 | grep -q 198.51.100.7'
}

@test "no network holds the address: start 1, names the remedy" {
  vip start ip=198.51.100.7 "${quick[@]}"
  assert_code 1
  assert_reason "no interface has a network that holds 198.51.100.7: set nic and cidr_netmask"
  vip start ip=198.51.100.7 nic=eth0 "${quick[@]}"
  assert_code 1
  assert_reason "eth0 has no network that holds 198.51.100.7: set cidr_netmask"
  refute has 198.51.100.7
}

@test "given prefix, netmask, broadcast, no route to the network" {
  vip start ip=198.51.100.7 nic=eth0 netmask=255.255.255.128 broadcast=+ noprefixroute=true "${quick[@]}"
  assert_code 0
  assert has "198.51.100.7/25 brd 198.51.100.127"
  refute node_run bash -c 'ip route | grep -q 198.51.100'
  vip stop ip=198.51.100.7 nic=eth0 netmask=255.255.255.128
  assert_code 0
  vip start ip=198.51.100.7 nic=eth0 cidr_netmask=25 "${quick[@]}"
  assert_code 0
  assert node_run bash -c 'ip route | grep -q 198.51.100.0/25'
}

@test "a routing table of its own holds the route to the network" {
  local ip
  for ip in 198.51.100.7 2001:db8:7::7; do
    vip start "ip=$ip" nic=eth0 cidr_netmask=25 table=77 nodad=true "${quick[@]}"
    assert_code 0
    assert node_run bash -c "ip $([[ $ip == *:* ]] && echo -6) route show table 77 | grep -q '/25 dev eth0.* src $ip'"
    refute node_run bash -c "ip $([[ $ip == *:* ]] && echo -6) route show table main | grep -q /25"
    vip stop "ip=$ip" nic=eth0 cidr_netmask=25 table=77
    assert_code 0
    refute node_run bash -c "ip $([[ $ip == *:* ]] && echo -6) route show table 77 | grep -q /25"
  done
}

@test "interface and prefix are found in the given table" {
  second_link
  # The kernel drops all routes of an interface with its last address.
  ip_of node addr add 192.0.2.201/32 dev eth1
  ip_of node route add 198.51.100.0/26 dev eth1 table 77
  vip start ip=198.51.100.7 table=77 "${quick[@]}"
  assert_code 0
  assert has "198.51.100.7/26 scope global noprefixroute eth1"
  # The administrator's own route is left alone.
  vip stop ip=198.51.100.7 table=77
  assert_code 0
  assert_equal "$(ip_of node route show table 77 | sed 's/ *$//')" "198.51.100.0/26 dev eth1 scope link"
}

@test "an alternative name of the interface counts" {
  ip_of node link property add dev eth0 altname a-name-much-longer-than-fifteen-characters
  vip start ip=192.0.2.10 nic=a-name-much-longer-than-fifteen-characters iflabel=x "${quick[@]}"
  assert_code 0
  assert has "192.0.2.10/24 brd 192.0.2.255 scope global secondary eth0:x"
  vip monitor ip=192.0.2.10 nic=a-name-much-longer-than-fifteen-characters iflabel=x
  assert_code 0
  vip stop ip=192.0.2.10 nic=a-name-much-longer-than-fifteen-characters iflabel=x
  assert_code 0
  refute has 192.0.2.10
}

@test "label: set, missing is 1, too long is 6, the old form nic:label" {
  vip start ip=192.0.2.10 nic=eth0:web "${quick[@]}"
  assert_code 0
  assert has "192.0.2.10/24 brd 192.0.2.255 scope global secondary eth0:web"
  vip monitor ip=192.0.2.10 nic=eth0:web
  assert_code 0
  vip monitor ip=192.0.2.10 iflabel=web
  assert_code 0
  vip monitor ip=192.0.2.10 iflabel=other
  assert_code 1
  assert_reason "without its label eth0:other"
  vip stop ip=192.0.2.10 iflabel=other
  assert_code 0
  refute has 192.0.2.10
  ip_of node addr add 192.0.2.10/24 dev eth0
  vip monitor ip=192.0.2.10 iflabel=web
  assert_code 1
  vip start ip=192.0.2.10 iflabel=web "${quick[@]}"
  assert_code 0
  assert has "secondary eth0:web"
  vip start ip=192.0.2.11 nic=eth0 iflabel=elevenchars "${quick[@]}"
  assert_code 6
  assert_reason "longer than 15 characters"
  vip start ip=192.0.2.11 nic=eth0 iflabel=tencharact "${quick[@]}"
  assert_code 0
}

# --- links ---

@test "no carrier: recurring monitor 7 with a reason, probe still finds the address, start 1" {
  vip start ip=192.0.2.10 "${quick[@]}"
  assert_code 0
  ip_of peer link set eth0 down
  wait_until 30 carrier_lost
  vip monitor ip=192.0.2.10
  assert_code 7
  assert_reason "interface eth0 of 192.0.2.10 is .*carrier|down"
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 0
  vip monitor ip=192.0.2.10 link_check=false
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  vip start ip=192.0.2.10 nic=eth0 cidr_netmask=24 "${quick[@]}"
  assert_code 1
  assert_reason "interface eth0 for 192.0.2.10 is"
  refute has 192.0.2.10
  vip start ip=192.0.2.10 nic=eth0 cidr_netmask=24 link_check=false "${quick[@]}"
  assert_code 0
}

@test "a link that comes back within monitor_retries is no failure" {
  vip start ip=192.0.2.10 "${quick[@]}"
  ip_of peer link set eth0 down
  wait_until 30 carrier_lost
  node_spawn -n peer bash -c 'sleep 0.3; ip link set eth0 up'
  vip monitor ip=192.0.2.10 monitor_retries=5
  assert_code 0
  ip_of peer link set eth0 down
  wait_until 30 carrier_lost
  vip monitor ip=192.0.2.10 monitor_retries=2
  assert_code 7
}

@test "an interface that is administratively down is brought up" {
  ip_of node link set eth0 down
  vip start ip=192.0.2.10 nic=eth0 cidr_netmask=24 "${quick[@]}"
  assert_code 0
  vip monitor ip=192.0.2.10
  assert_code 0
  ip_of node link set eth0 down
  vip monitor ip=192.0.2.10
  assert_code 7
  assert_reason "administratively down"
}

# --- who else has it ---

@test "IPv4: another host answers: start is refused and names its hardware address" {
  local mac
  mac=$(node_run -n peer cat /sys/class/net/eth0/address)
  vip start ip=192.0.2.2
  assert_code 1
  assert_reason "192.0.2.2 is in use: $mac answers for it on eth0"
  refute has 192.0.2.2/
  vip start ip=192.0.2.2 run_arping=false arp_count=1
  assert_code 0
}

@test "IPv6: another host answers: start is refused and names its hardware address" {
  local mac
  mac=$(node_run -n peer cat /sys/class/net/eth0/address)
  vip start ip=2001:db8::2
  assert_code 1
  assert_reason "2001:db8::2 is in use: $mac answers"
  refute has 2001:db8::2
}

@test "IPv6: the kernel's own detection fails: the address is removed again, the host is named" {
  local mac
  mac=$(node_run -n peer cat /sys/class/net/eth0/address)
  vip start ip=2001:db8::2 duplicate_detection=false
  assert_code 1
  assert_reason "$mac has it on eth0 .duplicate address detection failed"
  refute has 2001:db8::2
}

@test "IPv6: an address whose detection failed is not running well" {
  ip_of node addr add 2001:db8::2/64 dev eth0
  wait_until 30 node_run bash -c "ip -6 addr show dev eth0 dadfailed | grep -q 2001:db8::2"
  vip monitor ip=2001:db8::2
  assert_code 1
  assert_reason "another host has it"
}

@test "two nodes that start at once do not both get it" {
  local first second
  ip_of node addr flush dev eth0
  ip_of peer addr flush dev eth0
  AGENT_WRAPPER=(timeout 60)
  node_spawn -n peer env OCF_RESKEY_CRM_meta_timeout=20000 "$VIGIL_BUILD/agents/vip" start ip=192.0.2.10 nic=eth0 cidr_netmask=24 duplicate_wait=1
  vip start ip=192.0.2.10 nic=eth0 cidr_netmask=24 duplicate_wait=1
  first=$status second=0
  wait "$spawned" || second=$?
  assert test $((first + second)) -ge 1
}

# --- announcements ---

@test "IPv4: request and reply are both announced, as often as asked for, and in the background" {
  local mac
  mac=$(node_run cat /sys/class/net/eth0/address)
  listen
  vip start ip=192.0.2.10 arp_count=4 arp_interval=50
  assert_code 0
  wait_until 30 has_heard 4 "$mac > ff:ff:ff:ff:ff:ff.*Request who-has 192.0.2.10 tell 192.0.2.10"
  wait_until 30 has_heard 4 "$mac > ff:ff:ff:ff:ff:ff.*Reply 192.0.2.10 is-at $mac"
  wait_until 30 has_announcers 0
  assert_equal "$(heard 'Request who-has 192.0.2.10 tell 192.0.2.10')" 4
  assert_equal "$(heard 'Request who-has 192.0.2.10 tell 0.0.0.0')" 3
}

@test "IPv6: unsolicited advertisements, and solicitations before" {
  local mac
  mac=$(node_run cat /sys/class/net/eth0/address)
  listen
  vip start ip=2001:db8::10 nodad=true arp_count=3 arp_interval=50
  assert_code 0
  wait_until 30 has_heard 3 "$mac > 33:33:00:00:00:01.*2001:db8::10 > ff02::1: .*neighbor advertisement, tgt is 2001:db8::10"
  wait_until 30 has_heard 3 "> 33:33:ff:00:00:10.*:: > ff02::1:ff00:10: .*neighbor solicitation, who has 2001:db8::10"
  refute grep -q 'bad icmp6 cksum' "$BATS_TEST_TMPDIR/spawned.log"
}

@test "peers learn the new owner" {
  ip_of peer neigh replace 192.0.2.10 lladdr 02:00:00:00:00:99 dev eth0 nud reachable
  ip_of peer neigh replace 2001:db8::10 lladdr 02:00:00:00:00:99 dev eth0 nud reachable
  vip start ip=192.0.2.10 "${quick[@]}"
  assert_code 0
  vip start ip=2001:db8::10 nodad=true "${quick[@]}" @instance=six
  assert_code 0
  local mac
  mac=$(node_run cat /sys/class/net/eth0/address)
  wait_until 30 node_run -n peer bash -c "ip neigh show 2001:db8::10 | grep -q $mac"
  wait_until 30 node_run -n peer bash -c "ip neigh show 192.0.2.10 | grep -q $mac"
}

@test "the announcer ends with the address, whoever takes it away" {
  vip start ip=192.0.2.10 duplicate_wait=10ms arp_count=1000 arp_interval=60000
  assert_code 0
  wait_until 30 has_announcers 1
  vip stop ip=192.0.2.10
  assert_code 0
  wait_until 30 has_announcers 0
  vip start ip=192.0.2.10 duplicate_wait=10ms arp_count=1000 arp_interval=60000
  assert_code 0
  wait_until 30 has_announcers 1
  ip_of node addr del 192.0.2.10/24 dev eth0
  wait_until 30 has_announcers 0
  vip start ip=2001:db8::10 nodad=true duplicate_wait=10ms arp_count=1000 arp_interval=60000
  assert_code 0
  wait_until 30 has_announcers 1
  ip_of node addr del 2001:db8::10/64 dev eth0
  wait_until 30 has_announcers 0
}

@test "nothing is announced after stop" {
  local before
  listen
  vip start ip=192.0.2.10 duplicate_wait=10ms arp_count=1000 arp_interval=10
  assert_code 0
  wait_until 30 has_heard 5 'Reply 192.0.2.10'
  vip stop ip=192.0.2.10
  assert_code 0
  # A packet of the peer's behind the last announcement shows that none is still on its way.
  node_run ping -c 1 -W 20 192.0.2.2 >/dev/null
  ip_of node neigh flush dev eth0
  node_run ping -c 1 -W 20 192.0.2.2 >/dev/null
  wait_until 30 has_heard 1 'who-has 192.0.2.2 tell 192.0.2.1'
  before=$(heard 'Reply 192.0.2.10')
  ip_of node neigh flush dev eth0
  node_run ping -c 2 -i 0.2 -W 20 192.0.2.2 >/dev/null
  wait_until 30 has_heard 2 'who-has 192.0.2.2 tell 192.0.2.1'
  assert_equal "$(heard 'Reply 192.0.2.10')" "$before"
}

@test "a stale note of an announcer does not end another process" {
  local victim
  vip start ip=192.0.2.10 "${quick[@]}"
  assert_code 0
  node_spawn sleep 300
  wait_until 30 node_run pgrep -x sleep
  victim=$(node_run pgrep -n -x sleep)
  node_run bash -c "echo '$victim 1' >/run/vigil/vip/test@announcer"
  vip stop ip=192.0.2.10
  assert_code 0
  assert node_run kill -0 "$victim"
  node_run bash -c "echo 'rubbish' >/run/vigil/vip/test@announcer"
  vip stop ip=192.0.2.10
  assert_code 0
}

@test "an announcement every so often; monitor starts a dead announcer again" {
  listen
  vip start ip=192.0.2.10 "${quick[@]}" announce_refresh=0.1
  assert_code 0
  wait_until 30 has_heard 4 'Reply 192.0.2.10'
  wait_until 30 has_announcers 1
  node_run pkill -KILL -x vip
  wait_until 30 has_announcers 0
  vip monitor ip=192.0.2.10 announce_refresh=0.1
  assert_code 0
  wait_until 30 has_announcers 1
  vip stop ip=192.0.2.10
  assert_code 0
  wait_until 30 has_announcers 0
}

@test "arp_count_refresh announces at each recurring monitor, not at a probe" {
  listen
  vip start ip=192.0.2.10 "${quick[@]}"
  wait_until 30 has_heard 1 'Reply 192.0.2.10'
  vip monitor ip=192.0.2.10 arp_count_refresh=2 arp_interval=10 @interval=0
  vip monitor ip=192.0.2.10 arp_count_refresh=2 arp_interval=10
  assert_code 0
  wait_until 30 has_heard 3 'Reply 192.0.2.10'
  wait_until 30 has_announcers 0
  assert_equal "$(heard 'Reply 192.0.2.10')" 3
}

# --- other addresses on the interface ---

@test "stop of a primary address keeps its secondaries, promote_secondaries or not" {
  local read_only
  ip_of node addr flush dev eth0
  for read_only in false true; do
    node_run bash -c 'echo 0 >/proc/sys/net/ipv4/conf/all/promote_secondaries; echo 0 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries'
    vip start ip=192.0.2.10 nic=eth0 cidr_netmask=24 "${quick[@]}"
    assert_code 0
    ip_of node addr add 192.0.2.20/24 dev eth0 label eth0:b
    ip_of node addr add 192.0.2.21/24 brd + dev eth0
    ! $read_only || node_run mount -o ro,bind /proc/sys /proc/sys
    vip stop ip=192.0.2.10
    assert_code 0
    refute has 192.0.2.10
    assert has 192.0.2.20/24
    assert has "192.0.2.21/24 brd 192.0.2.255"
    assert node_run bash -c 'ip -o addr show label eth0:b | grep -q 192.0.2.20'
    ip_of node -4 addr flush dev eth0
  done
}

@test "the address on two interfaces: each is its own; without nic stop takes all" {
  second_link
  ip_of node addr add 192.0.2.10/32 dev eth1
  vip monitor ip=192.0.2.10 nic=eth0 @interval=0
  assert_code 7
  vip start ip=192.0.2.10 nic=eth0 "${quick[@]}"
  assert_code 0
  vip monitor ip=192.0.2.10 nic=eth0
  assert_code 0
  vip stop ip=192.0.2.10 nic=eth0
  assert_code 0
  assert has "192.0.2.10/32 scope global eth1"
  vip start ip=192.0.2.10 nic=eth0 "${quick[@]}"
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  refute has 192.0.2.10
}

@test "two prefixes of the address on one interface are both gone after stop" {
  ip_of node addr add 192.0.2.10/32 dev eth0
  ip_of node addr add 192.0.2.10/24 dev eth0
  vip monitor ip=192.0.2.10
  assert_code 0
  vip stop ip=192.0.2.10 nic=eth0 cidr_netmask=24
  assert_code 0
  refute has 192.0.2.10
}

@test "a network route of type local is not the address" {
  ip_of node route add local 192.0.2.10/32 dev eth0 table local
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 7
  ip_of node route add local 198.51.100.0/24 dev lo table local
  vip monitor ip=198.51.100.9 @interval=0
  assert_code 7
}

@test "an address on the loopback interface does not count, unless it is asked for there" {
  ip_of node addr add 192.0.2.10/32 dev lo
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 7
  vip stop ip=192.0.2.10
  assert_code 0
  assert has "192.0.2.10/32 scope global lo"
  vip monitor ip=192.0.2.10 nic=lo
  assert_code 0
  vip start ip=127.0.0.9
  assert_code 0
  assert has 127.0.0.9/8
  vip monitor ip=127.0.0.9
  assert_code 0
  vip stop ip=127.0.0.9
  assert_code 0
  refute has 127.0.0.9
  assert has 127.0.0.1/8
}

@test "LVS: start takes the address off the loopback interface, stop brings it back" {
  ip_of node addr add 192.0.2.10/32 dev lo
  vip start ip=192.0.2.10 lvs_support=true "${quick[@]}"
  assert_code 0
  refute has "192.0.2.10/32"
  assert has "192.0.2.10/24"
  vip stop ip=192.0.2.10 lvs_support=true
  assert_code 0
  assert has "192.0.2.10/32 scope global lo"
  refute has "192.0.2.10/24"
}

@test "IPv6 address selection label" {
  vip start ip=2001:db8::10 nodad=true lvs_ipv6_addrlabel=true lvs_ipv6_addrlabel_value=77 "${quick[@]}"
  assert_code 0
  assert node_run bash -c "ip addrlabel list | grep -q '2001:db8::10/128 label 77'"
  vip stop ip=2001:db8::10 lvs_ipv6_addrlabel=true lvs_ipv6_addrlabel_value=77
  assert_code 0
  refute node_run bash -c "ip addrlabel list | grep -q 2001:db8::10"
}

@test "link-local IPv6 address" {
  vip start ip=fe80::77 "${quick[@]}"
  assert_code 6
  assert_reason "nic must name its interface"
  vip start ip=fe80::77 nic=eth0 nodad=true "${quick[@]}"
  assert_code 0
  assert has fe80::77/64
  vip monitor ip=fe80::77 nic=eth0
  assert_code 0
  vip stop ip=fe80::77 nic=eth0
  assert_code 0
  refute has fe80::77
}

# --- lifetimes and reload ---

@test "preferred lifetime, and its change by reload" {
  local ip
  for ip in 192.0.2.10 2001:db8::10; do
    vip start "ip=$ip" preferred_lft=0 nodad=true "${quick[@]}"
    assert_code 0
    assert node_run bash -c "ip addr show dev eth0 to $ip | grep -q deprecated"
    vip monitor "ip=$ip" preferred_lft=0
    assert_code 0
    vip reload-agent "ip=$ip" nodad=true "${quick[@]}"
    assert_code 0
    refute node_run bash -c "ip addr show dev eth0 to $ip | grep -q deprecated"
    assert node_run bash -c "ip addr show dev eth0 to $ip | grep -q 'valid_lft forever preferred_lft forever'"
    vip stop "ip=$ip"
    assert_code 0
    vip reload-agent "ip=$ip"
    assert_code 7
  done
}

# --- connections ---


tcp_program='
import socket, sys
role, address = sys.argv[1], sys.argv[2]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM)
if role == "server":
    if sys.argv[3:] == ["any6"]:
        s, address = socket.socket(socket.AF_INET6, socket.SOCK_STREAM), "::"
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 7007))
    s.listen(5)
    kept = []
    while True:
        kept.append(s.accept()[0])
        kept[-1].send(b"x")
else:
    s.connect((address, 7007))
    s.recv(1)
    print("connected", flush=True)
    s.settimeout(20)
    try:
        s.recv(1)
        print("ended", flush=True)
    except ConnectionResetError:
        print("reset", flush=True)
    except OSError as error:
        print("other", error, flush=True)
'

@test "stop resets the connections of the address: IPv4, v4-mapped, IPv6; those of others stay" {
  local ip where
  for ip in 192.0.2.10 2001:db8::10; do
    for where in "" any6; do
      : >"$BATS_TEST_TMPDIR/spawned.log"
      vip start "ip=$ip" nodad=true "${quick[@]}"
      assert_code 0
      node_spawn python3 -c "$tcp_program" server "$ip" $where
      wait_until 30 node_run bash -c "ss -Htln | grep -q :7007"
      node_spawn -n peer python3 -c "$tcp_program" client "$ip"
      wait_until 30 grep -q connected "$BATS_TEST_TMPDIR/spawned.log"
      if [ -n "$where" ]; then
        : >"$BATS_TEST_TMPDIR/spawned.log"
        node_spawn -n peer python3 -c "$tcp_program" client "${ip%10}1"
        wait_until 30 grep -q connected "$BATS_TEST_TMPDIR/spawned.log"
      fi
      vip stop "ip=$ip"
      assert_code 0
      wait_until 30 grep -q reset "$BATS_TEST_TMPDIR/spawned.log"
      assert_equal "$(grep -c reset "$BATS_TEST_TMPDIR/spawned.log")" 1
      # The listening socket lives on, and so does the connection to the other address.
      assert node_run bash -c "ss -Htln | grep -q :7007"
      assert_equal "$(node_run bash -c 'ss -Htn state established | grep -c :7007')" "$([ -n "$where" ] && echo 1 || echo 0)"
      node_run pkill -x python3
      node_run -n peer pkill -x python3 || :
      wait_until 30 node_run bash -c "! ss -Htan | grep -q LISTEN"
    done
  done
}

@test "connections stay where that is asked for" {
  vip start ip=192.0.2.10 "${quick[@]}"
  node_spawn python3 -c "$tcp_program" server 192.0.2.10
  wait_until 30 node_run bash -c "ss -Htln | grep -q :7007"
  node_spawn -n peer python3 -c "$tcp_program" client 192.0.2.10
  wait_until 30 grep -q connected "$BATS_TEST_TMPDIR/spawned.log"
  vip stop ip=192.0.2.10 reset_connections=false
  assert_code 0
  assert_equal "$(node_run bash -c 'ss -Htn state established | grep -c :7007')" 1
}

# --- clones ---

@test "a clone: load sharing is refused with 6, an address for each instance works" {
  vip start ip=192.0.2.10 CRM_meta_clone=1 CRM_meta_clone_max=2 "${quick[@]}"
  assert_code 6
  assert_reason "CLUSTERIP is not supported"
  vip start ip=192.0.2.10 CRM_meta_clone=1 CRM_meta_clone_max=2 unique_clone_address=true "${quick[@]}"
  assert_code 6
  assert_reason "globally-unique"
  vip start ip=192.0.2.10 CRM_meta_clone=3 CRM_meta_clone_max=4 CRM_meta_globally_unique=true unique_clone_address=true "${quick[@]}"
  assert_code 0
  assert has 192.0.2.13/24
  vip start ip=255.255.255.254 CRM_meta_clone=3 CRM_meta_globally_unique=true unique_clone_address=true
  assert_code 6
}

# --- bad input ---

@test "parameters that are wrong: 6 with one reason, and nothing changes" {
  local word before
  before=$(ip_of node -brief addr show)
  for word in ip= ip=192.0.2 ip=192.0.2.256 ip=192.0.2.010 ip=192.0.2.10/24 ip=::ffff:192.0.2.1 ip=0.0.0.0 ip=224.0.0.1 ip=ff02::1 ip=:: \
    'ip=$(reboot)' ip=2001:db8::10%eth0 ip=$'\xff' cidr_netmask=33 cidr_netmask=0 cidr_netmask=-1 cidr_netmask=24x cidr_netmask=255.0.255.0 \
    nic=/etc 'nic=a b' nic=:x broadcast=x broadcast=2001:db8::1 iflabel=a:b iflabel=a/b iflabel=sixteencharacters arp_count=0 arp_count=-1 \
    arp_count=x arp_interval=0 arp_bg=maybe preferred_lft=never preferred_lft=-1 network_namespace=../x table=0 table=x duplicate_wait=1ms \
    announce_refresh=-1 clusterip_hash=x arp_sender=x lvs_support=2 lvs_ipv6_addrlabel=true nodad=perhaps; do
    vip start ip=192.0.2.10 "$word"
    assert_code 6
    assert_reason "${word%%=*}"
  done
  vip start ip=2001:db8::10 lvs_support=true
  assert_code 6
  vip start ip=2001:db8::10 cidr_netmask=129
  assert_code 6
  vip start
  assert_code 6
  assert_reason "ip is required"
  assert_equal "$(ip_of node -brief addr show)" "$before"
}

# --- faults ---

@test "a netlink error is never 'not running' and never 'stopped'" {
  local action call
  AGENT_WRAPPER=(strace -f -qq -o /dev/null -e "inject=sendto:error=ENOBUFS")
  for action in monitor stop start; do
    vip $action ip=192.0.2.10 "${quick[@]}"
    assert_code 1
    assert_reason "192.0.2.10: No buffer space"
    vip $action ip=2001:db8::10 "${quick[@]}"
    assert_code 1
  done
  vip monitor ip=192.0.2.10 @interval=0
  assert_code 1
  for call in socket recvmsg; do
    AGENT_WRAPPER=(strace -f -qq -o /dev/null -e "inject=$call:error=ENOMEM")
    for action in monitor stop start; do
      vip $action ip=192.0.2.10 "${quick[@]}"
      assert_code 1
      assert_reason "192.0.2.10"
    done
  done
  AGENT_WRAPPER=(strace -f -qq -o /dev/null -e "inject=sendto:error=EPERM")
  vip stop ip=192.0.2.10
  assert_code 4
}

@test "a kernel that is short of memory for a moment is asked again" {
  vip start ip=192.0.2.10 "${quick[@]}"
  AGENT_WRAPPER=(strace -f -qq -o /dev/null -e "inject=sendto:error=ENOBUFS:when=1")
  vip monitor ip=192.0.2.10
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  refute has 192.0.2.10
}

# Every call of the action fails once, in turn: then the state must be what the code says.
@test "each call of start, monitor and stop fails once: no false success, no false 'not running'" {
  node_run bash -c '
    agent=$1; export OCF_RESOURCE_INSTANCE=test OCF_RESKEY_ip=192.0.2.10 OCF_RESKEY_duplicate_wait=3ms OCF_RESKEY_arp_count=1
    export OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_CRM_meta_timeout=2000
    there() { ip -o addr show | grep -q " 192.0.2.10/"; }
    for action in start monitor stop; do
      for call in sendto recvmsg socket ioctl bind openat; do
        for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
          case $action in start) "$agent" stop ;; *) "$agent" start ;; esac 2>/dev/null || { echo "prepare $action failed"; exit 1; }
          code=0
          strace -qq -o /dev/null -e inject=$call:error=EIO:when=$turn "$agent" $action 2>/dev/null || code=$?
          case $action:$code in
          start:0) there || { echo "false start: $call $turn"; exit 1; } ;;
          stop:0) ! there || { echo "false stop: $call $turn"; exit 1; } ;;
          monitor:7) echo "false not running: $call $turn"; exit 1 ;;
          esac
        done
      done
    done' fault "$VIGIL_BUILD/agents/vip"
}

@test "a full process table: the address moves all the same" {
  listen
  node_run bash -c 'echo 1 >/proc/sys/kernel/pid_max' 2>/dev/null || :
  AGENT_WRAPPER=(strace -f -qq -o /dev/null -e "inject=clone,clone3,fork,vfork:error=EAGAIN")
  vip start ip=192.0.2.10 duplicate_wait=10ms arp_count=3 arp_interval=10
  assert_code 0
  assert has 192.0.2.10
  wait_until 30 has_heard 3 'Reply 192.0.2.10'
  vip monitor ip=192.0.2.10
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  refute has 192.0.2.10
}

@test "a state folder that can't be written: the address moves all the same" {
  node_run mount -t tmpfs -o ro tmpfs /run
  listen
  vip start ip=192.0.2.10 duplicate_wait=10ms arp_count=3 arp_interval=50
  assert_code 0
  assert has 192.0.2.10
  wait_until 30 has_heard 3 'Reply 192.0.2.10'
  vip monitor ip=192.0.2.10
  assert_code 0
  vip stop ip=192.0.2.10
  assert_code 0
  refute has 192.0.2.10
}

@test "IPv6 that is disabled on the interface: start 5, says how to enable it" {
  node_run sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
  vip start ip=2001:db8::10 nic=eth0 cidr_netmask=64 "${quick[@]}"
  assert_code 5
  assert_reason "IPv6 is disabled on eth0; set net.ipv6.conf.eth0.disable_ipv6 to 0"
}

@test "two starts at once, a start and a stop at once" {
  local round first
  for round in 1 2 3 4 5; do
    node_spawn env OCF_RESOURCE_INSTANCE=test "$VIGIL_BUILD/agents/vip" start ip=192.0.2.10 duplicate_wait=20ms
    vip start ip=192.0.2.10 duplicate_wait=20ms
    assert_code 0
    wait "$spawned"
    assert_equal "$(ip_of node -o addr show | grep -c '192.0.2.10/')" 1
    node_spawn env OCF_RESOURCE_INSTANCE=test "$VIGIL_BUILD/agents/vip" stop ip=192.0.2.10
    vip stop ip=192.0.2.10
    assert_code 0
    wait "$spawned"
    refute has 192.0.2.10
    wait_until 30 has_announcers 0
  done
}

# Every system call in turn is the one at which the action is killed; the same action again must put it right.
killed_at_every_call() {
  node_run bash -c '
    agent=$1 action=$2; shift 2
    export OCF_RESOURCE_INSTANCE=test OCF_RESKEY_duplicate_wait=3ms OCF_RESKEY_arp_count=2 OCF_RESKEY_arp_interval=1
    export OCF_RESKEY_nodad=true OCF_RESKEY_lvs_support=$3 OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_ip=$1
    fail() { echo "killed at $call $turn of $action: $*"; ip addr; exit 1; }
    prepare() { case $action in start) "$agent" stop ;; *) "$agent" start ;; esac || fail prepare; }
    # strace counts each kind of call by itself.
    prepare
    strace -qq -o /run/calls "$agent" $action || fail "first $action"
    killed=0
    for call in $(sed -n "s/^\([a-z0-9_]*\)(.*/\1/p" /run/calls | grep -v "^exit" | sort -u); do
      for turn in $(seq $(grep -c "^$call(" /run/calls)); do
        prepare
        code=0
        strace -qq -o /dev/null -e "inject=$call:signal=KILL:when=$turn" "$agent" $action 2>/dev/null || code=$?
        [ $code -ne 0 ] || continue
        killed=$((killed + 1))
        "$agent" $action || fail "again: $?"
        code=0; "$agent" monitor 2>/dev/null || code=$?
        case $action:$code in start:0 | monitor:0 | stop:7) ;; *) fail "then monitor $code" ;; esac
        [ "$(ip -o addr show | grep -c " $1/")" = $([ $action = stop ] && echo $2 || echo 1) ] || fail "entries"
      done
    done
    [ $killed -gt 30 ] || fail "only $killed rounds"
    echo "$killed rounds"' kill "$VIGIL_BUILD/agents/vip" "$@"
}

@test "SIGKILL at every call of start, then start again" { killed_at_every_call start 192.0.2.10 0 false; }
@test "SIGKILL at every call of stop, then stop again" { killed_at_every_call stop 192.0.2.10 0 false; }
@test "SIGKILL at every call of monitor, then monitor again" { killed_at_every_call monitor 192.0.2.10 0 false; }
@test "IPv6: SIGKILL at every call of start, then start again" { killed_at_every_call start 2001:db8::10 0 false; }
@test "IPv6: SIGKILL at every call of stop, then stop again" { killed_at_every_call stop 2001:db8::10 0 false; }
@test "LVS: SIGKILL at every call of stop, then stop again: the address is back on the loopback interface" {
  ip_of node addr add 192.0.2.10/32 dev lo
  killed_at_every_call stop 192.0.2.10 1 true
}

# --- cost ---

@test "a monitor's kernel traffic does not grow with the number of addresses" {
  local few many
  vip start ip=192.0.2.10 "${quick[@]}"
  AGENT_WRAPPER=(strace -f -qq -o "$BATS_TEST_TMPDIR/few")
  vip monitor ip=192.0.2.10
  assert_code 0
  node_run bash -c 'for a in 1 2 3 4; do for b in {1..250}; do echo "addr add 198.51.100.$b/$((28 + a)) dev eth0"; done; done | ip -force -batch -' || :
  assert test "$(ip_of node -o addr show | wc -l)" -gt 900
  AGENT_WRAPPER=(strace -f -qq -o "$BATS_TEST_TMPDIR/many")
  vip monitor ip=192.0.2.10
  assert_code 0
  few=$(wc -l <"$BATS_TEST_TMPDIR/few") many=$(wc -l <"$BATS_TEST_TMPDIR/many")
  assert_equal "$few" "$many"
}
