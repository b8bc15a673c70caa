/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/reply.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/text.h"

static bool begins_with(const char *bytes, size_t length, const char *prefix)
{
    size_t prefix_length = strlen(prefix);

    return length >= prefix_length && strncasecmp(bytes, prefix, prefix_length) == 0;
}

/* True when the bytes so far may yet become the prefix. */
static bool may_begin_with(const char *bytes, size_t length, const char *prefix)
{
    size_t prefix_length = strlen(prefix);

    return strncasecmp(bytes, prefix, length < prefix_length ? length : prefix_length) == 0;
}

/* Takes a line with its newline; false while it is not complete. */
static bool next_line(const char **cursor, size_t *left, const char **ret_line, size_t *ret_length)
{
    const char *newline = *left > 0 ? memchr(*cursor, '\n', *left) : NULL;
    size_t taken;

    if (!newline)
        return false;
    taken = (size_t)(newline - *cursor) + 1;
    *ret_line = *cursor;
    *ret_length = taken;
    *cursor += taken;
    *left -= taken;
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

enum reply_verdict reply_smtp(const char *bytes, size_t length)
{
    const char *line;
    size_t line_length;

    for (size_t i = 0; i < length && i < 3; i++)
        if (!is_digit(bytes[i]))
            return REPLY_FOREIGN;
    while (next_line(&bytes, &length, &line, &line_length)) {
        if (line_length < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
            return REPLY_FOREIGN;
        if (line[3] != '-')
            return line[0] == '2' ? REPLY_GOOD : REPLY_BAD;
    }
    return REPLY_INCOMPLETE;
}

enum reply_verdict reply_imap_greeting(const char *bytes, size_t length)
{
    if (!may_begin_with(bytes, length, "* "))
        return REPLY_FOREIGN;
    if (!memchr(bytes, '\n', length))
        return REPLY_INCOMPLETE;
    if (begins_with(bytes, length, "* OK") || begins_with(bytes, length, "* PREAUTH"))
        return REPLY_GOOD;
    return begins_with(bytes, length, "* BYE") ? REPLY_BAD : REPLY_FOREIGN;
}

enum reply_verdict reply_imap_tagged(const char *bytes, size_t length)
{
    const char *line;
    size_t line_length;

    while (next_line(&bytes, &length, &line, &line_length)) {
        if (begins_with(line, line_length, "v1 OK"))
            return REPLY_GOOD;
        if (begins_with(line, line_length, "v1 ") || begins_with(line, line_length, "* BYE"))
            return REPLY_BAD;
        if (line[0] != '*' && line[0] != '+')
            return REPLY_FOREIGN;
    }
    return REPLY_INCOMPLETE;
}

enum reply_verdict reply_pop3(const char *bytes, size_t length)
{
    if (!may_begin_with(bytes, length, "+OK") && !may_begin_with(bytes, length, "-ERR"))
        return REPLY_FOREIGN;
    if (!memchr(bytes, '\n', length))
        return REPLY_INCOMPLETE;
    return bytes[0] == '+' ? REPLY_GOOD : REPLY_BAD;
}

enum reply_verdict reply_redis(const char *bytes, size_t length)
{
    if (length > 0 && bytes[0] != '+' && bytes[0] != '-')
        return REPLY_FOREIGN;
    if (!memchr(bytes, '\n', length))
        return REPLY_INCOMPLETE;
    if (bytes[0] == '-')
        return REPLY_BAD;
    return begins_with(bytes, length, "+PONG") || begins_with(bytes, length, "+OK") ? REPLY_GOOD : REPLY_FOREIGN;
}

/* "HTTP/1.1 200 OK" */
static enum reply_verdict parse_status_line(const char *line, size_t length, struct http_head *head)
{
    const char *code = length > 12 ? line + 9 : NULL;

    if (!begins_with(line, length, "HTTP/1.") || !code || line[8] != ' ')
        return REPLY_FOREIGN;
    if (code[0] < '1' || code[0] > '5' || !is_digit(code[1]) || !is_digit(code[2]) || is_digit(code[3]))
        return REPLY_FOREIGN;
    head->status = (unsigned int)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
    return REPLY_GOOD;
}

static enum reply_verdict parse_field(const char *line, size_t length, struct http_head *head)
{
    char value[32];
    const char *colon = memchr(line, ':', length);
    size_t value_length;
    int64_t number;

    if (!colon)
        return REPLY_FOREIGN;
    value_length = length - (size_t)(colon + 1 - line);
    if (value_length >= sizeof(value))
        return REPLY_GOOD; /* none of the fields that matter here is so long */
    memcpy(value, colon + 1, value_length);
    value[value_length] = '\0';
    if (begins_with(line, length, "transfer-encoding:"))
        head->chunked = strcasecmp(text_trim(value), "chunked") == 0;
    if (!begins_with(line, length, "content-length:"))
        return REPLY_GOOD;
    if (number_parse(text_trim(value), 0, INT64_MAX, &number) < 0)
        return REPLY_FOREIGN;
    head->has_length = true;
    head->content_length = (size_t)number;
    return REPLY_GOOD;
}

enum reply_verdict reply_http_head(const char *bytes, size_t length, struct http_head *ret)
{
    const char *cursor = bytes, *line;
    size_t left = length, line_length;
    bool first = true;

    memset(ret, 0, sizeof(*ret));
    if (!may_begin_with(bytes, length, "HTTP/1."))
        return REPLY_FOREIGN;
    while (next_line(&cursor, &left, &line, &line_length)) {
        enum reply_verdict verdict;

        if (!first && (line_length == 1 || (line_length == 2 && line[0] == '\r'))) {
            ret->head_length = (size_t)(cursor - bytes);
            return REPLY_GOOD;
        }
        verdict = first ? parse_status_line(line, line_length, ret) : parse_field(line, line_length, ret);
        if (verdict != REPLY_GOOD)
            return verdict;
        first = false;
    }
    return REPLY_INCOMPLETE;
}

/* "1a;extension\r\n" */
static bool parse_chunk_size(const char *line, size_t length, size_t *ret)
{
    char digits[17];
    size_t used = 0;
    uint64_t value;

    while (used < length && strchr("0123456789abcdefABCDEF", line[used]) && line[used] != '\0')
        used++;
    if (used == 0 || used >= sizeof(digits))
        return false;
    memcpy(digits, line, used);
    digits[used] = '\0';
    if (number_parse_hex(digits, &value) < 0)
        return false;
    *ret = value;
    return true;
}

enum reply_verdict reply_http_dechunk(char *bytes, size_t length, size_t *ret_length)
{
    const char *cursor = bytes, *line;
    size_t left = length, line_length, size;
    char *end = bytes;

    *ret_length = 0;
    while (next_line(&cursor, &left, &line, &line_length)) {
        size_t take;

        if (!parse_chunk_size(line, line_length, &size))
            return REPLY_FOREIGN;
        if (size == 0)
            return REPLY_GOOD;
        take = size < left ? size : left;
        memmove(end, cursor, take);
        end += take;
        *ret_length += take;
        cursor += take;
        left -= take;
        if (take < size || left == 0)
            break;
        /* The line end that closes a chunk. */
        if (!next_line(&cursor, &left, &line, &line_length))
            break;
        if (line_length > 2)
            return REPLY_FOREIGN;
    }
    return REPLY_INCOMPLETE;
}

const char *reply_first_line(const char *bytes, size_t length, char *buffer, size_t size)
{
    size_t used = 0;

    while (used < length && used + 1 < size && bytes[used] != '\n' && bytes[used] != '\r') {
        buffer[used] = bytes[used] >= ' ' && bytes[used] <= '~' ? bytes[used] : '?';
        used++;
    }
    buffer[used] = '\0';
    return buffer;
}
