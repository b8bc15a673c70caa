/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_MEMBERSHIP_H
#define VIGIL_CLUSTER_MEMBERSHIP_H
/*
 * The cluster's name, its nodes and its timing, as Corosync has them in its configuration map (cmap_overview(8), cmap_keys(8)). The library is
 * opened in a child, so that nobody pays for it who does not ask, and a Corosync that is stopped in its tracks holds nobody.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"

enum {
    CLUSTER_NAME_MAX = 256, /* bytes of a cluster's or node's name, with its end (CMAP_KEYNAME_MAXLEN is 255) */
    CLUSTER_NODES_MAX = 64, /* more than Corosync's 32 by default (totem's PROCESSOR_COUNT_MAX is 384, but Pacemaker ends far below) */
};

struct cluster_node {
    uint32_t id;                 /* nodelist.node.N.nodeid */
    char name[CLUSTER_NAME_MAX]; /* as Pacemaker calls it: nodelist.node.N.name, else ring0_addr where that is a name, else (of this node alone) the host's
                                  * name; "" where there is none */
    bool joined;                 /* a member now, by runtime.members.ID.status. Corosync sees a node go only after its token timeout; a node that has not
                                  * been seen since Corosync started here has no such key and is none */
};

struct cluster_view {
    char name[CLUSTER_NAME_MAX]; /* totem.cluster_name, "" where none is set */
    uint32_t own_id;             /* this node's id (never 0) */
    uint32_t token_ms;           /* the token timeout in effect, milliseconds; 0 where Corosync does not tell */
    uint32_t consensus_ms;       /* likewise */
    uint32_t count;              /* of the nodes that the configuration names, whether they are up or not */
    struct cluster_node nodes[CLUSTER_NODES_MAX];
};

/* Reads all of it. Returns 0; -ENOTCONN (Corosync does not run or does not answer), -ELIBACC (libcmap cannot be loaded), -E2BIG (more nodes than
 * CLUSTER_NODES_MAX), -EBADMSG (no node id), -ETIMEDOUT, or another -errno; *ret is all zero then. */
int cluster_view_read(struct cluster_view *ret, struct deadline deadline);

/* The node of that name (case counts, as in Pacemaker) or id, or NULL. Borrows from view. */
const struct cluster_node *cluster_view_node_named(const struct cluster_view *view, const char *name);
const struct cluster_node *cluster_view_node_of_id(const struct cluster_view *view, uint32_t id);

/* What an error of cluster_view_read means, as the end of a sentence. */
const char *cluster_error_text(int error);

#endif
