/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/event.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json_text.h"

#define EVENT_VERSION 1

/* The fields. The numbers stand in files and on the bus: add at the end, never change one. */
enum event_tag {
    TAG_KIND = 1,
    TAG_NODE_ID = 2,
    TAG_BOOT_ID = 3,
    TAG_INCARNATION = 4,
    TAG_SEQUENCE = 5,
    TAG_MONOTONIC = 6,
    TAG_WALL = 7,
    TAG_NODE = 8,
    TAG_RESOURCE = 9,
    TAG_PEER = 10,
    TAG_PEER_BOOT_ID = 11,
    TAG_VALUE = 12,
    TAG_DURATION = 13,
    TAG_TEXT = 14,
};

static const struct {
    const char *name;
    bool story;
} kinds[EVENT_KIND_COUNT] = {
    [EVENT_NONE] = { "none", false },
    [EVENT_WATCHER_STARTED] = { "watcher-started", true },
    [EVENT_WATCHER_STOPPED] = { "watcher-stopped", true },
    [EVENT_FAILURE_SEEN] = { "failure-seen", true },
    [EVENT_FAILURE_CONFIRMED] = { "failure-confirmed", true },
    [EVENT_FAILURE_DISMISSED] = { "failure-dismissed", true },
    [EVENT_FAILURE_REPORTED] = { "failure-reported", true },
    [EVENT_REPORT_FAILED] = { "report-failed", true },
    [EVENT_START_BEGIN] = { "start-begin", true },
    [EVENT_START_END] = { "start-end", true },
    [EVENT_STOP_BEGIN] = { "stop-begin", true },
    [EVENT_STOP_END] = { "stop-end", true },
    [EVENT_NODE_JOINED] = { "node-joined", true },
    [EVENT_NODE_LEFT] = { "node-left", true },
    [EVENT_QUORUM_GAINED] = { "quorum-gained", true },
    [EVENT_QUORUM_LOST] = { "quorum-lost", true },
    [EVENT_FENCING_BEGIN] = { "fencing-begin", true },
    [EVENT_FENCING_END] = { "fencing-end", true },
    [EVENT_ADDRESS_ANNOUNCED] = { "address-announced", true },
    [EVENT_PROBE_ANSWERED] = { "probe-answered", true },
    [EVENT_NODE_HEALTH] = { "node-health", true },
    [EVENT_WATCH_ADDED] = { "watch-added", false },
    [EVENT_WATCH_WITHDRAWN] = { "watch-withdrawn", false },
    [EVENT_CLUSTER_LOST] = { "cluster-lost", true },
    [EVENT_CLUSTER_REGAINED] = { "cluster-regained", true },
    [EVENT_RECORDER_TROUBLE] = { "recorder-trouble", true },
    [EVENT_RECORDER_WELL] = { "recorder-well", true },
    [EVENT_CLOCK_OFFSET] = { "clock-offset", false },
    [EVENT_CLOCK_STEPPED] = { "clock-stepped", true },
    [EVENT_SOURCE_LOST] = { "source-lost", true },
    [EVENT_SOURCE_REGAINED] = { "source-regained", true },
    [EVENT_NOTE] = { "note", true },
    [EVENT_RECORDER_GAP] = { "recorder-gap", true },
    [EVENT_DECISION] = { "decision", true },
};

const char *event_kind_name(uint16_t kind, char *buffer, size_t size)
{
    if (kind < EVENT_KIND_COUNT)
        return kinds[kind].name;
    (void)text_format(buffer, size, "unknown-%u", kind);
    return buffer;
}

bool event_is_story(uint16_t kind)
{
    return kind >= EVENT_KIND_COUNT || kinds[kind].story;
}

void event_stamp(struct event *event)
{
    struct timespec monotonic, wall;

    (void)clock_gettime(CLOCK_MONOTONIC, &monotonic);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    event->monotonic_ns = (uint64_t)monotonic.tv_sec * 1000000000 + (uint64_t)monotonic.tv_nsec;
    event->wall_ns = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
}

