/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_CLIENT_H
#define VIGIL_WATCH_CLIENT_H
/*
 * How programs speak to vigild. Everything here is optional to its caller: without vigild each agent works by polling alone.
 *
 * The agents' three calls:
 *
 *     start, once it has succeeded:     watch_keep(run, &registration)
 *     monitor, once all is well:        the same: where the registration stands it costs one small read; without vigild, one failed stat
 *     stop, before anything else:       watch_withdraw(run)
 *
 * They do nothing where a person calls the agent by hand, or for a probe. libqb is opened only to register.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "base/deadline.h"
#include "watch/protocol.h"
#include "watch/registration.h"

/* Prepares an empty registration of this resource. */
void watch_begin(const struct agent_run *run, struct watch_registration *ret);

/* Sees to it that vigild watches exactly this (where the registration is empty: nothing). What goes wrong is logged as information and is no failure of the action: the next monitor
 * tries again. Where no vigild runs, a registration that says something else is removed. Returns 1 where it stands already, 0 where it was made,
 * -ENOENT where no vigild runs, or -errno. */
int watch_keep(const struct agent_run *run, const struct watch_registration *registration);

/* Withdraws the resource's registration. Returns 0 (also where there is none), or -errno: it still stands; it is logged. */
int watch_withdraw(const struct agent_run *run);

/* A connection to vigild, for `vigil`. */
struct watch_connection;
void watch_disconnect(struct watch_connection *connection);
static inline void cleanup_watch_connection(struct watch_connection **connection)
{
    watch_disconnect(*connection);
}
#define _cleanup_watch_connection_ _cleanup_(cleanup_watch_connection)

/* Connects. Returns 0, -ENOENT where no vigild runs, -ETIMEDOUT (one is there and does not answer), -EACCES (root and haclient only), -ELIBACC without libqb, or
 * -errno. */
int watch_connect(struct watch_connection **ret, struct deadline deadline);

/* Sends a request and waits for its response. The payload of the response lies in the connection until the next call. Returns 0 (the
 * response may hold an error: ret->error), -ETIMEDOUT, -ENOTCONN where vigild has ended, -EAGAIN where its queue was full until the deadline, or -errno. */
int watch_request(struct watch_connection *connection, enum watch_message type, uint64_t cursor, const void *payload, size_t length,
                  struct watch_message_view *ret, struct deadline deadline);

/* The next event behind WATCH_SUBSCRIBE. Returns 0, -ETIMEDOUT, -ENOTCONN or -errno. */
int watch_receive_event(struct watch_connection *connection, struct watch_message_view *ret, struct deadline deadline);

#endif
