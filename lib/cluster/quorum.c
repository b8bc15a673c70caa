/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/quorum.h"

#include <corosync/corotypes.h>
#include <corosync/quorum.h>
#include <errno.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"

/* The functions of libquorum that are used, by its own types. */
struct libquorum {
    __typeof__(quorum_initialize) *initialize;
    __typeof__(quorum_getquorate) *getquorate;
    __typeof__(quorum_finalize) *finalize;
};

static int open_library(struct libquorum *ret)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->initialize, "quorum_initialize"),
        LIBRARY_SYMBOL(ret->getquorate, "quorum_getquorate"),
        LIBRARY_SYMBOL(ret->finalize, "quorum_finalize"),
    };

    return library_load("libquorum.so.5", "libquorum5", symbols, ARRAY_SIZE(symbols), NULL);
}

static int error_of(cs_error_t error)
{
    switch (error) {
    case CS_OK:
        return 0;
    case CS_ERR_LIBRARY: /* libqb could not connect */
    case CS_ERR_TRY_AGAIN:
    case CS_ERR_NOT_EXIST:
        return -ENOTCONN;
    case CS_ERR_ACCESS:
        return -EACCES;
    case CS_ERR_NO_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int ask_corosync(void *argument _unused_, void *reply _unused_, size_t reply_size _unused_)
{
    struct libquorum library = { 0 };
    quorum_handle_t handle;
    quorum_callbacks_t callbacks = { 0 };
    uint32_t type = QUORUM_FREE;
    int quorate = 0;
    int r = open_library(&library);

    if (r < 0)
        return r;
    r = error_of(library.initialize(&handle, &callbacks, &type));
    if (r < 0)
        return r;
    r = type == QUORUM_FREE ? -ENOTSUP : error_of(library.getquorate(handle, &quorate));
    (void)library.finalize(handle);
    return r < 0 ? r : quorate != 0;
}

int quorum_look(struct deadline deadline)
{
    return child_call(ask_corosync, NULL, NULL, 0, NULL, deadline);
}

const char *quorum_error_text(int error)
{
    switch (error) {
    case -ENOTCONN:
        return "Corosync does not run here, or does not answer";
    case -ENOTSUP:
        return "Corosync has no quorum provider (quorum { provider: } in corosync.conf)";
    case -ELIBACC:
        return "libquorum cannot be loaded: install libquorum5";
    case -ETIMEDOUT:
        return "Corosync has not answered in time";
    default:
        return strerror(-error);
    }
}
