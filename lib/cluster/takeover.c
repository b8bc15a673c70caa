/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/takeover.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cluster/holder_record.h"
#include "cluster/membership.h"

/* Corosync and the fencer answer within milliseconds; while a membership forms, within seconds. */
#define ASK_LIMIT_MS 10000
#define LOOK_AGAIN_MS 200
/* Where Corosync does not tell its token timeout. */
#define MEMBERSHIP_LIMIT_MS 10000

static int64_t age_of(const struct takeover_facts *facts)
{
    return facts->now_s - facts->fencing.completed_s;
}

/* A fencing that is later than now by more than the clocks may differ was written by a clock that is wrong: its time proves nothing. */
static bool time_is_sane(const struct takeover_facts *facts)
{
    return age_of(facts) >= -(int64_t)facts->tolerance_s;
}

/* The record's time and the history's are of the same clocks. The storage's own time may only not contradict. */
static int judge_record(const struct takeover_facts *facts, struct text_buffer *why)
{
    bool later = facts->fencing.completed_s > facts->recorded_s &&
                 (facts->held_since_s == 0 || facts->fencing.completed_s > facts->held_since_s - (int64_t)facts->tolerance_s);

    if (later)
        text_buffer_printf(why, "%s was fenced (%s) after it took hold, by the cluster's record", facts->node, facts->fencing.action);
    else
        text_buffer_printf(why, "by the cluster's record, %s took hold after its last fencing: fence it (stonith_admin --reboot %s), or release it there", facts->node,
                           facts->node);
    return later;
}

static int judge_time(const struct takeover_facts *facts, struct text_buffer *why)
{
    const char *node = facts->node;

    if (!time_is_sane(facts)) {
        text_buffer_printf(why, "%s was fenced %" PRId64 " s in the future by this node's clock: set the nodes' clocks right", node, -age_of(facts));
        return 0;
    }
    if (facts->held_since_s > 0) {
        int64_t later = facts->fencing.completed_s - facts->held_since_s;
        bool proven = later > (int64_t)facts->tolerance_s;

        if (proven)
            text_buffer_printf(why, "%s was fenced (%s) %" PRId64 " s after it took hold", node, facts->fencing.action, later);
        else
            text_buffer_printf(why, "the last fencing of %s is not later than the time it took hold by more than %" PRIu64 " s: fence it (stonith_admin --reboot %s), "
                                    "or release it there", node, facts->tolerance_s, node);
        return proven;
    }
    if (age_of(facts) <= (int64_t)facts->fresh_s) {
        text_buffer_printf(why, "%s was fenced (%s) %" PRId64 " s ago and has not come back", node, facts->fencing.action, age_of(facts));
        return 1;
    }
    text_buffer_printf(why, "nobody tells when %s took hold, and its last fencing is %" PRId64 " s ago: fence it again (stonith_admin --reboot %s), or release it there",
                       node, age_of(facts), node);
    return 0;
}

int takeover_judge(const struct takeover_facts *facts, struct text_buffer *why)
{
    if (facts->joined) {
        text_buffer_printf(why, "%s is a member of the cluster: move the resource off it, or release it there", facts->node);
        return 0;
    }
    if (facts->history == 0 && facts->fencing.pending) {
        text_buffer_printf(why, "the fencing of %s has not ended", facts->node);
        return 0;
    }
    if (facts->history == 0) {
        text_buffer_printf(why, "%s was not fenced: is fencing configured? if it is off for certain, confirm it (stonith_admin --confirm %s)", facts->node,
                           facts->node);
        return 0;
    }
    if (facts->history != 1) {
        text_buffer_printf(why, "whether %s was fenced is not known: %s", facts->node, fence_history_error_text(facts->history));
        return 0;
    }
    if (facts->powered_off) {
        text_buffer_printf(why, "%s was fenced (%s), and its power was seen off", facts->node, facts->fencing.action);
        return 1;
    }
    return facts->recorded ? judge_record(facts, why) : judge_time(facts, why);
}

/* ---- what the cluster knows ----------------------------------------------------------------------------------------------------- */

/* A node whose power was cut a moment ago is a member until its token is missed. Pacemaker does not wait for that once fencing has succeeded. */
static int read_membership(const char *name, struct deadline deadline, bool *ret_joined, struct text_buffer *why)
{
    struct deadline until = { 0 };

    for (;;) {
        struct cluster_view view;
        const struct cluster_node *node;
        int r = cluster_view_read(&view, deadline_within(deadline, ASK_LIMIT_MS));

        if (r < 0) {
            text_buffer_printf(why, "the cluster's membership is not known: %s", cluster_error_text(r));
            return r;
        }
        node = cluster_view_node_named(&view, name);
        if (!node || node->id == view.own_id) {
            text_buffer_printf(why, node ? "%s is this node's own name" : "the cluster has no node %s: correct hosts, or the instance's name or tag", name);
            return node ? -EEXIST : -ENOENT;
        }
        *ret_joined = node->joined;
        if (until.at_ms == 0)
            until = deadline_within(deadline, view.token_ms ? 2 * ((uint64_t)view.token_ms + view.consensus_ms) : MEMBERSHIP_LIMIT_MS);
        if (!node->joined || deadline_sleep(until, LOOK_AGAIN_MS) < 0)
            return 0;
    }
}

/* A record that can't be read is not "no record". */
static int read_record(const char *resource, struct deadline deadline, struct takeover_facts *facts, struct text_buffer *why)
{
    struct holder_record record;
    int r = holder_record_read(resource, deadline, &record);

    if (r < 0) {
        text_buffer_printf(why, "the cluster's record of who had it last is not known: %s", holder_error_text(r));
        return r;
    }
    facts->recorded = r == 1 && record.held && text_equal(record.node, facts->node);
    facts->recorded_s = facts->recorded ? record.fenced_s : 0;
    return 0;
}

int takeover_gather(const char *node, const char *resource, struct deadline deadline, struct takeover_facts *facts, struct text_buffer *why)
{
    struct timespec now;
    int r;

    facts->node = node;
    /* The history first: a node that was never fenced is not waited for. */
    facts->history = fence_history_last(node, deadline_within(deadline, ASK_LIMIT_MS), &facts->fencing);
    r = facts->history == 1 ? read_membership(node, deadline, &facts->joined, why) : 0;
    if (r == 0 && facts->history == 1 && !facts->joined && resource)
        r = read_record(resource, deadline_within(deadline, ASK_LIMIT_MS), facts, why);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    facts->now_s = now.tv_sec;
    return r;
}
