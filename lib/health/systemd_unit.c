/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/systemd_unit.h"

#include <ctype.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/library.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNIT "org.freedesktop.systemd1.Unit"
#define SERVICE "org.freedesktop.systemd1.Service"

/* A unit's name is at most 255 bytes: UNIT_NAME_MAX, systemd.unit(5). */
#define NAME_LIMIT 255

static struct {
    __typeof__(&sd_bus_open_system) open_system;
    __typeof__(&sd_bus_set_method_call_timeout) set_timeout;
    __typeof__(&sd_bus_call_method) call_method;
    __typeof__(&sd_bus_get_property_string) get_string;
    __typeof__(&sd_bus_get_property_trivial) get_trivial;
    __typeof__(&sd_bus_match_signal) match_signal;
    __typeof__(&sd_bus_process) process;
    __typeof__(&sd_bus_wait) wait;
    __typeof__(&sd_bus_message_read) read;
    __typeof__(&sd_bus_message_unref) unref;
    __typeof__(&sd_bus_flush_close_unref) close;
    __typeof__(&sd_bus_error_free) error_free;
} bus_api;

static int load(struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(bus_api.open_system, "sd_bus_open_system"),
        LIBRARY_SYMBOL(bus_api.set_timeout, "sd_bus_set_method_call_timeout"),
        LIBRARY_SYMBOL(bus_api.call_method, "sd_bus_call_method"),
        LIBRARY_SYMBOL(bus_api.get_string, "sd_bus_get_property_string"),
        LIBRARY_SYMBOL(bus_api.get_trivial, "sd_bus_get_property_trivial"),
        LIBRARY_SYMBOL(bus_api.match_signal, "sd_bus_match_signal"),
        LIBRARY_SYMBOL(bus_api.process, "sd_bus_process"),
        LIBRARY_SYMBOL(bus_api.wait, "sd_bus_wait"),
        LIBRARY_SYMBOL(bus_api.read, "sd_bus_message_read"),
        LIBRARY_SYMBOL(bus_api.unref, "sd_bus_message_unref"),
        LIBRARY_SYMBOL(bus_api.close, "sd_bus_flush_close_unref"),
        LIBRARY_SYMBOL(bus_api.error_free, "sd_bus_error_free"),
    };

    return bus_api.open_system ? 0 : library_load("libsystemd.so.0", "libsystemd0", symbols, ARRAY_SIZE(symbols), why);
}

static void cleanup_bus(sd_bus **bus)
{
    if (*bus)
        (void)bus_api.close(*bus);
}

static void cleanup_message(sd_bus_message **message)
{
    if (*message)
        (void)bus_api.unref(*message);
}

static void cleanup_error(sd_bus_error *error)
{
    bus_api.error_free(error);
}

/* sd-bus knows no deadline, only a time-out for each call: what is left. 0 would be its default of 25 s. */
static void bound_calls(sd_bus *bus, struct deadline deadline)
{
    uint64_t left_ms = deadline_left_ms(deadline);

    (void)bus_api.set_timeout(bus, (left_ms ? left_ms : 1) * 1000);
}

static int open_bus(struct deadline deadline, sd_bus **ret, struct text_buffer *why)
{
    int r = load(why);

    if (r < 0)
        return r;
    r = bus_api.open_system(ret);
    if (r < 0) {
        text_buffer_printf(why, "systemd can't be asked, the system's D-Bus is not reached: %s", strerror(-r));
        return r;
    }
    bound_calls(*ret, deadline);
    return 0;
}

static int refuse(const char *unit, const char *what, const sd_bus_error *error, int r, struct text_buffer *why)
{
    text_buffer_printf(why, "systemd did not %s unit %s: %s", what, unit,
                       error->message ? error->message : strerror(-r));
    return r;
}

/* LoadUnit also answers for a unit that is not there; its LoadState then says so. */
static int find_unit(sd_bus *bus, const char *unit, char *path, size_t size, struct text_buffer *why)
{
    _cleanup_(cleanup_error) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(cleanup_message) sd_bus_message *reply = NULL;
    const char *text = NULL;
    int r = bus_api.call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "LoadUnit", &error, &reply, "s", unit);

    if (r >= 0)
        r = bus_api.read(reply, "o", &text);
    if (r < 0)
        return refuse(unit, "find", &error, r, why);
    return text_copy(path, size, text) < 0 ? -ENAMETOOLONG : 0;
}

