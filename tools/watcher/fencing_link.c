/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/fencing_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "cluster/fencer.h"
#include "tools/watcher/watcher.h"

#define LIBRARY_AGAIN_MS 60000 /* it may be installed meanwhile */
#define START_AGAIN_MS 5000

struct fencing_link {
    int socket;
    pid_t pid;
    bool followed;
    char why[EVENT_TEXT_SIZE]; /* it is not followed */
    qb_loop_timer_handle again;
};

/* ---- the child ------------------------------------------------------------------------------------------------------------------------ */

/* What was seen may have waited for an answer about the devices since. */
static void stamp(struct fencing_message *message, uint64_t seen_ns)
{
    struct event now = { 0 };

    event_stamp(&now);
    message->monotonic_ns = seen_ns;
    message->wall_ns = now.wall_ns - (now.monotonic_ns - seen_ns);
}

static void send_state(int socket, enum fencing_about about, const char *why)
{
    struct fencing_message message = { .about = about };

    (void)text_format(message.text, sizeof(message.text), "%s", why);
    (void)send(socket, &message, sizeof(message), MSG_NOSIGNAL);
}

/* The fencer's ENODATA: the fence agent failed and said nothing that could be told (stonith__result2rc). */
static const char *why_not(const struct fencer_event *event)
{
    if (event->reason)
        return event->reason;
    return event->result == -ENODATA ? "the fence agent failed, without a reason" : strerror(-event->result);
}

static void send_event(void *context, const struct fencer_event *event)
{
    const int *socket = context;
    struct fencing_message message = { .about = event->ended ? FENCING_ENDED : FENCING_BEGUN, .result = event->result, .duration_ns = event->duration_ns };

    if (event->reached) {
        send_state(*socket, FENCING_FOLLOWED, "");
        return;
    }
    stamp(&message, event->seen_ns);
    (void)text_format(message.origin, sizeof(message.origin), "%s", event->origin ? event->origin : "");
    (void)text_format(message.target, sizeof(message.target), "%s", event->target);
    if (!event->ended)
        (void)text_format(message.text, sizeof(message.text), "%s, asked for by %s on %s", event->action, event->client ? event->client : "a client",
                          message.origin);
    else if (event->result == 0)
        (void)text_format(message.text, sizeof(message.text), "%s by %s", event->action, event->executioner ? event->executioner : "an unknown node");
    else
        (void)text_format(message.text, sizeof(message.text), "%s: %s", event->action, why_not(event));
    (void)send(*socket, &message, sizeof(message), MSG_NOSIGNAL);
}

static bool is_closed(int socket)
{
    struct pollfd other = { .fd = socket };

    return poll(&other, 1, 0) != 0; /* POLLHUP */
}

/* For child_worker. The end of vigild is seen at the socket, and where a call of the library hangs, it is the end of this process. */
static int follow_fencer(int socket, void *unused _unused_)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r;

    (void)prctl(PR_SET_NAME, "vigild-fencing");
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (is_closed(socket)) /* it had ended before */
        return 0;
    r = fencer_follow(socket, send_event, &socket, &why);
    if (r < 0)
        send_state(socket, FENCING_NOT_FOLLOWED, why.text);
    if (r == -ELIBACC)
        (void)deadline_wait_fd(deadline_in(LIBRARY_AGAIN_MS), socket, POLLIN);
    return 0;
}

/* ---- vigild's end ------------------------------------------------------------------------------------------------------------------------ */

