/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_FENCER_H
#define VIGIL_CLUSTER_FENCER_H
/*
 * What Pacemaker's fencer does, as it does it, whatever the fence agent: for a process that does nothing else. Its library, libstonithd of Pacemaker 2.1, is opened at
 * run time; some of its calls wait without a limit, and it needs GLib's main loop.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* A fencing ("off" or "reboot") that has begun, or ended; or, with nothing else set, that the fencer has been reached. The texts are borrowed for the call. */
struct fencer_event {
    bool reached, ended;
    uint64_t seen_ns; /* CLOCK_MONOTONIC */
    const char *target;
    const char *origin; /* the node that asked for it; every node is told of each fencing, this one is to note it */
    const char *client; /* who asked there */
    const char *action;
    const char *executioner; /* ended: the node that carried it out, or NULL */
    int result;              /* ended: 0, or -errno */
    const char *reason;      /* ended badly: why, or NULL */
    uint64_t duration_ns;    /* ended: 0 where the beginning was not seen */
};

/* Connects to the fencer of this node and calls event() until the connection is lost, or `socket` becomes readable or its other end is closed. Where all fence devices
 * are of Vigil's agents no fencing is told: they note what they do. Returns 0 for the socket, -ENOTCONN (it may be called again), or -ELIBACC, with why. */
int fencer_follow(int socket, void (*event)(void *context, const struct fencer_event *event), void *context, struct text_buffer *why);

#endif
