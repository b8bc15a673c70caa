/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MOUNT_CALL_H
#define VIGIL_STORAGE_MOUNT_CALL_H
/*
 * Mounting and unmounting, each in a child that can be left behind where the storage hangs.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"

struct mount_request {
    const char *source;
    const char *target;
    const char *type;    /* NULL: a bind mount, or to be found out */
    const char *options; /* as mount(8)'s -o, or NULL */
};

/* Mounts by libmount (options, loop devices, SELinux contexts, /run/mount/utab), without its helpers. name: see storage_call(). Returns 0,
 * -ELIBACC, -ETIMEDOUT, or -errno of the kernel; message receives libmount's own words where it has some. */
int mount_volume(const struct mount_request *request, const char *name, struct deadline deadline, char *message, size_t size);

/* How to unmount. */
enum unmount_kind {
    UNMOUNT_PLAIN,  /* only when nothing uses it */
    UNMOUNT_DETACH, /* takes it out of the tree now; the file system lives on for as long as something uses it */
};

struct unmount_request {
    const char *path;
    uint64_t mount_id;       /* as in /proc/self/mountinfo: unmounts this one and no other */
    enum unmount_kind kind;
    bool sync;               /* write back first, so that an error of that is seen */
    pid_t namespace_of;      /* in the mount namespace of this process; 0: ours */
};

struct unmount_reply {
    int error;      /* 0, or -errno of umount2(2); -ESTALE: another mount is there */
    int sync_error; /* 0, or -errno of writing back */
};

/* Returns 0 when *ret tells how it went, -ETIMEDOUT, -EBUSY (an earlier call hangs), or -errno when no child could be made. */
int unmount_path(const struct unmount_request *request, const char *name, struct deadline deadline, struct unmount_reply *ret);

#endif
