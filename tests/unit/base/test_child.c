/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGV("/bin/sh", "-c", script)

static void run(const struct child_spec *spec, int wanted, struct child_result *result)
{
    int r = child_run(spec, deadline_in(60000), result);

    if (r != wanted)
        fail_msg("%s gives %d, wanted %d; output: %s", spec->argv[0], r, wanted, result->output.text ? result->output.text : "");
}

static void test_exit_codes_and_signals(void **state)
{
    struct child_spec spec = { .argv = SHELL("exit 7") };
    struct child_result result;

    (void)state;
    run(&spec, 0, &result);
    assert_int_equal(result.exit_code, 7);
    assert_int_equal(result.signal, 0);
    assert_false(result.timed_out);
    child_result_free(&result);
    spec.argv = ARGV("true");
    run(&spec, 0, &result);
    assert_int_equal(result.exit_code, 0);
    child_result_free(&result);
    spec.argv = SHELL("kill -KILL $$");
    run(&spec, 0, &result);
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGKILL);
    child_result_free(&result);
}

static void test_cannot_start(void **state)
{
    struct child_spec spec = { .argv = ARGV("/nonexistent/program") };
    struct child_result result;

    (void)state;
    run(&spec, -ENOENT, &result);
    assert_int_equal(result.exit_code, -1);
    child_result_free(&result);
    spec.argv = ARGV("no-such-program-anywhere");
    run(&spec, -ENOENT, &result);
    child_result_free(&result);
    spec.argv = ARGV("/etc/passwd");
    run(&spec, -EACCES, &result);
    child_result_free(&result);
    spec.argv = ARGV("/");
    run(&spec, -EACCES, &result);
    child_result_free(&result);
    spec = (struct child_spec){ .argv = ARGV("true"), .directory = "/nonexistent" };
    run(&spec, -ENOENT, &result);
    child_result_free(&result);
    spec = (struct child_spec){ .argv = ARGV("true"), .user = "no-such-user" };
    run(&spec, -ENOENT, &result);
    child_result_free(&result);
    spec = (struct child_spec){ .argv = ARGV("true"), .environment = ARGV("NOEQUALS") };
    run(&spec, -EINVAL, &result);
    child_result_free(&result);
}

static void check_output(const struct child_spec *spec, const char *wanted)
{
    _cleanup_child_result_ struct child_result result = { 0 };

    run(spec, 0, &result);
    assert_non_null(result.output.text);
    assert_string_equal(result.output.text, wanted);
}

static void test_environment_directory_input(void **state)
{
    struct child_spec spec = { .argv = SHELL("echo \"$A|$B\"; pwd; cat; echo err >&2") };

    (void)state;
    spec.environment = ARGV("A=1", "B=x=y");
    spec.directory = "/proc";
    spec.input = "some input\n";
    check_output(&spec, "1|x=y\n/proc\nsome input\nerr\n");
    /* No input means an end of file, not our standard input. */
    spec = (struct child_spec){ .argv = SHELL("cat; echo end") };
    check_output(&spec, "end\n");
    /* No shell: words stay what they are. */
    spec = (struct child_spec){ .argv = ARGV("echo", "$HOME;`id`", "*") };
    check_output(&spec, "$HOME;`id` *\n");
}

static void test_user(void **state)
{
    struct child_spec spec = { .argv = SHELL("id -un; id -gn; echo $HOME $USER"), .user = "daemon" };

    (void)state;
    if (geteuid() != 0) {
        struct child_result result;

        run(&spec, -EPERM, &result);
        child_result_free(&result);
        return;
    }
    check_output(&spec, "daemon\ndaemon\n/usr/sbin daemon\n");
    spec.group = "bin";
    spec.argv = SHELL("id -un; id -gn");
    check_output(&spec, "daemon\nbin\n");
}

