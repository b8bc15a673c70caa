/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/parameters.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

static void add_owned(struct parameters *parameters, char *name, char *value)
{
    if (!name || !value || parameters->count == PARAMETERS_MAXIMUM) {
        parameters->failed = true;
        free(name);
        file_wipe_secret(value);
        return;
    }
    parameters->items[parameters->count].name = name;
    parameters->items[parameters->count].value = value;
    parameters->count++;
}

void parameters_add(struct parameters *parameters, const char *name, const char *format, ...)
{
    va_list arguments;
    char *value;

    va_start(arguments, format);
    value = text_vprintf(format, arguments);
    va_end(arguments);
    add_owned(parameters, strdup(name), value);
}

const char *parameters_find(const struct parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->count; i++)
        if (strcasecmp(parameters->items[i].name, name) == 0)
            return parameters->items[i].value;
    return NULL;
}

void parameters_free(struct parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++) {
        free(parameters->items[i].name);
        file_wipe_secret(parameters->items[i].value);
    }
    parameters->count = 0;
    parameters->failed = false;
}

static int compare_items(const void *a, const void *b)
{
    const struct {
        char *name, *value;
    } *first = a, *second = b;
    int order = strcmp(first->name, second->name);

    return order != 0 ? order : strcmp(first->value, second->value);
}

void parameters_sort(struct parameters *parameters)
{
    qsort(parameters->items, parameters->count, sizeof(parameters->items[0]), compare_items);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

void url_encode(struct text_buffer *buffer, const char *text, bool keep_slash)
{
    for (; *text; text++) {
        if (is_unreserved(*text) || (keep_slash && *text == '/'))
            text_buffer_append(buffer, text, 1);
        else
            text_buffer_printf(buffer, "%%%02X", (unsigned char)*text);
    }
}

void parameters_encode(const struct parameters *parameters, struct text_buffer *buffer)
{
    for (size_t i = 0; i < parameters->count; i++) {
        if (i > 0)
            text_buffer_append(buffer, "&", 1);
        url_encode(buffer, parameters->items[i].name, false);
        text_buffer_append(buffer, "=", 1);
        url_encode(buffer, parameters->items[i].value, false);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Fresh memory with the escapes resolved, or NULL (*ret_error says why). */
static char *url_decode(const char *text, size_t length, int *ret_error)
{
    char *out = malloc(length + 1), *end = out;

    *ret_error = out ? 0 : -ENOMEM;
    for (size_t i = 0; out && i < length; i++) {
        int high, low;

        if (text[i] != '%') {
            *end++ = text[i];
            continue;
        }
        high = i + 1 < length ? hex_digit(text[i + 1]) : -1;
        low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            free(out);
            *ret_error = -EINVAL;
            return NULL;
        }
        *end++ = (char)(16 * high + low);
        i += 2;
    }
    if (out)
        *end = '\0';
    return out;
}

int parameters_decode(const char *query, struct parameters *parameters)
{
    const char *cursor = query, *word;
    size_t length;

    while (text_next_word(&cursor, "&", &word, &length)) {
        const char *equals = memchr(word, '=', length);
        size_t name_length = equals ? (size_t)(equals - word) : length;
        int name_error = 0, value_error = 0;
        char *name = url_decode(word, name_length, &name_error);
        char *value = url_decode(equals ? equals + 1 : "", equals ? length - name_length - 1 : 0, &value_error);

        if (!name || !value) {
            free(name);
            free(value);
            return name ? value_error : name_error;
        }
        add_owned(parameters, name, value);
    }
    return parameters->failed ? -ENOMEM : 0;
}

void json_quote(struct text_buffer *buffer, const char *text)
{
    text_buffer_append(buffer, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            text_buffer_printf(buffer, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            text_buffer_printf(buffer, "\\u%04x", (unsigned char)*text);
        else
            text_buffer_append(buffer, text, 1);
    }
    text_buffer_append(buffer, "\"", 1);
}
