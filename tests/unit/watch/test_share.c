/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes of one process, on a bus that the test owns: it brings a message to all members in one order, as Corosync's groups do, and it can be split, full
 * or hostile. Each node has a clock of its own.
 */
#include "unit.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "watch/recorder.h"
#include "watch/share.h"
#include "watch/share_message.h"

#define NODES 4
#define MS 1000000ULL

struct node {
    uint32_t id;
    int part; /* of the split; -1: down */
    struct recorder *recorder;
    struct share *share;
    char *folder;
    int64_t clock_ahead_ns;
    int64_t drift_per_million;
};

struct packet {
    uint32_t from;
    int part;
    size_t length;
    uint8_t bytes[SHARE_MESSAGE_LIMIT];
};

static struct node nodes[NODES];
static struct packet packets[2048];
static size_t packet_count;
static uint64_t now_ns;
static uint64_t delay_ns; /* of each message */
static bool bus_full;
static size_t bytes_sent;

static uint64_t node_clock(void *context)
{
    const struct node *node = context;

    return (uint64_t)((int64_t)now_ns + node->clock_ahead_ns + (int64_t)(now_ns / 1000000) * node->drift_per_million);
}

static int send_packet(void *context, const uint8_t *bytes, size_t length)
{
    const struct node *node = context;
    struct packet *packet = &packets[packet_count];

    assert_true(length <= SHARE_MESSAGE_LIMIT);
    if (bus_full || packet_count == ARRAY_SIZE(packets))
        return -EAGAIN;
    packet_count++;
    *packet = (struct packet){ .from = node->id, .part = node->part, .length = length };
    memcpy(packet->bytes, bytes, length);
    bytes_sent += length;
    return 0;
}

static void tell_members(void)
{
    for (size_t i = 0; i < NODES; i++) {
        uint32_t ids[NODES];
        size_t count = 0;

        if (nodes[i].part < 0)
            continue;
        for (size_t j = 0; j < NODES; j++) {
            if (nodes[j].part == nodes[i].part)
                ids[count++] = nodes[j].id;
        }
        share_set_members(nodes[i].share, nodes[i].id, ids, count);
    }
}

static void deliver(void)
{
    size_t count = packet_count;
    static struct packet batch[ARRAY_SIZE(packets)];

    memcpy(batch, packets, count * sizeof(batch[0]));
    packet_count = 0;
    now_ns += delay_ns;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < NODES; j++) {
            if (nodes[j].part == batch[i].part && nodes[j].part >= 0)
                share_receive(nodes[j].share, batch[i].from, batch[i].bytes, batch[i].length, 0);
        }
    }
}

/* Lets time pass. */
static void run(unsigned int ms)
{
    for (uint64_t end = now_ns + ms * MS; now_ns < end; now_ns += 10 * MS) {
        for (size_t i = 0; i < NODES; i++) {
            if (nodes[i].part >= 0) {
                recorder_dispatch(nodes[i].recorder);
                assert_in_range(share_tick(nodes[i].share), 1, 1000);
            }
        }
        deliver();
    }
}

static void start_node(struct node *node, uint32_t id)
{
    struct recorder_config config = { .node_id = id, .memory_events = 1000 };
    char name[16];
    struct share_config share = { .send = send_packet, .clock_ns = node_clock, .context = node };

    node->id = id;
    node->part = 0;
    (void)text_format(name, sizeof(name), "n%u", id);
    config.node = name;
    config.folder = node->folder;
    assert_int_equal(recorder_open(&config, &node->recorder), 0);
    share.recorder = node->recorder;
    assert_int_equal(share_open(&share, &node->share), 0);
}

static void stop_node(struct node *node)
{
    node->part = -1;
    share_close(node->share);
    recorder_close(node->recorder);
    node->share = NULL;
    node->recorder = NULL;
}

static int start_all(void **state _unused_)
{
    now_ns = 1000000 * MS;
    packet_count = bytes_sent = 0;
    bus_full = false;
    delay_ns = MS / 5;
    for (size_t i = 0; i < NODES; i++) {
        nodes[i] = (struct node){ .folder = unit_make_folder() };
        start_node(&nodes[i], (uint32_t)i + 1);
    }
    tell_members();
    return 0;
}

static int stop_all(void **state _unused_)
{
    for (size_t i = 0; i < NODES; i++) {
        if (nodes[i].share)
            stop_node(&nodes[i]);
        unit_remove_folder(nodes[i].folder);
    }
    return 0;
}

