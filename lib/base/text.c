/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

static char name_character(char c)
{
    return c == '-' ? '_' : c;
}

bool text_name_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && name_character(*a) == name_character(*b)) {
        a++;
        b++;
    }
    return name_character(*a) == name_character(*b);
}

bool text_empty(const char *text)
{
    return !text || !*text;
}

const char *text_after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool text_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);

    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

/* How many continuation bytes follow this lead byte, with the lowest code point that needs them; -1 for no lead byte. */
static int utf8_continuations(unsigned char lead, uint32_t *ret_value, uint32_t *ret_lowest)
{
    if (lead < 0x80) {
        *ret_value = lead;
        *ret_lowest = 0;
        return 0;
    }
    if ((lead & 0xe0) == 0xc0) {
        *ret_value = lead & 0x1fU;
        *ret_lowest = 0x80;
        return 1;
    }
    if ((lead & 0xf0) == 0xe0) {
        *ret_value = lead & 0x0fU;
        *ret_lowest = 0x800;
        return 2;
    }
    if ((lead & 0xf8) == 0xf0) {
        *ret_value = lead & 0x07U;
        *ret_lowest = 0x10000;
        return 3;
    }
    return -1;
}

/* What XML 1.0 allows as Char, since a reason becomes an attribute of the CIB; without the controls, which a terminal would obey (U+009B
 * begins a sequence as ESC [ does). */
static bool code_point_is_printable(uint32_t value)
{
    if (value < 0x20)
        return value == '\t';
    if (value >= 0x7f && value <= 0x9f)
        return false;
    return value <= 0xfffd ? value < 0xd800 || value > 0xdfff : value >= 0x10000 && value <= 0x10ffff;
}

/* How many bytes from here are one well-formed, printable character; 0 for none. */
static size_t printable_character(const char *text, size_t length)
{
    uint32_t value, lowest;
    int more = utf8_continuations((unsigned char)text[0], &value, &lowest);

    if (more < 0 || (size_t)more >= length)
        return 0;
    for (int i = 1; i <= more; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | ((unsigned char)text[i] & 0x3fU);
    }
    return value >= lowest && code_point_is_printable(value) ? (size_t)more + 1 : 0;
}

bool text_is_printable_utf8(const char *text, size_t length)
{
    while (length > 0) {
        size_t taken = printable_character(text, length);

        if (taken == 0)
            return false;
        text += taken;
        length -= taken;
    }
    return true;
}

char *text_make_printable(char *text)
{
    size_t length = strlen(text);

    for (char *next = text; length > 0;) {
        size_t taken = printable_character(next, length);

        if (taken == 0 || *next == '\t') {
            *next = (unsigned char)*next < 0x20 || *next == '\t' || *next == 0x7f ? ' ' : '?';
            taken = 1;
        }
        next += taken;
        length -= taken;
    }
    return text;
}

char *text_trim(char *text)
{
    size_t length;

    while (isspace((unsigned char)*text))
        text++;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

int text_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : length;
}

int text_copy(char *buffer, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length >= size) {
        if (size > 0)
            buffer[0] = '\0';
        return -ENAMETOOLONG;
    }
    memcpy(buffer, text, length + 1);
    return (int)length;
}

char *text_vprintf(const char *format, va_list arguments)
{
    char *text = NULL;

    return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

char *text_printf(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    return text;
}

bool text_next_word(const char **cursor, const char *separators, const char **ret_word, size_t *ret_length)
{
    const char *word = *cursor + strspn(*cursor, separators);
    size_t length = strcspn(word, separators);

    if (length == 0)
        return false;
    *cursor = word + length;
    *ret_word = word;
    *ret_length = length;
    return true;
}

size_t text_count_words(const char *text, const char *separators)
{
    const char *word;
    size_t length, count = 0;

    while (text_next_word(&text, separators, &word, &length))
        count++;
    return count;
}

/* The state of text_split_command: one output buffer holds all words, each terminated, in the order read. */
struct command_splitter {
    const char *next;
    char *output;
    char **vector;
    size_t words;
};

/* Copies one quoted stretch; next stands behind the opening quote. Returns 0 or -EINVAL where it is never closed. */
static int split_quoted(struct command_splitter *splitter, char quote)
{
    while (*splitter->next != quote) {
        if (quote == '"' && *splitter->next == '\\' && (splitter->next[1] == '"' || splitter->next[1] == '\\'))
            splitter->next++;
        if (!*splitter->next)
            return -EINVAL;
        *splitter->output++ = *splitter->next++;
    }
    splitter->next++;
    return 0;
}

/* Copies one word; next stands on its first byte. */
static int split_word(struct command_splitter *splitter)
{
    splitter->vector[splitter->words++] = splitter->output;
    while (*splitter->next && !isspace((unsigned char)*splitter->next)) {
        char c = *splitter->next++;

        if (c == '\'' || c == '"') {
            int r = split_quoted(splitter, c);

            if (r < 0)
                return r;
            continue;
        }
        if (c == '\\') {
            c = *splitter->next;
            if (!c)
                return -EINVAL;
            splitter->next++;
        }
        *splitter->output++ = c;
    }
    *splitter->output++ = '\0';
    return 0;
}

int text_split_command(const char *command, char ***ret_vector)
{
    /* At most every second byte starts a word. The words stand behind the vector in the same memory. */
    size_t length = strlen(command);
    size_t vector_size = (length / 2 + 2) * sizeof(char *);
    _cleanup_free_ char **vector = malloc(vector_size + length + 1);
    struct command_splitter splitter = { .next = command, .vector = vector };

    if (!vector)
        return -ENOMEM;
    splitter.output = (char *)vector + vector_size;
    for (;;) {
        int r;

        while (isspace((unsigned char)*splitter.next))
            splitter.next++;
        if (!*splitter.next)
            break;
        r = split_word(&splitter);
        if (r < 0)
            return r;
    }
    if (splitter.words == 0)
        return -ENODATA;
    vector[splitter.words] = NULL;
    *ret_vector = TAKE_PTR(vector);
    return 0;
}

void text_free_vector(char **vector)
{
    free(vector); /* one block: see text_split_command */
}

/* Makes room for `more` bytes and a terminator. Returns false, and remembers it, when there is no memory. */
static bool text_buffer_reserve(struct text_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity : 128;
    char *text;

    if (buffer->failed || more > SIZE_MAX / 4 - buffer->length) {
        buffer->failed = true;
        return false;
    }
    while (capacity <= buffer->length + more)
        capacity *= 2;
    if (capacity == buffer->capacity)
        return true;
    text = realloc(buffer->text, capacity);
    if (!text) {
        buffer->failed = true;
        return false;
    }
    buffer->text = text;
    buffer->capacity = capacity;
    return true;
}

void text_buffer_append(struct text_buffer *buffer, const char *bytes, size_t length)
{
    if (!text_buffer_reserve(buffer, length))
        return;
    if (length > 0)
        memcpy(buffer->text + buffer->length, bytes, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void text_buffer_printf(struct text_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    _cleanup_free_ char *text = NULL;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        text_buffer_append(buffer, text, strlen(text));
    else
        buffer->failed = true;
}

void text_buffer_free(struct text_buffer *buffer)
{
    free(buffer->text);
    *buffer = (struct text_buffer){ 0 };
}
