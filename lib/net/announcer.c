/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/announcer.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#include "base/child.h"
#include "net/background.h"
#include "net/neighbour_socket.h"

/* Events can be lost: while it waits long, the announcer looks at its address this often in any case. */
#define ANNOUNCER_LOOK_MS 5000

/* 1 when the address is still on the interface, 0 when it has been withdrawn, or -errno. */
static int address_present(struct netlink *netlink, const struct announcer *announcer, struct deadline deadline)
{
    _cleanup_address_list_ struct address_list list = {};
    struct interface_address address;
    int seen = address_look(netlink, &announcer->ip, announcer->index, announcer->label, &address, deadline);

    if (seen != 0)
        return seen;
    seen = address_find(netlink, &announcer->ip, announcer->index, &list, deadline);
    if (seen < 0)
        return seen == -ENODEV ? 0 : seen;
    return list.count > 0;
}

/* Looks, and announces where the address is there and its link runs. Returns 1, 0 when the address has gone, or -errno. */
static int announce_if_present(struct netlink *netlink, const struct announcer *announcer, struct deadline deadline)
{
    _cleanup_close_ int fd = -1;
    struct link link;
    int present, error;

    /* Read anew each time: a bond may have got another hardware address. */
    error = link_find(netlink, NULL, announcer->index, &link, deadline);
    if (error < 0)
        return error == -ENODEV ? 0 : error;
    fd = neighbour_socket_open(&link, &announcer->ip, false);
    if (fd < 0)
        return fd;
    present = address_present(netlink, announcer, deadline);
    if (present <= 0 || !link_is_running(&link) || !link_has_neighbours(&link))
        return present;
    error = neighbour_announce(fd, &announcer->ip, &link);
    return error < 0 && error != -ENETDOWN && error != -ENOBUFS ? error : 1;
}

static int ignore_event(const struct nlmsghdr *message _unused_, void *argument _unused_)
{
    return 0;
}

/* Waits ms, but ends as soon as the address goes. Returns 1, 0 when it has gone, or -errno. */
static int wait_while_present(struct netlink *netlink, struct netlink *events, const struct announcer *announcer, uint64_t ms,
                              struct deadline deadline)
{
    struct deadline until = deadline_within(deadline, ms);

    for (;;) {
        int error = netlink_receive_event(events, ignore_event, NULL, deadline_within(until, ANNOUNCER_LOOK_MS));
        int present;

        if (error < 0 && error != -ETIMEDOUT && error != -ENOBUFS)
            return error;
        present = address_present(netlink, announcer, deadline);
        if (present <= 0)
            return present;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        if (deadline_passed(until))
            return 1;
    }
}

static int run(const struct announcer *announcer, bool wait_first, struct deadline deadline)
{
    _cleanup_netlink_ struct netlink netlink = NETLINK_CLOSED, events = NETLINK_CLOSED;
    int status = netlink_open(&events, NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);

    if (status == 0)
        status = netlink_open(&netlink, NETLINK_ROUTE, 0);
    if (status < 0)
        return status;
    status = 1;
    for (unsigned int sent = 0; status > 0 && (sent < announcer->count || announcer->refresh_ms); sent++) {
        bool burst = sent < announcer->count;

        if (sent || wait_first || !burst)
            status = wait_while_present(&netlink, &events, announcer,
                                        burst ? announcer->interval_ms : announcer->refresh_ms, deadline);
        if (status > 0)
            status = announce_if_present(&netlink, announcer, deadline);
        if (sent == UINT32_MAX - 1)
            sent = announcer->count;
    }
    return status < 0 ? status : 0;
}

int announcer_run(const struct announcer *announcer, struct deadline deadline)
{
    struct announcer once = *announcer;

    once.refresh_ms = 0;
    return run(&once, false, deadline);
}

struct announcer_child {
    const struct announcer *announcer;
    const char *state_path;
};

/* The detached process. Its own identity goes into the state file first, so that nothing depends on its parent living on. Where that can't be written (a
 * full disk), the announcements matter more: they end with the address in any case. */
static int announcer_main(void *argument)
{
    const struct announcer_child *child = argument;

    (void)background_note(child->state_path);
    return run(child->announcer, true, DEADLINE_NEVER) < 0;
}

int announcer_start(const struct announcer *announcer, const char *state_path)
{
    struct announcer_child child = { announcer, state_path };

    return child_detach(announcer_main, &child, NULL);
}