static int read_string(sd_bus *bus, const char *path, const char *interface, const char *name, char *buffer,
                       size_t size)
{
    _cleanup_(cleanup_error) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_free_ char *text = NULL;
    int r = bus_api.get_string(bus, DESTINATION, path, interface, name, &error, &text);

    if (r < 0)
        return r;
    return text_copy(buffer, size, text) < 0 ? -ENAMETOOLONG : 0;
}

/* A unit other than a service has neither: then they stay empty. */
static int read_service(sd_bus *bus, const char *path, struct unit_status *status)
{
    _cleanup_(cleanup_error) sd_bus_error error = SD_BUS_ERROR_NULL;
    uint32_t pid = 0;
    int r = bus_api.get_trivial(bus, DESTINATION, path, SERVICE, "MainPID", &error, 'u', &pid);

    if (r >= 0)
        r = read_string(bus, path, SERVICE, "ControlGroup", status->control_group, sizeof(status->control_group));
    status->main_pid = (pid_t)pid;
    return r;
}

static int read_status(sd_bus *bus, const char *unit, struct unit_status *status, struct text_buffer *why)
{
    char path[512];
    int r = find_unit(bus, unit, path, sizeof(path), why);

    if (r < 0)
        return r;
    r = read_string(bus, path, UNIT, "LoadState", status->load, sizeof(status->load));
    if (r >= 0)
        r = read_string(bus, path, UNIT, "ActiveState", status->active, sizeof(status->active));
    if (r >= 0)
        r = read_string(bus, path, UNIT, "SubState", status->sub, sizeof(status->sub));
    if (r >= 0 && text_ends_with(unit, ".service"))
        r = read_service(bus, path, status);
    if (r < 0)
        text_buffer_printf(why, "systemd does not tell the state of unit %s: %s", unit, strerror(-r));
    return r < 0 ? r : 0;
}

static int do_read(const char *unit, struct deadline deadline, struct unit_status *ret, struct text_buffer *why)
{
    _cleanup_(cleanup_bus) sd_bus *bus = NULL;
    int r = open_bus(deadline, &bus, why);

    return r < 0 ? r : read_status(bus, unit, ret, why);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

/* A job that is waited for. JobRemoved may come before the answer that names the job: so all results are kept by name. */
struct job {
    char path[128];
    char result[32];
    struct text_buffer removed; /* "PATH RESULT\n" of jobs seen so far */
};

static int on_job_removed(sd_bus_message *message, void *argument, sd_bus_error *error _unused_)
{
    struct job *job = argument;
    const char *path, *unit, *result;
    uint32_t id;

    if (bus_api.read(message, "uoss", &id, &path, &unit, &result) >= 0)
        text_buffer_printf(&job->removed, "%s %s\n", path, result);
    return 0;
}

static bool job_ended(struct job *job)
{
    size_t length = strlen(job->path);

    for (const char *line = job->removed.text; line && *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, job->path, length) != 0 || line[length] != ' ')
            continue;
        (void)text_format(job->result, sizeof(job->result), "%.*s", (int)strcspn(line + length + 1, "\n"),
                          line + length + 1);
        return true;
    }
    return false;
}

static int wait_job(sd_bus *bus, struct job *job, struct deadline deadline)
{
    while (!job_ended(job)) {
        int r = bus_api.process(bus, NULL);

        if (r < 0)
            return r;
        if (r > 0)
            continue;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        r = bus_api.wait(bus, deadline_left_ms(deadline) * 1000);
        if (r < 0 && r != -EINTR)
            return r;
    }
    return 0;
}

static int queue_job(sd_bus *bus, const char *unit, const char *method, struct job *job, struct text_buffer *why)
{
    _cleanup_(cleanup_error) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(cleanup_message) sd_bus_message *reply = NULL;
    const char *path = NULL;
    /* The manager sends signals only to who has subscribed. */
    int r = bus_api.call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "Subscribe", &error, NULL, "");

    if (r >= 0)
        r = bus_api.match_signal(bus, NULL, DESTINATION, MANAGER_PATH, MANAGER, "JobRemoved", on_job_removed, job);
    if (r >= 0)
        r = bus_api.call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, method, &error, &reply, "ss", unit,
                                "replace");
    if (r >= 0)
        r = bus_api.read(reply, "o", &path);
    if (r < 0)
        return refuse(unit, method, &error, r, why);
    return text_copy(job->path, sizeof(job->path), path) < 0 ? -ENAMETOOLONG : 0;
}

