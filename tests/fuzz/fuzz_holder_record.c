/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cluster's record of who held a volume last. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cluster/holder_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct holder_record record;

    if (holder_record_parse((const char *)data, size, &record) == 0)
        assert(record.node[0] != '\0' && !strchr(record.node, ' ') && record.fenced_s >= 0);
    if (holder_record_parse_element((const char *)data, size, &record) >= 0)
        assert(record.element[0] != '\0' && !strpbrk(record.element, "'\"<>&") && !strpbrk(record.text, "'\"<>&"));
    return 0;
}
