/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaded into vigild in front of libc: its wall clock is ahead by the seconds in /run/clock-shift, so that it can be stepped without touching the
 * machine's. The monotonic clock is let be.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift_s(void)
{
    char text[32] = "";
    int fd = open("/run/clock-shift", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    (void)!read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    long result = syscall(SYS_clock_gettime, clock, ret);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += shift_s();
    return (int)result;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    long result = syscall(SYS_gettimeofday, ret, zone);

    ret->tv_sec += shift_s();
    return (int)result;
}

time_t time(time_t *ret)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
