/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/pidfile.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "base/child.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

#define PIDFILE_MS 1000

struct pidfile_call {
    const char *path;
    pid_t pid;
};

struct pidfile_content {
    pid_t pid;
    int64_t age_ms;
};

static int read_file(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct pidfile_call *call = argument;
    struct pidfile_content *content = reply;
    struct stat status;
    struct timespec now;
    char text[64];
    int64_t pid;
    int r = file_read_line(call->path, text, sizeof(text));

    if (r == 0 || r == -ENOENT || r == -ENOTDIR)
        return -ESRCH;
    if (r < 0)
        return r;
    if (number_parse(text_trim(text), 1, INT32_MAX, &pid) < 0 || stat(call->path, &status) < 0)
        return -ESRCH;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    content->pid = (pid_t)pid;
    content->age_ms = (now.tv_sec - status.st_mtim.tv_sec) * 1000 + (now.tv_nsec - status.st_mtim.tv_nsec) / 1000000;
    return 0;
}

static int write_file(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct pidfile_call *call = argument;
    char text[16];
    int length = text_format(text, sizeof(text), "%ld\n", (long)call->pid);

    return file_write(call->path, 0644, text, (size_t)length);
}

static int remove_file(void *argument, void *reply, size_t reply_size)
{
    const struct pidfile_call *call = argument;
    struct pidfile_content *content = reply;
    int r = read_file(argument, reply, reply_size);

    if (r < 0 || content->pid != call->pid)
        return r == -ESRCH ? 0 : r;
    return unlink(call->path) < 0 ? -errno : 0;
}

int pidfile_read(const char *path, struct deadline deadline, pid_t *ret_pid, int64_t *ret_age_ms)
{
    struct pidfile_call call = { .path = path };
    struct pidfile_content content = { 0 };
    int r = child_call(read_file, &call, &content, sizeof(content), NULL, deadline_within(deadline, PIDFILE_MS));

    if (r < 0)
        return r;
    *ret_pid = content.pid;
    *ret_age_ms = content.age_ms;
    return 0;
}

int pidfile_write(const char *path, pid_t pid, struct deadline deadline)
{
    struct pidfile_call call = { .path = path, .pid = pid };

    return child_call(write_file, &call, NULL, 0, NULL, deadline_within(deadline, PIDFILE_MS));
}

int pidfile_remove(const char *path, pid_t pid, struct deadline deadline)
{
    struct pidfile_call call = { .path = path, .pid = pid };
    struct pidfile_content content = { 0 };

    return child_call(remove_file, &call, &content, sizeof(content), NULL, deadline_within(deadline, PIDFILE_MS));
}
