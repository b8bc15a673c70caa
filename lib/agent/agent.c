/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/agent.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "agent/metadata.h"
#include "agent/note.h"
#include "base/child.h"
#include "base/file.h"
#include "base/number.h"

/* The agent ends by itself this much before Pacemaker would kill it: 5 % of the time-out, between these bounds. */
#define MARGIN_MINIMUM_MS 200
#define MARGIN_MAXIMUM_MS 2000

extern char **environ;

/* Pacemaker before 3.0.2 keeps the first 128 bytes (services_linux.c, EXIT_REASON_MAX_LEN): a character that they would cut in two would be invalid
 * in the CIB. */
#define REASON_KEPT 128

static void spare_cut_character(char *text)
{
    char *cut = text + REASON_KEPT;

    if (strlen(text) <= REASON_KEPT || ((unsigned char)*cut & 0xc0) != 0x80)
        return;
    while (((unsigned char)*cut & 0xc0) == 0x80)
        *cut-- = '?';
    *cut = '?';
    for (cut = text + REASON_KEPT + 1; ((unsigned char)*cut & 0xc0) == 0x80; cut++)
        *cut = '?';
}

/* Pacemaker takes the last such line of an action for its status display, a person the first; so there is only one. The last resort, which would give
 * another, waits while this one is given. */
static void give_reason(struct agent_run *run, const char *text)
{
    sigset_t alarm, before;

    (void)sigemptyset(&alarm);
    (void)sigaddset(&alarm, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &alarm, &before);
    if (!run->reason_given)
        (void)fprintf(stderr, "ocf-exit-reason:%s\n", text ? text : "out of memory");
    run->reason_given = true;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

enum ocf_code agent_fail(struct agent_run *run, enum ocf_code code, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        spare_cut_character(text_make_printable(text));
    give_reason(run, text);
    /* A probe that finds nothing is the usual case on a standby: no error. */
    log_line(run->probe && (code == OCF_NOT_RUNNING || code == OCF_ERR_INSTALLED) ? LOG_INFO : LOG_ERR, "%s: %s",
             run->action ? run->action->name : "call", text ? text : "out of memory");
    return code;
}

const char *agent_meta(const char *name)
{
    char variable[128];
    const char *value;

    if (text_format(variable, sizeof(variable), "OCF_RESKEY_CRM_meta_%s", name) < 0)
        return NULL;
    value = getenv(variable);
    return text_empty(value) ? NULL : value;
}

/* Writes an instance's name as a file's name, so that no two instances share one: what Pacemaker's ids are made of stays, the rest (and a first dot) becomes
 * %XX. Returns 0 or -ENAMETOOLONG. */
static int name_file(const char *instance, char *buffer, size_t size)
{
    size_t length = 0;

    for (const char *next = instance; *next; next++) {
        bool plain = isalnum((unsigned char)*next) || (strchr("-_:.", *next) && !(*next == '.' && next == instance));
        int r = text_format(buffer + length, size - length, plain ? "%c" : "%%%02X", (unsigned char)*next);

        if (r < 0)
            return r;
        length += (size_t)r;
    }
    return 0;
}

int agent_state_path(const struct agent_run *run, const char *suffix, char *buffer, size_t size)
{
    char name[NAME_MAX] = "", folder[256];
    int r = name_file(run->instance, name, sizeof(name));

    if (r < 0)
        return r;
    r = text_format(folder, sizeof(folder), "%s/%s", VIGIL_RUNDIR, run->agent->name);
    if (r < 0)
        return r;
    r = file_make_directory(folder, 0755);
    if (r < 0)
        return r;
    /* No name has an '@': the lock of resource "a" is not the state of a resource "a.lock". */
    r = text_format(buffer, size, "%s/%s%s%s", folder, name, suffix ? "@" : "", suffix ? suffix : "");
    return r < 0 ? r : 0;
}

/* The value of a parameter under one of its names; an empty one counts as not given, as with the stock agents. */
static const char *find_value(const struct param *param)
{
    const char *const *alias = param->aliases;
    const char *name = param->name;

    for (;;) {
        char variable[128];
        const char *value;

        if (text_format(variable, sizeof(variable), "OCF_RESKEY_%s", name) < 0)
            return NULL;
        value = getenv(variable);
        if (!text_empty(value))
            return value;
        if (!alias || !*alias)
            return NULL;
        name = *alias++;
    }
}

static enum ocf_code read_parameters(struct agent_run *run, void *config)
{
    const struct param *table = run->agent->params;

    param_set_defaults(table, config);
    for (const struct param *param = table; param && param->name; param++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };
        const char *value = find_value(param);

        if (!value && param->required)
            return agent_fail(run, OCF_ERR_CONFIGURED, "parameter %s is required and not set: %s", param->name,
                              param->shortdesc);
        if (value && param_parse(param, value, config, &why) < 0)
            return agent_fail(run, OCF_ERR_CONFIGURED, "%s", why.text ? why.text : param->name);
    }
    return OCF_SUCCESS;
}

