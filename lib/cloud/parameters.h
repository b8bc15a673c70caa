/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_PARAMETERS_H
#define VIGIL_CLOUD_PARAMETERS_H
/*
 * Names with values: the parameters of a query or form, the headers of a request; and how texts are written for URLs and JSON.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

#define PARAMETERS_MAXIMUM 48

/* Zero-initialise; parameters_free gives the memory back, overwritten (headers carry tokens). `failed` remembers that memory or room ran out. */
struct parameters {
    struct {
        char *name;
        char *value;
    } items[PARAMETERS_MAXIMUM];
    size_t count;
    bool failed;
};

void parameters_add(struct parameters *parameters, const char *name, const char *format, ...) _printf_(3, 4);
const char *parameters_find(const struct parameters *parameters, const char *name); /* in any case; NULL where absent */
void parameters_free(struct parameters *parameters);
#define _cleanup_parameters_ _cleanup_(parameters_free)

/* Sorts by name, then by value, bytewise. */
void parameters_sort(struct parameters *parameters);

/* Appends text percent-encoded (RFC 3986: all but letters, digits and -._~; with keep_slash '/' too). */
void url_encode(struct text_buffer *buffer, const char *text, bool keep_slash);

/* Appends "name=value&..." encoded, in the order in which they are. */
void parameters_encode(const struct parameters *parameters, struct text_buffer *buffer);

/* Reads "a=b&c=d" (percent-encoded) into parameters, decoded. Returns 0, -EINVAL for a broken escape or an escaped NUL, -ENOMEM. */
int parameters_decode(const char *query, struct parameters *parameters);

/* Appends text as a JSON string with its quotes (RFC 8259, 7). */
void json_quote(struct text_buffer *buffer, const char *text);

#endif
