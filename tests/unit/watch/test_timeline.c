/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "watch/timeline.h"

#define S 1000000000LL

static struct event_set set;
static uint64_t sequence;

static int begin(void **state _unused_)
{
    set = (struct event_set){ .limit = 10000 };
    sequence = 0;
    return 0;
}

static int end(void **state _unused_)
{
    event_set_free(&set);
    return 0;
}

/* An event of a node whose boot id is made of one byte. Times in ns. */
static struct event *add(const char *node, uint8_t boot, int64_t monotonic_ns, int64_t wall_ns, enum event_kind kind)
{
    struct event event = { .kind = (uint16_t)kind, .sequence = ++sequence, .monotonic_ns = (uint64_t)monotonic_ns, .wall_ns = (uint64_t)wall_ns };

    event.origin.incarnation = 1;
    memset(event.origin.boot_id, boot, EVENT_ID_SIZE);
    event_set_text(event.node, sizeof(event.node), node);
    event_set_add(&set, &event);
    assert_false(set.failed);
    return &set.events[set.count - 1];
}

/* What a node measured: peer's clock less its own. */
static void measure(const char *node, uint8_t boot, int64_t at_ns, const char *peer, uint8_t peer_boot, int64_t offset_ns, uint64_t uncertainty_ns)
{
    struct event *event = add(node, boot, at_ns, at_ns, EVENT_CLOCK_OFFSET);

    event->value = offset_ns;
    event->duration_ns = uncertainty_ns;
    event_set_text(event->peer, sizeof(event->peer), peer);
    memset(event->peer_boot_id, peer_boot, EVENT_ID_SIZE);
}

static struct timeline build(const char *node, uint8_t boot)
{
    struct timeline timeline;
    uint8_t id[EVENT_ID_SIZE];

    memset(id, boot, sizeof(id));
    event_set_finish(&set);
    assert_int_equal(timeline_build(&set, node, id, &timeline), 0);
    return timeline;
}

static void assert_order(const struct timeline *timeline, const enum event_kind *kinds, size_t count)
{
    assert_int_equal(timeline->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(timeline->entries[i].event.kind, kinds[i]);
}

static void test_wall_clocks_change_nothing(void **state _unused_)
{
    static const enum event_kind order[] = { EVENT_FAILURE_SEEN, EVENT_FAILURE_REPORTED, EVENT_STOP_BEGIN, EVENT_START_BEGIN, EVENT_START_END };
    static const int64_t steps[] = { 0, 3600 * S, -3600 * S };

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct timeline timeline;

        (void)begin(NULL);
        /* n1's wall clock is stepped between its events; n2's was never right. */
        (void)add("n1", 1, 100 * S, 50000 * S, EVENT_FAILURE_SEEN);
        (void)add("n1", 1, 100 * S + 1, 50000 * S + steps[i], EVENT_FAILURE_REPORTED);
        (void)add("n1", 1, 101 * S, 50001 * S + steps[i], EVENT_STOP_BEGIN);
        (void)add("n2", 2, 7 * S, 90 * S, EVENT_START_BEGIN);
        (void)add("n2", 2, 8 * S, 91 * S, EVENT_START_END);
        measure("n1", 1, 90 * S, "n2", 2, -95 * S, 1000);
        timeline = build("n1", 1);
        assert_order(&timeline, order, ARRAY_SIZE(order));
        assert_int_equal(timeline.entries[3].time_ns - timeline.entries[0].time_ns, 2 * S);
        assert_false(timeline.entries[3].by_wall_clock);
        /* The step was over when n1 noted its last: the axis is by the clock as it is now. */
        assert_int_equal(timeline.entries[0].time_ns, 50000 * S + steps[i]);
        timeline_free(&timeline);
        (void)end(NULL);
    }
}

static void test_a_way_over_others(void **state _unused_)
{
    struct timeline timeline;

    /* n1 never met n3: n2 knows both. And the better of two ways is taken. */
    (void)add("n1", 1, 100 * S, 1000 * S, EVENT_NOTE);
    (void)add("n3", 3, 305 * S, 5 * S, EVENT_NOTE);
    measure("n2", 2, 200 * S, "n1", 1, -100 * S, 2000000);
    measure("n2", 2, 200 * S, "n3", 3, 100 * S, 3000000);
    measure("n4", 4, 200 * S, "n1", 1, -100 * S + 5 * S, 900000000);
    measure("n4", 4, 200 * S, "n3", 3, 100 * S, 900000000);
    timeline = build("n1", 1);
    assert_int_equal(timeline.count, 2);
    assert_int_equal(timeline.entries[1].time_ns - timeline.entries[0].time_ns, 5 * S);
    assert_in_range(timeline.entries[1].uncertainty_ns, 5000000, 7000000);
    timeline_free(&timeline);
}

