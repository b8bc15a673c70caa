/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/ip_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"

int ip_address_parse(const char *text, struct ip_address *ret)
{
    struct ip_address address = {};

    if (!text)
        return -EINVAL;
    address.family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(address.family, text, address.bytes) != 1)
        return -EINVAL;
    *ret = address;
    return 0;
}

/* A netmask is ones and then zeros: its complement plus one is a power of two. */
static int prefix_of_netmask(const char *text)
{
    struct in_addr mask;
    uint32_t host_bits;

    if (inet_pton(AF_INET, text, &mask) != 1)
        return -EINVAL;
    host_bits = ~ntohl(mask.s_addr);
    if (host_bits & (host_bits + 1))
        return -EINVAL;
    return 32 - __builtin_popcount(host_bits);
}

int ip_prefix_parse(const char *text, sa_family_t family)
{
    int64_t prefix;

    if (!text)
        return -EINVAL;
    if (family == AF_INET && strchr(text, '.'))
        return prefix_of_netmask(text);
    if (number_parse(text, 0, family == AF_INET ? 32 : 128, &prefix) < 0)
        return -EINVAL;
    return (int)prefix;
}

const char *ip_address_format(const struct ip_address *address, char *buffer)
{
    if (!inet_ntop(address->family, address->bytes, buffer, IP_TEXT_SIZE))
        memcpy(buffer, "?", 2);
    return buffer;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, ip_address_size(a)) == 0;
}

struct ip_address ip_address_with_host_bits(const struct ip_address *address, unsigned int prefix, bool ones)
{
    struct ip_address result = *address;

    for (unsigned int bit = prefix; bit < ip_address_bits(address); bit++) {
        unsigned char mask = (unsigned char)(0x80 >> (bit % 8));

        if (ones)
            result.bytes[bit / 8] |= mask;
        else
            result.bytes[bit / 8] &= (unsigned char)~mask;
    }
    return result;
}

bool ip_address_in_prefix(const struct ip_address *address, const struct ip_address *network, unsigned int prefix)
{
    struct ip_address a, b;

    if (address->family != network->family)
        return false;
    a = ip_address_with_host_bits(address, prefix, false);
    b = ip_address_with_host_bits(network, prefix, false);
    return ip_address_equal(&a, &b);
}

int ip_address_add(struct ip_address *address, uint32_t number)
{
    unsigned char *last = address->bytes + ip_address_size(address) - 4;
    uint32_t value, sum;

    memcpy(&value, last, sizeof(value));
    if (__builtin_add_overflow(ntohl(value), number, &sum))
        return -ERANGE;
    sum = htonl(sum);
    memcpy(last, &sum, sizeof(sum));
    return 0;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
    static const unsigned char loopback[16] = { [15] = 1 };

    if (address->family == AF_INET)
        return address->bytes[0] == 127;
    return memcmp(address->bytes, loopback, sizeof(loopback)) == 0;
}

bool ip_address_is_link_local(const struct ip_address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

bool ip_address_is_assignable(const struct ip_address *address)
{
    static const unsigned char zero[16];
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (memcmp(address->bytes, zero, ip_address_size(address)) == 0)
        return false;
    if (address->family == AF_INET)
        return address->bytes[0] != 0 && address->bytes[0] < 224;
    return address->bytes[0] != 0xff && memcmp(address->bytes, mapped, sizeof(mapped)) != 0;
}
