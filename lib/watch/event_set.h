/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_EVENT_SET_H
#define VIGIL_WATCH_EVENT_SET_H
/*
 * Events gathered from several files: each once, in the order of their wall clocks, the newest where there are more than wanted.
 */
#include <stddef.h>

#include "base/cleanup.h"
#include "watch/event.h"

/* Zero-initialise but for limit; event_set_free gives the memory back. */
struct event_set {
    struct event *events;
    size_t count;
    size_t limit; /* so many are kept */
    size_t capacity;
    bool failed; /* out of memory: some are missing */
};

/* Adds a copy; an event_visitor. */
void event_set_add(void *set, const struct event *event);

/* Sorts, removes what is there twice, and keeps the newest `limit`. Call it when all are added, before the events are used. */
void event_set_finish(struct event_set *set);

void event_set_free(struct event_set *set);
#define _cleanup_event_set_ _cleanup_(event_set_free)

#endif
