/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/interface_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_addrlabel.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/text.h"

/* A dump that changed while it was read is asked for again, so many times. */
#define DUMP_TRIES 20
/* Events can be lost: the state itself is looked at this often in any case. */
#define ADDRESS_LOOK_MS 50

void address_list_free(struct address_list *list)
{
    free(list->items);
    *list = (struct address_list){};
}

static void read_ip(const struct nlattr *attribute, sa_family_t family, struct ip_address *ret)
{
    struct ip_address ip = { .family = family };

    if (!attribute || mnl_attr_get_payload_len(attribute) != ip_address_size(&ip))
        return;
    memcpy(ip.bytes, mnl_attr_get_payload(attribute), ip_address_size(&ip));
    *ret = ip;
}

static void read_lifetimes(const struct nlattr *attribute, struct interface_address *address)
{
    struct ifa_cacheinfo cache;

    address->preferred_s = address->valid_s = LIFETIME_FOREVER;
    if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(cache))
        return;
    memcpy(&cache, mnl_attr_get_payload(attribute), sizeof(cache));
    address->preferred_s = cache.ifa_prefered;
    address->valid_s = cache.ifa_valid;
}

int address_parse_message(const void *bytes, size_t length, struct interface_address *ret)
{
    const struct nlmsghdr *message = bytes;
    const struct nlattr *attributes[IFA_FLAGS + 1];
    const struct ifaddrmsg *info;
    struct interface_address address = {};

    if (!mnl_nlmsg_ok(message, (int)length) ||
        (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR) ||
        netlink_attributes(message, sizeof(*info), attributes, IFA_FLAGS) < 0)
        return -EBADMSG;
    info = mnl_nlmsg_get_payload(message);
    if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
        return -EAFNOSUPPORT;
    /* IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is then ours (linux/if_addr.h). */
    read_ip(attributes[attributes[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS], info->ifa_family, &address.ip);
    if (!address.ip.family || info->ifa_prefixlen > ip_address_bits(&address.ip))
        return -EBADMSG;
    if (attributes[IFA_LOCAL])
        read_ip(attributes[IFA_ADDRESS], info->ifa_family, &address.peer);
    if (ip_address_equal(&address.peer, &address.ip))
        address.peer.family = 0;
    read_ip(attributes[IFA_BROADCAST], info->ifa_family, &address.broadcast);
    address.prefix = info->ifa_prefixlen;
    address.index = info->ifa_index;
    address.scope = info->ifa_scope;
    address.flags = info->ifa_flags;
    if (attributes[IFA_FLAGS] && mnl_attr_validate(attributes[IFA_FLAGS], MNL_TYPE_U32) == 0)
        address.flags = mnl_attr_get_u32(attributes[IFA_FLAGS]);
    if (attributes[IFA_LABEL] && mnl_attr_validate(attributes[IFA_LABEL], MNL_TYPE_NUL_STRING) == 0)
        (void)text_copy(address.label, sizeof(address.label), mnl_attr_get_str(attributes[IFA_LABEL]));
    read_lifetimes(attributes[IFA_CACHEINFO], &address);
    *ret = address;
    return 0;
}

/* What a dump is searched for. */
struct address_search {
    const struct ip_address *ip; /* NULL: any */
    sa_family_t family;
    unsigned int index; /* 0: any */
    struct address_list *list;
};

static int keep_match(const struct nlmsghdr *message, void *argument)
{
    struct address_search *search = argument;
    struct interface_address address, *grown;
    int error = address_parse_message(message, message->nlmsg_len, &address);

    if (error < 0)
        return error == -EAFNOSUPPORT ? 0 : error;
    if (address.ip.family != search->family || (search->index && address.index != search->index) ||
        (search->ip && !ip_address_equal(&address.ip, search->ip)))
        return 0;
    grown = reallocarray(search->list->items, search->list->count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    search->list->items = grown;
    grown[search->list->count++] = address;
    return 0;
}

static int dump_once(struct netlink *netlink, struct address_search *search, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

    info->ifa_family = (uint8_t)search->family;
    info->ifa_index = search->index;
    return netlink_call(netlink, request, keep_match, search, deadline);
}

static int search_addresses(struct netlink *netlink, struct address_search *search, struct deadline deadline)
{
    int error = -EINTR;

    for (int tries = 0; error == -EINTR && tries < DUMP_TRIES; tries++) {
        address_list_free(search->list);
        error = dump_once(netlink, search, deadline);
    }
    if (error < 0)
        address_list_free(search->list);
    return error;
}

int address_find(struct netlink *netlink, const struct ip_address *ip, unsigned int index, struct address_list *ret,
                 struct deadline deadline)
{
    struct address_search search = { .ip = ip, .family = ip->family, .index = index, .list = ret };

    return search_addresses(netlink, &search, deadline);
}

int address_list(struct netlink *netlink, sa_family_t family, unsigned int index, struct address_list *ret,
                 struct deadline deadline)
{
    struct address_search search = { .family = family, .index = index, .list = ret };

    return search_addresses(netlink, &search, deadline);
}

/* An ioctl of netdevice(7) that names a label and an address. The kernel looks for the entry that has both, and falls back to the first one
 * with that label (devinet.c, devinet_ioctl). Returns 0 with the answer, or -errno. */
static int ask_by_label(int fd, unsigned long command, const char *label, const struct ip_address *ip, struct in_addr *ret)
{
    struct ifreq request = {};
    struct sockaddr_in address = { .sin_family = AF_INET };

    memcpy(&address.sin_addr, ip->bytes, sizeof(address.sin_addr));
    memcpy(&request.ifr_addr, &address, sizeof(address));
    if (text_copy(request.ifr_name, sizeof(request.ifr_name), label) < 0)
        return -EADDRNOTAVAIL;
    if (ioctl(fd, command, &request) < 0)
        return -errno;
    memcpy(&address, &request.ifr_addr, sizeof(address));
    *ret = address.sin_addr;
    return 0;
}

static int look_ipv4(const struct ip_address *ip, unsigned int index, const char *label, struct interface_address *ret)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct in_addr found, mask;
    int error;

    if (fd < 0)
        return -errno;
    error = ask_by_label(fd, SIOCGIFADDR, label, ip, &found);
    if (error == -EADDRNOTAVAIL || error == -ENODEV)
        return 0;
    if (error < 0)
        return error;
    if (memcmp(&found, ip->bytes, sizeof(found)) != 0)
        return 0;
    error = ask_by_label(fd, SIOCGIFNETMASK, label, ip, &mask);
    if (error < 0)
        return error == -EADDRNOTAVAIL || error == -ENODEV ? 0 : error;
    *ret = (struct interface_address){ .ip = *ip, .index = index };
    ret->prefix = (unsigned int)__builtin_popcount(mask.s_addr);
    (void)text_copy(ret->label, sizeof(ret->label), label);
    return 1;
}

static int look_ipv6(struct netlink *netlink, const struct ip_address *ip, unsigned int index,
                     struct interface_address *ret, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, RTM_GETADDR, 0);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
    struct address_list list = {};
    struct address_search search = { .ip = ip, .family = AF_INET6, .index = index, .list = &list };
    int error;

    info->ifa_family = AF_INET6;
    info->ifa_index = index;
    mnl_attr_put(request, IFA_LOCAL, ip_address_size(ip), ip->bytes);
    error = netlink_call(netlink, request, keep_match, &search, deadline);
    if (error == 0 && list.count)
        *ret = list.items[0];
    if (error == 0)
        error = list.count > 0;
    address_list_free(&list);
    return error == -EADDRNOTAVAIL || error == -ENODEV ? 0 : error;
}

