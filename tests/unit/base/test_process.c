/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/process.h"

/* A child that waits for its end under a name; returns once it bears the name. */
static pid_t start_child(const char *name)
{
    int fds[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, name);
        (void)!write(fds[1], "x", 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return pid;
}

static void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_alive_until_ended(void **state)
{
    struct process_identity identity = { 0 };
    pid_t pid = start_child("child");

    (void)state;
    assert_int_equal(process_identify(pid, &identity), 0);
    assert_int_equal(identity.pid, pid);
    assert_true(identity.start_ticks > 0);
    assert_int_equal(process_alive(&identity), 1);
    end_child(pid);
    assert_int_equal(process_alive(&identity), 0);
    assert_int_equal(process_open(&identity), -ESRCH);
    assert_int_equal(process_identify(pid, &identity), -ESRCH);
}

/* Whatever a process calls itself: proc(5) prints the name raw. */
static void test_hostile_names(void **state)
{
    static const char *const names[] = { "a) Z 1 (b", ") R 1", "((((", "))))", "a b c", "", "new\nline", "\n\n\n", ")\n(" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        pid_t pid = start_child(names[i]);
        struct process_identity identity = { 0 };
        int r = process_identify(pid, &identity);
        int alive = process_alive(&identity);

        end_child(pid);
        if (r != 0 || alive != 1)
            fail_msg("name %zu gives %d, alive %d", i, r, alive);
    }
}

static void test_zombie_has_ended(void **state)
{
    struct process_identity identity = { 0 };
    pid_t pid = start_child("zombie");
    siginfo_t info;

    (void)state;
    assert_int_equal(process_identify(pid, &identity), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_alive(&identity), 0);
    assert_int_equal(process_open(&identity), -ESRCH);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_another_start_time_is_another_process(void **state)
{
    struct process_identity identity = { 0 };

    (void)state;
    assert_int_equal(process_identify(getpid(), &identity), 0);
    identity.start_ticks++;
    assert_int_equal(process_alive(&identity), 0);
    assert_int_equal(process_open(&identity), -ESRCH);
}

static void test_open_gives_a_pidfd(void **state)
{
    struct process_identity identity = { 0 };
    pid_t pid = start_child("watched");
    _cleanup_close_ int pidfd = -1;

    (void)state;
    assert_int_equal(process_identify(pid, &identity), 0);
    pidfd = process_open(&identity);
    assert_true(pidfd >= 0);
    assert_int_equal(deadline_wait_fd(deadline_in(0), pidfd, POLLIN), -ETIMEDOUT);
    end_child(pid);
    /* With POLLHUP once it is reaped, on newer kernels. */
    assert_true(deadline_wait_fd(deadline_in(10000), pidfd, POLLIN) & POLLIN);
}

static void test_no_such_pid(void **state)
{
    struct process_identity identity = { .pid = 4711 };

    (void)state;
    assert_int_equal(process_identify(0, &identity), -ESRCH);
    assert_int_equal(process_identify(-1, &identity), -ESRCH);
    assert_int_equal(process_identify(1 << 30, &identity), -ESRCH);
    assert_int_equal(identity.pid, 4711);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alive_until_ended),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_zombie_has_ended),
        cmocka_unit_test(test_another_start_time_is_another_process),
        cmocka_unit_test(test_open_gives_a_pidfd),
        cmocka_unit_test(test_no_such_pid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
