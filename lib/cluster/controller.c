/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster/controller.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"

/* ---- what is used of Pacemaker's public interface (crm/common/ipc.h, ipc_controld.h, crm/cib/cib_types.h) ------------------------ */

typedef struct pcmk_ipc_api_s ipc_api;
typedef struct cib_s cib_client;
typedef struct _xmlNode xml_node;
typedef struct _xmlBuffer xml_buffer;

enum { IPC_EVENT_CONNECT, IPC_EVENT_DISCONNECT, IPC_EVENT_REPLY }; /* enum pcmk_ipc_event */
enum { IPC_DISPATCH_MAIN };                                         /* enum pcmk_ipc_dispatch */
enum { NODE_ATTRIBUTE_VALUE = 1 << 3 };                             /* enum pcmk__node_attr_opts */
enum { CIB_QUERY = 1 };                                             /* enum cib_conn_type */
enum { CIB_XPATH = 0x2, CIB_SYNC_CALL = 0x1000 };                   /* enum cib_call_options */
#define CIB_DIFF_EVENT "cib_diff_notify"                            /* T_CIB_DIFF_NOTIFY */

typedef void (*ipc_callback)(ipc_api *api, int event, int status, void *data, void *context);
typedef void (*cib_notify_callback)(const char *event, xml_node *message);
typedef int (*cib_signon)(cib_client *cib, const char *name, int type);
typedef int (*cib_add_notify)(cib_client *cib, const char *event, cib_notify_callback callback);
typedef int (*cib_set_lost)(cib_client *cib, void (*callback)(void *context));
typedef int (*cib_query)(cib_client *cib, const char *section, xml_node **output, int options);

/* Where libcib keeps its calls: the one part whose layout differs between 2.1 and 3.0. Counted in pointers. */
struct cib_layout {
    const char *library;
    unsigned int calls_offset; /* of cib_t's member cmds, in bytes */
    unsigned int signon, signoff, add_notify, set_lost, query;
};
static const struct cib_layout cib_layouts[] = {
    { "libcib.so.54", 48, 0, 1, 3, 5, 8 }, /* 3.0 */
    { "libcib.so.27", 56, 0, 2, 5, 7, 11 }, /* 2.1 */
};

struct calls {
    int (*new_api)(ipc_api **api, int server);
    void (*free_api)(ipc_api *api);
    const char *(*api_name)(const ipc_api *api, bool for_log);
    void (*set_callback)(ipc_api *api, ipc_callback callback, void *context);
    int (*connect)(ipc_api *api, int dispatch);
    int (*fail)(ipc_api *api, const char *node, const char *router, const char *resource, const char *long_id, const char *standard,
                const char *provider, const char *type);
    /* pcmk__attrd_api_update, in 2.1.5 or later: NULL where it is not there */
    int (*set_attribute)(ipc_api *api, const char *node, const char *name, const char *value, const char *dampen, const char *set, const char *user,
                         uint32_t options);
    int (*log_init)(const char *name, uint8_t level, int daemon, int to_stderr, int count, char **arguments, int quiet);
    void (*free_xml)(xml_node *node);
    cib_client *(*cib_new)(void);
    void (*cib_delete)(cib_client *cib);
    xml_buffer *(*buffer_new)(void);
    int (*dump)(xml_buffer *buffer, void *document, xml_node *node, int level, int format);
    const char *(*buffer_text)(const xml_buffer *buffer);
    void (*buffer_free)(xml_buffer *buffer);
    void *(*loop_new)(void *main_context, int running);
    void (*loop_run)(void *loop);
    void (*loop_quit)(void *loop);
    unsigned int (*fd_add)(int fd, int events, int (*callback)(int fd, int events, void *data), void *data);
    unsigned int (*timer_add)(unsigned int ms, int (*callback)(void *data), void *data);
};

struct controller {
    struct calls calls;
    const struct cib_layout *layout; /* NULL: libcib is of a version that is not known here */
    struct controller_events events;
    void *context;
    ipc_api *api;
    ipc_api *attributes; /* the attribute manager, once it was needed */
    cib_client *cib;
    bool connected;
    void *loop;
    bool stopped;
};