int address_look(struct netlink *netlink, const struct ip_address *ip, unsigned int index, const char *label,
                 struct interface_address *ret, struct deadline deadline)
{
    if (ip->family == AF_INET)
        return look_ipv4(ip, index, label, ret);
    return look_ipv6(netlink, ip, index, ret, deadline);
}

static struct nlmsghdr *address_request(void *buffer, uint16_t type, uint16_t flags, const struct interface_address *address)
{
    struct nlmsghdr *request = netlink_request(buffer, type, flags);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

    info->ifa_family = (uint8_t)address->ip.family;
    info->ifa_prefixlen = (uint8_t)address->prefix;
    info->ifa_index = address->index;
    info->ifa_scope = address->scope;
    mnl_attr_put(request, IFA_LOCAL, ip_address_size(&address->ip), address->ip.bytes);
    mnl_attr_put(request, IFA_ADDRESS, ip_address_size(&address->ip),
                 address->peer.family ? address->peer.bytes : address->ip.bytes);
    return request;
}

static int address_write(struct netlink *netlink, uint16_t flags, const struct interface_address *address,
                         struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = address_request(buffer, RTM_NEWADDR, flags, address);
    struct ifa_cacheinfo cache = { .ifa_prefered = address->preferred_s, .ifa_valid = address->valid_s };

    if (address->label[0])
        mnl_attr_put_strz(request, IFA_LABEL, address->label);
    if (address->broadcast.family)
        mnl_attr_put(request, IFA_BROADCAST, ip_address_size(&address->broadcast), address->broadcast.bytes);
    if (address->flags)
        mnl_attr_put_u32(request, IFA_FLAGS, address->flags);
    mnl_attr_put(request, IFA_CACHEINFO, sizeof(cache), &cache);
    return netlink_call(netlink, request, NULL, NULL, deadline);
}

