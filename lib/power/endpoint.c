/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/child.h"
#include "base/number.h"

const char *endpoint_format(const struct power_endpoint *endpoint, char *buffer, size_t size)
{
    bool ipv6 = strchr(endpoint->host, ':') != NULL;

    (void)text_format(buffer, size, "%s%s%s:%u", ipv6 ? "[" : "", endpoint->host, ipv6 ? "]" : "", endpoint->port);
    return buffer;
}

/* Up to 60 bytes of what was given, for a message. */
static int shown_length(size_t length)
{
    return length > 60 ? 60 : (int)length;
}

static bool is_host_character(char byte, bool ipv6)
{
    return isalnum((unsigned char)byte) || strchr(ipv6 ? ".:%-_" : ".-_", byte) != NULL;
}

/* Copies the bytes of a host, which have to be those of a name or an address. */
static int take_host(const char *text, size_t length, char *host, size_t size, struct text_buffer *why)
{
    bool ipv6 = memchr(text, ':', length) != NULL;
    struct in6_addr address;

    if (length == 0 || length >= size) {
        text_buffer_printf(why, length == 0 ? "it names no host" : "the host's name is longer than 255 bytes");
        return -EINVAL;
    }
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || !is_host_character(text[i], ipv6)) {
            text_buffer_printf(why, "a host is a name, an IPv4 or an IPv6 address");
            return -EINVAL;
        }
    memcpy(host, text, length);
    host[length] = '\0';
    if (ipv6 && !strchr(host, '%') && inet_pton(AF_INET6, host, &address) != 1) {
        text_buffer_printf(why, "'%s' is no IPv6 address (a port behind one is written [ADDRESS]:PORT)", host);
        return -EINVAL;
    }
    return 0;
}

static int take_port(const char *text, size_t length, uint16_t *ret, struct text_buffer *why)
{
    char digits[8];
    int64_t value;

    if (length > 0 && length < sizeof(digits) && isdigit((unsigned char)text[0])) {
        memcpy(digits, text, length);
        digits[length] = '\0';
        if (number_parse(digits, 1, UINT16_MAX, &value) == 0) {
            *ret = (uint16_t)value;
            return 0;
        }
    }
    text_buffer_printf(why, "a port is a number from 1 to 65535");
    return -EINVAL;
}

int endpoint_parse(const char *text, size_t length, uint16_t port_default, struct power_endpoint *ret,
                   struct text_buffer *why)
{
    struct power_endpoint endpoint = { .port = port_default };
    const char *host = text, *port = NULL, *end = text + length;
    size_t host_length = length;
    const char *colon = memchr(text, ':', length);

    if (length > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', length);

        if (!bracket || (bracket + 1 < end && bracket[1] != ':')) {
            text_buffer_printf(why, "an address in brackets is written [ADDRESS] or [ADDRESS]:PORT");
            return -EINVAL;
        }
        host = text + 1;
        host_length = (size_t)(bracket - host);
        port = bracket + 1 < end ? bracket + 2 : NULL;
    } else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        host_length = (size_t)(colon - text);
        port = colon + 1;
    }
    if (take_host(host, host_length, endpoint.host, sizeof(endpoint.host), why) < 0)
        return -EINVAL;
    if (port && take_port(port, (size_t)(end - port), &endpoint.port, why) < 0)
        return -EINVAL;
    *ret = endpoint;
    return 0;
}

int endpoint_check(const char *text, struct text_buffer *why)
{
    struct power_endpoint endpoint;

    return endpoint_parse(text, strlen(text), 1, &endpoint, why);
}

/* One "NODE=ENDPOINT" of a map, borrowed from it. */
struct host_entry {
    const char *node;
    size_t node_length;
    const char *endpoint;
    size_t endpoint_length;
};

static bool is_separator(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == ',' || byte == ';';
}

/* Moves *cursor over the next entry. False at the end of the map. An entry without '=' has no endpoint (NULL). */
static bool next_entry(const char **cursor, const char *end, struct host_entry *ret)
{
    const char *begin = *cursor, *equals;

    while (begin < end && is_separator(*begin))
        begin++;
    if (begin == end)
        return false;
    *cursor = begin;
    while (*cursor < end && !is_separator(**cursor))
        (*cursor)++;
    equals = memchr(begin, '=', (size_t)(*cursor - begin));
    ret->node = begin;
    ret->node_length = (size_t)((equals ? equals : *cursor) - begin);
    ret->endpoint = equals ? equals + 1 : NULL;
    ret->endpoint_length = equals ? (size_t)(*cursor - equals - 1) : 0;
    return true;
}

static bool is_node_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-')
            return false;
    return length > 0;
}

static bool same_node(const struct host_entry *entry, const char *name, size_t length)
{
    return entry->node_length == length && strncasecmp(entry->node, name, length) == 0;
}

/* Whether this entry is at odds with one before it: the same node again, or the same controller for another node, which would
 * turn one node off and call the other one fenced. Says so. */
static bool is_at_odds(const char *map, const struct host_entry *entry, const struct power_endpoint *endpoint,
                       struct text_buffer *why)
{
    struct host_entry earlier;

