/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that speaks to Pacemaker for vigild. It keeps its connections open and knows beforehand which resources are to be left alone, so
 * that a report is one look at the resource's history and one message.
 *
 * Pacemaker gives every failure that is reported to it the reason "Simulated failure", and up to 2.1.5 mostly counts it twice (it records two operations
 * for it, and increments once for each: Pacemaker's commit a457eb83fe ended that in 2.1.6). Both are put right: the reason a moment later in the recorded
 * operation, when the recovery is through; and so is the count, where two more can't reach a migration-threshold: a change of it in the middle of the recovery
 * has the controller wait a whole second (do_pe_invoke_callback() sleeps while an update of its own is under way). Where they could, the count is lowered by
 * one beforehand, so that the scheduler never sees more than there are, and looked at while it changes, since the two increments now and then fall into one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "cluster/controller.h"
#include "cluster/membership.h"
#include "tools/watcher/cluster_link.h"

#define CONNECT_AGAIN_MS 1000
#define CONNECT_EAGERLY 60
#define CONNECT_SELDOM 10
#define ANSWER_LIMIT_MS 5000
#define COMMAND_LIMIT_MS 5000
#define REFRESH_AFTER_MS 100 /* changes come in groups */
#define COUNT_WITHIN_MS 5000
#define COUNT_LIMIT_MS 500
#define REASON_AFTER_MS 1500 /* behind the recovery that the report sets off */
#define REPORTS_MAX 1024

struct report {
    uint64_t id;
    struct deadline deadline;
};

/* What the count of a resource may be, for some seconds behind a report. */
struct allowed_count {
    struct allowed_count *next;
    char resource[WATCH_NAME_SIZE];
    int64_t count;
    bool far_from_threshold; /* it may be too high until the recovery is through */
    struct deadline deadline;
};

struct child {
    int socket;
    struct controller *controller;
    struct cluster_view view;
    const char *node;
    struct resource_exceptions exceptions;
    bool exceptions_known, refresh_planned;
    bool counts_twice, keeps_history; /* as this Pacemaker does */
    struct report reports[REPORTS_MAX]; /* under way, oldest first */
    size_t report_count;
    struct allowed_count *allowed;
    unsigned int attempts; /* to connect, in a row */
};

static void send_answer(struct child *child, enum cluster_answer_kind kind, uint64_t id, int result, const char *text)
{
    struct cluster_answer answer = { .kind = kind, .id = id, .result = result, .node_id = child->view.own_id };

    (void)text_format(answer.node, sizeof(answer.node), "%s", child->node ? child->node : "");
    (void)text_format(answer.text, sizeof(answer.text), "%s", text ? text : "");
    if (send(child->socket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && child->controller)
        controller_stop(child->controller);
}

/* ---- which resources are to be left alone -------------------------------------------------------------------------------------- */

static int refresh(struct child *child)
{
    struct resource_exceptions exceptions = { 0 };
    char version[64];
    int r = controller_exceptions(child->node, deadline_in(COMMAND_LIMIT_MS), &exceptions);

    if (r < 0)
        return r;
    resource_exceptions_free(&child->exceptions);
    child->exceptions = exceptions;
    child->exceptions_known = true;
    (void)controller_version(child->controller, version, sizeof(version));
    child->counts_twice = pacemaker_counts_twice(version);
    child->keeps_history = pacemaker_keeps_history(version);
    return 0;
}

static bool on_refresh(void *context)
{
    struct child *child = context;

    child->refresh_planned = false;
    if (!child->exceptions_known && controller_connected(child->controller))
        (void)refresh(child);
    return false;
}

static void on_changed(void *context)
{
    struct child *child = context;

    child->exceptions_known = false;
    if (child->refresh_planned)
        return;
    child->refresh_planned = true;
    controller_timer(child->controller, REFRESH_AFTER_MS, on_refresh, child);
}

/* ---- each failure is counted once -------------------------------------------------------------------------------------------------- */

/* Not waited for: the ended process is taken in by take_in_children. */
static void update_attribute(const char *name, const char *value)
{
    const char *const argv[] = { "attrd_updater", "--name", name, "--update", value, NULL };
    const struct child_spec spec = { .argv = argv };
    int pidfd = -1;
    pid_t pid;

    if (child_start(&spec, -1, deadline_in(COMMAND_LIMIT_MS), &pidfd, &pid) == 0)
        (void)close(pidfd);
}

/* Where it fails, the count is put right afterwards. */
static void count_beforehand(struct child *child, const char *resource, int64_t count)
{
    char name[300], value[32];

    if (failure_count_name(resource, name, sizeof(name)) < 0)
        return;
    (void)text_format(value, sizeof(value), "%lld", (long long)count - 1);
    (void)controller_set_attribute(child->controller, child->node, name, value, deadline_in(COUNT_LIMIT_MS));
}

static void correct_count(const struct allowed_count *allowed, const char *text, size_t length)
{
    char name[300], value[32];
    int64_t count;

    if (allowed->far_from_threshold || failure_count_name(allowed->resource, name, sizeof(name)) < 0 ||
        failure_count_parse(text, length, name, &count) < 0 || count <= allowed->count)
        return;
    (void)text_format(value, sizeof(value), "%lld", (long long)allowed->count);
    update_attribute(name, value);
}

static void on_counted(void *context, const char *text, size_t length)
{
    struct child *child = context;

    for (struct allowed_count **place = &child->allowed; *place;) {
        struct allowed_count *allowed = *place;

        if (deadline_passed(allowed->deadline)) {
            *place = allowed->next;
            free(allowed);
            continue;
        }
        correct_count(allowed, text, length);
        place = &allowed->next;
    }
}

/* One more than there are. Where a report of a moment ago is still being put right, what it allowed counts, not what the CIB has. */
static int64_t allow_one_more(struct child *child, const char *resource, int64_t count, bool far_from_threshold)
{
    struct allowed_count *allowed = child->allowed;

    while (allowed && strcmp(allowed->resource, resource) != 0)
        allowed = allowed->next;
    if (allowed && !deadline_passed(allowed->deadline) && allowed->count < count)
        count = allowed->count;
    if (!allowed) {
        allowed = calloc(1, sizeof(*allowed));
        if (!allowed)
            return count;
        (void)text_copy(allowed->resource, sizeof(allowed->resource), resource);
        allowed->next = child->allowed;
        child->allowed = allowed;
    }
    allowed->count = count + 1;
    allowed->far_from_threshold = far_from_threshold;
    allowed->deadline = deadline_in(COUNT_WITHIN_MS);
    return count;
}

/* COUNT is what the CIB has now. */
static void prepare_count(struct child *child, const char *resource, int64_t count)
{
    bool far_from_threshold = !child->counts_twice || controller_below_threshold(child->controller, child->node, resource, 2);

    count = allow_one_more(child, resource, count, far_from_threshold);
    if (!far_from_threshold)
        count_beforehand(child, resource, count);
}

/* The two increments were one: the cluster has one too few. Where the attribute is gone, somebody has cleaned up. */
static void count_afterwards(struct child *child, const char *resource)
{
    struct allowed_count *allowed = child->allowed;
    char name[300], value[32];
    int64_t count;

    while (allowed && strcmp(allowed->resource, resource) != 0)
        allowed = allowed->next;
    if (!child->counts_twice || !allowed || deadline_passed(allowed->deadline) ||
        controller_failure_count(child->controller, child->node, resource, &count) <= 0 || count == allowed->count ||
        failure_count_name(resource, name, sizeof(name)) < 0)
        return;
    (void)text_format(value, sizeof(value), "%lld", (long long)allowed->count);
    update_attribute(name, value);
}

/* ---- reports ---------------------------------------------------------------------------------------------------------------------- */

/* What the operation's record is to say instead of "Simulated failure". */
struct correction {
    struct child *child;
    char resource[WATCH_NAME_SIZE];
    char text[EVENT_TEXT_SIZE];
};

/* As an attribute's value in XML. */
static void append_xml(struct text_buffer *buffer, const char *text)
{
    for (; *text; text++) {
        if (*text == '&' || *text == '<' || *text == '>' || *text == '"' || *text == '\'')
            text_buffer_printf(buffer, "&#%d;", *text);
        else
            text_buffer_append(buffer, text, 1);
    }
}

/* With a transition key of its own: the controller counts what it finds under the key of a report once more. */
static void write_reason(const struct correction *correction)
{
    _cleanup_text_buffer_ struct text_buffer xml = { 0 };
    _cleanup_free_ char *xpath = text_printf("//node_state[@uname='%s']//lrm_resource[@id='%s']/lrm_rsc_op[@id='%s_last_failure_0' and "
                                             "@operation='asyncmon' and @exit-reason='Simulated failure']",
                                             correction->child->node, correction->resource, correction->resource);
    _cleanup_child_result_ struct child_result result = { 0 };

    text_buffer_printf(&xml, "<lrm_rsc_op id=\"%s_last_failure_0\" transition-key=\"0:0:0:vigild00-0000-0000-0000-000000000000\" "
                             "transition-magic=\"0:1;0:0:0:vigild00-0000-0000-0000-000000000000\" exit-reason=\"",
                       correction->resource);
    append_xml(&xml, correction->text);
    text_buffer_printf(&xml, "\"/>");
    if (xpath && !xml.failed) {
        const char *const argv[] = { "cibadmin", "--modify", "--xpath", xpath, "--xml-text", xml.text, NULL };
        const struct child_spec spec = { .argv = argv };

        (void)child_run(&spec, deadline_in(COMMAND_LIMIT_MS), &result);
    }
}

static bool on_correction(void *context)
{
    struct correction *correction = context;

    if (controller_connected(correction->child->controller)) {
        if (correction->child->keeps_history)
            write_reason(correction);
        count_afterwards(correction->child, correction->resource);
    }
    free(correction);
    return false;
}

static void plan_correction(struct child *child, const struct cluster_request *request)
{
    struct correction *correction = calloc(1, sizeof(*correction));

    if (!correction)
        return;
    correction->child = child;
    (void)text_copy(correction->resource, sizeof(correction->resource), request->resource);
    (void)text_copy(correction->text, sizeof(correction->text), request->text);
    controller_timer(child->controller, REASON_AFTER_MS, on_correction, correction);
}

/* Whether Pacemaker is to be told at all. Returns 0, or the -errno that vigild's table of answers has. */
static int judge(struct child *child, const struct cluster_request *request)
{
    struct resource_history history = { RESOURCE_UNKNOWN };
    int r;

    if (!controller_connected(child->controller))
        return -ENOTCONN;
    if (!child->exceptions_known && refresh(child) < 0)
        return -EAGAIN;
    if (resource_exceptions_have(&child->exceptions, request->resource))
        return -EPERM;
    r = controller_history(child->controller, child->node, request->resource, &history);
    if (r == -ENOSYS) { /* no view of the CIB: what is known can be out of date at once */
        child->exceptions_known = false;
        return 0;
    }
    if (r < 0)
        return r;
    if (history.standing == RESOURCE_STOPPING || history.standing == RESOURCE_STARTING)
        return -EINPROGRESS;
    if (history.standing == RESOURCE_FAILED)
        return -EALREADY;
    return history.standing == RESOURCE_RUNNING ? 0 : -ENOENT;
}

static void report(struct child *child, const struct cluster_request *request)
{
    int r = judge(child, request);
    uint64_t stamp;
    int64_t count;
    bool counted = r == 0 && controller_failure_count(child->controller, child->node, request->resource, &count) >= 0;

    if (r == 0 && cluster_request_is_stale(request, deadline_now_ms()))
        r = -ETIMEDOUT;
    if (r == 0 && (watch_registration_stamp(request->resource, &stamp) < 0 || stamp != request->stamp)) /* a stop has begun, or even a new start */
        r = -ENOENT;
    if (r == 0 && child->report_count >= REPORTS_MAX)
        r = -EAGAIN;
    if (r == 0 && counted)
        prepare_count(child, request->resource, count);
    if (r == 0)
        r = controller_fail(child->controller, child->node, request->resource, request->agent);
    if (r < 0) {
        send_answer(child, CLUSTER_ANSWER, request->id, r, NULL);
        return;
    }
    child->reports[child->report_count++] = (struct report){ request->id, deadline_in(ANSWER_LIMIT_MS) };
    plan_correction(child, request);
}

static void answer_oldest(struct child *child, int result)
{
    uint64_t id;

    if (child->report_count == 0)
        return;
    id = child->reports[0].id;
    memmove(&child->reports[0], &child->reports[1], --child->report_count * sizeof(child->reports[0]));
    send_answer(child, CLUSTER_ANSWER, id, result, NULL);
}

static void on_answer(void *context, int result)
{
    answer_oldest(context, result);
}

/* ---- the connection ------------------------------------------------------------------------------------------------------------- */

static void on_connection(void *context, bool connected, const char *why)
{
    struct child *child = context;

    send_answer(child, CLUSTER_CONNECTION, 0, connected, why);
    child->exceptions_known = false;
    if (connected)
        on_changed(child);
    while (!connected && child->report_count > 0)
        answer_oldest(child, -EPIPE);
}

static void connect_now(struct child *child)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    const struct cluster_node *own;

    if (cluster_view_read(&child->view, deadline_in(COMMAND_LIMIT_MS)) < 0) {
        send_answer(child, CLUSTER_CONNECTION, 0, 0, "Corosync does not answer");
        return;
    }
    own = cluster_view_node_of_id(&child->view, child->view.own_id);
    child->node = own && own->name[0] != '\0' ? own->name : NULL;
    if (!child->node)
        send_answer(child, CLUSTER_CONNECTION, 0, 0, "Corosync's configuration has no name for this node");
    else if (controller_connect(child->controller, &why) < 0)
        send_answer(child, CLUSTER_CONNECTION, 0, 0, why.text);
}

static bool on_tick(void *context)
{
    struct child *child = context;

    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    /* A node without a cluster is asked less often. */
    if (controller_connected(child->controller))
        child->attempts = 0;
    else if (child->attempts++ < CONNECT_EAGERLY || child->attempts % CONNECT_SELDOM == 0)
        connect_now(child);
    while (child->report_count > 0 && deadline_passed(child->reports[0].deadline))
        answer_oldest(child, -ETIMEDOUT);
    return true;
}

static void on_request(void *context)
{
    struct child *child = context;
    struct cluster_request request;
    ssize_t length = recv(child->socket, &request, sizeof(request), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length != (ssize_t)sizeof(request))
        controller_stop(child->controller);
    else if (request.kind == CLUSTER_REPORT)
        report(child, &request);
    else
        update_attribute(request.resource, request.agent);
}

int cluster_child_run(int socket, void *unused _unused_)
{
    static struct child child;
    static const struct controller_events events = { on_connection, on_answer, on_changed, on_counted };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };

    (void)prctl(PR_SET_NAME, "vigild-cluster");
    child.socket = socket;
    if (controller_open(&events, &child, &child.controller, &why) < 0) {
        send_answer(&child, CLUSTER_CONNECTION, 0, 0, why.text);
        (void)deadline_wait_fd(deadline_in(60000), socket, POLLIN); /* it may be installed meanwhile */
        return 1;
    }
    connect_now(&child);
    controller_watch_fd(child.controller, socket, on_request, &child);
    controller_timer(child.controller, CONNECT_AGAIN_MS, on_tick, &child);
    controller_run(child.controller);
    return 1;
}
