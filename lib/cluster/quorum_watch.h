/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_QUORUM_WATCH_H
#define VIGIL_CLUSTER_QUORUM_WATCH_H
/*
 * Corosync's notifications of who is a member and whether the partition has quorum (quorum_trackstart(3)), as they come. Like process_group.h in what it
 * loads and how it keeps from waiting.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"

struct quorum_watch;

/* Called by quorum_watch_dispatch: once at the beginning, then at each change. */
typedef void (*quorum_changed)(void *context, bool quorate, const uint32_t *node_ids, size_t count);

/* Returns as process_group_open does; -ELIBACC without libquorum. */
int quorum_watch_open(quorum_changed changed, void *context, struct deadline deadline, struct quorum_watch **ret);
void quorum_watch_close(struct quorum_watch *watch);
int quorum_watch_fd(const struct quorum_watch *watch);

/* Returns 0, or -ENOTCONN when the connection is lost. */
int quorum_watch_dispatch(struct quorum_watch *watch);

#endif
