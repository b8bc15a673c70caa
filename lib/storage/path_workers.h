/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_PATH_WORKERS_H
#define VIGIL_STORAGE_PATH_WORKERS_H
/*
 * Internal to lib/storage: a thread for each path of a map, begun with the path's first command and kept for the next ones. One that hangs holds up nobody but its own
 * path. (A child for each would cost ten times as much, and what hangs does so in a child already: see reservation_call.)
 */
#include "storage/reservation_backend.h"

enum { PATH_ARGUMENT_MAXIMUM = 64 };

/* What is done on one path. Returns 0 or an error of reservation.h; reply is of the order's size. */
typedef int (*path_function)(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply);

/* The argument is copied: a path that hangs keeps its thread long after everybody has left. */
struct path_order {
    path_function function;
    const void *argument;
    size_t argument_size; /* bytes, PATH_ARGUMENT_MAXIMUM at most */
    size_t reply_size;    /* bytes */
};

struct path_workers;

/* open_path: the way to a path. Returns NULL where there is no memory. */
struct path_workers *path_workers_new(int (*open_path)(const char *path, struct scsi_transport *ret));

/* Begins an order on the path at that place. Returns 0; -EBUSY: it hangs in an earlier one; or -errno. What was begun must be taken. */
int path_workers_give(struct path_workers *workers, unsigned int place, const struct reservation_path *path, const struct path_order *order,
                      struct deadline deadline);

/* Waits until all that was given is done, or for the deadline. */
void path_workers_wait(struct path_workers *workers, struct deadline deadline);

/* What became of the order: what its function returned, with its reply copied where reply is not NULL; -ETIMEDOUT: it is not done, and its reply is for nobody; -EBUSY:
 * another process hangs on the path; or why the path cannot be opened. */
int path_workers_take(struct path_workers *workers, unsigned int place, void *reply);

/* The threads end and free what they have, those that hang when they come back, or with the process. NULL is allowed. */
void path_workers_leave(struct path_workers *workers);

#endif