/* libcib gives its callbacks no context of their own; there is one controller in a process. */
static struct controller *the_controller;

/* ---- loading --------------------------------------------------------------------------------------------------------------- */

/* The version of libcrmcommon differs from release to release; what is used of it does not. The newest first: an upgrade may leave the old one behind. */
static int load_common(struct calls *calls, struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(calls->new_api, "pcmk_new_ipc_api"),
        LIBRARY_SYMBOL(calls->free_api, "pcmk_free_ipc_api"),
        LIBRARY_SYMBOL(calls->api_name, "pcmk_ipc_name"),
        LIBRARY_SYMBOL(calls->set_callback, "pcmk_register_ipc_callback"),
        LIBRARY_SYMBOL(calls->connect, "pcmk_connect_ipc"),
        LIBRARY_SYMBOL(calls->fail, "pcmk_controld_api_fail"),
        LIBRARY_SYMBOL(calls->log_init, "crm_log_init"),
    };
    const struct library_symbol old_free[] = { LIBRARY_SYMBOL(calls->free_xml, "free_xml") };
    const struct library_symbol new_free[] = { LIBRARY_SYMBOL(calls->free_xml, "pcmk__xml_free") };
    const struct library_symbol attribute[] = { LIBRARY_SYMBOL(calls->set_attribute, "pcmk__attrd_api_update") };
    char file[64];

    for (int version = 120; version >= 30; version--) {
        (void)text_format(file, sizeof(file), "libcrmcommon.so.%d", version);
        if (library_load(file, "", symbols, ARRAY_SIZE(symbols), NULL) == 0 &&
            (library_load(file, "", old_free, 1, NULL) == 0 || library_load(file, "", new_free, 1, NULL) == 0)) {
            if (library_load(file, "", attribute, 1, NULL) < 0)
                calls->set_attribute = NULL;
            return 0;
        }
    }
    text_buffer_printf(why, "Pacemaker's library libcrmcommon can't be loaded, install package pacemaker");
    return -ELIBACC;
}

static const struct cib_layout *load_cib(struct calls *calls)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(calls->cib_new, "cib_new"),
        LIBRARY_SYMBOL(calls->cib_delete, "cib_delete"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(cib_layouts); i++)
        if (library_load(cib_layouts[i].library, "libcib27", symbols, ARRAY_SIZE(symbols), NULL) == 0)
            return &cib_layouts[i];
    return NULL;
}

static int load_helpers(struct calls *calls, struct text_buffer *why)
{
    const struct library_symbol xml[] = {
        LIBRARY_SYMBOL(calls->buffer_new, "xmlBufferCreate"),
        LIBRARY_SYMBOL(calls->dump, "xmlNodeDump"),
        LIBRARY_SYMBOL(calls->buffer_text, "xmlBufferContent"),
        LIBRARY_SYMBOL(calls->buffer_free, "xmlBufferFree"),
    };
    const struct library_symbol glib[] = {
        LIBRARY_SYMBOL(calls->loop_new, "g_main_loop_new"),
        LIBRARY_SYMBOL(calls->loop_run, "g_main_loop_run"),
        LIBRARY_SYMBOL(calls->loop_quit, "g_main_loop_quit"),
        LIBRARY_SYMBOL(calls->fd_add, "g_unix_fd_add"),
        LIBRARY_SYMBOL(calls->timer_add, "g_timeout_add"),
    };
    int r = library_load("libxml2.so.2", "libxml2", xml, ARRAY_SIZE(xml), why);

    return r < 0 ? r : library_load("libglib-2.0.so.0", "libglib2.0-0", glib, ARRAY_SIZE(glib), why);
}

int controller_open(const struct controller_events *events, void *context, struct controller **ret, struct text_buffer *why)
{
    struct controller *controller = calloc(1, sizeof(*controller));
    int r;

    if (!controller)
        return -ENOMEM;
    r = load_common(&controller->calls, why);
    if (r == 0)
        r = load_helpers(&controller->calls, why);
    if (r < 0) {
        free(controller);
        return r;
    }
    controller->layout = load_cib(&controller->calls);
    controller->events = *events;
    controller->context = context;
    (void)controller->calls.log_init("vigild", LOG_ERR, 0, 0, 0, NULL, 1); /* as Pacemaker's own programs do; 3.0 has no crm_log_cli_init() */
    the_controller = controller;
    *ret = controller;
    return 0;
}

