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

/* ---- control groups: one inotify descriptor for all, since a user has few of them ------------------------------------------------- */

static struct {
    int fd;
    unsigned int users;
} groups = { .fd = -1 };

/* Which watch of inotify's is the source's: -1, none. Two sources of one group share it. */
static int watch_number(const struct watch_source *source)
{
    return (int)(intptr_t)source->data - 1;
}

static void check_group(struct watcher *watcher, int number)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[WATCH_CGROUP]; source; source = next) {
        next = source->next_of_kind;
        if (number < 0 || watch_number(source) == number)
            source_check(source);
    }
}

static int on_group(int fd, int events _unused_, void *data)
{
    char buffer[4096] __attribute__((aligned(8)));
    ssize_t length;

    while ((length = read(fd, buffer, sizeof(buffer))) > 0)
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= length;) {
            const struct inotify_event *event = (const void *)(buffer + at);

            check_group(data, event->mask & IN_Q_OVERFLOW ? -1 : event->wd);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    return 0;
}

static int groups_use(struct watcher *watcher)
{
    int r;

    if (groups.users++ > 0)
        return 0;
    groups.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    r = groups.fd < 0 ? -errno : qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, groups.fd, POLLIN, watcher, on_group);
    if (r < 0)
        groups.users--;
    return r;
}

static int group_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    char path[PATH_MAX];
    int number, r = text_format(path, sizeof(path), "%s/cgroup.events", source->item.target);

    if (r < 0)
        return r;
    r = groups_use(source->watch->watcher);
    if (r < 0)
        return r;
    number = inotify_add_watch(groups.fd, path, IN_MODIFY | IN_DELETE_SELF);
    if (number < 0 || source->kind->look(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    source->data = (void *)(intptr_t)(number + 1);
    return 0;
}

static void group_end(struct watch_source *source)
{
    struct watcher *watcher = source->watch->watcher;
    int number = watch_number(source);
    bool shared = false;

    for (const struct watch_source *other = watcher->sources_of[WATCH_CGROUP]; other; other = other->next_of_kind)
        shared = shared || (other != source && watch_number(other) == number);
    if (number >= 0 && !shared)
        (void)inotify_rm_watch(groups.fd, number);
    if (--groups.users > 0)
        return;
    (void)qb_loop_poll_del(watcher->loop, groups.fd);
    (void)close(groups.fd);
    groups.fd = -1;
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

const struct source_kind source_cgroup = { .open = group_begin, .close = group_end, .look = group_look };
