/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a fencer that does what the test's script says: its library is the test's own. The layouts are those of crm/stonith-ng.h. */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"
#include "cluster/fencer.h"

/* ---- the fencer's library ---------------------------------------------------------------------------------------------------------------- */

struct event {
    const char *id, *type, *message, *operation;
    int result;
    const char *origin, *target, *action, *executioner, *device, *client_origin;
    void *opaque;
};

struct history {
    const char *target, *action, *origin, *delegate, *client;
    int state;
    time_t completed;
    struct history *next;
    long completed_nsec;
    const char *exit_reason;
};

struct client {
    int state, call_id, call_timeout;
    void *internal;
    void **calls;
};

typedef void (*callback)(struct client *client, struct event *event);
typedef int (*socket_callback)(int fd, int events, void *data);

static void *calls[30];
static struct client client;
static callback on_fence, on_history;
static socket_callback on_socket;
static void *socket_data;
static struct history *history;
static bool unreachable, deleted;
static int step;
static void (*script)(int step);

static struct client *fake_new(void)
{
    client = (struct client){ .state = 2, .calls = calls };
    return &client;
}

static void fake_delete(struct client *gone)
{
    assert_ptr_equal(gone, &client);
    deleted = true;
}

static int fake_connect(struct client *one, const char *name, int *fd)
{
    assert_string_equal(name, "vigild");
    assert_null(fd); /* the main loop: without it the library does not see the end of a connection */
    one->state = unreachable ? 2 : 0;
    return unreachable ? -ENOTCONN : 0;
}

static int fake_history(struct client *one, int options, const char *node, struct history **ret, int timeout_s)
{
    (void)options;
    assert_ptr_equal(one, &client);
    assert_null(node);
    assert_true(timeout_s > 0);
    *ret = history;
    return 0;
}

static int fake_register(struct client *one, const char *event, callback function)
{
    (void)one;
    if (strcmp(event, "st_notify_fence") == 0)
        on_fence = function;
    else if (strcmp(event, "st_notify_history") == 0)
        on_history = function;
    return 0;
}

static void fake_free_history(struct history *gone)
{
    assert_ptr_equal(gone, history);
}

static const char *fake_reason(struct event *event)
{
    (void)event;
    return "no power";
}

static void fake_log(const char *name)
{
    (void)name;
}

static int fake_iterate(void *context, int may_block)
{
    assert_null(context);
    assert_int_equal(may_block, 1);
    script(step++);
    return 1;
}

static unsigned int fake_fd_add(int fd, int events, socket_callback function, void *data)
{
    (void)fd, (void)events;
    on_socket = function;
    socket_data = data;
    return 1;
}

static int fake_remove(unsigned int source)
{
    assert_int_equal(source, 1);
    return 1;
}

static const struct {
    const char *name;
    void *function;
} symbols_known[] = {
    { "stonith_api_new", fake_new },          { "stonith_api_delete", fake_delete },     { "stonith_history_free", fake_free_history },
    { "crm_log_cli_init", fake_log },         { "g_main_context_iteration", fake_iterate }, { "g_unix_fd_add", fake_fd_add },
    { "g_source_remove", fake_remove },       { "stonith__event_exit_reason", fake_reason },
};

int __wrap_library_load(const char *file, const char *package, const struct library_symbol *symbols, size_t count, struct text_buffer *why);
int __wrap_library_load(const char *file, const char *package, const struct library_symbol *symbols, size_t count, struct text_buffer *why)
{
    (void)package, (void)why;
    assert_string_equal(file, "libstonithd.so.26");
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;

        while (j < ARRAY_SIZE(symbols_known) && strcmp(symbols_known[j].name, symbols[i].name) != 0)
            j++;
        assert_true(j < ARRAY_SIZE(symbols_known));
        memcpy(symbols[i].address, &symbols_known[j].function, sizeof(void *));
    }
    return 0;
}

/* cibadmin */
static const char *devices;

int __wrap_child_run(const struct child_spec *spec, struct deadline deadline, struct child_result *ret);
int __wrap_child_run(const struct child_spec *spec, struct deadline deadline, struct child_result *ret)
{
    (void)deadline;
    assert_string_equal(spec->argv[0], "cibadmin");
    if (!devices)
        return -ETIMEDOUT;
    text_buffer_printf(&ret->output, "%s", devices);
    return 0;
}

/* ---- what is told ------------------------------------------------------------------------------------------------------------------------------ */

static char told[1024];

