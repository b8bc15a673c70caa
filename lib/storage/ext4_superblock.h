/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_EXT4_SUPERBLOCK_H
#define VIGIL_STORAGE_EXT4_SUPERBLOCK_H
/*
 * The few fields of an ext2/3/4 superblock and of its multi-mount protection block that decide about a start. Layout: the kernel's
 * Documentation/filesystems/ext4/super.rst and mmp.rst; all numbers little-endian.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT4_SUPERBLOCK_OFFSET 1024
#define EXT4_SUPERBLOCK_SIZE 1024
#define EXT4_MMP_SIZE 1024

struct ext4_superblock {
    bool has_journal;
    bool errors;          /* the kernel has noted errors: to be checked before the next mount */
    bool clean;           /* unmounted in order */
    uint32_t block_size;  /* bytes */
    bool protected_;      /* multi-mount protection is on */
    uint64_t mmp_block;   /* where its block lies, in blocks */
};

/* What the multi-mount protection says of the last user. */
struct ext4_mmp {
    bool clean;           /* given back in order */
    bool fsck;            /* e2fsck was at it */
    uint32_t sequence;
    uint32_t check_interval_s;
    uint64_t time;        /* last update, seconds since 1970 */
    char node[65];
    char device[33];
};

/* Reads the 1,024 bytes at EXT4_SUPERBLOCK_OFFSET. Pure. Returns 0 or -EBADMSG. */
int ext4_superblock_parse(const uint8_t *bytes, size_t length, struct ext4_superblock *ret);

/* Reads the block at mmp_block * block_size. Pure. Returns 0 or -EBADMSG. */
int ext4_mmp_parse(const uint8_t *bytes, size_t length, struct ext4_mmp *ret);

#endif
