/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/fencer.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"
#include "cluster/fencing_operations.h"

#define DEVICES_LIMIT_MS 5000
#define HISTORY_LIMIT_S 10

/* ---- what is used of Pacemaker's public interface (crm/stonith-ng.h, 2.1.0 to 2.1.9: libstonithd.so.26) ------------------------------- */

#define NOTIFY_FENCE "st_notify_fence"     /* T_STONITH_NOTIFY_FENCE: one has ended */
#define NOTIFY_HISTORY "st_notify_history" /* T_STONITH_NOTIFY_HISTORY: one has begun or ended, or the history was cleaned */
enum { STATE_DISCONNECTED = 2 };           /* enum stonith_state */
enum { OPERATION_QUERY, OPERATION_EXECUTE }; /* enum op_state: those that are under way */

typedef struct stonith_s fencer_client;

/* stonith_event_t: its first members. */
struct stonith_event {
    const char *id, *type, *message, *operation;
    int result;
    const char *origin, *target, *action, *executioner, *device, *client_origin;
};

/* stonith_history_t: its first members. */
struct stonith_history {
    const char *target, *action, *origin, *delegate, *client;
    int state;
    time_t completed;
    struct stonith_history *next;
};

typedef void (*notify_callback)(fencer_client *client, struct stonith_event *event);

/* stonith_api_operations_t: its first members. */
struct fencer_calls {
    int (*free)(fencer_client *client);
    int (*connect)(fencer_client *client, const char *name, int *fd);
    int (*disconnect)(fencer_client *client);
    void (*not_used[12])(void);
    int (*history)(fencer_client *client, int options, const char *node, struct stonith_history **history, int timeout_s);
    int (*register_notification)(fencer_client *client, const char *event, notify_callback callback);
};

struct stonith_s {
    int state, call_id, call_timeout;
    void *internal;
    const struct fencer_calls *calls;
};

struct library {
    fencer_client *(*new_client)(void);
    void (*delete_client)(fencer_client *client);
    void (*free_history)(struct stonith_history *history);
    const char *(*exit_reason)(struct stonith_event *event); /* in 2.1.3 and later: NULL where it is not there */
    void (*log_init)(const char *name);
    int (*iterate)(void *main_context, int may_block);
    unsigned int (*fd_add)(int fd, int events, int (*callback)(int fd, int events, void *data), void *data);
    int (*source_remove)(unsigned int source);
};

struct fencer {
    struct library library;
    fencer_client *client;
    struct fencing_operations operations;
    bool history_changed, socket_ready;
    void (*event)(void *context, const struct fencer_event *event);
    void *context;
};

/* The library gives its callbacks no context; there is one fencer in a process. */
static struct fencer *the_fencer;

/* What the library itself is linked with (libcrmcommon, GLib) is found through it. */
static int open_library(struct library *library, struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(library->new_client, "stonith_api_new"),
        LIBRARY_SYMBOL(library->delete_client, "stonith_api_delete"),
        LIBRARY_SYMBOL(library->free_history, "stonith_history_free"),
        LIBRARY_SYMBOL(library->log_init, "crm_log_cli_init"),
        LIBRARY_SYMBOL(library->iterate, "g_main_context_iteration"),
        LIBRARY_SYMBOL(library->fd_add, "g_unix_fd_add"),
        LIBRARY_SYMBOL(library->source_remove, "g_source_remove"),
    };
    const struct library_symbol reason[] = { LIBRARY_SYMBOL(library->exit_reason, "stonith__event_exit_reason") };
    int r = library_load("libstonithd.so.26", "libstonithd26", symbols, ARRAY_SIZE(symbols), why);

    if (r == 0 && library_load("libstonithd.so.26", "libstonithd26", reason, ARRAY_SIZE(reason), NULL) < 0)
        library->exit_reason = NULL;
    return r;
}