/* What we hold open or ignore is not handed down. */
static void test_nothing_is_inherited(void **state)
{
    /* Signals 32 and 33 are the C library's own, which it lets nobody set. */
    struct child_spec spec = { .argv = SHELL("ls /proc/self/fd | tr '\\n' ' '; while read -r name value; do case $name in "
                                             "SigBlk:|SigIgn:) echo $name$((0x$value & 0x7fffffff)) ;; esac; done </proc/self/status") };
    _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t all, old;

    (void)state;
    assert_true(fd >= 0);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &old);
    (void)signal(SIGPIPE, SIG_IGN);
    check_output(&spec, "0 1 2 3 SigBlk:0\nSigIgn:0\n");
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static void test_output_is_bounded(void **state)
{
    struct child_spec spec = { .argv = SHELL("head -c 300000 /dev/zero | tr '\\0' x") };
    struct child_result result;

    (void)state;
    run(&spec, 0, &result);
    assert_int_equal(result.output.length, 65536);
    assert_int_equal(result.exit_code, 0);
    child_result_free(&result);
    spec.output_limit = 10;
    check_output(&spec, "xxxxxxxxxx");
}

static void check_timeout(const char *script)
{
    struct child_spec spec = { .argv = SHELL(script) };
    _cleanup_child_result_ struct child_result result = { 0 };
    uint64_t begin_ms = deadline_now_ms(), took_ms;
    int r;

    /* A hang of child_run itself ends here, and is seen as a killed test. */
    (void)alarm(60);
    r = child_run(&spec, deadline_in(300), &result);
    (void)alarm(0);
    took_ms = deadline_now_ms() - begin_ms;
    if (r != -ETIMEDOUT || !result.timed_out || result.exit_code != -1 || took_ms < 300 || took_ms > 40000)
        fail_msg("'%s' gives %d, timed out %d, exit %d in %llu ms", script, r, result.timed_out, result.exit_code, (unsigned long long)took_ms);
}

static void test_deadline(void **state)
{
    (void)state;
    check_timeout("sleep 1000");
    check_timeout("trap '' TERM INT HUP; while :; do sleep 1; done");
    /* Never silent: the deadline counts all the same. */
    check_timeout("while :; do echo noise; done");
    check_timeout("exec yes");
}

/* The whole process group ends at the deadline, not only the program that was started. */
static void test_deadline_ends_the_group(void **state)
{
    char *folder = unit_make_folder();
    char script[512], path[256], text[32];
    struct child_spec spec = { .argv = SHELL(script) };
    int64_t end_ms;
    pid_t pid;

    (void)state;
    (void)text_format(path, sizeof(path), "%s/pid", folder);
    (void)text_format(script, sizeof(script), "sleep 1000 & echo $! >%s; wait", path);
    /* Until the shell was quick enough to tell whom it had started before its deadline. */
    for (uint64_t limit_ms = 300;; limit_ms *= 2) {
        struct child_result result;

        assert_true(limit_ms < 60000);
        assert_int_equal(child_run(&spec, deadline_in(limit_ms), &result), -ETIMEDOUT);
        child_result_free(&result);
        if (file_read_line(path, text, sizeof(text)) > 0)
            break;
    }
    pid = (pid_t)strtol(text, NULL, 10);
    end_ms = (int64_t)deadline_now_ms() + 20000;
    for (;;) {
        struct process_identity identity;

        if (process_identify(pid, &identity) == -ESRCH)
            break;
        assert_true((int64_t)deadline_now_ms() < end_ms);
        (void)deadline_sleep(DEADLINE_NEVER, 10);
    }
    unit_remove_folder(folder);
}

/* A daemon that keeps our pipe does not hold us: what counts is the program's own end. */
static void test_daemon_does_not_hold(void **state)
{
    static const char *const scripts[] = { "sleep 1000 & echo started $!", "echo started; yes &" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct child_spec spec = { .argv = SHELL(scripts[i]) };
        _cleanup_child_result_ struct child_result result = { 0 };
        uint64_t begin_ms = deadline_now_ms();

        (void)alarm(60);
        assert_int_equal(child_run(&spec, deadline_in(50000), &result), 0);
        (void)alarm(0);
        assert_int_equal(result.exit_code, 0);
        assert_non_null(result.output.text);
        assert_true(deadline_now_ms() - begin_ms < 50000);
        assert_non_null(strstr(result.output.text, "started"));
        if (i == 0) /* the one that does not end with the pipe */
            assert_int_equal(kill((pid_t)strtol(strstr(result.output.text, "started") + 8, NULL, 10), SIGKILL), 0);
    }
}

