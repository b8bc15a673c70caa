/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil timeline: the story of a failover, from all nodes. Reads the recorder's files, what the agents have noted since, and this node's records of
 * decisions; vigild need not run.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "agent/note.h"
#include "base/file.h"
#include "base/number.h"
#include "tools/timeline_view.h"
#include "tools/vigil.h"
#include "watch/event_file.h"
#include "watch/note_spool.h"
#include "watch/recorder.h"

/* So many events are looked at: more than the files of sixteen nodes hold. */
#define EVENTS_LIMIT 65536

struct timeline_options {
    bool last;
    bool all;
    const char *since;
    const char *page;
    const char *folder;
    const char *notes;
};

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* Notes that vigild has not taken (yet) have no origin: this boot of this node, and its own numbers. */
struct note_reader {
    struct event_set *set;
    struct event_origin origin;
    char node[EVENT_NODE_SIZE];
    uint64_t sequence;
};

static bool is_recorded(const struct event_set *set, const struct event *note)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct event *event = &set->events[i];

        if (event->monotonic_ns == note->monotonic_ns && event->wall_ns == note->wall_ns && event->kind == note->kind)
            return true;
    }
    return false;
}

static void add_note(void *context, const struct event *note)
{
    struct note_reader *reader = context;
    struct event event = *note;

    if (is_recorded(reader->set, note))
        return;
    event.origin = reader->origin;
    event.sequence = ++reader->sequence;
    memcpy(event.node, reader->node, sizeof(event.node));
    event_set_add(reader->set, &event);
}

/* What this node is called: as its own events say, else the host's name. */
static void name_node(const struct event_set *set, const uint8_t *boot_id, char *node, size_t size)
{
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    event_set_text(node, size, host);
    for (size_t i = set->count; i > 0; i--) {
        const struct event *event = &set->events[i - 1];

        /* The node's name may be longer than the host's (a domain), or the other way round. */
        if (memcmp(event->origin.boot_id, boot_id, EVENT_ID_SIZE) == 0 && strncmp(event->node, host, strcspn(host, ".")) == 0) {
            event_set_text(node, size, event->node);
            return;
        }
    }
}

static int read_events(struct command_run *run, const struct timeline_options *options, struct event_set *set, struct note_reader *notes)
{
    int r = event_folder_read(options->folder, event_set_add, set, NULL);

    if (r == -EACCES)
        return command_fail(run, COMMAND_FAILURE, "%s: only root may read it", options->folder);
    if (r < 0 && r != -ENOENT)
        return command_fail(run, COMMAND_FAILURE, "%s: %s", options->folder, strerror(-r));
    event_set_finish(set);
    (void)event_read_boot_id(notes->origin.boot_id);
    name_node(set, notes->origin.boot_id, notes->node, sizeof(notes->node));
    notes->set = set;
    (void)notes_read(options->notes, add_note, notes);
    event_set_finish(set);
    if (set->failed)
        return command_fail(run, COMMAND_FAILURE, "out of memory");
    return COMMAND_SUCCESS;
}

/* ---- what is shown ------------------------------------------------------------------------------------------------------ */

/* "10min" is so long ago; "2026-11-22 19:31[:07]" (or with a T; Z may follow) is a time in UTC. Returns 0 or -EINVAL. */
static int read_since(const char *text, int64_t *ret_ns)
{
    struct tm utc = { 0 };
    uint64_t ago_ms;
    const char *rest;

    if (number_parse_duration(text, 1000, &ago_ms) == 0) {
        struct event now = { 0 };

        event_stamp(&now);
        *ret_ns = (int64_t)now.wall_ns - (int64_t)(ago_ms < UINT32_MAX * 1000ULL ? ago_ms : UINT32_MAX * 1000ULL) * 1000000;
        return 0;
    }
    rest = strptime(text, "%Y-%m-%d", &utc);
    if (rest && (*rest == ' ' || *rest == 'T'))
        rest = strptime(rest + 1, "%H:%M", &utc);
    if (rest && *rest == ':')
        rest = strptime(rest + 1, "%S", &utc);
    if (!rest || (*rest != '\0' && !text_equal(rest, "Z")))
        return -EINVAL;
    *ret_ns = (int64_t)timegm(&utc) * 1000000000;
    return 0;
}

/* Chooses the entries. Returns an exit code; the view is complete where it is COMMAND_SUCCESS. */
static int choose(struct command_run *run, const struct timeline_options *options, struct timeline_view *view)
{
    const struct timeline *timeline = view->timeline;
    int64_t since_ns = 0;

    view->first = 0;
    view->end = timeline->count;
    if (options->since && read_since(options->since, &since_ns) < 0)
        return command_fail(run, COMMAND_USAGE, "option --since is '%s': neither a duration such as 10min nor a UTC time such as 2026-11-22 19:31",
                            options->since);
    if (options->since)
        view->first = timeline_find(timeline, since_ns);
    else if (!options->all)
        (void)timeline_last_incident(timeline, &view->first, &view->end);
    if (view->first == view->end)
        return command_fail(run, COMMAND_FAILURE, "no event%s: no agent of Vigil has run here%s, or vigild was not running on the nodes",
                            options->since ? " since then" : "", options->since ? " since" : "");
    view->trigger = timeline_trigger(timeline, view->first, view->end);
    view->phase_count = timeline_sum_up(timeline, view->first, view->end, view->phases);
    return COMMAND_SUCCESS;
}

