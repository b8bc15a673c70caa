/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/process_set.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

/* The first PID namespace's inode: PROC_PID_INIT_INO of include/linux/proc_ns.h, unchanged since 3.8. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU
/* How much of a process's environment is looked at. */
#define ENVIRON_LIMIT (8 << 20) /* execve(2): arguments and environment together have at most 6 MiB */
/* Between two looks where the kernel gives no event. */
#define LOOK_AGAIN_MS 20

static const char *hierarchy_root(void)
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    struct statfs status;

    for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
        if (statfs(roots[i], &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC)
            return roots[i];
    return NULL;
}

int process_set_locate(const char *name, struct process_set *ret)
{
    const char *root = hierarchy_root();
    struct stat namespace = { 0 };
    char suffix[24] = "";
    size_t start;

    memset(ret, 0, sizeof(*ret));
    if (text_format(ret->mark, sizeof(ret->mark), "%s=%s", PROCESS_SET_MARK, name) < 0)
        return -ENAMETOOLONG;
    if (!root || access(root, W_OK) < 0)
        return 0;
    if (stat("/proc/self/ns/pid", &namespace) == 0 && namespace.st_ino != FIRST_PID_NAMESPACE)
        (void)text_format(suffix, sizeof(suffix), ".%ju", (uintmax_t)namespace.st_ino);
    start = strlen(root) + strlen("/vigil/");
    if (text_format(ret->cgroup, sizeof(ret->cgroup), "%s/vigil/app-%s%s", root, name, suffix) < 0)
        return -ENAMETOOLONG;
    for (char *next = ret->cgroup + start; *next; next++)
        if (!isalnum((unsigned char)*next) && !strchr("-_:.", *next))
            *next = '_';
    return 0;
}

int process_set_create(struct process_set *set)
{
    char path[576];
    int r = -ENOENT;

    /* Again where a stop of another application took the empty parent away in between. */
    for (int tries = 0; r == -ENOENT && set->cgroup[0] && tries < 5; tries++)
        r = file_make_directory(set->cgroup, 0755);
    if (r == 0 && text_format(path, sizeof(path), "%s/cgroup.procs", set->cgroup) > 0 && access(path, W_OK) < 0)
        r = -errno;
    if (r < 0)
        set->cgroup[0] = '\0';
    return 0;
}

/* ---- the cgroup ------------------------------------------------------------------------------------------------- */

