/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pacemaker's XML: the history of a resource, and crm_mon's view. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "cluster/resource_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resource_history history = { RESOURCE_UNKNOWN };
    struct resource_exceptions exceptions = { 0 };
    char version[64];
    int64_t count;
    int r = resource_history_parse((const char *)data, size, &history);

    assert(r == 0 || r == -EBADMSG);
    assert(history.standing >= RESOURCE_UNKNOWN && history.standing <= RESOURCE_FAILED);
    r = resource_exceptions_parse((const char *)data, size, "n1", &exceptions);
    assert(r == 0 || r == -EBADMSG);
    for (size_t i = 0; r == 0 && i < exceptions.count; i++)
        assert(resource_exceptions_have(&exceptions, exceptions.names[i]));
    resource_exceptions_free(&exceptions);
    r = failure_count_parse((const char *)data, size, "fail-count-app#asyncmon_0", &count);
    assert(r == 0 || r == -ENOENT || r == -ERANGE);
    assert(failure_total_parse((const char *)data, size, "app") >= 0);
    assert(failure_threshold_parse((const char *)data, size) >= 0);
    if (pacemaker_version_parse((const char *)data, size, version, sizeof(version)))
        (void)pacemaker_counts_twice(version), (void)pacemaker_keeps_history(version);
    return 0;
}