/* How many stories (notes) a node knows of another; every one once. */
static size_t count_notes(const struct node *node, uint32_t of)
{
    const struct event *event, *other;
    size_t cursor = 0, count = 0;

    while ((event = recorder_next(node->recorder, &cursor))) {
        size_t rest = cursor;

        if (event->kind != EVENT_NOTE || event->origin.node_id != of)
            continue;
        count++;
        while ((other = recorder_next(node->recorder, &rest)))
            assert_false(other->sequence == event->sequence && event_origin_equal(&other->origin, &event->origin));
    }
    return count;
}

static void note(const struct node *node, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        (void)recorder_note_text(node->recorder, EVENT_NOTE, "db", NULL, i, "something has happened");
}

static void test_all_know_all(void **state _unused_)
{
    for (size_t i = 0; i < NODES; i++)
        note(&nodes[i], 10);
    run(500);
    for (size_t i = 0; i < NODES; i++) {
        for (uint32_t of = 1; of <= NODES; of++)
            assert_int_equal(count_notes(&nodes[i], of), 10);
    }
}

static void test_a_split_is_merged(void **state _unused_)
{
    note(&nodes[0], 5);
    run(500);
    nodes[2].part = nodes[3].part = 1;
    tell_members();
    for (size_t i = 0; i < NODES; i++)
        note(&nodes[i], 300);
    run(1000);
    assert_int_equal(count_notes(&nodes[0], 2), 300);
    assert_int_equal(count_notes(&nodes[0], 3), 0);
    assert_int_equal(count_notes(&nodes[3], 3), 300);
    nodes[2].part = nodes[3].part = 0;
    tell_members();
    run(3000);
    /* 1,205 events do not fit the memory of 1,000: what is new is there, nothing twice. */
    for (size_t i = 0; i < NODES; i++) {
        size_t sum = 0;

        for (uint32_t of = 1; of <= NODES; of++)
            sum += count_notes(&nodes[i], of);
        assert_in_range(sum, 900, 1000);
    }
}

static void test_what_a_dead_node_has_told_is_told_on(void **state _unused_)
{
    nodes[3].part = 1; /* away while it happens */
    tell_members();
    note(&nodes[0], 50);
    run(500);
    stop_node(&nodes[0]); /* and its owner dies */
    tell_members();
    nodes[3].part = 0;
    tell_members();
    run(1000);
    assert_int_equal(count_notes(&nodes[3], 1), 50);
}

static void test_a_restarted_node_gets_its_own_story_back(void **state _unused_)
{
    note(&nodes[0], 20);
    run(500);
    stop_node(&nodes[0]);
    unit_remove_folder(nodes[0].folder); /* its disk is lost as well */
    nodes[0].folder = unit_make_folder();
    tell_members();
    start_node(&nodes[0], 1);
    tell_members();
    run(1000);
    assert_int_equal(count_notes(&nodes[0], 1), 20);
    note(&nodes[0], 1); /* numbered anew, not confused with the first of before */
    run(500);
    assert_int_equal(count_notes(&nodes[1], 1), 21);
}

static void test_a_full_bus_delays_and_loses_nothing(void **state _unused_)
{
    run(1000);
    bus_full = true;
    note(&nodes[1], 200);
    run(2000);
    assert_int_equal(count_notes(&nodes[0], 2), 0);
    bus_full = false;
    run(500);
    assert_int_equal(count_notes(&nodes[0], 2), 200);
}

static void test_an_idle_cluster_is_quiet(void **state _unused_)
{
    run(5000);
    bytes_sent = 0;
    run(60000);
    /* A summary each and some pings: not more than 100 bytes a second and node. */
    assert_true(bytes_sent > 0);
    assert_in_range(bytes_sent, 1, 60 * 100 * NODES);
}

static const struct share_clock *clock_of(const struct node *node, uint32_t id)
{
    static const struct share_clock none;
    const struct share_clock *clock;
    size_t cursor = 0;

    while ((clock = share_next_clock(node->share, &cursor))) {
        if (clock->node_id == id)
            return clock;
    }
    return &none;
}

