/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/ext4_superblock.h"

#include <errno.h>
#include <string.h>

/* Offsets within the superblock, and the bits asked for. */
#define SUPER_LOG_BLOCK_SIZE 0x18
#define SUPER_MAGIC 0x38
#define SUPER_STATE 0x3A
#define SUPER_FEATURE_COMPAT 0x5C
#define SUPER_FEATURE_INCOMPAT 0x60
#define SUPER_MMP_BLOCK 0x168
#define MAGIC 0xEF53
#define STATE_CLEAN 0x1
#define STATE_ERRORS 0x2
#define COMPAT_HAS_JOURNAL 0x4
#define INCOMPAT_MMP 0x100
#define LOG_BLOCK_SIZE_MAXIMUM 6 /* 64 KiB */

/* Offsets within the multi-mount protection block. */
#define MMP_MAGIC_OFFSET 0x0
#define MMP_SEQUENCE 0x4
#define MMP_TIME 0x8
#define MMP_NODE 0x10
#define MMP_NODE_SIZE 64
#define MMP_DEVICE 0x50
#define MMP_DEVICE_SIZE 32
#define MMP_CHECK_INTERVAL 0x70
#define MMP_MAGIC 0x004D4D50U
#define MMP_SEQUENCE_CLEAN 0xFF4D4D50U
#define MMP_SEQUENCE_FSCK 0xE24D4D50U

static uint64_t little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

int ext4_superblock_parse(const uint8_t *bytes, size_t length, struct ext4_superblock *ret)
{
    uint32_t log_block_size, state;

    if (length < EXT4_SUPERBLOCK_SIZE || little_endian(bytes + SUPER_MAGIC, 2) != MAGIC)
        return -EBADMSG;
    log_block_size = (uint32_t)little_endian(bytes + SUPER_LOG_BLOCK_SIZE, 4);
    if (log_block_size > LOG_BLOCK_SIZE_MAXIMUM)
        return -EBADMSG;
    state = (uint32_t)little_endian(bytes + SUPER_STATE, 2);
    *ret = (struct ext4_superblock){
        .has_journal = little_endian(bytes + SUPER_FEATURE_COMPAT, 4) & COMPAT_HAS_JOURNAL,
        .errors = state & STATE_ERRORS,
        .clean = state & STATE_CLEAN,
        .block_size = 1024U << log_block_size,
        .protected_ = little_endian(bytes + SUPER_FEATURE_INCOMPAT, 4) & INCOMPAT_MMP,
        .mmp_block = little_endian(bytes + SUPER_MMP_BLOCK, 8),
    };
    return 0;
}

/* A name as it was written by another node: kept printable, since it ends up in a message. */
static void copy_name(char *name, const uint8_t *bytes, size_t size)
{
    size_t i;

    for (i = 0; i < size && bytes[i]; i++)
        name[i] = bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '?';
    name[i] = '\0';
}

int ext4_mmp_parse(const uint8_t *bytes, size_t length, struct ext4_mmp *ret)
{
    struct ext4_mmp mmp = { 0 };

    if (length < EXT4_MMP_SIZE || little_endian(bytes + MMP_MAGIC_OFFSET, 4) != MMP_MAGIC)
        return -EBADMSG;
    mmp.sequence = (uint32_t)little_endian(bytes + MMP_SEQUENCE, 4);
    mmp.clean = mmp.sequence == MMP_SEQUENCE_CLEAN;
    mmp.fsck = mmp.sequence == MMP_SEQUENCE_FSCK;
    mmp.check_interval_s = (uint32_t)little_endian(bytes + MMP_CHECK_INTERVAL, 2);
    mmp.time = little_endian(bytes + MMP_TIME, 8);
    copy_name(mmp.node, bytes + MMP_NODE, MMP_NODE_SIZE);
    copy_name(mmp.device, bytes + MMP_DEVICE, MMP_DEVICE_SIZE);
    *ret = mmp;
    return 0;
}
