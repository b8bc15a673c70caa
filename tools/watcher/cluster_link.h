/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_CLUSTER_LINK_H
#define VIGIL_TOOLS_CLUSTER_LINK_H
/*
 * What vigild and its child that speaks to Pacemaker say to each other, over a socket pair that keeps messages apart.
 */
#include <stdint.h>

#include "watch/event.h"
#include "watch/registration.h"

enum cluster_request_kind { CLUSTER_REPORT, CLUSTER_HEALTH };

struct cluster_request {
    uint32_t kind;
    uint32_t unused;
    uint64_t id;
    char resource[WATCH_NAME_SIZE]; /* health: the attribute */
    char agent[64];                 /* health: its value */
    char text[EVENT_TEXT_SIZE];
};

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
