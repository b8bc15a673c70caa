# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# service.bash: what the lab's cluster runs, and what the demo and the lab tests look at: PostgreSQL on the shared volume behind
# the virtual address, and a client that commits numbered rows through it.
#
#   service_volume_fill          makes the database on the shared volume (once, before the cluster has it)
#   service_configure AGENTS     gives the cluster its configuration, with pcs: AGENTS is "vigil" or "stock"; in a lab of LAB_CLOUD with the cloud's disk,
#                                address and fencing
#   service_nodes                the nodes that hold the address or the volume now, as the kernel of each says
#   service_on NODE              true when NODE, and no other, holds the address, the volume and an answering database
#   service_wait NODE SECONDS    waits for that, and for a cluster with nothing left to do
#   service_node                 the node it is on
#   client_start BINARY, client_stop    the client; its notes are in $LAB/log/client
#   client_check                 compares the acknowledged rows with the table: CLIENT_ROWS, CLIENT_LOST
#   watch_start, watch_stop      samples all nodes all the time; watch_stop fails when two ever held the address or the volume

SERVICE_ADDRESS=192.0.2.50
SERVICE_FOLDER=/srv/db
SERVICE_PGBIN=/usr/lib/postgresql/15/bin
SERVICE_CONNINFO="host=$SERVICE_ADDRESS user=ledger dbname=ledger sslmode=disable gssencmode=disable tcp_user_timeout=1000"

# --- setting up ---