/* A mistyped name would silently be a default. Said where a person reads it, not at each monitor. */
static void warn_unknown_parameters(const struct agent_run *run)
{
    for (char **variable = environ; *variable; variable++) {
        const char *name = text_after(*variable, "OCF_RESKEY_");
        _cleanup_free_ char *copy = NULL;

        if (!name || text_after(name, "CRM_meta_") || text_after(name, "crm_feature_set"))
            continue;
        copy = strndup(name, strcspn(name, "="));
        if (copy && !param_find(run->agent->params, copy))
            log_warning("parameter %s is not known to %s and has no effect", copy, run->agent->name);
    }
}

/* `NAME=VALUE` behind the action, for calls by hand: the same as the environment. Returns 0 or -EINVAL. */
static int import_arguments(int argc, char *argv[])
{
    for (int i = 2; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        char variable[128];

        if (text_equal(argv[i], "-o"))
            continue;
        if (!equals ||
            text_format(variable, sizeof(variable), "OCF_RESKEY_%.*s", (int)(equals - argv[i]), argv[i]) < 0 ||
            setenv(variable, equals + 1, 1) < 0)
            return -EINVAL;
    }
    return 0;
}

/* Pacemaker's time-out of the action, in milliseconds. */
static uint64_t read_timeout_ms(const struct agent_action *action)
{
    const char *text = agent_meta("timeout");
    uint64_t timeout_ms = 0;

    if (!text || number_parse_duration(text, 1, &timeout_ms) < 0 || timeout_ms == 0)
        timeout_ms = action->timeout_s ? (uint64_t)action->timeout_s * 1000 : 20000;
    return timeout_ms;
}

static uint64_t margin_of(uint64_t timeout_ms)
{
    uint64_t margin_ms = timeout_ms / 20;

    if (margin_ms < MARGIN_MINIMUM_MS)
        margin_ms = MARGIN_MINIMUM_MS;
    if (margin_ms > MARGIN_MAXIMUM_MS)
        margin_ms = MARGIN_MAXIMUM_MS;
    return timeout_ms > 2 * margin_ms ? margin_ms : timeout_ms / 2;
}

static enum ocf_code read_depth(struct agent_run *run)
{
    const char *text = getenv("OCF_CHECK_LEVEL");
    const unsigned int *depth = run->agent->depths;
    uint64_t value = 0;

    if (text_empty(text))
        return OCF_SUCCESS;
    if (number_parse_unsigned(text, UINT_MAX - 1, &value) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "OCF_CHECK_LEVEL is '%s': not a whole number", text);
    run->depth = (unsigned int)value;
    if (value == 0 || !text_equal(run->action->name, "monitor"))
        return OCF_SUCCESS;
    for (; depth && *depth != UINT_MAX; depth++) {
        if (*depth == value)
            return OCF_SUCCESS;
    }
    return agent_fail(run, OCF_ERR_CONFIGURED, "OCF_CHECK_LEVEL is '%s': %s does not know this depth", text,
                      run->agent->name);
}

static const struct agent_action *find_action(const struct agent *agent, const char *name)
{
    static const struct agent_action validate_all = { .name = "validate-all", .timeout_s = 20 };

    for (const struct agent_action *action = agent->actions; action->name; action++) {
        if (text_equal(action->name, name))
            return action;
    }
    return text_equal(name, "validate-all") ? &validate_all : NULL;
}

/* Pacemaker leaves the interval out where it is 0 (and so do the stock agents' shell functions take it): that is a probe. */
static bool is_probe(const struct agent_action *action)
{
    const char *interval = agent_meta("interval");

    return text_equal(action->name, "monitor") && (!interval || interval[strspn(interval, "0")] == '\0');
}

static void describe_run(struct agent_run *run, char *log_name, size_t size)
{
    const char *instance = getenv("OCF_RESOURCE_INSTANCE");
    uint64_t timeout_ms = read_timeout_ms(run->action);

    run->instance = text_empty(instance) ? run->agent->name : instance;
    run->deadline = deadline_in(timeout_ms - margin_of(timeout_ms));
    run->probe = is_probe(run->action);
    run->clone = agent_meta("clone") != NULL;
    run->dry_run = text_equal(run->action->name, "validate-all");
    (void)text_format(log_name, size, "%s(%s)", run->agent->name, run->instance);
    log_open(log_name);
}

