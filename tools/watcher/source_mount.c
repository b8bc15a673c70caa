/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mount is gone, is another one, or has turned read-only. The kernel wakes the poll on /proc/self/mountinfo whenever the mounts change (proc(5)). A file
 * system that gives up after an error changes no mount, so that each is looked at every few seconds as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "storage/mount_point.h"
#include "tools/watcher/watcher.h"

#define LOOK_LIMIT_MS 20
#define LOOK_EVERY_MS 2000

static struct {
    int fd;
    unsigned int users;
    qb_loop_timer_handle timer;
} table = { .fd = -1 };

static void check_all(struct watcher *watcher)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[WATCH_MOUNT]; source; source = next) {
        next = source->next_of_kind;
        if (source->state != SOURCE_FAILED || source->watch->state == WATCH_REPORTED)
            source_check(source);
    }
}

static int on_change(int fd _unused_, int events _unused_, void *data)
{
    check_all(data);
    return 0;
}

static void on_time(void *data)
{
    struct watcher *watcher = data;

    watcher_timer(watcher, LOOK_EVERY_MS, watcher, on_time, &table.timer);
    check_all(watcher);
}

/* One descriptor and one timer for all. */
static int table_use(struct watcher *watcher)
{
    int r;

    if (table.users++ > 0)
        return 0;
    table.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    r = table.fd < 0 ? -errno : qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, table.fd, POLLPRI, watcher, on_change);
    if (r < 0) {
        table.users--;
        return r;
    }
    watcher_timer(watcher, LOOK_EVERY_MS, watcher, on_time, &table.timer);
    return 0;
}

static void mount_end(struct watch_source *source)
{
    struct watcher *watcher = source->watch->watcher;

    if (--table.users > 0)
        return;
    watcher_cancel(watcher, &table.timer);
    (void)qb_loop_poll_del(watcher->loop, table.fd);
    (void)close(table.fd);
    table.fd = -1;
}

/* What has no block device (major 0) may be a server's file system. */
static int look_at(const struct watch_item *item, struct mount_point *ret)
{
    struct deadline deadline = deadline_in(LOOK_LIMIT_MS);

    return major((dev_t)item->device) == 0 ? mount_point_look_in_table(item->target, deadline, ret) : mount_point_look(item->target, deadline, ret);
}

static int mount_look(struct watch_source *source, struct text_buffer *why)
{
    struct mount_point mount;
    int r = look_at(&source->item, &mount);

    if (r < 0)
        return r;
    if (!mount.mounted)
        text_buffer_printf(why, "%s is not mounted any more", source->item.target);
    else if (mount.device != (dev_t)source->item.device)
        text_buffer_printf(why, "another file system (%s) is mounted on %s", mount.source, source->item.target);
    else if (mount.shut_down)
        text_buffer_printf(why, "the file system on %s has shut down after an error", source->item.target);
    else if (mount.read_only && source->item.writable)
        text_buffer_printf(why, "the file system on %s has turned read-only", source->item.target);
    return why->length == 0;
}

static int mount_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    int r = table_use(source->watch->watcher);

    if (r == 0 && mount_look(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    return r;
}

const struct source_kind source_mount = { .open = mount_begin, .close = mount_end, .look = mount_look };
