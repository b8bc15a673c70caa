/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaded into vigild in front of libc: its wall clock is ahead by the seconds in /run/clock-shift, so that it can be stepped without touching the
 * machine's. The monotonic clock is let be.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    long result = syscall(SYS_clock_gettime, clock, ret);
    char text[32] = "";
    int fd;

    if (result < 0 || clock != CLOCK_REALTIME)
        return (int)result;
    fd = open("/run/clock-shift", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof(text) - 1) > 0)
        ret->tv_sec += strtol(text, NULL, 10);
    (void)close(fd);
    return 0;
}
