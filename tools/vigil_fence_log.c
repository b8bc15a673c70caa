/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil fence-log: who fenced whom, by what evidence, with the registrations before and after, from this node's records of decisions.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "agent/record.h"
#include "base/file.h"
#include "tools/vigil.h"

#define RECORD_FOLDER VIGIL_STATEDIR "/records"
/* Twice what a record's file grows to (lib/agent/record.c). */
#define FILE_LIMIT (4 * 1024 * 1024)

struct fence_log_options {
    const char *folder;
    const char *node;
    uint64_t since_ms;
    int last;
    bool brief;
};

static const struct param fence_log_options[] = {
    { "node", PARAM_TEXT(struct fence_log_options, node), .short_option = 'n', .shortdesc = "only what concerns this node, as target or as the one that acted" },
    { "since", PARAM_DURATION(struct fence_log_options, since_ms), .default_value = "0", .minimum = 0, .maximum = INT64_C(10) * 365 * 86400 * 1000,
      .shortdesc = "only of the last so much time (2d, 3h, 10m); 0: all there is" },
    { "last", PARAM_INTEGER(struct fence_log_options, last), .default_value = "0", .minimum = 0, .maximum = 1000000,
      .shortdesc = "only the last so many records; 0: all" },
    { "brief", PARAM_BOOLEAN(struct fence_log_options, brief), .shortdesc = "without the registrations of each device" },
    { "folder", PARAM_PATH(struct fence_log_options, folder), .default_value = RECORD_FOLDER, .advanced = true,
      .shortdesc = "folder of the records, for those of another machine" },
    {}
};

/* ---- reading ------------------------------------------------------------------------------------------------------ */

struct log {
    struct record *records;
    size_t count;
    size_t damaged;
};

static void log_free(struct log *log)
{
    for (size_t i = 0; i < log->count; i++)
        record_free(&log->records[i]);
    free(log->records);
}

/* Fencing, and what belongs to it: who registered, who found itself thrown out. */
static bool is_fencing(const struct record *record)
{
    static const char *const kinds[] = { "fence-off", "fence-on", "fence-failed", "preempt", "register", "lost-registration" };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (text_equal(record->what, kinds[i]))
            return true;
    }
    return false;
}

/* "2026-11-22T19:50:43.907Z" as seconds since 1970, or -1. */
static int64_t record_seconds(const struct record *record)
{
    struct tm tm = { 0 };

    return strptime(record->time, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : -1;
}

static bool is_wanted(const struct record *record, const struct fence_log_options *options)
{
    if (!is_fencing(record))
        return false;
    if (options->node && !text_equal(record->instance, options->node) && !text_equal(record->node, options->node))
        return false;
    return options->since_ms == 0 || record_seconds(record) >= (int64_t)time(NULL) - (int64_t)(options->since_ms / 1000);
}

static int keep_record(struct log *log, struct record *record)
{
    struct record *grown = realloc(log->records, (log->count + 1) * sizeof(*grown));

    if (!grown) {
        record_free(record);
        return -ENOMEM;
    }
    log->records = grown;
    log->records[log->count++] = *record;
    return 0;
}

static int read_lines(const char *text, size_t length, const struct fence_log_options *options, struct log *log)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line = newline ? (size_t)(newline - text) : (size_t)(end - text);
        struct record record;
        int r = record_parse(text, line, &record);

        if (r == -ENOMEM)
            return r;
        if (r < 0) {
            log->damaged++;
        } else if (!is_wanted(&record, options)) {
            record_free(&record);
        } else {
            r = keep_record(log, &record);
            if (r < 0)
                return r;
        }
        text += line + (newline ? 1 : 0);
    }
    return 0;
}

/* Reads one file of records. One that is not there has none. */
static int read_file(const char *folder, const char *name, const struct fence_log_options *options, struct log *log)
{
    _cleanup_free_ char *path = text_printf("%s/%s", folder, name), *text = NULL;
    size_t length = 0;
    int r = path ? file_read(path, FILE_LIMIT, &text, &length) : -ENOMEM;

    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : read_lines(text, length, options, log);
}

/* ---- printing ----------------------------------------------------------------------------------------------------- */

/* A part of a preemption's evidence: "DEVICE NAME: before ...; after ..." (fence_vigil_reservation.c, record_registrations). */
struct device_part {
    const char *device, *before, *after;
    size_t device_length, before_length, after_length;
};

/* The next part behind " | ". Returns false at the end. */
static bool next_part(const char **cursor, struct device_part *ret)
{
    const char *begin = strstr(*cursor, " | "), *end, *before, *after;

    if (!begin)
        return false;
    begin += strlen(" | ");
    end = strstr(begin, " | ");
    if (!end)
        end = begin + strlen(begin);
    *cursor = end;
    *ret = (struct device_part){ .device = begin, .device_length = (size_t)(end - begin) };
    before = memmem(begin, (size_t)(end - begin), ": before ", strlen(": before "));
    if (!before)
        return true;
    ret->device_length = (size_t)(before - begin);
    ret->before = before + strlen(": before ");
    after = memmem(ret->before, (size_t)(end - ret->before), "; after ", strlen("; after "));
    ret->before_length = (size_t)((after ? after : end) - ret->before);
    ret->after = after ? after + strlen("; after ") : NULL;
    ret->after_length = after ? (size_t)(end - ret->after) : 0;
    return true;
}

