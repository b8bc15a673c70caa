/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/recorder.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/deadline.h"
#include "watch/event_file.h"
#include "watch/event_set.h"
#include "watch/event_writer.h"

#define DEFAULT_FILE_LIMIT ((size_t)512 * 1024)
#define DEFAULT_MEMORY_EVENTS 2048
/* Recorders (nodes, and the times that their daemons began) whose events are in memory. */
#define KNOWN_LIMIT 256
/* The writer has something to do and has not answered for so long: its disk hangs. */
#define HANG_MS 5000
#define CLOSE_MS 200
#define WRITER_RESTART_MS 1000

/* What went out of memory of a recorder's events: it is not taken again. */
struct known_origin {
    struct event_origin origin;
    uint64_t evicted_to;
    size_t in_memory;
};

struct recorder {
    struct writer_config writer_config;
    char folder[256];
    char node[EVENT_NODE_SIZE];
    struct event_origin origin;
    uint64_t sequence; /* of the last own event */
    recorder_listener listener;
    void *listener_context;

    /* Events by a number that only grows (which is the writer's ticket, too); number n is in ring[n % capacity]. */
    struct event *ring;
    size_t capacity;
    uint64_t first;   /* the oldest in memory */
    uint64_t next;    /* the number of the next one */
    uint64_t handed;  /* the writer has got all below */
    uint64_t durable; /* all below are on the disk */
    uint64_t durable_sequence;
    uint64_t lost; /* went out of memory before they were on the disk */

    int writer_fd;
    pid_t writer_pid;
    uint64_t answered_ms; /* the last sign of life of the writer, or when it got work */
    uint64_t started_ms;
    int trouble;

    struct known_origin known[KNOWN_LIMIT];
    size_t known_count;
};

/* ---- what is in memory ---------------------------------------------------------------------------------------------- */

static struct event *at(const struct recorder *recorder, uint64_t number)
{
    return &recorder->ring[number % recorder->capacity];
}

static struct known_origin *find_known(struct recorder *recorder, const struct event_origin *origin)
{
    for (size_t i = 0; i < recorder->known_count; i++) {
        if (event_origin_equal(&recorder->known[i].origin, origin))
            return &recorder->known[i];
    }
    return NULL;
}

/* Makes an entry; one of which nothing is in memory any more gives its place. NULL when there is none. */
static struct known_origin *add_known(struct recorder *recorder, const struct event_origin *origin)
{
    struct known_origin *entry = NULL;

    if (recorder->known_count < KNOWN_LIMIT)
        entry = &recorder->known[recorder->known_count++];
    for (size_t i = 0; i < recorder->known_count && !entry; i++) {
        if (recorder->known[i].in_memory == 0)
            entry = &recorder->known[i];
    }
    if (entry)
        *entry = (struct known_origin){ .origin = *origin };
    return entry;
}

static void evict_oldest(struct recorder *recorder)
{
    const struct event *event = at(recorder, recorder->first);
    struct known_origin *entry = find_known(recorder, &event->origin);

    if (entry) {
        entry->in_memory--;
        if (event->sequence > entry->evicted_to)
            entry->evicted_to = event->sequence;
    }
    if (recorder->first >= recorder->durable)
        recorder->lost++;
    recorder->first++;
    if (recorder->handed < recorder->first)
        recorder->handed = recorder->first;
    if (recorder->durable < recorder->first)
        recorder->durable = recorder->first;
}

static bool push(struct recorder *recorder, const struct event *event)
{
    struct known_origin *entry = find_known(recorder, &event->origin);

    if (!entry)
        entry = add_known(recorder, &event->origin);
    if (!entry)
        return false;
    entry->in_memory++;
    if (recorder->next - recorder->first == recorder->capacity)
        evict_oldest(recorder);
    *at(recorder, recorder->next++) = *event;
    return true;
}

static bool is_known(struct recorder *recorder, const struct event *event)
{
    const struct known_origin *entry = find_known(recorder, &event->origin);

    if (!entry)
        return false;
    if (event->sequence <= entry->evicted_to)
        return true;
    for (uint64_t number = recorder->next; number > recorder->first; number--) {
        const struct event *other = at(recorder, number - 1);

        if (other->sequence == event->sequence && event_origin_equal(&other->origin, &event->origin))
            return true;
    }
    return false;
}

const struct event *recorder_next(const struct recorder *recorder, size_t *cursor)
{
    uint64_t number = recorder->first + *cursor;

    if (number >= recorder->next)
        return NULL;
    (*cursor)++;
    return at(recorder, number);
}

/* ---- the writer ----------------------------------------------------------------------------------------------------- */

static void stop_writer(struct recorder *recorder)
{
    if (recorder->writer_fd >= 0)
        (void)close(recorder->writer_fd);
    recorder->writer_fd = -1;
}

