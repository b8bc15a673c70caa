# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# watched.bash: how soon a failure is known to Pacemaker and repaired, stock agents polled every 10 s beside ours with vigild and a poll a minute; planned
# changes that must not be reported; what vigild costs. A cluster in namespaces of the bench's own.

watcher_tries=${WATCHER_TRIES:-50}         # kills of our application
watcher_stock_tries=${WATCHER_STOCK_TRIES:-5}
watcher_cycles=${WATCHER_CYCLES:-50}
watcher_idle_s=${WATCHER_IDLE_S:-30}
watcher_resources=${WATCHER_RESOURCES:-200}
watcher_many_s=${WATCHER_MANY_S:-120} # full minutes: ours are polled once in each, in a bunch, and less would count all of them or none

# WATCHER_PARTS="detection alarms cost many" chooses among the parts.

# --- figures ---

# Reads numbers, prints "MEDIAN P95 MOST COUNT"; "- - - 0" for none.
watcher_summary() {
    sort -n | awk '{ v[NR] = $1 } END {
        if (!NR) { print "- - - 0"; exit }
        p = int(NR * 0.95); if (p < NR * 0.95) p++
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
        print int(m + 0.5), v[p], v[NR], NR }'
}

# LABEL STOCK-FILE OURS-FILE [MEDIAN-BOUND [P95-BOUND]], in milliseconds.
watcher_line() {
    local stock ours bound='' median p95
    read -r -a stock <<<"$(watcher_summary <"$2")"
    read -r -a ours <<<"$(watcher_summary <"$3")"
    median=${ours[0]} p95=${ours[1]}
    if [ -n "${4:-}" ]; then
        bound="median $4 ms"
        if [ "$median" != - ] && [ "$median" -le "$4" ] && { [ -z "${5:-}" ] || [ "$p95" -le "$5" ]; }; then
            bound+="${5:+, p95 $5 ms}: met"; echo met >>"$bench_tally"
        else
            bound+="${5:+, p95 $5 ms}: NOT met"; echo missed >>"$bench_tally"
        fi
    fi
    printf '%-34s %-30s %-30s %s\n' "$1" "$(watcher_words "${stock[@]}")" "$(watcher_words "${ours[@]}")" "$bound" | sed 's/ *$//'
}

watcher_words() {
    [ "$4" -gt 0 ] && printf '%s ms, p95 %s, most %s (%s)' "$1" "$2" "$3" "$4" || echo "not within 25 s"
}

# --- detection ---

watcher_limit=25

# When Pacemaker logged the failure of RESOURCE last (our report, or a monitor's bad result), in ms since midnight; and how many there were.
watcher_failures() {
    grep -E "Result of (asyncmon|monitor) operation for $1 on n1: (error|not running|timed out|Timed out)" "$LAB/log/n1/pacemaker/pacemaker.log"
}
watcher_count() { watcher_failures "$1" | wc -l; }
watcher_last_ms() { watcher_failures "$1" | tail -n 1 | awk '{ print $3 }' | watcher_clock_ms; }
watcher_has_more() { [ "$(watcher_count "$1")" -gt "$2" ]; }
watcher_quiet_wait() { lab_wait "$@" 2>/dev/null; }

# Breaks something (a command), and appends to FILE after how many ms Pacemaker knew that RESOURCE had failed; nothing where it never did.
watcher_break() {
    local resource=$1 file=$2 before began
    shift 2
    before=$(watcher_count "$resource")
    began=$(watcher_now_ms)
    "$@" || return 1
    ! watcher_quiet_wait $watcher_limit known watcher_has_more "$resource" "$before" || echo $(($(watcher_last_ms "$resource") - began)) >>"$file"
}

watcher_settle() { lab_wait 60 "$1 on n1" watcher_settled "$1" n1; }

watcher_stock_pid() { lab_exec n1 cat /run/stock.pid; }

watcher_ours_ready() { watcher_registered n1 ours && watcher_answers 8080; }
watcher_stock_ready() { watcher_answers 8081; }

# One kill of the application on PORT, whose process is PID: known, and answering again.
watcher_kill_app() {
    local whose=$1 port=$2 pid=$3 wall answered before clock
    before=$(watcher_count "$whose")
    read -r wall answered <<<"$(lab_exec n1 answering_app kill "$port" "$pid")"
    [ -n "$answered" ] || { echo "bench: $whose did not answer again" >&2; return 1; }
    lab_wait 30 "the failure of $whose in Pacemaker's log" watcher_has_more "$whose" "$before" || return 1
    clock=$(date -d "@$((wall / 1000000)).$(printf '%06d' $((wall % 1000000)))" +%T.%3N | watcher_clock_ms)
    echo $(($(watcher_last_ms "$whose") - clock)) >>"$work/known.$whose"
    echo $((answered / 1000)) >>"$work/answer.$whose"
}

