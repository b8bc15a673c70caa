/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_COROSYNC_ERROR_H
#define VIGIL_CLUSTER_COROSYNC_ERROR_H
/*
 * Internal to lib/cluster: Corosync's error codes as -errno, for connections that stay open.
 */
#include <corosync/corotypes.h>

/* Returns 0, -ENOTCONN (Corosync does not run, or has gone), -EAGAIN (its queue is full: try again), -EACCES, -ENOMEM, or -EIO. */
int corosync_error(cs_error_t error);

#endif
