/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_PROCESS_H
#define VIGIL_BASE_PROCESS_H
/*
 * Whether a process is still the one that was meant.
 */
#include <stdint.h>
#include <sys/types.h>

/* A process that is known by more than its number: the start time (clock ticks since boot, field 22 of /proc/PID/stat, see proc(5))
 * tells a reused pid from the one that was meant. */
struct process_identity {
    pid_t pid;
    uint64_t start_ticks;
};

/* Returns 0, -ESRCH when there is no such process (or it is a zombie, with no thread left), -EPERM when it is there but /proc does not show
 * it, -errno when that could not be read. */
int process_identify(pid_t pid, struct process_identity *ret);

/* 1 when this very process is alive, 0 when it has ended (or its pid belongs to another), -errno when unknown. */
int process_alive(const struct process_identity *identity);

/* Opens a pidfd on this very process. Returns the descriptor, -ESRCH when it has ended, or -errno. */
int process_open(const struct process_identity *identity);

#endif
