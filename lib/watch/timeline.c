/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Boots of nodes; a set of events of more is none of a cluster's. */
#define CLOCKS_LIMIT 256
/* As share.c has it: how far two clocks run apart. */
#define DRIFT_PER_MILLION 100
/* Nobody knows: put behind every measured way. */
#define UNKNOWN_UNCERTAINTY UINT64_MAX

/* What peers claim may be absurd: the sum then is, too, but the program goes on. */
static int64_t add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool is_sane(int64_t ns)
{
    return ns > -INT64_MAX / 2 && ns < INT64_MAX / 2;
}

/* ---- clocks --------------------------------------------------------------------------------------------------------- */

/* The monotonic clock of one boot of one node. Namespaces share a boot id and may have different clocks, hence the name. */
struct clock {
    char node[EVENT_NODE_SIZE];
    const uint8_t *boot_id;
    size_t parent;        /* the next one on the way to the reference */
    uint64_t uncertainty; /* of the whole way, at its best */
    bool done;
};

/* One measurement: `to` less `from` was offset when from's clock was at_ns. */
struct sample {
    size_t from, to;
    int64_t at_ns, offset_ns;
    uint64_t uncertainty_ns;
};

struct clock_map {
    struct clock clocks[CLOCKS_LIMIT];
    size_t clock_count;
    struct sample *samples;
    size_t sample_count;
    size_t reference;
    int64_t wall_ahead_ns; /* wall clock less monotonic clock of the reference, as it was last */
};

/* What the origin of an event is called: events from before Corosync told may bear the host's name, which need not be the node's. */
static const char *origin_name(const struct event_set *set, const struct event *event)
{
    for (size_t i = 0; i < set->count && event->origin.node_id == 0; i++) {
        if (set->events[i].origin.node_id != 0 && event_origin_equal(&set->events[i].origin, &event->origin))
            return set->events[i].node;
    }
    return event->node;
}

/* Returns CLOCKS_LIMIT when there is no place. */
static size_t find_clock(struct clock_map *map, const char *node, const uint8_t *boot_id)
{
    for (size_t i = 0; i < map->clock_count; i++) {
        if (memcmp(map->clocks[i].boot_id, boot_id, EVENT_ID_SIZE) == 0 && text_equal(map->clocks[i].node, node))
            return i;
    }
    if (map->clock_count == CLOCKS_LIMIT)
        return CLOCKS_LIMIT;
    map->clocks[map->clock_count] = (struct clock){ .boot_id = boot_id, .uncertainty = UNKNOWN_UNCERTAINTY, .parent = CLOCKS_LIMIT };
    memcpy(map->clocks[map->clock_count].node, node, EVENT_NODE_SIZE);
    return map->clock_count++;
}

static int collect_samples(struct clock_map *map, const struct event_set *set)
{
    map->samples = calloc(set->count + 1, sizeof(*map->samples));
    if (!map->samples)
        return -ENOMEM;
    for (size_t i = 0; i < set->count; i++) {
        const struct event *event = &set->events[i];
        struct sample *sample = &map->samples[map->sample_count];

        if (event->monotonic_ns == 0)
            continue;
        sample->from = find_clock(map, origin_name(set, event), event->origin.boot_id);
        if (event->kind != EVENT_CLOCK_OFFSET || event->monotonic_ns > INT64_MAX / 2 || !is_sane(event->value))
            continue;
        sample->to = find_clock(map, event->peer, event->peer_boot_id);
        sample->at_ns = (int64_t)event->monotonic_ns;
        sample->offset_ns = event->value;
        sample->uncertainty_ns = event->duration_ns;
        if (sample->from < CLOCKS_LIMIT && sample->to < CLOCKS_LIMIT && sample->from != sample->to)
            map->sample_count++;
    }
    return 0;
}

/* Lets every neighbour of a clock that is on the way be reached through it, where that is better. */
static void reach_neighbours(struct clock_map *map, size_t via)
{
    for (size_t i = 0; i < map->sample_count; i++) {
        const struct sample *sample = &map->samples[i];
        size_t other = sample->from == via ? sample->to : sample->to == via ? sample->from : CLOCKS_LIMIT;
        uint64_t way = map->clocks[via].uncertainty + sample->uncertainty_ns;

        if (other == CLOCKS_LIMIT || map->clocks[other].done || way >= map->clocks[other].uncertainty ||
            way < map->clocks[via].uncertainty)
            continue;
        map->clocks[other].uncertainty = way;
        map->clocks[other].parent = via;
    }
}

