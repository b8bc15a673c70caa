/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/health_responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "net/background.h"

#define CONNECTIONS 64
#define CONNECTION_MS 5000
#define LOOK_AGAIN_MS 20
/* nobody, nogroup */
#define NO_USER 65534

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: close\r\n\r\nvigil: active";

/* ---- addresses ------------------------------------------------------------------------------------------------------------------ */

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* NULL is the wildcard of the family that is asked for. */
static int make_address(const char *text, uint16_t port, int family, union address *ret, socklen_t *ret_size)
{
    union address address = { 0 };

    if (inet_pton(AF_INET, text ? text : "0.0.0.0", &address.ipv4.sin_addr) == 1 && (text || family == AF_INET)) {
        address.ipv4.sin_family = AF_INET;
        address.ipv4.sin_port = htons(port);
        *ret_size = sizeof(address.ipv4);
    } else {
        address = (union address){ 0 };
        if (text && inet_pton(AF_INET6, text, &address.ipv6.sin6_addr) != 1)
            return -EINVAL;
        address.ipv6.sin6_family = AF_INET6;
        address.ipv6.sin6_port = htons(port);
        *ret_size = sizeof(address.ipv6);
    }
    *ret = address;
    return 0;
}

static int listen_on(const struct health_responder *responder, int family)
{
    union address address;
    socklen_t size;
    int one = 1, zero = 0, r = make_address(responder->address, responder->port, family, &address, &size);
    _cleanup_close_ int fd = -1;

    if (r < 0)
        return r;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address.any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, &address.any, size) < 0 || listen(fd, CONNECTIONS) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int open_listener(const struct health_responder *responder)
{
    int fd = listen_on(responder, AF_INET6);

    return fd == -EAFNOSUPPORT ? listen_on(responder, AF_INET) : fd;
}

/* ---- the process ---------------------------------------------------------------------------------------------------------------- */

struct connection {
    int fd; /* -1: free */
    struct deadline deadline;
    bool answered;
};

struct server {
    int listener;
    struct connection connections[CONNECTIONS];
};

static void close_connection(struct connection *connection)
{
    (void)close(connection->fd);
    *connection = (struct connection){ .fd = -1 };
}

/* The free place, or that of the oldest connection. */
static struct connection *find_place(struct server *server)
{
    struct connection *oldest = &server->connections[0];

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &server->connections[i];

        if (connection->fd < 0)
            return connection;
        if (connection->deadline.at_ms < oldest->deadline.at_ms)
            oldest = connection;
    }
    close_connection(oldest);
    return oldest;
}

static void accept_connection(struct server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    *find_place(server) = (struct connection){ .fd = fd, .deadline = deadline_in(CONNECTION_MS) };
}

/* What is sent does not matter; the end of it ends the connection. */
static void serve(struct connection *connection)
{
    char dropped[4096];
    ssize_t n = recv(connection->fd, dropped, sizeof(dropped), 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close_connection(connection);
        return;
    }
    if (n < 0 || connection->answered)
        return;
    connection->answered = true;
    if (send(connection->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0 || shutdown(connection->fd, SHUT_WR) < 0)
        close_connection(connection);
}

static void serve_round(struct server *server)
{
    struct pollfd fds[CONNECTIONS + 1] = { { .fd = server->listener, .events = POLLIN } };
    struct deadline first = DEADLINE_NEVER;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &server->connections[i];

        if (connection->fd >= 0 && deadline_passed(connection->deadline))
            close_connection(connection);
        fds[i + 1] = (struct pollfd){ .fd = connection->fd, .events = POLLIN };
        if (connection->fd >= 0 && connection->deadline.at_ms < first.at_ms)
            first = connection->deadline;
    }
    if (poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(first)) <= 0)
        return;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (fds[i + 1].revents && server->connections[i].fd >= 0)
            serve(&server->connections[i]);
    }
    if (fds[0].revents)
        accept_connection(server);
}

/* A process that talks to the network needs no rights. Where they can't be given up (a user namespace), it has few. */
static void drop_rights(void)
{
    (void)!setgroups(0, NULL);
    (void)!setresgid(NO_USER, NO_USER, NO_USER);
    (void)!setresuid(NO_USER, NO_USER, NO_USER);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

struct responder_child {
    const struct health_responder *responder;
    const char *state_path;
};

static int responder_main(void *argument)
{
    const struct responder_child *child = argument;
    struct server server = { .listener = open_listener(child->responder) };

    if (server.listener < 0 || background_note(child->state_path) < 0)
        return 1; /* a process that nobody could end again must not go on */
    drop_rights();
    for (size_t i = 0; i < CONNECTIONS; i++)
        server.connections[i].fd = -1;
    for (;;)
        serve_round(&server);
}

/* ---- start and look ------------------------------------------------------------------------------------------------------------- */

static int connect_to(const struct health_responder *responder, struct deadline deadline)
{
    union address address;
    socklen_t size, length = sizeof(int);
    int error = 0, r = make_address(responder->address ? responder->address : "127.0.0.1", responder->port, AF_INET, &address, &size);
    _cleanup_close_ int fd = -1;

    if (r < 0)
        return r;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &address.any, size) < 0) {
        if (errno != EINPROGRESS)
            return -errno;
        r = deadline_wait_fd(deadline, fd, POLLOUT);
        if (r < 0)
            return r;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
            return -errno;
        if (error)
            return -error;
    }
    return TAKE_FD(fd);
}

int health_responder_look(const struct health_responder *responder, struct deadline deadline)
{
    _cleanup_close_ int fd = connect_to(responder, deadline);
    char text[sizeof(answer)];
    size_t length = 0;

    if (fd < 0)
        return fd == -ECONNREFUSED ? 0 : fd;
    if (send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) < 0)
        return -errno;
    while (length < sizeof(answer) - 1) {
        ssize_t n;
        int r = deadline_wait_fd(deadline, fd, POLLIN);

        if (r < 0)
            return r;
        n = recv(fd, text + length, sizeof(answer) - 1 - length, 0);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n == 0)
            return -EBADMSG;
        if (n > 0)
            length += (size_t)n;
    }
    return memcmp(text, answer, sizeof(answer) - 1) == 0 ? 1 : -EBADMSG;
}

static int await_answer(const struct health_responder *responder, const char *state_path, pid_t pid, struct deadline deadline)
{
    for (;;) {
        struct process_identity identity;
        int r = background_alive(state_path);

        if (r == 1 && health_responder_look(responder, deadline) == 1)
            return 0;
        if (r == 0 && process_identify(pid, &identity) == -ESRCH)
            return -ECHILD;
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0)
            return -ETIMEDOUT;
    }
}

int health_responder_start(const struct health_responder *responder, const char *state_path, struct deadline deadline)
{
    struct responder_child child = { responder, state_path };
    pid_t pid;
    int fd = open_listener(responder), r;

    /* The process can't tell why it could not listen: tried here first. */
    if (fd < 0)
        return fd;
    (void)close(fd);
    r = child_detach(responder_main, &child, &pid);
    return r < 0 ? r : await_answer(responder, state_path, pid, deadline);
}