/* ---- the last resort ---------------------------------------------------------------------------------------------- */

/* Every wait has the deadline; what blocks without being a wait of ours (a name service, a log on a disk that hangs) has not. */
static struct {
    const struct agent_run *run;
    char reason[256];
    size_t length;
} last_resort;

static void end_at_deadline(int signal_number _unused_)
{
    if (!last_resort.run->reason_given)
        (void)!write(STDERR_FILENO, last_resort.reason, last_resort.length);
    _exit(OCF_ERR_GENERIC);
}

static void arm_last_resort(const struct agent_run *run)
{
    struct sigaction action = { .sa_handler = end_at_deadline };
    uint64_t timeout_ms = read_timeout_ms(run->action);
    uint64_t last_ms = timeout_ms - margin_of(timeout_ms) / 8; /* what ends by its deadline gets most of the margin to say so */
    struct itimerval timer = { .it_value = { .tv_sec = (time_t)(last_ms / 1000), .tv_usec = (long)(last_ms % 1000) * 1000 } };
    sigset_t set;

    last_resort.run = run;
    (void)text_format(last_resort.reason, sizeof(last_resort.reason), "ocf-exit-reason:%s of %.100s hung until its time-out in a call "
                      "that is not its own (log, name service): look at this node's disks and services\n", run->action->name, run->instance);
    last_resort.length = strlen(last_resort.reason);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* A start and a stop are noted for the flight recorder; a monitor is not, since it is the hot path. */
static enum ocf_code call_action(struct agent_run *run, const void *config)
{
    bool start = text_equal(run->action->name, "start");
    struct note note = { .kind = start ? "start-begin" : "stop-begin", .resource = run->instance };
    uint64_t begin_ns;
    enum ocf_code code;

    if (!start && !text_equal(run->action->name, "stop"))
        return run->action->function(run, config);
    (void)agent_note(&note);
    begin_ns = note_clock_ns();
    code = run->action->function(run, config);
    note.kind = start ? "start-end" : "stop-end";
    note.value = code;
    note.duration_ns = note_clock_ns() - begin_ns;
    (void)agent_note(&note);
    return code;
}

static enum ocf_code run_action(struct agent_run *run)
{
    _cleanup_free_ void *config = calloc(1, run->agent->config_size ? run->agent->config_size : 1);
    enum ocf_code code;

    if (!config)
        return agent_fail(run, OCF_ERR_GENERIC, "out of memory");
    code = read_depth(run);
    if (code == OCF_SUCCESS)
        code = read_parameters(run, config);
    if (code == OCF_SUCCESS && (run->dry_run || text_equal(run->action->name, "start")))
        warn_unknown_parameters(run);
    if (code == OCF_SUCCESS && run->agent->check_config)
        code = run->agent->check_config(run, config);
    if (code == OCF_SUCCESS && run->action->function)
        code = call_action(run, config);
    return code;
}

int agent_main(const struct agent *agent, int argc, char *argv[])
{
    static char log_name[256]; /* the log keeps it */
    static struct agent_run run; /* the last resort looks at it until the very end, after this function has returned, too */
    const char *name = argc > 1 ? argv[1] : "";

    run.agent = agent;
    child_reserve_streams();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored by our caller, the kernel would keep our children's exit codes from us */
    if (text_equal(name, "meta-data") || text_equal(name, "metadata")) {
        agent_print_metadata(agent, stdout);
        return fflush(stdout) == 0 ? OCF_SUCCESS : OCF_ERR_GENERIC;
    }
    if (text_equal(name, "--help") || text_equal(name, "-h") || text_equal(name, "help") || text_equal(name, "usage")) {
        agent_print_help(agent, stdout);
        return OCF_SUCCESS;
    }
    if (text_equal(name, "--version")) {
        (void)printf("%s (Vigil) %s\n", agent->name, PACKAGE_VERSION);
        return OCF_SUCCESS;
    }
    if (argc < 2 || import_arguments(argc, argv) < 0)
        return agent_fail(&run, OCF_ERR_ARGS, "usage: %s ACTION [NAME=VALUE]...; see %s --help", agent->name, agent->name);
    run.action = find_action(agent, name);
    if (!run.action)
        return agent_fail(&run, OCF_ERR_UNIMPLEMENTED, "%s has no action '%s'; see %s --help", agent->name, name,
                          agent->name);
    describe_run(&run, log_name, sizeof(log_name));
    arm_last_resort(&run);
    return (int)run_action(&run);
}
