/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_JSON_TEXT_H
#define VIGIL_BASE_JSON_TEXT_H
/*
 * Writing JSON (RFC 8259) into a text buffer. Commas are set by what stands before: a member or an element follows one with a comma, and
 * the first one behind a bracket without.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Opens and closes: '{' '}' '[' ']'. `name` is the member's name, or NULL for an element of an array (or the document itself). */
void json_open(struct text_buffer *json, const char *name, char bracket);
void json_close(struct text_buffer *json, char bracket);

/* A member of an object (name) or an element of an array (NULL). A text that is not well-formed UTF-8 gets U+FFFD in the place of the wrong bytes;
 * NULL is written as null. */
void json_text(struct text_buffer *json, const char *name, const char *text);
void json_integer(struct text_buffer *json, const char *name, int64_t value);
void json_unsigned(struct text_buffer *json, const char *name, uint64_t value);
void json_boolean(struct text_buffer *json, const char *name, bool value);
void json_null(struct text_buffer *json, const char *name);

#endif
