/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_MATCH_H
#define VIGIL_STORAGE_MOUNT_MATCH_H
/*
 * Which mounts lie on which block device.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/text.h"
#include "storage/device_find.h"
#include "storage/mount_table.h"

/* Whether a mounted superblock (its number, type and source as the mount table shows them) lies on the device. btrfs shows an anonymous number and
 * any one of its devices as the source: /sys/fs/btrfs tells which belong together. */
bool superblock_on_device(dev_t superblock, const char *type, const char *source, const struct block_device *device);

/* The first mount of the device in a table, or NULL. */
const struct mount_entry *mount_table_find_device(const struct mount_table *table, const struct block_device *device);

/* Called for a mount of a superblock in another mount namespace, of which pid is a process. Returns 0 to go on. */
typedef int (*foreign_mount_function)(void *argument, pid_t pid, const struct mount_entry *entry);

/* Visits the mounts of a superblock in every mount namespace but ours that has a process we may look at: the mount tables of other
 * namespaces hold a file system, too. Returns 0, what the function returned, or -errno. */
int foreign_mounts_visit(dev_t superblock, struct deadline deadline, foreign_mount_function function, void *argument);

/* Says who holds a device, as far as can be seen: other mount namespaces, device mapper tables. Appends to text, nothing when nobody was
 * found. */
void device_holders_describe(const struct block_device *device, dev_t superblock, struct deadline deadline, struct text_buffer *text);

#endif
