/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/resource_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

#define NAME_SIZE 256

/* A start tag "<name attributes" of the text. */
struct tag {
    const char *name, *attributes, *end; /* end: the '>' */
    size_t name_length;
};

/* The next start or end tag at or behind *cursor, which moves behind it. libxml2 writes '<' and '>' of values as entities, so that a tag ends at the first
 * '>'. Returns false when there is none. */
static bool next_tag(const char **cursor, const char *end, struct tag *ret)
{
    const char *open = memchr(*cursor, '<', (size_t)(end - *cursor));
    const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
    const char *p;

    if (!close)
        return false;
    for (p = open + 1; p < close && *p != ' ' && *p != '\n' && !(*p == '/' && p > open + 1); p++)
        ;
    *ret = (struct tag){ open + 1, p, close, (size_t)(p - open - 1) };
    *cursor = close + 1;
    return true;
}

static bool tag_is(const struct tag *tag, const char *name)
{
    return tag->name_length == strlen(name) && memcmp(tag->name, name, tag->name_length) == 0;
}

/* The value of an attribute, with no entity undone (none is in what is read here); false where there is none, or it is too long. */
static bool attribute(const struct tag *tag, const char *name, char *buffer, size_t size)
{
    size_t length = strlen(name);

    for (const char *p = tag->attributes; p + length + 3 < tag->end; p++) {
        const char *value, *stop;

        if (p[0] != ' ' || memcmp(p + 1, name, length) != 0 || p[length + 1] != '=' || p[length + 2] != '"')
            continue;
        value = p + length + 3;
        stop = memchr(value, '"', (size_t)(tag->end - value));
        if (!stop || (size_t)(stop - value) >= size)
            return false;
        memcpy(buffer, value, (size_t)(stop - value));
        buffer[stop - value] = '\0';
        return true;
    }
    return false;
}

static int64_t attribute_number(const struct tag *tag, const char *name, int64_t missing)
{
    char text[32];
    int64_t number;

    if (!attribute(tag, name, text, sizeof(text)) || number_parse(text, INT64_MIN, INT64_MAX, &number) < 0)
        return missing;
    return number;
}

static bool attribute_is(const struct tag *tag, const char *name, const char *wanted)
{
    char text[NAME_SIZE];

    return attribute(tag, name, text, sizeof(text)) && text_equal(text, wanted);
}

/* ---- the history of operations -------------------------------------------------------------------------------------------- */

#define OP_STATUS_PENDING (-1) /* PCMK_EXEC_PENDING */

struct history_reading {
    int64_t last_call, start_call, failed_call; /* numbers that the executor gives, in order; -1: none */
    enum resource_standing last;
    bool pending_stop, pending_other;
};

static bool is_success(const char *operation, int64_t code)
{
    bool monitor = text_equal(operation, "monitor");

    /* 190 and 191 are degraded, 8 promoted; 7 as a probe's answer is no failure. */
    return code == 0 || (monitor && (code == 8 || code == 190 || code == 191));
}

/* A failure that was reported from outside (asyncmon) stands in the place of the start: no start is newer then. */
static void read_finished(struct history_reading *reading, const struct tag *op, const char *operation)
{
    int64_t call = attribute_number(op, "call-id", -1), code = attribute_number(op, "rc-code", -1);
    bool probe = text_equal(operation, "monitor") && attribute_number(op, "interval", 0) == 0;

    if (!is_success(operation, code)) {
        if (!(probe && code == 7) && call > reading->failed_call)
            reading->failed_call = call;
        if (!probe)
            return;
    }
    if (text_equal(operation, "start") || (probe && is_success(operation, code))) {
        if (call > reading->start_call)
            reading->start_call = call;
    }
    if (call > reading->last_call) {
        reading->last_call = call;
        reading->last = text_equal(operation, "stop") || (probe && !is_success(operation, code)) ? RESOURCE_STOPPED : RESOURCE_RUNNING;
    }
}

