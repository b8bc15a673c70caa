/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_POINT_H
#define VIGIL_STORAGE_MOUNT_POINT_H
/*
 * What is mounted on one folder: the hot path of a monitor. Its cost does not grow with the number of mounts, and it waits for no
 * storage: the path is resolved from the kernel's cache only (openat2 with RESOLVE_CACHED; the folders above a mount point are pinned
 * there), and the kernel is asked for that one mount (statmount(2), Linux 6.8). Where either is missing, the whole
 * mount table is read.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"

/* A unique id is at least this (fs/namespace.c: MNT_UNIQUE_ID_OFFSET); the older kind is smaller. */
#define MOUNT_ID_UNIQUE_MINIMUM (UINT64_C(1) << 31)

struct mount_point {
    bool mounted;    /* something is mounted exactly here; the rest is set only then */
    uint64_t id;     /* of the mount: never used twice since the node's start where the kernel has such ids (MOUNT_ID_UNIQUE_MINIMUM) */
    dev_t device;    /* of the superblock; btrfs: anonymous */
    bool read_only;  /* this mount, or its file system, refuses writes */
    bool shut_down;  /* the file system has given up after an error (shutdown, emergency read-only): nothing is safe on it */
    char type[32];
    char source[512]; /* what was given to mount(2), cut; "" where the kernel does not say */
    char root[512];   /* which folder of the file system is mounted, cut; "" where the kernel does not say */
};

/* Looks at an absolute folder without trailing slash. Not for one where a server's file system may be mounted: it asks the file system for what the kernel has in
 * memory, and the CIFS of Linux 6.1 waits for its server even then (fs/smb/client/inode.c, cifs_getattr). Returns 0 (see ret->mounted; a folder that does not exist has nothing mounted),
 * -EAGAIN when the mount table never stood still, -ETIMEDOUT when the path could not be resolved by the deadline, or -errno: not known. */
int mount_point_look(const char *directory, struct deadline deadline, struct mount_point *ret);

/* For kernels without statmount(2): whether the mount with this id (not a unique one) and superblock is the one on the folder, without reading the
 * table. Fills mounted, id, device and read_only only. Returns 0, or -errno where mount_point_look() has to tell. */
int mount_point_look_noted(const char *directory, uint64_t id, dev_t superblock, struct mount_point *ret);

/* As mount_point_look(), by way of the whole mount table, for any kernel and any file system. */
int mount_point_look_in_table(const char *directory, struct deadline deadline, struct mount_point *ret);

/* The path without symbolic links, as the mount table shows it. Returns 0, -ENOENT, -ETIMEDOUT where the folders above lie on storage that
 * hangs, or another -errno. */
int path_resolve(const char *path, struct deadline deadline, char *buffer, size_t size);

/* Whether a mount with this unique id still exists, be it hidden by another: 1, 0, or -errno where the kernel has no such ids. */
int mount_id_exists(uint64_t id);

/* Whether these options of a file system say that it has given up after an error. Pure. */
bool mount_options_shut_down(const char *super_options);

#endif