watcher_kills() {
    local try
    for ((try = 0; try < watcher_tries; try++)); do
        lab_wait 30 "our application" watcher_ours_ready || return 1
        sleep 0.$((RANDOM % 9 + 1)) # not in step with anything
        watcher_kill_app ours 8080 "$(watcher_pid n1 ours)" || return 1
    done
    for ((try = 0; try < watcher_stock_tries; try++)); do
        lab_wait 30 "the stock application" watcher_stock_ready || return 1
        sleep $((RANDOM % 10)).$((RANDOM % 9)) # anywhere within the poll's interval
        watcher_kill_app stock 8081 "$(watcher_stock_pid)" || return 1
    done
}

# Stock and ours broken in one go, several times; each then is repaired by the cluster.
watcher_pairs() {
    local what=$1 tries=$2 stock_one=$3 our_one=$4 try
    shift 4
    for ((try = 0; try < tries; try++)); do
        watcher_settle "$stock_one" && watcher_settle "$our_one" || return 1
        sleep $((RANDOM % 10)).$((RANDOM % 9))
        "$@" "$work/$what.stock" "$work/$what.ours" || return 1
    done
}

watcher_break_address() {
    watcher_break our-ip "$2" lab_exec n1 ip addr del 192.0.2.61/24 dev eth0 && watcher_break stock-ip "$1" lab_exec n1 ip addr del 192.0.2.60/24 dev eth0
}

watcher_break_mount() {
    watcher_break our-volume "$2" lab_exec n1 umount /srv/ours && watcher_break stock-volume "$1" lab_exec n1 umount /srv/stock
}

watcher_break_link() {
    watcher_break our-link "$2" lab_link n1 mgmt down
    watcher_break stock-link "$1" true
    lab_link n1 mgmt up
    lab_exec n1 crm_resource --resource our-link --cleanup >/dev/null 2>&1
}

# Both answer again: a "settled" cluster may not know yet what the last try broke.
watcher_break_hung() {
    lab_wait 60 "both applications" eval 'watcher_ours_ready && watcher_stock_ready' || return 1
    watcher_break ours "$2" lab_exec n1 kill -USR1 "$(watcher_pid n1 ours)"
    watcher_break stock "$1" lab_exec n1 kill -USR1 "$(watcher_stock_pid)"
    lab_exec n1 kill -KILL "$(watcher_stock_pid)"
}

# The stock agent writes a file at its deepest level, and hangs until its operation is out of time.
watcher_break_storage() {
    local watcher_limit=40
    lab_wait 60 "our volume's registration" watcher_registered n1 our-disk || return 1
    watcher_break our-disk "$2" watcher_hanging_set ours h
    watcher_hanging_set ours o
    watcher_break stock-disk "$1" watcher_hanging_set stock h
    watcher_hanging_set stock o
}

watcher_pcs() { lab_exec n1 pcs "$@" >>"$LAB/log/pcs.log" 2>&1; }

# A second volume for the stock agent beside ours: each on a file system image of its own.
watcher_configure() {
    watcher_app ours 8080 watch_interval=0.1 watch_timeout=0.2 watch_failures=3 || return 1
    watcher_pcs resource create stock ocf:heartbeat:anything binfile=/usr/sbin/answering_app "cmdline_options=serve 8081 50" pidfile=/run/stock.pid \
        op monitor interval=10s timeout=20s --force || return 1
    watcher_pcs resource create our-ip ocf:vigil:vip ip=192.0.2.61 nic=eth0 cidr_netmask=24 op monitor interval=60s --force &&
        watcher_pcs resource create stock-ip ocf:heartbeat:IPaddr2 ip=192.0.2.60 nic=eth0 cidr_netmask=24 op monitor interval=10s --force &&
        watcher_pcs resource create our-link ocf:vigil:vip ip=198.51.100.61 nic=eth1 cidr_netmask=24 op monitor interval=60s --force &&
        watcher_pcs resource create stock-link ocf:heartbeat:IPaddr2 ip=198.51.100.60 nic=eth1 cidr_netmask=24 op monitor interval=10s --force || return 1
    lab_exec n1 mkdir -p /srv/ours /srv/stock
    watcher_pcs resource create our-volume ocf:vigil:san-volume device=/dev/disk/by-id/scsi-shared-volume directory=/srv/ours fstype=ext4 \
        op monitor interval=60s --force &&
        watcher_pcs resource create stock-volume ocf:heartbeat:Filesystem device=tmpfs directory=/srv/stock fstype=tmpfs op monitor interval=10s --force || return 1
    watcher_hanging_disk ours && watcher_hanging_disk stock && lab_exec n1 mkdir -p /srv/our-disk /srv/stock-disk || return 1
    watcher_pcs resource create our-disk ocf:vigil:san-volume device=/dev/disk/by-id/scsi-ours directory=/srv/our-disk fstype=ext4 io_timeout=1 \
        op monitor interval=60s op stop timeout=60s --force &&
        watcher_pcs resource create stock-disk ocf:heartbeat:Filesystem device=/dev/disk/by-id/scsi-stock directory=/srv/stock-disk fstype=ext4 \
            op monitor interval=10s timeout=20s OCF_CHECK_LEVEL=20 op stop timeout=60s --force
}

