/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/credentials.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cloud/document.h"

#define FILE_BYTES 65536

void credentials_wipe(struct credentials *keys)
{
    explicit_bzero(keys, sizeof(*keys));
}

/* A key goes into headers: a blank, a line end or anything but ASCII in it is a slip of who wrote the file. */
static bool is_clean(const char *text, size_t size)
{
    size_t length = 0;

    for (; text[length]; length++)
        if (text[length] <= ' ' || text[length] > '~')
            return false;
    return length < size;
}

int credentials_set(struct credentials *keys, const char *access, const char *secret, const char *token, int64_t expires)
{
    if (text_empty(access) || text_empty(secret))
        return -ENODATA;
    token = token ? token : "";
    if (!is_clean(access, sizeof(keys->access)) || !is_clean(secret, sizeof(keys->secret)) ||
        !is_clean(token, sizeof(keys->token)))
        return -EINVAL;
    (void)text_copy(keys->access, sizeof(keys->access), access);
    (void)text_copy(keys->secret, sizeof(keys->secret), secret);
    (void)text_copy(keys->token, sizeof(keys->token), token);
    keys->expires = expires;
    keys->known = true;
    return 0;
}

bool credentials_usable(const struct credentials *keys, int64_t now, int64_t margin_s)
{
    return keys->known && (keys->expires == 0 || keys->expires - margin_s > now);
}

/* ---- ini -------------------------------------------------------------------------------------------------------- */

struct ini_values {
    char access[192], secret[256], token[CREDENTIALS_TOKEN_SIZE];
    bool section_seen, too_long;
};

static void take_value(char *buffer, size_t size, const char *value, size_t length, struct ini_values *values)
{
    if (length >= size) {
        values->too_long = true;
        return;
    }
    memcpy(buffer, value, length);
    buffer[length] = '\0';
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && (**text == ' ' || **text == '\t'))
        (*text)++, (*length)--;
    while (*length > 0 && strchr(" \t\r", (*text)[*length - 1]))
        (*length)--;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return word && strlen(word) == length && memcmp(text, word, length) == 0;
}

/* "[name]", or AWS's "[profile name]" of its config file. */
static bool is_section(const char *line, size_t length, const char *section)
{
    line++;
    length -= 2;
    trim(&line, &length);
    if (length > 8 && memcmp(line, "profile ", 8) == 0) {
        line += 8;
        length -= 8;
        trim(&line, &length);
    }
    return is_word(line, length, section);
}

static void take_line(const struct credential_format *format, const char *line, size_t length, struct ini_values *values)
{
    const char *equals = memchr(line, '=', length), *value;
    size_t name_length, value_length;

    if (!equals)
        return;
    name_length = (size_t)(equals - line);
    value = equals + 1;
    value_length = length - name_length - 1;
    trim(&line, &name_length);
    trim(&value, &value_length);
    if (is_word(line, name_length, format->access))
        take_value(values->access, sizeof(values->access), value, value_length, values);
    else if (is_word(line, name_length, format->secret))
        take_value(values->secret, sizeof(values->secret), value, value_length, values);
    else if (is_word(line, name_length, format->token))
        take_value(values->token, sizeof(values->token), value, value_length, values);
}

static void read_ini(const struct credential_format *format, const char *text, const char *section,
                     struct ini_values *values)
{
    const char *cursor = text, *line;
    size_t length;
    bool inside = false;

    while (text_next_word(&cursor, "\n", &line, &length)) {
        trim(&line, &length);
        if (length == 0 || *line == '#' || *line == ';')
            continue;
        if (*line == '[' && line[length - 1] == ']' && length > 2) {
            inside = is_section(line, length, section);
            values->section_seen = values->section_seen || inside;
        } else if (inside) {
            take_line(format, line, length, values);
        }
    }
}

static int parse_ini(const struct credential_format *format, const char *text, const char *profile,
                     struct credentials *ret, struct text_buffer *why)
{
    struct ini_values *values = calloc(1, sizeof(*values));
    const char *section = profile ? profile : format->section;
    int r;

