/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/flight.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "agent/log.h"
#include "base/deadline.h"
#include "cluster/membership.h"
#include "cluster/process_group.h"
#include "cluster/quorum_watch.h"
#include "watch/note_spool.h"
#include "watch/share.h"

#define GROUP_NAME "vigil-events"
#define MS 1000000ULL
#define TICK_MS 1000
/* How long Corosync may take to say that it is there: the loop waits so long, at most. */
#define ASK_MS 250
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 15000
/* What we send to the group comes back to ourselves as well. So long without is more than a membership takes to form: Corosync hangs. Ticks, not time: where all
 * of this node stood still, nobody was silent. */
#define SILENCE_TICKS 20
/* And no more is sent meanwhile than so many messages: libqb's queue to Corosync holds some 280. */
#define UNANSWERED_MAX 64
/* The wall clock was stepped when it has moved so much against the monotonic one between two looks; NTP slews by 0.5 ms in a second. */
#define STEP_NS (200 * (int64_t)MS)

struct flight {
    struct flight_config config;
    struct note_spool *spool;
    struct share *share;
    struct process_group *group;
    struct quorum_watch *quorum;
    struct cluster_view view;

    int polled_recorder_fd;
    qb_loop_timer_handle tick_timer, share_timer;
    bool share_timer_set;
    uint64_t share_timer_at_ms;
    bool rejoin; /* a connection is lost: closed outside of its own callback */
    uint64_t retry_at_ms, retry_ms;
    bool connected_once, lost_said;
    char why[128];                 /* events are not shared, or "" */
    unsigned int unanswered;       /* messages that were sent behind the last one that came */
    unsigned int unanswered_ticks; /* for so long */
    bool silent;                   /* nothing is sent: libqb would wait for room in a queue that nobody empties */
    int trouble_said;

    uint32_t members[CLUSTER_NODES_MAX];
    size_t member_count;
    bool quorate, quorum_known;
    int64_t wall_ahead_ns; /* wall clock less monotonic clock */
};

static void tick(void *data);

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static void read_names(struct flight *flight)
{
    const struct cluster_node *own;

    if (cluster_view_read(&flight->view, deadline_in(ASK_MS)) < 0)
        return;
    own = cluster_view_node_of_id(&flight->view, flight->view.own_id);
    recorder_set_node(flight->config.recorder, own && own->name[0] ? own->name : NULL, flight->view.own_id);
}

static const char *name_of(struct flight *flight, uint32_t node_id, char *buffer, size_t size)
{
    const struct cluster_node *node = cluster_view_node_of_id(&flight->view, node_id);

    if (!node) { /* added since */
        read_names(flight);
        node = cluster_view_node_of_id(&flight->view, node_id);
    }
    if (!node || !node->name[0])
        (void)text_format(buffer, size, "node %" PRIu32, node_id);
    else
        (void)text_format(buffer, size, "%.60s", node->name);
    return buffer;
}

/* ---- sharing -------------------------------------------------------------------------------------------------------- */

static void run_share(void *data);

static void schedule_share(struct flight *flight, unsigned int ms)
{
    uint64_t at_ms = deadline_now_ms() + ms;

    if (flight->share_timer_set && flight->share_timer_at_ms <= at_ms)
        return;
    if (flight->share_timer_set)
        (void)qb_loop_timer_del(flight->config.loop, flight->share_timer);
    flight->share_timer_at_ms = at_ms;
    flight->share_timer_set =
        qb_loop_timer_add(flight->config.loop, QB_LOOP_LOW, ms * MS, flight, run_share, &flight->share_timer) == 0;
}

static void run_share(void *data)
{
    struct flight *flight = data;

    flight->share_timer_set = false;
    if (flight_is_sharing(flight))
        schedule_share(flight, share_tick(flight->share));
}

static int send_to_group(void *context, const uint8_t *bytes, size_t length)
{
    struct flight *flight = context;
    int r;

    if (flight->unanswered >= UNANSWERED_MAX)
        return -EAGAIN;
    r = flight->group ? process_group_send(flight->group, bytes, length) : -ENOTCONN;
    if (r == -ENOTCONN)
        flight->rejoin = true;
    flight->unanswered += r == 0;
    return r;
}

static void say_connection(struct flight *flight, bool connected, const char *why);

static void hear(struct flight *flight)
{
    flight->unanswered = 0;
    flight->unanswered_ticks = 0;
    if (!flight->silent)
        return;
    flight->silent = false;
    say_connection(flight, true, NULL);
}