static void test_start(void **state)
{
    struct child_spec spec = { .argv = SHELL("echo out; echo err >&2; exec sleep 1000") };
    char *folder = unit_make_folder();
    char path[256];
    _cleanup_close_ int log_fd = -1, pidfd = -1;
    _cleanup_free_ char *text = NULL;
    uint64_t end_ms = deadline_now_ms() + 20000;
    pid_t pid = 0;

    (void)state;
    (void)text_format(path, sizeof(path), "%s/log", folder);
    log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(child_start(&spec, log_fd, deadline_in(20000), &pidfd, &pid), 0);
    assert_true(pidfd >= 0);
    assert_int_equal(getpgid(pid), pid);
    assert_int_equal(getsid(pid), pid);
    for (;;) {
        free(TAKE_PTR(text));
        assert_int_equal(file_read(path, 100, &text, NULL), 0);
        if (strcmp(text, "out\nerr\n") == 0)
            break;
        assert_true(deadline_now_ms() < end_ms);
        (void)deadline_sleep(DEADLINE_NEVER, 10);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    unit_remove_folder(folder);
    spec.argv = ARGV("/nonexistent");
    pid = 4711;
    assert_int_equal(child_start(&spec, -1, deadline_in(20000), &pidfd, &pid), -ENOENT);
    assert_int_equal(pid, 4711);
}

/* ---- child_call ---- */

static int answer(void *argument, void *reply, size_t reply_size)
{
    if (reply)
        memset(reply, 'r', reply_size);
    return *(int *)argument;
}

static int hang(void *argument, void *reply, size_t reply_size)
{
    (void)argument;
    (void)reply;
    (void)reply_size;
    while (pause() < 0)
        continue;
    return 0;
}

static int die(void *argument, void *reply, size_t reply_size)
{
    (void)argument;
    (void)reply;
    (void)reply_size;
    (void)raise(SIGKILL);
    return 0;
}

static void test_call_answers(void **state)
{
    static char reply[200000];
    int wanted = 42;
    char small[4] = "abc";

    (void)state;
    assert_int_equal(child_call(answer, &wanted, NULL, 0, NULL, deadline_in(60000)), 42);
    wanted = -EIO;
    assert_int_equal(child_call(answer, &wanted, small, sizeof(small), NULL, deadline_in(60000)), -EIO);
    wanted = 0;
    /* More than a pipe holds. */
    assert_int_equal(child_call(answer, &wanted, reply, sizeof(reply), NULL, deadline_in(60000)), 0);
    assert_int_equal(reply[0], 'r');
    assert_int_equal(reply[sizeof(reply) - 1], 'r');
}

/* A child that was killed at its deadline ends when the machine finds time for it; none may live on. */
static void assert_no_children(void)
{
    struct deadline deadline = deadline_in(10000);

    while (waitpid(-1, NULL, WNOHANG) >= 0)
        assert_int_equal(deadline_sleep(deadline, 5), 0);
    assert_int_equal(errno, ECHILD);
}

static void test_call_is_bounded(void **state)
{
    uint64_t begin_ms = deadline_now_ms();

    (void)state;
    assert_int_equal(child_call(hang, NULL, NULL, 0, NULL, deadline_in(100)), -ETIMEDOUT);
    assert_in_range(deadline_now_ms() - begin_ms, 100, 50000);
    assert_int_equal(child_call(die, NULL, NULL, 0, NULL, deadline_in(60000)), -EPIPE);
    assert_no_children();
}

/* VIGIL_RUNDIR, on a /run of our own. */
static void private_run(void)
{
    char map[64];
    uid_t uid = geteuid();

    if (uid != 0)
        assert_int_equal(unshare(CLONE_NEWUSER), 0);
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    if (uid != 0) {
        (void)text_format(map, sizeof(map), "0 %u 1", (unsigned int)uid);
        assert_int_equal(file_write("/proc/self/uid_map", 0, map, strlen(map)), 0);
    }
    assert_int_equal(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), 0);
    if (strncmp(VIGIL_RUNDIR, "/run/", 5) != 0)
        assert_int_equal(file_make_directory(VIGIL_RUNDIR, 0755), 0);
}

