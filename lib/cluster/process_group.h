/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_PROCESS_GROUP_H
#define VIGIL_CLUSTER_PROCESS_GROUP_H
/*
 * A closed process group of Corosync (cpg_overview(8)): what one member sends comes to all members, to itself too, in one order; and each learns who
 * is a member. libcpg is loaded when it is first needed.
 *
 * The library's calls wait for Corosync without a time limit. So it is asked in a child first, which may be left behind, whether it answers at all.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"

struct process_group;

/* Called by process_group_dispatch. They must not close the group. */
struct process_group_callbacks {
    void (*received)(void *context, uint32_t node_id, const uint8_t *bytes, size_t length);
    /* The nodes that have a member, each once. */
    void (*members)(void *context, uint32_t own_id, const uint32_t *node_ids, size_t count);
};

/* Joins the group. Returns 0; -ENOTCONN (Corosync does not run or does not answer; try again later), -ETIMEDOUT, -ELIBACC (no libcpg), or another -errno. */
int process_group_open(const char *name, const struct process_group_callbacks *callbacks, void *context, struct deadline deadline,
                       struct process_group **ret);

/* Leaves it. NULL is allowed. */
void process_group_close(struct process_group *group);

/* A descriptor to poll for reading, then call process_group_dispatch. */
int process_group_fd(const struct process_group *group);

/* Calls the callbacks for what has come. Returns 0, or -ENOTCONN when the connection is lost: close it and open another one later. */
int process_group_dispatch(struct process_group *group);

/* Sends to all members. Never waits. Returns 0, -EAGAIN (flow control: try again later), -ENOTCONN, or another -errno. */
int process_group_send(struct process_group *group, const uint8_t *bytes, size_t length);

#endif
