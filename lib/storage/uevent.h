/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_UEVENT_H
#define VIGIL_STORAGE_UEVENT_H
/*
 * The kernel's own events of devices (netlink, NETLINK_KOBJECT_UEVENT, group 1; lib/kobject_uevent.c): who waits for a device is woken when one comes, and
 * need not look again and again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/deadline.h"

/* What an event says; the texts borrow from its bytes and are "" where it does not say. */
struct uevent {
    const char *action;    /* "add", "change", "remove", ... */
    const char *subsystem; /* "block", "scsi", ... */
    const char *name;      /* DEVNAME: "sdb", "dm-3" */
    dev_t number;          /* MAJOR and MINOR; 0 where there is none */
    /* Of multipath maps (drivers/md/dm-uevent.c): */
    const char *path_action; /* DM_ACTION: "PATH_FAILED", "PATH_REINSTATED" */
    const char *path;        /* DM_PATH: the path's number as text */
    int valid_paths;         /* DM_NR_VALID_PATHS, or -1 */
};

/* Reads the bytes of one message. Pure. Returns 0, or -EBADMSG. */
int uevent_parse(const char *bytes, size_t length, struct uevent *ret);

/* Whether the event may have brought a block device, or filled or renamed one. Pure. */
bool uevent_brings_block(const struct uevent *event);

/* Opens the source. What happens from now on is kept for the reader. Returns a descriptor that the caller closes, or -errno. */
int uevent_open(void);

/* Waits until an event comes that may have brought a block device. Returns 0; also when events were lost or when there is none for quiet_ms, so that
 * the caller looks again (some changes have no event: a namespace without them, a device that was filled); -ETIMEDOUT. A negative fd is a clock alone. */
int uevent_await_block(int fd, struct deadline deadline, unsigned int quiet_ms);

#endif
