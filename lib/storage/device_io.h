/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_DEVICE_IO_H
#define VIGIL_STORAGE_DEVICE_IO_H
/*
 * Questions to a block device itself, each in a child that can be left behind.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "storage/device_find.h"

/* What a read check saw. */
struct device_read {
    uint64_t offset;      /* where, bytes */
    uint64_t device_size; /* bytes */
    uint64_t took_ms;
};

/* Reads one block at a random place of the whole device, past every cache (O_DIRECT). Returns 0, -ENODEV / -ENXIO (gone), -ENOMEDIUM (size 0),
 * -ESTALE (the path leads to another device), -EBUSY (an earlier reader still hangs), -ETIMEDOUT, -EIO or another -errno.
 * *ret is valid for 0 and for an error of the read itself. */
int device_read_check(const struct block_device *device, struct deadline deadline, struct device_read *ret);

/* Whether a file system (in whatever mount namespace, or already out of the tree), a device mapper table or another exclusive user holds the
 * device: opening with O_EXCL is refused then. Returns 1, 0, or -errno: not known (-ENODEV / -ENOENT / -ENXIO: no such device). */
int device_is_held(const struct block_device *device, struct deadline deadline);

/* The node below /dev of a number, by sysfs. Returns 0, -ENODEV when the kernel has no such device, or -errno. */
int device_from_number(dev_t number, struct block_device *ret);

/* Whether the kernel still has the device: 1, 0, or -errno where sysfs is not there to be asked. */
int device_present(dev_t number);

#endif
