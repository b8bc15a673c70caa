/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/connection_reset.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net/netlink.h"

/* A dump that changed while it was read is read again, so many times. */
#define DUMP_TRIES 5

/* Every state but listening and closed, as the mask of inet_diag_req_v2. */
#define CONNECTED_STATES (((1U << (TCP_CLOSING + 1)) - 2) & ~(1U << TCP_LISTEN) & ~(1U << TCP_CLOSE))

/* The sockets that a dump named. */
struct socket_list {
    struct inet_diag_sockid *items;
    size_t count;
};
static void socket_list_free(struct socket_list *list)
{
    free(list->items);
    *list = (struct socket_list){};
}

static int keep_socket(const struct nlmsghdr *message, void *argument)
{
    const struct inet_diag_msg *answer = mnl_nlmsg_get_payload(message);
    struct socket_list *list = argument;
    struct inet_diag_sockid *grown;

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
        return -EBADMSG;
    grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    list->items = grown;
    grown[list->count++] = answer->id;
    return 0;
}

/* The kernel's filter: one condition on the source address; "no" jumps behind the end, which rejects (inet_diag.c, inet_diag_bc_run). */
static void put_source_filter(struct nlmsghdr *request, const struct ip_address *ip)
{
    unsigned char filter[sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + 16] = {};
    size_t length = sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + ip_address_size(ip);
    struct inet_diag_bc_op operation = { .code = INET_DIAG_BC_S_COND, .yes = (unsigned char)length,
                                         .no = (unsigned short)(length + 4) };
    struct inet_diag_hostcond condition = { .family = (uint8_t)ip->family, .prefix_len = (uint8_t)ip_address_bits(ip),
                                            .port = -1 };

    memcpy(filter, &operation, sizeof(operation));
    memcpy(filter + sizeof(operation), &condition, sizeof(condition));
    memcpy(filter + sizeof(operation) + sizeof(condition), ip->bytes, ip_address_size(ip));
    mnl_attr_put(request, INET_DIAG_REQ_BYTECODE, length, filter);
}

static int list_sockets(struct netlink *netlink, const struct inet_diag_req_v2 *wanted, const struct ip_address *ip,
                        struct socket_list *list, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    int error = -EINTR;

    for (int tries = 0; error == -EINTR && tries < DUMP_TRIES; tries++) {
        struct nlmsghdr *request = netlink_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);

        socket_list_free(list);
        memcpy(mnl_nlmsg_put_extra_header(request, sizeof(*wanted)), wanted, sizeof(*wanted));
        put_source_filter(request, ip);
        error = netlink_call(netlink, request, keep_socket, list, deadline);
    }
    return error;
}

/* The cookie in the id makes sure that it is this very socket. */
static int destroy_socket(struct netlink *netlink, const struct inet_diag_req_v2 *wanted, const struct inet_diag_sockid *id,
                          struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, SOCK_DESTROY, 0);
    struct inet_diag_req_v2 *one = mnl_nlmsg_put_extra_header(request, sizeof(*one));

    *one = *wanted;
    one->id = *id;
    return netlink_call(netlink, request, NULL, NULL, deadline);
}

/* Returns how many sockets of one family and protocol were ended, or -errno. */
static int reset_kind(struct netlink *netlink, sa_family_t family, int protocol, const struct ip_address *ip,
                      struct deadline deadline)
{
    _cleanup_(socket_list_free) struct socket_list list = {};
    struct inet_diag_req_v2 wanted = { .sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol,
                                       .idiag_states = protocol == IPPROTO_TCP ? CONNECTED_STATES : 1U << TCP_ESTABLISHED };
    int error = list_sockets(netlink, &wanted, ip, &list, deadline);
    int ended = 0;

    if (error < 0)
        return error == -ENOENT ? 0 : error; /* no such protocol in this kernel: no such sockets */
    for (size_t i = 0; i < list.count; i++) {
        error = destroy_socket(netlink, &wanted, &list.items[i], deadline);
        if (error == -ENOENT || error == -ESTALE)
            continue; /* it ended by itself */
        if (error < 0)
            return error;
        ended++;
    }
    return ended;
}

int connection_reset(const struct ip_address *ip, struct deadline deadline)
{
    static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
    _cleanup_netlink_ struct netlink netlink = NETLINK_CLOSED;
    int total = 0;
    int error = netlink_open(&netlink, NETLINK_SOCK_DIAG, 0);

    if (error < 0)
        return error;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        /* IPv4 connections of IPv6 sockets (v4-mapped) are listed under AF_INET6, and the kernel's filter compares them rightly. */
        int ended = ip->family == AF_INET ? reset_kind(&netlink, AF_INET, protocols[i], ip, deadline) : 0;
        int ended6 = reset_kind(&netlink, AF_INET6, protocols[i], ip, deadline);

        if (ended < 0 || ended6 < 0)
            return ended < 0 ? ended : ended6;
        total += ended + ended6;
    }
    return total;
}
