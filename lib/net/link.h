/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_LINK_H
#define VIGIL_NET_LINK_H
/*
 * Network interfaces ("links") over rtnetlink.
 */
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/netlink.h"

#define INTERFACE_NAME_SIZE 128 /* ALTIFNAMSIZ of linux/if.h: an alternative name is longer than IFNAMSIZ */
#define HARDWARE_ADDRESS_MAX 32 /* MAX_ADDR_LEN of the kernel: InfiniBand has 20 bytes, Ethernet 6 */

struct hardware_address {
    unsigned int length;
    unsigned char bytes[HARDWARE_ADDRESS_MAX];
};
#define HARDWARE_TEXT_SIZE (HARDWARE_ADDRESS_MAX * 3)

struct link {
    unsigned int index;
    char name[IFNAMSIZ];
    unsigned int flags; /* IFF_UP, IFF_LOWER_UP, IFF_NOARP, IFF_LOOPBACK ... */
    unsigned int hardware_type; /* ARPHRD_* of if_arp.h */
    uint8_t operstate;  /* IF_OPER_* of linux/if.h (RFC 2863) */
    struct hardware_address address, broadcast;
};

/* Finds a link by name (or one of its alternative names), or by index where name is NULL. Returns 0, -ENODEV where there is none,
 * or -errno where that could not be told. */
int link_find(struct netlink *netlink, const char *name, unsigned int index, struct link *ret, struct deadline deadline);

/* Sets IFF_UP. Returns 0 or -errno. */
int link_set_up(struct netlink *netlink, unsigned int index, struct deadline deadline);

/* Can carry packets: administratively up and its operational state is up, or unknown to the driver (loopback, tunnels). */
bool link_is_running(const struct link *link);

/* Why it can not, in words: "administratively down", "no carrier", "lower layer down". Static text. */
const char *link_state_text(const struct link *link);

/* True where neighbours are found by ARP or neighbour discovery, so that announcing makes sense. */
bool link_has_neighbours(const struct link *link);

/* Waits until the link runs, by events. Returns 0 with *link read anew, -ENETDOWN when it did not by the deadline, or -errno. */
int link_wait_running(struct netlink *netlink, struct link *link, struct deadline deadline);

/* Reads an RTM_NEWLINK message of length bytes. Pure. Returns 0 or -EBADMSG. */
int link_parse(const void *bytes, size_t length, struct link *ret);

/* "52:54:00:12:34:56"; buffer holds HARDWARE_TEXT_SIZE bytes. Returns buffer. */
const char *hardware_address_format(const struct hardware_address *address, char *buffer);

#endif
