/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node's health attributes: yellow behind two stalls, green again behind half a minute without one, and no word lost where Pacemaker can't be told.
 * The kernel's triggers are not waited for: no test may bring a machine to where it stalls.
 */
#include "unit.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/watcher/pressure.c"

static struct watcher watcher;
static char said[64];
static unsigned int says;
static int answer;

int __wrap_cluster_link_health(struct watcher *own, const char *attribute, const char *value);
uint64_t __wrap_recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value, const char *text);

int __wrap_cluster_link_health(struct watcher *own, const char *attribute, const char *value)
{
    (void)own;
    says++;
    (void)text_format(said, sizeof(said), "%s=%s", attribute, value);
    return answer;
}

uint64_t __wrap_recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value, const char *text)
{
    (void)recorder, (void)kind, (void)resource, (void)peer, (void)value, (void)text;
    return 0;
}

/* What the kernel says of the stalls since the boot. */
static void set_total(struct pressure *pressure, uint64_t total_us)
{
    char text[256];
    int length = text_format(text, sizeof(text), "some avg10=0.00 avg60=0.00 avg300=0.00 total=999\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=%llu\n",
                             (unsigned long long)total_us);

    assert_true(length > 0);
    assert_int_equal(ftruncate(pressure->fd, 0), 0);
    assert_int_equal(pwrite(pressure->fd, text, (size_t)length, 0), length);
}

/* As a vigild that begins. */
static void forget(struct pressure *pressure)
{
    watcher_cancel(&watcher, &pressure->timer);
    pressure->yellow = false;
    pressure->last_ms = 0;
}

static struct pressure *begin(size_t which)
{
    struct pressure *pressure = &pressures[which];

    pressure->watcher = &watcher;
    forget_yellow(pressure);
    forget(pressure);
    if (pressure->fd < 0)
        pressure->fd = memfd_create("pressure", MFD_CLOEXEC);
    set_total(pressure, 4711000000);
    assert_int_equal(read_stalled(pressure), 0);
    assert_int_equal(pressure->stalled_us, 4711000000);
    says = 0;
    answer = 0;
    return pressure;
}

static void stall(struct pressure *pressure)
{
    set_total(pressure, pressure->stalled_us + pressure->stall_us);
    (void)on_stall(-1, POLLPRI, pressure);
}

static void pass_quietly(struct pressure *pressure)
{
    pressure->last_ms -= QUIET_MS;
    watcher_cancel(pressure->watcher, &pressure->timer);
    look_for_quiet(pressure);
}

static void test_set_and_cleared(void **state)
{
    static const char *const yellow[] = { "#health-vigil-memory=yellow", "#health-vigil-io=yellow" };
    static const char *const green[] = { "#health-vigil-memory=green", "#health-vigil-io=green" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pressure *pressure = begin(i);

        stall(pressure);
        assert_int_equal(says, 0); /* one can be an accident */
        stall(pressure);
        assert_int_equal(says, 1);
        assert_string_equal(said, yellow[i]);
        stall(pressure);
        assert_int_equal(says, 1);
        look_for_quiet(pressure); /* not yet */
        assert_int_equal(says, 1);
        pass_quietly(pressure);
        assert_int_equal(says, 2);
        assert_string_equal(said, green[i]);
        assert_false(pressure->yellow);
    }
}

/* A new trigger of Linux 6.4 and later comes for nothing; so does one whose file can't be read, as far as that can be told. */
static void test_trigger_without_a_stall(void **state)
{
    struct pressure *pressure = begin(1);

    (void)state;
    for (int i = 0; i < 3; i++) {
        set_total(pressure, pressure->stalled_us + 3500);
        (void)on_stall(-1, POLLPRI, pressure);
    }
    assert_int_equal(ftruncate(pressure->fd, 0), 0);
    for (int i = 0; i < 3; i++)
        (void)on_stall(-1, POLLPRI, pressure);
    assert_int_equal(says, 0);
    stall(pressure);
    assert_int_equal(says, 0);
    stall(pressure);
    assert_int_equal(says, 1);
}

static void test_far_apart(void **state)
{
    struct pressure *pressure = begin(0);

    (void)state;
    stall(pressure);
    pressure->last_ms -= QUIET_MS;
    stall(pressure);
    assert_int_equal(says, 0);
}

static void test_pacemaker_cannot_be_told(void **state)
{
    struct pressure *pressure = begin(0);

    (void)state;
    answer = -ENOTCONN;
    stall(pressure);
    stall(pressure);
    assert_int_equal(says, 1);
    assert_false(pressure->yellow);
    answer = 0;
    stall(pressure); /* the next one tells */
    assert_true(pressure->yellow);
    answer = -ENOTCONN;
    pass_quietly(pressure);
    assert_true(pressure->yellow);
    answer = 0;
    pass_quietly(pressure);
    assert_false(pressure->yellow);
    assert_string_equal(said, "#health-vigil-memory=green");
}

/* What an earlier vigild has set is cleared by the next one, once; what none has set is not touched. */
static void test_restarted_vigild(void **state)
{
    struct pressure *pressure = begin(1);

    (void)state;
    take_up(pressure);
    assert_false(pressure->yellow);
    assert_int_equal(pressure->timer, 0);
    stall(pressure);
    stall(pressure);
    assert_string_equal(said, "#health-vigil-io=yellow");
    forget(pressure);
    take_up(pressure);
    assert_int_equal(says, 1); /* it may be so still */
    assert_true(pressure->timer != 0);
    answer = -ENOTCONN;
    pass_quietly(pressure);
    assert_int_equal(says, 2);
    forget(pressure); /* and that one had not reached Pacemaker yet */
    take_up(pressure);
    answer = 0;
    stall(pressure); /* there is pressure, and it is known */
    assert_int_equal(says, 2);
    pass_quietly(pressure);
    assert_int_equal(says, 3);
    assert_string_equal(said, "#health-vigil-io=green");
    forget(pressure);
    take_up(pressure);
    assert_false(pressure->yellow);
    assert_int_equal(pressure->timer, 0);
}

/* What Pacemaker could not be told is not cleared later. */
static void test_restart_without_pacemaker(void **state)
{
    struct pressure *pressure = begin(0);

    (void)state;
    answer = -ENOTCONN;
    stall(pressure);
    stall(pressure);
    assert_int_equal(says, 1);
    forget(pressure);
    take_up(pressure);
    assert_false(pressure->yellow);
}

static int make_loop(void **state)
{
    (void)state;
    watcher.loop = qb_loop_create();
    return watcher.loop ? unit_private_folders("/run/vigil", NULL) : -1;
}

static int end_loop(void **state)
{
    (void)state;
    qb_loop_destroy(watcher.loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_cleared),
        cmocka_unit_test(test_trigger_without_a_stall),
        cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_pacemaker_cannot_be_told),
        cmocka_unit_test(test_restarted_vigild),
        cmocka_unit_test(test_restart_without_pacemaker),
    };

    return cmocka_run_group_tests(tests, make_loop, end_loop);
}