static int cgroup_open(const struct process_set *set, const char *file, int flags)
{
    char path[576];
    int fd;

    if (text_format(path, sizeof(path), "%s/%s", set->cgroup, file) < 0)
        return -ENAMETOOLONG;
    fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Reads "populated 0|1" of cgroup.events, which covers the cgroups below as well. */
static int events_populated(int fd)
{
    char text[256];
    const char *value;
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

    if (length < 0)
        return errno == ENODEV ? 0 : -errno;
    text[length] = '\0';
    value = strstr(text, "populated ");
    if (!value)
        return -EBADMSG;
    return value[strlen("populated ")] != '0';
}

static int cgroup_populated(const struct process_set *set)
{
    _cleanup_close_ int fd = cgroup_open(set, "cgroup.events", O_RDONLY);

    if (fd == -ENOENT || fd == -ENODEV)
        return 0;
    return fd < 0 ? fd : events_populated(fd);
}

static int cgroup_list(const struct process_set *set, pid_t *pids, size_t size)
{
    _cleanup_free_ char *text = NULL;
    char path[576];
    const char *cursor, *word;
    size_t length;
    int64_t pid;
    int count = 0, r;

    if (text_format(path, sizeof(path), "%s/cgroup.procs", set->cgroup) < 0)
        return -ENAMETOOLONG;
    r = file_read(path, 16 << 20, &text, NULL);
    if (r == -ENOENT || r == -ENODEV)
        return 0;
    if (r < 0)
        return r;
    for (cursor = text; text_next_word(&cursor, "\n", &word, &length);) {
        char number[16];

        if (length >= sizeof(number))
            return -EBADMSG;
        memcpy(number, word, length);
        number[length] = '\0';
        /* 0 is a process of another PID namespace: cgroup-v2.rst, "cgroup.procs". */
        if (number_parse(number, 0, INT32_MAX, &pid) < 0)
            return -EBADMSG;
        if (pid > 0 && (size_t)count++ < size)
            pids[count - 1] = (pid_t)pid;
    }
    return count;
}

/* Linux 5.14 and later kill a whole cgroup at once; before that a fork can outrun us, so the caller looks again. */
static int cgroup_kill(const struct process_set *set)
{
    _cleanup_close_ int fd = cgroup_open(set, "cgroup.kill", O_WRONLY);

    if (fd < 0)
        return fd;
    return write(fd, "1", 1) < 0 ? -errno : 0;
}

static int cgroup_wait_empty(const struct process_set *set, struct deadline deadline)
{
    _cleanup_close_ int fd = cgroup_open(set, "cgroup.events", O_RDONLY);
    int r;

    if (fd == -ENOENT || fd == -ENODEV)
        return 0;
    if (fd < 0)
        return fd;
    while ((r = events_populated(fd)) == 1) {
        /* A change of the file is POLLPRI: cgroup-v2.rst. The bound keeps a lost event from costing more than a moment. */
        r = deadline_wait_fd(deadline_within(deadline, 250), fd, POLLPRI);
        if (r < 0 && r != -ETIMEDOUT)
            return r;
        if (deadline_passed(deadline))
            return events_populated(fd) == 0 ? 0 : -ETIMEDOUT;
    }
    return r;
}

/* ---- /proc ------------------------------------------------------------------------------------------------------ */

bool process_set_environ_marked(const char *bytes, size_t length, const char *mark)
{
    size_t mark_length = strlen(mark);

    for (size_t at = 0; at < length;) {
        size_t entry = strnlen(bytes + at, length - at);

        if (entry == mark_length && memcmp(bytes + at, mark, entry) == 0)
            return true;
        at += entry + 1;
    }
    return false;
}

/* A process started behind the leader, in the leader's session. The kernel does not give a number away again as long as it names a
 * session, but a later program may have taken the number of a session that is gone: then the leader's start time differs. */
static bool in_session(const struct process_identity *session, const struct process_identity *process)
{
    struct process_identity leader;

    if (session->pid <= 0 || getsid(process->pid) != session->pid || process->start_ticks < session->start_ticks)
        return false;
    return process_identify(session->pid, &leader) < 0 || leader.start_ticks == session->start_ticks;
}

/* 1 or 0; -errno where neither could be told. */
static int proc_is_member(const struct process_set *set, pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    struct process_identity identity;
    char path[40];
    size_t length;
    int r;

    if (pid == getpid())
        return 0;
    r = process_identify(pid, &identity);
    if (r < 0)
        return r == -ESRCH ? 0 : r;
    if (in_session(&set->session, &identity) || in_session(&set->main, &identity) ||
        (pid == set->main.pid && identity.start_ticks == set->main.start_ticks))
        return 1;
    (void)text_format(path, sizeof(path), "/proc/%ld/environ", (long)pid);
    r = file_read(path, ENVIRON_LIMIT, &text, &length);
    /* Gone meanwhile, a kernel thread, or (not as root) another user's process. */
    if (r == -ENOENT || r == -ESRCH || r == -EACCES || r == -EPERM || r == -EFBIG)
        return 0;
    return r < 0 ? r : process_set_environ_marked(text, length, set->mark);
}

static int proc_list(const struct process_set *set, pid_t *pids, size_t size)
{
    _cleanup_closedir_ DIR *directory = opendir("/proc");
    const struct dirent *entry;
    bool sees_itself = false;
    int count = 0;

    if (!directory)
        return -errno;
    while ((entry = readdir(directory))) {
        int64_t pid;
        int r;

        if (number_parse(entry->d_name, 1, INT32_MAX, &pid) < 0)
            continue;
        sees_itself = sees_itself || pid == getpid();
        r = proc_is_member(set, (pid_t)pid);
        if (r < 0)
            return r;
        if (r == 1 && (size_t)count++ < size)
            pids[count - 1] = (pid_t)pid;
    }
    /* Nothing is mounted there, or the processes of other namespaces. */
    return sees_itself ? count : -EPERM;
}

static int proc_wait_empty(const struct process_set *set, struct deadline deadline)
{
    int r;

    while ((r = proc_list(set, NULL, 0)) > 0)
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0)
            return -ETIMEDOUT;
    return r;
}

/* ---- either ----------------------------------------------------------------------------------------------------- */

int process_set_populated(const struct process_set *set)
{
    int r = set->cgroup[0] ? cgroup_populated(set) : 0;

    if (r == 0)
        r = proc_list(set, NULL, 0);
    return r < 0 ? r : r > 0;
}

