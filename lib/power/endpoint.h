/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_ENDPOINT_H
#define VIGIL_POWER_ENDPOINT_H
/*
 * Where a management controller listens, and which controller belongs to which node.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"

/* A host name, an IPv4 or an IPv6 address, and a UDP or TCP port. */
struct power_endpoint {
    char host[256]; /* without brackets; RFC 1035: a name has at most 255 bytes */
    uint16_t port;
};

/* An endpoint as a person writes it: "[2001:db8::1]:623", "192.0.2.1:623". Returns buffer. */
#define ENDPOINT_TEXT_SIZE 272
const char *endpoint_format(const struct power_endpoint *endpoint, char *buffer, size_t size);

/* Reads "HOST", "HOST:PORT", "IPV6" or "[IPV6]:PORT" of length bytes; where no port stands, port_default is taken.
 * Returns 0, or -EINVAL with what is wrong appended to why; *ret is untouched then. Pure. */
int endpoint_parse(const char *text, size_t length, uint16_t port_default, struct power_endpoint *ret,
                   struct text_buffer *why);

/* The same as a parameter's check. */
int endpoint_check(const char *text, struct text_buffer *why);

/* The host map: "n1=192.0.2.11 n2=bmc2.example:9623 n3=[2001:db8::3]:623". Blanks, commas or semicolons separate; a node name is
 * letters, digits, '.', '_' and '-' and stands only once, as does a controller. Looks at all of it, whatever is asked.
 *
 * Returns the number of nodes, or -EINVAL with what is wrong appended to why. Pure. emit (may be NULL) is called once for each
 * node, only when the whole map is good. */
typedef void (*host_map_emit)(void *context, const char *node, size_t node_length, const struct power_endpoint *endpoint);
int host_map_walk(const char *map, size_t length, uint16_t port_default, host_map_emit emit, void *context,
                  struct text_buffer *why);

/* The same as a parameter's check: 0 or -EINVAL. */
int host_map_check(const char *map, struct text_buffer *why);

/* The endpoint of a node. Returns 0, -ENOENT when the map has no such node, or -EINVAL like host_map_walk. Node names are compared
 * without regard to case, as Pacemaker compares them. */
int host_map_find(const char *map, const char *node, uint16_t port_default, struct power_endpoint *ret,
                  struct text_buffer *why);

/* A numeric address for FreeIPMI's "host" argument, "192.0.2.1:623" or "[2001:db8::1]:623". */
#define ENDPOINT_ADDRESSES_MAX 4
struct endpoint_address {
    char text[80];
};

/* Finds the numeric addresses of an endpoint in the order of getaddrinfo(3). A name is looked up in a child, since a resolver
 * knows no deadline. Returns how many (at least 1), or -errno: -ENOENT where the name has no address, -ETIMEDOUT where the name servers
 * did not answer. */
int endpoint_resolve(const struct power_endpoint *endpoint, struct deadline deadline,
                     struct endpoint_address ret[ENDPOINT_ADDRESSES_MAX]);

#endif
