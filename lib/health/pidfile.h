/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PIDFILE_H
#define VIGIL_HEALTH_PIDFILE_H
/*
 * A file that names a process. It often lies on the application's own volume, which may hang: each call is made in a child and is
 * over within a second, or by the deadline where that is earlier.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"

/* Reads the number, and how long ago the file was written (negative: in the future). Returns 0, -ESRCH where there is no file or no number
 * in it, -ETIMEDOUT where the file system did not answer, or -errno. */
int pidfile_read(const char *path, struct deadline deadline, pid_t *ret_pid, int64_t *ret_age_ms);

/* Writes it. Returns 0, -ETIMEDOUT or -errno. */
int pidfile_write(const char *path, pid_t pid, struct deadline deadline);

/* Takes it away where it names this process. Returns 0 (also where it does not), -ETIMEDOUT or -errno. */
int pidfile_remove(const char *path, pid_t pid, struct deadline deadline);

#endif