static void look_for_silence(struct flight *flight)
{
    if (!flight_is_sharing(flight) || flight->unanswered == 0 || ++flight->unanswered_ticks < SILENCE_TICKS)
        return;
    flight->silent = true;
    say_connection(flight, false, "Corosync takes messages, and hands none out: it hangs");
}

static void take_message(void *context, uint32_t node_id, const uint8_t *bytes, size_t length)
{
    struct flight *flight = context;

    hear(flight);
    share_receive(flight->share, node_id, bytes, length, 0);
    schedule_share(flight, 0);
}

static void take_group_members(void *context, uint32_t own_id, const uint32_t *node_ids, size_t count)
{
    struct flight *flight = context;

    hear(flight);
    share_set_members(flight->share, own_id, node_ids, count);
    schedule_share(flight, 0);
}

static const struct process_group_callbacks group_callbacks = { .received = take_message, .members = take_group_members };

static void take_event(void *context, const struct event *event)
{
    struct flight *flight = context;

    /* The recorder must not be called from here: a little later, with what else comes meanwhile. */
    if (flight_is_sharing(flight) && event_origin_equal(&event->origin, recorder_origin(flight->config.recorder)))
        schedule_share(flight, 5);
    if (flight->config.listener)
        flight->config.listener(flight->config.context, event);
}

/* ---- membership and quorum ------------------------------------------------------------------------------------------- */

