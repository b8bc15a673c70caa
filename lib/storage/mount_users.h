/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_USERS_H
#define VIGIL_STORAGE_MOUNT_USERS_H
/*
 * Who uses a mount: found in /proc by the number of the mount, not of the device, so that users of a bind mount's source, or of the root
 * file system that a folder below was bound from, are never taken for users of the mount. Nothing here asks the storage: open files by
 * /proc/PID/fdinfo, folders and programs by the texts of their links, confirmed by statx(2) on those alone that name our mount.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/text.h"
#include "storage/mount_table.h"

#define MOUNT_USERS_MAXIMUM 512

/* How a process uses the mount. */
enum mount_use {
    MOUNT_USE_FILE = 1 << 0,    /* an open file or folder */
    MOUNT_USE_FOLDER = 1 << 1,  /* its working or root folder */
    MOUNT_USE_PROGRAM = 1 << 2, /* the program that it runs */
    MOUNT_USE_MAP = 1 << 3,     /* a file in its memory */
    MOUNT_USE_SOCKET = 1 << 4,  /* a unix socket that is bound there: it holds the mount, but shows in no list of files */
};

struct mount_user {
    pid_t pid;
    unsigned int use;   /* enum mount_use */
    bool untouchable;   /* this process, an ancestor of it, or process 1: never ended */
    char command[16];
};

struct mount_users {
    size_t count;
    bool more;          /* there were more than fit */
    struct mount_user users[MOUNT_USERS_MAXIMUM];
};

/* The mounts to look for users of. */
struct mount_set {
    const struct mount_entry *const *entries;
    size_t count;
    bool detached; /* they were taken out of the tree, with every other mount of their superblock */
};

/* Finds the users. Runs in a child: /proc/PID/maps waits where that process waits for storage with its memory locked; such a map is given up and
 * the rest answered. Returns 0, -ETIMEDOUT, or -errno. */
int mount_users_find(const struct mount_set *set, struct deadline deadline, struct mount_users *ret);

/* Sends each user that may be touched a signal, through a pidfd, after looking once more that it is still a user. Returns how many got it. */
size_t mount_users_signal(const struct mount_set *set, const struct mount_users *users, int signal_number);

/* "1234 (postgres: open file), 1240 (bash: folder)", at most a handful. Appends to text. */
void mount_users_describe(const struct mount_users *users, struct text_buffer *text);

/* A line of /proc/PID/maps: whether it maps a file of this device whose path lies within folder. Pure. */
bool map_line_matches(const char *line, size_t length, dev_t device, const char *folder);

/* A line of /proc/net/unix: the number of a socket that is bound within folder, 0 for none. Pure. */
uint64_t unix_line_inode(const char *line, size_t length, const char *folder);

/* The number that stands behind "mnt_id:" in the text of /proc/PID/fdinfo/N. Pure. Returns 0 or -ENODATA. */
int fdinfo_mount_id(const char *text, size_t length, uint64_t *ret);

#endif
