/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/text.h"

/* localhost is 127.0.0.1, then ::1, whatever /etc/hosts says (RFC 6761, 6.3): no resolver is needed for it. */
static const char *const local_addresses[] = { "127.0.0.1", "::1", NULL };

bool connection_host_is_numeric(const char *host)
{
    struct in6_addr address;

    return text_equal(host, "localhost") || inet_pton(AF_INET, host, &address) == 1 ||
           inet_pton(AF_INET6, host, &address) == 1 || strchr(host, '%');
}

static int finish_connect(int fd, struct deadline deadline)
{
    int error = 0;
    socklen_t length = sizeof(error);
    int r = deadline_wait_fd(deadline, fd, POLLOUT);

    if (r < 0)
        return r;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return -errno;
    return -error;
}

static int connect_to(const struct sockaddr *address, socklen_t length, struct deadline deadline)
{
    _cleanup_close_ int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (connect(fd, address, length) == 0)
        return TAKE_FD(fd);
    /* A full backlog of a unix socket is EAGAIN (unix(7)): nobody accepts. */
    if (errno != EINPROGRESS)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    r = finish_connect(fd, deadline);
    return r < 0 ? r : TAKE_FD(fd);
}

static int connect_host(const char *host, const char *service, int flags, struct deadline deadline)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    int r = -EHOSTUNREACH;

    if (getaddrinfo(host, service, &hints, &list) != 0)
        return -EHOSTUNREACH;
    for (const struct addrinfo *each = list; each; each = each->ai_next) {
        r = connect_to(each->ai_addr, each->ai_addrlen, deadline);
        if (r >= 0 || r == -ETIMEDOUT)
            break;
    }
    freeaddrinfo(list);
    return r;
}

int connection_open(const char *host, unsigned int port, struct deadline deadline)
{
    char service[8];
    int first;

    (void)text_format(service, sizeof(service), "%u", port);
    if (!text_equal(host, "localhost"))
        return connect_host(host, service, connection_host_is_numeric(host) ? AI_NUMERICHOST : 0, deadline);
    first = connect_host(local_addresses[0], service, AI_NUMERICHOST, deadline);
    if (first >= 0 || first == -ETIMEDOUT)
        return first;
    for (size_t i = 1; local_addresses[i]; i++) {
        int r = connect_host(local_addresses[i], service, AI_NUMERICHOST, deadline);

        if (r >= 0)
            return r;
    }
    return first;
}

int connection_open_socket(const char *path, struct deadline deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (text_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
        return -ENAMETOOLONG;
    return connect_to((const struct sockaddr *)&address, sizeof(address), deadline);
}

int connection_send(int fd, const char *bytes, size_t length, struct deadline deadline)
{
    while (length > 0) {
        ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
        int r;

        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        r = deadline_wait_fd(deadline, fd, POLLOUT);
        if (r < 0)
            return r;
    }
    return 0;
}

int connection_receive(int fd, char *buffer, size_t size, struct deadline deadline)
{
    for (;;) {
        ssize_t n = recv(fd, buffer, size, 0);
        int r;

        if (n >= 0)
            return (int)n;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        r = deadline_wait_fd(deadline, fd, POLLIN);
        if (r < 0)
            return r;
    }
}
