/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "power/interrupt.h"

static void test_interrupts_poll(void **state)
{
    uint64_t begin = deadline_now_ms();

    (void)state;
    assert_int_equal(interrupt_begin(deadline_in(50)), 0);
    assert_int_equal(poll(NULL, 0, 60000), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(poll(NULL, 0, 60000), -1); /* and again: a call that polls on is interrupted too */
    assert_true(interrupt_end());
    assert_true(deadline_now_ms() - begin < 50000);
}

static void test_in_time(void **state)
{
    (void)state;
    assert_int_equal(interrupt_begin(deadline_in(60000)), 0);
    assert_int_equal(poll(NULL, 0, 10), 0);
    assert_false(interrupt_end());
    assert_int_equal(interrupt_begin(DEADLINE_NEVER), 0);
    assert_false(interrupt_end());
}

static void test_deadline_in_the_past(void **state)
{
    (void)state;
    assert_int_equal(interrupt_begin((struct deadline){ 1 }), 0);
    assert_int_equal(poll(NULL, 0, 60000), -1);
    assert_true(interrupt_end());
}

/* The caller may have blocked the signal, or handle it: both are as before afterwards. */
static void test_restores(void **state)
{
    struct sigaction mine = { .sa_handler = SIG_IGN }, after;
    sigset_t blocked, now;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &mine, NULL), 0);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGALRM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    assert_int_equal(interrupt_begin(deadline_in(10)), 0);
    assert_int_equal(poll(NULL, 0, 60000), -1);
    assert_true(interrupt_end());
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    assert_int_equal(sigismember(&now, SIGALRM), 1);
    assert_int_equal(sigaction(SIGALRM, NULL, &after), 0);
    assert_true(after.sa_handler == SIG_IGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupts_poll),
        cmocka_unit_test(test_in_time),
        cmocka_unit_test(test_deadline_in_the_past),
        cmocka_unit_test(test_restores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
