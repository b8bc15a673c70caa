/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigild's end of the link to the child that speaks to Pacemaker: starts it, starts it again, hands reports over.
 */
#include "tools/watcher/cluster_link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "tools/watcher/fencing_link.h"
#include "tools/watcher/watcher.h"

#define START_AGAIN_MS 1000
/* Pacemaker's libraries wait for its daemons, some of their calls without a limit: a child that has not answered a report for so long hangs in one. */
#define SILENCE_LIMIT_MS 15000

struct cluster_link {
    int socket;
    pid_t pid;
    uint64_t heard_ms; /* the child's last answer, or when it got something to answer */
    qb_loop_timer_handle again, silence;
};

static int start(struct watcher *watcher);

static void start_again(void *data)
{
    struct watcher *watcher = data;

    watcher->cluster->again = 0;
    if (start(watcher) < 0)
        watcher_timer(watcher, START_AGAIN_MS, watcher, start_again, &watcher->cluster->again);
}

static void set_connection(struct watcher *watcher, bool connected, const char *why)
{
    if (watcher->cluster_connected != connected || strcmp(watcher->cluster_why, why) != 0)
        watcher_note(watcher, connected ? EVENT_CLUSTER_REGAINED : EVENT_CLUSTER_LOST, NULL, 0, "Pacemaker: %s", connected ? "connected" : why);
    watcher->cluster_connected = connected;
    (void)text_format(watcher->cluster_why, sizeof(watcher->cluster_why), "%s", why);
    if (connected)
        fencing_link_connected(watcher);
}

/* Reports that the child took with it: whether they arrived is not known. */
static void fail_reports(struct watcher *watcher)
{
    for (size_t i = 0; i < watcher->watch_count; i++)
        if (watcher->watches[i]->state == WATCH_REPORTING)
            watch_report_answered(watcher, watcher->watches[i]->report_id, -EPIPE);
}

/* It has closed its end, and so ends; where it does not within a moment, it is made to. */
static int reap(pid_t pid)
{
    struct deadline deadline = deadline_in(50);
    int how = 0;

    while (waitpid(pid, &how, WNOHANG) == 0) {
        if (deadline_sleep(deadline, 1) < 0)
            (void)kill(pid, SIGKILL);
    }
    return how;
}

static void child_gone(struct watcher *watcher)
{
    struct cluster_link *link = watcher->cluster;
    char why[128];
    int how;

    watcher_cancel(watcher, &link->silence);
    (void)qb_loop_poll_del(watcher->loop, link->socket);
    (void)close(link->socket);
    link->socket = -1;
    how = reap(link->pid);
    (void)text_format(why, sizeof(why), "the process that speaks to Pacemaker has ended (%s %d)", WIFSIGNALED(how) ? "signal" : "exit code",
                      WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
    set_connection(watcher, false, why);
    fail_reports(watcher);
    watcher_timer(watcher, START_AGAIN_MS, watcher, start_again, &link->again);
}

static int on_answer(int fd, int events _unused_, void *data)
{
    struct watcher *watcher = data;
    struct cluster_answer answer;
    ssize_t length = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (length != (ssize_t)sizeof(answer)) {
        child_gone(watcher);
        return 0;
    }
    watcher->cluster->heard_ms = deadline_now_ms();
    answer.text[sizeof(answer.text) - 1] = '\0';
    answer.node[sizeof(answer.node) - 1] = '\0';
    if (answer.kind == CLUSTER_ANSWER) {
        watch_report_answered(watcher, answer.id, answer.result);
    } else {
        if (answer.node[0] != '\0') {
            (void)text_format(watcher->node, sizeof(watcher->node), "%s", answer.node);
            recorder_set_node(watcher->recorder, answer.node, answer.node_id);
        }
        set_connection(watcher, answer.result == 1, answer.text);
    }
    return 0;
}

static int start(struct watcher *watcher)
{
    struct cluster_link *link = watcher->cluster;
    int socket, r = child_worker(cluster_child_run, NULL, &socket, &link->pid);

    if (r < 0)
        return r;
    r = qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, socket, POLLIN, watcher, on_answer);
    if (r < 0) {
        (void)close(socket);
        return r;
    }
    link->socket = socket;
    return 0;
}

int cluster_link_open(struct watcher *watcher)
{
    watcher->cluster = calloc(1, sizeof(*watcher->cluster));
    if (!watcher->cluster)
        return -ENOMEM;
    watcher->cluster->socket = -1;
    return start(watcher);
}

void cluster_link_close(struct watcher *watcher)
{
    struct cluster_link *link = watcher->cluster;

    if (!link)
        return;
    watcher_cancel(watcher, &link->again);
    watcher_cancel(watcher, &link->silence);
    if (link->socket >= 0) {
        (void)qb_loop_poll_del(watcher->loop, link->socket);
        (void)close(link->socket);
        (void)kill(link->pid, SIGKILL);
        (void)waitpid(link->pid, NULL, 0);
    }
    free(link);
    watcher->cluster = NULL;
}

static bool is_waited_for(const struct watcher *watcher)
{
    for (size_t i = 0; i < watcher->watch_count; i++)
        if (watcher->watches[i]->state == WATCH_REPORTING)
            return true;
    return false;
}

/* Its end is seen at the socket; what it was to report is looked at again then. */
static void on_silence(void *data)
{
    struct watcher *watcher = data;
    struct cluster_link *link = watcher->cluster;
    uint64_t silent_ms = deadline_now_ms() - link->heard_ms;

    link->silence = 0;
    if (!is_waited_for(watcher))
        return;
    if (silent_ms >= SILENCE_LIMIT_MS) {
        watcher_note(watcher, EVENT_CLUSTER_LOST, NULL, 0, "Pacemaker does not answer: the connection is made anew");
        (void)kill(link->pid, SIGKILL);
        return;
    }
    watcher_timer(watcher, SILENCE_LIMIT_MS - silent_ms, watcher, on_silence, &link->silence);
}

static int send_request(struct watcher *watcher, const struct cluster_request *request)
{
    if (!watcher->cluster || watcher->cluster->socket < 0)
        return -ENOTCONN;
    return send(watcher->cluster->socket, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int cluster_link_report(struct watcher *watcher, const struct watch *watch, const char *why)
{
    struct cluster_request request = { .kind = CLUSTER_REPORT, .id = watch->report_id, .sent_ms = deadline_now_ms() };
    int r;

    if (text_copy(request.resource, sizeof(request.resource), watch->resource) < 0)
        return -ENAMETOOLONG;
    (void)text_copy(request.agent, sizeof(request.agent), watch->agent);
    (void)text_format(request.text, sizeof(request.text), "%s", why);
    r = watch_registration_stamp(watch->resource, &request.stamp);
    if (r < 0)
        return r;
    r = send_request(watcher, &request);
    if (r == 0 && !watcher->cluster->silence) {
        watcher->cluster->heard_ms = deadline_now_ms();
        watcher_timer(watcher, SILENCE_LIMIT_MS, watcher, on_silence, &watcher->cluster->silence);
    }
    return r;
}

int cluster_link_health(struct watcher *watcher, const char *attribute, const char *value)
{
    struct cluster_request request = { .kind = CLUSTER_HEALTH };

    if (!watcher->cluster_connected)
        return -ENOTCONN;
    (void)text_copy(request.resource, sizeof(request.resource), attribute);
    (void)text_copy(request.agent, sizeof(request.agent), value);
    return send_request(watcher, &request);
}
