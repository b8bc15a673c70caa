/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_TEXT_H
#define VIGIL_BASE_TEXT_H
/*
 * Text: bounded formatting, comparison, splitting. Nothing here logs or exits.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/* True when both are the same text; NULL equals only NULL. */
bool text_equal(const char *a, const char *b);

/* True when both are the same name, where '-' and '_' are alike (how fence agents are addressed). */
bool text_name_equal(const char *a, const char *b);

/* True for NULL and for "". */
bool text_empty(const char *text);

/* The rest of text behind prefix, or NULL where text does not begin with it. Borrows from text. */
const char *text_after(const char *text, const char *prefix);

bool text_ends_with(const char *text, const char *suffix);

/* True when the length bytes are well-formed UTF-8 (RFC 3629: no overlong forms, surrogates or values above
 * U+10FFFF) without control characters (U+0000 to U+001F other than tab, U+007F to U+009F), U+FFFE and U+FFFF. */
bool text_is_printable_utf8(const char *text, size_t length);

/* Makes any bytes fit for one line of a log or an XML attribute, in place: control characters become blanks, bytes that are not
 * well-formed UTF-8 become question marks. Returns text. */
char *text_make_printable(char *text);

/* Removes blanks (isspace in the C locale) from both ends, in place; returns the first byte kept. */
char *text_trim(char *text);

/* Formats into buffer like snprintf. Returns the length, or -ENAMETOOLONG when it did not fit (buffer then holds
 * the part that did, terminated). */
int text_format(char *buffer, size_t size, const char *format, ...) _printf_(3, 4);

/* Copies text into buffer. Returns the length, or -ENAMETOOLONG when it did not fit (buffer is then "" ). */
int text_copy(char *buffer, size_t size, const char *text);

/* Formats into fresh memory that the caller frees; NULL when there is none. */
char *text_printf(const char *format, ...) _printf_(1, 2);
char *text_vprintf(const char *format, va_list arguments) _printf_(1, 0);

/* Steps through the words of a text that are separated by any of the separators. *cursor starts at the text and is
 * moved; *ret_word and *ret_length name the word (borrowed, not terminated). Returns false when none is left. */
bool text_next_word(const char **cursor, const char *separators, const char **ret_word, size_t *ret_length);

/* How many words text_next_word would step through. */
size_t text_count_words(const char *text, const char *separators);

/* Splits a command line into an argument vector by stated rules, with no shell: blanks separate; '...' keeps every
 * byte; "..." keeps every byte but the escapes \" and \\; outside of quotes a backslash keeps the next byte. Nothing
 * is expanded. Returns 0 and a NULL-terminated vector that text_free_vector frees; -EINVAL for an open quote or a
 * trailing backslash, -ENODATA for no word at all, -ENOMEM. */
int text_split_command(const char *command, char ***ret_vector);

void text_free_vector(char **vector);
static inline void cleanup_vector(char ***vector)
{
    text_free_vector(*vector);
}
#define _cleanup_vector_ _cleanup_(cleanup_vector)

/* A text that grows. Zero-initialise; text_buffer_free gives the memory back. A failed allocation is remembered
 * in `failed`, so that a row of appends needs one check at its end. */
struct text_buffer {
    char *text; /* terminated, or NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

void text_buffer_append(struct text_buffer *buffer, const char *bytes, size_t length);
void text_buffer_printf(struct text_buffer *buffer, const char *format, ...) _printf_(2, 3);
void text_buffer_free(struct text_buffer *buffer);
#define _cleanup_text_buffer_ _cleanup_(text_buffer_free)

#endif
