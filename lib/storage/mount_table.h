/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_TABLE_H
#define VIGIL_STORAGE_MOUNT_TABLE_H
/*
 * The mount table as the kernel tells it in /proc/PID/mountinfo, see proc(5). Start and stop read it whole; a monitor asks for
 * its one mount point only (mount_point.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/deadline.h"

/* One line of the table. The texts lie in the table's own memory, with the octal escapes undone. */
struct mount_entry {
    uint64_t id;               /* may be given to another mount once this one is gone */
    uint64_t parent_id;
    dev_t device;              /* of the superblock; btrfs has an anonymous one, not the block device's */
    const char *root;          /* which folder of the file system is mounted here: "/" for the whole */
    const char *mount_point;   /* relative to the root folder of the process that reads */
    const char *options;       /* of this mount: "rw,noatime" */
    const char *type;          /* "ext4" */
    const char *source;        /* what was given to mount(2); "" where the kernel shows none */
    const char *super_options; /* of the file system, shared by all its mounts: "rw,errors=remount-ro" */
};

struct mount_table {
    struct mount_entry *entries; /* as in the file: a later one on the same mount point covers an earlier one */
    size_t count;
    char *text;
};

/* Parses the text of mountinfo (length bytes, need not be terminated). Lines whose fields cannot be told apart are -EBADMSG. Pure.
 * Returns 0, -EBADMSG or -ENOMEM; mount_table_free gives the memory back. */
int mount_table_parse(const char *text, size_t length, struct mount_table *ret);

/* Reads the mount table of this process (pid 0) or of another. The kernel does not hand it out in one piece, so that a reader can miss
 * an entry while others come and go: it is read again until nothing changed meanwhile (poll(2) on the file tells).
 * Returns 0, -ESRCH when there is no such process, -EAGAIN when it changed all the time until the deadline, or -errno. */
int mount_table_read(pid_t pid, struct deadline deadline, struct mount_table *ret);

void mount_table_free(struct mount_table *table);
#define _cleanup_mount_table_ _cleanup_(mount_table_free)

/* The mount that a path lookup ends on: the last one on this mount point that no other one covers; NULL when there is none. */
const struct mount_entry *mount_table_top(const struct mount_table *table, const char *mount_point);

/* True when a path lookup no longer reaches this mount, since another one was mounted over it or over a folder above. */
bool mount_table_covered(const struct mount_table *table, const struct mount_entry *entry);

/* True when `option` is one of the comma-separated options ("ro", "emergency_ro"), or stands there with a value ("errors=panic" has
 * "errors"). */
bool mount_option_present(const char *options, const char *option);

/* True when path is folder itself or lies beneath it. Both absolute, without a trailing slash (but for "/"). */
bool path_is_within(const char *path, const char *folder);

#endif
