/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/share_message.h"

#include <errno.h>
#include <string.h>

#define HEAD_SIZE 4
#define RANGE_SIZE (EVENT_ID_SIZE + 8 + 4 + 8 + 8)

/* ---- reading -------------------------------------------------------------------------------------------------------- */

struct byte_reader {
    const uint8_t *bytes;
    size_t left;
    bool failed; /* there was less than was asked for */
};

static void get_bytes(struct byte_reader *reader, void *to, size_t length)
{
    if (reader->left < length) {
        reader->failed = true;
        memset(to, 0, length);
        return;
    }
    memcpy(to, reader->bytes, length);
    reader->bytes += length;
    reader->left -= length;
}

static uint64_t get_number(struct byte_reader *reader, size_t length)
{
    uint8_t bytes[8] = { 0 };
    uint64_t value = 0;

    get_bytes(reader, bytes, length);
    for (size_t i = length; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

static void get_ranges(struct byte_reader *reader, struct share_message *ret)
{
    while (reader->left >= RANGE_SIZE && ret->range_count < SHARE_RANGES_LIMIT) {
        struct share_range *range = &ret->ranges[ret->range_count];

        get_bytes(reader, range->origin.boot_id, EVENT_ID_SIZE);
        range->origin.incarnation = get_number(reader, 8);
        range->origin.node_id = (uint32_t)get_number(reader, 4);
        range->first = get_number(reader, 8);
        range->last = get_number(reader, 8);
        if (range->first > 0 && range->first <= range->last && range->last < UINT64_MAX)
            ret->range_count++;
    }
}

static void get_name(struct byte_reader *reader, struct share_message *ret)
{
    char name[256] = "";
    size_t length = (size_t)get_number(reader, 1);

    get_bytes(reader, name, length);
    event_set_text(ret->node, sizeof(ret->node), name);
}

int share_message_decode(const uint8_t *bytes, size_t length, struct share_message *ret)
{
    struct byte_reader reader;

    if (length < HEAD_SIZE || length > SHARE_MESSAGE_LIMIT || bytes[0] != 'V' || bytes[1] != 'G')
        return -EPROTO;
    if (bytes[2] != SHARE_VERSION)
        return -EPROTONOSUPPORT;
    reader = (struct byte_reader){ .bytes = bytes + HEAD_SIZE, .left = length - HEAD_SIZE };
    memset(ret, 0, sizeof(*ret));
    ret->type = bytes[3];
    switch (ret->type) {
    case SHARE_EVENTS:
        ret->events = reader.bytes;
        ret->events_length = reader.left;
        break;
    case SHARE_REQUEST:
        ret->target = (uint32_t)get_number(&reader, 4);
        get_ranges(&reader, ret);
        break;
    case SHARE_SUMMARY:
        get_ranges(&reader, ret);
        break;
    case SHARE_PING:
        ret->t1 = get_number(&reader, 8);
        break;
    case SHARE_PONG:
        ret->target = (uint32_t)get_number(&reader, 4);
        ret->t1 = get_number(&reader, 8);
        ret->t2 = get_number(&reader, 8);
        ret->t3 = get_number(&reader, 8);
        get_bytes(&reader, ret->boot_id, EVENT_ID_SIZE);
        get_name(&reader, ret);
        break;
    default:
        return -EPROTONOSUPPORT;
    }
    return reader.failed ? -EPROTO : 0;
}

int share_next_event(const struct share_message *message, size_t *cursor, struct event *ret)
{
    size_t left = message->events_length - *cursor, length;
    const uint8_t *bytes = message->events + *cursor;

    if (left == 0)
        return 0;
    if (left < 2) {
        *cursor = message->events_length;
        return -EPROTO;
    }
    length = (size_t)(bytes[0] | bytes[1] << 8);
    if (length > left - 2) {
        *cursor = message->events_length;
        return -EPROTO;
    }
    *cursor += 2 + length;
    return event_decode(bytes + 2, length, ret) == 0 ? 1 : -EPROTO;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

void share_put_bytes(struct share_buffer *buffer, const void *bytes, size_t length)
{
    if (length > sizeof(buffer->bytes) - buffer->length)
        return;
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

void share_put_number(struct share_buffer *buffer, uint64_t value, size_t length)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    share_put_bytes(buffer, bytes, length);
}

void share_begin(struct share_buffer *buffer, enum share_type type)
{
    const uint8_t head[HEAD_SIZE] = { 'V', 'G', SHARE_VERSION, (uint8_t)type };

    buffer->length = 0;
    share_put_bytes(buffer, head, sizeof(head));
}

void share_put_range(struct share_buffer *buffer, const struct share_range *range)
{
    if (sizeof(buffer->bytes) - buffer->length < RANGE_SIZE)
        return;
    share_put_bytes(buffer, range->origin.boot_id, EVENT_ID_SIZE);
    share_put_number(buffer, range->origin.incarnation, 8);
    share_put_number(buffer, range->origin.node_id, 4);
    share_put_number(buffer, range->first, 8);
    share_put_number(buffer, range->last, 8);
}

bool share_put_event(struct share_buffer *buffer, const struct event *event)
{
    uint8_t bytes[EVENT_ENCODED_LIMIT];
    int length = event_encode(event, bytes, sizeof(bytes));

    if (length < 0)
        return true; /* cannot be; it must not stop the others */
    if ((size_t)length + 2 > sizeof(buffer->bytes) - buffer->length)
        return false;
    share_put_number(buffer, (uint64_t)length, 2);
    share_put_bytes(buffer, bytes, (size_t)length);
    return true;
}
