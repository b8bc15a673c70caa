/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/quorum_watch.h"

#include <corosync/corotypes.h>
#include <corosync/quorum.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "cluster/corosync_error.h"
#include "cluster/quorum.h"

/* The functions of libquorum that are used, by its own types. */
struct libquorum_track {
    __typeof__(quorum_initialize) *initialize;
    __typeof__(quorum_finalize) *finalize;
    __typeof__(quorum_fd_get) *fd_get;
    __typeof__(quorum_dispatch) *dispatch;
    __typeof__(quorum_trackstart) *trackstart;
    __typeof__(quorum_context_set) *context_set;
    __typeof__(quorum_context_get) *context_get;
};

static struct libquorum_track library;

struct quorum_watch {
    quorum_handle_t handle;
    int fd;
    quorum_changed changed;
    void *context;
};

static int open_library(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(library.initialize, "quorum_initialize"),
        LIBRARY_SYMBOL(library.finalize, "quorum_finalize"),
        LIBRARY_SYMBOL(library.fd_get, "quorum_fd_get"),
        LIBRARY_SYMBOL(library.dispatch, "quorum_dispatch"),
        LIBRARY_SYMBOL(library.trackstart, "quorum_trackstart"),
        LIBRARY_SYMBOL(library.context_set, "quorum_context_set"),
        LIBRARY_SYMBOL(library.context_get, "quorum_context_get"),
    };

    return library_load("libquorum.so.5", "libquorum5", symbols, ARRAY_SIZE(symbols), NULL);
}

static void notify(quorum_handle_t handle, uint32_t quorate, uint64_t ring _unused_, uint32_t count, uint32_t *ids)
{
    const void *context = NULL;
    const struct quorum_watch *watch;

    if (library.context_get(handle, &context) != CS_OK || !context)
        return;
    watch = context;
    watch->changed(watch->context, quorate != 0, ids, count);
}

static int begin(struct quorum_watch *watch)
{
    quorum_callbacks_t callbacks = { .quorum_notify_fn = notify };
    uint32_t type = QUORUM_FREE;
    int r = corosync_error(library.initialize(&watch->handle, &callbacks, &type));

    if (r < 0)
        return r;
    r = corosync_error(library.context_set(watch->handle, watch));
    if (r == 0)
        r = corosync_error(library.fd_get(watch->handle, &watch->fd));
    if (r == 0)
        r = corosync_error(library.trackstart(watch->handle, CS_TRACK_CURRENT | CS_TRACK_CHANGES));
    if (r < 0)
        (void)library.finalize(watch->handle);
    return r == -EAGAIN ? -ENOTCONN : r;
}

int quorum_watch_open(quorum_changed changed, void *context, struct deadline deadline, struct quorum_watch **ret)
{
    struct quorum_watch *watch;
    int r = open_library();

    if (r == 0) {
        r = quorum_look(deadline);
        if (r >= 0 || r == -ENOTSUP)
            r = 0;
    }
    if (r < 0)
        return r;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->changed = changed;
    watch->context = context;
    r = begin(watch);
    if (r < 0) {
        free(watch);
        return r;
    }
    *ret = watch;
    return 0;
}

void quorum_watch_close(struct quorum_watch *watch)
{
    if (!watch)
        return;
    (void)library.finalize(watch->handle);
    free(watch);
}

int quorum_watch_fd(const struct quorum_watch *watch)
{
    return watch->fd;
}

int quorum_watch_dispatch(struct quorum_watch *watch)
{
    int r = corosync_error(library.dispatch(watch->handle, CS_DISPATCH_ALL));

    return r == 0 || r == -EAGAIN ? 0 : -ENOTCONN;
}
