/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/PID/mountinfo, and the look-ups in it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "storage/mount_point.h"
#include "storage/mount_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mount_table table = { .count = 0 };

    if (size > 8192 || mount_table_parse((const char *)data, size, &table) < 0)
        return 0;
    for (size_t i = 0; i < table.count && i < 32; i++) {
        const struct mount_entry *entry = &table.entries[i], *top = mount_table_top(&table, entry->mount_point);

        assert(entry->root && entry->type && entry->source && entry->super_options);
        /* What a look-up ends on is never covered. */
        assert(!top || !mount_table_covered(&table, top));
        assert(path_is_within(entry->mount_point, entry->mount_point) || entry->mount_point[0] != '/');
        (void)mount_options_shut_down(entry->super_options);
    }
    mount_table_free(&table);
    return 0;
}
