/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_FSCK_H
#define VIGIL_STORAGE_FSCK_H
/*
 * The file system check before a mount.
 */
#include "storage/volume.h"

/* Whether the policy wants a check of what was read. auto: where the kernel cannot or must not mount without one: ext2/3/4 whose
 * superblock says that errors were found, and ext2 that was not unmounted in order; a journal is replayed by the mount itself, and XFS and
 * btrfs check themselves. Pure. */
bool fsck_wanted(enum volume_fsck policy, const struct superblock *superblock);

/* Runs fsck.TYPE on the device and reads its exit code as fsck(8) states it: 0 to 3 good (1: errors corrected), 4 and above not. Returns 0, or
 * -errno with the reason given. */
int fsck_run(struct volume *volume);

#endif
