/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process ends (pidfd), a control group is empty (cgroup.events, cgroup-v2.rst "populated").
 */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "tools/watcher/watcher.h"

static struct process_identity identity_of(const struct watch_source *source)
{
    return (struct process_identity){ .pid = (pid_t)source->item.pid, .start_ticks = source->item.start };
}

/* A pidfd that is readable stays so: it is let go of. */
static int on_exit_seen(int fd _unused_, int events _unused_, void *data)
{
    struct watch_source *source = data;

    source->kind->close(source);
    source_suspect(source);
    return 0;
}

static int process_begin(struct watch_source *source, struct text_buffer *why)
{
    struct process_identity identity = identity_of(source);
    int fd = process_open(&identity), r;

    if (fd == -ESRCH) {
        source->state = SOURCE_SUSPECT;
        return 0;
    }
    if (fd < 0) {
        text_buffer_printf(why, "process %d can't be watched: %s", (int)identity.pid, strerror(-fd));
        return fd;
    }
    r = qb_loop_poll_add(source->watch->watcher->loop, QB_LOOP_HIGH, fd, POLLIN, source, on_exit_seen);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    source->fd = fd;
    return 0;
}

static void close_fd(struct watch_source *source)
{
    if (source->fd < 0)
        return;
    (void)qb_loop_poll_del(source->watch->watcher->loop, source->fd);
    (void)close(source->fd);
    source->fd = -1;
}

static int process_look(struct watch_source *source, struct text_buffer *why)
{
    struct process_identity identity = identity_of(source);
    int r = process_alive(&identity);

    if (r == 0)
        text_buffer_printf(why, "process %d of %s has ended", (int)identity.pid, source->watch->resource);
    return r;
}

const struct source_kind source_process = { .open = process_begin, .close = close_fd, .look = process_look };

/* ---- control groups: one inotify descriptor each, since they are few -------------------------------------------------------------- */

static int on_group(int fd, int events _unused_, void *data)
{
    char buffer[1024];

    while (read(fd, buffer, sizeof(buffer)) > 0)
        ;
    source_check(data);
    return 0;
}

static int group_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    char path[PATH_MAX];
    int fd, r;

    r = text_format(path, sizeof(path), "%s/cgroup.events", source->item.target);
    if (r < 0)
        return r;
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (inotify_add_watch(fd, path, IN_MODIFY | IN_DELETE_SELF) < 0) {
        r = -errno;
        (void)close(fd);
        if (r != -ENOENT)
            return r;
        source->state = SOURCE_SUSPECT;
        return 0;
    }
    r = qb_loop_poll_add(source->watch->watcher->loop, QB_LOOP_HIGH, fd, POLLIN, source, on_group);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    source->fd = fd;
    return 0;
}

static int group_look(struct watch_source *source, struct text_buffer *why)
{
    _cleanup_free_ char *text = NULL;
    char path[PATH_MAX];
    int r = text_format(path, sizeof(path), "%s/cgroup.events", source->item.target);

    if (r >= 0)
        r = file_read(path, 4096, &text, NULL);
    if (r == 0 && strstr(text, "populated 1"))
        return 1;
    if (r == 0 || r == -ENOENT || r == -ENODEV) {
        text_buffer_printf(why, "no process of %s is left", source->watch->resource);
        return 0;
    }
    return r;
}

const struct source_kind source_cgroup = { .open = group_begin, .close = close_fd, .look = group_look };
