/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_INTERRUPT_H
#define VIGIL_POWER_INTERRUPT_H
/*
 * A monotonic deadline for a library call that keeps its own time. FreeIPMI counts its time-outs on the wall clock
 * (gettimeofday): a clock that is stepped back would stretch a fencing by as much. From the deadline on, a signal every 20 ms interrupts
 * the call's poll(2), on which FreeIPMI gives up with a system error.
 *
 * One at a time in a process; uses SIGALRM, whose handling is put back as it was.
 */
#include <stdbool.h>

#include "base/deadline.h"

/* Begins. Returns 0 or -errno (nothing is armed then, and interrupt_end is harmless). */
int interrupt_begin(struct deadline deadline);

/* Ends. Returns whether the deadline had come. */
bool interrupt_end(void);

#endif