static void test_the_measurement_of_that_time_counts(void **state _unused_)
{
    struct timeline timeline;

    /* The clocks drift by 50 parts in a million: an hour makes 180 ms. */
    (void)add("n1", 1, 4000 * S, 4000 * S, EVENT_NOTE);
    (void)add("n2", 2, 100 * S, 100 * S, EVENT_NOTE);
    (void)add("n2", 2, 3700 * S + 180000000, 3700 * S, EVENT_NOTE);
    measure("n1", 1, 101 * S, "n2", 2, 0, 1000);
    measure("n1", 1, 3701 * S, "n2", 2, 180000000, 1000);
    timeline = build("n1", 1);
    assert_int_equal(timeline.entries[0].time_ns, 100 * S);
    assert_int_equal(timeline.entries[1].time_ns, 3700 * S);
    assert_true(timeline.entries[1].uncertainty_ns < 1000000);
    timeline_free(&timeline);
}

static void test_an_unmeasured_clock_is_marked(void **state _unused_)
{
    struct timeline timeline;

    (void)add("n1", 1, 100 * S, 1000 * S, EVENT_NOTE);
    (void)add("n2", 9, 5 * S, 1001 * S, EVENT_NODE_LEFT);
    timeline = build("n1", 1);
    assert_int_equal(timeline.entries[1].event.kind, EVENT_NODE_LEFT);
    assert_true(timeline.entries[1].by_wall_clock);
    assert_int_equal(timeline.entries[1].time_ns, 1001 * S);
    timeline_free(&timeline);
}

static void test_the_last_incident(void **state _unused_)
{
    struct timeline timeline;
    size_t first = 99, last = 99;

    (void)add("n1", 1, 100 * S, 100 * S, EVENT_START_BEGIN);
    (void)add("n1", 1, 200 * S, 200 * S, EVENT_NODE_LEFT);
    (void)add("n1", 1, 201 * S, 201 * S, EVENT_START_BEGIN);
    (void)add("n1", 1, 300 * S, 300 * S, EVENT_STOP_BEGIN);
    (void)add("n1", 1, 400 * S, 400 * S, EVENT_NOTE);
    timeline = build("n1", 1);
    assert_true(timeline_last_incident(&timeline, &first, &last));
    assert_int_equal(first, 1);
    assert_int_equal(last, 3);
    assert_int_equal(timeline_find(&timeline, 250 * S), 3);
    timeline_free(&timeline);
}

static void test_phases(void **state _unused_)
{
    struct timeline_phase phases[TIMELINE_PHASES];
    struct timeline timeline;
    struct event *event;
    size_t count;

    (void)add("n2", 1, 100 * S, 100 * S, EVENT_NODE_LEFT);
    (void)add("n2", 1, 101 * S, 101 * S, EVENT_FENCING_BEGIN);
    (void)add("n2", 1, 103 * S, 103 * S, EVENT_FENCING_END);
    (void)add("n2", 1, 104 * S, 104 * S, EVENT_START_BEGIN);
    (void)add("n2", 1, 105 * S, 105 * S, EVENT_START_END);
    (void)add("n2", 1, 106 * S, 106 * S, EVENT_PROBE_ANSWERED);
    event = add("n2", 1, 107 * S, 107 * S, EVENT_START_END);
    event->value = 1; /* a failure is no sign of service */
    (void)add("n2", 1, 110 * S, 110 * S, EVENT_NODE_JOINED);
    (void)add("n1", 1, 111 * S, 111 * S, EVENT_START_END); /* the node that came back */
    timeline = build("n2", 1);
    count = timeline_sum_up(&timeline, 0, timeline.count, phases);
    assert_int_equal(count, 4);
    assert_string_equal(phases[0].name, "until the cluster acted");
    assert_int_equal(phases[0].to_ns - phases[0].from_ns, 1 * S);
    assert_string_equal(phases[1].name, "fencing");
    assert_int_equal(phases[1].to_ns - phases[1].from_ns, 2 * S);
    assert_string_equal(phases[2].name, "start");
    assert_int_equal(phases[2].to_ns - phases[2].from_ns, 1 * S);
    assert_string_equal(phases[3].name, "until the service was back");
    assert_int_equal(phases[3].to_ns - phases[3].from_ns, 6 * S);
    assert_int_equal(timeline_sum_up(&timeline, 0, 0, phases), 0);
    timeline_free(&timeline);
}

