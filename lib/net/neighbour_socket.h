/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_NEIGHBOUR_SOCKET_H
#define VIGIL_NET_NEIGHBOUR_SOCKET_H
/*
 * A packet socket that speaks to the neighbours on one link.
 */
#include "net/link.h"
#include "net/neighbour_packet.h"

/* Opens a socket on the link for the family's packets; listens for answers where listen is set. Returns a descriptor that the caller closes, or -errno. */
int neighbour_socket_open(const struct link *link, const struct ip_address *ip, bool listen);

/* Sends one packet of a kind about ip. Returns 0 (also where the family has no packet of the kind) or -errno. */
int neighbour_socket_send(int fd, enum neighbour_packet_kind kind, const struct ip_address *ip, const struct link *link);

/* Sends one announcement: for IPv4 an ARP request and a reply, since peers and switches differ in what they learn from; for IPv6 an unsolicited
 * advertisement. Returns 0 or -errno. */
int neighbour_announce(int fd, const struct ip_address *ip, const struct link *link);

/* Asks over a listening socket whether another host on the link has the address, or is about to take it: three probes, answers awaited for wait_ms
 * altogether (RFC 5227, 2.1 with shorter times; RFC 4862, 5.4). Returns 1 with the link-layer address of that host in *ret_owner, 0 when none answered, or
 * -errno. The socket is the caller's to close, when there is time for that: closing a packet socket waits for an RCU grace period, some 10 ms. */
int neighbour_find_owner(int fd, const struct ip_address *ip, const struct link *link, unsigned int wait_ms,
                         struct hardware_address *ret_owner, struct deadline deadline);

#endif
