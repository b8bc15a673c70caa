/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigild's connection to Corosync where Corosync hangs: it takes messages and hands none out. It is said, nothing more is sent, and all goes on when
 * Corosync does. Corosync is replaced by what is noted here; a second of the loop's timers is 20 ms.
 */
#include "unit.h"

#include <poll.h>
#include <unistd.h>

#include "base/deadline.h"
#include "cluster/membership.h"
#include "cluster/process_group.h"
#include "cluster/quorum_watch.h"
#include "tools/watcher/flight.h"

#define HASTE 50
#define QUEUED_MAX 64

static struct {
    int wake[2]; /* readable: the group has something to hand out */
    const struct process_group_callbacks *callbacks;
    void *context;
    bool joined, hangs, closed;
    unsigned int sent, queued;
    uint8_t last[4096];
    size_t last_length;
} bus;

static qb_loop_t *loop;
static unsigned int lost, regained;

/* ---- what stands in for Corosync ------------------------------------------------------------------------------------------------ */

int __wrap_cluster_view_read(struct cluster_view *ret, struct deadline deadline);
int __wrap_process_group_open(const char *name, const struct process_group_callbacks *callbacks, void *context, struct deadline deadline,
                              struct process_group **ret);
void __wrap_process_group_close(struct process_group *group);
int __wrap_process_group_fd(const struct process_group *group);
int __wrap_process_group_dispatch(struct process_group *group);
int __wrap_process_group_send(struct process_group *group, const uint8_t *bytes, size_t length);
int __wrap_quorum_watch_open(quorum_changed changed, void *context, struct deadline deadline, struct quorum_watch **ret);
void __wrap_quorum_watch_close(struct quorum_watch *watch);
int __wrap_quorum_watch_fd(const struct quorum_watch *watch);
int32_t __real_qb_loop_timer_add(qb_loop_t *own, enum qb_loop_priority priority, uint64_t ns, void *data, qb_loop_timer_dispatch_fn call,
                                 qb_loop_timer_handle *ret);
int32_t __wrap_qb_loop_timer_add(qb_loop_t *own, enum qb_loop_priority priority, uint64_t ns, void *data, qb_loop_timer_dispatch_fn call,
                                 qb_loop_timer_handle *ret);

int32_t __wrap_qb_loop_timer_add(qb_loop_t *own, enum qb_loop_priority priority, uint64_t ns, void *data, qb_loop_timer_dispatch_fn call,
                                 qb_loop_timer_handle *ret)
{
    return __real_qb_loop_timer_add(own, priority, ns / HASTE, data, call, ret);
}

int __wrap_cluster_view_read(struct cluster_view *ret, struct deadline deadline)
{
    (void)deadline;
    *ret = (struct cluster_view){ .own_id = 1 };
    return 0;
}

int __wrap_quorum_watch_open(quorum_changed changed, void *context, struct deadline deadline, struct quorum_watch **ret)
{
    (void)changed, (void)context, (void)deadline;
    *ret = (struct quorum_watch *)(uintptr_t)1;
    return 0;
}

void __wrap_quorum_watch_close(struct quorum_watch *watch)
{
    (void)watch;
}

/* A pipe's end that nobody writes to. */
int __wrap_quorum_watch_fd(const struct quorum_watch *watch)
{
    static int ends[2] = { -1, -1 };

    (void)watch;
    if (ends[0] < 0)
        assert_int_equal(pipe(ends), 0);
    return ends[0];
}

static void wake(void)
{
    assert_int_equal(write(bus.wake[1], "", 1), 1);
}

int __wrap_process_group_open(const char *name, const struct process_group_callbacks *callbacks, void *context, struct deadline deadline,
                              struct process_group **ret)
{
    (void)name, (void)deadline;
    bus.callbacks = callbacks;
    bus.context = context;
    wake();
    *ret = (struct process_group *)(uintptr_t)1;
    return 0;
}

void __wrap_process_group_close(struct process_group *group)
{
    (void)group;
    bus.closed = true;
}

int __wrap_process_group_fd(const struct process_group *group)
{
    (void)group;
    return bus.wake[0];
}

/* First the members (this node and another one), then what was sent. */
int __wrap_process_group_dispatch(struct process_group *group)
{
    static const uint32_t members[] = { 1, 2 };
    char byte;

    (void)group;
    assert_int_equal(read(bus.wake[0], &byte, 1), 1);
    if (!bus.joined)
        bus.callbacks->members(bus.context, 1, members, 2);
    else
        bus.callbacks->received(bus.context, 1, bus.last, bus.last_length);
    bus.joined = true;
    return 0;
}