static int print_page(struct command_run *run, const struct timeline_view *view, const char *path)
{
    _cleanup_text_buffer_ struct text_buffer page = { 0 };
    int r;

    timeline_print_page(view, &page);
    if (page.failed)
        return command_fail(run, COMMAND_FAILURE, "out of memory");
    if (text_equal(path, "-")) {
        (void)fwrite(page.text, 1, page.length, stdout);
        return COMMAND_SUCCESS;
    }
    r = file_write(path, 0640, page.text, page.length);
    return r < 0 ? command_fail(run, COMMAND_FAILURE, "%s: %s", path, strerror(-r)) : COMMAND_SUCCESS;
}

static int print_view(struct command_run *run, const struct timeline_view *view)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };

    if (run->json)
        timeline_print_json(view, &text);
    else
        timeline_print_text(view, &text);
    if (text.failed)
        return command_fail(run, COMMAND_FAILURE, "out of memory");
    (void)fwrite(text.text, 1, text.length, stdout);
    return COMMAND_SUCCESS;
}

static int run_timeline(struct command_run *run, const void *data)
{
    const struct timeline_options *options = data;
    _cleanup_event_set_ struct event_set set = { .limit = EVENTS_LIMIT };
    _cleanup_timeline_ struct timeline timeline = { 0 };
    struct note_reader notes = { .origin = { .node_id = 0 } };
    struct timeline_view view = { .timeline = &timeline };
    int code;

    if ((options->since != NULL) + options->last + options->all > 1)
        return command_fail(run, COMMAND_USAGE, "--last, --since and --all exclude each other");
    if (run->json && options->page)
        return command_fail(run, COMMAND_USAGE, "--json and --html exclude each other");
    code = read_events(run, options, &set, &notes);
    if (code != COMMAND_SUCCESS)
        return code;
    if (timeline_build(&set, notes.node, notes.origin.boot_id, &timeline) < 0)
        return command_fail(run, COMMAND_FAILURE, "out of memory");
    view.node = notes.node;
    if (notes.sequence > 0)
        view.note = "Some events are from the agents of this node alone, which vigild has not recorded: does it run?";
    code = choose(run, options, &view);
    if (code != COMMAND_SUCCESS)
        return code;
    return options->page ? print_page(run, &view, options->page) : print_view(run, &view);
}

static const struct param options[] = {
    { "last", PARAM_BOOLEAN(struct timeline_options, last), .default_value = "false", .shortdesc = "The last incident",
      .longdesc = "Show the last incident with a failure in it (a failure seen, a node lost, a fencing); where there is none, the last planned move. "
                  "This is what is shown without an option." },
    { "since", PARAM_TEXT(struct timeline_options, since), .shortdesc = "All since a time",
      .longdesc = "Show all events since then: a duration such as 10min, or a time in UTC such as '2026-11-22 19:31'." },
    { "all", PARAM_BOOLEAN(struct timeline_options, all), .default_value = "false", .shortdesc = "All that is recorded",
      .longdesc = "Show all that the recorders still have." },
    { "html", PARAM_TEXT(struct timeline_options, page), .shortdesc = "Write a page with a drawn timeline",
      .longdesc = "Write one self-contained HTML page with a drawn timeline to this file; - is standard output." },
    { "folder", PARAM_PATH(struct timeline_options, folder), .default_value = RECORDER_FOLDER, .advanced = true,
      .shortdesc = "Where the recorder's files are", .longdesc = "Read the recorder's files from here, such as a copy from another machine." },
    { "notes", PARAM_PATH(struct timeline_options, notes), .default_value = NOTE_FOLDER, .advanced = true,
      .shortdesc = "Where the agents' notes are", .longdesc = "Read from here what the agents have noted and vigild has not taken yet." },
    {}
};

const struct command command_timeline = {
    .name = "timeline",
    .shortdesc = "the story of a failover, from all nodes",
    .longdesc = "Prints what happened, when, and on which node: failures seen and reported, nodes lost and joined, quorum, fencing, stops and starts, addresses "
                "announced, the first answer of an application; and how long each part of it took.\n\n"
                "The events are those of all nodes that run vigild, which share them; any node tells the same story. The times are put on the clock of this "
                "node by measured offsets, and each line says how far off it may be. Stepped wall clocks change nothing.",
    .offers_json = true,
    .options = options,
    .options_size = sizeof(struct timeline_options),
    .function = run_timeline,
};
