/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_VIRTUAL_ADDRESS_H
#define VIGIL_NET_VIRTUAL_ADDRESS_H
/*
 * An address that moves between nodes: where it is on this one, where it belongs, and how it gets there and away.
 */
#include "net/interface_address.h"
#include "net/link.h"

/* What is wanted. */
struct virtual_address {
    struct ip_address ip;
    const char *nic;    /* name or alternative name; NULL: wherever it is, or the routing table says */
    const char *label;  /* IPv4: what stands behind "NIC:"; NULL: none wanted, any is fine */
    int prefix;         /* -1: as the routing table says */
    uint32_t table;     /* the routing table that is asked */
    uint32_t flags;     /* IFA_F_NODAD, IFA_F_NOPREFIXROUTE */
    uint32_t preferred_s;
    enum { BROADCAST_INHERIT, BROADCAST_ONES, BROADCAST_ZEROS, BROADCAST_GIVEN } broadcast_kind;
    struct ip_address broadcast;
};

/* The link that this address is on now, or the nic where one is named. Returns 0; -ENODEV: no such interface; -ENOENT: no nic was named, and no
 * interface has the address (loopback is left out unless it is a loopback address); or -errno. */
int virtual_address_find_link(struct netlink *netlink, const struct virtual_address *wanted, struct link *ret,
                              struct deadline deadline);

/* Looks for the address on the link: cheap where it is there as wanted, by a dump in any other case. Returns 1 with what was found, 0 when it
 * was seen to be absent, or -errno. */
int virtual_address_look(struct netlink *netlink, const struct virtual_address *wanted, const struct link *link,
                         struct interface_address *ret, struct deadline deadline);

/* All entries of the address that a stop has to remove. Returns 0 or -errno. */
int virtual_address_list(struct netlink *netlink, const struct virtual_address *wanted, const struct link *link,
                         struct address_list *ret, struct deadline deadline);

/* Where the address belongs: the link, and the entry to add (prefix, label, broadcast, lifetimes). Returns 0; -ENODEV: no such interface;
 * -ENOENT: the routing table has no connected network for it; -ENAMETOOLONG: the label does not fit; or -errno. */
int virtual_address_plan(struct netlink *netlink, const struct virtual_address *wanted, struct link *ret_link,
                         struct interface_address *ret, struct deadline deadline);

/* True when an entry is what was planned: prefix and label. */
bool virtual_address_matches(const struct interface_address *found, const struct interface_address *planned);

/* The full label "NIC:LABEL" (the interface's name where none is wanted), written into buffer of IFNAMSIZ bytes. Returns 0 or -ENAMETOOLONG. */
int virtual_address_label(const struct virtual_address *wanted, const struct link *link, char *buffer);

#endif
