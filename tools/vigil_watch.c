/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil watch: events of all nodes as they come, from vigild. Where vigild does not run it follows what the agents of this node note.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/note.h"
#include "base/json_text.h"
#include "tools/timeline_view.h"
#include "tools/vigil.h"
#include "watch/client.h"
#include "watch/note_spool.h"

#define ANSWER_MS 3000
#define LOOK_MS 500

struct watch_options {
    bool everything;
    int count;
    uint64_t time_limit_ms;
};

struct follower {
    const struct command_run *run;
    const struct watch_options *options;
    struct deadline deadline;
    int shown;
    bool closed; /* nobody reads our output any more */
    uint64_t newest_note_ns; /* without vigild */
    bool quiet;
};

static void show_text(const struct event *event)
{
    char time[40], words[512];
    int64_t wall_ns = event->wall_ns > INT64_MAX ? 0 : (int64_t)event->wall_ns;

    (void)printf("%s  %-12s %s%s\n", view_time(wall_ns, time, sizeof(time)), event->node, timeline_is_failure(event) ? "! " : "  ",
                 timeline_words(event, words, sizeof(words)));
}

/* One object a line, since there is no end. */
static void show_json(const struct event *event)
{
    _cleanup_text_buffer_ struct text_buffer json = { 0 };
    char buffer[512];

    json_open(&json, NULL, '{');
    json_text(&json, "words", timeline_words(event, buffer, sizeof(buffer)));
    event_append_json(&json, event);
    json_close(&json, '}');
    if (!json.failed)
        (void)printf("%s\n", json.text);
}

static void show_event(void *context, const struct event *event)
{
    struct follower *follower = context;

    if (!follower->options->everything && !event_is_story(event->kind))
        return;
    if (follower->options->count > 0 && follower->shown >= follower->options->count)
        return;
    follower->shown++;
    if (follower->run->json)
        show_json(event);
    else
        show_text(event);
    if (fflush(stdout) != 0)
        follower->closed = true;
}

static bool is_done(const struct follower *follower)
{
    return follower->closed || deadline_passed(follower->deadline) ||
           (follower->options->count > 0 && follower->shown >= follower->options->count);
}

static int follow_daemon(struct follower *follower, struct watch_connection *connection)
{
    struct watch_message_view view;
    int r = watch_request(connection, WATCH_SUBSCRIBE, 0, NULL, 0, &view, deadline_in(ANSWER_MS));

    if (r == 0)
        r = view.error;
    while (r == 0 && !is_done(follower)) {
        struct event event;

        r = watch_receive_event(connection, &view, deadline_within(follower->deadline, LOOK_MS));
        if (r == 0 && view.type == WATCH_EVENT && event_decode((const uint8_t *)view.payload, view.length, &event) == 0)
            show_event(follower, &event);
        if (r == -ETIMEDOUT)
            r = 0;
    }
    return r;
}

/* ---- without vigild ----------------------------------------------------------------------------------------------------- */

static void take_note(void *context, const struct event *note)
{
    struct follower *follower = context;
    struct event event = *note;
    char host[256] = "";

    if (note->monotonic_ns <= follower->newest_note_ns)
        return;
    follower->newest_note_ns = note->monotonic_ns;
    if (follower->quiet)
        return;
    (void)gethostname(host, sizeof(host) - 1);
    event_set_text(event.node, sizeof(event.node), host);
    show_event(follower, &event);
}

static void follow_notes(struct follower *follower)
{
    follower->quiet = true; /* what was noted before */
    (void)notes_read(NOTE_FOLDER, take_note, follower);
    follower->quiet = false;
    while (!is_done(follower)) {
        (void)deadline_sleep(follower->deadline, 100);
        (void)notes_read(NOTE_FOLDER, take_note, follower);
    }
}

static int run_watch(struct command_run *run, const void *data)
{
    _cleanup_watch_connection_ struct watch_connection *connection = NULL;
    struct follower follower = { .run = run, .options = data, .deadline = DEADLINE_NEVER };
    int r = watch_connect(&connection, deadline_in(ANSWER_MS));

    if (follower.options->time_limit_ms > 0)
        follower.deadline = deadline_in(follower.options->time_limit_ms);
    if (r == -ENOENT) {
        (void)command_fail(run, 0, "vigild does not run on this node: following what this node's agents note");
        follow_notes(&follower);
        return COMMAND_SUCCESS;
    }
    if (r == 0)
        r = follow_daemon(&follower, connection);
    if (r == -ENOTCONN)
        return command_fail(run, COMMAND_FAILURE, "vigild has ended");
    if (r == -EACCES)
        return command_fail(run, COMMAND_FAILURE, "only root and members of haclient may ask vigild");
    return r < 0 ? command_fail(run, COMMAND_FAILURE, "vigild does not answer: %s", strerror(-r)) : COMMAND_SUCCESS;
}

static const struct param options[] = {
    { "all", PARAM_BOOLEAN(struct watch_options, everything), .default_value = "false", .shortdesc = "The recorder's housekeeping, too",
      .longdesc = "Show measured clock offsets and registrations as well." },
    { "count", PARAM_INTEGER(struct watch_options, count), .default_value = "0", .shortdesc = "End after so many events",
      .longdesc = "End after so many events; 0 goes on." },
    { "for", PARAM_DURATION(struct watch_options, time_limit_ms), .shortdesc = "End after this time", .longdesc = "End after this time, such as 30s." },
    {}
};

const struct command command_watch = {
    .name = "watch",
    .shortdesc = "events of all nodes as they come",
    .longdesc = "Prints the events of all nodes as vigild gets them, each by the wall clock of its own node, until it is interrupted. With --json each event is one line.\n\n"
                "Where vigild does not run it says so, and follows what the agents of this node note.",
    .offers_json = true,
    .options = options,
    .options_size = sizeof(struct watch_options),
    .function = run_watch,
};
