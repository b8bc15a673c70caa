/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_DEVICE_MAPPER_H
#define VIGIL_STORAGE_DEVICE_MAPPER_H
/*
 * The kernel's device mapper, asked by its own ioctls (linux/dm-ioctl.h, interface 4): no library, no command, and no read of a disk, so that a
 * monitor costs little and never waits for storage. Looks are made here and now; what changes a device is made in a child that can be left behind.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"

struct dm_device {
    char name[128];      /* as below /dev/mapper */
    char uuid[129];      /* "mpath-3600...", "LVM-..." */
    dev_t number;
    bool active;         /* it has a table: I/O is possible */
    bool suspended;
    bool read_only;
    int32_t open_count;
    uint32_t event;      /* changes with each event of its targets, such as a path that failed */
};

/* One row of a table: the kind of target, and its status (or table) text. Borrows from the reply. */
struct dm_target {
    const char *type;  /* "multipath", "linear" */
    const char *text;
};

/* Looks for a device by name, or by number. Returns 1, 0 when there is no such device (or no device mapper in this kernel), or -errno: not known. */
int device_mapper_look(const char *name, struct dm_device *ret);
int device_mapper_look_number(dev_t number, struct dm_device *ret);

/* Which text of its targets is wanted. */
enum dm_text {
    DM_TEXT_STATUS, /* how they are: the states of paths */
    DM_TEXT_TABLE,  /* how they were set up: queue_if_no_path and the like */
};

/* The status of the first target of a device, copied into type and text. Returns 0, -ENXIO when there is no such device, -ENODATA when it has no
 * target, -EBADMSG, or -errno. A text that does not fit is -EMSGSIZE, never cut. */
int device_mapper_target(dev_t number, enum dm_text kind, char *type, size_t type_size, char *text, size_t text_size);

/* Called for each device: returns 0 to go on, anything else to end the visit. */
typedef int (*dm_visitor)(void *argument, const struct dm_device *device);

/* Visits all devices. Returns 0, what the visitor returned, or -errno. No device mapper: 0. */
int device_mapper_visit(dm_visitor visitor, void *argument);

/* Sends a message to the first target ("fail_if_no_path"). Returns 0, -ENXIO, -ETIMEDOUT, -EBUSY (an earlier call hangs), or -errno. */
int device_mapper_message(dev_t number, const char *message, struct deadline deadline);

/* Removes a device that nobody has open. Returns 0, -ENXIO when there is none, -EEXIST when it is in use, -ETIMEDOUT, or -errno. */
int device_mapper_remove(const char *name, struct deadline deadline);

/* The name that LVM gives a logical volume's device: hyphens of both names doubled, one between them. Returns 0 or -ENAMETOOLONG. Pure. */
int device_mapper_lvm_name(const char *volume_group, const char *logical_volume, char *buffer, size_t size);

/* ---- replies of the kernel, as pure functions over bytes ---- */

/* Reads the head of a reply. Returns 0 or -EBADMSG. */
int dm_reply_parse(const void *reply, size_t length, struct dm_device *ret);

/* Steps through the targets of a DM_TABLE_STATUS reply; *cursor begins at 0. Returns 1, 0 at the end, or -EBADMSG. */
int dm_reply_next_target(const void *reply, size_t length, size_t *cursor, struct dm_target *ret);

/* Steps through the names of a DM_LIST_DEVICES reply; *cursor begins at 0. *ret_name borrows. Returns 1, 0 at the end, or -EBADMSG. */
int dm_reply_next_name(const void *reply, size_t length, size_t *cursor, const char **ret_name, dev_t *ret_number);

#endif
