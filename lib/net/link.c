/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/text.h"

/* Events can be lost (ENOBUFS): the state itself is looked at this often in any case. */
#define LINK_LOOK_MS 100

static int copy_hardware_address(const struct nlattr *attribute, struct hardware_address *ret)
{
    unsigned int length = attribute ? mnl_attr_get_payload_len(attribute) : 0;

    if (length > HARDWARE_ADDRESS_MAX)
        return -EBADMSG;
    if (length)
        memcpy(ret->bytes, mnl_attr_get_payload(attribute), length);
    ret->length = length;
    return 0;
}

int link_parse(const void *bytes, size_t length, struct link *ret)
{
    const struct nlmsghdr *message = bytes;
    const struct nlattr *attributes[IFLA_OPERSTATE + 1];
    const struct ifinfomsg *info;
    struct link link = { .operstate = IF_OPER_UNKNOWN };

    if (!mnl_nlmsg_ok(message, (int)length) || message->nlmsg_type != RTM_NEWLINK ||
        netlink_attributes(message, sizeof(*info), attributes, IFLA_OPERSTATE) < 0)
        return -EBADMSG;
    info = mnl_nlmsg_get_payload(message);
    if (info->ifi_index <= 0 || !attributes[IFLA_IFNAME] ||
        mnl_attr_validate(attributes[IFLA_IFNAME], MNL_TYPE_NUL_STRING) < 0 ||
        text_copy(link.name, sizeof(link.name), mnl_attr_get_str(attributes[IFLA_IFNAME])) <= 0)
        return -EBADMSG;
    link.index = (unsigned int)info->ifi_index;
    link.flags = info->ifi_flags;
    link.hardware_type = info->ifi_type;
    if (attributes[IFLA_OPERSTATE] && mnl_attr_validate(attributes[IFLA_OPERSTATE], MNL_TYPE_U8) == 0)
        link.operstate = mnl_attr_get_u8(attributes[IFLA_OPERSTATE]);
    if (copy_hardware_address(attributes[IFLA_ADDRESS], &link.address) < 0 ||
        copy_hardware_address(attributes[IFLA_BROADCAST], &link.broadcast) < 0)
        return -EBADMSG;
    *ret = link;
    return 0;
}

static int keep_link(const struct nlmsghdr *message, void *argument)
{
    return link_parse(message, message->nlmsg_len, argument);
}

int link_find(struct netlink *netlink, const char *name, unsigned int index, struct link *ret, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, RTM_GETLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
    struct link link = {};
    int error;

    if (name && (!*name || strlen(name) >= INTERFACE_NAME_SIZE))
        return -ENODEV;
    info->ifi_index = (int)index;
    /* IFLA_ALT_IFNAME finds plain names too (rtnetlink.c, rtnl_dev_get), but kernels before 5.5 know only IFLA_IFNAME. */
    if (name)
        mnl_attr_put_strz(request, strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
    mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    error = netlink_call(netlink, request, keep_link, &link, deadline);
    if (error < 0)
        return error;
    if (!link.index)
        return -EBADMSG;
    *ret = link;
    return 0;
}

int link_set_up(struct netlink *netlink, unsigned int index, struct deadline deadline)
{
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

    info->ifi_index = (int)index;
    info->ifi_flags = IFF_UP;
    info->ifi_change = IFF_UP;
    return netlink_call(netlink, request, NULL, NULL, deadline);
}

bool link_is_running(const struct link *link)
{
    return (link->flags & IFF_UP) && (link->flags & IFF_LOWER_UP) &&
           (link->operstate == IF_OPER_UP || link->operstate == IF_OPER_UNKNOWN);
}

const char *link_state_text(const struct link *link)
{
    if (!(link->flags & IFF_UP))
        return "administratively down";
    if (link->operstate == IF_OPER_LOWERLAYERDOWN)
        return "down because its lower layer is down";
    if (!(link->flags & IFF_LOWER_UP))
        return "without carrier";
    if (!link_is_running(link))
        return "not operational";
    return "up";
}

bool link_has_neighbours(const struct link *link)
{
    return !(link->flags & (IFF_NOARP | IFF_LOOPBACK | IFF_POINTOPOINT)) && link->address.length > 0 &&
           link->address.length == link->broadcast.length;
}

static int ignore_event(const struct nlmsghdr *message _unused_, void *argument _unused_)
{
    return 0;
}

int link_wait_running(struct netlink *netlink, struct link *link, struct deadline deadline)
{
    _cleanup_netlink_ struct netlink events = NETLINK_CLOSED;
    int error = netlink_open(&events, NETLINK_ROUTE, RTMGRP_LINK);

    if (error < 0)
        return error;
    for (;;) {
        error = link_find(netlink, NULL, link->index, link, deadline);
        if (error < 0)
            return error;
        if (link_is_running(link))
            return 0;
        error = netlink_receive_event(&events, ignore_event, NULL, deadline_within(deadline, LINK_LOOK_MS));
        if (error < 0 && error != -ETIMEDOUT && error != -ENOBUFS)
            return error;
        if (deadline_passed(deadline))
            return -ENETDOWN;
    }
}

const char *hardware_address_format(const struct hardware_address *address, char *buffer)
{
    size_t used = 0;

    buffer[0] = '\0';
    for (unsigned int i = 0; i < address->length && used + 4 <= HARDWARE_TEXT_SIZE; i++) {
        int written = text_format(buffer + used, HARDWARE_TEXT_SIZE - used, "%s%02x", i ? ":" : "", address->bytes[i]);

        if (written < 0)
            break;
        used += (size_t)written;
    }
    return buffer;
}
