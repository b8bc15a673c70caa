/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_FILE_H
#define VIGIL_BASE_FILE_H
/*
 * Small files: /proc and /sys texts, state records, locks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/text.h"

/* Reads a whole file of at most limit bytes into fresh memory, NUL-terminated, that the caller frees. *ret_length may be NULL.
 * Returns 0, -EFBIG when it is longer, or -errno. */
int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length);

/* Reads the first line of a file into buffer, without its newline. Returns its length or -errno. */
int file_read_line(const char *path, char *buffer, size_t size);

/* Writes a file so that a reader sees the old or the new content, never a part: temporary file in the same folder, fsync,
 * rename. A full disk leaves the old file. Returns 0 or -errno. */
int file_write(const char *path, mode_t mode, const char *bytes, size_t length);

/* Makes a folder and its parents (mode 0755, the last one with the given mode). An existing one is success.
 * Returns 0 or -errno. */
int file_make_directory(const char *path, mode_t mode);

/* Takes an exclusive lock (flock) on a file, made where it is missing. Returns a descriptor whose closing lets go of the lock,
 * -ETIMEDOUT when another process held it until the deadline, or -errno. */
int file_lock(const char *path, struct deadline deadline);

/* In a forked child that may outlive its parent: closes its copies of the parent's locks but kept_fd (-1: all), so that they end with
 * the parent. */
void file_leave_locks(int kept_fd);

/* Reads a secret (password, key): the first line of a regular file, which must belong to root or to this user and grant nothing
 * to others (mode & 077 == 0 apart from group read by root's group). Fresh memory; file_wipe_secret frees it. Returns 0, -EPERM
 * when its mode or owner is too open, -ENODATA when it is empty, or -errno. */
int file_read_secret(const char *path, char **ret_secret);

/* Reads a whole file of secrets (a credentials file) of at most limit bytes under the same rule, into fresh memory that file_wipe_secret frees,
 * NUL-terminated. Returns 0, -EPERM, -ENODATA when it is empty, -EFBIG, -EINVAL when it holds a NUL byte, or -errno. */
int file_read_private(const char *path, size_t limit, char **ret_text);

/* Overwrites and frees a secret; NULL is allowed. */
void file_wipe_secret(char *secret);

#endif
