/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/client.h"

#include <fcntl.h>
#include <poll.h>
#include <qb/qbipcc.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/log.h"
#include "base/child.h"
#include "base/file.h"
#include "base/library.h"

/* How long a start or a monitor may wait for vigild. */
#define REGISTER_LIMIT_MS 1000

struct qb_client {
    __typeof__(qb_ipcc_connect) *connect;
    __typeof__(qb_ipcc_connect_async) *connect_async; /* NULL before libqb 2.0.3 */
    __typeof__(qb_ipcc_connect_continue) *connect_continue;
    __typeof__(qb_ipcc_disconnect) *disconnect;
    __typeof__(qb_ipcc_send) *send;
    __typeof__(qb_ipcc_recv) *receive;
    __typeof__(qb_ipcc_event_recv) *receive_event;
};

struct watch_connection {
    struct qb_client qb;
    qb_ipcc_connection_t *ipc;
    char buffer[WATCH_MESSAGE_MAX] __attribute__((aligned(8)));
};

/* ---- the connection ------------------------------------------------------------------------------------------------------ */

static int load_libqb(struct qb_client *qb)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(qb->connect, "qb_ipcc_connect"),       LIBRARY_SYMBOL(qb->disconnect, "qb_ipcc_disconnect"),
        LIBRARY_SYMBOL(qb->send, "qb_ipcc_send"),             LIBRARY_SYMBOL(qb->receive, "qb_ipcc_recv"),
        LIBRARY_SYMBOL(qb->receive_event, "qb_ipcc_event_recv"),
    };

    const struct library_symbol newer[] = {
        LIBRARY_SYMBOL(qb->connect_async, "qb_ipcc_connect_async"),
        LIBRARY_SYMBOL(qb->connect_continue, "qb_ipcc_connect_continue"),
    };
    int r = library_load("libqb.so.100", "libqb100", symbols, ARRAY_SIZE(symbols), NULL);

    if (r == 0 && library_load("libqb.so.100", "libqb100", newer, ARRAY_SIZE(newer), NULL) < 0)
        qb->connect_async = NULL;
    return r;
}

