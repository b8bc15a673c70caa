/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/neighbour_packet.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>

#define ARP_HEADER_SIZE 8 /* hardware type, protocol type, two lengths, operation */
#define NEIGHBOUR_HOP_LIMIT 255 /* RFC 4861, 7.1: any other has crossed a router and is dropped */

static uint8_t *put_bytes(uint8_t *cursor, const void *bytes, size_t length)
{
    memcpy(cursor, bytes, length);
    return cursor + length;
}

static uint8_t *put_u16(uint8_t *cursor, unsigned int value)
{
    cursor[0] = (uint8_t)(value >> 8);
    cursor[1] = (uint8_t)value;
    return cursor + 2;
}

static unsigned int get_u16(const uint8_t *bytes)
{
    return (unsigned int)bytes[0] << 8 | bytes[1];
}

static size_t build_arp(enum neighbour_packet_kind kind, const struct ip_address *ip, const struct link *link, uint8_t *buffer)
{
    static const uint8_t zero[HARDWARE_ADDRESS_MAX];
    const struct hardware_address *mac = &link->address;
    bool reply = kind == NEIGHBOUR_ANNOUNCE_REPLY;
    uint8_t *cursor = buffer;

    cursor = put_u16(cursor, link->hardware_type);
    cursor = put_u16(cursor, ETH_P_IP);
    *cursor++ = (uint8_t)mac->length;
    *cursor++ = 4;
    cursor = put_u16(cursor, reply ? ARPOP_REPLY : ARPOP_REQUEST);
    cursor = put_bytes(cursor, mac->bytes, mac->length);
    cursor = put_bytes(cursor, kind == NEIGHBOUR_PROBE ? zero : ip->bytes, 4);
    /* RFC 5227, 1.1: the target hardware address of a probe should be zero; in a broadcast reply it names all. */
    cursor = put_bytes(cursor, reply ? link->broadcast.bytes : zero, mac->length);
    cursor = put_bytes(cursor, ip->bytes, 4);
    return (size_t)(cursor - buffer);
}

/* The sum of RFC 1071 over bytes, added to sum. */
static uint32_t checksum_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += get_u16(bytes + i);
    if (length % 2)
        sum += (uint32_t)bytes[length - 1] << 8;
    return sum;
}

/* RFC 8200, 8.1: over the pseudo header (addresses, length, next header) and the message. */
static unsigned int icmp6_checksum(const struct ip6_hdr *header, const uint8_t *message, size_t length)
{
    uint32_t sum = checksum_add(0, (const uint8_t *)&header->ip6_src, 32);

    sum = checksum_add(sum + (uint32_t)length + IPPROTO_ICMPV6, message, length);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* ff02::1:ffXX:XXXX (RFC 4291, 2.7.1) */
static void solicited_node_address(const struct ip_address *ip, uint8_t *address)
{
    static const uint8_t prefix[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };

    memcpy(address, prefix, sizeof(prefix));
    memcpy(address + 13, ip->bytes + 13, 3);
}

/* RFC 4861, 4.6.1: type, length in units of 8 bytes, the address. A probe from :: must not carry it (4.3). */
static size_t put_link_layer_option(uint8_t *cursor, const struct hardware_address *mac)
{
    size_t size = (2 + mac->length + 7) / 8 * 8;

    memset(cursor, 0, size);
    cursor[0] = ND_OPT_TARGET_LINKADDR;
    cursor[1] = (uint8_t)(size / 8);
    memcpy(cursor + 2, mac->bytes, mac->length);
    return size;
}

static size_t build_neighbour_discovery(enum neighbour_packet_kind kind, const struct ip_address *ip,
                                        const struct link *link, uint8_t *buffer)
{
    static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 0x01 };
    struct ip6_hdr header = { .ip6_hlim = NEIGHBOUR_HOP_LIMIT, .ip6_nxt = IPPROTO_ICMPV6 };
    bool probe = kind == NEIGHBOUR_PROBE;
    uint8_t *message = buffer + sizeof(header);
    size_t length = 24;

    memset(message, 0, length);
    message[0] = probe ? ND_NEIGHBOR_SOLICIT : ND_NEIGHBOR_ADVERT;
    if (!probe)
        message[4] = 0x20; /* override, not solicited (RFC 4861, 4.4 and 7.2.6) */
    memcpy(message + 8, ip->bytes, 16);
    if (!probe)
        length += put_link_layer_option(message + length, &link->address);
    header.ip6_flow = htonl(6U << 28);
    header.ip6_plen = htons((uint16_t)length);
    if (probe) {
        solicited_node_address(ip, header.ip6_dst.s6_addr);
    } else {
        memcpy(&header.ip6_src, ip->bytes, 16);
        memcpy(&header.ip6_dst, all_nodes, 16);
    }
    put_u16(message + 2, icmp6_checksum(&header, message, length));
    memcpy(buffer, &header, sizeof(header));
    return sizeof(header) + length;
}