static uint64_t now_ns(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool takes_power(const char *action)
{
    return text_equal(action, "off") || text_equal(action, "reboot");
}

/* Asked at each fencing: devices come and go. Where the CIB does not answer, a fencing that is told twice is better than one that is not told. */
static bool is_noted_by_agents(void)
{
    static const char *const argv[] = { "cibadmin", "--query", "--no-children", "--xpath", "//*[@class='stonith']", NULL };
    const struct child_spec spec = { .argv = argv, .output_limit = 1024 * 1024 };
    _cleanup_child_result_ struct child_result result = { 0 };

    return child_run(&spec, deadline_in(DEVICES_LIMIT_MS), &result) == 0 && result.exit_code == 0 &&
           fencing_is_noted_by_agents(result.output.text, result.output.length);
}

/* ---- notifications --------------------------------------------------------------------------------------------------------------------- */

/* Read later: its event may still be on its way while another call waits for its answer. */
static void on_history(fencer_client *client _unused_, struct stonith_event *event _unused_)
{
    the_fencer->history_changed = true;
}

static void on_end(fencer_client *client _unused_, struct stonith_event *event)
{
    struct fencer *fencer = the_fencer;
    struct fencing_operation operation = fencing_operation_of(event->target, event->origin, event->client_origin);
    struct fencer_event told = { .ended = true, .seen_ns = now_ns(), .target = event->target, .origin = event->origin, .client = event->client_origin,
                                 .action = event->action, .executioner = event->executioner, .result = event->result };

    if (!event->target || !fencing_operations_end(&fencer->operations, &operation, told.seen_ns, &told.duration_ns) || !takes_power(event->action))
        return;
    told.reason = fencer->library.exit_reason && event->result != 0 ? fencer->library.exit_reason(event) : NULL;
    if (!is_noted_by_agents())
        fencer->event(fencer->context, &told);
}

static void take_history(struct fencer *fencer, const struct stonith_history *history, bool first)
{
    uint64_t now = now_ns();

    for (const struct stonith_history *each = history; each; each = each->next) {
        struct fencing_operation operation = fencing_operation_of(each->target, each->origin, each->client);
        const struct fencer_event told = { .seen_ns = now, .target = each->target, .origin = each->origin, .client = each->client, .action = each->action };

        if (!each->target || !takes_power(each->action) || (each->state != OPERATION_QUERY && each->state != OPERATION_EXECUTE))
            continue;
        if (fencing_operations_begin(&fencer->operations, &operation, !first, now) && !first && !is_noted_by_agents())
            fencer->event(fencer->context, &told);
    }
}

/* What was under way before the first look may have been noted before. */
static int read_history(struct fencer *fencer, bool first)
{
    struct stonith_history *history = NULL;
    int r = fencer->client->calls->history(fencer->client, 0, NULL, &history, HISTORY_LIMIT_S);

    if (r == 0)
        take_history(fencer, history, first);
    if (history)
        fencer->library.free_history(history);
    return r;
}

/* ---- the connection ------------------------------------------------------------------------------------------------------------------------ */

static int connect_fencer(struct fencer *fencer)
{
    fencer->client = fencer->library.new_client();
    if (!fencer->client || fencer->client->calls->connect(fencer->client, "vigild", NULL) < 0 ||
        fencer->client->calls->register_notification(fencer->client, NOTIFY_FENCE, on_end) < 0 ||
        fencer->client->calls->register_notification(fencer->client, NOTIFY_HISTORY, on_history) < 0)
        return -ENOTCONN;
    return read_history(fencer, true) == 0 ? 0 : -ENOTCONN;
}

static int on_socket(int fd _unused_, int events _unused_, void *data)
{
    struct fencer *fencer = data;

    fencer->socket_ready = true;
    return 1;
}

static void follow(struct fencer *fencer)
{
    while (!fencer->socket_ready && fencer->client->state != STATE_DISCONNECTED) {
        (void)fencer->library.iterate(NULL, 1);
        if (fencer->history_changed && fencer->client->state != STATE_DISCONNECTED) {
            fencer->history_changed = false;
            (void)read_history(fencer, false);
        }
    }
}

int fencer_follow(int socket, void (*event)(void *context, const struct fencer_event *event), void *context, struct text_buffer *why)
{
    struct fencer fencer = { .event = event, .context = context };
    int r = open_library(&fencer.library, why);
    unsigned int source;

    if (r < 0)
        return r;
    the_fencer = &fencer;
    fencer.library.log_init("vigild");
    r = connect_fencer(&fencer);
    source = r == 0 ? fencer.library.fd_add(socket, POLLIN | POLLHUP | POLLERR, on_socket, &fencer) : 0; /* enum GIOCondition has poll(2)'s numbers */
    if (r == 0) {
        event(context, &(struct fencer_event){ .reached = true });
        follow(&fencer);
    }
    if (source > 0)
        (void)fencer.library.source_remove(source);
    if (fencer.client)
        fencer.library.delete_client(fencer.client);
    the_fencer = NULL;
    if (fencer.socket_ready)
        return 0;
    text_buffer_printf(why, r < 0 ? "Pacemaker's fencer can't be reached" : "Pacemaker's fencer closed the connection");
    return -ENOTCONN;
}
