/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_IP_ADDRESS_H
#define VIGIL_NET_IP_ADDRESS_H
/*
 * An IPv4 or IPv6 address as a value: parsed once, compared and formatted in canonical form (RFC 5952).
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define IP_TEXT_SIZE INET6_ADDRSTRLEN

struct ip_address {
    sa_family_t family;      /* AF_INET, AF_INET6; 0: none */
    unsigned char bytes[16]; /* network order; the first 4 for IPv4 */
};

/* Reads dotted quad (four decimal parts, no leading zeros) or any RFC 4291 form, without a zone or a prefix length. Returns 0 or -EINVAL. */
int ip_address_parse(const char *text, struct ip_address *ret);

/* Reads a prefix length: a number, or for IPv4 a contiguous netmask as dotted quad ("255.255.255.0"). Returns it (0..32 or
 * 0..128), or -EINVAL. */
int ip_prefix_parse(const char *text, sa_family_t family);

/* The canonical text; buffer holds IP_TEXT_SIZE bytes. Returns buffer. */
const char *ip_address_format(const struct ip_address *address, char *buffer);

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);

/* How many bytes (4, 16) and bits (32, 128) the address has. */
static inline unsigned int ip_address_size(const struct ip_address *address)
{
    return address->family == AF_INET ? 4 : 16;
}
static inline unsigned int ip_address_bits(const struct ip_address *address)
{
    return ip_address_size(address) * 8;
}

/* True when the first `prefix` bits of both agree (and the families). */
bool ip_address_in_prefix(const struct ip_address *address, const struct ip_address *network, unsigned int prefix);

/* The address with its host bits (those behind `prefix`) all set to zero or to one. */
struct ip_address ip_address_with_host_bits(const struct ip_address *address, unsigned int prefix, bool ones);

/* The address plus a small number. Returns 0, or -ERANGE where its last 4 bytes would wrap. */
int ip_address_add(struct ip_address *address, uint32_t number);

bool ip_address_is_loopback(const struct ip_address *address);
bool ip_address_is_link_local(const struct ip_address *address); /* fe80::/10 */

/* True for what a host can own: not unspecified, multicast, IPv4 broadcast or a v4-mapped IPv6 address. */
bool ip_address_is_assignable(const struct ip_address *address);

#endif
