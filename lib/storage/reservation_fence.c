/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reservation_fence.h"

#include <errno.h>

#include "storage/reservation_backend.h"
#include "storage/reservation_guard.h"

/* Two nodes may reserve, or fence each other's registrations, at the same time: what came in between is looked at again. */
#define RACE_TRIES 5

bool reservation_is_ours(const struct reservation_cluster *cluster, uint64_t key)
{
    uint32_t node_id;

    for (size_t i = 0; i < cluster->key_count; i++) {
        if (cluster->keys[i] == key)
            return true;
    }
    return reservation_key_node(cluster->name, key, &node_id) == 0;
}

/* Notes who else is registered, each key once. */
static void note_others(const struct reservation_state *state, const struct reservation_fence_order *order, struct reservation_fence_report *report)
{
    report->other_count = 0;
    for (uint32_t i = 0; i < state->key_count && report->other_count <= RESERVATION_OTHERS_MAXIMUM; i++) {
        uint64_t key = state->keys[i];
        bool noted = key == order->victim || key == order->own;

        for (unsigned int k = 0; !noted && k < report->other_count && k < RESERVATION_OTHERS_MAXIMUM; k++)
            noted = report->others[k] == key;
        if (noted)
            continue;
        if (report->other_count < RESERVATION_OTHERS_MAXIMUM)
            report->others[report->other_count] = key;
        report->other_count++;
    }
}

/* Reads the registrations and notes what they mean. */
static int look(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                struct reservation_fence_report *report, struct reservation_state *state)
{
    bool first = report->before[0] == '\0';
    int r = reservation_read(device, deadline, state);

    report->access = ACCESS_UNKNOWN;
    if (r < 0)
        return r;
    /* Who holds the reservation is registered: a device that shows the one without the other hides something. */
    if (state->holder != 0 && reservation_state_count(state, state->holder) == 0)
        return -RESERVATION_MALFORMED;
    report->victim_count = reservation_state_count(state, order->victim);
    report->own_count = reservation_state_count(state, order->own);
    note_others(state, order, report);
    report->holder = state->holder;
    report->type = state->type;
    report->foreign_holder = state->holder != 0 && !reservation_is_ours(order->cluster, state->holder);
    report->access = report->victim_count > 0                ? ACCESS_REGISTERED
                     : reservation_type_excludes(state->type) ? ACCESS_EXCLUDED
                                                              : ACCESS_OPEN;
    (void)reservation_state_format(state, first ? report->before : report->after, sizeof(report->before));
    return 0;
}

int reservation_fence_look(struct reservation_device *device, struct deadline deadline, void *argument, void *reply)
{
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    struct reservation_fence_report *report = reply;

    report->step = "reading registrations";
    return state ? look(device, argument, deadline, report, state) : -ENOMEM;
}

/* ---- keeping a node out ------------------------------------------------------------------------------------------- */

/* Registers this node, to be allowed to preempt. */
static int register_fencer(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                           struct reservation_fence_report *report, struct reservation_state *state)
{
    unsigned int before = report->own_count;
    int r;

    report->step = "registering this node";
    if (before == 0 && reservation_is_guarded(order->own, reservation_identity(device))) {
        report->self_fenced = true;
        return -EPERM;
    }
    r = reservation_register(device, order->own, order->aptpl, deadline, &report->paths);
    if (r == 0)
        r = look(device, order, deadline, report, state);
    if (r < 0 || before == 0 || report->own_count > report->paths.done)
        return r;
    /* What was registered before is gone: this node was fenced while it registered. */
    (void)device->operations->remove(device, order->own, deadline);
    report->self_fenced = true;
    return -EPERM;
}

/* Preempts once. What the victim had on its way is aborted; a device that cannot do that may only do without where that was allowed. */
static int preempt_once(struct reservation_device *device, const struct reservation_fence_order *order, uint64_t key, enum reservation_type type,
                        struct deadline deadline, struct reservation_fence_report *report)
{
    int r = reservation_preempt(device, order->own, key, type, true, deadline);

    report->step = "preempting and aborting";
    if (r != -RESERVATION_NOT_SUPPORTED || order->abort_required)
        return r;
    report->step = "preempting without aborting";
    r = reservation_preempt(device, order->own, key, type, false, deadline);
    report->not_aborted |= r == 0;
    return r;
}

static int preempt_key(struct reservation_device *device, const struct reservation_fence_order *order, uint64_t key, struct deadline deadline,
                       struct reservation_fence_report *report, struct reservation_state *state)
{
    /* A type that the victim's reservation has, and that keeps the others out as before, stays; else the one that was ordered. */
    enum reservation_type type = reservation_type_admits_registrants(state->type) ? state->type : order->type;
    int r = preempt_once(device, order, key, type, deadline, report);

    /* This nexus, as that of an iSCSI session of our own, is not registered, while others of this node are. */
    if (r == -RESERVATION_CONFLICT && reservation_identity(device)->transport == RESERVATION_ISCSI) {
        r = register_fencer(device, order, deadline, report, state);
        if (r == 0)
            r = preempt_once(device, order, key, type, deadline, report);
    }
    return r;
}

static int reserve(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                   struct reservation_fence_report *report)
{
    int r = reservation_reserve(device, order->own, order->type, deadline);

    report->step = "reserving";
    return r == -RESERVATION_CONFLICT ? 0 : r; /* another was first: the next look tells who */
}