bool fencing_message_event(struct fencing_message *message, const char *own_node, struct event *ret)
{
    *ret = (struct event){ 0 };
    message->origin[sizeof(message->origin) - 1] = '\0';
    message->target[sizeof(message->target) - 1] = '\0';
    message->text[sizeof(message->text) - 1] = '\0';
    if (message->about > FENCING_ENDED || text_empty(message->target) || text_empty(own_node) || !text_equal(message->origin, own_node))
        return false;
    ret->kind = message->about == FENCING_ENDED ? EVENT_FENCING_END : EVENT_FENCING_BEGIN;
    ret->value = message->about == FENCING_ENDED ? message->result : 0;
    ret->monotonic_ns = message->monotonic_ns;
    ret->wall_ns = message->wall_ns;
    ret->duration_ns = message->about == FENCING_ENDED ? message->duration_ns : 0;
    event_set_text(ret->peer, sizeof(ret->peer), message->target);
    event_set_text(ret->text, sizeof(ret->text), message->text);
    return true;
}

static int start(struct watcher *watcher);

static void start_again(void *data)
{
    struct watcher *watcher = data;

    watcher->fencing->again = 0;
    if (watcher->cluster_connected && start(watcher) < 0)
        watcher_timer(watcher, START_AGAIN_MS, watcher, start_again, &watcher->fencing->again);
}

/* It may hang in the fencer's library: it is made to end. */
static void end_child(struct watcher *watcher)
{
    struct fencing_link *link = watcher->fencing;

    if (link->socket < 0)
        return;
    (void)qb_loop_poll_del(watcher->loop, link->socket);
    (void)close(link->socket);
    link->socket = -1;
    if (link->followed)
        (void)text_format(link->why, sizeof(link->why), "the process that follows Pacemaker's fencer has ended");
    link->followed = false;
    (void)kill(link->pid, SIGKILL);
    (void)waitpid(link->pid, NULL, 0);
}

static void take_state(struct fencing_link *link, struct fencing_message *message)
{
    message->text[sizeof(message->text) - 1] = '\0';
    if (message->about != FENCING_FOLLOWED && message->about != FENCING_NOT_FOLLOWED)
        return;
    link->followed = message->about == FENCING_FOLLOWED;
    event_set_text(link->why, sizeof(link->why), message->text);
}

static int on_message(int fd, int events _unused_, void *data)
{
    struct watcher *watcher = data;
    struct fencing_message message;
    struct event event;
    ssize_t length = recv(fd, &message, sizeof(message), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (length != (ssize_t)sizeof(message)) {
        end_child(watcher);
        watcher_timer(watcher, START_AGAIN_MS, watcher, start_again, &watcher->fencing->again);
        return 0;
    }
    take_state(watcher->fencing, &message);
    if (fencing_message_event(&message, watcher->node, &event))
        (void)recorder_note(watcher->recorder, &event);
    return 0;
}

static int start(struct watcher *watcher)
{
    struct fencing_link *link = watcher->fencing;
    int r = child_worker(follow_fencer, NULL, &link->socket, &link->pid);

    if (r < 0) {
        link->socket = -1;
        return r;
    }
    r = qb_loop_poll_add(watcher->loop, QB_LOOP_LOW, link->socket, POLLIN, watcher, on_message);
    if (r < 0)
        end_child(watcher);
    return r;
}

int fencing_link_open(struct watcher *watcher)
{
    watcher->fencing = calloc(1, sizeof(*watcher->fencing));
    if (!watcher->fencing)
        return -ENOMEM;
    watcher->fencing->socket = -1;
    (void)text_format(watcher->fencing->why, sizeof(watcher->fencing->why), "Pacemaker's fencer has not answered yet");
    return 0;
}

void fencing_link_describe(const struct watcher *watcher, struct text_buffer *text)
{
    const struct fencing_link *link = watcher->fencing;

    if (link)
        text_buffer_printf(text, "fencing=%s\nfencing_why=%s\n", link->followed ? "followed" : "not followed", link->why);
}

void fencing_link_connected(struct watcher *watcher)
{
    struct fencing_link *link = watcher->fencing;

    if (link && link->socket < 0 && !link->again)
        start_again(watcher);
}

void fencing_link_close(struct watcher *watcher)
{
    if (!watcher->fencing)
        return;
    watcher_cancel(watcher, &watcher->fencing->again);
    end_child(watcher);
    free(watcher->fencing);
    watcher->fencing = NULL;
}
