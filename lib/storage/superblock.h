/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_SUPERBLOCK_H
#define VIGIL_STORAGE_SUPERBLOCK_H
/*
 * What is written on a block device, by reading it now (libblkid's low-level probe): never from udev's links or libblkid's cache, which
 * keep telling of a disk that has changed. libblkid is opened in the child that reads, so that no monitor pays for it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "storage/ext4_superblock.h"

struct superblock {
    dev_t device;           /* number of the block device itself */
    uint64_t size;          /* of the device, bytes */
    char type[32];          /* "ext4", "xfs", "btrfs", "LVM2_member", ...; "" when nothing known is there */
    bool ambiguous;         /* more than one kind is written there: nobody can tell which is true */
    char uuid[64];
    char label[256];
    char part_uuid[64];     /* only when asked for */
    char part_label[256];
    bool ext4_known;        /* ext2, ext3, ext4: the rest is valid */
    struct ext4_superblock ext4;
};

/* Reads the device at path, whose number the caller knows from stat(2). with_partition: ask the disk that it lies on for the partition's names, too.
 * Returns 0, -ENOENT / -ENXIO (no such device), -ESTALE (the path leads to another device meanwhile), -ENOTBLK, -ENOMEDIUM (a device of size 0), -EBUSY (an earlier reader of this
 * device still hangs), -ETIMEDOUT (the device did not answer), -ELIBACC (libblkid cannot be opened), -EIO or another -errno. */
int superblock_read(const char *path, dev_t number, bool with_partition, struct deadline deadline, struct superblock *ret);

/* Reads the multi-mount protection block, past the cache, since another node writes it. Returns 0, -EBADMSG, or -errno. */
int superblock_read_mmp(const char *path, dev_t number, const struct ext4_superblock *ext4, struct deadline deadline,
                        struct ext4_mmp *ret);

#endif
