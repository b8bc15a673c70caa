/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_FLIGHT_H
#define VIGIL_TOOLS_FLIGHT_H
/*
 * What feeds the flight recorder of vigild beside its own sources: the agents' notes, Corosync's membership and quorum, the other nodes' recorders (a CPG
 * group), and steps of the wall clock. It hangs in vigild's loop; without Corosync it tries again every few seconds, and the rest goes on.
 */
#include <qb/qbloop.h>
#include <stdbool.h>

#include "watch/recorder.h"

struct flight;

/* What the recorder is told to call for each new event, behind flight's own use of it. */
struct flight_config {
    qb_loop_t *loop;
    struct recorder *recorder;  /* flight becomes its listener, and polls and ticks it */
    recorder_listener listener; /* or NULL */
    void *context;
};

/* Returns 0 or -ENOMEM. */
int flight_open(const struct flight_config *config, struct flight **ret);
/* NULL is allowed. The recorder stays open. */
void flight_close(struct flight *flight);

/* True while the group is joined and hands messages out: events are shared. */
bool flight_is_sharing(const struct flight *flight);

/* "NAME=VALUE" lines for `vigil status`: sharing, members, counts, clocks, the recorder's trouble. Appends to text. */
void flight_describe(const struct flight *flight, struct text_buffer *text);

#endif
