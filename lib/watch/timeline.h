/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_TIMELINE_H
#define VIGIL_WATCH_TIMELINE_H
/*
 * The story of a cluster from the events of all its nodes: put on one time axis, cut into incidents, and summed up in phases.
 *
 * The axis is the monotonic clock of one node's boot, so that no step of a wall clock changes the order. The others' clocks are put on it by the offsets
 * that the recorders measured (EVENT_CLOCK_OFFSET), over as many hops as it takes; each event knows how far off it may be. Where no
 * measurement leads to a clock (a boot that ended before one was made), the wall clocks are compared, and the event is marked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "watch/event_set.h"

/* Two events further apart than this belong to two incidents. */
#define TIMELINE_GAP_NS (20 * 1000000000LL)

struct timeline_entry {
    struct event event;
    int64_t time_ns;         /* wall clock of the reference, since 1970 */
    uint64_t uncertainty_ns; /* how far off it may be */
    bool by_wall_clock;      /* put there by its own wall clock: the uncertainty is not known */
};

/* A part of an incident that has a name. */
struct timeline_phase {
    const char *name;
    int64_t from_ns, to_ns;
};
#define TIMELINE_PHASES 8

struct timeline {
    struct timeline_entry *entries; /* in the order of time */
    size_t count;
    char reference[EVENT_NODE_SIZE]; /* whose clock the axis is */
};

/* Builds the timeline of a set (event_set_finish was called). `node` and `boot_id` say whose clock is the axis; where it has no event, that of the newest
 * one is. Returns 0 or -ENOMEM. */
int timeline_build(const struct event_set *set, const char *node, const uint8_t boot_id[EVENT_ID_SIZE], struct timeline *ret);
void timeline_free(struct timeline *timeline);
#define _cleanup_timeline_ _cleanup_(timeline_free)

/* The last incident with a failure in it (a failure seen, a node lost, a fencing); where there is none the last one with a start or stop; else the last of all. *ret_first and
 * *ret_end are indexes of entries. Returns false when there is no event. */
bool timeline_last_incident(const struct timeline *timeline, size_t *ret_first, size_t *ret_end);

/* The first entry at or behind a time. */
size_t timeline_find(const struct timeline *timeline, int64_t time_ns);

/* Sums up entries first to end (exclusive). Returns how many phases there are. */
size_t timeline_sum_up(const struct timeline *timeline, size_t first, size_t end, struct timeline_phase phases[TIMELINE_PHASES]);

/* The index of what began it all: the first failure among the entries, or the first of them. */
size_t timeline_trigger(const struct timeline *timeline, size_t first, size_t end);

/* True for what an operator has to look at. */
bool timeline_is_failure(const struct event *event);

/* The end that belongs to a begin (start, stop, fencing): its index, or end where there is none. */
size_t timeline_find_end(const struct timeline *timeline, size_t begin, size_t end);

/* What happened, in words, without the node: "start of db ended after 0.31 s". Returns buffer. */
const char *timeline_words(const struct event *event, char *buffer, size_t size);

#endif
