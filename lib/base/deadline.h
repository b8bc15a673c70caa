/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_DEADLINE_H
#define VIGIL_BASE_DEADLINE_H
/*
 * One monotonic deadline is handed to every wait, so that an action ends by itself, with its reason, before
 * the cluster manager kills it. CLOCK_MONOTONIC: a stepped wall clock changes nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A point on CLOCK_MONOTONIC; DEADLINE_NEVER where there is none. */
struct deadline {
    uint64_t at_ms;
};
#define DEADLINE_NEVER ((struct deadline){ UINT64_MAX })

/* Milliseconds on CLOCK_MONOTONIC. */
uint64_t deadline_now_ms(void);

struct deadline deadline_in(uint64_t ms);

/* Milliseconds left, 0 when it has passed, UINT64_MAX for DEADLINE_NEVER. */
uint64_t deadline_left_ms(struct deadline deadline);

/* The same, bounded to what poll(2) takes: -1 for DEADLINE_NEVER. */
int deadline_poll_ms(struct deadline deadline);

bool deadline_passed(struct deadline deadline);

/* The earlier one of the deadline and now plus ms: a bound for one step within an action. */
struct deadline deadline_within(struct deadline deadline, uint64_t ms);

/* The deadline of a part of the time that is left, in percent: 50 is half of it. */
struct deadline deadline_share(struct deadline deadline, unsigned int percent);

/* Sleeps ms, or less where the deadline comes first. Returns 0, or -ETIMEDOUT when the deadline has passed. For a
 * state that gives no event; wait on a descriptor where there is one. */
int deadline_sleep(struct deadline deadline, uint64_t ms);

/* Waits until fd is ready for events (POLLIN, POLLOUT) or has an error or a hang-up. Returns the revents (> 0), -ETIMEDOUT, or
 * -errno. */
int deadline_wait_fd(struct deadline deadline, int fd, short events);

#endif
