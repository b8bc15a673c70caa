/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_CLUSTER_LINK_H
#define VIGIL_TOOLS_CLUSTER_LINK_H
/*
 * What vigild and its child that speaks to Pacemaker say to each other, over a socket pair that keeps messages apart.
 */
#include <stdbool.h>
#include <stdint.h>

#include "watch/event.h"
#include "watch/registration.h"

enum cluster_request_kind { CLUSTER_REPORT, CLUSTER_HEALTH };

struct cluster_request {
    uint32_t kind;
    uint32_t unused;
    uint64_t id;
    uint64_t sent_ms; /* deadline_now_ms() */
    uint64_t stamp;   /* watch_registration_stamp of what has failed: what was registered since is another run of the resource */
    char resource[WATCH_NAME_SIZE]; /* health: the attribute */
    char agent[64];                 /* health: its value */
    char text[EVENT_TEXT_SIZE];
};

/* The child may have waited for Pacemaker or Corosync meanwhile: what has failed then may have been recovered by now, so that it is looked at again. */
#define CLUSTER_REQUEST_FRESH_MS 2000

static inline bool cluster_request_is_stale(const struct cluster_request *request, uint64_t now_ms)
{
    return now_ms > request->sent_ms + CLUSTER_REQUEST_FRESH_MS;
}

enum cluster_answer_kind { CLUSTER_ANSWER, CLUSTER_CONNECTION };

struct cluster_answer {
    uint32_t kind;
    int32_t result; /* CLUSTER_CONNECTION: 1 came, 0 went */
    uint64_t id;
    char node[EVENT_NODE_SIZE];
    uint32_t node_id;
    char text[160];
};

/* The child's whole life, for child_worker(). Returns its exit code. */
int cluster_child_run(int socket, void *unused);

#endif
