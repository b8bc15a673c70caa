/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP listener is gone. The kernel broadcasts the end of sockets (SKNLGRP_INET_TCP_DESTROY of sock_diag(7)); a filter lets those of listeners through,
 * which have no peer port. Where that is refused (no CAP_NET_ADMIN), and against lost messages, listeners are looked at every second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net/ip_address.h"
#include "net/netlink.h"
#include "tools/watcher/watcher.h"

#define LOOK_LIMIT_MS 100
#define LOOK_EVERY_MS 1000
#define PEER_PORT (NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id) + offsetof(struct inet_diag_sockid, idiag_dport))

static struct {
    struct netlink events;
    unsigned int users;
    bool listening;
    qb_loop_timer_handle timer;
} diag = { .events = { NULL, 0, 0 } };

/* ---- looking ---------------------------------------------------------------------------------------------------------------------------- */

struct listener_search {
    uint16_t port;           /* network order */
    struct ip_address ip;    /* family 0: any */
    bool found;
};

static bool is_wildcard(const struct inet_diag_msg *socket)
{
    static const __be32 none[4];

    return memcmp(socket->id.idiag_src, none, sizeof(none)) == 0;
}

static int keep_match(const struct nlmsghdr *message, void *argument)
{
    struct listener_search *search = argument;
    const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket) || socket->idiag_state != TCP_LISTEN || socket->id.idiag_sport != search->port)
        return 0;
    if (search->ip.family == 0 || is_wildcard(socket) ||
        (search->ip.family == socket->idiag_family && memcmp(socket->id.idiag_src, search->ip.bytes, ip_address_size(&search->ip)) == 0))
        search->found = true;
    return 0;
}

static int dump_listeners(sa_family_t family, struct listener_search *search)
{
    _cleanup_netlink_ struct netlink netlink = NETLINK_CLOSED;
    char buffer[NETLINK_REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *request = netlink_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    struct inet_diag_req_v2 *wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));
    int r = netlink_open(&netlink, NETLINK_SOCK_DIAG, 0);

    wanted->sdiag_family = family;
    wanted->sdiag_protocol = IPPROTO_TCP;
    wanted->idiag_states = 1U << TCP_LISTEN;
    return r < 0 ? r : netlink_call(&netlink, request, keep_match, search, deadline_in(LOOK_LIMIT_MS));
}

static int listener_look(struct watch_source *source, struct text_buffer *why)
{
    struct listener_search search = { .port = htons((uint16_t)source->item.port) };
    int r;

    if (!text_equal(source->item.target, "*") && ip_address_parse(source->item.target, &search.ip) < 0)
        return -EINVAL;
    r = dump_listeners(AF_INET, &search);
    if (r == 0 && !search.found)
        r = dump_listeners(AF_INET6, &search);
    if (r < 0 && r != -EINTR)
        return r;
    if (!search.found && r == -EINTR) /* the list changed while it was read */
        return -EAGAIN;
    if (!search.found)
        text_buffer_printf(why, "nothing listens on %s port %u any more", source->item.target, (unsigned int)source->item.port);
    return search.found;
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------------- */

static void check_all(struct watcher *watcher)
{
    struct watch_source *next;

    for (struct watch_source *source = watcher->sources_of[WATCH_LISTENER]; source; source = next) {
        next = source->next_of_kind;
        source_check(source);
    }
}

static int ignore(const struct nlmsghdr *message _unused_, void *argument _unused_)
{
    return 0;
}

static int on_events(int fd _unused_, int events _unused_, void *data)
{
    int r;

    do
        r = netlink_receive_event(&diag.events, ignore, NULL, deadline_in(0));
    while (r == 0);
    check_all(data);
    return 0;
}

static void on_time(void *data)
{
    struct watcher *watcher = data;

    watcher_timer(watcher, LOOK_EVERY_MS, watcher, on_time, &diag.timer);
    check_all(watcher);
}

static void listen_for_ends(struct watcher *watcher)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, PEER_PORT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
    const uint32_t groups = (1U << (SKNLGRP_INET_TCP_DESTROY - 1)) | (1U << (SKNLGRP_INET6_TCP_DESTROY - 1));

    diag.listening = false;
    if (netlink_open(&diag.events, NETLINK_SOCK_DIAG, groups) < 0)
        return;
    (void)setsockopt(mnl_socket_get_fd(diag.events.socket), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    diag.listening = qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, mnl_socket_get_fd(diag.events.socket), POLLIN, watcher, on_events) == 0;
}

static int listener_begin(struct watch_source *source, struct text_buffer *why)
{
    _cleanup_text_buffer_ struct text_buffer ignored = { 0 };
    struct watcher *watcher = source->watch->watcher;

    if (source->item.port == 0 || source->item.port > UINT16_MAX) {
        text_buffer_printf(why, "%llu is no port", (unsigned long long)source->item.port);
        return -EINVAL;
    }
    if (diag.users++ == 0) {
        listen_for_ends(watcher);
        watcher_timer(watcher, LOOK_EVERY_MS, watcher, on_time, &diag.timer);
    }
    if (listener_look(source, &ignored) == 0)
        source->state = SOURCE_SUSPECT;
    return 0;
}

static void listener_end(struct watch_source *source)
{
    struct watcher *watcher = source->watch->watcher;

    if (--diag.users > 0)
        return;
    watcher_cancel(watcher, &diag.timer);
    if (diag.listening)
        (void)qb_loop_poll_del(watcher->loop, mnl_socket_get_fd(diag.events.socket));
    netlink_close(&diag.events);
    diag.events = NETLINK_CLOSED;
}

/* An application that closes and opens its socket anew (a reload) is not without it for long. */
const struct source_kind source_listener = { .soft = true, .settle_ms = 200, .open = listener_begin, .close = listener_end, .look = listener_look };
