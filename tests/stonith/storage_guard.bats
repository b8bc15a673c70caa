#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # set by common.bash
# vigil-storage-guard over sessions of its own to a real target (tgtd), in a namespace: no kernel's disk, no virtual machine. Those: tests/vmlab/reservation.bats.
load ../lib/common
load ../lib/target

KEY_1=0x5600000000000001

setup() {
    node_start n1
    node_run mkdir -p /run/vigil/guard
}

teardown() {
    common_teardown
}

# guard NUMBER DEVICE: the list has this device, too.
guard() {
    printf 'vigil-guard 1\nowner data%s\nkey %s\nwwid \ndevice %s\n' "$1" $KEY_1 "$2" |
        node_run tee "/run/vigil/guard/path-000000000000000$1-path-0123456789abcdef" >/dev/null
}

# registered NUMBER: this node is registered with that LUN, and the list has it.
registered() {
    host_open "own$1" "$1" "own$1"
    assert_equal ok "$(host_say "own$1" register $KEY_1)"
    guard "$1" "$(target_url "$1" "guard$1")"
}

# A portal that takes connections and never answers, on the list as device 9.
guard_hanging_device() {
    local port
    node_spawn python3 -c '
import signal, socket, sys
server = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as file:
    print(server.getsockname()[1], file=file)
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()' "$BATS_TEST_TMPDIR/port"
    at_end kill "$spawned"
    wait_until 30 test -e "$BATS_TEST_TMPDIR/port"
    read -r port <"$BATS_TEST_TMPDIR/port"
    guard 9 "iscsi://127.0.0.1:$port/$TARGET_IQN/9?initiator=iqn.2026-01.org.example:hang"
}

storage_guard() {
    run node_run timeout 120 "$VIGIL_BUILD/tools/vigil-storage-guard" "$@"
    echo "$*: $status $output"
}

guard_has_ended() {
    ! kill -0 "$1" 2>/dev/null
}

@test "a node that is registered is kept; without its key it is lost, and watchdog(8) resets it" {
    target_start 2
    storage_guard check
    assert_equal "0 no guarded devices" "$status $output"
    registered 1
    registered 2
    storage_guard check --timeout=60s
    assert_equal 0 "$status"
    assert_equal 2 "$(grep -c ': registered$' <<<"$output")"
    storage_guard test --timeout=60s
    assert_equal "0 " "$status $output"
    assert_equal ok "$(host_say own2 unregister $KEY_1)"
    storage_guard check --timeout=60s
    assert_equal 1 "$status"
    [[ $output == *"(data1): registered"* && $output == *"(data2): lost: this node's key is not registered"* ]]
    storage_guard test --timeout=60s
    assert_equal 254 "$status"
    node_run "$VIGIL_BUILD/tools/vigil" fence-log --json | grep -q lost-registration || node_run cat "$(build_statedir)/records/decisions.jsonl" | grep -q lost-registration
}

@test "a device that does not answer is no loss, is told, and holds up no verdict on another" {
    local begin
    target_start 1
    registered 1
    guard_hanging_device
    storage_guard check --timeout=10s
    assert_equal 0 "$status"
    [[ $output == *"(data1): registered"* && $output == *"(data9): "* && $output != *"(data9): registered"* ]]
    assert_equal ok "$(host_say own1 unregister $KEY_1)"
    begin=$SECONDS
    storage_guard test --timeout=100s
    assert_equal 254 "$status"
    assert test $((SECONDS - begin)) -lt 50
}

@test "the guard that runs sees a loss while its look at another device hangs" {
    target_start 1
    registered 1
    guard_hanging_device
    node_spawn sh -c "$VIGIL_BUILD/tools/vigil-storage-guard run --interval=200ms --timeout=100s >'$BATS_TEST_TMPDIR/said' 2>&1; echo \$? >'$BATS_TEST_TMPDIR/code'"
    at_end kill "$spawned"
    # It is at work: a session to the portal that hangs is there.
    wait_until 30 hanging_session
    assert_equal ok "$(host_say own1 write)"
    refute test -e "$BATS_TEST_TMPDIR/code"
    assert_equal ok "$(host_say own1 unregister $KEY_1)"
    wait_until 50 test -s "$BATS_TEST_TMPDIR/code"
    assert_equal 1 "$(cat "$BATS_TEST_TMPDIR/code")"
    grep -q 'registration is lost' "$BATS_TEST_TMPDIR/said"
}

hanging_session() {
    node_run ss -Htn state established "dport = :$(cat "$BATS_TEST_TMPDIR/port")" | grep -q .
}