int __wrap_process_group_send(struct process_group *group, const uint8_t *bytes, size_t length)
{
    (void)group;
    bus.sent++;
    bus.last_length = length < sizeof(bus.last) ? length : sizeof(bus.last);
    memcpy(bus.last, bytes, bus.last_length);
    if (bus.hangs)
        bus.queued++;
    else
        wake();
    return 0;
}

/* ---- the bench -------------------------------------------------------------------------------------------------------------------- */

static void on_event(void *context, const struct event *event)
{
    (void)context;
    lost += event->kind == EVENT_CLUSTER_LOST;
    regained += event->kind == EVENT_CLUSTER_REGAINED;
}

static void stop_loop(void *data)
{
    (void)data;
    qb_loop_stop(loop);
}

static void run_for(uint64_t ms)
{
    qb_loop_timer_handle handle;

    assert_int_equal(__real_qb_loop_timer_add(loop, QB_LOOP_HIGH, ms * 1000000, NULL, stop_loop, &handle), 0);
    qb_loop_run(loop);
}

#define AWAIT(condition)                                                 \
    do {                                                                 \
        struct deadline await_deadline_ = deadline_in(20000);            \
                                                                         \
        while (!(condition) && !deadline_passed(await_deadline_))        \
            run_for(5);                                                  \
        assert_true(condition);                                          \
    } while (0)

static void note(struct recorder *recorder)
{
    (void)recorder_note_text(recorder, EVENT_NOTE, "thing", NULL, 0, "to be shared");
}

/* What `vigil status` says of it: the line's value, in a buffer of this function. */
static const char *described(const struct flight *flight, const char *name)
{
    static char value[256];
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    char *line;

    flight_describe(flight, &text);
    line = strstr(text.text, name);
    assert_non_null(line);
    (void)text_format(value, sizeof(value), "%.*s", (int)strcspn(line + strlen(name), "\n"), line + strlen(name));
    return value;
}

static void test_corosync_that_hangs(void **state)
{
    struct recorder_config recorder_config = { .folder = *state, .node = "n1", .node_id = 1 };
    struct flight_config config = { .listener = on_event };
    struct flight *flight;
    unsigned int sent;

    loop = qb_loop_create();
    config.loop = loop;
    assert_int_equal(pipe(bus.wake), 0);
    assert_int_equal(recorder_open(&recorder_config, &config.recorder), 0);
    assert_int_equal(flight_open(&config, &flight), 0);
    AWAIT(bus.sent > 2);
    run_for(1000);
    assert_true(flight_is_sharing(flight));
    assert_int_equal(lost, 0);
    assert_string_equal(described(flight, "sharing="), "yes");
    assert_string_equal(described(flight, "sharing_why="), "");

    bus.hangs = true;
    for (int i = 0; i < 200; i++) { /* more than the queue of a Corosync that hangs would take */
        note(config.recorder);
        run_for(1);
    }
    assert_in_range(bus.queued, 1, QUEUED_MAX);
    AWAIT(!flight_is_sharing(flight));
    assert_int_equal(lost, 1);
    assert_string_equal(described(flight, "sharing="), "no");
    assert_non_null(strstr(described(flight, "sharing_why="), "hands none out"));
    assert_int_equal(regained, 0);
    sent = bus.sent;
    for (int i = 0; i < 20; i++) {
        note(config.recorder);
        run_for(10);
    }
    assert_int_equal(bus.sent, sent);
    assert_false(bus.closed);

    bus.hangs = false;
    for (; bus.queued > 0; bus.queued--)
        wake();
    AWAIT(flight_is_sharing(flight));
    assert_int_equal(regained, 1);
    assert_string_equal(described(flight, "sharing_why="), "");
    AWAIT(bus.sent > sent);

    bus.hangs = true; /* and so when it ends: to leave the group would wait */
    note(config.recorder);
    AWAIT(!flight_is_sharing(flight));
    assert_int_equal(lost, 2);
    flight_close(flight);
    assert_false(bus.closed);
    recorder_close(config.recorder);
    qb_loop_destroy(loop);
}

static int make_folder(void **state)
{
    *state = unit_make_folder();
    return *state && unit_private_folders("/run/vigil", "/var/lib/vigil") == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    unit_remove_folder(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_corosync_that_hangs, make_folder, remove_folder) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
