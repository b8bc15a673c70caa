/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_start.h"

#include <errno.h>
#include <string.h>

#include "net/address_stop.h"
#include "net/loopback_handover.h"
#include "net/neighbour_socket.h"
#include "net/routing.h"

#define LINK_WAIT_MS 5000      /* for the carrier of an interface that start brought up */
#define LINK_FLAP_MS 1000      /* for one that was up already */

static int bring_link_up(struct address_service *service)
{
    bool was_down = !(service->link.flags & IFF_UP);
    int error = was_down ? link_set_up(&service->netlink, service->link.index, service->run->deadline) : 0;

    if (error < 0)
        return address_fail(service, -EIO, "cannot bring interface %s up for %s: %s", service->link.name, service->ip, strerror(-error));
    if (!service->config->link_check || link_is_running(&service->link))
        return 0;
    error = link_wait_running(&service->netlink, &service->link, deadline_within(service->run->deadline, was_down ? LINK_WAIT_MS : LINK_FLAP_MS));
    if (error == -ENETDOWN || error == -ETIMEDOUT)
        return address_fail(service, -EIO, "interface %s for %s is %s: check cable, switch port and driver", service->link.name,
                            service->ip, link_state_text(&service->link));
    return error < 0 ? address_fail_errno(service, "cannot tell the state of the interface for", error) : 0;
}

/* Returns 1 with the hardware address of another host that has the address, 0 when none answered, or -errno. */
static int find_owner(struct address_service *service, struct hardware_address *ret_owner)
{
    if (service->neighbour_fd < 0)
        service->neighbour_fd = neighbour_socket_open(&service->link, &service->wanted.ip, true);
    if (service->neighbour_fd < 0)
        return service->neighbour_fd;
    return neighbour_find_owner(service->neighbour_fd, &service->wanted.ip, &service->link, (unsigned int)service->config->duplicate_wait_ms,
                                ret_owner, service->run->deadline);
}

static int refuse_duplicate(struct address_service *service)
{
    struct hardware_address owner;
    char mac[HARDWARE_TEXT_SIZE];
    int found;

    if (!service->config->duplicate_detection || !link_has_neighbours(&service->link) || !link_is_running(&service->link))
        return 0;
    found = find_owner(service, &owner);
    if (found < 0)
        return address_fail_errno(service, "cannot ask the network whether another host has", found);
    if (found == 0)
        return 0;
    return address_fail(service, -EIO, "%s is in use: %s answers for it on %s; take it away from that host first", service->ip,
                        hardware_address_format(&owner, mac), service->link.name);
}

/* Removes what could not be brought up, so that a failed start leaves nothing behind. */
static int give_up(struct address_service *service, int error)
{
    (void)address_remove_all(service);
    return error;
}

static int fail_duplicate(struct address_service *service)
{
    struct hardware_address owner = {};
    char mac[HARDWARE_TEXT_SIZE] = "another host";

    (void)address_remove_all(service);
    if (find_owner(service, &owner) > 0)
        (void)hardware_address_format(&owner, mac);
    return address_fail(service, -EIO, "%s is in use: %s has it on %s (duplicate address detection failed); the address was removed again",
                        service->ip, mac, service->link.name);
}

/* IPv6: waits for duplicate address detection. Then what needs a usable address: its route in another table. */
static int make_usable(struct address_service *service, const struct interface_address *entry)
{
    int error = entry->ip.family == AF_INET6 ? address_wait_usable(&service->netlink, entry, service->run->deadline) : 0;

    if (error == -EADDRINUSE)
        return fail_duplicate(service);
    if (error == -ETIMEDOUT)
        return give_up(service, address_fail(service, -EIO, "duplicate address detection of %s on %s did not end in time: "
                                                  "raise the start timeout, or set nodad=true", service->ip, service->link.name));
    if (error == 0 && service->config->table != ROUTE_TABLE_MAIN && !service->config->noprefixroute)
        error = route_set_connected(&service->netlink, &entry->ip, entry->prefix, entry->index, service->wanted.table, true, service->run->deadline);
    return error < 0 ? give_up(service, address_fail_errno(service, "cannot bring up", error)) : 0;
}

/* Adds the planned entry and looks whether it is there. */
static int add_address(struct address_service *service, const struct interface_address *entry)
{
    struct interface_address found;
    int seen, error;

    if (service->config->lvs_ipv6_addrlabel) {
        error = address_selection_label_set(&service->netlink, &entry->ip, (uint32_t)service->config->lvs_ipv6_addrlabel_value, true,
                                            service->run->deadline);
        if (error < 0 && error != -EEXIST)
            address_note(service, LOG_WARNING, "cannot set the address selection label of %s: %s", service->ip, strerror(-error));
    }
    error = address_add(&service->netlink, entry, service->run->deadline);
    /* addrconf.c, inet6_addr_add: what disable_ipv6 forbids is EACCES, to root as well. */
    if (error == -EACCES && entry->ip.family == AF_INET6)
        return address_fail(service, -EAFNOSUPPORT, "cannot add %s: IPv6 is disabled on %s; set net.ipv6.conf.%s.disable_ipv6 to 0",
                            service->ip, service->link.name, service->link.name);
    if (error < 0 && error != -EEXIST)
        return address_fail_errno(service, "cannot add", error);
    seen = virtual_address_look(&service->netlink, &service->wanted, &service->link, &found, service->run->deadline);
    if (seen < 0)
        return address_fail_errno(service, "cannot tell the state of", seen);
    if (seen == 0)
        return address_fail(service, -EIO, "%s is not on %s although it was just added: something removes it, such as a network manager",
                            service->ip, service->link.name);
    return 0;
}

static int plan_failed(struct address_service *service, int error)
{
    if (error == -ENODEV)
        return error;
    if (error == -ENAMETOOLONG)
        return address_fail(service, -EINVAL, "label %s:%s is longer than 15 characters: shorten iflabel", service->link.name, service->wanted.label);
    if (error == -ENOENT && service->link.index)
        return address_fail(service, -EIO, "%s has no network that holds %s: set cidr_netmask, or correct nic or ip", service->link.name, service->ip);
    if (error == -ENOENT)
        return address_fail(service, -EIO, "no interface has a network that holds %s: set nic and cidr_netmask, or correct ip", service->ip);
    return address_fail_errno(service, "cannot find the interface for", error);
}

int address_complete(struct address_service *service)
{
    int error = bring_link_up(service);

    return error < 0 ? error : make_usable(service, &service->found);
}

int address_raise(struct address_service *service)
{
    struct interface_address entry;
    int error = virtual_address_plan(&service->netlink, &service->wanted, &service->link, &entry, service->run->deadline);

    error = error < 0 ? plan_failed(service, error) : bring_link_up(service);
    if (error == 0)
        error = refuse_duplicate(service);
    if (error == 0)
        error = loopback_take(service);
    if (error == 0)
        error = add_address(service, &entry);
    if (error == 0)
        error = make_usable(service, &entry);
    return error;
}
