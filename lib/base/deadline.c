/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

uint64_t deadline_now_ms(void)
{
    struct timespec now;

    /* Cannot fail for CLOCK_MONOTONIC with a valid address, see clock_gettime(2). */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct deadline deadline_in(uint64_t ms)
{
    uint64_t at_ms;

    if (__builtin_add_overflow(deadline_now_ms(), ms, &at_ms))
        return DEADLINE_NEVER;
    return (struct deadline){ at_ms };
}

uint64_t deadline_left_ms(struct deadline deadline)
{
    uint64_t now_ms;

    if (deadline.at_ms == UINT64_MAX)
        return UINT64_MAX;
    now_ms = deadline_now_ms();
    return deadline.at_ms > now_ms ? deadline.at_ms - now_ms : 0;
}

int deadline_poll_ms(struct deadline deadline)
{
    uint64_t left_ms = deadline_left_ms(deadline);

    if (left_ms == UINT64_MAX)
        return -1;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

bool deadline_passed(struct deadline deadline)
{
    return deadline_left_ms(deadline) == 0;
}

struct deadline deadline_within(struct deadline deadline, uint64_t ms)
{
    struct deadline step = deadline_in(ms);

    return step.at_ms < deadline.at_ms ? step : deadline;
}

struct deadline deadline_share(struct deadline deadline, unsigned int percent)
{
    uint64_t left_ms = deadline_left_ms(deadline);

    if (left_ms == UINT64_MAX)
        return deadline;
    return deadline_in(left_ms / 100 * percent + left_ms % 100 * percent / 100);
}

int deadline_sleep(struct deadline deadline, uint64_t ms)
{
    struct deadline wake = deadline_within(deadline, ms);
    struct timespec at = {
        .tv_sec = (time_t)(wake.at_ms / 1000),
        .tv_nsec = (long)(wake.at_ms % 1000) * 1000000,
    };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
    return deadline_passed(deadline) ? -ETIMEDOUT : 0;
}

int deadline_wait_fd(struct deadline deadline, int fd, short events)
{
    for (;;) {
        struct pollfd pollfd = { .fd = fd, .events = events };
        int r = poll(&pollfd, 1, deadline_poll_ms(deadline));

        if (r > 0)
            return pollfd.revents;
        if (r < 0 && errno != EINTR)
            return -errno;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
}