# Runs on a node.
service_fill_here() {
  set -e
  mkdir -p "$1"
  mount "$3" "$1"
  install -d -o postgres -g postgres -m 700 "$1/data"
  cd /
  runuser -u postgres -- "$2/initdb" -D "$1/data" -A trust -E UTF8 --locale=C --no-instructions >/dev/null
  cat >> "$1/data/postgresql.conf" <<'EOF'
listen_addresses = '*'
unix_socket_directories = '/run/postgresql'
synchronous_commit = on
fsync = on
max_connections = 20
shared_buffers = 16MB
EOF
  echo "host all all 192.0.2.0/24 trust" >> "$1/data/pg_hba.conf"
  runuser -u postgres -- "$2/pg_ctl" -s -w -D "$1/data" -l "$1/data/server.log" start
  runuser -u postgres -- psql -q -h /run/postgresql <<'EOF'
CREATE ROLE ledger LOGIN;
CREATE DATABASE ledger OWNER ledger;
\connect ledger ledger
CREATE TABLE ledger (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
EOF
  runuser -u postgres -- "$2/pg_ctl" -s -w -D "$1/data" -m fast stop
  umount "$1"
}

service_volume_fill() {
  local node=${LAB_NODES[0]} run=(lab_exec) device=scsi-shared-volume
  [ -z "$LAB_CLOUD" ] || { run=(lab_cloud_disk_fill) device=$LAB_DISK_LINK; }
  "${run[@]}" "$node" bash -c "$(declare -f service_fill_here); service_fill_here \"\$@\"" fill "$SERVICE_FOLDER" "$SERVICE_PGBIN" \
    "/dev/disk/by-id/$device" >> "$LAB/log/$node/initdb.log" 2>&1 || lab_fail "cannot make the database; see initdb.log" "$node"
}

service_pcs() {
  lab_exec "${LAB_NODES[0]}" pcs "$@" >> "$LAB/log/pcs.log" 2>&1 ||
    lab_fail "pcs $1 ... failed: $(tail -n 3 "$LAB/log/pcs.log"); see $LAB/log/pcs.log" "${LAB_NODES[0]}"
}

# The controllers of the stock agent: a device for each node.
service_stock_fencing() {
  local number delay
  for ((number = 1; number <= ${#LAB_NODES[@]}; number++)); do
    delay=$([ $number -eq 2 ] && echo "pcmk_delay_base=3s")
    # shellcheck disable=SC2086 # at most one word
    service_pcs -f /run/cib.xml stonith create "fence-n$number" fence_ipmilan ip=198.51.100.$((100 + number)) \
      username="$BMC_USER" password="$BMC_PASSWORD" lanplus=1 cipher=3 pcmk_host_list="n$number" $delay || return 1
  done
}

# The recipe names the controllers of two nodes.
service_vigil_fencing() {
  local number map=''
  lab_exec_all install -D -m 600 /dev/stdin /etc/vigil/bmc-password <<< "$BMC_PASSWORD" || return 1
  [ ${#LAB_NODES[@]} -ne 2 ] || return 0
  for ((number = 1; number <= ${#LAB_NODES[@]}; number++)); do
    map+="n$number=198.51.100.$((100 + number)) "
  done
  service_pcs -f /run/cib.xml stonith update fence hosts="${map% }" pcmk_host_list="${LAB_NODES[*]}"
}

# The same command on each node, with the same standard input.
lab_exec_all() {
  local node input
  input=$(cat)
  for node in "${LAB_NODES[@]}"; do
    lab_exec "$node" "$@" <<< "$input" || { lab_fail "$* failed" "$node"; return 1; }
  done
}

service_configure() {
  local agents=$1 recipe=${LAB_RECIPE:-$LAB_SOURCE/../../xml/recipes/postgresql.xml}
  [ "$agents" != stock ] || recipe=$LAB_SOURCE/stock.xml
  lab_exec "${LAB_NODES[0]}" cp /dev/stdin /run/cib.xml < "$recipe" || return 1
  if [ -n "$LAB_CLOUD" ]; then lab_cloud_configure || return 1; else "service_${agents}_fencing" || return 1; fi
  # With more than two nodes, the one that takes over is known beforehand: the demo watches there.
  [ ${#LAB_NODES[@]} -eq 2 ] || service_pcs -f /run/cib.xml constraint location service prefers n2=25 || return 1
  service_pcs cluster cib-push /run/cib.xml scope=configuration
}

# --- looking: what each node's kernel says, not what the cluster believes ---

# The files of the nodes that run, in which an address or a mount shows. Prints "NODE PID" lines.
service_pids() {
  local node pid
  for node in "${LAB_NODES[@]}"; do
    pid=$(lab_node_pid "$node")
    [ ! -e "/proc/${pid:-none}/ns" ] || echo "$node $pid"
  done
}

node_has_address() {
  grep -qsF "|-- $SERVICE_ADDRESS" "/proc/$1/net/fib_trie"
}

node_has_volume() {
  grep -qsF " $SERVICE_FOLDER " "/proc/$1/mountinfo"
}

service_nodes() {
  local node pid
  while read -r node pid; do
    if node_has_address "$pid" || node_has_volume "$pid"; then echo "$node"; fi
  done < <(service_pids)
}

service_on() {
  local pid
  pid=$(lab_node_pid "$1") || return 1
  [ "$(service_nodes)" = "$1" ] && node_has_address "$pid" && node_has_volume "$pid" &&
    LAB_EXEC_LIMIT=5 lab_exec "$1" "$SERVICE_PGBIN/pg_isready" -q -h /run/postgresql -t 2
}

# A cluster with nothing left to do: the one that decides is idle.
cluster_idle() {
  local node
  for node in "${LAB_NODES[@]}"; do
    lab_node_is_off "$node" || ! LAB_EXEC_LIMIT=5 lab_exec "$node" crmadmin -q -S "$(cluster_dc "$node")" 2>/dev/null |
      grep -q S_IDLE || return 0
  done
  return 1
}

cluster_dc() {
  LAB_EXEC_LIMIT=5 lab_exec "$1" crmadmin -q -D 2>/dev/null | sed -n 's/.*: //p;/^[^:]*$/p' | tr -d ' '
}

service_wait() {
  lab_wait "$2" "the address, the volume and the database on $1 alone" service_on "$1" &&
    lab_wait 60 "a cluster with nothing left to do" cluster_idle
}

service_node() {
  local nodes
  nodes=$(service_nodes)
  [ -n "$nodes" ] && [ "$(wc -w <<< "$nodes")" -eq 1 ] && echo "$nodes"
}

# --- the client ---

client_start() {
  lab_exec client mkdir -p /var/log/ledger || return 1
  # shellcheck disable=SC2016 # for the shell that is started
  LAB_EXEC_LIMIT=0 lab_exec client ledger_client /var/log/ledger "${1:-5}" "$SERVICE_CONNINFO" \
    </dev/null >>"$LAB/log/client/ledger.log" 2>&1 3>&- 4>&- &
  CLIENT_LOG=$LAB/log/client/ledger
  disown $!
  lab_wait 30 "the client's first committed row" client_rows_reach 1
}

client_rows() {
  local row=0
  row=$(tail -n 1 "$CLIENT_LOG/acknowledged" 2>/dev/null)
  echo "${row%% *}"
}

# True when the row with that number, or a later one, was acknowledged.
client_rows_reach() {
  local row
  row=$(client_rows)
  [ "${row:-0}" -ge "$1" ]
}

client_stop() {
  lab_exec client pkill -TERM -x ledger_client
  lab_wait 10 "the end of the client" client_is_gone
}

client_is_gone() {
  ! lab_exec client pgrep -x ledger_client >/dev/null
}

# Compares with what a new connection through the address reads. Sets CLIENT_ROWS (acknowledged) and CLIENT_LOST.
client_check() {
  local acknowledged
  acknowledged=$(awk '{ print $1 }' "$CLIENT_LOG/acknowledged" | sort)
  CLIENT_ROWS=$(wc -l <<< "$acknowledged")
  lab_exec client psql -XAtq "$SERVICE_CONNINFO connect_timeout=10" -c 'SELECT id FROM ledger' > "$LAB/table" ||
    { lab_fail "cannot read the table through the address" client; return 1; }
  CLIENT_LOST=$(comm -23 <(echo "$acknowledged") <(sort "$LAB/table") | wc -l)
}

# The longest time between two acknowledged rows from row FIRST on, in milliseconds.
client_gap() {
  awk -v first="$1" '$1 >= first { if (last && $2 - last > gap) gap = $2 - last; last = $2 } END { printf "%d\n", gap / 1000 }' \
    "$CLIENT_LOG/acknowledged"
}

# --- never on two nodes ---

watch_loop() {
  local what count node pid pids samples=0
  while [ ! -e "$LAB/watch.stop" ]; do
    # "none": of all nodes, none may be on at this moment.
    pids=(none)
    for node in "${LAB_NODES[@]}"; do
      ! pid=$(lab_node_pid "$node") || pids+=("$pid")
    done
    for what in "net/fib_trie:|-- $SERVICE_ADDRESS" "mountinfo: $SERVICE_FOLDER "; do
      # shellcheck disable=SC2046 # one word for each process
      count=$(grep -lsF -- "${what#*:}" $(printf "/proc/%s/${what%%:*} " "${pids[@]}") | wc -l)
      [ "$count" -le 1 ] || echo "$EPOCHREALTIME $what on $count nodes" >> "$LAB/log/watch.violations"
    done
    samples=$((samples + 1))
    sleep 0.03
  done
  echo "$samples" > "$LAB/log/watch.samples"
}

watch_start() {
  rm -f "$LAB/watch.stop" "$LAB/log/watch.violations" "$LAB/log/watch.samples"
  watch_loop 3>&- 4>&- &
  WATCH_PID=$!
}

watch_stop() {
  : > "$LAB/watch.stop"
  wait "$WATCH_PID"
  [ "$(cat "$LAB/log/watch.samples" 2>/dev/null)" -gt 0 ] || { lab_fail "the watch on all nodes did not run"; return 1; }
  [ ! -s "$LAB/log/watch.violations" ] || { lab_fail "on two nodes at once: $(head -n 3 "$LAB/log/watch.violations")"; return 1; }
}
