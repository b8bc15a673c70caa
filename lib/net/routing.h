/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ROUTING_H
#define VIGIL_NET_ROUTING_H
/*
 * The routing table over rtnetlink: which interface and prefix an address belongs to.
 */
#include <stdbool.h>
#include <stdint.h>

#include "net/ip_address.h"
#include "net/netlink.h"

#define ROUTE_TABLE_MAIN 254

/* A route as the kernel has it. */
struct route {
    struct ip_address destination;
    unsigned int prefix;
    unsigned int index; /* of the interface; 0: none or several */
    uint32_t table;
    uint8_t type;       /* RTN_* */
    uint8_t scope;      /* RT_SCOPE_* */
    bool has_gateway;
};

/* The directly connected network that holds an address: the route without a gateway, not a default route, with the longest prefix of at most
 * prefix_max bits, out of the interface (0: any), in the table. Returns 0, -ENOENT where there is none, or -errno. */
int route_find_connected(struct netlink *netlink, const struct ip_address *ip, unsigned int index, unsigned int prefix_max,
                         uint32_t table, struct route *ret, struct deadline deadline);

/* One lookup, as a packet to the address would do it: *ret is the route that matches (kernel 4.13 or later). Returns 0 or -errno (-ENETUNREACH: no route). */
int route_look_up(struct netlink *netlink, const struct ip_address *ip, struct route *ret, struct deadline deadline);

/* Adds or removes the route to the network of ip/prefix out of an interface in a table, with ip as its preferred source. Routes of others to that network
 * stay as they are. Adding one that is there and removing one that is not are success. Returns 0 or -errno. */
int route_set_connected(struct netlink *netlink, const struct ip_address *ip, unsigned int prefix, unsigned int index,
                        uint32_t table, bool present, struct deadline deadline);

/* Makes the kernel forget the routes of a family that it keeps in caches (route/flush of ip-sysctl.rst). Returns 0 or -errno. */
int route_flush_cached(sa_family_t family);

/* Reads an RTM_NEWROUTE message of length bytes. Pure. Returns 0, -EBADMSG, or -EAFNOSUPPORT for another family. */
int route_parse(const void *bytes, size_t length, struct route *ret);

#endif