static void reap_writer(struct recorder *recorder)
{
    if (recorder->writer_pid > 0 && waitpid(recorder->writer_pid, NULL, WNOHANG) != 0)
        recorder->writer_pid = 0;
}

static int start_writer(struct recorder *recorder)
{
    int r;

    reap_writer(recorder);
    recorder->started_ms = recorder->answered_ms = deadline_now_ms();
    r = child_worker(event_writer_run, &recorder->writer_config, &recorder->writer_fd, &recorder->writer_pid);
    /* What the last one had not synced is written again: a reader takes each event once. */
    recorder->handed = recorder->durable;
    return r;
}

static void note_trouble(struct recorder *recorder, int trouble)
{
    char text[EVENT_TEXT_SIZE];
    bool was_well = recorder->trouble == 0;

    recorder->trouble = trouble;
    if (trouble < 0 && was_well) {
        (void)text_format(text, sizeof(text), "%.100s: %s; events are kept in memory until it can be written again",
                          recorder->folder, trouble == -ETIMEDOUT ? "the disk does not answer" : strerror(-trouble));
        (void)recorder_note_text(recorder, EVENT_RECORDER_TROUBLE, NULL, NULL, -trouble, text);
    } else if (trouble == 0 && !was_well) {
        (void)recorder_note_text(recorder, EVENT_RECORDER_WELL, NULL, NULL, 0, "events are written again");
        if (recorder->lost > 0)
            (void)recorder_note_text(recorder, EVENT_RECORDER_GAP, NULL, NULL, (int64_t)recorder->lost,
                                     "these went out of memory before they could be written");
        recorder->lost = 0;
    }
}

