# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lab_cloud.bash: a lab whose nodes are instances of a simulated cloud: LAB_CLOUD is aws, aliyun, tencent or huawei. The shared volume is a disk of that cloud, and a
# node has its block device only while the disk is attached to it; power is switched by the cloud; who a node is, and its keys, it learns from
# the metadata service at the vendor's own address.
#
#   lab_cloud_start              starts the simulator in the rack, at 198.51.100.200 of the network mgmt
#   lab_cloud_instance NODE N    makes the node's instance
#   lab_cloud_disk_fill NODE CMD...     runs CMD on a node that has the disk, outside of the cloud's account of it
#   lab_cloud_files NODE         what a node needs to reach it: routes, the authority's certificate
#   lab_cloud_configure          the cluster's configuration for it, in place of management controllers
# LAB_DISK is the disk's id, LAB_DISK_LINK its name in /dev/disk/by-id.
#
# Loaded by lab.bash; tests/cloudsim is the simulator.

LAB_CLOUD_ADDRESS=198.51.100.200
# Where the vendors have their metadata services.
LAB_METADATA_ADDRESSES="169.254.169.254 100.100.100.200 169.254.0.23"
# Seconds: quicker than life, and not at once.
LAB_CLOUD_SETTINGS='{"attach":1.0,"detach":1.0,"stop":1.5,"start":1.0,"address":0.3,"lag":0.2,"metadata_token":"required"'

lab_cloud_start() {
  local address word options=()
  for address in "$LAB_CLOUD_ADDRESS/24" ${LAB_METADATA_ADDRESSES// //32 }/32; do
    lab_rack ip addr add "$address" dev mgmt || { lab_fail "cannot set $address on the network mgmt"; return 1; }
  done
  for address in $LAB_METADATA_ADDRESSES; do options+=(--metadata "$address:80"); done
  # shellcheck disable=SC2016 # for the shell that is started
  CLOUDSIM_RUN=(bash -c 'echo $$ > "$0/rack/cgroup.procs" && exec nsenter "$@"' "$LAB_GROUP" -t "$LAB_RACK" -n -m --)
  cloudsim_start "$LAB/cloud" --address "$LAB_CLOUD_ADDRESS" --port 80 --https-port 443 "${options[@]}" || { lab_fail "the simulated cloud does not start"; return 1; }
  disown "$CLOUDSIM_PID"
  lab_cloud_hook
  cloudsim settings "$LAB_CLOUD_SETTINGS,\"hooks\":{\"all\":\"$LAB/cloud/hook\"}}" >/dev/null || return 1
  cloudsim_disk "$LAB_CLOUD" '"size":1,"name":"data"' || return 1
  LAB_DISK=$DISK LAB_DISK_SERIAL=$SERIAL
  case $LAB_CLOUD in aws) word=nvme-Amazon_Elastic_Block_Store_$SERIAL ;; *) word=virtio-$SERIAL ;; esac
  LAB_DISK_LINK=$word
  # Who has what; the nodes' control groups and disks are of the lab, and so is what is told here.
  printf '%s\n' "$LAB_CLOUD" "$LAB_DISK" "$LAB_DISK_SERIAL" "$LAB_DISK_LINK" > "$LAB/cloud/disk"
}

# The cloud's hand on the nodes, called as HOOK EVENT INSTANCE NODE ...
lab_cloud_hook() {
  printf '#!/bin/sh\nexec bash %q %q "$@"\n' "$LAB_SOURCE/node_cloud" "$LAB" > "$LAB/cloud/hook" && chmod 755 "$LAB/cloud/hook"
}

lab_cloud_instance() {
  local node=$1 number=$2
  cloudsim_instance "$LAB_CLOUD" "$node" "\"address\":\"192.0.2.$number\",\"guest\":\"198.51.100.$number\",\"metadata\":false" || return 1
  LAB_INSTANCES[$node]=$INSTANCE
}

# Runs in the rack's mount namespace.
lab_cloud_files() {
  local etc=$LAB/disk/$1/upper/root/etc address
  mkdir -p "$etc/vigil"
  for address in $LAB_METADATA_ADDRESSES; do echo "$address eth1"; done > "$etc/lab-routes"
  cp "$LAB/cloud/cloudsim/ca.pem" "$etc/vigil/cloud-ca.pem"
  echo "169.254.0.23 metadata.tencentyun.com" >> "$etc/hosts"
}

lab_cloud_disk_fill() {
  local node=$1 status
  shift
  bash "$LAB_SOURCE/node_cloud" "$LAB" attach - "$node" || { lab_fail "cannot have the disk" "$node"; return 1; }
  lab_exec "$node" "$@"
  status=$?
  bash "$LAB_SOURCE/node_cloud" "$LAB" detach - "$node" || return 1
  return $status
}

lab_cloud_hosts() {
  local node
  for node in "${LAB_NODES[@]}"; do printf '%s=%s ' "$node" "${LAB_INSTANCES[$node]}"; done
}

# What differs from the recipe on servers. The cloud's disk and address come first, so that a database that fails is started again without the cloud.
lab_cloud_configure() {
  local common=("cloud=$LAB_CLOUD" "endpoints=all=https://$LAB_CLOUD_ADDRESS" ca_file=/etc/vigil/cloud-ca.pem) hosts mode=secondary
  hosts=$(lab_cloud_hosts)
  if [ "$LAB_CLOUD" = huawei ]; then
    mode=havip
    cloudsim havip "{\"cloud\":\"huawei\",\"address\":\"$SERVICE_ADDRESS\"}" >/dev/null || return 1
  fi
  service_pcs -f /run/cib.xml resource create disk ocf:vigil:cloud-disk "volume=$LAB_DISK" link=/run/vigil/data "hosts=${hosts% }" "${common[@]}" \
    op start timeout=120s op stop timeout=120s op monitor interval=5s timeout=30s --group service --before volume &&
    service_pcs -f /run/cib.xml resource update volume device=/run/vigil/data &&
    service_pcs -f /run/cib.xml resource create cloud-address ocf:vigil:cloud-vip "address=$SERVICE_ADDRESS" mode=$mode "${common[@]}" \
      op start timeout=60s op stop timeout=60s op monitor interval=10s timeout=60s --group service --after disk &&
    service_pcs -f /run/cib.xml stonith delete fence &&
    service_pcs -f /run/cib.xml stonith create fence fence_vigil_cloud "hosts=${hosts% }" "${common[@]}" "pcmk_host_list=${LAB_NODES[*]}" \
      "pcmk_delay_base=n1:0s;n2:3s" op monitor interval=60s timeout=60s
}
