/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/virtual_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/text.h"
#include "net/routing.h"

int virtual_address_label(const struct virtual_address *wanted, const struct link *link, char *buffer)
{
    int length;

    if (wanted->label && wanted->ip.family == AF_INET)
        length = text_format(buffer, IFNAMSIZ, "%s:%s", link->name, wanted->label);
    else
        length = text_copy(buffer, IFNAMSIZ, link->name);
    return length < 0 ? -ENAMETOOLONG : 0;
}

/* An address on the loopback interface is not announced and not in the way, as on the real servers of a load balancer: it does not count unless it
 * belongs there. */
static bool link_counts(const struct virtual_address *wanted, const struct link *link)
{
    return wanted->nic || ip_address_is_loopback(&wanted->ip) || !(link->flags & IFF_LOOPBACK);
}

/* The first link of the list that counts. Returns 0, -ENOENT, or -errno. */
static int find_counting_link(struct netlink *netlink, const struct virtual_address *wanted, const struct address_list *list,
                              struct link *ret, struct deadline deadline)
{
    for (size_t i = 0; i < list->count; i++) {
        struct link link;
        int error = link_find(netlink, NULL, list->items[i].index, &link, deadline);

        if (error == -ENODEV)
            continue;
        if (error < 0)
            return error;
        if (link_counts(wanted, &link)) {
            *ret = link;
            return 0;
        }
    }
    return -ENOENT;
}

int virtual_address_find_link(struct netlink *netlink, const struct virtual_address *wanted, struct link *ret,
                              struct deadline deadline)
{
    _cleanup_address_list_ struct address_list list = {};
    struct route route;
    struct link link;
    int error;

    if (wanted->nic)
        return link_find(netlink, wanted->nic, 0, ret, deadline);
    /* The route to an own address names its interface, at a cost that does not grow with the number of addresses. */
    error = route_look_up(netlink, &wanted->ip, &route, deadline);
    if (error == 0 && route.type == RTN_LOCAL && route.index &&
        link_find(netlink, NULL, route.index, &link, deadline) == 0 && !(link.flags & IFF_LOOPBACK)) {
        *ret = link;
        return 0;
    }
    error = address_find(netlink, &wanted->ip, 0, &list, deadline);
    return error < 0 ? error : find_counting_link(netlink, wanted, &list, ret, deadline);
}

int virtual_address_look(struct netlink *netlink, const struct virtual_address *wanted, const struct link *link,
                         struct interface_address *ret, struct deadline deadline)
{
    _cleanup_address_list_ struct address_list list = {};
    char label[IFNAMSIZ];
    int seen = 0;

    if (virtual_address_label(wanted, link, label) == 0)
        seen = address_look(netlink, &wanted->ip, link->index, label, ret, deadline);
    if (seen != 0)
        return seen;
    seen = address_find(netlink, &wanted->ip, link->index, &list, deadline);
    if (seen < 0 || !list.count)
        return seen;
    *ret = list.items[0];
    return 1;
}

int virtual_address_list(struct netlink *netlink, const struct virtual_address *wanted, const struct link *link,
                         struct address_list *ret, struct deadline deadline)
{
    size_t kept = 0;
    int error = address_find(netlink, &wanted->ip, wanted->nic ? link->index : 0, ret, deadline);

    for (size_t i = 0; error == 0 && !wanted->nic && i < ret->count; i++) {
        struct link other;

        error = link_find(netlink, NULL, ret->items[i].index, &other, deadline);
        if (error == 0 && link_counts(wanted, &other))
            ret->items[kept++] = ret->items[i];
        if (error == -ENODEV)
            error = 0;
    }
    if (error < 0)
        address_list_free(ret);
    else if (!wanted->nic)
        ret->count = kept;
    return error;
}

/* The link and the prefix of the connected network that holds the address. *ret_prefix is -1 where none does. */
static int find_network(struct netlink *netlink, const struct virtual_address *wanted, struct link *link, int *ret_prefix,
                        struct deadline deadline)
{
    unsigned int prefix_max = wanted->prefix >= 0 ? (unsigned int)wanted->prefix : ip_address_bits(&wanted->ip);
    struct route route;
    int error = route_find_connected(netlink, &wanted->ip, link->index, prefix_max, wanted->table, &route, deadline);