static bool is_among(pid_t pid, const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Puts those behind the `count` members of the cgroup that are not among them. Returns the sum, or -errno. */
static int add_escaped(const struct process_set *set, pid_t *pids, int count, size_t size)
{
    enum { ESCAPED = 4096 };
    _cleanup_free_ pid_t *found = calloc(ESCAPED, sizeof(*found));
    int listed = count < (int)size ? count : (int)size;
    int more = found ? proc_list(set, found, ESCAPED) : -ENOMEM;

    for (int i = 0; i < more && i < ESCAPED; i++) {
        if (is_among(found[i], pids, listed))
            continue;
        if ((size_t)count++ < size)
            pids[count - 1] = found[i];
    }
    return more < 0 ? more : count;
}

int process_set_list(const struct process_set *set, pid_t *pids, size_t size)
{
    int count = set->cgroup[0] ? cgroup_list(set, pids, size) : 0;

    if (count < 0 || size == 0)
        return count;
    return set->cgroup[0] ? add_escaped(set, pids, count, size) : proc_list(set, pids, size);
}

/* True when a line "0::PATH" of /proc/PID/cgroup (cgroups(7)) names the cgroup or one below it. PATH begins at the reader's cgroup
 * namespace, which need not be where the hierarchy is mounted: so it is compared from our own folder on. */
static bool cgroup_line_names(const char *text, const char *cgroup)
{
    const char *wanted = strstr(cgroup, "/vigil/");
    const char *path = strstr(text, "0::");

    if (!wanted || !path || (path != text && path[-1] != '\n'))
        return false;
    for (path = strstr(path, wanted); path; path = strstr(path + 1, wanted)) {
        char behind = path[strlen(wanted)];

        if (behind == '\n' || behind == '\0' || behind == '/')
            return true;
    }
    return false;
}

bool process_set_contains(const struct process_set *set, pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[40];

    (void)text_format(path, sizeof(path), "/proc/%ld/cgroup", (long)pid);
    if (set->cgroup[0] && file_read(path, 65536, &text, NULL) == 0 && cgroup_line_names(text, set->cgroup))
        return true;
    return proc_is_member(set, pid) == 1;
}

/* Field 4 of /proc/PID/stat: proc(5). Returns 0 when it could not be read. */
static pid_t parent_of(pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[40], number[24];
    const char *cursor, *word;
    size_t length = 0;
    int64_t parent = 0;

    (void)text_format(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (file_read(path, 4096, &text, NULL) < 0)
        return 0;
    /* Behind the command name, which may hold anything: the state, then the parent. */
    cursor = strrchr(text, ')');
    if (!cursor++ || !text_next_word(&cursor, " ", &word, &length) || !text_next_word(&cursor, " ", &word, &length))
        return 0;
    if (text_format(number, sizeof(number), "%.*s", (int)length, word) < 0 || number_parse(number, 0, INT_MAX, &parent) < 0)
        return 0;
    return (pid_t)parent;
}

int process_set_find_main(const struct process_set *set, struct process_identity *ret)
{
    struct process_identity found = { 0 };
    pid_t pids[1024];
    int count = process_set_list(set, pids, ARRAY_SIZE(pids));

    if (count < 0)
        return count;
    if (count > (int)ARRAY_SIZE(pids))
        return -ESRCH;
    for (int i = 0; i < count; i++) {
        struct process_identity candidate;

        if (is_among(parent_of(pids[i]), pids, count) || process_identify(pids[i], &candidate) < 0)
            continue;
        if (found.pid)
            return -ESRCH;
        found = candidate;
    }
    if (!found.pid)
        return -ESRCH;
    *ret = found;
    return 0;
}

/* Through a pidfd, so that a number that was given away in between is not hit. */
static void signal_member(const struct process_set *set, pid_t pid, int signal)
{
    _cleanup_close_ int fd = pidfd_open(pid, 0);

    bool unknown = fd < 0 && errno == ENOSYS;

    if ((fd < 0 && !unknown) || !process_set_contains(set, pid))
        return;
    /* Where the call is unknown (valgrind has none), the look a moment ago must do. */
    if (unknown)
        (void)kill(pid, signal);
    else
        (void)pidfd_send_signal(fd, signal, NULL, 0);
}

static int signal_listed(const struct process_set *set, pid_t *pids, size_t size, int signal)
{
    int count = process_set_list(set, pids, size);

    for (int i = 0; i < count && i < (int)size; i++)
        signal_member(set, pids[i], signal);
    return count < 0 ? count : 0;
}

int process_set_signal(const struct process_set *set, int signal)
{
    enum { MEMBERS = 65536 };
    _cleanup_free_ pid_t *pids = calloc(MEMBERS, sizeof(*pids));

    if (!pids)
        return -ENOMEM;
    if (signal == SIGKILL && (!set->cgroup[0] || cgroup_kill(set) < 0)) {
        /* One by one, a fork would outrun us: what is stopped does not fork. What was forked meanwhile is stopped by the second round. */
        (void)signal_listed(set, pids, MEMBERS, SIGSTOP);
        (void)signal_listed(set, pids, MEMBERS, SIGSTOP);
    }
    return signal_listed(set, pids, MEMBERS, signal);
}

int process_set_wait_empty(const struct process_set *set, struct deadline deadline)
{
    int r = set->cgroup[0] ? cgroup_wait_empty(set, deadline) : 0;

    return r < 0 ? r : proc_wait_empty(set, deadline);
}

int process_set_remove(const struct process_set *set)
{
    char parent[sizeof(set->cgroup)];

    if (!set->cgroup[0])
        return 0;
    if (rmdir(set->cgroup) < 0 && errno != ENOENT)
        return -errno;
    /* The folder of all applications goes with the last one. */
    (void)text_copy(parent, sizeof(parent), set->cgroup);
    *strrchr(parent, '/') = '\0';
    (void)rmdir(parent);
    return 0;
}
