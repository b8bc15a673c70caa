/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_DEVICE_FIND_H
#define VIGIL_STORAGE_DEVICE_FIND_H
/*
 * From a device's name to the block device. Every name but a path is verified by reading the disk; udev's link is only where the
 * search begins.
 */
#include <sys/types.h>

#include "base/deadline.h"
#include "storage/device_name.h"
#include "storage/superblock.h"

struct block_device {
    char path[256]; /* /dev/..., canonical enough to open */
    dev_t number;
};

/* Looks once. Returns 0, -ENODEV when no such device is there, -ENOTBLK when the path is something else, -EEXIST when several
 * devices carry the name (a snapshot or a clone beside its origin: nobody can tell which is meant), -EBUSY / -ETIMEDOUT when a device that may
 * be the one does not answer, or -errno. */
int device_find(const struct device_name *name, struct deadline deadline, struct block_device *ret);

/* The same, looking again until it appears or the deadline comes; woken by the kernel's uevents. */
int device_wait(const struct device_name *name, struct deadline deadline, struct block_device *ret);

/* Whether what was read on a device bears the name. A path bears itself. Pure. */
bool superblock_has_name(const struct superblock *superblock, const struct device_name *name);

#endif
