/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/record.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"

#define RECORD_FOLDER VIGIL_STATEDIR "/records"
#define RECORD_FILE RECORD_FOLDER "/decisions.jsonl"
/* At this size the file becomes decisions.jsonl.1, in the place of an older one. */
#define RECORD_FILE_LIMIT (1024 * 1024)
/* A record must never hold up a takeover: neither another's lock nor a disk that hangs. */
#define RECORD_LOCK_MS 500
#define RECORD_WRITE_MS 1000

static void append_json(struct text_buffer *line, const char *name, const char *value)
{
    _cleanup_free_ char *text = strdup(value);

    text_buffer_printf(line, "%s\"%s\":\"", line->length > 1 ? "," : "", name);
    for (const char *next = text ? text_make_printable(text) : ""; *next; next++) {
        if (*next == '"' || *next == '\\')
            text_buffer_append(line, "\\", 1);
        text_buffer_append(line, next, 1);
    }
    text_buffer_append(line, "\"", 1);
}

/* RFC 3339 in UTC with milliseconds: records of several nodes are put in one order. */
static void append_time(struct text_buffer *line)
{
    char seconds[32], stamp[48];
    struct timespec now;
    struct tm utc;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)text_format(stamp, sizeof(stamp), "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
    append_json(line, "time", stamp);
}

static int write_line(const char *text, size_t length)
{
    _cleanup_close_ int lock_fd = -1, fd = -1;
    struct stat status;
    int r = file_make_directory(RECORD_FOLDER, 0755);

    if (r < 0)
        return r;
    lock_fd = file_lock(RECORD_FOLDER "/lock", deadline_in(RECORD_LOCK_MS));
    if (lock_fd < 0)
        return lock_fd;
    if (stat(RECORD_FILE, &status) == 0 && status.st_size >= RECORD_FILE_LIMIT)
        (void)rename(RECORD_FILE, RECORD_FILE ".1");
    fd = open(RECORD_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    if (write(fd, text, length) != (ssize_t)length)
        return errno ? -errno : -ENOSPC;
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_in_child(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct text_buffer *line = argument;

    return write_line(line->text, line->length);
}

int agent_record(const char *agent, const char *instance, const char *what, const char *format, ...)
{
    _cleanup_text_buffer_ struct text_buffer line = { 0 };
    _cleanup_free_ char *evidence = NULL;
    char host[256] = "";
    va_list arguments;

    va_start(arguments, format);
    evidence = text_vprintf(format, arguments);
    va_end(arguments);
    if (!evidence)
        return -ENOMEM;
    (void)gethostname(host, sizeof(host) - 1);
    text_buffer_append(&line, "{", 1);
    append_time(&line);
    append_json(&line, "node", host);
    append_json(&line, "agent", agent);
    append_json(&line, "instance", instance);
    append_json(&line, "what", what);
    append_json(&line, "evidence", evidence);
    text_buffer_append(&line, "}\n", 2);
    if (line.failed)
        return -ENOMEM;
    return child_call(write_in_child, &line, NULL, 0, NULL, deadline_in(RECORD_WRITE_MS));
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

void record_free(struct record *record)
{
    free(record->time);
    free(record->node);
    free(record->agent);
    free(record->instance);
    free(record->what);
    free(record->evidence);
    *record = (struct record){ NULL };
}

static bool take(const char **cursor, const char *end, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(end - *cursor) < length || memcmp(*cursor, text, length) != 0)
        return false;
    *cursor += length;
    return true;
}

/* Reads "NAME":"VALUE", with append_json's two escapes undone. */
static int take_field(const char **cursor, const char *end, const char *name, char **ret)
{
    _cleanup_text_buffer_ struct text_buffer value = { 0 };
    const char *next;

    if (!take(cursor, end, "\"") || !take(cursor, end, name) || !take(cursor, end, "\":\""))
        return -EBADMSG;
    for (next = *cursor; next < end && *next != '"'; next++) {
        if (*next == '\\' && ++next == end)
            return -EBADMSG;
        text_buffer_append(&value, next, 1);
    }
    if (next == end || !text_is_printable_utf8(value.text ? value.text : "", value.length))
        return -EBADMSG;
    *cursor = next + 1;
    *ret = value.failed ? NULL : strdup(value.text ? value.text : "");
    return *ret ? 0 : -ENOMEM;
}

int record_parse(const char *line, size_t length, struct record *ret)
{
    struct record record = { NULL };
    const struct {
        const char *name;
        char **value;
    } fields[] = {
        { "time", &record.time },         { "node", &record.node }, { "agent", &record.agent },
        { "instance", &record.instance }, { "what", &record.what }, { "evidence", &record.evidence },
    };
    const char *cursor = line, *end = line + length;
    int r = take(&cursor, end, "{") ? 0 : -EBADMSG;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++) {
        if (i > 0 && !take(&cursor, end, ","))
            r = -EBADMSG;
        if (r == 0)
            r = take_field(&cursor, end, fields[i].name, fields[i].value);
    }
    if (r == 0 && (!take(&cursor, end, "}") || cursor != end))
        r = -EBADMSG;
    if (r == 0)
        *ret = record;
    else
        record_free(&record);
    return r;
}
