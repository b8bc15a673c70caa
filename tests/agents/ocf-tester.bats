#!/usr/bin/env bats
# Every agent passes ocf-tester, the test of the package resource-agents that any agent can be put to. It wants an agent that user
# nobody can run, so the agents are installed on the node.
load ../lib/common
load ../lib/cloudsim
load ../lib/cloud_agent

setup() {
  node_start
  node_install
}

# passes NAME PARAMETER=VALUE...
passes() {
  local name=$1 word
  local -a options=()
  shift
  for word in "$@"; do options+=(-o "$word"); done
  capture_on_node timeout -k 5 300 ocf-tester -n "tested-$name" "${options[@]}" "/usr/lib/ocf/resource.d/vigil/$name"
  assert_code 0
  assert_output_has 'passed all tests'
  # Its own words for what it did not like but did not count.
  refute grep -E '^\* rc=' <<<"$output"
}

@test "vip passes ocf-tester" {
  node_run ip link add eth0 type veth peer name eth1
  node_run ip link set eth1 up
  node_run ip link set eth0 up
  node_run ip address add 192.0.2.1/24 dev eth0
  passes vip ip=192.0.2.10 nic=eth0
}

@test "vip passes ocf-tester with IPv6" {
  node_run ip link add eth0 type veth peer name eth1
  node_run ip link set eth1 up
  node_run ip link set eth0 up
  node_run ip address add 2001:db8::1/64 dev eth0 nodad
  passes vip ip=2001:db8::10 nic=eth0 cidr_netmask=64
}

@test "san-volume passes ocf-tester" {
  local image=$BATS_TEST_TMPDIR/disk device
  truncate -s 64M "$image"
  mkfs.ext4 -q "$image"
  device=$(losetup --find --show "$image")
  at_end losetup -d "$device"
  # Mounts are private: nothing of this is left when the node ends.
  node_run mkdir -p /run/volume
  passes san-volume "device=$device" directory=/run/volume fstype=ext4 quorum=ignore
}

@test "app passes ocf-tester" {
  node_run sh -c 'printf "#!/bin/sh\nexec sleep 1000\n" >/run/service && chmod 755 /run/service'
  passes app start=/run/service
}

# The instance of a simulated cloud; every agent takes what it does not know as a parameter for another.
@test "cloud-disk, cloud-vip and cloud-lb pass ocf-tester" {
  node_stop || :
  cloud_node aws
  node_install
  cloud_disk_here
  passes cloud-disk "volume=$DISK" "${access[@]}"
  passes cloud-vip address=10.0.0.100 "${access[@]}"
  passes cloud-lb "groups=$(cloudsim group '{"cloud":"aws"}' | cloudsim_field id)" port=80 responder_port=8099 "${access[@]}"
}

@test "no agent is left out" {
  local name
  for name in $(build_agents); do
    assert grep -q "passes $name " "$BATS_TEST_FILENAME"
  done
}
