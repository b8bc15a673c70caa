/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_NETLINK_H
#define VIGIL_NET_NETLINK_H
/*
 * A netlink socket: one request, its answers, its acknowledgement, all by a deadline (netlink(7), RFC 3549). What could not be
 * read whole is an error, never an empty answer.
 */
#include <libmnl/libmnl.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/deadline.h"

struct netlink {
    struct mnl_socket *socket;
    unsigned int port;
    uint32_t sequence;
};
#define NETLINK_CLOSED ((struct netlink){ NULL, 0, 0 })

/* Room for any request that this library builds. */
#define NETLINK_REQUEST_SIZE 512

/* Opens a socket on a bus (NETLINK_ROUTE, NETLINK_SOCK_DIAG) that listens to the multicast groups of the mask (0: none), with strict
 * checking, so that the kernel filters dumps by what the request names. Returns 0 or -errno. */
int netlink_open(struct netlink *netlink, int bus, uint32_t groups);
void netlink_close(struct netlink *netlink);
#define _cleanup_netlink_ _cleanup_(netlink_close)

/* Begins a request in a buffer of NETLINK_REQUEST_SIZE bytes. flags are NLM_F_*; NLM_F_REQUEST and NLM_F_ACK are added (a dump ends with
 * NLMSG_DONE instead). */
struct nlmsghdr *netlink_request(void *buffer, uint16_t type, uint16_t flags);

/* Called for each answer. Returns 0 to go on, or -errno, which ends the call with it. */
typedef int (*netlink_callback)(const struct nlmsghdr *message, void *argument);

/* Sends a request and hands each answer to the callback (may be NULL) until the kernel has acknowledged it. Returns 0; the kernel's -errno; -EINTR when
 * a dump changed while it was read, so that the caller throws its answers away and asks again; -ETIMEDOUT; -EBADMSG for an answer that is no
 * netlink message. */
int netlink_call(struct netlink *netlink, struct nlmsghdr *request, netlink_callback callback, void *argument,
                 struct deadline deadline);

/* Reads what a multicast group sends: waits until the deadline and hands each message to the callback. Returns 0 after one datagram, -ETIMEDOUT, or
 * -errno (-ENOBUFS: events were lost; look at the state itself). */
int netlink_receive_event(struct netlink *netlink, netlink_callback callback, void *argument, struct deadline deadline);

/* Reads the attributes that follow a header of header_size bytes into table, indexed by type up to maximum; others are left
 * out. Returns 0, or -EBADMSG when the message is shorter than it says. */
int netlink_attributes(const struct nlmsghdr *message, size_t header_size, const struct nlattr **table,
                       unsigned int maximum);

#endif
