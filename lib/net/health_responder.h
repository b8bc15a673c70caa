/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_HEALTH_RESPONDER_H
#define VIGIL_NET_HEALTH_RESPONDER_H
/*
 * A port that answers on the active node only, for a balancer's health checks: a background process (net/background.h) that accepts connections, and answers whatever is
 * sent by "200 OK". It reads nothing into account, holds a bounded number of connections for a bounded time, and gives its rights up.
 */
#include <stdint.h>

#include "base/deadline.h"

struct health_responder {
    const char *address; /* numeric, to listen on; NULL: every address, IPv6 and IPv4 */
    uint16_t port;
};

/* Starts the process and waits until it answers. Returns 0; -EADDRINUSE: another process has the port; -EADDRNOTAVAIL: the address is not on this node;
 * -ECHILD: it ended at once; -ETIMEDOUT; -errno. */
int health_responder_start(const struct health_responder *responder, const char *state_path, struct deadline deadline);

/* Connects as a balancer would. Returns 1 when it answers as the responder does, 0 when the connection is refused, -EBADMSG when something else answers,
 * -ETIMEDOUT, -errno. */
int health_responder_look(const struct health_responder *responder, struct deadline deadline);

#endif