/* The shortest ways to the reference by uncertainty (Dijkstra's algorithm). */
static void find_ways(struct clock_map *map)
{
    map->clocks[map->reference].uncertainty = 0;
    for (;;) {
        size_t nearest = CLOCKS_LIMIT;

        for (size_t i = 0; i < map->clock_count; i++) {
            if (!map->clocks[i].done && map->clocks[i].uncertainty != UNKNOWN_UNCERTAINTY &&
                (nearest == CLOCKS_LIMIT || map->clocks[i].uncertainty < map->clocks[nearest].uncertainty))
                nearest = i;
        }
        if (nearest == CLOCKS_LIMIT)
            return;
        map->clocks[nearest].done = true;
        reach_neighbours(map, nearest);
    }
}

/* One hop: a time of `clock` on its parent's axis, by the measurement that is worth most then. */
static int64_t step_to_parent(const struct clock_map *map, size_t clock, int64_t time_ns, uint64_t *uncertainty)
{
    uint64_t best = UNKNOWN_UNCERTAINTY;
    int64_t result = time_ns;

    for (size_t i = 0; i < map->sample_count; i++) {
        const struct sample *sample = &map->samples[i];
        bool forward = sample->from == map->clocks[clock].parent && sample->to == clock;
        bool backward = sample->to == map->clocks[clock].parent && sample->from == clock;
        int64_t then_ns = forward ? add(sample->at_ns, sample->offset_ns) : sample->at_ns; /* on our axis */
        uint64_t age = time_ns > then_ns ? (uint64_t)time_ns - (uint64_t)then_ns : (uint64_t)then_ns - (uint64_t)time_ns, worth;

        if (!forward && !backward)
            continue;
        worth = sample->uncertainty_ns + age / 1000000 * DRIFT_PER_MILLION;
        if (worth >= best)
            continue;
        best = worth;
        result = add(time_ns, forward ? -sample->offset_ns : sample->offset_ns);
    }
    *uncertainty += best;
    return result;
}

/* Puts an event on the axis. */
static void place(struct clock_map *map, struct timeline_entry *entry)
{
    const struct event *event = &entry->event;
    size_t clock = CLOCKS_LIMIT;
    int64_t time_ns = (int64_t)event->monotonic_ns;

    if (event->monotonic_ns > 0 && event->monotonic_ns <= INT64_MAX / 2)
        clock = find_clock(map, event->node, event->origin.boot_id);
    if (clock == CLOCKS_LIMIT || map->clocks[clock].uncertainty == UNKNOWN_UNCERTAINTY) {
        entry->time_ns = event->wall_ns > INT64_MAX / 2 ? 0 : (int64_t)event->wall_ns;
        entry->by_wall_clock = true;
        return;
    }
    for (size_t hops = 0; clock != map->reference && hops < CLOCKS_LIMIT; hops++) {
        time_ns = step_to_parent(map, clock, time_ns, &entry->uncertainty_ns);
        clock = map->clocks[clock].parent;
    }
    entry->time_ns = add(time_ns, map->wall_ahead_ns);
    if (entry->time_ns < 0 || !is_sane(entry->time_ns))
        entry->time_ns = 0;
}

/* Whose clock is the axis: the newest event of the wanted one, else the newest of all. */
static void choose_reference(struct clock_map *map, const struct event_set *set, const char *node, const uint8_t *boot_id)
{
    const struct event *chosen = NULL;

    for (size_t i = set->count; i > 0; i--) {
        const struct event *event = &set->events[i - 1];

        if (event->monotonic_ns == 0)
            continue;
        if (!chosen)
            chosen = event;
        if (node && text_equal(event->node, node) && memcmp(event->origin.boot_id, boot_id, EVENT_ID_SIZE) == 0) {
            chosen = event;
            break;
        }
    }
    if (!chosen)
        return;
    map->reference = find_clock(map, origin_name(set, chosen), chosen->origin.boot_id);
    /* Its wall clock as it is now: by its latest event, which a step back may have put before others. */
    for (size_t i = 0; i < set->count; i++) {
        const struct event *event = &set->events[i];

        if (event->monotonic_ns > chosen->monotonic_ns && text_equal(event->node, chosen->node) &&
            memcmp(event->origin.boot_id, chosen->origin.boot_id, EVENT_ID_SIZE) == 0)
            chosen = event;
    }
    map->wall_ahead_ns = add((int64_t)chosen->wall_ns, -(int64_t)(chosen->monotonic_ns & INT64_MAX));
}

