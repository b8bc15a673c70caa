/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/event_set.h"

#include <stdlib.h>
#include <string.h>

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By time; what is the same event comes together, since a copy has the same time. */
static int compare_events(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    int order = compare_numbers(a->wall_ns, b->wall_ns);

    if (order == 0)
        order = memcmp(a->origin.boot_id, b->origin.boot_id, EVENT_ID_SIZE);
    if (order == 0)
        order = compare_numbers(a->origin.incarnation, b->origin.incarnation);
    return order != 0 ? order : compare_numbers(a->sequence, b->sequence);
}

static void sort_and_cut(struct event_set *set)
{
    size_t kept = 0;

    if (set->count == 0)
        return;
    qsort(set->events, set->count, sizeof(*set->events), compare_events);
    for (size_t i = 0; i < set->count; i++) {
        if (kept > 0 && compare_events(&set->events[kept - 1], &set->events[i]) == 0)
            continue;
        if (kept != i)
            set->events[kept] = set->events[i];
        kept++;
    }
    if (kept > set->limit) {
        memmove(set->events, set->events + (kept - set->limit), set->limit * sizeof(*set->events));
        kept = set->limit;
    }
    set->count = kept;
}

void event_set_add(void *context, const struct event *event)
{
    struct event_set *set = context;

    if (set->count >= 2 * set->limit)
        sort_and_cut(set);
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        struct event *events;

        if (capacity > 2 * set->limit)
            capacity = 2 * set->limit;
        events = reallocarray(set->events, capacity, sizeof(*events));
        if (!events) {
            set->failed = true;
            return;
        }
        set->events = events;
        set->capacity = capacity;
    }
    set->events[set->count++] = *event;
}

void event_set_finish(struct event_set *set)
{
    sort_and_cut(set);
}

void event_set_free(struct event_set *set)
{
    free(set->events);
    set->events = NULL;
    set->count = set->capacity = 0;
}