/* One step towards exclusion. */
static int exclude_step(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                        struct reservation_fence_report *report, struct reservation_state *state)
{
    int r = 0;

    if (report->own_count == 0)
        r = register_fencer(device, order, deadline, report, state);
    if (r == 0 && report->victim_count > 0)
        r = preempt_key(device, order, order->victim, deadline, report, state);
    if (r == 0 && report->foreign_holder && order->preempt_foreign && report->holder != order->victim)
        r = preempt_key(device, order, report->holder, deadline, report, state);
    if (r == 0)
        r = look(device, order, deadline, report, state);
    if (r == 0 && report->access == ACCESS_OPEN)
        r = reserve(device, order, deadline, report);
    return r;
}

static bool is_excluded(const struct reservation_fence_order *order, const struct reservation_fence_report *report)
{
    return report->access == ACCESS_EXCLUDED && !(report->foreign_holder && order->preempt_foreign);
}

int reservation_fence_exclude(struct reservation_device *device, struct deadline deadline, void *argument, void *reply)
{
    const struct reservation_fence_order *order = argument;
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    struct reservation_fence_report *report = reply;
    int r;

    report->step = "reading registrations";
    if (!state)
        return -ENOMEM;
    if (order->own == 0 || order->victim == 0 || order->own == order->victim)
        return -EINVAL;
    r = look(device, order, deadline, report, state);
    for (int try = 0; r == 0 && !is_excluded(order, report) && try < RACE_TRIES; try++) {
        r = exclude_step(device, order, deadline, report, state);
        if (r == 0)
            r = look(device, order, deadline, report, state);
    }
    if (r < 0)
        report->access = ACCESS_UNKNOWN;
    return r < 0 || is_excluded(order, report) ? r : -RESERVATION_BUSY;
}

/* ---- letting this node in ----------------------------------------------------------------------------------------- */

static bool is_admitted(const struct reservation_fence_report *report)
{
    return report->own_count > 0 && report->own_count >= report->paths.done && reservation_type_admits_registrants(report->type) &&
           !report->foreign_holder;
}

/* What stands in the way: the reservation of another cluster, or one that admits its holder alone. One of the second kind that this cluster holds is of a
 * node that was set up otherwise. */
static int clear_way(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                     struct reservation_fence_report *report, struct reservation_state *state)
{
    bool exclusive = report->type != RESERVATION_NONE && !reservation_type_admits_registrants(report->type);

    if (!report->foreign_holder && !exclusive)
        return 0;
    report->step = "preempting the holder";
    if (!order->preempt_foreign || report->holder == 0 || report->holder == order->own)
        return -RESERVATION_CONFLICT;
    return preempt_key(device, order, report->holder, deadline, report, state);
}

/* Who is registered adds what is missing, and replaces nothing: between the look and the registration it may have been fenced. Who is not has just been started, and
 * replaces what an earlier start, or another cluster, left on its paths. */
static int register_self(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                         struct reservation_fence_report *report, const struct reservation_state *state)
{
    const struct reservation_sight seen = { .registered = true, .generation = state->generation, .holder = state->holder };
    int r = -RESERVATION_OTHER_KEY;

    if (report->own_count > 0)
        r = reservation_enter(device, order->own, &seen, order->aptpl, deadline, &report->paths);
    if (r == -RESERVATION_OTHER_KEY)
        r = reservation_register(device, order->own, order->aptpl, deadline, &report->paths);
    if (r != -RESERVATION_FENCED)
        return r;
    report->self_fenced = true;
    return -EPERM;
}

/* A foreign reservation is looked at before anything is registered: a refused call leaves nothing behind. */
static int admit_step(struct reservation_device *device, const struct reservation_fence_order *order, struct deadline deadline,
                      struct reservation_fence_report *report, struct reservation_state *state)
{
    bool blocked = report->foreign_holder || (report->type != RESERVATION_NONE && !reservation_type_admits_registrants(report->type));
    int r;

    report->step = "registering on every path";
    if (blocked && !order->preempt_foreign)
        return -RESERVATION_CONFLICT;
    r = register_self(device, order, deadline, report, state);
    if (r == 0)
        r = clear_way(device, order, deadline, report, state);
    if (r == 0)
        r = look(device, order, deadline, report, state);
    if (r == 0 && report->type == RESERVATION_NONE)
        r = reserve(device, order, deadline, report);
    return r;
}

int reservation_fence_admit(struct reservation_device *device, struct deadline deadline, void *argument, void *reply)
{
    const struct reservation_fence_order *order = argument;
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    struct reservation_fence_report *report = reply;
    int r;

    report->step = "reading registrations";
    if (!state)
        return -ENOMEM;
    r = look(device, order, deadline, report, state);
    /* It was registered here since it was started, and is not any more: it was fenced, and what it has not written yet is of before. */
    if (r == 0 && report->own_count == 0 && reservation_is_guarded(order->own, reservation_identity(device))) {
        report->self_fenced = true;
        return -EPERM;
    }
    for (int try = 0; r == 0 && try < RACE_TRIES; try++) {
        r = admit_step(device, order, deadline, report, state);
        if (r == 0)
            r = look(device, order, deadline, report, state);
        if (r == 0 && is_admitted(report)) {
            reservation_note_joined(device, order->own, state, &report->paths);
            return 0;
        }
    }
    return r < 0 ? r : -RESERVATION_BUSY;
}