static void test_clocks(void **state _unused_)
{
    static const int64_t ahead_ms[NODES] = { 0, 3600000, -900000, 7 };

    for (size_t i = 0; i < NODES; i++)
        nodes[i].clock_ahead_ns = ahead_ms[i] * (int64_t)MS;
    tell_members();
    run(2000);
    for (size_t i = 0; i < NODES; i++) {
        for (uint32_t of = 1; of <= NODES; of++) {
            const struct share_clock *clock = clock_of(&nodes[i], of);
            int64_t error;

            if (of == nodes[i].id)
                continue;
            assert_int_not_equal(clock->measured_ns, 0);
            error = clock->offset_ns - (nodes[of - 1].clock_ahead_ns - nodes[i].clock_ahead_ns);
            assert_true(llabs(error) <= (int64_t)clock->uncertainty_ns);
            assert_in_range(clock->uncertainty_ns, 1, 20 * MS);
        }
    }
}

/* Two clocks that run apart by 60 parts in a million for an hour: the estimate goes with them. */
static void test_drifting_clocks(void **state _unused_)
{
    const struct share_clock *clock;

    nodes[1].drift_per_million = 60;
    tell_members();
    run(2000);
    for (int minute = 0; minute < 30; minute++) {
        int64_t error, allowed;

        run(60000);
        clock = clock_of(&nodes[0], 2);
        assert_int_not_equal(clock->measured_ns, 0);
        error = clock->offset_ns - ((int64_t)node_clock(&nodes[1]) - (int64_t)node_clock(&nodes[0]));
        allowed = (int64_t)(clock->uncertainty_ns + (now_ns - clock->measured_ns) / 10000);
        assert_true(llabs(error) <= allowed);
        assert_true(allowed < 30 * (int64_t)MS);
    }
}

static void test_clock_notes_are_few(void **state _unused_)
{
    const struct event *event;
    size_t cursor = 0, count = 0;

    for (int i = 0; i < 300; i++) {
        note(&nodes[1], 1);
        run(1000);
    }
    while ((event = recorder_next(nodes[0].recorder, &cursor)))
        count += event->kind == EVENT_CLOCK_OFFSET && event->origin.node_id == 1;
    assert_in_range(count, 3, 3 * 7); /* of three peers, in five minutes */
}

/* A peer of another version, and one that sends rubbish of every length and kind. */
static void test_hostile_bytes(void **state _unused_)
{
    struct share_counts before, after;
    uint8_t bytes[SHARE_MESSAGE_LIMIT + 100];
    unsigned int seed = 1;

    run(1000);
    share_get_counts(nodes[0].share, &before);
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)(seed = seed * 1103515245 + 12345) % (round % 100 ? 200 : sizeof(bytes));

        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        memcpy(bytes, "VG\x01", 3);
        if (round % 10 == 0)
            bytes[2] = 2;
        if (round % 10 < 8)
            bytes[3] = (uint8_t)(1 + seed % 5);
        share_receive(nodes[0].share, 2 + seed % 3, bytes, length, 0);
        if (round % 500 == 0)
            run(20);
    }
    share_get_counts(nodes[0].share, &after);
    assert_true(after.dropped > before.dropped);
    note(&nodes[1], 3);
    run(1000);
    assert_in_range(count_notes(&nodes[0], 2), 3, 1000);
}

/* One who asks for everything, again and again, gets bounded answers. */
static void test_a_greedy_peer(void **state _unused_)
{
    static struct share_buffer request;
    struct share_range range = { .origin = *recorder_origin(nodes[0].recorder), .first = 1, .last = 1000000 };
    struct share_counts before, after;

    note(&nodes[0], 500);
    run(1000);
    share_begin(&request, SHARE_REQUEST);
    share_put_number(&request, 1, 4);
    for (int i = 0; i < SHARE_RANGES_LIMIT; i++)
        share_put_range(&request, &range);
    share_get_counts(nodes[0].share, &before);
    for (int i = 0; i < 1000; i++)
        share_receive(nodes[0].share, 2, request.bytes, request.length, 0);
    run(1000);
    share_get_counts(nodes[0].share, &after);
    assert_true(after.sent - before.sent <= 500); /* 100 ticks of 4, at most */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_know_all, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_a_split_is_merged, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_what_a_dead_node_has_told_is_told_on, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_a_restarted_node_gets_its_own_story_back, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_a_full_bus_delays_and_loses_nothing, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_an_idle_cluster_is_quiet, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_clocks, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_drifting_clocks, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_clock_notes_are_few, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_hostile_bytes, start_all, stop_all),
        cmocka_unit_test_setup_teardown(test_a_greedy_peer, start_all, stop_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