int address_add(struct netlink *netlink, const struct interface_address *address, struct deadline deadline)
{
    return address_write(netlink, NLM_F_CREATE | NLM_F_EXCL, address, deadline);
}

int address_change(struct netlink *netlink, const struct interface_address *address, struct deadline deadline)
{
    return address_write(netlink, NLM_F_REPLACE, address, deadline);
}

int address_remove(struct netlink *netlink, const struct interface_address *address, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = address_request(buffer, RTM_DELADDR, 0, address);

    return netlink_call(netlink, request, NULL, NULL, deadline);
}

static int ignore_event(const struct nlmsghdr *message _unused_, void *argument _unused_)
{
    return 0;
}

int address_wait_usable(struct netlink *netlink, const struct interface_address *address, struct deadline deadline)
{
    _cleanup_netlink_ struct netlink events = NETLINK_CLOSED;
    struct interface_address now;
    int error = netlink_open(&events, NETLINK_ROUTE, RTMGRP_IPV6_IFADDR);

    if (error < 0)
        return error;
    for (;;) {
        int seen = look_ipv6(netlink, &address->ip, address->index, &now, deadline);

        if (seen <= 0)
            return seen < 0 ? seen : -EADDRNOTAVAIL;
        if (now.flags & IFA_F_DADFAILED)
            return -EADDRINUSE;
        if (!(now.flags & IFA_F_TENTATIVE) || (now.flags & IFA_F_OPTIMISTIC))
            return 0;
        error = netlink_receive_event(&events, ignore_event, NULL, deadline_within(deadline, ADDRESS_LOOK_MS));
        if (error < 0 && error != -ETIMEDOUT && error != -ENOBUFS)
            return error;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
}

int address_selection_label_set(struct netlink *netlink, const struct ip_address *ip, uint32_t label, bool present,
                                struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, present ? RTM_NEWADDRLABEL : RTM_DELADDRLABEL,
                                               present ? NLM_F_CREATE | NLM_F_REPLACE : 0);
    struct ifaddrlblmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

    info->ifal_family = AF_INET6;
    info->ifal_prefixlen = 128;
    mnl_attr_put(request, IFAL_ADDRESS, ip_address_size(ip), ip->bytes);
    mnl_attr_put_u32(request, IFAL_LABEL, label);
    return netlink_call(netlink, request, NULL, NULL, deadline);
}
