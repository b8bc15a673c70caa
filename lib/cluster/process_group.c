/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/process_group.h"

#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "cluster/corosync_error.h"
#include "cluster/quorum.h"

/* The functions of libcpg that are used, by its own types. */
struct libcpg {
    __typeof__(cpg_model_initialize) *initialize;
    __typeof__(cpg_finalize) *finalize;
    __typeof__(cpg_fd_get) *fd_get;
    __typeof__(cpg_dispatch) *dispatch;
    __typeof__(cpg_join) *join;
    __typeof__(cpg_mcast_joined) *mcast_joined;
    __typeof__(cpg_local_get) *local_get;
    __typeof__(cpg_context_get) *context_get;
};

static struct libcpg cpg;

struct process_group {
    cpg_handle_t handle;
    int fd;
    uint32_t own_id;
    const struct process_group_callbacks *callbacks;
    void *context;
};

static int open_library(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(cpg.initialize, "cpg_model_initialize"),
        LIBRARY_SYMBOL(cpg.finalize, "cpg_finalize"),
        LIBRARY_SYMBOL(cpg.fd_get, "cpg_fd_get"),
        LIBRARY_SYMBOL(cpg.dispatch, "cpg_dispatch"),
        LIBRARY_SYMBOL(cpg.join, "cpg_join"),
        LIBRARY_SYMBOL(cpg.mcast_joined, "cpg_mcast_joined"),
        LIBRARY_SYMBOL(cpg.local_get, "cpg_local_get"),
        LIBRARY_SYMBOL(cpg.context_get, "cpg_context_get"),
    };

    return library_load("libcpg.so.4", "libcpg4", symbols, ARRAY_SIZE(symbols), NULL);
}

static struct process_group *group_of(cpg_handle_t handle)
{
    void *context = NULL;

    return cpg.context_get(handle, &context) == CS_OK ? context : NULL;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *name _unused_, uint32_t node_id, uint32_t pid _unused_, void *bytes, size_t length)
{
    struct process_group *group = group_of(handle);

    if (group)
        group->callbacks->received(group->context, node_id, bytes, length);
}

static void change_members(cpg_handle_t handle, const struct cpg_name *name _unused_, const struct cpg_address *members, size_t count,
                           const struct cpg_address *left _unused_, size_t left_count _unused_, const struct cpg_address *joined _unused_,
                           size_t joined_count _unused_)
{
    struct process_group *group = group_of(handle);
    uint32_t ids[CPG_MEMBERS_MAX];
    size_t nodes = 0;

    if (!group)
        return;
    for (size_t i = 0; i < count && i < CPG_MEMBERS_MAX; i++) {
        size_t known = 0;

        while (known < nodes && ids[known] != members[i].nodeid)
            known++;
        if (known == nodes)
            ids[nodes++] = members[i].nodeid;
    }
    group->callbacks->members(group->context, group->own_id, ids, nodes);
}

static int join(struct process_group *group, const char *name)
{
    union {
        cpg_model_data_t any;
        cpg_model_v1_data_t v1;
    } model = { .v1 = { .model = CPG_MODEL_V1, .cpg_deliver_fn = deliver, .cpg_confchg_fn = change_members } };
    struct cpg_name group_name = { .length = (uint32_t)strlen(name) };
    unsigned int own_id = 0;
    int r = corosync_error(cpg.initialize(&group->handle, CPG_MODEL_V1, &model.any, group));

    if (r < 0)
        return r;
    memcpy(group_name.value, name, group_name.length);
    r = corosync_error(cpg.local_get(group->handle, &own_id));
    group->own_id = own_id;
    if (r == 0)
        r = corosync_error(cpg.fd_get(group->handle, &group->fd));
    if (r == 0)
        r = corosync_error(cpg.join(group->handle, &group_name));
    if (r < 0)
        (void)cpg.finalize(group->handle);
    return r == -EAGAIN ? -ENOTCONN : r; /* it begins or ends: try again later */
}

int process_group_open(const char *name, const struct process_group_callbacks *callbacks, void *context, struct deadline deadline,
                       struct process_group **ret)
{
    struct process_group *group;
    int r = strlen(name) < CPG_MAX_NAME_LENGTH ? open_library() : -ENAMETOOLONG;

    if (r == 0) {
        r = quorum_look(deadline);
        if (r >= 0 || r == -ENOTSUP) /* it answers */
            r = 0;
    }
    if (r < 0)
        return r;
    group = calloc(1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    group->callbacks = callbacks;
    group->context = context;
    r = join(group, name);
    if (r < 0) {
        free(group);
        return r;
    }
    *ret = group;
    return 0;
}

void process_group_close(struct process_group *group)
{
    if (!group)
        return;
    (void)cpg.finalize(group->handle);
    free(group);
}

int process_group_fd(const struct process_group *group)
{
    return group->fd;
}

int process_group_dispatch(struct process_group *group)
{
    int r = corosync_error(cpg.dispatch(group->handle, CS_DISPATCH_ALL));

    return r == 0 || r == -EAGAIN ? 0 : -ENOTCONN;
}

int process_group_send(struct process_group *group, const uint8_t *bytes, size_t length)
{
    struct iovec vector = { .iov_len = length };

    memcpy(&vector.iov_base, &bytes, sizeof(bytes)); /* it is only read */
    return corosync_error(cpg.mcast_joined(group->handle, CPG_TYPE_AGREED, &vector, 1));
}