static void read_operation(struct history_reading *reading, const struct tag *op)
{
    char operation[64];

    if (!attribute(op, "operation", operation, sizeof(operation)))
        return;
    if (attribute_number(op, "op-status", 0) != OP_STATUS_PENDING)
        read_finished(reading, op, operation);
    else if (text_equal(operation, "stop"))
        reading->pending_stop = true;
    else if (attribute_number(op, "interval", 0) == 0)
        reading->pending_other = true;
}

int failure_count_name(const char *resource, char *buffer, size_t size)
{
    return text_format(buffer, size, "fail-count-%s#asyncmon_0", resource) < 0 ? -ENAMETOOLONG : 0;
}

int failure_count_parse(const char *bytes, size_t length, const char *name, int64_t *ret)
{
    const char *cursor = bytes, *end = bytes + length;
    struct tag tag;
    int r = -ENOENT;

    while (next_tag(&cursor, end, &tag)) {
        int64_t number;

        if (!tag_is(&tag, "nvpair") || !attribute_is(&tag, "name", name))
            continue;
        number = attribute_number(&tag, "value", INT64_MIN);
        r = number == INT64_MIN ? -ERANGE : 0;
        if (r == 0)
            *ret = number;
    }
    return r;
}

static bool attribute_begins(const struct tag *tag, const char *name, const char *begin)
{
    char text[NAME_SIZE];

    return attribute(tag, name, text, sizeof(text)) && strncmp(text, begin, strlen(begin)) == 0;
}

int64_t failure_total_parse(const char *bytes, size_t length, const char *resource)
{
    const char *cursor = bytes, *end = bytes + length;
    char begin[NAME_SIZE];
    int64_t total = 0;
    struct tag tag;

    if (text_format(begin, sizeof(begin), "fail-count-%s#", resource) < 0)
        return INT64_MAX;
    while (next_tag(&cursor, end, &tag)) {
        int64_t number;

        if (!tag_is(&tag, "nvpair") || !attribute_begins(&tag, "name", begin))
            continue;
        number = attribute_number(&tag, "value", INT64_MAX);
        if (number < 0 || number > INT64_MAX - total)
            return INT64_MAX;
        total += number;
    }
    return total;
}

int64_t failure_threshold_parse(const char *bytes, size_t length)
{
    const char *cursor = bytes, *end = bytes + length;
    int64_t least = INT64_MAX;
    struct tag tag;

    while (next_tag(&cursor, end, &tag)) {
        int64_t number;

        if (!tag_is(&tag, "nvpair") || !attribute_is(&tag, "name", "migration-threshold") || attribute_is(&tag, "value", "INFINITY"))
            continue;
        number = attribute_number(&tag, "value", 0);
        if (number < least)
            least = number > 0 ? number : 0;
    }
    return least;
}

/* Takes one number of a version and the point behind it; -1 where there is none. */
static int next_version_part(const char **p)
{
    int number = **p >= '0' && **p <= '9' ? 0 : -1;

    for (; **p >= '0' && **p <= '9' && number < 100000; (*p)++)
        number = number * 10 + (**p - '0');
    if (**p == '.')
        (*p)++;
    return number;
}

/* Whether the version is an older one than that. False for what is no version. */
static bool version_is_before(const char *version, const int than[3])
{
    for (size_t i = 0; i < 3; i++) {
        int number = next_version_part(&version);

        if (number != than[i])
            return number >= 0 && number < than[i];
    }
    return false;
}

bool pacemaker_counts_twice(const char *version)
{
    return version_is_before(version, (const int[]){ 2, 1, 6 });
}

bool pacemaker_keeps_history(const char *version)
{
    return version_is_before(version, (const int[]){ 2, 1, 7 });
}

bool pacemaker_version_parse(const char *bytes, size_t length, char *buffer, size_t size)
{
    const char *cursor = bytes, *end = bytes + length;
    struct tag tag;

    while (next_tag(&cursor, end, &tag))
        if (tag_is(&tag, "nvpair") && attribute_is(&tag, "name", "dc-version"))
            return attribute(&tag, "value", buffer, size);
    return false;
}