/* ---- servers ---------------------------------------------------------------------------------------------------------------- */

/* The number of a server differs between 2.1 (attrd 0, controld 2) and 3.0 (1 and 3, and an assertion at 0); what it is called does less so. NULL where there is
 * none. */
static ipc_api *new_api(struct controller *controller, const char *name, const char *newer_name)
{
    static const int servers[] = { 1, 2, 3, 0 };

    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        ipc_api *api = NULL;
        const char *found;

        if (controller->calls.new_api(&api, servers[i]) != 0 || !api)
            continue;
        found = controller->calls.api_name(api, false);
        if (text_equal(found, name) || text_equal(found, newer_name) || (text_equal(name, "crmd") && text_equal(found, "controld")))
            return api;
        controller->calls.free_api(api);
    }
    return NULL;
}

/* ---- the CIB ---------------------------------------------------------------------------------------------------------------- */

/* Call number `index` of the table that the client points to. */
static void *cib_call(const struct controller *controller, unsigned int index)
{
    void *const *calls;
    void *call;

    memcpy(&calls, (const char *)controller->cib + controller->layout->calls_offset, sizeof(calls));
    memcpy(&call, &calls[index], sizeof(call));
    return call;
}

/* ISO C has no conversion from an object's address to a function's; POSIX has (dlsym). An expression of statements: cppcheck does not know what comes of
 * it. */
#define CALL_AS(type, address)                  \
    ({                                          \
        void *address_ = (address);             \
        type call_;                             \
        memcpy(&call_, &address_, sizeof(call_)); \
        call_;                                  \
    })

static char *xml_text(const struct controller *controller, xml_node *node)
{
    xml_buffer *buffer = controller->calls.buffer_new();
    char *text = NULL;

    if (!buffer)
        return NULL;
    if (controller->calls.dump(buffer, NULL, node, 0, 0) >= 0 && controller->calls.buffer_text(buffer))
        text = strdup(controller->calls.buffer_text(buffer));
    controller->calls.buffer_free(buffer);
    return text;
}

static void on_cib_change(const char *event _unused_, xml_node *message)
{
    _cleanup_free_ char *text = xml_text(the_controller, message);

    if (!text || strstr(text, "/cib/configuration") || strstr(text, "\"maintenance\""))
        the_controller->events.changed(the_controller->context);
    if (text && strstr(text, "\"fail-count-"))
        the_controller->events.counted(the_controller->context, text, strlen(text));
}

static void lose_connection(struct controller *controller, const char *why)
{
    if (!controller->connected)
        return;
    controller->connected = false;
    controller->events.connection(controller->context, false, why);
}

static void on_cib_lost(void *context _unused_)
{
    lose_connection(the_controller, "the CIB manager closed the connection");
}

static int connect_cib(struct controller *controller)
{
    int r;

    if (!controller->layout)
        return 0;
    if (controller->cib)
        controller->calls.cib_delete(controller->cib);
    controller->cib = controller->calls.cib_new();
    if (!controller->cib)
        return -ENOMEM;
    /* cppcheck-suppress AssignmentAddressToInteger */
    r = CALL_AS(cib_signon, cib_call(controller, controller->layout->signon))(controller->cib, "vigild", CIB_QUERY);
    if (r == 0)
        /* cppcheck-suppress AssignmentAddressToInteger */
        r = CALL_AS(cib_add_notify, cib_call(controller, controller->layout->add_notify))(controller->cib, CIB_DIFF_EVENT, on_cib_change);
    if (r >= 0)
        /* cppcheck-suppress AssignmentAddressToInteger */
        r = CALL_AS(cib_set_lost, cib_call(controller, controller->layout->set_lost))(controller->cib, on_cib_lost);
    return r < 0 ? -ENOTCONN : 0;
}

/* A name goes into an XPath text, in quotes: one that holds a quote is nobody's id (an XML ID has none). */
static bool is_plain(const char *name)
{
    return !strpbrk(name, "'\"<>&");
}