/* ---- the timeline ---------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *left, const void *right)
{
    const struct timeline_entry *a = left, *b = right;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    if (event_origin_equal(&a->event.origin, &b->event.origin))
        return (a->event.sequence > b->event.sequence) - (a->event.sequence < b->event.sequence);
    return strcmp(a->event.node, b->event.node);
}

static void fill(struct clock_map *map, const struct event_set *set, struct timeline *ret)
{
    for (size_t i = 0; i < set->count; i++) {
        struct timeline_entry *entry = &ret->entries[ret->count];

        if (!event_is_story(set->events[i].kind))
            continue;
        *entry = (struct timeline_entry){ .event = set->events[i] };
        event_set_text(entry->event.node, sizeof(entry->event.node), origin_name(set, &set->events[i]));
        place(map, entry);
        ret->count++;
    }
    qsort(ret->entries, ret->count, sizeof(*ret->entries), compare_entries);
    if (map->reference < map->clock_count)
        memcpy(ret->reference, map->clocks[map->reference].node, sizeof(ret->reference));
}

int timeline_build(const struct event_set *set, const char *node, const uint8_t boot_id[EVENT_ID_SIZE], struct timeline *ret)
{
    struct clock_map *map = calloc(1, sizeof(*map));
    int r = -ENOMEM;

    *ret = (struct timeline){ .entries = calloc(set->count + 1, sizeof(*ret->entries)) };
    if (map && ret->entries)
        r = collect_samples(map, set);
    if (r == 0) {
        choose_reference(map, set, node, boot_id);
        if (map->reference < map->clock_count)
            find_ways(map);
        fill(map, set, ret);
    } else {
        timeline_free(ret);
    }
    if (map)
        free(map->samples);
    free(map);
    return r;
}

void timeline_free(struct timeline *timeline)
{
    free(timeline->entries);
    *timeline = (struct timeline){ .entries = NULL };
}

size_t timeline_find(const struct timeline *timeline, int64_t time_ns)
{
    size_t index = 0;

    while (index < timeline->count && timeline->entries[index].time_ns < time_ns)
        index++;
    return index;
}

/* ---- incidents -------------------------------------------------------------------------------------------------------- */

bool timeline_is_failure(const struct event *event)
{
    switch (event->kind) {
    case EVENT_FAILURE_SEEN:
    case EVENT_FAILURE_CONFIRMED:
    case EVENT_REPORT_FAILED:
    case EVENT_NODE_LEFT:
    case EVENT_QUORUM_LOST:
        return true;
    case EVENT_START_END:
    case EVENT_STOP_END:
    case EVENT_FENCING_END:
        return event->value != 0;
    default:
        return false;
    }
}

/* What an incident may begin with: a fencing that an operator asked for is no failure, but a story. */
static bool is_trigger(const struct event *event)
{
    return timeline_is_failure(event) || event->kind == EVENT_FENCING_BEGIN || event->kind == EVENT_FAILURE_REPORTED;
}

/* How much an incident is worth to be shown: 2 with a failure, 1 with a resource that moved, else 0. */
static int weigh(const struct timeline *timeline, size_t first, size_t end)
{
    int weight = 0;

    for (size_t i = first; i < end; i++) {
        uint16_t kind = timeline->entries[i].event.kind;

        if (is_trigger(&timeline->entries[i].event))
            return 2;
        if (kind == EVENT_START_BEGIN || kind == EVENT_STOP_BEGIN)
            weight = 1;
    }
    return weight;
}

bool timeline_last_incident(const struct timeline *timeline, size_t *ret_first, size_t *ret_end)
{
    size_t end = timeline->count;
    int best = -1;

    while (end > 0) {
        size_t first = end - 1;
        int weight;

        while (first > 0 && timeline->entries[first].time_ns - timeline->entries[first - 1].time_ns <= TIMELINE_GAP_NS)
            first--;
        weight = weigh(timeline, first, end);
        if (weight > best) {
            best = weight;
            *ret_first = first;
            *ret_end = end;
        }
        end = first;
    }
    return best >= 0;
}

