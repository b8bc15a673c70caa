/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_NUMBER_H
#define VIGIL_BASE_NUMBER_H
/*
 * Numbers from text, in one place: the whole text must be the number, with an optional unit suffix.
 * All return 0, -EINVAL (not a number of this kind), or -ERANGE (a number, but out of bounds); *ret is
 * untouched on failure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal, optional sign. */
int number_parse(const char *text, int64_t minimum, int64_t maximum, int64_t *ret);

/* Decimal, or hexadecimal behind 0x. */
int number_parse_unsigned(const char *text, uint64_t maximum, uint64_t *ret);

/* Hexadecimal with or without 0x; leading zeros mean nothing. */
int number_parse_hex(const char *text, uint64_t *ret);

/* A duration in milliseconds. Units us ms s sec m min h hr d as Pacemaker takes them; a bare number counts default_unit_ms
 * milliseconds (1000 for what users type, 1 for OCF_RESKEY_CRM_meta_*). A fraction ("0.5s", "1.25") is allowed. */
int number_parse_duration(const char *text, uint64_t default_unit_ms, uint64_t *ret_ms);

/* A size in bytes with an optional unit K M G T (powers of 1024, an "iB" or "B" may follow). */
int number_parse_size(const char *text, uint64_t *ret_bytes);

/* OCF and Pacemaker booleans: true on yes y 1 / false off no n 0, in any case. */
int number_parse_boolean(const char *text, bool *ret);

/* The duration as a person reads it: "20 s", "350 ms", "1.5 s". Returns buffer. */
const char *number_format_duration(uint64_t ms, char *buffer, size_t size);

#endif