/* What the CIB has there. Returns 0, -ENOENT or another -errno. */
static int query(struct controller *controller, const char *xpath, char **ret)
{
    xml_node *found = NULL;
    int r;

    if (!controller->layout)
        return -ENOSYS;
    if (!controller->connected)
        return -ENOTCONN;
    /* cppcheck-suppress AssignmentAddressToInteger */
    r = CALL_AS(cib_query, cib_call(controller, controller->layout->query))(controller->cib, xpath, &found, CIB_XPATH | CIB_SYNC_CALL);
    if (r == -ENXIO)
        return -ENOENT;
    if (r < 0 || !found)
        return r < 0 ? -ENOTCONN : -ENOENT;
    *ret = xml_text(controller, found);
    controller->calls.free_xml(found);
    return *ret ? 0 : -ENOMEM;
}

int controller_history(struct controller *controller, const char *node, const char *resource, struct resource_history *ret)
{
    _cleanup_free_ char *xpath = text_printf("//node_state[@uname='%s']//lrm_resource[@id='%s']", node, resource);
    _cleanup_free_ char *text = NULL;
    int r;

    if (!xpath || !is_plain(node) || !is_plain(resource))
        return xpath ? -ENOENT : -ENOMEM;
    r = query(controller, xpath, &text);
    return r < 0 ? r : resource_history_parse(text, strlen(text), ret);
}

