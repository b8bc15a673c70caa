/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch/share_message.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)

#define SUMMARY_EVERY (60 * SECOND)
/* Pings come in a burst when members change, then seldom: the best round trip counts. */
#define PING_BURST 6
#define PING_BURST_EVERY (100 * MS)
#define PING_EVERY (20 * SECOND)
/* How far two clocks may run apart in a second; quartz is within 100 parts in a million, and NTP slews by 500 at most. */
#define DRIFT_PER_MILLION 100
/* An estimate is noted in the recorder at most so often for each peer. */
#define CLOCK_NOTE_EVERY (60 * SECOND)
/* Ranges that others have asked for. */
#define ANSWERS_LIMIT 64
/* What was asked for is not asked for again within this time. */
#define REQUEST_AGAIN (5 * SECOND)
#define REQUESTS_LIMIT 32
/* So many events are missed at most of one origin: the memory of a recorder. */
#define MISSING_SPAN 4096
/* Messages in one tick. */
#define SENDS_IN_A_TICK 4
#define BUSY_MS 20
/* A clock of a node that has gone is kept so long as it is among the last so many. */
#define CLOCKS_LIMIT SHARE_MEMBERS_LIMIT

struct peer_clock {
    struct share_clock clock;
    uint64_t noted_ns;  /* 0: never */
    bool note_due;      /* something has happened since */
};

struct asked_range {
    struct share_range range;
    uint64_t at_ns;
};

struct share {
    struct share_config config;
    uint32_t own_id;
    uint32_t members[SHARE_MEMBERS_LIMIT];
    size_t member_count;
    uint64_t sent_sequence; /* own events up to here are on the bus */

    bool summary_due;
    uint64_t summary_ns; /* the last one */
    uint64_t ping_ns;
    unsigned int pings_left; /* of a burst */

    uint32_t pong_to[SHARE_MEMBERS_LIMIT]; /* whose ping waits for its answer */
    uint64_t pong_t1[SHARE_MEMBERS_LIMIT], pong_t2[SHARE_MEMBERS_LIMIT];
    size_t pong_count;

    struct share_range answers[ANSWERS_LIMIT];
    size_t answer_count;
    struct share_buffer request; /* being put together from a summary */
    struct asked_range asked[REQUESTS_LIMIT];

    struct peer_clock clocks[CLOCKS_LIMIT];
    size_t clock_count;
    struct share_counts counts;
    struct share_message incoming; /* large, so not on the stack */
    struct share_buffer outgoing;
};

