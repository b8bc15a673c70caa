/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stonith_admin --history and cibadmin print, and what may come instead. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/fence_history.h"
#include "cluster/fencing_operations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fencing fencing;
    int found = fence_history_parse((const char *)data, size, "n1", &fencing);

    /* A proof has an action and a time; without one, nothing is left that could be taken for it. */
    if (found == 1 && fencing.action[0] == '\0')
        abort();
    if (found != 1 && fencing.action[0] != '\0')
        abort();
    (void)fencing_is_noted_by_agents((const char *)data, size);
    return 0;
}