    if (!values)
        return -ENOMEM;
    read_ini(format, text, section, values);
    r = values->too_long ? -EINVAL : credentials_set(ret, values->access, values->secret, values->token, 0);
    if (!values->section_seen)
        text_buffer_printf(why, "it has no section [%s]", section);
    else if (r == -ENODATA)
        text_buffer_printf(why, "section [%s] lacks %s or %s, or it is empty", section, format->access, format->secret);
    else if (r < 0)
        text_buffer_printf(why, "a key in section [%s] has blanks in it, or is too long", section);
    explicit_bzero(values, sizeof(*values));
    free(values);
    return r;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

/* The object that holds the keys: the root, or that one of the list whose name is the profile's. */
static const struct document_node *find_profile(const struct credential_format *format, const struct document_node *root,
                                                const char *profile)
{
    const struct document_node *item;

    if (!format->profiles)
        return root;
    if (!profile && format->current && *document_text(root, format->current))
        profile = document_text(root, format->current);
    if (!profile)
        profile = format->section;
    for (item = document_first(root, format->profiles); item; item = item->next)
        if (text_equal(document_text(item, "name"), profile))
            return item;
    return NULL;
}

static int parse_json(const struct credential_format *format, const char *text, size_t length, const char *profile,
                      struct credentials *ret, struct text_buffer *why)
{
    _cleanup_document_ struct document document = { 0 };
    const struct document_node *node;
    int r = document_parse_json(text, length, &document);

    if (r < 0) {
        text_buffer_printf(why, r == -EBADMSG ? "it is no JSON" : "the JSON library is not usable (package libjansson4)");
        return r == -EBADMSG ? -EINVAL : r;
    }
    node = find_profile(format, document.root, profile);
    if (!node) {
        text_buffer_printf(why, "it has no profile '%s'", profile ? profile : format->section);
        return -ENODATA;
    }
    r = credentials_set(ret, document_text(node, format->access), document_text(node, format->secret),
                        document_text(node, format->token), 0);
    if (r == -ENODATA)
        text_buffer_printf(why, "it lacks %s or %s, or it is empty", format->access, format->secret);
    else if (r < 0)
        text_buffer_printf(why, "a key in it has blanks in it, or is too long");
    return r;
}

int credentials_parse(const struct credential_format *formats, const char *text, size_t length, const char *profile,
                      struct credentials *ret, struct text_buffer *why)
{
    bool json = text[strspn(text, " \t\r\n")] == '{';

    for (; formats->access; formats++) {
        if (formats->json != json)
            continue;
        return json ? parse_json(formats, text, length, profile, ret, why)
                    : parse_ini(formats, text, profile, ret, why);
    }
    text_buffer_printf(why, json ? "JSON is not this cloud's format" : "it is no JSON");
    return -EINVAL;
}

int credentials_read_file(const char *path, const struct credential_format *formats, const char *profile,
                          struct credentials *ret, struct text_buffer *why)
{
    char *text = NULL;
    int r = file_read_private(path, FILE_BYTES, &text);

    if (r == -EPERM)
        text_buffer_printf(why, "others may read it, or it is not root's: chown root, chmod 600");
    else if (r == -ENODATA)
        text_buffer_printf(why, "it is empty");
    else if (r == -EFBIG || r == -EINVAL)
        text_buffer_printf(why, r == -EFBIG ? "it is too large" : "it holds a NUL byte");
    else if (r < 0)
        text_buffer_printf(why, "%s", strerror(-r));
    else
        r = credentials_parse(formats, text, strlen(text), profile, ret, why);
    file_wipe_secret(text);
    return r;
}

/* ---- the node's copy -------------------------------------------------------------------------------------------- */

/* The next line, without a copy: terminated in place. NULL where there is none. */
static char *next_line(char **cursor)
{
    char *line = *cursor, *end = line ? strchr(line, '\n') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    *cursor = end + 1;
    return line;
}

int credentials_load(const char *path, struct credentials *ret)
{
    char *text = NULL, *cursor, *access, *secret, *token, *expires;
    int64_t moment;
    int r = file_read_private(path, FILE_BYTES, &text);
    size_t length;

    if (r < 0)
        return -ENODATA;
    length = strlen(text);
    cursor = text;
    access = next_line(&cursor);
    secret = next_line(&cursor);
    token = next_line(&cursor);
    expires = next_line(&cursor);
    if (!access || !secret || !token || !expires || number_parse(expires, 1, INT64_MAX, &moment) < 0 ||
        credentials_set(ret, access, secret, token, moment) < 0)
        r = -ENODATA;
    explicit_bzero(text, length);
    free(text);
    return r;
}

int credentials_save(const char *path, const struct credentials *keys)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    int r = -ENOMEM;

    text_buffer_printf(&text, "%s\n%s\n%s\n%" PRId64 "\n", keys->access, keys->secret, keys->token, keys->expires);
    if (!text.failed)
        r = file_write(path, 0600, text.text, text.length);
    if (text.text)
        explicit_bzero(text.text, text.capacity);
    return r;
}