static uint64_t clock_ns(const struct share *share)
{
    struct timespec now;

    if (share->config.clock_ns)
        return share->config.clock_ns(share->config.context);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static bool is_member(const struct share *share, uint32_t node_id)
{
    for (size_t i = 0; i < share->member_count; i++) {
        if (share->members[i] == node_id)
            return true;
    }
    return false;
}

static bool send_message(struct share *share, const struct share_buffer *buffer)
{
    int r = share->config.send(share->config.context, buffer->bytes, buffer->length);

    if (r == 0)
        share->counts.sent++;
    else
        share->counts.refused++;
    return r == 0;
}

/* ---- clocks --------------------------------------------------------------------------------------------------------- */

/* What an estimate is worth now: the clocks have run apart since. */
static uint64_t aged_uncertainty(const struct share_clock *clock, uint64_t now)
{
    uint64_t age = now > clock->measured_ns ? now - clock->measured_ns : 0;

    return clock->uncertainty_ns + age / 1000000 * DRIFT_PER_MILLION;
}

static struct peer_clock *find_clock(struct share *share, uint32_t node_id)
{
    struct peer_clock *oldest = &share->clocks[0];

    for (size_t i = 0; i < share->clock_count; i++) {
        if (share->clocks[i].clock.node_id == node_id)
            return &share->clocks[i];
        if (share->clocks[i].clock.measured_ns < oldest->clock.measured_ns)
            oldest = &share->clocks[i];
    }
    if (share->clock_count < CLOCKS_LIMIT)
        oldest = &share->clocks[share->clock_count++];
    memset(oldest, 0, sizeof(*oldest));
    oldest->clock.node_id = node_id;
    oldest->note_due = true;
    return oldest;
}

/* The four times of a round trip: ours, theirs, theirs, ours. Impossible ones are a peer's mistake (or its malice): they count for nothing. */
static void take_round_trip(struct share *share, uint32_t node_id, const struct share_message *message, uint64_t t4)
{
    uint64_t t1 = message->t1, t2 = message->t2, t3 = message->t3;
    struct share_clock new_clock = { .node_id = node_id, .measured_ns = t4 };
    struct peer_clock *entry;

    if (t1 > t4 || t2 > t3 || t3 - t2 > t4 - t1 || t4 - t1 > 10 * SECOND || t2 > INT64_MAX / 2 || t4 > INT64_MAX / 2)
        return;
    new_clock.uncertainty_ns = (t4 - t1 - (t3 - t2)) / 2 + 1;
    new_clock.offset_ns = ((int64_t)t2 - (int64_t)t1 + ((int64_t)t3 - (int64_t)t4)) / 2;
    memcpy(new_clock.boot_id, message->boot_id, EVENT_ID_SIZE);
    memcpy(new_clock.node, message->node, sizeof(new_clock.node));
    entry = find_clock(share, node_id);
    if (memcmp(entry->clock.boot_id, message->boot_id, EVENT_ID_SIZE) != 0 || entry->clock.measured_ns == 0) {
        entry->note_due = true;
        entry->noted_ns = 0;
    } else if (new_clock.uncertainty_ns > aged_uncertainty(&entry->clock, t4)) {
        return;
    }
    entry->clock = new_clock;
}

static void note_clock(struct share *share, struct peer_clock *entry, uint64_t now)
{
    struct event event = { .kind = EVENT_CLOCK_OFFSET, .value = entry->clock.offset_ns };

    event.duration_ns = aged_uncertainty(&entry->clock, now);
    memcpy(event.peer_boot_id, entry->clock.boot_id, EVENT_ID_SIZE);
    event_set_text(event.peer, sizeof(event.peer), entry->clock.node);
    entry->noted_ns = now;
    entry->note_due = false;
    (void)recorder_note(share->config.recorder, &event);
}

static void note_clocks(struct share *share, uint64_t now)
{
    if (share->pings_left > 0)
        return; /* the burst finds better ones */
    for (size_t i = 0; i < share->clock_count; i++) {
        struct peer_clock *entry = &share->clocks[i];

        if (entry->note_due && entry->clock.measured_ns > 0 && entry->clock.node[0] &&
            (entry->noted_ns == 0 || now - entry->noted_ns >= CLOCK_NOTE_EVERY))
            note_clock(share, entry, now);
    }
}

const struct share_clock *share_next_clock(const struct share *share, size_t *cursor)
{
    return *cursor < share->clock_count ? &share->clocks[(*cursor)++].clock : NULL;
}

static bool send_ping(struct share *share, uint64_t now)
{
    share_begin(&share->outgoing, SHARE_PING);
    share_put_number(&share->outgoing, now, 8);
    return send_message(share, &share->outgoing);
}

static bool send_pong(struct share *share, size_t index)
{
    const struct event_origin *own = recorder_origin(share->config.recorder);
    const char *node = recorder_node(share->config.recorder);

    share_begin(&share->outgoing, SHARE_PONG);
    share_put_number(&share->outgoing, share->pong_to[index], 4);
    share_put_number(&share->outgoing, share->pong_t1[index], 8);
    share_put_number(&share->outgoing, share->pong_t2[index], 8);
    share_put_number(&share->outgoing, clock_ns(share), 8);
    share_put_bytes(&share->outgoing, own->boot_id, EVENT_ID_SIZE);
    share_put_number(&share->outgoing, strlen(node), 1);
    share_put_bytes(&share->outgoing, node, strlen(node));
    return send_message(share, &share->outgoing);
}

/* One answer waits for each member: a new ping of the same takes the place of the old. */
static void queue_pong(struct share *share, uint32_t node_id, uint64_t t1, uint64_t t2)
{
    size_t place = 0;

    while (place < share->pong_count && share->pong_to[place] != node_id)
        place++;
    if (place == SHARE_MEMBERS_LIMIT)
        return;
    if (place == share->pong_count)
        share->pong_count++;
    share->pong_to[place] = node_id;
    share->pong_t1[place] = t1;
    share->pong_t2[place] = t2;
    /* At once: a round trip is the better the shorter it is. */
    if (!send_pong(share, place))
        return;
    share->pong_count--;
    share->pong_to[place] = share->pong_to[share->pong_count];
    share->pong_t1[place] = share->pong_t1[share->pong_count];
    share->pong_t2[place] = share->pong_t2[share->pong_count];
}

/* ---- what is missing ------------------------------------------------------------------------------------------------ */

/* True when these were asked for a moment ago, by us; else they are remembered as asked for now. */
static bool asked_already(struct share *share, const struct share_range *range, uint64_t now)
{
    struct asked_range *oldest = &share->asked[0];

    for (size_t i = 0; i < REQUESTS_LIMIT; i++) {
        struct asked_range *asked = &share->asked[i];

        if (asked->at_ns > 0 && now - asked->at_ns < REQUEST_AGAIN && event_origin_equal(&asked->range.origin, &range->origin) &&
            range->first >= asked->range.first && range->last <= asked->range.last)
            return true;
        if (asked->at_ns < oldest->at_ns)
            oldest = asked;
    }
    *oldest = (struct asked_range){ .range = *range, .at_ns = now };
    return false;
}

/* Which of the range's numbers are in our memory: marks them, relative to first. */
static void mark_known(const struct share *share, const struct share_range *range, bool *known)
{
    const struct event *event;
    size_t cursor = 0;

    while ((event = recorder_next(share->config.recorder, &cursor))) {
        if (event->sequence >= range->first && event->sequence <= range->last && event_origin_equal(&event->origin, &range->origin))
            known[event->sequence - range->first] = true;
    }
}

/* Adds to the request what we miss of the range. */
static void request_missing(struct share *share, struct share_range range, uint64_t now)
{
    bool known[MISSING_SPAN] = { false };
    uint64_t gone = recorder_forgotten(share->config.recorder, &range.origin);
    uint64_t next;

    if (range.first <= gone)
        range.first = gone + 1;
    if (range.first > range.last)
        return;
    if (range.last - range.first >= MISSING_SPAN)
        range.first = range.last - MISSING_SPAN + 1;
    mark_known(share, &range, known);
    for (next = range.first; next <= range.last; next++) {
        struct share_range missing = range;

        if (known[next - range.first])
            continue;
        missing.first = next;
        while (next <= range.last && !known[next - range.first])
            next++;
        missing.last = next - 1;
        if (!asked_already(share, &missing, now))
            share_put_range(&share->request, &missing);
    }
}

static void take_summary(struct share *share, uint32_t node_id, const struct share_message *message)
{
    const struct event_origin *own = recorder_origin(share->config.recorder);
    uint64_t now = clock_ns(share);
    size_t empty;

    share_begin(&share->request, SHARE_REQUEST);
    share_put_number(&share->request, node_id, 4);
    empty = share->request.length;
    for (size_t i = 0; i < message->range_count; i++) {
        const struct share_range *range = &message->ranges[i];

        /* Who is there tells its own story best. */
        if (event_origin_equal(&range->origin, own) || range->origin.node_id == 0 ||
            (range->origin.node_id != node_id && range->origin.node_id != share->own_id && is_member(share, range->origin.node_id)))
            continue;
        request_missing(share, *range, now);
    }
    if (share->request.length > empty && !send_message(share, &share->request))
        memset(share->asked, 0, sizeof(share->asked)); /* with the next summary */
}

static void take_request(struct share *share, const struct share_message *message)
{
    if (message->target != share->own_id)
        return;
    for (size_t i = 0; i < message->range_count && share->answer_count < ANSWERS_LIMIT; i++)
        share->answers[share->answer_count++] = message->ranges[i];
}

/* Our story of an origin, from the first to the last in memory. */
static void add_to_summary(struct share_range *ranges, size_t *count, const struct event *event)
{
    for (size_t i = 0; i < *count; i++) {
        if (!event_origin_equal(&ranges[i].origin, &event->origin))
            continue;
        if (event->sequence < ranges[i].first)
            ranges[i].first = event->sequence;
        if (event->sequence > ranges[i].last)
            ranges[i].last = event->sequence;
        return;
    }
    if (*count < SHARE_RANGES_LIMIT)
        ranges[(*count)++] = (struct share_range){ .origin = event->origin, .first = event->sequence, .last = event->sequence };
}

static bool send_summary(struct share *share)
{
    const struct event_origin *own = recorder_origin(share->config.recorder);
    struct share_range ranges[SHARE_RANGES_LIMIT];
    const struct event *event;
    size_t cursor = 0, count = 0;

    while ((event = recorder_next(share->config.recorder, &cursor)))
        add_to_summary(ranges, &count, event);
    share_begin(&share->outgoing, SHARE_SUMMARY);
    for (size_t i = 0; i < count; i++) {
        /* Noted before the node knew its number. */
        if (event_origin_equal(&ranges[i].origin, own))
            ranges[i].origin.node_id = share->own_id;
        share_put_range(&share->outgoing, &ranges[i]);
    }
    return send_message(share, &share->outgoing);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static bool put_event(struct share *share, const struct event *event)
{
    struct event copy = *event;

    if (copy.origin.node_id == 0)
        copy.origin.node_id = share->own_id;
    return share_put_event(&share->outgoing, &copy);
}

/* Puts our events behind the last one that was sent into a message. Returns the last one's number, or 0 when there is none. */
static uint64_t collect_new(struct share *share)
{
    const struct event_origin *own = recorder_origin(share->config.recorder);
    const struct event *event;
    uint64_t last = 0;
    size_t cursor = 0;

    share_begin(&share->outgoing, SHARE_EVENTS);
    while ((event = recorder_next(share->config.recorder, &cursor))) {
        if (event->sequence <= share->sent_sequence || !event_origin_equal(&event->origin, own))
            continue;
        if (!put_event(share, event))
            break;
        last = event->sequence;
    }
    return last;
}

/* The same for the first range that was asked for; *ret_rest is what is left of it. */
static size_t collect_answer(struct share *share, struct share_range *ret_rest)
{
    const struct share_range *range = &share->answers[0];
    const struct event *event;
    size_t cursor = 0, count = 0;

    *ret_rest = *range;
    ret_rest->first = range->last + 1;
    share_begin(&share->outgoing, SHARE_EVENTS);
    while ((event = recorder_next(share->config.recorder, &cursor))) {
        if (event->sequence < range->first || event->sequence > range->last || !event_origin_equal(&event->origin, &range->origin))
            continue;
        if (!put_event(share, event)) {
            ret_rest->first = event->sequence;
            break;
        }
        count++;
    }
    return count;
}

static bool send_answer(struct share *share)
{
    struct share_range rest;

    if (collect_answer(share, &rest) > 0 && !send_message(share, &share->outgoing))
        return false;
    share->answers[0] = rest;
    if (rest.first > rest.last) {
        share->answer_count--;
        memmove(share->answers, share->answers + 1, share->answer_count * sizeof(share->answers[0]));
    }
    return true;
}

static void take_events(struct share *share, uint32_t node_id, const struct share_message *message)
{
    struct event event;
    size_t cursor = 0;
    int r;

    while ((r = share_next_event(message, &cursor, &event)) != 0) {
        if (r > 0)
            r = recorder_take(share->config.recorder, &event);
        if (r < 0)
            share->counts.dropped++;
        /* A story goes on: how the clocks stand now belongs to it. */
        if (r == 1 && event_is_story(event.kind) && event.origin.node_id == node_id)
            find_clock(share, node_id)->note_due = true;
    }
}

void share_receive(struct share *share, uint32_t node_id, const uint8_t *bytes, size_t length, uint64_t received_ns)
{
    struct share_message *message = &share->incoming;

    share->counts.received++;
    if (share_message_decode(bytes, length, message) < 0) {
        share->counts.dropped++;
        return;
    }
    if (node_id == share->own_id)
        return;
    if (received_ns == 0)
        received_ns = clock_ns(share);
    switch (message->type) {
    case SHARE_EVENTS:
        take_events(share, node_id, message);
        break;
    case SHARE_SUMMARY:
        take_summary(share, node_id, message);
        break;
    case SHARE_REQUEST:
        take_request(share, message);
        break;
    case SHARE_PING:
        queue_pong(share, node_id, message->t1, received_ns);
        break;
    case SHARE_PONG:
        if (message->target == share->own_id)
            take_round_trip(share, node_id, message, received_ns);
        break;
    }
}

/* ---- what is due ---------------------------------------------------------------------------------------------------- */

static bool send_new_events(struct share *share)
{
    uint64_t last = collect_new(share);

    if (last == 0)
        return true;
    if (!send_message(share, &share->outgoing))
        return false;
    share->sent_sequence = last;
    for (size_t i = 0; i < share->clock_count; i++)
        share->clocks[i].note_due = true;
    return true;
}

/* Sends one thing that is due. Returns 1 when it did, 0 when nothing is, -EAGAIN when the bus takes no more. */
static int send_next(struct share *share, uint64_t now)
{
    uint64_t sent = share->sent_sequence;

    if (!send_new_events(share))
        return -EAGAIN;
    if (share->sent_sequence != sent)
        return 1;
    if (share->pong_count > 0) {
        if (!send_pong(share, share->pong_count - 1))
            return -EAGAIN;
        share->pong_count--;
        return 1;
    }
    if (share->member_count < 2)
        return 0;
    if (share->summary_due || now - share->summary_ns >= SUMMARY_EVERY) {
        if (!send_summary(share))
            return -EAGAIN;
        share->summary_due = false;
        share->summary_ns = now;
        return 1;
    }
    if (share->answer_count > 0)
        return send_answer(share) ? 1 : -EAGAIN;
    if (now - share->ping_ns >= (share->pings_left > 0 ? PING_BURST_EVERY : PING_EVERY)) {
        if (!send_ping(share, now))
            return -EAGAIN;
        share->ping_ns = now;
        if (share->pings_left > 0)
            share->pings_left--;
        return 1;
    }
    return 0;
}

unsigned int share_tick(struct share *share)
{
    uint64_t now = clock_ns(share);
    int r = 1;

    if (share->member_count == 0)
        return 1000;
    for (unsigned int i = 0; i < SENDS_IN_A_TICK && r > 0; i++)
        r = send_next(share, now);
    note_clocks(share, now);
    if (r != 0)
        return BUSY_MS;
    return share->pings_left > 0 ? (unsigned int)(PING_BURST_EVERY / MS) : 1000;
}

void share_set_members(struct share *share, uint32_t own_id, const uint32_t *node_ids, size_t count)
{
    uint64_t now = clock_ns(share);

    /* Who has left: the last estimate of its clock belongs to the story. */
    for (size_t i = 0; i < share->clock_count; i++) {
        struct peer_clock *entry = &share->clocks[i];
        bool stays = false;

        for (size_t j = 0; j < count; j++)
            stays |= node_ids[j] == entry->clock.node_id;
        if (!stays && is_member(share, entry->clock.node_id) && entry->clock.measured_ns > 0)
            note_clock(share, entry, now);
    }
    share->own_id = own_id;
    share->member_count = count < SHARE_MEMBERS_LIMIT ? count : SHARE_MEMBERS_LIMIT;
    if (share->member_count > 0)
        memcpy(share->members, node_ids, share->member_count * sizeof(*node_ids));
    share->summary_due = true;
    share->pings_left = PING_BURST;
    share->ping_ns = now > PING_BURST_EVERY ? now - PING_BURST_EVERY : 0;
    share->answer_count = 0;
    share->pong_count = 0;
    memset(share->asked, 0, sizeof(share->asked));
}

void share_get_counts(const struct share *share, struct share_counts *ret)
{
    *ret = share->counts;
}

int share_open(const struct share_config *config, struct share **ret)
{
    struct share *share = calloc(1, sizeof(*share));

    if (!share)
        return -ENOMEM;
    share->config = *config;
    *ret = share;
    return 0;
}

void share_close(struct share *share)
{
    free(share);
}
