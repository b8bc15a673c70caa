/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/routing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

/* A dump that changed while it was read is asked for again, so many times. */
#define DUMP_TRIES 20

static uint32_t attribute_u32(const struct nlattr *attribute, uint32_t otherwise)
{
    if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
        return otherwise;
    return mnl_attr_get_u32(attribute);
}

int route_parse(const void *bytes, size_t length, struct route *ret)
{
    const struct nlmsghdr *message = bytes;
    const struct nlattr *attributes[RTA_VIA + 1];
    const struct rtmsg *info;
    struct route route = {};

    if (!mnl_nlmsg_ok(message, (int)length) || message->nlmsg_type != RTM_NEWROUTE ||
        netlink_attributes(message, sizeof(*info), attributes, RTA_VIA) < 0)
        return -EBADMSG;
    info = mnl_nlmsg_get_payload(message);
    if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)
        return -EAFNOSUPPORT;
    route.destination.family = info->rtm_family;
    if (info->rtm_dst_len > ip_address_bits(&route.destination))
        return -EBADMSG;
    if (attributes[RTA_DST]) {
        if (mnl_attr_get_payload_len(attributes[RTA_DST]) != ip_address_size(&route.destination))
            return -EBADMSG;
        memcpy(route.destination.bytes, mnl_attr_get_payload(attributes[RTA_DST]), ip_address_size(&route.destination));
    }
    route.prefix = info->rtm_dst_len;
    route.type = info->rtm_type;
    route.scope = info->rtm_scope;
    route.table = attribute_u32(attributes[RTA_TABLE], info->rtm_table);
    route.index = attribute_u32(attributes[RTA_OIF], 0);
    route.has_gateway = attributes[RTA_GATEWAY] || attributes[RTA_VIA];
    *ret = route;
    return 0;
}

/* What a dump of routes is searched for, and the best so far. */
struct route_search {
    const struct ip_address *ip;
    unsigned int index;
    unsigned int prefix_max;
    uint32_t table;
    struct route best;
    bool found;
};

static int keep_best(const struct nlmsghdr *message, void *argument)
{
    struct route_search *search = argument;
    struct route route;
    int error = route_parse(message, message->nlmsg_len, &route);

    if (error < 0)
        return error == -EAFNOSUPPORT ? 0 : error;
    /* The kernel filters by table and interface only where it checks strictly. */
    if (route.type != RTN_UNICAST || route.has_gateway || !route.index || !route.prefix || route.table != search->table ||
        (search->index && route.index != search->index) || route.prefix > search->prefix_max ||
        !ip_address_in_prefix(search->ip, &route.destination, route.prefix))
        return 0;
    if (!search->found || route.prefix > search->best.prefix)
        search->best = route;
    search->found = true;
    return 0;
}

int route_find_connected(struct netlink *netlink, const struct ip_address *ip, unsigned int index, unsigned int prefix_max,
                         uint32_t table, struct route *ret, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct route_search search = { .ip = ip, .index = index, .prefix_max = prefix_max, .table = table };
    int error = -EINTR;

    for (int tries = 0; error == -EINTR && tries < DUMP_TRIES; tries++) {
        struct nlmsghdr *request = netlink_request(buffer, RTM_GETROUTE, NLM_F_DUMP);
        struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

        info->rtm_family = (uint8_t)ip->family;
        info->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
        mnl_attr_put_u32(request, RTA_TABLE, table);
        if (index)
            mnl_attr_put_u32(request, RTA_OIF, index);
        search.found = false;
        error = netlink_call(netlink, request, keep_best, &search, deadline);
    }
    /* Strict checking: asking for a table that does not exist is ENOENT, which is what it means here too. */
    if (error < 0)
        return error;
    if (!search.found)
        return -ENOENT;
    *ret = search.best;
    return 0;
}

static int keep_route(const struct nlmsghdr *message, void *argument)
{
    return route_parse(message, message->nlmsg_len, argument);
}

int route_look_up(struct netlink *netlink, const struct ip_address *ip, struct route *ret, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, RTM_GETROUTE, 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
    struct route route = {};
    int error;

    info->rtm_family = (uint8_t)ip->family;
    info->rtm_dst_len = (uint8_t)ip_address_bits(ip);
    info->rtm_flags = RTM_F_FIB_MATCH;
    mnl_attr_put(request, RTA_DST, ip_address_size(ip), ip->bytes);
    error = netlink_call(netlink, request, keep_route, &route, deadline);
    if (error < 0)
        return error;
    *ret = route;
    return route.destination.family ? 0 : -EBADMSG;
}

int route_set_connected(struct netlink *netlink, const struct ip_address *ip, unsigned int prefix, unsigned int index,
                        uint32_t table, bool present, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, present ? RTM_NEWROUTE : RTM_DELROUTE,
                                               present ? NLM_F_CREATE | NLM_F_APPEND : 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
    struct ip_address network = ip_address_with_host_bits(ip, prefix, false);
    int error;

    info->rtm_family = (uint8_t)ip->family;
    info->rtm_dst_len = (uint8_t)prefix;
    info->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
    info->rtm_protocol = RTPROT_STATIC;
    info->rtm_scope = ip->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put(request, RTA_DST, ip_address_size(ip), network.bytes);
    mnl_attr_put_u32(request, RTA_TABLE, table);
    mnl_attr_put_u32(request, RTA_OIF, index);
    mnl_attr_put(request, RTA_PREFSRC, ip_address_size(ip), ip->bytes);
    error = netlink_call(netlink, request, NULL, NULL, deadline);
    if (present && error == -EEXIST)
        return 0;
    if (!present && (error == -ESRCH || error == -ENOENT))
        return 0;
    return error;
}

int route_flush_cached(sa_family_t family)
{
    const char *path = family == AF_INET ? "/proc/sys/net/ipv4/route/flush" : "/proc/sys/net/ipv6/route/flush";
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "1", 1) < 0)
        return -errno;
    return 0;
}