static int look_at_descriptor(void *argument, void *reply, size_t reply_size)
{
    (void)reply;
    (void)reply_size;
    return fcntl(*(int *)argument, F_GETFD) >= 0;
}

/* A child that hangs in the kernel cannot be killed: with its caller's lock, it would lock out all who come after. */
static void test_call_does_not_keep_the_callers_locks(void **state)
{
    char *folder = unit_make_folder();
    _cleanup_free_ char *path = text_printf("%s/lock", folder);
    int lock_fd, other_fd;

    (void)state;
    assert_non_null(path);
    lock_fd = file_lock(path, deadline_in(0));
    assert_true(lock_fd >= 0);
    assert_int_equal(child_call(look_at_descriptor, &lock_fd, NULL, 0, NULL, deadline_in(20000)), 0);
    /* The number may be another file's by then. */
    assert_int_equal(close(lock_fd), 0);
    other_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(other_fd, lock_fd);
    assert_int_equal(child_call(look_at_descriptor, &other_fd, NULL, 0, NULL, deadline_in(20000)), 1);
    assert_int_equal(close(other_fd), 0);
    unit_remove_folder(folder);
}

static int hold_lock(void *argument, void *reply, size_t reply_size)
{
    (void)!write(*(int *)argument, "x", 1);
    return hang(NULL, reply, reply_size);
}

