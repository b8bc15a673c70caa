/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a started application, and an environment as /proc shows it. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "health/application_record.h"
#include "health/process_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct application_record record = { 0 };
    int r = application_record_parse((const char *)data, size, &record);

    assert(r == 0 || r == -EBADMSG);
    assert(memchr(record.cgroup, 0, sizeof(record.cgroup)));
    assert(record.main.pid >= 0 && record.session.pid >= 0);
    if (r < 0)
        assert(!record.started && record.main.pid == 0);
    if (process_set_environ_marked((const char *)data, size, "VIGIL_APPLICATION=x"))
        assert(memmem(data, size, "VIGIL_APPLICATION=x", 19));
    return 0;
}