watcher_detection() {
    watcher_configure || { tail -n 5 "$LAB/log/pcs.log" >&2; return 1; }
    : | tee "$work"/{known,answer,address,mount,link,hung,storage}.{stock,ours} >/dev/null
    watcher_kills && watcher_pairs address 3 stock-ip our-ip watcher_break_address && watcher_pairs mount 3 stock-volume our-volume watcher_break_mount &&
        watcher_pairs hung 2 stock ours watcher_break_hung && watcher_pairs storage 2 stock-disk our-disk watcher_break_storage &&
        watcher_pairs link 2 stock-link our-link watcher_break_link || return 1
    printf '\n%s\n%-34s %-30s %-30s %s\n' "Failure to what Pacemaker knows (stock polled every 10 s; ours with vigild, polled every 60 s)" "" stock ours bound
    watcher_line "application killed: known" "$work/known.stock" "$work/known.ours" 20
    watcher_line "application killed: answers again" "$work/answer.stock" "$work/answer.ours" 300 500
    watcher_line "application hung (0.2 s, 3 times)" "$work/hung.stock" "$work/hung.ours"
    watcher_line "address deleted by hand" "$work/address.stock" "$work/address.ours"
    watcher_line "volume unmounted by hand" "$work/mount.stock" "$work/mount.ours"
    watcher_line "storage hung (ours: io_timeout=1)" "$work/storage.stock" "$work/storage.ours"
    watcher_line "link down" "$work/link.stock" "$work/link.ours"
}

# --- false alarms ---

watcher_false_alarms() {
    local number before reported
    watcher_app app 8090 || return 1
    place_result=$(lab_exec n1 crm_resource --resource app --move --node n1 2>&1) || :
    lab_wait 30 "its registration" watcher_registered n1 app || return 1
    before=$(($(watcher_reports n1 app) + $(watcher_reports n2 app)))
    watcher_load_start n1
    for ((number = 0; number < watcher_cycles; number++)); do
        watcher_cycle $number 8090 || return 1
    done
    watcher_load_stop n1
    reported=$(($(watcher_reports n1 app) + $(watcher_reports n2 app) - before))
    printf '\nplanned stops and starts, moves, reloads, maintenance, unmanaging, under load: %s, reported as failures: %s (bound 0: %s)\n' \
        "$watcher_cycles" "$reported" "$([ "$reported" -eq 0 ] && echo met || echo NOT met)"
    [ "$reported" -eq 0 ] && echo met >>"$bench_tally" || echo missed >>"$bench_tally"
}

# --- cost ---

# Runs vigild alone with COUNT registrations in namespaces of its own; prints "RSS-KiB PSS-KiB-OF-ALL CPU-PERCENT".
watcher_cost_of() {
    unshare --mount --net --pid --fork --kill-child --mount-proc bash "$parts/watcher_cost" "$1" "$build/tools/vigild" "$watcher_idle_s" 2>>"$work/cost.log"
}

watcher_cost() {
    local count rss pss cpu verdict
    printf '\n%-34s %-16s %-22s %-18s %s\n' "vigild, nothing happens" "resident" "with its children (PSS)" "of one CPU" bound
    for count in 1 10 100 1000; do
        read -r rss pss cpu <<<"$(watcher_cost_of $count)"
        [ -n "$cpu" ] || { tail -n 3 "$work/cost.log" >&2; return 1; }
        verdict=''
        if [ $count = 1000 ]; then
            if awk -v rss="$rss" -v cpu="$cpu" 'BEGIN { exit !(rss <= 10240 && cpu <= 0.2) }'; then
                verdict="10 MiB, 0.2 %: met"; echo met >>"$bench_tally"
            else
                verdict="10 MiB, 0.2 %: NOT met"; echo missed >>"$bench_tally"
            fi
        fi
        printf '%-34s %-16s %-22s %-18s %s\n' "$count watches" "$(awk -v k="$rss" 'BEGIN { printf "%.1f MiB", k / 1024 }')" \
            "$(awk -v k="$pss" 'BEGIN { printf "%.1f MiB", k / 1024 }')" "$cpu %" "$verdict" | sed 's/ *$//'
    done
}