int resource_history_parse(const char *bytes, size_t length, struct resource_history *ret)
{
    struct history_reading reading = { .last_call = -1, .start_call = -1, .failed_call = -1 };
    const char *cursor = bytes, *end = bytes + length;
    struct tag tag;
    bool found = false;

    while (next_tag(&cursor, end, &tag)) {
        found = found || tag_is(&tag, "lrm_resource");
        if (tag_is(&tag, "lrm_rsc_op"))
            read_operation(&reading, &tag);
    }
    if (!found)
        return -EBADMSG;
    if (reading.pending_stop)
        ret->standing = RESOURCE_STOPPING;
    else if (reading.pending_other)
        ret->standing = RESOURCE_STARTING;
    else if (reading.last == RESOURCE_STOPPED)
        ret->standing = RESOURCE_STOPPED;
    else if (reading.failed_call > reading.start_call)
        ret->standing = RESOURCE_FAILED;
    else
        ret->standing = reading.last_call >= 0 ? RESOURCE_RUNNING : RESOURCE_UNKNOWN;
    return 0;
}

/* ---- what must be left alone ------------------------------------------------------------------------------------------------ */

static bool is_exception(const struct tag *resource)
{
    return !attribute_is(resource, "managed", "true") || attribute_is(resource, "maintenance", "true") ||
           attribute_is(resource, "blocked", "true");
}

static int add_name(struct resource_exceptions *exceptions, const char *name)
{
    char **names = realloc(exceptions->names, (exceptions->count + 1) * sizeof(*names));

    if (!names)
        return -ENOMEM;
    exceptions->names = names;
    names[exceptions->count] = strdup(name);
    if (!names[exceptions->count])
        return -ENOMEM;
    exceptions->count++;
    return 0;
}

static int read_view(const char *bytes, size_t length, const char *node, struct resource_exceptions *exceptions)
{
    const char *cursor = bytes, *end = bytes + length;
    char name[NAME_SIZE] = "";
    bool begun = false, ended = false, whole = false, exception = false;
    struct tag tag;
    int r = 0;

    while (r == 0 && next_tag(&cursor, end, &tag)) {
        begun = begun || tag_is(&tag, "resources");
        ended = ended || tag_is(&tag, "/resources");
        whole = whole || tag_is(&tag, "/pacemaker-result");
        if (!begun || ended)
            continue;
        if (tag_is(&tag, "resource")) {
            exception = is_exception(&tag);
            if (!attribute(&tag, "id", name, sizeof(name)))
                return -EBADMSG;
        } else if (tag_is(&tag, "node") && exception && attribute_is(&tag, "name", node)) {
            r = add_name(exceptions, name);
        }
    }
    return r == 0 && !whole ? -EBADMSG : r;
}

int resource_exceptions_parse(const char *bytes, size_t length, const char *node, struct resource_exceptions *ret)
{
    struct resource_exceptions exceptions = { 0 };
    int r = read_view(bytes, length, node, &exceptions);

    if (r < 0) {
        resource_exceptions_free(&exceptions);
        return r;
    }
    *ret = exceptions;
    return 0;
}

static size_t name_length(const char *resource)
{
    return strcspn(resource, ":");
}

bool resource_exceptions_have(const struct resource_exceptions *exceptions, const char *resource)
{
    for (size_t i = 0; i < exceptions->count; i++) {
        const char *name = exceptions->names[i];

        if (text_equal(name, resource))
            return true;
        if (name_length(name) == name_length(resource) && memcmp(name, resource, name_length(name)) == 0 &&
            (name[name_length(name)] == '\0' || resource[name_length(resource)] == '\0'))
            return true;
    }
    return false;
}

void resource_exceptions_free(struct resource_exceptions *exceptions)
{
    for (size_t i = 0; i < exceptions->count; i++)
        free(exceptions->names[i]);
    free(exceptions->names);
    *exceptions = (struct resource_exceptions){ 0 };
}
