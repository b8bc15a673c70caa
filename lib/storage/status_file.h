/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_STATUS_FILE_H
#define VIGIL_STORAGE_STATUS_FILE_H
/*
 * Check depth 20: a small file of this node and resource on the volume is written, brought to the disk, and read back from there.
 */
#include "storage/volume.h"

/* Returns VOLUME_UP, -ENOSPC where the file system is full (but answers), or -errno with the reason given. */
int status_file_check(struct volume *volume);

/* The path of the file: DIRECTORY/PREFIXinstance_node, where a '/' in instance or node is written as '_'. Returns 0 or -ENAMETOOLONG. Pure. */
int status_file_path(const char *directory, const char *prefix, const char *instance, const char *node, char *buffer, size_t size);

#endif
