/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_NEIGHBOUR_PACKET_H
#define VIGIL_NET_NEIGHBOUR_PACKET_H
/*
 * The packets by which neighbours learn and ask who has an address: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861). Pure
 * functions over bytes; the link-layer header is the kernel's (packet(7), SOCK_DGRAM).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip_address.h"
#include "net/link.h"

#define NEIGHBOUR_PACKET_SIZE 128

enum neighbour_packet_kind {
    NEIGHBOUR_ANNOUNCE_REQUEST, /* ARP request with sender and target both the address: RFC 5227, 2.3 */
    NEIGHBOUR_ANNOUNCE_REPLY,   /* ARP reply to all: some switches and peers learn only from those. IPv6: an unsolicited advertisement with the override flag */
    NEIGHBOUR_PROBE,            /* ARP probe (sender 0.0.0.0), or a solicitation from :: as in duplicate address detection */
};

/* Writes the packet about ip on link into buffer of NEIGHBOUR_PACKET_SIZE bytes. Returns its length; 0 where the family has no such packet
 * (NEIGHBOUR_ANNOUNCE_REQUEST for IPv6). */
size_t neighbour_packet_build(enum neighbour_packet_kind kind, const struct ip_address *ip, const struct link *link,
                              uint8_t *buffer);

/* The link-layer address that the packet goes to. */
struct hardware_address neighbour_packet_target(enum neighbour_packet_kind kind, const struct ip_address *ip,
                                                const struct link *link);

/* What a received packet says about an address. */
enum neighbour_claim {
    NEIGHBOUR_CLAIM_NONE,
    NEIGHBOUR_CLAIM_OWNS,   /* its sender uses the address */
    NEIGHBOUR_CLAIM_PROBES, /* its sender is about to use it, and asks first */
};

/* Reads a received ARP packet, or IPv6 packet, of length bytes: does another host claim ip? *ret_owner is the link-layer address that the packet itself
 * names (length 0 where it names none). */
enum neighbour_claim neighbour_packet_parse(const uint8_t *bytes, size_t length, const struct ip_address *ip,
                                            struct hardware_address *ret_owner);

#endif
