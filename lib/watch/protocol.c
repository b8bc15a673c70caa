/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/protocol.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

int watch_message_write(enum watch_message type, int error, uint64_t cursor, const void *payload, size_t length, void *buffer,
                        size_t size)
{
    struct watch_header header = { .id = WATCH_IPC_ID, .error = error, .version = WATCH_PROTOCOL_VERSION, .type = type, .cursor = cursor };

    if (length > WATCH_PAYLOAD_MAX || sizeof(header) + length > size)
        return -E2BIG;
    header.size = (int32_t)(sizeof(header) + length);
    memcpy(buffer, &header, sizeof(header));
    if (length > 0)
        memcpy((char *)buffer + sizeof(header), payload, length);
    return header.size;
}

int watch_message_read(const void *bytes, size_t length, struct watch_message_view *ret)
{
    struct watch_header header;

    if (length < sizeof(header) || length > WATCH_MESSAGE_MAX)
        return -EBADMSG;
    memcpy(&header, bytes, sizeof(header));
    if (header.version != WATCH_PROTOCOL_VERSION)
        return -EPROTONOSUPPORT;
    if (header.size < 0 || (size_t)header.size != length || header.type == 0 || header.type >= WATCH_MESSAGES || header.error > 0)
        return -EBADMSG;
    *ret = (struct watch_message_view){
        .type = (enum watch_message)header.type,
        .error = header.error,
        .cursor = header.cursor,
        .payload = (const char *)bytes + sizeof(header),
        .length = length - sizeof(header),
    };
    return 0;
}

int watch_status_field(const char *line, size_t length, const char *name, char *buffer, size_t size)
{
    size_t name_length = strlen(name);
    const char *end = line + length;

    for (const char *field = line; field < end;) {
        const char *stop = memchr(field, '\t', (size_t)(end - field));
        size_t field_length;

        if (!stop)
            stop = end;
        while (field < stop && *field == ' ')
            field++;
        field_length = (size_t)(stop - field);
        if (field_length > name_length && memcmp(field, name, name_length) == 0 && field[name_length] == '=') {
            size_t value_length = field_length - name_length - 1;

            if (value_length >= size)
                return -ENAMETOOLONG;
            memcpy(buffer, field + name_length + 1, value_length);
            buffer[value_length] = '\0';
            return watch_unescape(buffer) < 0 ? -ENOENT : (int)strlen(buffer);
        }
        field = stop + 1;
    }
    return -ENOENT;
}