static bool contains(const uint32_t *ids, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Notes who is in one list and not in the other. */
static void note_difference(struct flight *flight, enum event_kind kind, const uint32_t *ids, size_t count, const uint32_t *others,
                            size_t other_count)
{
    for (size_t i = 0; i < count; i++) {
        char name[EVENT_NODE_SIZE];

        if (!contains(others, other_count, ids[i]))
            (void)recorder_note_text(flight->config.recorder, kind, NULL, name_of(flight, ids[i], name, sizeof(name)), ids[i],
                                     flight->quorum_known ? NULL : "was there when vigild connected to Corosync");
    }
}

static void take_quorum(void *context, bool quorate, const uint32_t *node_ids, size_t count)
{
    struct flight *flight = context;

    if (count > CLUSTER_NODES_MAX)
        count = CLUSTER_NODES_MAX;
    note_difference(flight, EVENT_NODE_LEFT, flight->members, flight->member_count, node_ids, count);
    note_difference(flight, EVENT_NODE_JOINED, node_ids, count, flight->members, flight->member_count);
    /* No quorum yet is no loss: a node that boots. */
    if (flight->quorum_known ? flight->quorate != quorate : quorate)
        (void)recorder_note_text(flight->config.recorder, quorate ? EVENT_QUORUM_GAINED : EVENT_QUORUM_LOST, NULL, NULL, (int64_t)count, NULL);
    if (count > 0)
        memcpy(flight->members, node_ids, count * sizeof(*node_ids));
    flight->member_count = count;
    flight->quorate = quorate;
    flight->quorum_known = true;
}

/* ---- connections ------------------------------------------------------------------------------------------------------ */

static void disconnect(struct flight *flight)
{
    if (flight->group) {
        (void)qb_loop_poll_del(flight->config.loop, process_group_fd(flight->group));
        process_group_close(flight->group);
        flight->group = NULL;
        share_set_members(flight->share, 0, NULL, 0);
    }
    if (flight->quorum) {
        (void)qb_loop_poll_del(flight->config.loop, quorum_watch_fd(flight->quorum));
        quorum_watch_close(flight->quorum);
        flight->quorum = NULL;
    }
    flight->member_count = 0;
    flight->quorum_known = false;
    flight->rejoin = false;
    flight->silent = false;
    flight->unanswered = 0;
    flight->unanswered_ticks = 0;
}

static int32_t dispatch_group(int32_t fd _unused_, int32_t revents, void *data)
{
    struct flight *flight = data;

    if (process_group_dispatch(flight->group) < 0 || (revents & (POLLHUP | POLLERR | POLLNVAL)))
        flight->rejoin = true;
    return flight->rejoin ? -1 : 0; /* -1: polled no more; tick closes it */
}

static int32_t dispatch_quorum(int32_t fd _unused_, int32_t revents, void *data)
{
    struct flight *flight = data;

    if (quorum_watch_dispatch(flight->quorum) < 0 || (revents & (POLLHUP | POLLERR | POLLNVAL)))
        flight->rejoin = true;
    return flight->rejoin ? -1 : 0;
}

static void say_connection(struct flight *flight, bool connected, const char *why)
{
    (void)text_format(flight->why, sizeof(flight->why), "%s", connected ? "" : why);
    if (connected && (flight->lost_said || !flight->connected_once)) {
        log_notice("events are shared with the other nodes (group " GROUP_NAME ")");
        if (flight->lost_said && flight->connected_once)
            (void)recorder_note_text(flight->config.recorder, EVENT_CLUSTER_REGAINED, NULL, NULL, 0, "Corosync");
        flight->lost_said = false;
        flight->connected_once = true;
    } else if (!connected && !flight->lost_said) {
        log_warning("%s; events stay on this node, and membership is not seen, until Corosync is there", why);
        if (flight->connected_once)
            (void)recorder_note_text(flight->config.recorder, EVENT_CLUSTER_LOST, NULL, NULL, 0, "Corosync");
        flight->lost_said = true;
    }
}

static int connect_corosync(struct flight *flight)
{
    int r;

    read_names(flight);
    r = quorum_watch_open(take_quorum, flight, deadline_in(ASK_MS), &flight->quorum);
    if (r == 0)
        r = process_group_open(GROUP_NAME, &group_callbacks, flight, deadline_in(ASK_MS), &flight->group);
    if (r < 0)
        return r;
    r = qb_loop_poll_add(flight->config.loop, QB_LOOP_MED, quorum_watch_fd(flight->quorum), POLLIN, flight, dispatch_quorum);
    if (r == 0)
        r = qb_loop_poll_add(flight->config.loop, QB_LOOP_MED, process_group_fd(flight->group), POLLIN, flight, dispatch_group);
    return r;
}

static void keep_connected(struct flight *flight)
{
    uint64_t now_ms = deadline_now_ms();
    int r;

    if (flight->rejoin) {
        disconnect(flight);
        say_connection(flight, false, "the connection to Corosync is lost");
        flight->retry_at_ms = now_ms + RETRY_FIRST_MS;
    }
    if (flight->group || now_ms < flight->retry_at_ms)
        return;
    r = connect_corosync(flight);
    if (r == 0) {
        flight->retry_ms = RETRY_FIRST_MS;
        say_connection(flight, true, NULL);
        return;
    }
    disconnect(flight);
    say_connection(flight, false, cluster_error_text(r));
    flight->retry_at_ms = now_ms + flight->retry_ms;
    flight->retry_ms = flight->retry_ms * 2 < RETRY_LAST_MS ? flight->retry_ms * 2 : RETRY_LAST_MS;
}

/* ---- the rest --------------------------------------------------------------------------------------------------------- */

static int64_t read_wall_ahead(void)
{
    struct event now = { 0 };

    event_stamp(&now);
    return (int64_t)now.wall_ns - (int64_t)now.monotonic_ns;
}

static void look_at_clock(struct flight *flight)
{
    int64_t ahead = read_wall_ahead(), step = ahead - flight->wall_ahead_ns;
    char text[80];

    flight->wall_ahead_ns = ahead;
    if (step > -STEP_NS && step < STEP_NS)
        return;
    (void)text_format(text, sizeof(text), "the wall clock was stepped by %+.3f s", (double)step / 1e9);
    log_notice("%s: nothing here depends on it", text);
    (void)recorder_note_text(flight->config.recorder, EVENT_CLOCK_STEPPED, NULL, NULL, step, text);
}

static int32_t dispatch_recorder(int32_t fd, int32_t revents _unused_, void *data)
{
    struct flight *flight = data;

    recorder_dispatch(flight->config.recorder);
    if (recorder_fd(flight->config.recorder) == fd)
        return 0;
    flight->polled_recorder_fd = -1;
    return -1;
}

static int32_t dispatch_notes(int32_t fd _unused_, int32_t revents _unused_, void *data)
{
    struct flight *flight = data;

    note_spool_dispatch(flight->spool);
    return 0;
}

static void poll_recorder(struct flight *flight)
{
    int fd = recorder_fd(flight->config.recorder);

    if (fd == flight->polled_recorder_fd)
        return;
    if (flight->polled_recorder_fd >= 0)
        (void)qb_loop_poll_del(flight->config.loop, flight->polled_recorder_fd);
    flight->polled_recorder_fd = -1;
    if (fd >= 0 && qb_loop_poll_add(flight->config.loop, QB_LOOP_LOW, fd, POLLIN, flight, dispatch_recorder) == 0)
        flight->polled_recorder_fd = fd;
}

static void open_notes(struct flight *flight)
{
    int r;

    if (flight->spool)
        return;
    r = note_spool_open(NULL, flight->config.recorder, &flight->spool);
    if (r == 0)
        (void)qb_loop_poll_add(flight->config.loop, QB_LOOP_MED, note_spool_fd(flight->spool), POLLIN, flight, dispatch_notes);
}

static void say_trouble(struct flight *flight)
{
    int trouble = recorder_trouble(flight->config.recorder);

    if (trouble == flight->trouble_said)
        return;
    if (trouble < 0)
        log_warning("the flight recorder can't write below " VIGIL_STATEDIR ": %s; it goes on in memory", strerror(-trouble));
    else
        log_notice("the flight recorder writes again");
    flight->trouble_said = trouble;
}

static void tick(void *data)
{
    struct flight *flight = data;

    recorder_tick(flight->config.recorder);
    say_trouble(flight);
    poll_recorder(flight);
    open_notes(flight);
    if (flight->spool)
        note_spool_dispatch(flight->spool);
    look_at_clock(flight);
    look_for_silence(flight);
    keep_connected(flight);
    (void)qb_loop_timer_add(flight->config.loop, QB_LOOP_LOW, TICK_MS * MS, flight, tick, &flight->tick_timer);
}

int flight_open(const struct flight_config *config, struct flight **ret)
{
    struct flight *flight = calloc(1, sizeof(*flight));
    struct share_config share = { .recorder = config->recorder, .send = send_to_group, .context = flight };
    int r;

    if (!flight)
        return -ENOMEM;
    flight->config = *config;
    flight->polled_recorder_fd = -1;
    flight->retry_ms = RETRY_FIRST_MS;
    flight->wall_ahead_ns = read_wall_ahead();
    r = share_open(&share, &flight->share);
    if (r < 0) {
        free(flight);
        return r;
    }
    recorder_set_listener(config->recorder, take_event, flight);
    tick(flight);
    *ret = flight;
    return 0;
}

void flight_close(struct flight *flight)
{
    if (!flight)
        return;
    recorder_set_listener(flight->config.recorder, NULL, NULL);
    if (flight_is_sharing(flight))
        (void)share_tick(flight->share); /* the last events */
    (void)qb_loop_timer_del(flight->config.loop, flight->tick_timer);
    if (flight->share_timer_set)
        (void)qb_loop_timer_del(flight->config.loop, flight->share_timer);
    if (flight->silent) { /* to leave would wait for Corosync; it sees the end of this process when it goes on */
        (void)qb_loop_poll_del(flight->config.loop, process_group_fd(flight->group));
        flight->group = NULL;
    }
    disconnect(flight);
    if (flight->polled_recorder_fd >= 0)
        (void)qb_loop_poll_del(flight->config.loop, flight->polled_recorder_fd);
    if (flight->spool)
        (void)qb_loop_poll_del(flight->config.loop, note_spool_fd(flight->spool));
    note_spool_close(flight->spool);
    share_close(flight->share);
    free(flight);
}

bool flight_is_sharing(const struct flight *flight)
{
    return flight->group && !flight->silent;
}

void flight_describe(const struct flight *flight, struct text_buffer *text)
{
    const struct share_clock *clock;
    struct share_counts counts;
    size_t cursor = 0;
    int trouble = recorder_trouble(flight->config.recorder);

    share_get_counts(flight->share, &counts);
    text_buffer_printf(text, "node=%s\n", recorder_node(flight->config.recorder));
    text_buffer_printf(text, "cluster=%s\n", flight->view.name);
    text_buffer_printf(text, "token_ms=%" PRIu32 "\n", flight->view.token_ms);
    text_buffer_printf(text, "sharing=%s\nsharing_why=%s\n", flight_is_sharing(flight) ? "yes" : "no", flight->why);
    text_buffer_printf(text, "members=%zu\n", flight->member_count);
    text_buffer_printf(text, "quorum=%s\n", !flight->quorum_known ? "unknown" : flight->quorate ? "yes" : "no");
    text_buffer_printf(text, "recorder=%s\n", trouble == 0 ? "writing" : strerror(-trouble));
    text_buffer_printf(text, "messages_received=%" PRIu64 "\nmessages_dropped=%" PRIu64 "\nmessages_sent=%" PRIu64 "\n", counts.received,
                       counts.dropped, counts.sent);
    while ((clock = share_next_clock(flight->share, &cursor)))
        text_buffer_printf(text, "clock=%s %+" PRId64 " %" PRIu64 "\n", clock->node, clock->offset_ns, clock->uncertainty_ns);
}