static int do_job(const char *unit, const char *method, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_(cleanup_bus) sd_bus *bus = NULL;
    struct job job = { 0 };
    int r = open_bus(deadline, &bus, why);

    if (r < 0)
        return r;
    r = queue_job(bus, unit, method, &job, why);
    if (r == 0) {
        r = wait_job(bus, &job, deadline);
        if (r == -ETIMEDOUT)
            text_buffer_printf(why, "the job %s of unit %s was not done in time", method, unit);
        else if (r < 0)
            text_buffer_printf(why, "the job %s of unit %s can't be followed: %s", method, unit, strerror(-r));
    }
    if (r == 0 && !text_equal(job.result, "done")) {
        text_buffer_printf(why, "the job %s of unit %s ended as '%s', see: journalctl -u %s", method, unit, job.result,
                           unit);
        r = -EPROTO;
    }
    text_buffer_free(&job.removed);
    return r;
}

static int do_kill(const char *unit, int signal, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_(cleanup_bus) sd_bus *bus = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = open_bus(deadline, &bus, why);

    if (r < 0)
        return r;
    r = bus_api.call_method(bus, DESTINATION, MANAGER_PATH, MANAGER, "KillUnit", &error, NULL, "ssi", unit, "all",
                            (int32_t)signal);
    if (r < 0)
        (void)refuse(unit, "kill", &error, r, why);
    bus_api.error_free(&error);
    return r < 0 ? r : 0;
}

/* ---- in a child ------------------------------------------------------------------------------------------------- */
/*
 * sd-bus waits up to 90 s for a D-Bus daemon that accepts a connection and says nothing, whatever time-out its calls were given: so
 * all of it runs in a child, whose end the deadline is.
 */

struct unit_call {
    const char *unit;
    const char *method; /* a job; NULL: none */
    int signal;         /* to kill with; 0: none */
    struct deadline deadline;
};

struct unit_reply {
    struct unit_status status;
    char reason[500];
};

static int call_systemd(void *argument, void *reply_bytes, size_t reply_size _unused_)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    const struct unit_call *call = argument;
    struct unit_reply *reply = reply_bytes;
    int r;

    if (call->method)
        r = do_job(call->unit, call->method, call->deadline, &why);
    else if (call->signal)
        r = do_kill(call->unit, call->signal, call->deadline, &why);
    else
        r = do_read(call->unit, call->deadline, &reply->status, &why);
    if (why.text)
        (void)text_format(reply->reason, sizeof(reply->reason), "%s", why.text);
    return r;
}

static int ask_systemd(struct unit_call *call, struct unit_reply *reply, struct text_buffer *why)
{
    int r;

    memset(reply, 0, sizeof(*reply));
    /* A moment more than the child has, so that it is the one to say what it waited for. */
    r = child_call(call_systemd, call, reply, sizeof(*reply), NULL, (struct deadline){ call->deadline.at_ms + 50 });
    if (r < 0 && reply->reason[0])
        text_buffer_printf(why, "%s", reply->reason);
    else if (r == -ETIMEDOUT)
        text_buffer_printf(why, "systemd, or the system's D-Bus, did not answer in time about unit %s", call->unit);
    else if (r < 0)
        text_buffer_printf(why, "systemd can't be asked about unit %s: %s", call->unit, strerror(-r));
    return r;
}

int unit_read(const char *unit, struct deadline deadline, struct unit_status *ret, struct text_buffer *why)
{
    struct unit_call call = { .unit = unit, .deadline = deadline };
    struct unit_reply reply;
    int r = ask_systemd(&call, &reply, why);

    *ret = reply.status;
    return r;
}

int unit_run_job(const char *unit, const char *method, struct deadline deadline, struct text_buffer *why)
{
    struct unit_call call = { .unit = unit, .method = method, .deadline = deadline };
    struct unit_reply reply;

    return ask_systemd(&call, &reply, why);
}

int unit_kill(const char *unit, int signal, struct deadline deadline, struct text_buffer *why)
{
    struct unit_call call = { .unit = unit, .signal = signal, .deadline = deadline };
    struct unit_reply reply;

    return ask_systemd(&call, &reply, why);
}

int unit_name_check(const char *name, struct text_buffer *why)
{
    static const char *const suffixes[] = { ".service", ".socket", ".target", ".path", ".timer", ".mount", ".slice" };
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        known = known || (text_ends_with(name, suffixes[i]) && strlen(name) > strlen(suffixes[i]));
    for (const char *next = name; *next; next++)
        known = known && (isalnum((unsigned char)*next) || strchr(":-_.\\@", *next));
    if (known && strlen(name) <= NAME_LIMIT)
        return 0;
    text_buffer_printf(why, "the name of a unit with its suffix is wanted, such as postgresql.service");
    return -EINVAL;
}
