/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/process_set.h"

static void test_environ(void **state)
{
    static const char text[] = "A=b\0VIGIL_APPLICATION=x\0C=d";

    (void)state;
    assert_true(process_set_environ_marked(text, sizeof(text) - 1, "VIGIL_APPLICATION=x"));
    assert_true(process_set_environ_marked(text, sizeof(text) - 1, "C=d"));
    assert_false(process_set_environ_marked(text, sizeof(text) - 1, "VIGIL_APPLICATION="));
    assert_false(process_set_environ_marked(text, sizeof(text) - 1, "VIGIL_APPLICATION=xy"));
    assert_false(process_set_environ_marked(text, 10, "VIGIL_APPLICATION=x"));
    assert_false(process_set_environ_marked("", 0, "A"));
}

static void test_names(void **state)
{
    struct process_set set;
    char name[400];

    (void)state;
    assert_int_equal(process_set_locate("a/../b c:0", &set), 0);
    assert_string_equal(set.mark, "VIGIL_APPLICATION=a/../b c:0");
    if (set.cgroup[0])
        assert_non_null(strstr(set.cgroup, "/vigil/app-a_.._b_c:0"));
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(process_set_locate(name, &set), -ENAMETOOLONG);
}

/* A child in a session of its own stands for an application on a node without cgroups. */
static pid_t start_session(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        (void)setsid();
        (void)!write(ready[1], "", 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static void test_session(void **state)
{
    struct process_set set = { .mark = "VIGIL_APPLICATION=no such mark" };
    pid_t pids[4], pid = start_session();

    (void)state;
    assert_int_equal(process_identify(pid, &set.session), 0);
    assert_int_equal(process_set_populated(&set), 1);
    assert_true(process_set_contains(&set, pid));
    assert_false(process_set_contains(&set, getpid()));
    assert_false(process_set_contains(&set, 1));
    assert_int_equal(process_set_list(&set, pids, 4), 1);
    assert_int_equal(pids[0], pid);
    /* The same number with another start time is somebody else, who is neither seen nor signalled. */
    set.session.start_ticks--;
    assert_false(process_set_contains(&set, pid));
    assert_int_equal(process_set_signal(&set, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    assert_int_equal(process_set_wait_empty(&set, deadline_in(0)), 0);
    set.session.start_ticks++;
    assert_int_equal(process_set_wait_empty(&set, deadline_in(50)), -ETIMEDOUT);
    assert_int_equal(process_set_signal(&set, SIGKILL), 0);
    assert_int_equal(process_set_wait_empty(&set, deadline_in(60000)), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environ),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
