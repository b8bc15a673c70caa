/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_WORKER_H
#define VIGIL_TOOLS_WORKER_H
/*
 * A child process of vigild that does one thing again and again which may hang: a direct read, a look at a reservation, a health probe. One turn is under
 * way at a time, and one worker exists for a thing (its name), however often it is registered: one that hangs is left behind, and found again.
 */
#include "tools/watcher/watcher.h"

/* One turn: fills reason where it fails. Runs in the child; state is its own. Returns 0, or -errno. */
typedef int (*worker_turn)(void *state, uint64_t limit_ms, char *reason, size_t size);

struct worker_spec {
    const char *name; /* of the thing */
    worker_turn turn;
    const void *state; /* copied into the child */
    size_t state_size;
    uint64_t interval_ms;
    uint64_t deadline_ms; /* told to the turn; one that takes longer (and grace_ms more) is a failure */
    uint64_t grace_ms;
};

/* Called in vigild for each turn that ended (result of the turn), or is overdue (-ETIMEDOUT; again when it ends). */
typedef void (*worker_listener)(struct watch_source *source, int result, const char *reason);

/* Starts the worker, or finds the one that hangs. Returns 0, -EBUSY (another source has it), or -errno. */
int worker_open(struct watch_source *source, const struct worker_spec *spec, worker_listener listener);
void worker_close(struct watch_source *source);

/* Takes in the children that have ended. */
void workers_reap(void);

#endif
