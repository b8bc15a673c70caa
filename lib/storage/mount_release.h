/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_RELEASE_H
#define VIGIL_STORAGE_MOUNT_RELEASE_H
/*
 * Getting mounts out of the way: first plainly, without a search for users; then by ending the users, politely for half of the time, then for
 * certain; where new users keep coming, by taking the mount out of the tree so that none can come any more.
 */
#include "storage/mount_table.h"
#include "storage/volume.h"

/* Whether a mount of the table belongs to what is to be released. */
typedef bool (*mount_chooser)(const struct volume *volume, const struct mount_table *table, const struct mount_entry *entry);

/* Unmounts every mount that chooser names, and whatever is mounted beneath one of them, the deepest first. Returns 0 when a later look at
 * the table shows none of them. A mount that had to be detached while in use is noted in volume->state.detached: whether the file system is
 * gone then is for the layer below to see. -EBUSY and others with the reason given. */
int mounts_release(struct volume *volume, mount_chooser chooser);

/* The number of a signal by name, with or without SIG, or by number: 1..64, or -EINVAL. Pure. */
int signal_by_name(const char *name, size_t length);

#endif