static void test_begins_and_ends(void **state _unused_)
{
    struct timeline timeline;

    event_set_text(add("n1", 1, 1 * S, 1 * S, EVENT_START_BEGIN)->resource, EVENT_RESOURCE_SIZE, "a");
    event_set_text(add("n1", 1, 2 * S, 2 * S, EVENT_START_BEGIN)->resource, EVENT_RESOURCE_SIZE, "b");
    event_set_text(add("n1", 1, 3 * S, 3 * S, EVENT_START_END)->resource, EVENT_RESOURCE_SIZE, "b");
    event_set_text(add("n1", 1, 4 * S, 4 * S, EVENT_START_BEGIN)->resource, EVENT_RESOURCE_SIZE, "a");
    event_set_text(add("n1", 1, 5 * S, 5 * S, EVENT_START_END)->resource, EVENT_RESOURCE_SIZE, "a");
    timeline = build("n1", 1);
    assert_int_equal(timeline_find_end(&timeline, 0, 5), 5); /* was cut off, and begun anew */
    assert_int_equal(timeline_find_end(&timeline, 1, 5), 2);
    assert_int_equal(timeline_find_end(&timeline, 3, 5), 4);
    assert_int_equal(timeline_find_end(&timeline, 4, 5), 5);
    timeline_free(&timeline);
}

static void test_words(void **state _unused_)
{
    struct event event = { .kind = EVENT_STOP_END, .value = 1, .duration_ns = 1500000000 };
    char words[512];

    event_set_text(event.resource, sizeof(event.resource), "db %R %P");
    event_set_text(event.text, sizeof(event.text), "busy");
    assert_string_equal(timeline_words(&event, words, sizeof(words)), "stop of db %R %P has failed (1) after 1.500 s: busy");
    for (event.kind = 0; event.kind < EVENT_KIND_COUNT + 5; event.kind++)
        assert_int_not_equal(strlen(timeline_words(&event, words, sizeof(words))), 0);
}

/* Whatever a peer claims of times and offsets, it is computed. */
static void test_hostile_times(void **state _unused_)
{
    static const int64_t values[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX / 2, INT64_MAX };
    struct timeline timeline;
    size_t first, last;

    (void)add("n1", 1, 100 * S, 100 * S, EVENT_NOTE);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        (void)add("n2", 2, values[i], values[i], EVENT_NODE_LEFT);
        for (size_t j = 0; j < ARRAY_SIZE(values); j++)
            measure("n2", 2, values[i], "n1", 1, values[j], (uint64_t)values[ARRAY_SIZE(values) - 1 - j]);
    }
    for (int i = 0; i < 600; i++) { /* more boots than are looked at */
        struct event *event = add("n3", 3, 5, 5, EVENT_NOTE);

        event->origin.boot_id[0] = (uint8_t)i;
        event->origin.boot_id[1] = (uint8_t)(i >> 8);
    }
    timeline = build("n1", 1);
    (void)timeline_last_incident(&timeline, &first, &last);
    assert_int_equal(timeline.count, 1 + ARRAY_SIZE(values) + 600);
    timeline_free(&timeline);
    timeline = build("nobody", 77);
    timeline_free(&timeline);
}

static void test_no_event(void **state _unused_)
{
    struct timeline timeline = build("n1", 1);
    size_t first, last;

    assert_false(timeline_last_incident(&timeline, &first, &last));
    timeline_free(&timeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_clocks_change_nothing),
        cmocka_unit_test_setup_teardown(test_a_way_over_others, begin, end),
        cmocka_unit_test_setup_teardown(test_the_measurement_of_that_time_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_an_unmeasured_clock_is_marked, begin, end),
        cmocka_unit_test_setup_teardown(test_the_last_incident, begin, end),
        cmocka_unit_test_setup_teardown(test_phases, begin, end),
        cmocka_unit_test_setup_teardown(test_begins_and_ends, begin, end),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_hostile_times, begin, end),
        cmocka_unit_test_setup_teardown(test_no_event, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