static void tell(void *context, const struct fencer_event *event)
{
    size_t length = strlen(told);

    (void)context;
    if (event->reached) {
        (void)text_format(told + length, sizeof(told) - length, "reached;");
        return;
    }
    assert_true(event->seen_ns > 0);
    (void)text_format(told + length, sizeof(told) - length, "%s %s %s %s%s%s;", event->ended ? "end" : "begin", event->target, event->action, event->client,
                      event->ended && event->executioner ? " by " : event->reason ? " " : "",
                      event->ended && event->executioner ? event->executioner : event->reason ? event->reason : "");
}

static void close_socket(void)
{
    (void)on_socket(0, 0, socket_data);
}

static int follow(void (*what)(int step))
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r;

    calls[1] = fake_connect;
    calls[15] = fake_history;
    calls[16] = fake_register;
    told[0] = '\0';
    step = 0;
    deleted = false;
    script = what;
    r = fencer_follow(0, tell, NULL, &why);
    assert_true(deleted);
    assert_true(r == 0 || why.length > 0);
    return r;
}

#define STOCK "<primitive id=\"a\" class=\"stonith\" type=\"fence_ipmilan\"/>"
#define OURS "<primitive id=\"a\" class=\"stonith\" type=\"fence_vigil_bmc\"/>"

static struct history old = { .target = "n1", .action = "reboot", .origin = "n2", .client = "controld.1", .state = 2 };
static struct history pending = { .target = "n1", .action = "reboot", .origin = "n2", .client = "controld.2", .state = 0, .next = &old };
static struct history unfencing = { .target = "n1", .action = "on", .origin = "n2", .client = "controld.2", .state = 0, .next = &old };
static struct event end = { .operation = "st_notify_fence", .target = "n1", .action = "reboot", .origin = "n2", .client_origin = "controld.2", .executioner = "n2" };

/* Begins, is looked at twice, ends; the history's change behind the end tells nothing more. */
static void fence_once(int which)
{
    static struct event change = { .operation = "st_notify_history" };

    switch (which) {
    case 0:
        history = &pending;
        on_history(&client, &change);
        break;
    case 1:
        pending.state = 1;
        on_history(&client, &change);
        break;
    case 2:
        on_fence(&client, &end);
        history = &old;
        on_history(&client, &change);
        break;
    default:
        close_socket();
    }
}

static void test_begin_and_end(void **state)
{
    (void)state;
    devices = STOCK;
    history = &old;
    pending.state = 0;
    assert_int_equal(follow(fence_once), 0);
    assert_string_equal(told, "reached;begin n1 reboot controld.2;end n1 reboot controld.2 by n2;");
    devices = NULL; /* the CIB does not answer */
    history = &old;
    assert_int_equal(follow(fence_once), 0);
    assert_string_equal(told, "reached;begin n1 reboot controld.2;end n1 reboot controld.2 by n2;");
    devices = OURS;
    history = &old;
    assert_int_equal(follow(fence_once), 0);
    assert_string_equal(told, "reached;");
}

/* What was under way as it connected may have been noted before: its end is told. */
static void fail_it(int which)
{
    struct event failed = end, nothing = { .operation = "st_notify_fence" };

    failed.executioner = NULL;
    failed.result = -EHOSTUNREACH;
    on_fence(&client, &nothing);
    on_fence(&client, &failed);
    if (which == 0)
        close_socket();
}

static void test_under_way_at_the_connection(void **state)
{
    (void)state;
    devices = STOCK;
    history = &pending;
    assert_int_equal(follow(fail_it), 0);
    assert_string_equal(told, "reached;end n1 reboot controld.2 no power;");
}

static void unfence(int which)
{
    struct event on = end;

    on.action = "on";
    history = &unfencing;
    on_history(&client, &on);
    if (which > 0) {
        on_fence(&client, &on);
        close_socket();
    }
}

static void test_what_takes_no_power(void **state)
{
    (void)state;
    devices = STOCK;
    history = NULL;
    assert_int_equal(follow(unfence), 0);
    assert_string_equal(told, "reached;");
}

static void lose(int which)
{
    assert_int_equal(which, 0);
    client.state = 2;
}

static void test_connection(void **state)
{
    (void)state;
    history = NULL;
    assert_int_equal(follow(lose), -ENOTCONN);
    unreachable = true;
    assert_int_equal(follow(lose), -ENOTCONN);
    unreachable = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_end),
        cmocka_unit_test(test_under_way_at_the_connection),
        cmocka_unit_test(test_what_takes_no_power),
        cmocka_unit_test(test_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
