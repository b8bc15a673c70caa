/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Reads digits of a base from *cursor. Returns 0 and moves the cursor, -EINVAL for no digit, -ERANGE on overflow (the cursor
 * then stands behind the digits all the same). */
static int read_digits(const char **cursor, unsigned int base, uint64_t *ret)
{
    const char *next = *cursor;
    uint64_t value = 0;
    bool overflow = false;

    for (;; next++) {
        unsigned int digit;

        if (*next >= '0' && *next <= '9')
            digit = (unsigned int)(*next - '0');
        else if (base == 16 && isxdigit((unsigned char)*next))
            digit = (unsigned int)(tolower((unsigned char)*next) - 'a') + 10;
        else
            break;
        overflow = overflow || __builtin_mul_overflow(value, base, &value) ||
                   __builtin_add_overflow(value, digit, &value);
    }
    if (next == *cursor)
        return -EINVAL;
    *cursor = next;
    if (overflow)
        return -ERANGE;
    *ret = value;
    return 0;
}

int number_parse_unsigned(const char *text, uint64_t maximum, uint64_t *ret)
{
    uint64_t value = 0;
    unsigned int base = 10;
    int r;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    r = read_digits(&text, base, &value);
    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r < 0 || value > maximum)
        return -ERANGE;
    *ret = value;
    return 0;
}

int number_parse_hex(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    int r;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    r = read_digits(&text, 16, &value);
    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r < 0)
        return r;
    *ret = value;
    return 0;
}

int number_parse(const char *text, int64_t minimum, int64_t maximum, int64_t *ret)
{
    bool negative = *text == '-';
    uint64_t magnitude = 0;
    int64_t value;
    int r;

    if (*text == '-' || *text == '+')
        text++;
    r = read_digits(&text, 10, &magnitude);
    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r < 0 || magnitude > (uint64_t)INT64_MAX)
        return -ERANGE;
    value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (value < minimum || value > maximum)
        return -ERANGE;
    *ret = value;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* The unit's factor, or 0 where it is not one. */
static uint64_t find_unit(const struct unit *units, const char *name)
{
    for (; units->name; units++) {
        if (strcasecmp(units->name, name) == 0)
            return units->factor;
    }
    return 0;
}

/* Microseconds, so that "us" and fractions of a millisecond need no floating point. */
static const struct unit duration_units[] = {
    { "us", 1 },           { "usec", 1 },         { "ms", 1000 },        { "msec", 1000 },        { "s", 1000000 },
    { "sec", 1000000 },    { "m", 60000000 },     { "min", 60000000 },   { "h", 3600000000 },     { "hr", 3600000000 },
    { "d", 86400000000 },  { NULL, 0 },
};

/* Reads ".25" as a part of unit_us. At most six digits count. */
static int read_fraction(const char **cursor, uint64_t *ret_millionths)
{
    uint64_t value = 0;
    int digits = 0;

    if (**cursor != '.')
        return 0;
    for ((*cursor)++; isdigit((unsigned char)**cursor); (*cursor)++) {
        if (digits++ < 6)
            value = value * 10 + (uint64_t)(**cursor - '0');
    }
    if (digits == 0)
        return -EINVAL;
    for (; digits < 6; digits++)
        value *= 10;
    *ret_millionths = value;
    return 0;
}

int number_parse_duration(const char *text, uint64_t default_unit_ms, uint64_t *ret_ms)
{
    uint64_t whole = 0, millionths = 0, unit_us, total_us;
    int whole_result = read_digits(&text, 10, &whole);

    if (whole_result == -EINVAL || read_fraction(&text, &millionths) < 0)
        return -EINVAL;
    while (*text == ' ')
        text++;
    unit_us = *text ? find_unit(duration_units, text) : default_unit_ms * 1000;
    if (unit_us == 0)
        return -EINVAL;
    if (whole_result < 0 || __builtin_mul_overflow(whole, unit_us, &total_us) ||
        __builtin_add_overflow(total_us, millionths * (unit_us / 1000) / 1000, &total_us))
        return -ERANGE;
    *ret_ms = total_us / 1000 + (total_us % 1000 >= 500);
    return 0;
}

static const struct unit size_units[] = {
    { "b", 1 },           { "k", 1ULL << 10 },   { "kb", 1ULL << 10 },  { "kib", 1ULL << 10 }, { "m", 1ULL << 20 },
    { "mb", 1ULL << 20 }, { "mib", 1ULL << 20 }, { "g", 1ULL << 30 },   { "gb", 1ULL << 30 },  { "gib", 1ULL << 30 },
    { "t", 1ULL << 40 },  { "tb", 1ULL << 40 },  { "tib", 1ULL << 40 }, { NULL, 0 },
};

int number_parse_size(const char *text, uint64_t *ret_bytes)
{
    uint64_t value = 0, factor;
    int r = read_digits(&text, 10, &value);

    if (r == -EINVAL)
        return r;
    while (*text == ' ')
        text++;
    factor = *text ? find_unit(size_units, text) : 1;
    if (factor == 0)
        return -EINVAL;
    if (r < 0 || __builtin_mul_overflow(value, factor, &value))
        return -ERANGE;
    *ret_bytes = value;
    return 0;
}

int number_parse_boolean(const char *text, bool *ret)
{
    static const char *const yes[] = { "true", "on", "yes", "y", "1" };
    static const char *const no[] = { "false", "off", "no", "n", "0" };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *ret = true;
            return 0;
        }
        if (strcasecmp(text, no[i]) == 0) {
            *ret = false;
            return 0;
        }
    }
    return -EINVAL;
}

const char *number_format_duration(uint64_t ms, char *buffer, size_t size)
{
    if (ms < 1000)
        (void)text_format(buffer, size, "%llu ms", (unsigned long long)ms);
    else if (ms % 1000 == 0)
        (void)text_format(buffer, size, "%llu s", (unsigned long long)(ms / 1000));
    else
        (void)text_format(buffer, size, "%llu.%llu s", (unsigned long long)(ms / 1000),
                          (unsigned long long)(ms % 1000 / 100));
    return buffer;
}
