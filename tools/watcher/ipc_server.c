/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigild's IPC: registrations from the agents, questions and subscriptions from `vigil`. Only root and haclient are let in.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <qb/qbipcs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/cleanup.h"
#include "tools/watcher/fencing_link.h"
#include "tools/watcher/flight.h"
#include "tools/watcher/watcher.h"
#include "watch/protocol.h"

#define CONNECTIONS_MAX 64
#define PREDECESSOR_LIMIT_MS 2000
#define LINE_RESERVE 1500 /* a resource's lines are begun only where so much room is left */

struct ipc_server {
    struct watcher *watcher;
    qb_ipcs_service_t *service;
    gid_t group;
    bool have_group;
    unsigned int connections;
    uint64_t events_lost; /* a subscriber that does not read */
};

/* libqb gives its callbacks no context before a connection is there. */
static struct ipc_server *the_server;

static char response[WATCH_MESSAGE_MAX] __attribute__((aligned(8)));

/* ---- who may -------------------------------------------------------------------------------------------------------------------------- */

static bool is_in_group(uid_t uid, gid_t gid, gid_t wanted)
{
    const struct passwd *passwd = gid == wanted ? NULL : getpwuid(uid);
    gid_t groups[64];
    int count = 64;

    if (gid == wanted)
        return true;
    if (!passwd || getgrouplist(passwd->pw_name, gid, groups, &count) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

static int32_t on_accept(qb_ipcs_connection_t *connection, uid_t uid, gid_t gid)
{
    struct ipc_server *server = the_server;

    if (server->connections >= CONNECTIONS_MAX)
        return -EAGAIN;
    if (uid != 0 && (!server->have_group || !is_in_group(uid, gid, server->group)))
        return -EACCES;
    if (server->have_group)
        qb_ipcs_connection_auth_set(connection, 0, server->group, 0660);
    return 0;
}

static void on_created(qb_ipcs_connection_t *connection _unused_)
{
    the_server->connections++;
}

static int32_t on_closed(qb_ipcs_connection_t *connection _unused_)
{
    the_server->connections--;
    return 0;
}

/* The context tells a subscriber: it is not NULL. */
static bool is_subscriber(qb_ipcs_connection_t *connection)
{
    return qb_ipcs_context_get(connection) != NULL;
}

static void on_destroyed(qb_ipcs_connection_t *connection _unused_)
{
}

/* ---- answering -------------------------------------------------------------------------------------------------------------------------- */

static void answer(qb_ipcs_connection_t *connection, enum watch_message type, int error, uint64_t cursor, const char *text, size_t length)
{
    int size = watch_message_write(type, error, cursor, text, length, response, sizeof(response));

    if (size > 0)
        (void)qb_ipcs_response_send(connection, response, (size_t)size);
}

static void answer_error(qb_ipcs_connection_t *connection, enum watch_message type, int error, const struct text_buffer *why)
{
    const char *text = why && why->text ? why->text : strerror(-error);

    answer(connection, type, error, 0, text, strlen(text));
}

static void append_field(struct text_buffer *line, const char *name, const char *value)
{
    text_buffer_printf(line, "\t%s=", name);
    watch_escape(line, value ? value : "");
}

static void append_source(struct text_buffer *lines, const struct watch_source *source, uint64_t now)
{
    text_buffer_printf(lines, " item=%s", watch_kind_name(source->item.kind));
    append_field(lines, "target", source->item.target);
    append_field(lines, "state", source_state_names[source->state]);
    text_buffer_printf(lines, "\tsign_ms=%llu", (unsigned long long)(now - source->sign_ms));
    if (source->item.interval_ms)
        text_buffer_printf(lines, "\tinterval_ms=%llu", (unsigned long long)source->item.interval_ms);
    if (source->detail)
        append_field(lines, "detail", source->detail);
    text_buffer_append(lines, "\n", 1);
}

static void append_watch(struct text_buffer *lines, const struct watch *watch)
{
    uint64_t now = deadline_now_ms();

    text_buffer_append(lines, "resource=", 9);
    watch_escape(lines, watch->resource);
    append_field(lines, "agent", watch->agent);
    append_field(lines, "state", watch_state_names[watch->state]);
    text_buffer_printf(lines, "\tage_ms=%llu\treports=%u", (unsigned long long)(now - watch->since_ms), watch->reports);
    if (watch->last_failure) {
        append_field(lines, "last_failure", watch->last_failure);
        text_buffer_printf(lines, "\tlast_failure_ms=%llu", (unsigned long long)(now - watch->failed_ms));
    }
    text_buffer_append(lines, "\n", 1);
    for (size_t i = 0; i < watch->source_count; i++)
        append_source(lines, &watch->sources[i], now);
}

/* As many whole resources as fit. One whose lines alone do not fit is cut at a line's end. */
static void list(struct ipc_server *server, qb_ipcs_connection_t *connection, uint64_t cursor)
{
    _cleanup_text_buffer_ struct text_buffer lines = { 0 };
    struct watcher *watcher = server->watcher;
    size_t taken = 0, i = cursor;

    for (; i < watcher->watch_count && lines.length + LINE_RESERVE < WATCH_PAYLOAD_MAX; i++) {
        taken = lines.length;
        append_watch(&lines, watcher->watches[i]);
        if (lines.length <= WATCH_PAYLOAD_MAX)
            continue;
        if (taken > 0)
            break;
        while (lines.length > WATCH_PAYLOAD_MAX || lines.text[lines.length - 1] != '\n')
            lines.length--;
        taken = lines.length;
    }
    if (lines.length > WATCH_PAYLOAD_MAX)
        lines.length = taken;
    answer(connection, WATCH_LIST, 0, i < watcher->watch_count ? i : 0, lines.text, lines.length);
}

static void describe_daemon(struct ipc_server *server, qb_ipcs_connection_t *connection)
{
    _cleanup_text_buffer_ struct text_buffer lines = { 0 };
    struct watcher *watcher = server->watcher;
    size_t watched = 0;

    for (size_t i = 0; i < watcher->watch_count; i++)
        watched += watcher->watches[i]->state != WATCH_WITHDRAWN;
    text_buffer_printf(&lines, "version=%s\npid=%d\nuptime_ms=%llu\nwatches=%zu\nnode=%s\npacemaker=%s\npacemaker_why=%s\nevents_lost=%llu\n",
                       PACKAGE_VERSION, (int)getpid(), (unsigned long long)(deadline_now_ms() - watcher->started_ms), watched, watcher->node,
                       watcher->cluster_connected ? "connected" : "lost", watcher->cluster_why, (unsigned long long)server->events_lost);
    fencing_link_describe(watcher, &lines);
    if (watcher->flight)
        flight_describe(watcher->flight, &lines);
    answer(connection, WATCH_DAEMON, 0, 0, lines.text, lines.length < WATCH_PAYLOAD_MAX ? lines.length : WATCH_PAYLOAD_MAX);
}

static int withdraw(struct watcher *watcher, const struct watch_message_view *message)
{
    char name[WATCH_NAME_SIZE];

    if (message->length == 0 || message->length >= sizeof(name))
        return -EINVAL;
    memcpy(name, message->payload, message->length);
    name[message->length] = '\0';
    return table_withdraw(watcher, name);
}

static int take_note(struct watcher *watcher, const struct watch_message_view *message)
{
    struct event event;
    int r = event_decode((const uint8_t *)message->payload, message->length, &event);

    if (r == 0)
        (void)recorder_note(watcher->recorder, &event);
    return r;
}

static void dispatch(struct ipc_server *server, qb_ipcs_connection_t *connection, const struct watch_message_view *message)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = 0;

    switch (message->type) {
    case WATCH_LIST:
        list(server, connection, message->cursor);
        return;
    case WATCH_DAEMON:
        describe_daemon(server, connection);
        return;
    case WATCH_REGISTER:
        r = table_register(server->watcher, message->payload, message->length, &why);
        break;
    case WATCH_WITHDRAW:
        r = withdraw(server->watcher, message);
        break;
    case WATCH_SUBSCRIBE:
        qb_ipcs_context_set(connection, server);
        break;
    case WATCH_NOTE:
        r = take_note(server->watcher, message);
        break;
    default:
        r = -EBADMSG;
    }
    if (r < 0)
        answer_error(connection, message->type, r, &why);
    else
        answer(connection, message->type, 0, 0, NULL, 0);
}

static int32_t on_message(qb_ipcs_connection_t *connection, void *bytes, size_t size)
{
    struct watch_message_view message;
    int r = watch_message_read(bytes, size, &message);

    if (r < 0) {
        answer_error(connection, WATCH_DAEMON, r, NULL);
        return 0;
    }
    dispatch(the_server, connection, &message);
    return 0;
}

/* ---- events ------------------------------------------------------------------------------------------------------------------------------ */

void ipc_server_event(struct watcher *watcher, const struct event *event)
{
    struct ipc_server *server = watcher->ipc;
    uint8_t bytes[EVENT_ENCODED_LIMIT];
    char message[EVENT_ENCODED_LIMIT + sizeof(struct watch_header)] __attribute__((aligned(8)));
    int length, size;
    qb_ipcs_connection_t *connection;

    if (!server || server->connections == 0)
        return;
    length = event_encode(event, bytes, sizeof(bytes));
    size = length < 0 ? length : watch_message_write(WATCH_EVENT, 0, 0, bytes, (size_t)length, message, sizeof(message));
    if (size < 0)
        return;
    connection = qb_ipcs_connection_first_get(server->service);
    while (connection) {
        qb_ipcs_connection_t *next = qb_ipcs_connection_next_get(server->service, connection);

        if (is_subscriber(connection) && qb_ipcs_event_send(connection, message, (size_t)size) < 0)
            server->events_lost++;
        qb_ipcs_connection_unref(connection);
        connection = next;
    }
}

/* ---- the service ------------------------------------------------------------------------------------------------------------------------------ */

static int32_t add_job(enum qb_loop_priority priority, void *data, qb_loop_job_dispatch_fn function)
{
    return qb_loop_job_add(the_server->watcher->loop, priority, data, function);
}

static int32_t add_fd(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data, qb_ipcs_dispatch_fn_t function)
{
    return qb_loop_poll_add(the_server->watcher->loop, priority, fd, events, data, function);
}

static int32_t change_fd(enum qb_loop_priority priority, int32_t fd, int32_t events, void *data, qb_ipcs_dispatch_fn_t function)
{
    return qb_loop_poll_mod(the_server->watcher->loop, priority, fd, events, data, function);
}

static int32_t remove_fd(int32_t fd)
{
    return qb_loop_poll_del(the_server->watcher->loop, fd);
}

static int serve_once(struct ipc_server *server)
{
    static struct qb_ipcs_service_handlers handlers = {
        .connection_accept = on_accept,
        .connection_created = on_created,
        .msg_process = on_message,
        .connection_closed = on_closed,
        .connection_destroyed = on_destroyed,
    };
    static struct qb_ipcs_poll_handlers polling = { .job_add = add_job, .dispatch_add = add_fd, .dispatch_mod = change_fd, .dispatch_del = remove_fd };
    int r;

    server->service = qb_ipcs_create(WATCH_SERVICE, 0, QB_IPC_SHM, &handlers);
    if (!server->service)
        return -ENOMEM;
    qb_ipcs_poll_handlers_set(server->service, &polling);
    r = qb_ipcs_run(server->service);
    if (r < 0)
        server->service = NULL; /* it has let go of itself */
    return r;
}

/* The kernel gives up the locks of a process that ends before its sockets (do_exit() in kernel/exit.c: exit_files(), then exit_task_work()). */
int ipc_server_open(struct watcher *watcher)
{
    const struct group *group = getgrnam("haclient");
    struct ipc_server *server = calloc(1, sizeof(*server));
    struct deadline deadline = deadline_in(PREDECESSOR_LIMIT_MS);
    int r;

    if (!server)
        return -ENOMEM;
    server->watcher = watcher;
    server->have_group = group != NULL;
    server->group = group ? group->gr_gid : 0;
    the_server = server;
    watcher->ipc = server;
    do
        r = serve_once(server);
    while (r == -EADDRINUSE && deadline_sleep(deadline, 10) == 0);
    return r;
}

void ipc_server_close(struct watcher *watcher)
{
    if (!watcher->ipc)
        return;
    if (watcher->ipc->service)
        qb_ipcs_destroy(watcher->ipc->service);
    free(watcher->ipc);
    watcher->ipc = NULL;
}
