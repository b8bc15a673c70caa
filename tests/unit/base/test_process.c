/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
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

static void *tell_and_stay(void *fd)
{
    (void)!write(*(int *)fd, "x", 1);
    for (;;)
        (void)pause();
    return NULL;
}

/* A program whose first thread ends alone: /proc shows a zombie that works on. */
static void test_first_thread_gone_is_alive(void **state)
{
    struct process_identity identity = { 0 };
    int fds[2], alive = -1;
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pthread_t thread;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pthread_create(&thread, NULL, tell_and_stay, &fds[1]) != 0)
            _exit(1);
        pthread_exit(NULL);
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    /* Until /proc shows the first thread's end. */
    for (struct deadline deadline = deadline_in(10000); !deadline_passed(deadline);) {
        char path[40], text[256] = "";
        _cleanup_fclose_ FILE *file = NULL;

        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
        file = fopen(path, "re");
        if (file && fgets(text, sizeof(text), file) && strstr(text, ") Z "))
            break;
    }
    if (process_identify(pid, &identity) == 0)
        alive = process_alive(&identity);
    end_child(pid);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(alive, 1);
}

/* Without /proc nothing is known of a process that lives. */
static void test_hidden_process_is_not_absent(void **state)
{
    pid_t tester = getpid(), pid = fork();
    int status = 0;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct process_identity identity;

        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", "/proc", "tmpfs", 0, NULL) < 0)
            _exit(2);
        _exit(process_identify(tester, &identity) == -EPERM && process_identify(1 << 30, &identity) == -ESRCH ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(WTERMSIG(status), 0);
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
        cmocka_unit_test(test_first_thread_gone_is_alive),
        cmocka_unit_test(test_hidden_process_is_not_absent),
        cmocka_unit_test(test_another_start_time_is_another_process),
        cmocka_unit_test(test_open_gives_a_pidfd),
        cmocka_unit_test(test_no_such_pid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
