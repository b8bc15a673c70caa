/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/child.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"

/* After SIGKILL a process that is not in state D ends within this time. */
#define KILL_GRACE_MS 500

void child_result_free(struct child_result *result)
{
    text_buffer_free(&result->output);
}

/* Waits for the process behind pid and reaps it; by short steps where there is no pidfd. Returns 0 and the wait status, or
 * -ETIMEDOUT. */
static int reap(pid_t pid, int pidfd, struct deadline deadline, int *ret_status)
{
    if (pidfd >= 0 && deadline_wait_fd(deadline, pidfd, POLLIN) == -ETIMEDOUT)
        return -ETIMEDOUT;
    for (;;) {
        pid_t ended = waitpid(pid, ret_status, WNOHANG);

        if (ended == pid)
            return 0;
        if (ended < 0 && errno != EINTR)
            return -errno;
        if (ended == 0 && deadline_sleep(deadline, 5) < 0)
            return -ETIMEDOUT;
    }
}

void child_reserve_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* open takes the lowest number that is free: this one. */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_RDWR);
    }
}

/* ---- in the child, before exec: everything here ends in _exit ---------------------------------------------------- */

/* The signals below `end`. */
static void reset_signals(int end)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int number = 1; number < end; number++) {
        if (number != SIGKILL && number != SIGSTOP)
            (void)sigaction(number, &action, NULL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts a descriptor, or /dev/null where it is negative, in the place of another. */
static int replace_fd(int fd, int place, int flags)
{
    _cleanup_close_ int null_fd = -1;

    if (fd < 0) {
        null_fd = open("/dev/null", flags | O_CLOEXEC);
        if (null_fd < 0)
            return -errno;
        fd = null_fd;
    }
    if (fd == place) {
        null_fd = null_fd == place ? -1 : null_fd;
        return fcntl(place, F_SETFD, 0) < 0 ? -errno : 0;
    }
    return dup2(fd, place) < 0 ? -errno : 0;
}

/* All three streams lead nowhere. */
static void leave_streams(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int place = STDIN_FILENO; fd >= 0 && place <= STDERR_FILENO; place++)
        (void)dup2(fd, place);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

/* Who a program is to run as. passwd: the user's entry, or NULL for no other user. */
struct owner {
    const struct passwd *passwd;
    uid_t uid;
    gid_t gid;
};

static int find_owner(const struct child_spec *spec, struct owner *ret)
{
    *ret = (struct owner){ .uid = geteuid(), .gid = getegid() };
    if (spec->user) {
        errno = 0;
        ret->passwd = getpwnam(spec->user);
        if (!ret->passwd)
            return errno ? -errno : -ENOENT;
        ret->uid = ret->passwd->pw_uid;
        ret->gid = ret->passwd->pw_gid;
    }
    if (spec->group) {
        const struct group *entry = getgrnam(spec->group);

        if (!entry)
            return -ENOENT;
        ret->gid = entry->gr_gid;
    }
    return 0;
}

static int become_user(const struct child_spec *spec, const struct owner *owner)
{
    if (!spec->user && !spec->group)
        return 0;
    if (spec->user && initgroups(spec->user, owner->gid) < 0)
        return -errno;
    if (setgid(owner->gid) < 0)
        return -errno;
    if (!spec->user)
        return 0;
    if (setuid(owner->uid) < 0)
        return -errno;
    (void)setenv("HOME", owner->passwd->pw_dir, 1);
    (void)setenv("USER", spec->user, 1);
    (void)setenv("LOGNAME", spec->user, 1);
    return 0;
}

static int add_environment(const char *const *environment)
{
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        _cleanup_free_ char *name = equals ? strndup(*environment, (size_t)(equals - *environment)) : NULL;

        if (!equals || equals == *environment)
            return -EINVAL;
        if (!name || setenv(name, equals + 1, 1) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Before exec, so that whatever the program forks is born inside: cgroup-v2.rst, "Processes". */
static int join_cgroup(const char *folder)
{
    _cleanup_close_ int fd = -1;
    char path[4096];

    if (text_format(path, sizeof(path), "%s/cgroup.procs", folder) < 0)
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, "0", 1) < 0 ? -errno : 0;
}

#define APPEND_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY)

/* Opens a file to append to with the rights of the user that the program will run as. Where these do not suffice, with our own, but then through no
 * symbolic link: one that this user can replace would lead us to append to any file of the system. */
static int open_append(const char *path, const struct owner *owner)
{
    struct open_how how = { .flags = APPEND_FLAGS, .mode = 0640, .resolve = RESOLVE_NO_SYMLINKS };
    uid_t own_uid = geteuid();
    gid_t own_gid = getegid();
    int fd;

    (void)setfsgid(owner->gid);
    (void)setfsuid(owner->uid);
    fd = open(path, APPEND_FLAGS, 0640);
    (void)setfsuid(own_uid);
    (void)setfsgid(own_gid);
    if (fd < 0 && owner->uid != own_uid && (errno == EACCES || errno == EPERM))
        fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

static int append_to(const char *path, const struct owner *owner, int place)
{
    _cleanup_close_ int fd = open_append(path, owner);

    if (fd < 0)
        return fd;
    return dup2(fd, place) < 0 ? -errno : 0;
}

/* The descriptors that a child gets: negative is /dev/null; keep leaves the parent's own. */
struct child_streams {
    int input;
    int output;
    bool keep_output;
};

/* Ends this child with its parent, which may be gone already: the signal comes only for a death after the call. */
static void die_with_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
}

/* parent: while it prepares itself the child ends with it. Nobody would know of it: it is in no cgroup yet, has no mark in its environment, and would be there when
 * a stop has found nothing. File system ids and setuid clear what die_with_parent() sets: prctl(2). */
static int prepare_child(const struct child_spec *spec, const struct child_streams *streams, pid_t parent)
{
    struct owner owner;
    int r;

    die_with_parent(parent);
    reset_signals(NSIG);
    /* Until exec closes them: chdir and exec may hang on a dead file system. */
    file_leave_locks(-1);
    r = replace_fd(streams->input, STDIN_FILENO, O_RDONLY);
    if (r == 0 && !streams->keep_output)
        r = replace_fd(streams->output, STDOUT_FILENO, O_WRONLY);
    if (r == 0 && !streams->keep_output)
        r = replace_fd(streams->output, STDERR_FILENO, O_WRONLY);
    if (r == 0)
        r = find_owner(spec, &owner);
    if (r == 0 && spec->output_path)
        r = append_to(spec->output_path, &owner, STDOUT_FILENO);
    if (r == 0 && (spec->output_path || spec->error_path))
        r = append_to(spec->error_path ? spec->error_path : spec->output_path, &owner, STDERR_FILENO);
    die_with_parent(parent);
    if (r == 0 && spec->cgroup)
        r = join_cgroup(spec->cgroup);
    if (r == 0)
        r = become_user(spec, &owner);
    die_with_parent(parent);
    if (r == 0 && spec->directory && chdir(spec->directory) < 0)
        r = -errno;
    if (r == 0)
        r = add_environment(spec->environment);
    return r;
}

static _noreturn_ void exec_child(const struct child_spec *spec, const struct child_streams *streams, int error_fd,
                                  pid_t parent, bool dies_with_parent)
{
    int error = prepare_child(spec, streams, parent);

    if (error == 0) {
        /* Nor a descriptor that our own caller forgot to mark. Before Linux 5.11 the flag is unknown, and no worse. */
        (void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        if (!dies_with_parent)
            (void)prctl(PR_SET_PDEATHSIG, 0);
        /* execvp's argument lacks a const that it keeps: see the rationale in POSIX exec. */
        (void)execvp(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
        error = -errno;
    }
    (void)!write(error_fd, &error, sizeof(error));
    _exit(127);
}

/* ---- in the parent ---------------------------------------------------------------------------------------------- */

/* Waits until the child's exec has closed the pipe (0), or has told its error. A program on a dead file system hangs here. */
static int wait_exec(int fd, struct deadline deadline)
{
    int error = 0;
    int r = deadline_wait_fd(deadline, fd, POLLIN);

    if (r < 0)
        return r;
    return read(fd, &error, sizeof(error)) == (ssize_t)sizeof(error) ? error : 0;
}

/* Forks and executes. The child leads a session of its own. Returns once exec has succeeded or failed. */
static int spawn(const struct child_spec *spec, const struct child_streams *streams, bool dies_with_parent,
                 struct deadline deadline, int *ret_pidfd, pid_t *ret_pid)
{
    _cleanup_close_ int read_fd = -1, write_fd = -1, pidfd = -1;
    int error = 0, status, pipe_fds[2];
    pid_t pid, parent = getpid();

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    read_fd = pipe_fds[0];
    write_fd = pipe_fds[1];
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        (void)setsid();
        exec_child(spec, streams, write_fd, parent, dies_with_parent);
    }
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        error = -errno;
    cleanup_close(&write_fd);
    write_fd = -1;
    if (error == 0)
        error = wait_exec(read_fd, deadline);
    if (error != 0) {
        (void)kill(pid, SIGKILL);
        (void)reap(pid, pidfd, deadline_in(KILL_GRACE_MS), &status);
        return error;
    }
    *ret_pidfd = TAKE_FD(pidfd);
    *ret_pid = pid;
    return 0;
}

/* The text as a descriptor to read it from, or -1 for none. Returns 0 or -errno. */
static int open_input(const char *text, int *ret_fd)
{
    _cleanup_close_ int fd = -1;
    size_t length;

    if (!text)
        return 0;
    length = strlen(text);
    fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, text, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) < 0)
        return -EIO;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Reads what there is. Returns 1 when more may come, 0 at the end. */
static int collect_output(int fd, size_t limit, struct text_buffer *output)
{
    char block[4096];
    ssize_t n = read(fd, block, sizeof(block));

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return 0;
    if (output->length < limit) {
        size_t room = limit - output->length;

        text_buffer_append(output, block, (size_t)n < room ? (size_t)n : room);
    }
    return 1;
}

/* What is in the pipe already, for a program that has ended: bounded, since a grandchild may go on writing. */
static void drain_output(int fd, size_t limit, struct text_buffer *output)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };

    for (int block = 0; block < 64 && poll(&pollfd, 1, 0) > 0; block++) {
        if (!collect_output(fd, limit, output))
            return;
    }
}

/* Collects output until the program ends. A grandchild that keeps the pipe open (a daemon) does not hold us: what counts is the
 * program's own end. */
static int follow_child(int pidfd, int output_fd, size_t limit, struct deadline deadline, struct text_buffer *output)
{
    for (;;) {
        struct pollfd fds[2] = { { .fd = pidfd, .events = POLLIN }, { .fd = output_fd, .events = POLLIN } };
        int r = poll(fds, 2, deadline_poll_ms(deadline));

        if (r < 0 && errno != EINTR)
            return -errno;
        if (r > 0 && fds[0].revents) {
            drain_output(output_fd, limit, output);
            return 0;
        }
        if (r > 0 && fds[1].revents && !collect_output(output_fd, limit, output))
            output_fd = -1;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
}

static void note_status(int status, struct child_result *result)
{
    if (WIFEXITED(status))
        result->exit_code = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        result->signal = WTERMSIG(status);
}

int child_run(const struct child_spec *spec, struct deadline deadline, struct child_result *result)
{
    _cleanup_close_ int input_fd = -1, output_fd = -1, child_output_fd = -1, pidfd = -1;
    struct child_streams streams = { .input = -1, .output = -1, .keep_output = spec->inherit_output };
    int r, status = 0, pipe_fds[2];
    pid_t pid;

    *result = (struct child_result){ .exit_code = -1 };
    child_reserve_streams();
    r = open_input(spec->input, &input_fd);
    if (r < 0)
        return r;
    if (!spec->inherit_output) {
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
            return -errno;
        output_fd = pipe_fds[0];
        child_output_fd = pipe_fds[1];
        (void)fcntl(output_fd, F_SETFL, O_NONBLOCK);
    }
    streams.input = input_fd;
    streams.output = child_output_fd;
    r = spawn(spec, &streams, true, deadline, &pidfd, &pid);
    result->timed_out = r == -ETIMEDOUT;
    if (r < 0)
        return r;
    cleanup_close(&child_output_fd);
    child_output_fd = -1;

    r = follow_child(pidfd, output_fd, spec->output_limit ? spec->output_limit : 65536, deadline, &result->output);
    if (r < 0) {
        result->timed_out = r == -ETIMEDOUT;
        (void)kill(-pid, SIGKILL);
        (void)reap(pid, pidfd, deadline_in(KILL_GRACE_MS), &status);
        return r;
    }
    r = reap(pid, pidfd, deadline_in(KILL_GRACE_MS), &status);
    if (r == 0)
        note_status(status, result);
    return r;
}

int child_start(const struct child_spec *spec, int log_fd, struct deadline deadline, int *ret_pidfd, pid_t *ret_pid)
{
    _cleanup_close_ int input_fd = -1;
    struct child_streams streams = { .output = log_fd, .keep_output = spec->inherit_output };
    int r;

    child_reserve_streams();
    r = open_input(spec->input, &input_fd);
    if (r < 0)
        return r;
    streams.input = input_fd;
    return spawn(spec, &streams, false, deadline, ret_pidfd, ret_pid);
}

/* The lock file's path; every byte that could leave the folder or clash is written as %XX. */
static int format_lock_path(const char *name, struct text_buffer *path)
{
    text_buffer_printf(path, "%s/child/", VIGIL_RUNDIR);
    for (; *name; name++) {
        if (isalnum((unsigned char)*name) || *name == '-' || *name == '_')
            text_buffer_append(path, name, 1);
        else
            text_buffer_printf(path, "%%%02x", (unsigned char)*name);
    }
    return path->failed ? -ENOMEM : 0;
}

/* Returns the locked descriptor, -EBUSY while an earlier child holds it, or -errno. */
static int take_child_lock(const char *name)
{
    _cleanup_text_buffer_ struct text_buffer path = { 0 };
    int r = format_lock_path(name, &path);

    if (r == 0)
        r = file_make_directory(VIGIL_RUNDIR "/child", 0755);
    if (r < 0)
        return r;
    r = file_lock(path.text, deadline_in(0));
    return r == -ETIMEDOUT ? -EBUSY : r;
}

/* A full or read-only folder of locks is no reason not to look, nor to leave a volume mounted that is to go. */
static bool lock_is_unmakeable(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EROFS;
}

static int send_all(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;

    while (length > 0) {
        ssize_t n = write(fd, next, length);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            next += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

static int receive_all(int fd, void *bytes, size_t length, struct deadline deadline)
{
    char *next = bytes;

    while (length > 0) {
        ssize_t n;
        int r = deadline_wait_fd(deadline, fd, POLLIN);

        if (r < 0)
            return r;
        n = read(fd, next, length);
        if (n == 0)
            return -EPIPE;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            next += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

static _noreturn_ void call_in_child(child_function function, void *argument, void *reply, size_t reply_size, int fd,
                                     int lock_fd, pid_t parent)
{
    int result;

    /* No program of ours has a handler of a real-time signal. */
    reset_signals(SIGSYS + 1);
    die_with_parent(parent);
    file_leave_locks(lock_fd);
    leave_streams();
    result = function(argument, reply, reply_size);
    if (send_all(fd, &result, sizeof(result)) == 0 && reply_size > 0)
        (void)send_all(fd, reply, reply_size);
    _exit(0);
}

int child_call_begin(struct child_call_handle *handle, child_function function, void *argument, void *reply, size_t reply_size,
                     const char *lock_name)
{
    _cleanup_close_ int lock_fd = -1, read_fd = -1, write_fd = -1;
    pid_t pid, parent = getpid();
    int pipe_fds[2];

    child_reserve_streams();
    if (lock_name) {
        lock_fd = take_child_lock(lock_name);
        if (lock_fd < 0 && !lock_is_unmakeable(lock_fd))
            return lock_fd;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    read_fd = pipe_fds[0];
    write_fd = pipe_fds[1];
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        call_in_child(function, argument, reply, reply_size, write_fd, lock_fd, parent);
    *handle = (struct child_call_handle){
        .pid = pid,
        .pidfd = pidfd_open(pid, 0),
        .read_fd = TAKE_FD(read_fd),
        .reply = reply,
        .reply_size = reply_size,
    };
    return 0;
}

int child_call_end(struct child_call_handle *handle, struct deadline deadline)
{
    int result = 0, status;
    int r = receive_all(handle->read_fd, &result, sizeof(result), deadline);

    if (r == 0 && handle->reply_size > 0)
        r = receive_all(handle->read_fd, handle->reply, handle->reply_size, deadline);
    if (r < 0)
        (void)kill(handle->pid, SIGKILL);
    (void)reap(handle->pid, handle->pidfd, deadline_in(r == -ETIMEDOUT ? 20 : KILL_GRACE_MS), &status);
    cleanup_close(&handle->pidfd);
    cleanup_close(&handle->read_fd);
    return r < 0 ? r : result;
}

int child_call(child_function function, void *argument, void *reply, size_t reply_size, const char *lock_name,
               struct deadline deadline)
{
    struct child_call_handle handle;
    int r = child_call_begin(&handle, function, argument, reply, reply_size, lock_name);

    return r < 0 ? r : child_call_end(&handle, deadline);
}

int child_detach(int (*function)(void *argument), void *argument, pid_t *ret_pid)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        reset_signals(NSIG);
        (void)setsid();
        leave_streams();
        (void)close_range(STDERR_FILENO + 1, ~0U, 0);
        _exit(function(argument) & 0xff);
    }
    if (ret_pid)
        *ret_pid = pid;
    return 0;
}

/* The worker's side: its end of the pair becomes descriptor 3, and everything above is closed. */
_noreturn_ static void run_worker(int (*function)(int fd, void *argument), void *argument, int fd)
{
    int place = STDERR_FILENO + 1;

    reset_signals(NSIG);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setsid();
    leave_streams();
    if (fd != place && dup2(fd, place) < 0)
        _exit(1);
    (void)close_range((unsigned int)place + 1, ~0U, 0);
    _exit(function(place, argument) & 0xff);
}

int child_worker(int (*function)(int fd, void *argument), void *argument, int *ret_fd, pid_t *ret_pid)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        run_worker(function, argument, ends[1]);
    if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        int error = errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return -error;
    }
    (void)close(ends[1]);
    *ret_fd = ends[0];
    *ret_pid = pid;
    return 0;
}
