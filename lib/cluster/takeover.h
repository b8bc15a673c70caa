/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_TAKEOVER_H
#define VIGIL_CLUSTER_TAKEOVER_H
/*
 * Whether shared storage may be taken by force from the node that holds it: only when that node is proven to have been fenced after it took hold, and has not
 * come back since. Pacemaker starts nothing before fencing has succeeded; this asks for the proof all the same, since fencing can be switched off, a person can
 * start a resource by hand, and a configuration can be wrong.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "cluster/fence_history.h"

struct takeover_facts {
    const char *node;       /* who holds it, as Pacemaker calls it */
    bool joined;            /* the node is a member of the cluster now */
    int history;            /* what fence_history_last returned */
    struct fencing fencing;
    int64_t held_since_s;   /* when it took hold, seconds since 1970 by the storage's clock; 0: not told */
    int64_t now_s;          /* this node's wall clock */
    uint64_t tolerance_s;   /* how far two clocks may be apart */
    bool recorded;          /* the cluster's own record (cluster/holder_record.h) says that this node took hold last, and has not released it */
    int64_t recorded_s;     /* its last fencing that was known when it did, 0: none. By the clocks of those who fence, like the history */
    uint64_t fresh_s;       /* where no time of taking hold is told: how old the fencing may be */
    bool powered_off;       /* the node was seen without power in two consistent reads, by the one who would have to give it */
};

/* Judges. Pure. Returns 1 (proven; why says by what) or 0 (not proven; why says what is missing, as the end of a sentence).
 *
 * The history must hold a fencing that succeeded, and the node must not be a member. Beyond that one of these: its power was seen off; by the cluster's record it was
 * fenced since it took hold (and that fencing is not clearly earlier than the storage's time); without a record, it was fenced later than it took hold, by more than the
 * clocks may differ; or, where nobody tells when it took hold, the fencing is so fresh that the node
 * cannot have come back, taken hold and been lost again without another one. */
int takeover_judge(const struct takeover_facts *facts, struct text_buffer *why);

/* Gathers what the cluster knows of the node: the record of the resource (NULL: none is asked for), membership (waiting as long as Corosync takes to miss a node whose power was just cut) and fencing history. Fills in node, joined,
 * history, fencing, recorded, recorded_s and now_s. Returns 0; -ENOENT: the cluster has no node of that name; -EEXIST: it is this very node; -ENOTCONN, -ETIMEDOUT, -errno: not
 * known. why (appended) says what and what to do. */
int takeover_gather(const char *node, const char *resource, struct deadline deadline, struct takeover_facts *facts, struct text_buffer *why);

#endif