    while (next_entry(&map, entry->node, &earlier)) {
        _cleanup_text_buffer_ struct text_buffer unused = {};
        struct power_endpoint other;

        if (same_node(&earlier, entry->node, entry->node_length)) {
            text_buffer_printf(why, "node '%.*s' stands in it twice", shown_length(entry->node_length), entry->node);
            return true;
        }
        if (endpoint_parse(earlier.endpoint, earlier.endpoint_length, endpoint->port, &other, &unused) == 0 &&
            other.port == endpoint->port && strcasecmp(other.host, endpoint->host) == 0) {
            text_buffer_printf(why, "nodes '%.*s' and '%.*s' have the same controller", shown_length(earlier.node_length),
                               earlier.node, shown_length(entry->node_length), entry->node);
            return true;
        }
    }
    return false;
}

static int check_entry(const char *map, const struct host_entry *entry, uint16_t port_default,
                       struct power_endpoint *ret, struct text_buffer *why)
{
    if (!entry->endpoint || !is_node_name(entry->node, entry->node_length)) {
        text_buffer_printf(why, "each entry is NODE=HOST or NODE=HOST:PORT, a node's name has letters, digits, '.', '_' and '-'");
        return -EINVAL;
    }
    if (endpoint_parse(entry->endpoint, entry->endpoint_length, port_default, ret, why) < 0) {
        text_buffer_printf(why, " (node '%.*s')", shown_length(entry->node_length), entry->node);
        return -EINVAL;
    }
    return is_at_odds(map, entry, ret, why) ? -EINVAL : 0;
}

int host_map_walk(const char *map, size_t length, uint16_t port_default, host_map_emit emit, void *context,
                  struct text_buffer *why)
{
    const char *cursor = map, *end = map + length;
    struct power_endpoint endpoint;
    struct host_entry entry;
    int count = 0;

    for (; next_entry(&cursor, end, &entry); count++)
        if (check_entry(map, &entry, port_default, &endpoint, why) < 0)
            return -EINVAL;
    if (count == 0) {
        text_buffer_printf(why, "it names no node");
        return -EINVAL;
    }
    cursor = map;
    while (emit && next_entry(&cursor, end, &entry)) {
        _cleanup_text_buffer_ struct text_buffer unused = {};

        if (endpoint_parse(entry.endpoint, entry.endpoint_length, port_default, &endpoint, &unused) == 0)
            emit(context, entry.node, entry.node_length, &endpoint);
    }
    return count;
}

int host_map_check(const char *map, struct text_buffer *why)
{
    int count = host_map_walk(map, strlen(map), 1, NULL, NULL, why);

    return count < 0 ? count : 0;
}

struct host_search {
    const char *node;
    struct power_endpoint *found;
    bool seen;
};

static void compare_node(void *context, const char *node, size_t node_length, const struct power_endpoint *endpoint)
{
    struct host_search *search = context;
    struct host_entry entry = { .node = node, .node_length = node_length };

    if (same_node(&entry, search->node, strlen(search->node))) {
        *search->found = *endpoint;
        search->seen = true;
    }
}

int host_map_find(const char *map, const char *node, uint16_t port_default, struct power_endpoint *ret,
                  struct text_buffer *why)
{
    struct host_search search = { .node = node, .found = ret };
    int count = host_map_walk(map, strlen(map), port_default, compare_node, &search, why);

    if (count < 0)
        return count;
    return search.seen ? 0 : -ENOENT;
}

/* getaddrinfo's errors as errno values. EAI_AGAIN: no name server answered. */
static int resolver_error(int code)
{
    switch (code) {
    case EAI_AGAIN:
        return -ETIMEDOUT;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return errno > 0 ? -errno : -EIO;
    default:
        return -ENOENT;
    }
}

/* Both families in their numeric form; FreeIPMI takes the first address of a name only, so it gets one at a time. */
static int look_up(const struct power_endpoint *endpoint, int flags, struct endpoint_address *list)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = flags };
    struct addrinfo *found = NULL;
    char host[64];
    int count = 0, r;

    r = getaddrinfo(endpoint->host, NULL, &hints, &found);
    if (r != 0)
        return resolver_error(r);
    for (struct addrinfo *next = found; next && count < ENDPOINT_ADDRESSES_MAX; next = next->ai_next) {
        bool ipv6 = next->ai_family == AF_INET6;

        if (next->ai_family != AF_INET && next->ai_family != AF_INET6)
            continue;
        if (getnameinfo(next->ai_addr, next->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        (void)text_format(list[count].text, sizeof(list[count].text), "%s%s%s:%u", ipv6 ? "[" : "", host, ipv6 ? "]" : "",
                          endpoint->port);
        count++;
    }
    freeaddrinfo(found);
    return count > 0 ? count : -ENOENT;
}

static int look_up_in_child(void *argument, void *reply, size_t reply_size _unused_)
{
    return look_up(argument, AI_ADDRCONFIG, reply);
}

int endpoint_resolve(const struct power_endpoint *endpoint, struct deadline deadline,
                     struct endpoint_address ret[ENDPOINT_ADDRESSES_MAX])
{
    struct power_endpoint copy = *endpoint;
    int count = look_up(&copy, AI_NUMERICHOST, ret);

    if (count != -ENOENT)
        return count;
    memset(ret, 0, ENDPOINT_ADDRESSES_MAX * sizeof(*ret));
    return child_call(look_up_in_child, &copy, ret, ENDPOINT_ADDRESSES_MAX * sizeof(*ret), NULL, deadline);
}
