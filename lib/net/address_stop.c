/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_stop.h"

#include <errno.h>
#include <string.h>

#include "net/address_withdraw.h"
#include "net/connection_reset.h"
#include "net/loopback_handover.h"
#include "net/routing.h"

int address_remove_all(struct address_service *service)
{
    _cleanup_address_list_ struct address_list before = {}, after = {};
    int error = virtual_address_list(&service->netlink, &service->wanted, &service->link, &before, service->run->deadline);

    for (size_t i = 0; error == 0 && i < before.count; i++) {
        if (service->config->table != ROUTE_TABLE_MAIN)
            (void)route_set_connected(&service->netlink, &service->wanted.ip, before.items[i].prefix, before.items[i].index,
                                      service->wanted.table, false, service->run->deadline);
        error = address_withdraw(&service->netlink, &before.items[i], service->run->deadline);
    }
    if (error < 0)
        return address_fail_errno(service, "cannot remove", error);
    error = virtual_address_list(&service->netlink, &service->wanted, &service->link, &after, service->run->deadline);
    if (error < 0)
        return address_fail_errno(service, "cannot tell whether it is gone:", error);
    if (after.count)
        return address_fail(service, -EIO, "%s is still there after it was removed: something adds it again, such as a network manager",
                            service->ip);
    return 0;
}

static void reset_connections(struct address_service *service)
{
    int ended;

    if (!service->config->reset_connections)
        return;
    ended = connection_reset(&service->wanted.ip, deadline_share(service->run->deadline, 30));
    if (ended < 0)
        address_note(service, LOG_WARNING, "connections of %s could not be reset: %s", service->ip, strerror(-ended));
    else if (ended > 0)
        address_note(service, LOG_INFO, "%d connections of %s were reset", ended, service->ip);
}

static void flush_routes(struct address_service *service)
{
    int error = service->config->flush_routes ? route_flush_cached(service->wanted.ip.family) : 0;

    if (error < 0)
        address_note(service, LOG_WARNING, "cached routes could not be flushed: %s", strerror(-error));
}

int address_bring_down(struct address_service *service)
{
    int error;

    reset_connections(service);
    error = address_remove_all(service);
    reset_connections(service);
    return error;
}

void address_tidy_up(struct address_service *service)
{
    if (service->config->lvs_ipv6_addrlabel)
        (void)address_selection_label_set(&service->netlink, &service->wanted.ip, (uint32_t)service->config->lvs_ipv6_addrlabel_value,
                                          false, service->run->deadline);
    loopback_return(service);
    flush_routes(service);
}