size_t timeline_trigger(const struct timeline *timeline, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (is_trigger(&timeline->entries[i].event))
            return i;
    }
    return first;
}

static uint16_t end_of_kind(uint16_t kind)
{
    switch (kind) {
    case EVENT_START_BEGIN:
        return EVENT_START_END;
    case EVENT_STOP_BEGIN:
        return EVENT_STOP_END;
    case EVENT_FENCING_BEGIN:
        return EVENT_FENCING_END;
    default:
        return EVENT_NONE;
    }
}

size_t timeline_find_end(const struct timeline *timeline, size_t begin, size_t end)
{
    const struct event *event = &timeline->entries[begin].event;
    uint16_t kind = end_of_kind(event->kind);

    for (size_t i = begin + 1; i < end && kind != EVENT_NONE; i++) {
        const struct event *other = &timeline->entries[i].event;

        if (!text_equal(other->node, event->node) || !text_equal(other->resource, event->resource) || !text_equal(other->peer, event->peer))
            continue;
        if (other->kind == kind)
            return i;
        if (other->kind == event->kind)
            break; /* begun anew: the first one never ended */
    }
    return end;
}

/* ---- phases ----------------------------------------------------------------------------------------------------------- */

/* The first (last) entry of a kind with a success; end when there is none. */
static size_t first_of(const struct timeline *timeline, size_t first, size_t end, uint16_t kind)
{
    while (first < end && timeline->entries[first].event.kind != kind)
        first++;
    return first;
}

static size_t last_success(const struct timeline *timeline, size_t first, size_t end, uint16_t kind)
{
    for (size_t i = end; i > first; i--) {
        if (timeline->entries[i - 1].event.kind == kind && timeline->entries[i - 1].event.value == 0)
            return i - 1;
    }
    return end;
}

struct phase_list {
    const struct timeline *timeline;
    size_t end;
    struct timeline_phase *phases;
    size_t count;
};

/* Adds a phase where both of its ends are there, in this order. */
static void add_phase(struct phase_list *list, const char *name, size_t from, size_t to)
{
    const struct timeline_entry *entries = list->timeline->entries;

    if (from < list->end && to < list->end && from < to && list->count < TIMELINE_PHASES)
        list->phases[list->count++] = (struct timeline_phase){ name, entries[from].time_ns, entries[to].time_ns };
}

static size_t earliest(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The last sign that the service is back; end where there is none. */
static size_t service_back(const struct timeline *timeline, size_t first, size_t end)
{
    static const uint16_t kinds[] = { EVENT_START_END, EVENT_ADDRESS_ANNOUNCED, EVENT_PROBE_ANSWERED };
    size_t back = end;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t last = last_success(timeline, first, end, kinds[i]);

        if (last < end && (back == end || last > back))
            back = last;
    }
    return back;
}

