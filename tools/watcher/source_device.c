/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block device is gone, or offline, or has no path left: the kernel's uevents. Lost paths of a map are noted; the last one is a failure.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file.h"
#include "storage/device_io.h"
#include "storage/uevent.h"
#include "tools/watcher/watcher.h"

static struct {
    int fd;
    unsigned int users;
} bus = { .fd = -1 };

/* After messages were lost: what a map said of its paths may be out of date, and what is not known is no failure. */
static void check_all(struct watcher *watcher)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[WATCH_DEVICE]; source; source = next) {
        next = source->next_of_kind;
        source->data = NULL;
        source_check(source);
    }
}

/* A map's paths as it told last; -1: it never did. Kept in the source. */
static void note_paths(struct watch_source *source, const struct uevent *event)
{
    struct watch *watch = source->watch;

    source->data = event->valid_paths == 0 ? source : NULL;
    watcher_note(watch->watcher, EVENT_NOTE, watch->resource, event->valid_paths, "path %s of %s %s: %d left", event->path, source->item.target,
                 text_equal(event->path_action, "PATH_FAILED") ? "failed" : "is back", event->valid_paths);
}

static void take(struct watcher *watcher, const struct uevent *event)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[WATCH_DEVICE]; source; source = next) {
        next = source->next_of_kind;
        if (source->closed || event->number != (dev_t)source->item.device)
            continue;
        if (event->valid_paths >= 0 && event->path_action[0] != '\0')
            note_paths(source, event);
        source_check(source);
    }
}

/* Only the kernel may speak here (nl_pid 0); a message that was lost could have been any. */
static int on_uevent(int fd, int events _unused_, void *data)
{
    struct watcher *watcher = data;
    struct sockaddr_nl sender = { 0 };
    struct uevent event;
    char buffer[8192];

    for (;;) {
        socklen_t length = sizeof(sender);
        ssize_t size = recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&sender, &length);

        if (size < 0 && errno == ENOBUFS)
            check_all(watcher);
        else if (size < 0)
            return 0;
        else if (sender.nl_pid == 0 && uevent_parse(buffer, (size_t)size, &event) == 0 && event.number != 0)
            take(watcher, &event);
    }
}

static int bus_use(struct watcher *watcher)
{
    int r;

    if (bus.users++ > 0)
        return 0;
    bus.fd = uevent_open();
    r = bus.fd < 0 ? bus.fd : qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, bus.fd, POLLIN, watcher, on_uevent);
    if (r < 0)
        bus.users--;
    return r;
}

static void device_end(struct watch_source *source)
{
    if (--bus.users > 0)
        return;
    (void)qb_loop_poll_del(source->watch->watcher->loop, bus.fd);
    (void)close(bus.fd);
    bus.fd = -1;
}

/* The state of a SCSI disk (Documentation/scsi: "running", "offline", "transport-offline" ...); other kinds have none. */
static bool is_offline(dev_t number)
{
    char path[96], state[32];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/device/state", major(number), minor(number));
    return file_read_line(path, state, sizeof(state)) > 0 && text_ends_with(state, "offline");
}

static int device_look(struct watch_source *source, struct text_buffer *why)
{
    dev_t number = (dev_t)source->item.device;
    int r = device_present(number);

    if (r < 0)
        return r;
    if (r == 0)
        text_buffer_printf(why, "device %s is gone", source->item.target);
    else if (source->data)
        text_buffer_printf(why, "device %s has no path left", source->item.target);
    else if (is_offline(number))
        text_buffer_printf(why, "device %s is offline", source->item.target);
    return why->length == 0;
}

static int device_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    int r = bus_use(source->watch->watcher);

    if (r == 0 && device_look(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    return r;
}

const struct source_kind source_device = { .open = device_begin, .close = device_end, .look = device_look };
