/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A wall clock that is set back by an hour after its third reading: for LD_PRELOAD. */
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    static int readings;
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec - (++readings > 3 ? 3600 : 0);
    ret->tv_usec = (suseconds_t)(now.tv_nsec / 1000);
    return 0;
}