size_t timeline_sum_up(const struct timeline *timeline, size_t first, size_t end, struct timeline_phase phases[TIMELINE_PHASES])
{
    size_t trigger = timeline_trigger(timeline, first, end);
    /* What a node does that comes back belongs to no failover. */
    size_t joined = first_of(timeline, trigger, end, EVENT_NODE_JOINED);
    struct phase_list list = { .timeline = timeline, .end = joined, .phases = phases };
    size_t fencing = first_of(timeline, trigger, joined, EVENT_FENCING_BEGIN);
    size_t stop = first_of(timeline, trigger, joined, EVENT_STOP_BEGIN);
    size_t start = first_of(timeline, trigger, joined, EVENT_START_BEGIN);

    if (first == end)
        return 0;
    add_phase(&list, "failure seen until Pacemaker knew", first_of(timeline, trigger, joined, EVENT_FAILURE_SEEN),
              first_of(timeline, trigger, joined, EVENT_FAILURE_REPORTED));
    add_phase(&list, "until the cluster acted", trigger, earliest(fencing, earliest(stop, start)));
    add_phase(&list, "fencing", fencing, last_success(timeline, fencing, joined, EVENT_FENCING_END));
    add_phase(&list, "stop", stop, last_success(timeline, stop, joined, EVENT_STOP_END));
    add_phase(&list, "start", start, last_success(timeline, start, joined, EVENT_START_END));
    add_phase(&list, "until the service was back", trigger, service_back(timeline, trigger, joined));
    return list.count;
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

/* What comes before the text, by kind; %R is the resource, %P the node that it speaks of, %V the value. */
static const char *const sentences[EVENT_KIND_COUNT] = {
    [EVENT_WATCHER_STARTED] = "vigild has begun",
    [EVENT_WATCHER_STOPPED] = "vigild has ended",
    [EVENT_FAILURE_SEEN] = "failure of %R seen",
    [EVENT_FAILURE_CONFIRMED] = "failure of %R confirmed",
    [EVENT_FAILURE_DISMISSED] = "no failure of %R after all",
    [EVENT_FAILURE_REPORTED] = "failure of %R reported to Pacemaker",
    [EVENT_REPORT_FAILED] = "failure of %R could not be reported",
    [EVENT_START_BEGIN] = "start of %R begins",
    [EVENT_START_END] = "start of %R",
    [EVENT_STOP_BEGIN] = "stop of %R begins",
    [EVENT_STOP_END] = "stop of %R",
    [EVENT_NODE_JOINED] = "%P has joined",
    [EVENT_NODE_LEFT] = "%P is lost",
    [EVENT_QUORUM_GAINED] = "quorum (members: %V)",
    [EVENT_QUORUM_LOST] = "quorum is lost (members: %V)",
    [EVENT_FENCING_BEGIN] = "fencing of %P begins",
    [EVENT_FENCING_END] = "fencing of %P",
    [EVENT_ADDRESS_ANNOUNCED] = "%R announced",
    [EVENT_PROBE_ANSWERED] = "%R answers its probe",
    [EVENT_NODE_HEALTH] = "health of the node",
    [EVENT_CLUSTER_LOST] = "connection lost",
    [EVENT_CLUSTER_REGAINED] = "connection regained",
    [EVENT_RECORDER_TROUBLE] = "the recorder can't write",
    [EVENT_RECORDER_WELL] = "the recorder writes again",
    [EVENT_CLOCK_STEPPED] = "clock",
    [EVENT_SOURCE_LOST] = "a source of %R is blind",
    [EVENT_SOURCE_REGAINED] = "a source of %R sees again",
    [EVENT_WATCH_ADDED] = "%R is watched",
    [EVENT_WATCH_WITHDRAWN] = "%R is no longer watched",
    [EVENT_NOTE] = "%R",
    [EVENT_RECORDER_GAP] = "%V events were lost",
    [EVENT_DECISION] = "%R",
};

static void append_sentence(struct text_buffer *words, const struct event *event)
{
    const char *sentence = event->kind < EVENT_KIND_COUNT ? sentences[event->kind] : NULL;
    char name[32];

    if (!sentence) {
        text_buffer_printf(words, "%s %s %s", event_kind_name(event->kind, name, sizeof(name)), event->resource, event->peer);
        return;
    }
    for (; *sentence; sentence++) {
        if (text_after(sentence, "%R"))
            text_buffer_printf(words, "%s", event->resource);
        else if (text_after(sentence, "%P"))
            text_buffer_printf(words, "%s", event->peer);
        else if (text_after(sentence, "%V"))
            text_buffer_printf(words, "%" PRId64, event->value);
        else
            text_buffer_append(words, sentence, 1);
        sentence += *sentence == '%' ? 1 : 0;
    }
}

/* "has succeeded after 0.31 s", "has failed with 1 after 20 s" */
static void append_result(struct text_buffer *words, const struct event *event)
{
    if (event->kind != EVENT_START_END && event->kind != EVENT_STOP_END && event->kind != EVENT_FENCING_END)
        return;
    if (event->value == 0)
        text_buffer_printf(words, " has succeeded");
    else
        text_buffer_printf(words, " has failed (%" PRId64 ")", event->value);
    if (event->duration_ns > 0)
        text_buffer_printf(words, " after %.3f s", (double)event->duration_ns / 1e9);
}

const char *timeline_words(const struct event *event, char *buffer, size_t size)
{
    _cleanup_text_buffer_ struct text_buffer words = { 0 };

    append_sentence(&words, event);
    append_result(&words, event);
    if (event->text[0])
        text_buffer_printf(&words, "%s%s", words.length > 0 ? ": " : "", event->text);
    event_set_text(buffer, size, words.text);
    return buffer;
}