/* While a child hangs on a device, a second caller is told at once, and another device is not held up. */
static void test_call_one_child_per_thing(void **state)
{
    int fds[2], wanted = 5;
    char byte;
    uint64_t begin_ms;
    pid_t pid;

    (void)state;
    private_run();
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(child_call(hold_lock, &fds[1], NULL, 0, "/dev/sd a", deadline_in(60000)) == -ETIMEDOUT);
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    begin_ms = deadline_now_ms();
    assert_int_equal(child_call(answer, &wanted, NULL, 0, "/dev/sd a", deadline_in(20000)), -EBUSY);
    assert_true(deadline_now_ms() - begin_ms < 15000); /* it did not wait for its deadline */
    assert_int_equal(child_call(answer, &wanted, NULL, 0, "/dev/sdb", deadline_in(20000)), 5);
    assert_int_equal(child_call(answer, &wanted, NULL, 0, "../../etc", deadline_in(20000)), 5);
    assert_int_equal(access(VIGIL_RUNDIR "/child/%2e%2e%2f%2e%2e%2fetc", F_OK), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    /* Its child dies with it, and lets go of the lock. */
    begin_ms = deadline_now_ms();
    while (child_call(answer, &wanted, NULL, 0, "/dev/sd a", deadline_in(20000)) == -EBUSY)
        assert_true(deadline_now_ms() - begin_ms < 20000);
    /* Where no lock can be made, the call goes on. */
    assert_int_equal(mount("tmpfs", VIGIL_RUNDIR, "tmpfs", MS_RDONLY, NULL), 0);
    assert_int_equal(child_call(answer, &wanted, NULL, 0, "/dev/sdc", deadline_in(20000)), 5);
    assert_int_equal(umount(VIGIL_RUNDIR), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* The same with the first caller gone on: it left its child behind at its deadline, and the child took SIGKILL. */
static void test_call_lock_is_free_after_kill(void **state)
{
    int wanted = 5;
    uint64_t begin_ms = deadline_now_ms();

    (void)state;
    assert_int_equal(child_call(hang, NULL, NULL, 0, "dev", deadline_in(50)), -ETIMEDOUT);
    while (child_call(answer, &wanted, NULL, 0, "dev", deadline_in(20000)) != 5)
        assert_true(deadline_now_ms() - begin_ms < 20000);
}

static int write_marker(void *argument)
{
    const char *path = argument;

    return file_write(path, 0600, getsid(0) == getpid() ? "leader" : "follower", getsid(0) == getpid() ? 6 : 8) < 0 ? 1 : 9;
}

static void test_detach(void **state)
{
    char *folder = unit_make_folder();
    char path[256];
    _cleanup_free_ char *text = NULL;
    pid_t pid = 0;
    int status = 0;

    (void)state;
    (void)text_format(path, sizeof(path), "%s/marker", folder);
    assert_int_equal(child_detach(write_marker, path, &pid), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
    assert_int_equal(file_read(path, 100, &text, NULL), 0);
    assert_string_equal(text, "leader");
    unit_remove_folder(folder);
}

/* ---- faults ---- */

static void test_torture_run(void **state)
{
    struct child_spec spec = { .argv = SHELL("cat; exit 3"), .input = "input" };
    size_t fds = unit_count_fds();

    (void)state;
    for (unsigned int turn = 1; fault_next(turn, EAGAIN); turn++) {
        struct child_result result;
        int r = child_run(&spec, deadline_in(20000), &result);

        fault_end();
        /* A failed read of its output (EAGAIN) is tried again; anything else must be told. */
        if (r == 0 && result.exit_code != 3)
            fail_msg("%s failed at turn %u: success with exit code %d", fault_name(), turn, result.exit_code);
        /* A poll that fails when the program has ended already costs output, not the verdict. */
        if (r == 0 && fault_hit() && !result.output.failed && strcmp(fault_name(), "poll") != 0) {
            assert_non_null(result.output.text);
            assert_string_equal(result.output.text, "input");
        }
        child_result_free(&result);
        assert_int_equal(unit_count_fds(), fds);
        assert_no_children();
    }
}

static void test_torture_call(void **state)
{
    size_t fds = unit_count_fds();
    int wanted = 5;

    (void)state;
    for (unsigned int turn = 1; fault_next(turn, EAGAIN); turn++) {
        int r = child_call(answer, &wanted, NULL, 0, "torture", deadline_in(20000));

        fault_end();
        if (r != 5 && r >= 0)
            fail_msg("%s failed at turn %u: %d", fault_name(), turn, r);
        assert_int_equal(unit_count_fds(), fds);
        assert_no_children();
    }
}

/* A full process table, as the kernel tells it. */
static void test_full_process_table(void **state)
{
    struct child_spec spec = { .argv = ARGV("true") };
    struct child_result result;
    int wanted = 5, pidfd = -1, status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct rlimit none = { 0, 0 };

        /* The limit does not bind root. */
        if (setrlimit(RLIMIT_NPROC, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
            _exit(1);
        _exit(child_run(&spec, deadline_in(5000), &result) == -EAGAIN &&
                      child_start(&spec, -1, deadline_in(5000), &pidfd, &pid) == -EAGAIN &&
                      child_call(answer, &wanted, NULL, 0, NULL, deadline_in(5000)) == -EAGAIN &&
                      child_detach(write_marker, &wanted, NULL) == -EAGAIN
                  ? 0
                  : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* An agent may be started with no standard streams at all. */
static void test_closed_streams(void **state)
{
    struct child_spec spec = { .argv = SHELL("cat; echo out"), .input = "in " };
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct child_result result;
        int wanted = 5, r;

        (void)close_range(0, 2, 0);
        r = child_run(&spec, deadline_in(10000), &result);
        if (r != 0 || result.exit_code != 0)
            _exit(1);
        if (!result.output.text || strcmp(result.output.text, "in out\n") != 0)
            _exit(2);
        _exit(child_call(answer, &wanted, NULL, 0, "closed", deadline_in(10000)) == 5 ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes_and_signals),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_environment_directory_input),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_nothing_is_inherited),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_ends_the_group),
        cmocka_unit_test(test_daemon_does_not_hold),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_call_answers),
        cmocka_unit_test(test_call_is_bounded),
        cmocka_unit_test(test_call_does_not_keep_the_callers_locks),
        cmocka_unit_test(test_call_one_child_per_thing),
        cmocka_unit_test(test_call_lock_is_free_after_kill),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_torture_run),
        cmocka_unit_test(test_torture_call),
        cmocka_unit_test(test_full_process_table),
        cmocka_unit_test(test_closed_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
