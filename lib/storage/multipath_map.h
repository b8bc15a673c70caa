/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_MULTIPATH_MAP_H
#define VIGIL_STORAGE_MULTIPATH_MAP_H
/*
 * A map of dm-multipath and its paths, as the kernel sees them (drivers/md/dm-mpath.c, multipath_status): neither multipathd nor its command is asked, so that
 * a multipathd that hangs or has died changes nothing in a verdict.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/deadline.h"

enum { MULTIPATH_PATHS_MAX = 64 };

struct multipath_path {
    dev_t number;
    bool active;  /* the kernel would send I/O to it */
};

struct multipath_map {
    struct multipath_path paths[MULTIPATH_PATHS_MAX];
    size_t count;
    size_t active; /* how many of them */
};

/* Reads the status text of a multipath target. Pure. Returns 0, or -EBADMSG when it is not one (or names more than MULTIPATH_PATHS_MAX paths). */
int multipath_status_parse(const char *text, struct multipath_map *ret);

/* Whether the table text of a multipath target lets I/O wait for ever where no path is left (queue_if_no_path). Pure. Returns 1, 0, or -EBADMSG. */
int multipath_table_queues(const char *text);

/* Asks the kernel for the map of this number. Returns 1, 0 when the device is no multipath map, or -errno. */
int multipath_map_read(dev_t number, struct multipath_map *ret);

/* Whether I/O to the map waits for ever when no path is left. Returns 1, 0, or -errno. */
int multipath_map_queues(dev_t number);

/* Tells the kernel that I/O to the map fails from now on (on: waits again) while no path is left. What waits already fails, too. Returns 0 or -errno. */
int multipath_map_set_queueing(dev_t number, bool on, struct deadline deadline);

#endif
