/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small texts and blocks that the storage layer reads: notes, /proc/PID/maps and fdinfo, device names, ext4's superblock and its multi-mount
 * protection. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "storage/device_name.h"
#include "storage/ext4_superblock.h"
#include "storage/mount_release.h"
#include "storage/mount_users.h"
#include "storage/volume_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_name(const char *text, size_t length)
{
    struct device_name name;

    if (device_name_parse(text, &name) == 0) {
        assert(name.value[0] != '\0' || name.kind != DEVICE_PATH);
        assert(strlen(name.value) < sizeof(name.value));
        (void)device_wwn_equal(name.value, "naa.6001405");
    }
    (void)signal_by_name(text, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct volume_state state;
    struct ext4_superblock super;
    struct ext4_mmp mmp;
    uint64_t id;
    char *text;

    if (size > 8192)
        return 0;
    if (volume_state_parse(bytes, size, &state) == 0)
        assert(strlen(state.asked) > 0 && strlen(state.asked) < sizeof(state.asked));
    (void)map_line_matches(bytes, size, makedev(8, 17), "/m");
    (void)unix_line_inode(bytes, size, "/m");
    (void)fdinfo_mount_id(bytes, size, &id);
    if (ext4_superblock_parse(data, size, &super) == 0)
        assert(super.block_size >= 1024 && super.block_size <= 65536);
    if (ext4_mmp_parse(data, size, &mmp) == 0)
        assert(strlen(mmp.node) <= 64 && strlen(mmp.device) <= 32);
    text = strndup(bytes, size);
    if (text)
        try_name(text, strlen(text));
    free(text);
    return 0;
}
