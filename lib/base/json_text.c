/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json_text.h"

#include <inttypes.h>
#include <string.h>

/* How many bytes of a well-formed UTF-8 character stand at text, 0 for none (RFC 3629). */
static size_t character_length(const char *text)
{
    for (size_t length = 2; length <= 4; length++) {
        if (strnlen(text, length) == length && text_is_printable_utf8(text, length))
            return length;
    }
    return 0;
}

static void append_string(struct text_buffer *json, const char *text)
{
    text_buffer_append(json, "\"", 1);
    while (*text) {
        unsigned char byte = (unsigned char)*text;
        size_t length = 1;

        if (byte == '"' || byte == '\\')
            text_buffer_printf(json, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            text_buffer_printf(json, "\\u%04x", byte);
        else if (byte < 0x80)
            text_buffer_append(json, text, 1);
        else if ((length = character_length(text)) > 0)
            text_buffer_append(json, text, length);
        else {
            text_buffer_append(json, "\xef\xbf\xbd", 3);
            length = 1;
        }
        text += length;
    }
    text_buffer_append(json, "\"", 1);
}

static void begin_value(struct text_buffer *json, const char *name)
{
    char last = json->length > 0 ? json->text[json->length - 1] : '\0';

    if (last != '\0' && last != '{' && last != '[' && last != '\n')
        text_buffer_append(json, ",", 1);
    if (name) {
        append_string(json, name);
        text_buffer_append(json, ":", 1);
    }
}

void json_open(struct text_buffer *json, const char *name, char bracket)
{
    begin_value(json, name);
    text_buffer_append(json, &bracket, 1);
}

void json_close(struct text_buffer *json, char bracket)
{
    text_buffer_append(json, &bracket, 1);
}

void json_text(struct text_buffer *json, const char *name, const char *text)
{
    if (!text) {
        json_null(json, name);
        return;
    }
    begin_value(json, name);
    append_string(json, text);
}

void json_integer(struct text_buffer *json, const char *name, int64_t value)
{
    begin_value(json, name);
    text_buffer_printf(json, "%" PRId64, value);
}

void json_unsigned(struct text_buffer *json, const char *name, uint64_t value)
{
    begin_value(json, name);
    text_buffer_printf(json, "%" PRIu64, value);
}

void json_boolean(struct text_buffer *json, const char *name, bool value)
{
    begin_value(json, name);
    text_buffer_printf(json, "%s", value ? "true" : "false");
}

void json_null(struct text_buffer *json, const char *name)
{
    begin_value(json, name);
    text_buffer_append(json, "null", 4);
}