void event_set_text(char *member, size_t size, const char *text)
{
    size_t length = strnlen(text ? text : "", size);

    if (length >= size) {
        length = size - 1;
        /* Not in the middle of a character: bytes 10xxxxxx continue one (RFC 3629). */
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memset(member, 0, size);
    if (length > 0)
        memcpy(member, text, length);
    (void)text_make_printable(member);
}

void event_printf(struct event *event, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    event_set_text(event->text, sizeof(event->text), text);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

struct byte_writer {
    uint8_t *bytes;
    size_t size;
    size_t length; /* may grow past size: then it did not fit */
};

static void put_byte(struct byte_writer *writer, uint8_t byte)
{
    if (writer->length < writer->size)
        writer->bytes[writer->length] = byte;
    writer->length++;
}

static void put_field(struct byte_writer *writer, enum event_tag tag, const void *value, size_t length)
{
    put_byte(writer, (uint8_t)tag);
    put_byte(writer, (uint8_t)length);
    for (size_t i = 0; i < length; i++)
        put_byte(writer, ((const uint8_t *)value)[i]);
}

/* A number that is 0 is not written. */
static void put_number(struct byte_writer *writer, enum event_tag tag, uint64_t value)
{
    uint8_t bytes[8];
    size_t length = 0;

    for (; value > 0; value >>= 8)
        bytes[length++] = (uint8_t)value;
    if (length > 0)
        put_field(writer, tag, bytes, length);
}

static void put_text(struct byte_writer *writer, enum event_tag tag, const char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);

    if (length > 0)
        put_field(writer, tag, text, length);
}

/* Signed numbers with the sign in the lowest bit, so that small ones are short. */
static uint64_t fold_sign(int64_t value)
{
    return value < 0 ? ((uint64_t)(-(value + 1)) << 1) | 1 : (uint64_t)value << 1;
}

static int64_t unfold_sign(uint64_t value)
{
    return value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

int event_encode(const struct event *event, uint8_t *bytes, size_t size)
{
    struct byte_writer writer = { .bytes = bytes, .size = size };
    static const uint8_t none[EVENT_ID_SIZE];

    put_byte(&writer, EVENT_VERSION);
    put_number(&writer, TAG_KIND, event->kind);
    put_number(&writer, TAG_NODE_ID, event->origin.node_id);
    put_field(&writer, TAG_BOOT_ID, event->origin.boot_id, EVENT_ID_SIZE);
    put_number(&writer, TAG_INCARNATION, event->origin.incarnation);
    put_number(&writer, TAG_SEQUENCE, event->sequence);
    put_number(&writer, TAG_MONOTONIC, event->monotonic_ns);
    put_number(&writer, TAG_WALL, event->wall_ns);
    put_text(&writer, TAG_NODE, event->node, sizeof(event->node));
    put_text(&writer, TAG_RESOURCE, event->resource, sizeof(event->resource));
    put_text(&writer, TAG_PEER, event->peer, sizeof(event->peer));
    if (memcmp(event->peer_boot_id, none, EVENT_ID_SIZE) != 0)
        put_field(&writer, TAG_PEER_BOOT_ID, event->peer_boot_id, EVENT_ID_SIZE);
    put_number(&writer, TAG_VALUE, fold_sign(event->value));
    put_number(&writer, TAG_DURATION, event->duration_ns);
    put_text(&writer, TAG_TEXT, event->text, sizeof(event->text));
    return writer.length > size ? -ENOBUFS : (int)writer.length;
}

static bool get_number(const uint8_t *value, size_t length, uint64_t maximum, uint64_t *ret)
{
    uint64_t number = 0;

    if (length > 8)
        return false;
    for (size_t i = length; i > 0; i--)
        number = number << 8 | value[i - 1];
    *ret = number;
    return number <= maximum;
}

static bool get_id(const uint8_t *value, size_t length, uint8_t *ret)
{
    if (length != EVENT_ID_SIZE)
        return false;
    memcpy(ret, value, EVENT_ID_SIZE);
    return true;
}

/* A longer text than ours is cut: a newer peer may allow more. */
static bool get_text(const uint8_t *value, size_t length, char *member, size_t size)
{
    char copy[256];

    memcpy(copy, value, length);
    copy[length] = '\0';
    event_set_text(member, size, copy);
    return true;
}

/* Reads one field into the event. Unknown ones are success. length is at most 255. */
static bool read_field(struct event *event, uint8_t tag, const uint8_t *value, size_t length)
{
    uint64_t number = 0;
    bool good = true;

    switch (tag) {
    case TAG_KIND:
        good = get_number(value, length, UINT16_MAX, &number);
        event->kind = (uint16_t)number;
        return good;
    case TAG_NODE_ID:
        good = get_number(value, length, UINT32_MAX, &number);
        event->origin.node_id = (uint32_t)number;
        return good;
    case TAG_BOOT_ID:
        return get_id(value, length, event->origin.boot_id);
    case TAG_INCARNATION:
        return get_number(value, length, UINT64_MAX, &event->origin.incarnation);
    case TAG_SEQUENCE:
        return get_number(value, length, UINT64_MAX, &event->sequence);
    case TAG_MONOTONIC:
        return get_number(value, length, UINT64_MAX, &event->monotonic_ns);
    case TAG_WALL:
        return get_number(value, length, UINT64_MAX, &event->wall_ns);
    case TAG_NODE:
        return get_text(value, length, event->node, sizeof(event->node));
    case TAG_RESOURCE:
        return get_text(value, length, event->resource, sizeof(event->resource));
    case TAG_PEER:
        return get_text(value, length, event->peer, sizeof(event->peer));
    case TAG_PEER_BOOT_ID:
        return get_id(value, length, event->peer_boot_id);
    case TAG_VALUE:
        good = get_number(value, length, UINT64_MAX, &number);
        event->value = unfold_sign(number);
        return good;
    case TAG_DURATION:
        return get_number(value, length, UINT64_MAX, &event->duration_ns);
    case TAG_TEXT:
        return get_text(value, length, event->text, sizeof(event->text));
    default:
        return true;
    }
}

int event_decode(const uint8_t *bytes, size_t length, struct event *ret)
{
    size_t next = 1;

    memset(ret, 0, sizeof(*ret));
    if (length < 1 || length > EVENT_ENCODED_LIMIT)
        return -EPROTO;
    if (bytes[0] != EVENT_VERSION)
        return -EPROTONOSUPPORT;
    while (next < length) {
        size_t value_length;

        if (length - next < 2)
            return -EPROTO;
        value_length = bytes[next + 1];
        if (length - next - 2 < value_length || !read_field(ret, bytes[next], bytes + next + 2, value_length))
            return -EPROTO;
        next += 2 + value_length;
    }
    return ret->kind == EVENT_NONE || ret->sequence == 0 ? -EPROTO : 0;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------- */

bool event_origin_equal(const struct event_origin *a, const struct event_origin *b)
{
    return a->incarnation == b->incarnation && memcmp(a->boot_id, b->boot_id, EVENT_ID_SIZE) == 0;
}

static int hexadecimal_digit(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    letter = (char)tolower((unsigned char)letter);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

int event_read_boot_id(uint8_t ret[EVENT_ID_SIZE])
{
    uint8_t id[EVENT_ID_SIZE] = { 0 };
    char line[64];
    size_t digits = 0;
    int r = file_read_line("/proc/sys/kernel/random/boot_id", line, sizeof(line));

    if (r < 0)
        return r;
    for (const char *next = line; *next; next++) {
        int digit = hexadecimal_digit(*next);

        if (*next == '-')
            continue;
        if (digit < 0 || digits == 2 * (size_t)EVENT_ID_SIZE)
            return -EBADMSG;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
        digits++;
    }
    if (digits != 2 * (size_t)EVENT_ID_SIZE)
        return -EBADMSG;
    memcpy(ret, id, EVENT_ID_SIZE);
    return 0;
}

static void append_id(struct text_buffer *json, const char *name, const uint8_t *id)
{
    char text[2 * EVENT_ID_SIZE + 1];

    for (size_t i = 0; i < EVENT_ID_SIZE; i++)
        (void)text_format(text + 2 * i, 3, "%02x", id[i]);
    json_text(json, name, text);
}

void event_append_json(struct text_buffer *json, const struct event *event)
{
    static const uint8_t none[EVENT_ID_SIZE];
    char name[32];

    json_text(json, "kind", event_kind_name(event->kind, name, sizeof(name)));
    json_text(json, "node", event->node);
    json_unsigned(json, "node_id", event->origin.node_id);
    if (event->resource[0])
        json_text(json, "resource", event->resource);
    if (event->peer[0])
        json_text(json, "peer", event->peer);
    json_integer(json, "value", event->value);
    if (event->duration_ns > 0)
        json_unsigned(json, "duration_ns", event->duration_ns);
    if (event->text[0])
        json_text(json, "text", event->text);
    json_unsigned(json, "wall_ns", event->wall_ns);
    json_unsigned(json, "monotonic_ns", event->monotonic_ns);
    append_id(json, "boot_id", event->origin.boot_id);
    json_unsigned(json, "incarnation", event->origin.incarnation);
    json_unsigned(json, "sequence", event->sequence);
    if (memcmp(event->peer_boot_id, none, EVENT_ID_SIZE) != 0)
        append_id(json, "peer_boot_id", event->peer_boot_id);
}
