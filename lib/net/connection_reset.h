/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_CONNECTION_RESET_H
#define VIGIL_NET_CONNECTION_RESET_H
/*
 * Ends the connections of an address that leaves this node (sock_diag(7), SOCK_DESTROY), so that clients notice at once and local users do not hold
 * half-open sockets. Needs a kernel with CONFIG_INET_DIAG_DESTROY.
 */
#include "base/deadline.h"
#include "net/ip_address.h"

/* Resets the TCP connections and connected UDP sockets whose local address is ip, v4-mapped ones included; listening sockets stay. Call it before the address is
 * removed: the kernel can then still tell the peers. Returns how many were ended, or -errno (-EOPNOTSUPP: not in this kernel). */
int connection_reset(const struct ip_address *ip, struct deadline deadline);

#endif