static const char *verb_of(const struct record *record)
{
    static const struct {
        const char *what, *verb;
    } verbs[] = {
        { "fence-off", "fenced" },           { "fence-on", "turned on" },  { "fence-failed", "FAILED to fence" },
        { "preempt", "removed the registrations of" }, { "register", "registered" }, { "lost-registration", "lost the registration of" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (text_equal(verbs[i].what, record->what))
            return verbs[i].verb;
    }
    return record->what;
}

/* The evidence up to its first device. */
static int summary_length(const struct record *record)
{
    const char *parts = strstr(record->evidence, " | ");

    return parts ? (int)(parts - record->evidence) : (int)strlen(record->evidence);
}

static void print_text(const struct record *record, bool brief)
{
    const char *cursor = record->evidence;
    struct device_part part;

    (void)printf("%s  %s %s %s (%s)\n", record->time, record->node, verb_of(record), record->instance, record->agent);
    (void)printf("    %.*s\n", summary_length(record), record->evidence);
    while (!brief && next_part(&cursor, &part)) {
        (void)printf("    %.*s\n", (int)part.device_length, part.device);
        if (part.before)
            (void)printf("        before: %.*s\n", (int)part.before_length, part.before);
        if (part.after)
            (void)printf("        after:  %.*s\n", (int)part.after_length, part.after);
    }
}

/* The bytes come from a line that was well-formed, so that they are printable UTF-8. */
static void print_string(const char *name, const char *text, size_t length)
{
    (void)printf("\"%s\":\"", name);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            (void)putchar('\\');
        (void)putchar(text[i]);
    }
    (void)putchar('"');
}

static void print_devices(const struct record *record)
{
    const char *cursor = record->evidence, *comma = "";
    struct device_part part;

    (void)fputs(",\"devices\":[", stdout);
    for (; next_part(&cursor, &part); comma = ",") {
        (void)printf("%s{", comma);
        print_string("device", part.device, part.device_length);
        if (part.before) {
            (void)putchar(',');
            print_string("before", part.before, part.before_length);
        }
        if (part.after) {
            (void)putchar(',');
            print_string("after", part.after, part.after_length);
        }
        (void)putchar('}');
    }
    (void)putchar(']');
}

static void print_json(const struct record *record, const char *separator)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        { "time", record->time }, { "by", record->node }, { "agent", record->agent }, { "target", record->instance }, { "what", record->what },
    };

    (void)printf("%s{", separator);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        print_string(fields[i].name, fields[i].value, strlen(fields[i].value));
        (void)putchar(',');
    }
    print_string("evidence", record->evidence, (size_t)summary_length(record));
    print_devices(record);
    (void)putchar('}');
}

static void print_log(const struct command_run *run, const struct log *log, const struct fence_log_options *options)
{
    size_t first = options->last > 0 && log->count > (size_t)options->last ? log->count - (size_t)options->last : 0;

    if (run->json)
        (void)putchar('[');
    for (size_t i = first; i < log->count; i++) {
        if (run->json)
            print_json(&log->records[i], i > first ? ",\n" : "");
        else
            print_text(&log->records[i], options->brief);
    }
    if (run->json)
        (void)puts("]");
    else if (log->count == 0)
        (void)puts("no fencing is recorded on this node");
}

static int fence_log(struct command_run *run, const void *data)
{
    const struct fence_log_options *options = data;
    struct log log = { .count = 0 };
    int r = read_file(options->folder, "decisions.jsonl.1", options, &log);

    if (r == 0)
        r = read_file(options->folder, "decisions.jsonl", options, &log);
    if (r == 0)
        print_log(run, &log, options);
    if (r == 0 && log.damaged > 0)
        (void)command_fail(run, COMMAND_SUCCESS, "%zu damaged lines in %s were left out", log.damaged, options->folder);
    log_free(&log);
    return r < 0 ? command_fail(run, COMMAND_FAILURE, "the records in %s cannot be read: %s", options->folder, strerror(-r)) : COMMAND_SUCCESS;
}

const struct command command_fence_log = {
    .name = "fence-log",
    .shortdesc = "who fenced whom, and what the array said before and after",
    .longdesc = "Prints this node's records of fencing, the oldest first: which node acted, on whom, by which agent and on what evidence. Of fencing by reservations it shows "
                "the registrations of every device before and after. The acting node has the record; ask each node, or vigil timeline for all.",
    .offers_json = true,
    .options = fence_log_options,
    .options_size = sizeof(struct fence_log_options),
    .function = fence_log,
};
