/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"

static void test_left(void **state)
{
    struct deadline deadline = deadline_in(1000000);

    (void)state;
    assert_in_range(deadline_left_ms(deadline), 900000, 1000000);
    assert_false(deadline_passed(deadline));
    assert_true(deadline_passed(deadline_in(0)));
    assert_int_equal(deadline_left_ms((struct deadline){ 1 }), 0);
    assert_true(deadline_left_ms(DEADLINE_NEVER) == UINT64_MAX);
    assert_false(deadline_passed(DEADLINE_NEVER));
}

static void test_never_does_not_wrap(void **state)
{
    (void)state;
    assert_true(deadline_in(UINT64_MAX).at_ms == UINT64_MAX);
    assert_true(deadline_in(UINT64_MAX - 1).at_ms == UINT64_MAX);
    assert_true(deadline_share(DEADLINE_NEVER, 50).at_ms == UINT64_MAX);
}

static void test_poll_timeout(void **state)
{
    (void)state;
    assert_int_equal(deadline_poll_ms(DEADLINE_NEVER), -1);
    assert_int_equal(deadline_poll_ms(deadline_in(0)), 0);
    assert_int_equal(deadline_poll_ms(deadline_in((uint64_t)INT_MAX * 4)), INT_MAX);
}

static void test_within_takes_the_earlier(void **state)
{
    struct deadline soon = deadline_in(100), late = deadline_in(100000);

    (void)state;
    assert_true(deadline_within(soon, 100000).at_ms == soon.at_ms);
    assert_in_range(deadline_left_ms(deadline_within(late, 50)), 0, 50);
    assert_in_range(deadline_left_ms(deadline_within(DEADLINE_NEVER, 50)), 0, 50);
}

static void test_share(void **state)
{
    (void)state;
    assert_in_range(deadline_left_ms(deadline_share(deadline_in(1000000), 50)), 450000, 500000);
    assert_in_range(deadline_left_ms(deadline_share(deadline_in(99), 50)), 0, 50);
    assert_true(deadline_passed(deadline_share(deadline_in(0), 50)));
}

static void test_sleep_is_cut_by_the_deadline(void **state)
{
    uint64_t begin_ms = deadline_now_ms();

    (void)state;
    assert_int_equal(deadline_sleep(deadline_in(30), 60000), -ETIMEDOUT);
    assert_in_range(deadline_now_ms() - begin_ms, 30, 10000);
    assert_int_equal(deadline_sleep(deadline_in(60000), 5), 0);
    assert_int_equal(deadline_sleep(DEADLINE_NEVER, 5), 0);
}

static void on_alarm(int number)
{
    (void)number;
}

/* Signals that arrive all the time neither end a wait early nor make it longer. */
static void test_waits_survive_signals(void **state)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
    _cleanup_close_ int read_fd = -1, write_fd = -1;
    int fds[2];
    uint64_t begin_ms;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    read_fd = fds[0];
    write_fd = fds[1];
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    begin_ms = deadline_now_ms();
    assert_int_equal(deadline_sleep(deadline_in(60000), 40), 0);
    assert_in_range(deadline_now_ms() - begin_ms, 40, 10000);
    begin_ms = deadline_now_ms();
    assert_int_equal(deadline_wait_fd(deadline_in(40), read_fd, POLLIN), -ETIMEDOUT);
    assert_in_range(deadline_now_ms() - begin_ms, 40, 10000);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}

static void test_wait_fd(void **state)
{
    _cleanup_close_ int read_fd = -1, write_fd = -1;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    read_fd = fds[0];
    write_fd = fds[1];
    assert_int_equal(deadline_wait_fd(deadline_in(0), read_fd, POLLIN), -ETIMEDOUT);
    assert_int_equal(deadline_wait_fd(deadline_in(60000), write_fd, POLLOUT), POLLOUT);
    assert_int_equal(write(write_fd, "x", 1), 1);
    assert_int_equal(deadline_wait_fd(DEADLINE_NEVER, read_fd, POLLIN), POLLIN);
    /* Ready counts even where the deadline has passed. */
    assert_int_equal(deadline_wait_fd(deadline_in(0), read_fd, POLLIN), POLLIN);
    cleanup_close(&write_fd);
    write_fd = -1;
    assert_true(deadline_wait_fd(deadline_in(60000), read_fd, POLLIN) & POLLHUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_never_does_not_wrap),
        cmocka_unit_test(test_poll_timeout),
        cmocka_unit_test(test_within_takes_the_earlier),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_sleep_is_cut_by_the_deadline),
        cmocka_unit_test(test_waits_survive_signals),
        cmocka_unit_test(test_wait_fd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
