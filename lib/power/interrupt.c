/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define REPEAT_NS (20 * 1000 * 1000)

static volatile sig_atomic_t fired;
static bool armed;
static timer_t timer;
static struct sigaction earlier_action;
static sigset_t earlier_mask;

/* The signal's work is done by its coming: poll(2) is never restarted (signal(7)). */
static void note_alarm(int number)
{
    (void)number;
    fired = 1;
}

static void restore_signal(void)
{
    (void)sigaction(SIGALRM, &earlier_action, NULL);
    (void)sigprocmask(SIG_SETMASK, &earlier_mask, NULL);
}

static int start_timer(struct deadline deadline)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    struct itimerspec when = {
        .it_value = { .tv_sec = (time_t)(deadline.at_ms / 1000), .tv_nsec = (long)(deadline.at_ms % 1000) * 1000000 },
        .it_interval = { .tv_nsec = REPEAT_NS },
    };

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    if (timer_settime(timer, TIMER_ABSTIME, &when, NULL) < 0) {
        int error = -errno;

        (void)timer_delete(timer);
        return error;
    }
    return 0;
}

int interrupt_begin(struct deadline deadline)
{
    struct sigaction action = { .sa_handler = note_alarm };
    sigset_t mask;
    int r;

    fired = 0;
    if (deadline.at_ms == UINT64_MAX)
        return 0;
    if (sigaction(SIGALRM, &action, &earlier_action) < 0)
        return -errno;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &mask, &earlier_mask);
    r = start_timer(deadline);
    if (r < 0)
        restore_signal();
    armed = r == 0;
    return r;
}

bool interrupt_end(void)
{
    if (armed) {
        (void)timer_delete(timer);
        restore_signal();
        armed = false;
    }
    return fired != 0;
}
