/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/duplicate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/log.h"
#include "net/neighbour_packet.h"
#include "net/neighbour_socket.h"

#define ADDRESSES_MAX 1000
#define SENDER_ADDRESS 14 /* where an ARP packet of Ethernet has its sender's protocol address (RFC 826) */
#define CONFIRM_WITHIN_MS 10000
#define SAY_AGAIN_MS 60000

/* One address of one interface. A claim counts when the same host makes it twice: the second one is asked for by a probe. */
struct claim {
    struct watch_source *source;
    struct ip_address ip;
    struct hardware_address owner;
    uint64_t seen_ms, said_ms;
};

static struct {
    int fd;
    struct claim *claims;
    size_t count;
} arp = { .fd = -1 };

/* Lets only packets through whose sender has one of the addresses: all others cost nothing. */
static void set_filter(void)
{
    struct sock_filter *code = calloc(2 * arp.count + 2, sizeof(*code));
    struct sock_fprog program = { .len = (unsigned short)(2 * arp.count + 2), .filter = code };
    uint32_t address;

    if (!code)
        return;
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SENDER_ADDRESS);
    for (size_t i = 0; i < arp.count; i++) {
        memcpy(&address, arp.claims[i].ip.bytes, sizeof(address));
        code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(address), 0, 1);
        code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, NEIGHBOUR_PACKET_SIZE);
    }
    code[2 * arp.count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    (void)setsockopt(arp.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    free(code);
}

static bool same_owner(const struct hardware_address *a, const struct hardware_address *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* Asks who has the address: a host that has it answers to all of the link. */
static void ask(const struct claim *claim, struct netlink *netlink, unsigned int index)
{
    struct link link;

    if (link_find(netlink, NULL, index, &link, deadline_in(20)) == 0)
        (void)neighbour_socket_send(arp.fd, NEIGHBOUR_PROBE, &claim->ip, &link);
}

static bool is_ours(const struct hardware_address *owner, struct netlink *netlink, unsigned int index)
{
    struct link link;

    return link_find(netlink, NULL, index, &link, deadline_in(20)) < 0 || same_owner(&link.address, owner);
}

static void take_claim(struct claim *claim, const struct hardware_address *owner, unsigned int index)
{
    _cleanup_netlink_ struct netlink netlink = NETLINK_CLOSED;
    struct watch *watch = claim->source->watch;
    uint64_t now = deadline_now_ms();
    char text[HARDWARE_TEXT_SIZE];

    if (netlink_open(&netlink, NETLINK_ROUTE, 0) < 0 || is_ours(owner, &netlink, index))
        return;
    if (!same_owner(&claim->owner, owner) || now - claim->seen_ms > CONFIRM_WITHIN_MS) {
        claim->owner = *owner;
        claim->seen_ms = now;
        ask(claim, &netlink, index);
        return;
    }
    claim->seen_ms = now;
    if (claim->said_ms != 0 && now - claim->said_ms < SAY_AGAIN_MS)
        return;
    claim->said_ms = now;
    watcher_note(watch->watcher, EVENT_NOTE, watch->resource, 0, "duplicate address: %s is claimed by another host, %s", claim->source->item.target,
                 hardware_address_format(owner, text));
    log_warning("%s: address %s is claimed by another host, %s: end that, or clients will reach either", watch->resource,
                claim->source->item.target, text);
}

static int on_packet(int fd, int events _unused_, void *data _unused_)
{
    unsigned char packet[NEIGHBOUR_PACKET_SIZE];
    struct sockaddr_ll from;
    struct hardware_address owner;

    for (int packets = 0; packets < 64; packets++) {
        socklen_t length = sizeof(from);
        ssize_t size = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &length);

        if (size < 0)
            return 0;
        if (from.sll_pkttype == PACKET_OUTGOING)
            continue;
        for (size_t i = 0; i < arp.count; i++) {
            struct claim *claim = &arp.claims[i];

            if (claim->source->item.index == (uint64_t)from.sll_ifindex &&
                neighbour_packet_parse(packet, (size_t)size, &claim->ip, &owner) == NEIGHBOUR_CLAIM_OWNS && owner.length > 0)
                take_claim(claim, &owner, (unsigned int)from.sll_ifindex);
        }
    }
    return 0;
}

/* One socket for all links. */
static int open_socket(struct watcher *watcher)
{
    int r;

    arp.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP));
    if (arp.fd < 0)
        return -errno;
    set_filter();
    r = qb_loop_poll_add(watcher->loop, QB_LOOP_LOW, arp.fd, POLLIN, watcher, on_packet);
    if (r < 0) {
        (void)close(arp.fd);
        arp.fd = -1;
    }
    return r;
}

/* Where it can't be watched, the address still is: this is an extra. */
void duplicate_add(struct watch_source *source, const struct ip_address *ip)
{
    struct claim *claims;

    if (ip->family != AF_INET || arp.count >= ADDRESSES_MAX)
        return;
    claims = realloc(arp.claims, (arp.count + 1) * sizeof(*claims));
    if (!claims)
        return;
    arp.claims = claims;
    claims[arp.count++] = (struct claim){ .source = source, .ip = *ip };
    if (arp.fd >= 0)
        set_filter();
    else
        (void)open_socket(source->watch->watcher);
}

void duplicate_remove(struct watch_source *source)
{
    size_t kept = 0;

    for (size_t i = 0; i < arp.count; i++)
        if (arp.claims[i].source != source)
            arp.claims[kept++] = arp.claims[i];
    arp.count = kept;
    if (arp.fd < 0)
        return;
    if (kept > 0) {
        set_filter();
        return;
    }
    (void)qb_loop_poll_del(source->watch->watcher->loop, arp.fd);
    (void)close(arp.fd);
    arp.fd = -1;
}
