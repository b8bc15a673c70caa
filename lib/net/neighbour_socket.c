/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/neighbour_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define PROBE_COUNT 3 /* PROBE_NUM of RFC 5227 */
#define RECEIVE_SIZE 2048

/* packet(7): sll_addr may be longer than the structure declares (InfiniBand has 20 bytes). */
union packet_address {
    struct sockaddr_ll link;
    unsigned char room[offsetof(struct sockaddr_ll, sll_addr) + HARDWARE_ADDRESS_MAX];
};

static socklen_t fill_packet_address(union packet_address *address, const struct ip_address *ip, const struct link *link,
                                     const struct hardware_address *target)
{
    memset(address, 0, sizeof(*address));
    address->link.sll_family = AF_PACKET;
    address->link.sll_protocol = htons(ip->family == AF_INET ? ETH_P_ARP : ETH_P_IPV6);
    address->link.sll_ifindex = (int)link->index;
    if (target) {
        address->link.sll_halen = (unsigned char)target->length;
        memcpy(address->room + offsetof(struct sockaddr_ll, sll_addr), target->bytes, target->length);
    }
    return sizeof(*address);
}

/* Another node's duplicate address detection goes to the solicited-node group, which the network card must let through. */
static int join_solicited_group(int fd, const struct ip_address *ip, const struct link *link)
{
    struct hardware_address group = neighbour_packet_target(NEIGHBOUR_PROBE, ip, link);
    struct packet_mreq request = { .mr_ifindex = (int)link->index, .mr_type = PACKET_MR_MULTICAST };

    if (ip->family != AF_INET6 || group.length > sizeof(request.mr_address))
        return 0;
    request.mr_alen = (unsigned short)group.length;
    memcpy(request.mr_address, group.bytes, group.length);
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0 ? -errno : 0;
}

int neighbour_socket_open(const struct link *link, const struct ip_address *ip, bool listen)
{
    /* Protocol 0 receives nothing. */
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    union packet_address address;
    socklen_t length;
    int error;

    if (fd < 0)
        return -errno;
    if (!listen)
        return TAKE_FD(fd);
    length = fill_packet_address(&address, ip, link, NULL);
    if (bind(fd, (const struct sockaddr *)&address, length) < 0)
        return -errno;
    error = join_solicited_group(fd, ip, link);
    if (error < 0)
        return error;
    return TAKE_FD(fd);
}

int neighbour_socket_send(int fd, enum neighbour_packet_kind kind, const struct ip_address *ip, const struct link *link)
{
    struct hardware_address target = neighbour_packet_target(kind, ip, link);
    uint8_t packet[NEIGHBOUR_PACKET_SIZE];
    size_t size = neighbour_packet_build(kind, ip, link, packet);
    union packet_address address;
    socklen_t length = fill_packet_address(&address, ip, link, &target);

    if (size && sendto(fd, packet, size, 0, (const struct sockaddr *)&address, length) < 0)
        return -errno;
    return 0;
}

int neighbour_announce(int fd, const struct ip_address *ip, const struct link *link)
{
    int error = neighbour_socket_send(fd, NEIGHBOUR_ANNOUNCE_REQUEST, ip, link);
    int reply_error = neighbour_socket_send(fd, NEIGHBOUR_ANNOUNCE_REPLY, ip, link);

    return error < 0 ? error : reply_error;
}

static bool hardware_address_equal(const struct hardware_address *a, const struct hardware_address *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Reads one packet. Returns 1 when another host claims the address, 0 when not (or nothing is there), or -errno. */
static int receive_claim(int fd, const struct ip_address *ip, const struct link *link, struct hardware_address *ret_owner)
{
    uint8_t packet[RECEIVE_SIZE];
    union packet_address from = {};
    socklen_t from_length = sizeof(from);
    struct hardware_address owner;
    ssize_t length = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_length);

    if (length < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
    if (from.link.sll_pkttype == PACKET_OUTGOING || from.link.sll_pkttype == PACKET_LOOPBACK)
        return 0;
    if (neighbour_packet_parse(packet, (size_t)length, ip, &owner) == NEIGHBOUR_CLAIM_NONE)
        return 0;
    if (!owner.length && from.link.sll_halen <= HARDWARE_ADDRESS_MAX) {
        owner.length = from.link.sll_halen;
        memcpy(owner.bytes, from.room + offsetof(struct sockaddr_ll, sll_addr), owner.length);
    }
    /* Our own probe, sent back by a bonded or looped switch port, is no other host (RFC 5227, 2.1.1). */
    if (hardware_address_equal(&owner, &link->address))
        return 0;
    *ret_owner = owner;
    return 1;
}

static int wait_for_claim(int fd, const struct ip_address *ip, const struct link *link, struct hardware_address *ret_owner,
                          struct deadline deadline)
{
    for (;;) {
        int ready = deadline_wait_fd(deadline, fd, POLLIN);
        int claim;

        if (ready < 0)
            return ready == -ETIMEDOUT ? 0 : ready;
        claim = receive_claim(fd, ip, link, ret_owner);
        if (claim != 0)
            return claim;
    }
}

int neighbour_find_owner(int fd, const struct ip_address *ip, const struct link *link, unsigned int wait_ms,
                         struct hardware_address *ret_owner, struct deadline deadline)
{
    for (unsigned int probe = 0; probe < PROBE_COUNT; probe++) {
        int result = neighbour_socket_send(fd, NEIGHBOUR_PROBE, ip, link);

        if (result < 0)
            return result;
        result = wait_for_claim(fd, ip, link, ret_owner, deadline_within(deadline, wait_ms / PROBE_COUNT));
        if (result != 0)
            return result;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
    return 0;
}
