/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resources section of a cluster's configuration. */
#include <assert.h>
#include <stdint.h>

#include "cluster/cib_resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(void *context, const char *resource, const char *name, const char *value)
{
    assert(context && resource && name && value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int context = 0;

    if (size <= 65536)
        (void)cib_resources_parse((const char *)data, size, "vigil", "san-volume", visit, &context);
    return 0;
}