    if (error == -ENOENT && wanted->table != ROUTE_TABLE_MAIN)
        error = route_find_connected(netlink, &wanted->ip, link->index, prefix_max, ROUTE_TABLE_MAIN, &route, deadline);
    *ret_prefix = error == 0 ? (int)route.prefix : -1;
    if (error < 0 || link->index)
        return error;
    return link_find(netlink, NULL, route.index, link, deadline);
}

/* The prefix of loopback addresses stands in no connected route. */
#define LOOPBACK_PREFIX 8

static int find_place(struct netlink *netlink, const struct virtual_address *wanted, struct link *link, int *ret_prefix,
                      struct deadline deadline)
{
    int error = wanted->nic ? link_find(netlink, wanted->nic, 0, link, deadline) : 0;

    if (error < 0)
        return error;
    *ret_prefix = wanted->prefix;
    if (wanted->nic && wanted->prefix >= 0)
        return 0;
    if (ip_address_is_loopback(&wanted->ip) && (!wanted->nic || (link->flags & IFF_LOOPBACK))) {
        if (wanted->prefix < 0)
            *ret_prefix = wanted->ip.family == AF_INET ? LOOPBACK_PREFIX : 128;
        return link_find(netlink, "lo", 0, link, deadline);
    }
    error = find_network(netlink, wanted, link, ret_prefix, deadline);
    if (error == 0 && wanted->prefix >= 0)
        *ret_prefix = wanted->prefix;
    return error;
}

/* The broadcast address that other addresses of the same network have; none where they have none. */
static int inherit_broadcast(struct netlink *netlink, struct interface_address *entry, struct deadline deadline)
{
    _cleanup_address_list_ struct address_list list = {};
    int error = address_list(netlink, AF_INET, entry->index, &list, deadline);

    for (size_t i = 0; error == 0 && i < list.count; i++) {
        const struct interface_address *other = &list.items[i];

        if (other->prefix == entry->prefix && ip_address_in_prefix(&other->ip, &entry->ip, entry->prefix) &&
            !ip_address_equal(&other->ip, &entry->ip)) {
            entry->broadcast = other->broadcast;
            break;
        }
    }
    return error;
}

static int plan_broadcast(struct netlink *netlink, const struct virtual_address *wanted, struct interface_address *entry,
                          struct deadline deadline)
{
    if (entry->ip.family != AF_INET)
        return 0;
    switch (wanted->broadcast_kind) {
    case BROADCAST_ONES:
    case BROADCAST_ZEROS:
        entry->broadcast = ip_address_with_host_bits(&entry->ip, entry->prefix, wanted->broadcast_kind == BROADCAST_ONES);
        return 0;
    case BROADCAST_GIVEN:
        entry->broadcast = wanted->broadcast;
        return 0;
    case BROADCAST_INHERIT:
    default:
        return inherit_broadcast(netlink, entry, deadline);
    }
}

int virtual_address_plan(struct netlink *netlink, const struct virtual_address *wanted, struct link *ret_link,
                         struct interface_address *ret, struct deadline deadline)
{
    struct interface_address entry = { .ip = wanted->ip, .flags = wanted->flags, .preferred_s = wanted->preferred_s,
                                       .valid_s = LIFETIME_FOREVER };
    struct link link = {};
    int prefix = -1;
    int error = find_place(netlink, wanted, &link, &prefix, deadline);

    /* The link is told even where its network is not known, so that the caller can name it. */
    *ret_link = link;
    if (error < 0)
        return error;
    entry.index = link.index;
    entry.prefix = (unsigned int)prefix;
    entry.scope = (link.flags & IFF_LOOPBACK) && ip_address_is_loopback(&wanted->ip) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    if (entry.ip.family == AF_INET && virtual_address_label(wanted, &link, entry.label) < 0)
        return -ENAMETOOLONG;
    error = plan_broadcast(netlink, wanted, &entry, deadline);
    if (error == 0)
        *ret = entry;
    return error;
}

bool virtual_address_matches(const struct interface_address *found, const struct interface_address *planned)
{
    return found->index == planned->index && found->prefix == planned->prefix &&
           ip_address_equal(&found->ip, &planned->ip) &&
           (planned->ip.family != AF_INET || text_equal(found->label, planned->label));
}
