/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_INTERFACE_ADDRESS_H
#define VIGIL_NET_INTERFACE_ADDRESS_H
/*
 * Addresses on interfaces over rtnetlink: look, add, change, remove.
 */
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip_address.h"
#include "net/netlink.h"

#define LIFETIME_FOREVER UINT32_MAX

/* An address as the kernel has it on one interface. */
struct interface_address {
    struct ip_address ip;
    struct ip_address peer;       /* the other end of a point-to-point address; family 0: none */
    unsigned int prefix;
    unsigned int index;           /* of the interface */
    uint32_t flags;               /* IFA_F_* of linux/if_addr.h */
    uint8_t scope;                /* RT_SCOPE_* */
    char label[IFNAMSIZ];         /* IPv4 only; "" where there is none */
    struct ip_address broadcast;  /* family 0: none */
    uint32_t preferred_s, valid_s; /* LIFETIME_FOREVER, or seconds left */
};

/* The addresses that a search found. */
struct address_list {
    struct interface_address *items;
    size_t count;
};
void address_list_free(struct address_list *list);
#define _cleanup_address_list_ _cleanup_(address_list_free)

/* All entries of an IP address on the interface (0: on any; by a dump that the kernel filters by interface). Several are possible: on
 * several interfaces, and for IPv4 with several prefixes on one. Returns 0 (an empty list: seen to be absent) or -errno. */
int address_find(struct netlink *netlink, const struct ip_address *ip, unsigned int index, struct address_list *ret,
                 struct deadline deadline);

/* All addresses of a family on an interface (0: any). Returns 0 or -errno. */
int address_list(struct netlink *netlink, sa_family_t family, unsigned int index, struct address_list *ret,
                 struct deadline deadline);

/* One look at one address on one interface, at a cost that does not grow with the number of addresses. For IPv4 the label is asked for with
 * the address (the interface's name where it has none). Returns 1 when it is there (prefix, and for IPv6 flags, in *ret), 0 when this look did
 * not find it (address_find has the last word), or -errno. */
int address_look(struct netlink *netlink, const struct ip_address *ip, unsigned int index, const char *label,
                 struct interface_address *ret, struct deadline deadline);

/* Adds an address. Returns 0, -EEXIST where this very address and prefix is there already, or -errno. */
int address_add(struct netlink *netlink, const struct interface_address *address, struct deadline deadline);

/* Changes the lifetimes and flags of an address that is there. Returns 0 or -errno. */
int address_change(struct netlink *netlink, const struct interface_address *address, struct deadline deadline);

/* Removes exactly this address, prefix and interface. Returns 0, -EADDRNOTAVAIL where it is not there, or -errno. */
int address_remove(struct netlink *netlink, const struct interface_address *address, struct deadline deadline);

/* Waits, by events, until an IPv6 address is no longer tentative. Returns 0 when it is usable, -EADDRINUSE when duplicate address detection
 * failed, -EADDRNOTAVAIL when it has gone, -ETIMEDOUT, or -errno. */
int address_wait_usable(struct netlink *netlink, const struct interface_address *address, struct deadline deadline);

/* Reads an RTM_NEWADDR or RTM_DELADDR message of length bytes. Pure. Returns 0 or -EBADMSG; -EAFNOSUPPORT for another family. */
int address_parse_message(const void *bytes, size_t length, struct interface_address *ret);

/* Adds or removes the RFC 6724 label of an IPv6 address (as `ip addrlabel`). Returns 0 or -errno. */
int address_selection_label_set(struct netlink *netlink, const struct ip_address *ip, uint32_t label, bool present,
                                struct deadline deadline);

#endif
