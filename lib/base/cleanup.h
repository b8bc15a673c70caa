/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_CLEANUP_H
#define VIGIL_BASE_CLEANUP_H
/*
 * Cleanup attributes and the few macros that every file wants.
 *
 *     _cleanup_free_ char *text = NULL;     freed when the scope ends, on every path
 *     return TAKE_PTR(text);                handed to the caller instead
 *
 * Every destructor accepts the "nothing" value (NULL, -1) and preserves errno.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(destructor) __attribute__((cleanup(destructor)))
#define _printf_(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#define _unused_ __attribute__((unused))
#define _noreturn_ __attribute__((noreturn))
#define _must_check_ __attribute__((warn_unused_result))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Gives the pointer (descriptor) away: evaluates to its value and leaves NULL (-1) behind. */
#define TAKE_PTR(pointer)                       \
    ({                                          \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })
#define TAKE_FD(fd)         \
    ({                      \
        int taken_fd_ = (fd); \
        (fd) = -1;          \
        taken_fd_;          \
    })

static inline void cleanup_free(void *address)
{
    void **pointer = address;

    free(*pointer);
}

static inline void cleanup_close(int *fd)
{
    int saved_errno = errno;

    if (*fd >= 0)
        (void)close(*fd);
    errno = saved_errno;
}

static inline void cleanup_fclose(FILE **file)
{
    int saved_errno = errno;

    if (*file)
        (void)fclose(*file);
    errno = saved_errno;
}

static inline void cleanup_closedir(DIR **directory)
{
    int saved_errno = errno;

    if (*directory)
        (void)closedir(*directory);
    errno = saved_errno;
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

#endif
