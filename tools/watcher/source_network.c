/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses and links, by rtnetlink's events. What they say is looked up again: an address that was removed and added anew in one go is there.
 *
 * A link that goes down for a moment (a switch port that renegotiates) is looked at again a quarter of a second later.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "net/interface_address.h"
#include "net/link.h"
#include "tools/watcher/duplicate.h"
#include "tools/watcher/watcher.h"

#define LOOK_LIMIT_MS 50
#define LINK_SETTLE_MS 250

/* One socket listens, another one asks: answers and events do not mix. */
static struct {
    struct netlink events, questions;
    unsigned int users;
} rt = { .events = { NULL, 0, 0 }, .questions = { NULL, 0, 0 } };

typedef bool (*source_filter)(const struct watch_source *source, const void *argument);

static void check_matching(struct watcher *watcher, enum watch_kind kind, source_filter filter, const void *argument)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[kind]; source; source = next) {
        next = source->next_of_kind;
        if (source->closed || !filter(source, argument)) /* the target of a closed one is gone */
            continue;
        if (source->state == SOURCE_WELL && kind == WATCH_LINK)
            source_suspect(source);
        else
            source_check(source);
    }
}

static bool is_any(const struct watch_source *source _unused_, const void *argument _unused_)
{
    return true;
}

static bool has_address(const struct watch_source *source, const void *argument)
{
    const struct interface_address *address = argument;
    struct ip_address ip;

    return ip_address_parse(source->item.target, &ip) == 0 && ip_address_equal(&ip, &address->ip);
}

static bool has_changed(const struct watch_source *source, const void *argument)
{
    const struct link *link = argument;

    return source->item.index == link->index && (source->state != SOURCE_WELL || !link_is_running(link));
}

static bool is_of_link(const struct watch_source *source, const void *argument)
{
    const struct ifinfomsg *info = argument;

    return info->ifi_index > 0 && source->item.index == (uint64_t)info->ifi_index;
}

static int on_message(const struct nlmsghdr *message, void *argument)
{
    struct watcher *watcher = argument;
    struct interface_address address;
    struct link link;

    if ((message->nlmsg_type == RTM_DELADDR || message->nlmsg_type == RTM_NEWADDR) &&
        address_parse_message(message, message->nlmsg_len, &address) == 0)
        check_matching(watcher, WATCH_ADDRESS, has_address, &address);
    if (message->nlmsg_type == RTM_NEWLINK && link_parse(message, message->nlmsg_len, &link) == 0)
        check_matching(watcher, WATCH_LINK, has_changed, &link);
    if (message->nlmsg_type == RTM_DELLINK && mnl_nlmsg_get_payload_len(message) >= sizeof(struct ifinfomsg))
        check_matching(watcher, WATCH_LINK, is_of_link, mnl_nlmsg_get_payload(message));
    return 0;
}

static int on_events(int fd _unused_, int events _unused_, void *data)
{
    struct watcher *watcher = data;
    int r;

    do
        r = netlink_receive_event(&rt.events, on_message, watcher, deadline_in(0));
    while (r == 0);
    if (r == -ENOBUFS) {
        check_matching(watcher, WATCH_ADDRESS, is_any, NULL);
        check_matching(watcher, WATCH_LINK, is_any, NULL);
    }
    return 0;
}

static int rt_use(struct watcher *watcher)
{
    int r;

    if (rt.users++ > 0)
        return 0;
    r = netlink_open(&rt.events, NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (r == 0)
        r = netlink_open(&rt.questions, NETLINK_ROUTE, 0);
    if (r == 0)
        r = qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, mnl_socket_get_fd(rt.events.socket), POLLIN, watcher, on_events);
    if (r < 0) {
        rt.users--;
        netlink_close(&rt.events);
        netlink_close(&rt.questions);
    }
    return r;
}

static void rt_release(struct watcher *watcher)
{
    if (--rt.users > 0)
        return;
    (void)qb_loop_poll_del(watcher->loop, mnl_socket_get_fd(rt.events.socket));
    netlink_close(&rt.events);
    netlink_close(&rt.questions);
    rt.events = rt.questions = NETLINK_CLOSED;
}

/* ---- addresses ------------------------------------------------------------------------------------------------------------------------ */

static int address_seen(struct watch_source *source, struct text_buffer *why)
{
    _cleanup_address_list_ struct address_list list = { 0 };
    struct ip_address ip;
    int r = ip_address_parse(source->item.target, &ip);

    if (r == 0)
        r = address_find(&rt.questions, &ip, (unsigned int)source->item.index, &list, deadline_in(LOOK_LIMIT_MS));
    if (r == -ENODEV) {
        text_buffer_printf(why, "the interface of %s is gone", source->item.target);
        return 0;
    }
    if (r < 0)
        return r;
    if (list.count == 0)
        text_buffer_printf(why, "address %s is gone from its interface", source->item.target);
    return list.count > 0;
}

static int address_begin(struct watch_source *source, struct text_buffer *why)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    struct ip_address ip;
    int r = ip_address_parse(source->item.target, &ip);

    if (r < 0) {
        text_buffer_printf(why, "%s is no address", source->item.target);
        return r;
    }
    r = rt_use(source->watch->watcher);
    if (r < 0)
        return r;
    if (address_seen(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    duplicate_add(source, &ip);
    return 0;
}

static void address_end(struct watch_source *source)
{
    duplicate_remove(source);
    rt_release(source->watch->watcher);
}

const struct source_kind source_address = { .open = address_begin, .close = address_end, .look = address_seen };

/* ---- links ------------------------------------------------------------------------------------------------------------------------------ */

static int link_seen(struct watch_source *source, struct text_buffer *why)
{
    struct link link;
    int r = link_find(&rt.questions, NULL, (unsigned int)source->item.index, &link, deadline_in(LOOK_LIMIT_MS));

    if (r == -ENODEV)
        text_buffer_printf(why, "interface %s is gone", source->item.target);
    else if (r < 0)
        return r;
    else if (!link_is_running(&link))
        text_buffer_printf(why, "interface %s can carry no packets: %s", link.name, link_state_text(&link));
    return why->length == 0;
}

static int link_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    int r = rt_use(source->watch->watcher);

    if (r == 0 && link_seen(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    return r;
}

static void link_end(struct watch_source *source)
{
    rt_release(source->watch->watcher);
}

const struct source_kind source_link = { .soft = true, .settle_ms = LINK_SETTLE_MS, .open = link_begin, .close = link_end, .look = link_seen };
