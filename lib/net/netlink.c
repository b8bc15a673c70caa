/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel fills a dump's datagram up to what the reader offers, at most 32 KiB (af_netlink.c, netlink_recvmsg). */
#define ANSWER_SIZE 32768

/* A kernel that is short of memory for a moment says ENOBUFS or ENOMEM: not yet a reason to move an address. */
#define SEND_TRIES 3
#define SEND_RETRY_MS 20

int netlink_open(struct netlink *netlink, int bus, uint32_t groups)
{
    int on = 1;
    int error;

    *netlink = NETLINK_CLOSED;
    netlink->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (!netlink->socket)
        return -errno;
    if (mnl_socket_bind(netlink->socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        error = -errno;
        netlink_close(netlink);
        return error;
    }
    /* Kernels before 4.20 do not know it; they send more, and every answer is compared here anyway. */
    (void)mnl_socket_setsockopt(netlink->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    netlink->port = mnl_socket_get_portid(netlink->socket);
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    int saved_errno = errno;

    if (netlink->socket)
        (void)mnl_socket_close(netlink->socket);
    *netlink = NETLINK_CLOSED;
    errno = saved_errno;
}

struct nlmsghdr *netlink_request(void *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

    request->nlmsg_type = type;
    request->nlmsg_flags = flags | NLM_F_REQUEST;
    if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
        request->nlmsg_flags |= NLM_F_ACK;
    return request;
}

static int send_request(struct netlink *netlink, struct nlmsghdr *request, struct deadline deadline)
{
    request->nlmsg_seq = ++netlink->sequence;
    for (int tries = 1;; tries++) {
        if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) >= 0)
            return 0;
        if ((errno != ENOBUFS && errno != ENOMEM && errno != EAGAIN && errno != EINTR) || tries == SEND_TRIES)
            return errno == EINTR ? -EIO : -errno; /* EINTR means a changed dump to the caller */
        if (deadline_sleep(deadline, SEND_RETRY_MS) < 0)
            return -ETIMEDOUT;
    }
}

/* Receives one datagram. Returns its length or -errno. */
static ssize_t receive(struct netlink *netlink, void *buffer, size_t size, struct deadline deadline)
{
    ssize_t length;

    for (;;) {
        int ready = deadline_wait_fd(deadline, mnl_socket_get_fd(netlink->socket), POLLIN);

        if (ready < 0)
            return ready;
        length = mnl_socket_recvfrom(netlink->socket, buffer, size);
        if (length >= 0)
            return length;
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

/* The kernel's verdict in an NLMSG_ERROR or NLMSG_DONE message: 0 or -errno. */
static int message_status(const struct nlmsghdr *message)
{
    int status = 0;

    if (message->nlmsg_type == NLMSG_ERROR && message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return -EBADMSG;
    if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(status)))
        memcpy(&status, mnl_nlmsg_get_payload(message), sizeof(status));
    return status < 0 ? status : 0;
}

/* Hands the messages of one datagram on. Returns 1 when the answer is complete, 0 when more follows, or -errno. */
static int read_answers(struct netlink *netlink, const void *bytes, size_t length, netlink_callback callback,
                        void *argument, bool *interrupted)
{
    const struct nlmsghdr *message = bytes;
    int left = (int)length;

    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        int error;

        if (message->nlmsg_seq != netlink->sequence || message->nlmsg_pid != netlink->port)
            continue; /* the rest of an earlier call that ended before its time */
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
            *interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
            error = message_status(message);
            return error < 0 ? error : 1;
        }
        if (message->nlmsg_type == NLMSG_OVERRUN)
            return -ENOBUFS;
        if (message->nlmsg_type < NLMSG_MIN_TYPE || !callback)
            continue;
        error = callback(message, argument);
        if (error < 0)
            return error;
    }
    return left ? -EBADMSG : 0;
}

int netlink_call(struct netlink *netlink, struct nlmsghdr *request, netlink_callback callback, void *argument,
                 struct deadline deadline)
{
    char buffer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    bool interrupted = false;
    int status = send_request(netlink, request, deadline);

    while (status == 0) {
        ssize_t length = receive(netlink, buffer, sizeof(buffer), deadline);

        if (length < 0)
            return (int)length;
        status = read_answers(netlink, buffer, (size_t)length, callback, argument, &interrupted);
    }
    if (status < 0)
        return status;
    return interrupted ? -EINTR : 0;
}

int netlink_receive_event(struct netlink *netlink, netlink_callback callback, void *argument, struct deadline deadline)
{
    char buffer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *message = (const void *)buffer;
    ssize_t length = receive(netlink, buffer, sizeof(buffer), deadline);
    int left = (int)length;

    if (length < 0)
        return (int)length;
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        int error = message->nlmsg_type < NLMSG_MIN_TYPE ? 0 : callback(message, argument);

        if (error < 0)
            return error;
    }
    return 0;
}

int netlink_attributes(const struct nlmsghdr *message, size_t header_size, const struct nlattr **table,
                       unsigned int maximum)
{
    const struct nlattr *attribute = mnl_nlmsg_get_payload_offset(message, header_size);
    int left = (int)message->nlmsg_len - (int)(NLMSG_LENGTH(0) + MNL_ALIGN(header_size));

    memset(table, 0, (maximum + 1) * sizeof(*table));
    if (left < 0)
        return -EBADMSG;
    while (mnl_attr_ok(attribute, left)) {
        int size = (int)MNL_ALIGN(attribute->nla_len);

        if (mnl_attr_get_type(attribute) <= maximum)
            table[mnl_attr_get_type(attribute)] = attribute;
        if (size >= left)
            break;
        left -= size;
        attribute = mnl_attr_next(attribute);
    }
    return 0;
}
