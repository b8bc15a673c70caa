/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of the records of decisions. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "agent/record.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;

    if (size > 65536 || record_parse((const char *)data, size, &record) < 0)
        return 0;
    assert(text_is_printable_utf8(record.evidence, strlen(record.evidence)));
    assert(strlen(record.time) + strlen(record.what) < size);
    record_free(&record);
    return 0;
}