static bool hand_one(struct recorder *recorder)
{
    const struct event *event = at(recorder, recorder->handed);
    struct writer_message message = { .ticket = recorder->handed };
    size_t size = offsetof(struct writer_message, frame);
    int length = event_frame_encode(event, message.frame, sizeof(message.frame));

    if (length < 0) /* cannot be: the limit fits every event */
        return true;
    message.length = (uint32_t)length;
    if (event->origin.node_id != recorder->origin.node_id)
        message.file = event->origin.node_id;
    if (send(recorder->writer_fd, &message, size + message.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return true;
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
        stop_writer(recorder);
    return false;
}

static void hand_over(struct recorder *recorder)
{
    if (recorder->handed == recorder->durable)
        recorder->answered_ms = deadline_now_ms();
    while (recorder->writer_fd >= 0 && recorder->handed < recorder->next && hand_one(recorder))
        recorder->handed++;
}

static void take_answer(struct recorder *recorder, const struct writer_answer *answer)
{
    recorder->answered_ms = deadline_now_ms();
    if (answer->ticket >= recorder->durable && answer->ticket < recorder->handed && (answer->error == 0 || answer->ticket > 0)) {
        for (uint64_t number = recorder->durable; number <= answer->ticket; number++) {
            if (event_origin_equal(&at(recorder, number)->origin, &recorder->origin))
                recorder->durable_sequence = at(recorder, number)->sequence;
        }
        recorder->durable = answer->ticket + 1;
    }
    if (answer->error != recorder->trouble)
        note_trouble(recorder, answer->error < 0 ? answer->error : 0);
}

void recorder_dispatch(struct recorder *recorder)
{
    struct writer_answer answer;

    while (recorder->writer_fd >= 0) {
        ssize_t length = recv(recorder->writer_fd, &answer, sizeof(answer), MSG_DONTWAIT);

        if (length == sizeof(answer))
            take_answer(recorder, &answer);
        else if (length >= 0 || (errno != EAGAIN && errno != EINTR))
            stop_writer(recorder);
        else
            break;
    }
    hand_over(recorder);
}

void recorder_tick(struct recorder *recorder)
{
    uint64_t now_ms;

    recorder_dispatch(recorder);
    now_ms = deadline_now_ms(); /* behind it, since it notes when the writer answered */
    if (recorder->writer_fd < 0 && now_ms - recorder->started_ms >= WRITER_RESTART_MS) {
        int r = start_writer(recorder);

        if (r < 0)
            note_trouble(recorder, r);
        hand_over(recorder);
    }
    if (recorder->handed > recorder->durable && now_ms >= recorder->answered_ms + HANG_MS)
        note_trouble(recorder, -ETIMEDOUT);
}

int recorder_fd(const struct recorder *recorder)
{
    return recorder->writer_fd;
}

int recorder_trouble(const struct recorder *recorder)
{
    return recorder->trouble;
}

uint64_t recorder_durable(const struct recorder *recorder)
{
    return recorder->durable_sequence;
}

/* ---- taking events -------------------------------------------------------------------------------------------------- */

static int accept_event(struct recorder *recorder, const struct event *event)
{
    if (!push(recorder, event))
        return -ENOSPC;
    hand_over(recorder);
    if (recorder->listener)
        recorder->listener(recorder->listener_context, event);
    return 1;
}

uint64_t recorder_note(struct recorder *recorder, const struct event *event)
{
    struct event copy = *event;

    copy.origin = recorder->origin;
    copy.sequence = ++recorder->sequence;
    if (copy.monotonic_ns == 0)
        event_stamp(&copy);
    memcpy(copy.node, recorder->node, sizeof(copy.node));
    (void)accept_event(recorder, &copy);
    return copy.sequence;
}

uint64_t recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value,
                            const char *text)
{
    struct event event = { .kind = (uint16_t)kind, .value = value };

    event_set_text(event.resource, sizeof(event.resource), resource);
    event_set_text(event.peer, sizeof(event.peer), peer);
    event_set_text(event.text, sizeof(event.text), text);
    return recorder_note(recorder, &event);
}

int recorder_take(struct recorder *recorder, const struct event *event)
{
    if (event_origin_equal(&event->origin, &recorder->origin))
        return event->sequence <= recorder->sequence ? 0 : -EINVAL;
    if (event->origin.node_id == 0)
        return -EINVAL;
    if (is_known(recorder, event))
        return 0;
    return accept_event(recorder, event);
}

/* ---- the recorder's life -------------------------------------------------------------------------------------------- */

static void load_files(struct recorder *recorder)
{
    _cleanup_event_set_ struct event_set set = { .limit = recorder->capacity };

    (void)event_folder_read(recorder->folder, event_set_add, &set, NULL);
    event_set_finish(&set);
    for (size_t i = 0; i < set.count; i++)
        (void)push(recorder, &set.events[i]);
    recorder->handed = recorder->durable = recorder->next;
}

int recorder_open(const struct recorder_config *config, struct recorder **ret)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    struct event now = { 0 };
    char host[256] = "";
    int r;

    if (!recorder)
        return -ENOMEM;
    recorder->writer_fd = -1;
    recorder->next = recorder->first = recorder->handed = recorder->durable = 1;
    recorder->capacity = config->memory_events ? config->memory_events : DEFAULT_MEMORY_EVENTS;
    recorder->ring = calloc(recorder->capacity, sizeof(*recorder->ring));
    (void)text_format(recorder->folder, sizeof(recorder->folder), "%s", config->folder ? config->folder : RECORDER_FOLDER);
    recorder->writer_config =
        (struct writer_config){ .folder = recorder->folder, .file_limit = config->file_limit ? config->file_limit : DEFAULT_FILE_LIMIT };
    if (!recorder->ring) {
        recorder_close(recorder);
        return -ENOMEM;
    }
    (void)event_read_boot_id(recorder->origin.boot_id);
    event_stamp(&now);
    recorder->origin.incarnation = now.monotonic_ns;
    (void)gethostname(host, sizeof(host) - 1);
    recorder_set_node(recorder, config->node ? config->node : host, config->node_id);
    load_files(recorder);
    r = start_writer(recorder);
    if (r < 0) {
        recorder_close(recorder);
        return r;
    }
    *ret = recorder;
    return 0;
}

void recorder_set_node(struct recorder *recorder, const char *node, uint32_t node_id)
{
    if (node)
        event_set_text(recorder->node, sizeof(recorder->node), node);
    recorder->origin.node_id = node_id;
}

void recorder_set_listener(struct recorder *recorder, recorder_listener listener, void *context)
{
    recorder->listener = listener;
    recorder->listener_context = context;
}

const struct event_origin *recorder_origin(const struct recorder *recorder)
{
    return &recorder->origin;
}

const char *recorder_node(const struct recorder *recorder)
{
    return recorder->node;
}

uint64_t recorder_forgotten(const struct recorder *recorder, const struct event_origin *origin)
{
    for (size_t i = 0; i < recorder->known_count; i++) {
        if (event_origin_equal(&recorder->known[i].origin, origin))
            return recorder->known[i].evicted_to;
    }
    return 0;
}

/* The writer goes on without us; the wait is only for those who look at the files right away. */
static void await_writer(struct recorder *recorder)
{
    struct deadline deadline = deadline_in(CLOSE_MS);

    while (recorder->writer_fd >= 0 && recorder->durable < recorder->next && recorder->trouble == 0 &&
           deadline_wait_fd(deadline, recorder->writer_fd, POLLIN) > 0)
        recorder_dispatch(recorder);
}

void recorder_close(struct recorder *recorder)
{
    if (!recorder)
        return;
    if (recorder->writer_fd >= 0) {
        recorder_dispatch(recorder);
        await_writer(recorder);
    }
    stop_writer(recorder);
    reap_writer(recorder);
    free(recorder->ring);
    free(recorder);
}