size_t neighbour_packet_build(enum neighbour_packet_kind kind, const struct ip_address *ip, const struct link *link,
                              uint8_t *buffer)
{
    if (ip->family == AF_INET)
        return build_arp(kind, ip, link, buffer);
    if (kind == NEIGHBOUR_ANNOUNCE_REQUEST)
        return 0;
    return build_neighbour_discovery(kind, ip, link, buffer);
}

struct hardware_address neighbour_packet_target(enum neighbour_packet_kind kind, const struct ip_address *ip,
                                                const struct link *link)
{
    struct hardware_address target = { .length = 6, .bytes = { 0x33, 0x33, 0, 0, 0, 1 } };

    /* IPv6 over Ethernet: 33:33 and the last 4 bytes of the group (RFC 2464, 7). On other media the broadcast address reaches all. */
    if (ip->family == AF_INET || link->address.length != 6)
        return link->broadcast;
    if (kind == NEIGHBOUR_PROBE) {
        target.bytes[2] = 0xff;
        memcpy(target.bytes + 3, ip->bytes + 13, 3);
    }
    return target;
}

static enum neighbour_claim parse_arp(const uint8_t *bytes, size_t length, const struct ip_address *ip,
                                      struct hardware_address *ret_owner)
{
    static const uint8_t zero[4];
    const uint8_t *sender_ip, *target_ip;
    unsigned int mac_length;

    if (length < ARP_HEADER_SIZE || get_u16(bytes + 2) != ETH_P_IP || bytes[5] != 4)
        return NEIGHBOUR_CLAIM_NONE;
    mac_length = bytes[4];
    if (mac_length == 0 || mac_length > HARDWARE_ADDRESS_MAX || length < ARP_HEADER_SIZE + 2 * mac_length + 8)
        return NEIGHBOUR_CLAIM_NONE;
    sender_ip = bytes + ARP_HEADER_SIZE + mac_length;
    target_ip = sender_ip + 4 + mac_length;
    ret_owner->length = mac_length;
    memcpy(ret_owner->bytes, bytes + ARP_HEADER_SIZE, mac_length);
    /* RFC 5227, 2.1.1: any ARP packet whose sender is the address, or a probe of another host for it. */
    if (memcmp(sender_ip, ip->bytes, 4) == 0)
        return NEIGHBOUR_CLAIM_OWNS;
    if (get_u16(bytes + 6) == ARPOP_REQUEST && memcmp(sender_ip, zero, 4) == 0 && memcmp(target_ip, ip->bytes, 4) == 0)
        return NEIGHBOUR_CLAIM_PROBES;
    return NEIGHBOUR_CLAIM_NONE;
}

/* Finds the target link-layer address among the options. */
static void parse_link_layer_option(const uint8_t *option, size_t length, struct hardware_address *ret_owner)
{
    while (length >= 8) {
        size_t size = (size_t)option[1] * 8;

        if (size == 0 || size > length)
            return;
        if (option[0] == ND_OPT_TARGET_LINKADDR && size == 8) {
            ret_owner->length = 6;
            memcpy(ret_owner->bytes, option + 2, 6);
            return;
        }
        option += size;
        length -= size;
    }
}

static enum neighbour_claim parse_neighbour_discovery(const uint8_t *bytes, size_t length, const struct ip_address *ip,
                                                      struct hardware_address *ret_owner)
{
    static const uint8_t unspecified[16];
    struct ip6_hdr header;
    const uint8_t *message = bytes + sizeof(header);

    if (length < sizeof(header) + 24)
        return NEIGHBOUR_CLAIM_NONE;
    memcpy(&header, bytes, sizeof(header));
    length -= sizeof(header);
    if (bytes[0] >> 4 != 6 || header.ip6_nxt != IPPROTO_ICMPV6 || header.ip6_hlim != NEIGHBOUR_HOP_LIMIT ||
        ntohs(header.ip6_plen) < 24 || ntohs(header.ip6_plen) > length)
        return NEIGHBOUR_CLAIM_NONE;
    length = ntohs(header.ip6_plen);
    if (message[1] != 0 || memcmp(message + 8, ip->bytes, 16) != 0)
        return NEIGHBOUR_CLAIM_NONE;
    if (message[0] == ND_NEIGHBOR_ADVERT) {
        parse_link_layer_option(message + 24, length - 24, ret_owner);
        return NEIGHBOUR_CLAIM_OWNS;
    }
    if (message[0] == ND_NEIGHBOR_SOLICIT && memcmp(&header.ip6_src, unspecified, 16) == 0)
        return NEIGHBOUR_CLAIM_PROBES;
    return NEIGHBOUR_CLAIM_NONE;
}

enum neighbour_claim neighbour_packet_parse(const uint8_t *bytes, size_t length, const struct ip_address *ip,
                                            struct hardware_address *ret_owner)
{
    *ret_owner = (struct hardware_address){};
    if (ip->family == AF_INET)
        return parse_arp(bytes, length, ip, ret_owner);
    return parse_neighbour_discovery(bytes, length, ip, ret_owner);
}
