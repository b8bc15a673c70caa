# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# storage_network.bash: what the storage machine offers, and the nodes at it; and the cluster over them.

# Runs a command on every node at once; its outputs stand in $LAB/NODE.COMMAND.log.
nodes_all() {
  local name pids=() index=0 status=0 nodes
  mapfile -t nodes < <(lab_nodes)
  for name in "${nodes[@]}"; do
    machine_exec "$name" -t 300 "$@" > "$LAB/$name.last.log" 2>&1 &
    pids+=($!)
  done
  for name in "${nodes[@]}"; do
    wait "${pids[index]}" || { fail "$name: '$*': $(tail -n 3 "$LAB/$name.last.log")"; status=1; }
    index=$((index + 1))
  done
  return $status
}

san_up() {
  machine_exec st "guest_san_target $1 $2" && nodes_all "guest_san_login $1"
}

nvme_up() {
  machine_exec st "guest_nvme_target $1 $2" && nodes_all "guest_nvme_login $1"
}

# The file holds what stands in the CIB's <resources>, and may hold the lines <constraints>...</constraints> after it.
cluster_up() {
  local part=${1:-} name
  for name in $(lab_nodes); do
    if [ -n "$part" ]; then machine_put "$name" "$part" /etc/lab-resources.xml || return 1; fi
  done
  nodes_all "VIGIL_VMLAB_TOKEN=${VIGIL_VMLAB_TOKEN:-3000} guest_cluster $(lab_nodes | tr '\n' ' ')"
}