# The CPU of a node of its own with many resources, in percent of one.
watcher_many() {
    local kind=$1 number xml='' before after cpus
    for ((number = 1; number <= watcher_resources; number++)); do
        case $kind in
            ours) xml+="<primitive id=\"many$number\" class=\"ocf\" provider=\"vigil\" type=\"app\"><instance_attributes id=\"many$number-p\"><nvpair id=\"many$number-s\" name=\"start\" value=\"sleep 100000\"/><nvpair id=\"many$number-t\" name=\"type\" value=\"foreground\"/><nvpair id=\"many$number-e\" name=\"settle\" value=\"0\"/></instance_attributes><operations><op id=\"many$number-m\" name=\"monitor\" interval=\"60s\" timeout=\"60s\"/></operations></primitive>" ;;
            stock) xml+="<primitive id=\"many$number\" class=\"ocf\" provider=\"heartbeat\" type=\"anything\"><instance_attributes id=\"many$number-p\"><nvpair id=\"many$number-s\" name=\"binfile\" value=\"/bin/sleep\"/><nvpair id=\"many$number-t\" name=\"cmdline_options\" value=\"100000\"/></instance_attributes><operations><op id=\"many$number-m\" name=\"monitor\" interval=\"10s\" timeout=\"60s\"/></operations></primitive>" ;;
        esac
    done
    lab_exec n1 cibadmin --modify --allow-create --scope resources --xml-pipe <<<"<resources>$xml</resources>" >&2 || return 1
    lab_wait 900 "$watcher_resources resources" watcher_many_run || return 1
    LAB_EXEC_LIMIT=0 lab_exec n1 crm_resource --wait --timeout=200 >/dev/null 2>&1
    before=$(awk '/^usage_usec/ { print $2 }' "$LAB_GROUP/n1/cpu.stat")
    sleep "$watcher_many_s"
    after=$(awk '/^usage_usec/ { print $2 }' "$LAB_GROUP/n1/cpu.stat")
    cpus=$(awk -v us=$((after - before)) -v s="$watcher_many_s" 'BEGIN { printf "%.1f", us / s / 10000 }')
    echo "$cpus"
}

watcher_many_run() {
    [ "$(lab_exec n1 crm_mon --one-shot --output-as=xml --include=resources 2>/dev/null | grep -c '<resource id="many.*role="Started"')" = "$watcher_resources" ]
}

watcher_lab() {
    lab_reap
    watcher_up "$1" "$work/stage"
}

watcher_lab_end() {
    lab_down
    LAB=''
}

watcher_compare_many() {
    local stock ours
    watcher_lab 1 && stock=$(watcher_many stock) && watcher_lab_end && watcher_lab 1 && ours=$(watcher_many ours) && watcher_lab_end || return 1
    printf '\n%-34s %-30s %-30s\n' "a node with $watcher_resources resources" "stock, polled every 10 s" "ours, vigild and every 60 s"
    printf '%-34s %-30s %-30s\n' "CPU of all of it (Corosync too)" "$stock % of one" "$ours % of one"
}

watcher_wants() { [[ " ${WATCHER_PARTS:-detection alarms cost many} " == *" $1 "* ]]; }

section_watcher() {
    local code=0
    # shellcheck source=tests/lab/lab.bash
    . "$source_root/tests/lab/lab.bash"
    # shellcheck source=tests/lab/watched_cluster.bash
    . "$source_root/tests/lab/watched_cluster.bash"
    TMPDIR=$work
    LAB_TMP=$work
    VIGIL_BUILD=$build
    watcher_stage "$build" "$work/stage" >"$work/stage.log" 2>&1 || { tail -n 5 "$work/stage.log" >&2; return 1; }
    if watcher_wants detection; then
        { watcher_lab 1 && watcher_detection; } || code=1
        watcher_lab_end
    fi
    if watcher_wants alarms; then
        { watcher_lab 2 && watcher_false_alarms; } || code=1
        watcher_lab_end
    fi
    if watcher_wants cost; then watcher_cost || code=1; fi
    if watcher_wants many; then watcher_compare_many || { code=1; watcher_lab_end; }; fi
    return $code
}