/* A running vigild holds a lock on this file, of the kind that ends with its process alone. */
static bool daemon_runs(void)
{
    _cleanup_close_ int fd = open(WATCH_FOLDER "/.lock", O_RDWR | O_CLOEXEC);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int connect_error(void)
{
    return errno == 0 || errno == ECONNREFUSED ? -ENOENT : -errno;
}

static int connect_at_once(struct watch_connection *connection)
{
    errno = 0;
    connection->ipc = connection->qb.connect(WATCH_SERVICE, WATCH_MESSAGE_MAX);
    return connection->ipc ? 0 : connect_error();
}

static int try_to_connect(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    return connect_at_once(argument);
}

/* libqb waits for the server's answer without a limit: one that was stopped in its tracks takes the connection and never answers. So it is done in two
 * steps; where libqb has them not, a child tries first. */
static int connect_ipc(struct watch_connection *connection, struct deadline deadline)
{
    const struct qb_client *qb = &connection->qb;
    int fd = -1, r;

    if (!qb->connect_async) {
        r = child_call(try_to_connect, connection, NULL, 0, NULL, deadline);
        return r < 0 ? r : connect_at_once(connection);
    }
    errno = 0;
    connection->ipc = qb->connect_async(WATCH_SERVICE, WATCH_MESSAGE_MAX, &fd);
    if (!connection->ipc)
        return connect_error();
    if (deadline_wait_fd(deadline, fd, POLLIN) <= 0) {
        (void)close(fd); /* the rest is left to the end of this process: libqb can't give up half a connection */
        return -ETIMEDOUT;
    }
    r = qb->connect_continue(connection->ipc);
    return r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN ? -ENOENT : r;
}

int watch_connect(struct watch_connection **ret, struct deadline deadline)
{
    struct watch_connection *connection = calloc(1, sizeof(*connection));
    int r;

    if (!connection)
        return -ENOMEM;
    r = load_libqb(&connection->qb);
    if (r == 0)
        r = connect_ipc(connection, deadline);
    if (r < 0) {
        free(connection);
        return r;
    }
    *ret = connection;
    return 0;
}

void watch_disconnect(struct watch_connection *connection)
{
    if (!connection)
        return;
    connection->qb.disconnect(connection->ipc);
    free(connection);
}

/* libqb reports some of its ends as other errors. */
static int error_of(ssize_t r)
{
    return r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN || r == -ECONNREFUSED ? -ENOTCONN : (int)r;
}

static int send_message(struct watch_connection *connection, size_t length, struct deadline deadline)
{
    for (;;) {
        ssize_t r = connection->qb.send(connection->ipc, connection->buffer, length);

        if (r >= 0)
            return 0;
        if (r != -EAGAIN)
            return error_of(r);
        if (deadline_sleep(deadline, 5) < 0)
            return -EAGAIN;
    }
}

static int bounded_ms(struct deadline deadline)
{
    int ms = deadline_poll_ms(deadline);

    return ms < 0 ? 60000 : ms;
}

int watch_request(struct watch_connection *connection, enum watch_message type, uint64_t cursor, const void *payload, size_t length,
                  struct watch_message_view *ret, struct deadline deadline)
{
    int written = watch_message_write(type, 0, cursor, payload, length, connection->buffer, sizeof(connection->buffer));
    ssize_t r;

    if (written < 0)
        return written;
    r = send_message(connection, (size_t)written, deadline);
    if (r < 0)
        return (int)r;
    r = connection->qb.receive(connection->ipc, connection->buffer, sizeof(connection->buffer), bounded_ms(deadline));
    if (r < 0)
        return r == -EAGAIN ? -ETIMEDOUT : error_of(r);
    return watch_message_read(connection->buffer, (size_t)r, ret);
}

int watch_receive_event(struct watch_connection *connection, struct watch_message_view *ret, struct deadline deadline)
{
    ssize_t r = connection->qb.receive_event(connection->ipc, connection->buffer, sizeof(connection->buffer), bounded_ms(deadline));

    if (r < 0)
        return r == -EAGAIN ? -ETIMEDOUT : error_of(r);
    return watch_message_read(connection->buffer, (size_t)r, ret);
}

/* ---- the agents' calls ----------------------------------------------------------------------------------------------------- */

/* Pacemaker gives every action its timeout; a call by hand must not change what is watched. */
static bool called_by_cluster(const struct agent_run *run)
{
    return agent_meta("timeout") && !run->probe && !run->dry_run;
}

void watch_begin(const struct agent_run *run, struct watch_registration *ret)
{
    *ret = (struct watch_registration){ 0 };
    (void)text_copy(ret->resource, sizeof(ret->resource), run->instance);
    (void)text_copy(ret->agent, sizeof(ret->agent), run->agent->name);
}

static bool stands_already(const char *path, const struct text_buffer *text)
{
    char buffer[WATCH_TEXT_MAX + 1];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = fd < 0 ? -1 : read(fd, buffer, sizeof(buffer));

    return length >= 0 && (size_t)length == text->length && memcmp(buffer, text->text, text->length) == 0;
}

static int register_with_daemon(const struct text_buffer *text, struct deadline deadline, char *why, size_t size)
{
    _cleanup_watch_connection_ struct watch_connection *connection = NULL;
    struct watch_message_view answer;
    int r = watch_connect(&connection, deadline);

    if (r < 0)
        return r;
    r = watch_request(connection, WATCH_REGISTER, 0, text->text, text->length, &answer, deadline);
    if (r < 0)
        return r;
    if (answer.error < 0)
        (void)text_format(why, size, "%.*s", (int)answer.length, answer.payload);
    return answer.error;
}

int watch_keep(const struct agent_run *run, const struct watch_registration *registration)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    char path[PATH_MAX], why[256] = "";
    struct stat status;
    int r;

    if (!called_by_cluster(run))
        return 0;
    if (registration->count == 0)
        return watch_withdraw(run);
    if (stat(WATCH_FOLDER, &status) < 0)
        return -errno;
    r = watch_registration_format(registration, &text);
    if (r == 0)
        r = watch_registration_path(registration->resource, path, sizeof(path));
    if (r == 0 && stands_already(path, &text))
        return 1;
    if (r == 0 && !daemon_runs()) {
        (void)unlink(path); /* of what is not there any more: a vigild that begins would take it for a failure */
        return -ENOENT;
    }
    if (r == 0)
        r = register_with_daemon(&text, deadline_within(run->deadline, REGISTER_LIMIT_MS), why, sizeof(why));
    if (r < 0 && r != -ENOENT)
        log_info("vigild does not watch %s yet: %s", registration->resource, why[0] != '\0' ? why : strerror(-r));
    return r;
}

int watch_withdraw(const struct agent_run *run)
{
    char path[PATH_MAX];
    int r;

    if (!called_by_cluster(run) || watch_registration_path(run->instance, path, sizeof(path)) < 0)
        return 0;
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return 0;
    r = -errno;
    log_warning("can't withdraw %s from vigild, which may report this stop as a failure: %s: %s", run->instance, path, strerror(-r));
    return r;
}