int controller_failure_count(struct controller *controller, const char *node, const char *resource, int64_t *ret)
{
    _cleanup_free_ char *xpath = NULL, *text = NULL;
    char name[300];
    int r = failure_count_name(resource, name, sizeof(name));

    if (r < 0)
        return r;
    xpath = text_printf("//node_state[@uname='%s']/transient_attributes//nvpair[@name='%s']", node, name);
    if (!xpath || !is_plain(node) || !is_plain(resource))
        return xpath ? -ENOENT : -ENOMEM;
    r = query(controller, xpath, &text);
    if (r == 0)
        r = failure_count_parse(text, strlen(text), name, ret);
    if (r == -ENOENT)
        *ret = 0;
    return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

bool controller_below_threshold(struct controller *controller, const char *node, const char *resource, int64_t more)
{
    _cleanup_free_ char *xpath = text_printf("//node_state[@uname='%s']/transient_attributes//nvpair[starts-with(@name,'fail-count-%s#')]", node, resource);
    _cleanup_free_ char *configured = NULL, *counted = NULL;
    int64_t least = INT64_MAX, total = 0;
    int r;

    if (!xpath || !is_plain(node) || !is_plain(resource))
        return false;
    r = query(controller, "//configuration//nvpair[@name='migration-threshold']", &configured);
    if (r == 0)
        least = failure_threshold_parse(configured, strlen(configured));
    else if (r != -ENOENT)
        return false;
    r = query(controller, xpath, &counted);
    if (r == 0)
        total = failure_total_parse(counted, strlen(counted), resource);
    else if (r != -ENOENT)
        return false;
    return total < least && least - total > more;
}

bool controller_version(struct controller *controller, char *buffer, size_t size)
{
    _cleanup_free_ char *text = NULL;

    if (query(controller, "//crm_config//nvpair[@name='dc-version']", &text) == 0 && pacemaker_version_parse(text, strlen(text), buffer, size))
        return true;
    buffer[0] = '\0';
    return false;
}

/* Through the library where it has the call (2.1.5 and later): a program of its own takes ten times as long. */
int controller_set_attribute(struct controller *controller, const char *node, const char *name, const char *value, struct deadline deadline)
{
    const char *const argv[] = { "attrd_updater", "--node", node, "--name", name, "--update", value, NULL };
    const struct child_spec spec = { .argv = argv };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r;

    if (controller->calls.set_attribute && !controller->attributes)
        controller->attributes = new_api(controller, "attrd", "pacemaker-attrd");
    if (controller->attributes && controller->calls.set_attribute(controller->attributes, node, name, value, NULL, NULL, NULL, NODE_ATTRIBUTE_VALUE) == 0)
        return 0;
    if (controller->attributes)
        controller->calls.free_api(controller->attributes);
    controller->attributes = NULL;
    r = child_run(&spec, deadline, &result);
    if (r < 0)
        return r;
    return result.exit_code == 0 ? 0 : -ENOTCONN;
}

int controller_exceptions(const char *node, struct deadline deadline, struct resource_exceptions *ret)
{
    static const char *const argv[] = { "crm_mon", "--one-shot", "--output-as=xml", "--include=resources", NULL };
    const struct child_spec spec = { .argv = argv, .output_limit = 8 * 1024 * 1024 };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r = child_run(&spec, deadline, &result);

    if (r < 0)
        return r;
    if (result.exit_code != 0 || !result.output.text)
        return -ENOTCONN;
    return resource_exceptions_parse(result.output.text, result.output.length, node, ret);
}

/* ---- the controller ---------------------------------------------------------------------------------------------------------- */

static void on_controller(ipc_api *api _unused_, int event, int status, void *data _unused_, void *context)
{
    struct controller *controller = context;

    if (event == IPC_EVENT_DISCONNECT)
        lose_connection(controller, "the controller closed the connection");
    else if (event == IPC_EVENT_REPLY)
        controller->events.answer(controller->context, status == 0 ? 0 : -EREMOTEIO);
}

int controller_connect(struct controller *controller, struct text_buffer *why)
{
    int r;

    if (controller->connected)
        return 0;
    if (controller->api)
        controller->calls.free_api(controller->api);
    if (controller->attributes)
        controller->calls.free_api(controller->attributes);
    controller->attributes = NULL;
    controller->api = new_api(controller, "crmd", "pacemaker-controld");
    r = controller->api ? 0 : -ENOTCONN;
    if (r == 0) {
        controller->calls.set_callback(controller->api, on_controller, controller);
        r = controller->calls.connect(controller->api, IPC_DISPATCH_MAIN) == 0 ? 0 : -ENOTCONN;
    }
    if (r < 0) {
        text_buffer_printf(why, "Pacemaker's controller can't be reached");
        return r;
    }
    r = connect_cib(controller);
    if (r < 0) {
        text_buffer_printf(why, "Pacemaker's CIB manager can't be reached");
        return r;
    }
    controller->connected = true;
    controller->events.connection(controller->context, true, NULL);
    return 0;
}

bool controller_connected(const struct controller *controller)
{
    return controller->connected;
}

int controller_fail(struct controller *controller, const char *node, const char *resource, const char *agent)
{
    if (!controller->connected)
        return -ENOTCONN;
    return controller->calls.fail(controller->api, node, NULL, resource, NULL, "ocf", "vigil", agent) == 0 ? 0 : -ENOTCONN;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------------ */

struct loop_callback {
    void (*ready)(void *context);
    bool (*timer)(void *context);
    void *context;
};

static int on_fd(int fd _unused_, int events _unused_, void *data)
{
    const struct loop_callback *callback = data;

    callback->ready(callback->context);
    return 1;
}

static int on_timer(void *data)
{
    struct loop_callback *callback = data;

    if (callback->timer(callback->context))
        return 1;
    free(callback);
    return 0;
}

void controller_watch_fd(struct controller *controller, int fd, void (*callback)(void *context), void *context)
{
    struct loop_callback *own = calloc(1, sizeof(*own));

    if (!own)
        return;
    *own = (struct loop_callback){ .ready = callback, .context = context };
    (void)controller->calls.fd_add(fd, POLLIN | POLLHUP | POLLERR, on_fd, own); /* enum GIOCondition has poll(2)'s numbers */
}

void controller_timer(struct controller *controller, uint32_t ms, bool (*callback)(void *context), void *context)
{
    struct loop_callback *own = calloc(1, sizeof(*own));

    if (!own)
        return;
    *own = (struct loop_callback){ .timer = callback, .context = context };
    (void)controller->calls.timer_add(ms, on_timer, own);
}

void controller_run(struct controller *controller)
{
    controller->loop = controller->calls.loop_new(NULL, 0);
    if (controller->loop && !controller->stopped)
        controller->calls.loop_run(controller->loop);
}

void controller_stop(struct controller *controller)
{
    controller->stopped = true;
    if (controller->loop)
        controller->calls.loop_quit(controller->loop);
}
