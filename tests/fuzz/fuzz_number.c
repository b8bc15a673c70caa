/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, durations, sizes, booleans: what one of them accepts reads back as itself, and a failure leaves the result alone. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK 0x5a5a5a5a5a5a5a5aULL

static void check_signed(const char *text)
{
    int64_t value = (int64_t)MARK, again = 0;
    char written[32];
    int r = number_parse(text, -1000000, 1000000, &value);

    assert(r == 0 || r == -EINVAL || r == -ERANGE);
    if (r < 0) {
        assert(value == (int64_t)MARK);
        return;
    }
    assert(value >= -1000000 && value <= 1000000);
    assert(text_format(written, sizeof(written), "%lld", (long long)value) > 0);
    assert(number_parse(written, -1000000, 1000000, &again) == 0 && again == value);
}

static void check_unsigned(const char *text)
{
    uint64_t value = MARK, hexadecimal = MARK;
    int r = number_parse_unsigned(text, UINT32_MAX, &value);

    assert(r == 0 ? value <= UINT32_MAX : value == MARK);
    r = number_parse_hex(text, &hexadecimal);
    assert(r == 0 || hexadecimal == MARK);
}

static void check_duration(const char *text)
{
    uint64_t value = MARK, again = 0;
    char written[40];
    int r = number_parse_duration(text, 1000, &value);

    if (r < 0) {
        assert(value == MARK);
        return;
    }
    assert(text_format(written, sizeof(written), "%llums", (unsigned long long)value) > 0);
    if (value < UINT64_MAX / 1000)
        assert(number_parse_duration(written, 1000, &again) == 0 && again == value);
    (void)number_format_duration(value, written, sizeof(written));
    assert(text_is_printable_utf8(written, strlen(written)));
}

static void check_size(const char *text)
{
    uint64_t value = MARK, again = 0;
    char written[40];

    if (number_parse_size(text, &value) < 0) {
        assert(value == MARK);
        return;
    }
    assert(text_format(written, sizeof(written), "%lluB", (unsigned long long)value) > 0);
    assert(number_parse_size(written, &again) == 0 && again == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = strndup((const char *)data, size);
    bool flag = true;

    if (!text)
        return 0;
    check_signed(text);
    check_unsigned(text);
    check_duration(text);
    check_size(text);
    (void)number_parse_boolean(text, &flag);
    return 0;
}
