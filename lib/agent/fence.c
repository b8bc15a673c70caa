/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/fence.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/fence_options.h"
#include "agent/note.h"
#include "agent/metadata.h"
#include "base/child.h"

#define INPUT_LIMIT 65536
/* Room for the table of common parameters and its end. */
#define FENCE_COMMON_MAX 32
/* Pacemaker writes the options at once; a caller that never closes standard input must not hold us. */
#define INPUT_TIMEOUT_MS 10000
/* The least that a look at the power gets, however little of power_timeout is left. */
#define LOOK_LEAST_MS 1000
/* How long a reboot waits to see the node on again: a controller reports that within a second or two of the command. */
#define POWER_UP_MS 3000

static const char *const power_names[] = { [POWER_UNKNOWN] = "UNKNOWN", [POWER_OFF] = "OFF", [POWER_ON] = "ON" };

int fence_fail(struct fence_run *run, int error, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    const char *plug = run->plug ? run->plug : "the device";
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        (void)text_make_printable(text);
    if (run->tentative) {
        (void)text_format(run->last_failure, sizeof(run->last_failure), "%s", text ? text : "out of memory");
        log_info("%s of %s: %s", run->action, plug, run->last_failure);
        return error < 0 ? error : -EIO;
    }
    if (!run->reason_given)
        (void)fprintf(stderr, "%s: %s\n", run->agent->name, text ? text : "out of memory");
    /* What callers add to the first reason is for whoever debugs. */
    log_line(run->reason_given ? LOG_DEBUG : LOG_ERR, "%s of %s: %s", run->action ? run->action : "call", plug,
             text ? text : "out of memory");
    run->reason_given = true;
    return error < 0 ? error : -EIO;
}

/* ---- records ------------------------------------------------------------------------------------------------------ */

/* Notes what was decided; bounded, since a takeover waits for the answer of this program. */
static void _printf_(3, 4) record_decision(const struct fence_run *run, const char *what, const char *format, ...)
{
    const char *plug = run->plug ? run->plug : "the device";
    _cleanup_free_ char *evidence = NULL;
    va_list arguments;
    int r;

    va_start(arguments, format);
    evidence = text_vprintf(format, arguments);
    va_end(arguments);
    r = agent_record(run->agent->name, plug, what, "%s", evidence ? evidence : "");
    if (r < 0)
        log_warning("%s of %s could not be recorded: %s", what, plug, strerror(-r));
}

/* ---- power: look, act, look until it is seen ---------------------------------------------------------------------- */

static int read_power_within(struct fence_run *run, const void *config, struct deadline deadline, enum power_state *ret)
{
    enum power_state state = POWER_UNKNOWN;
    int r;

    run->deadline = deadline_within(deadline, run->options->shell_timeout_ms);
    run->evidence[0] = '\0';
    r = run->agent->operations->power_get(run, config, &state);
    if (r < 0)
        return r;
    log_debug("power of %s is %s", run->plug ? run->plug : "the device", power_names[state]);
    *ret = state;
    return 0;
}

static int read_power(struct fence_run *run, const void *config, enum power_state *ret)
{
    return read_power_within(run, config, DEADLINE_NEVER, ret);
}

/* Looks until the wanted state is seen. A look that fails in between is not the end (a controller that is busy with the power
 * drops requests), but it is no evidence either. The last look gets the time that an answer takes. Returns 0, or -ETIMEDOUT.
 * *ret_last is what was seen last. */
static int await_power(struct fence_run *run, const void *config, enum power_state wanted, struct deadline deadline,
                       enum power_state *ret_last)
{
    bool tentative = run->tentative;
    int r = 0;

    run->tentative = true;
    while (r == 0) {
        struct deadline look = deadline_left_ms(deadline) < LOOK_LEAST_MS ? deadline_in(LOOK_LEAST_MS) : deadline;

        if (read_power_within(run, config, look, ret_last) == 0 && *ret_last == wanted)
            break;
        r = deadline_sleep(deadline, run->options->status_interval_ms);
    }
    run->tentative = tentative;
    return r < 0 ? -ETIMEDOUT : 0;
}

/* One power command and the wait for its effect. The state is judged, not the command: a controller that restarts its network with
 * the power loses its answer to a command that it carried out. */
static int command_power(struct fence_run *run, const void *config, enum power_state wanted, enum power_state *ret_last)
{
    const struct fence_options *options = run->options;
    enum power_state seen = POWER_UNKNOWN;
    int r, command;

    run->deadline = deadline_in(options->shell_timeout_ms);
    run->tentative = true;
    run->last_failure[0] = '\0';
    command = run->agent->operations->power_set(run, config, wanted);
    (void)deadline_sleep(DEADLINE_NEVER, options->power_wait_ms);
    if (command == 0 || command == -ETIMEDOUT)
        r = await_power(run, config, wanted, deadline_in(options->power_timeout_ms), ret_last);
    else
        r = read_power(run, config, &seen) == 0 && seen == wanted ? 0 : command;
    if (seen != POWER_UNKNOWN)
        *ret_last = seen;
    run->tentative = false;
    return r;
}

static int fail_switch(struct fence_run *run, enum power_state wanted, enum power_state last, int error)
{
    const char *cause = run->last_failure[0] ? run->last_failure : strerror(-error);

    return fence_fail(run, error, "%s was told to turn %s and was last seen %s: %s%s%s; look at the device, and turn the node off by hand "
                                  "if it must be off",
                      run->plug ? run->plug : "the device", power_names[wanted], power_names[last],
                      error == -ETIMEDOUT ? "timed out waiting for it" : cause,
                      error == -ETIMEDOUT && run->last_failure[0] ? ", " : "",
                      error == -ETIMEDOUT ? run->last_failure : "");
}

/* Brings the power to a state, seen. Already being there is success: a node that is off needs no command. */
static int switch_power(struct fence_run *run, const void *config, enum power_state wanted)
{
    enum power_state before = POWER_UNKNOWN, last;
    const char *plug = run->plug ? run->plug : "the device";
    int r = read_power(run, config, &before);

    if (r < 0)
        return fence_fail(run, r, "the power of %s could not be read: %s", plug, strerror(-r));
    /* A controller that is starting may call a chassis off until it has looked: off without a command wants a second look. */
    if (before == POWER_OFF && wanted == POWER_OFF) {
        (void)deadline_sleep(DEADLINE_NEVER, run->options->status_interval_ms);
        r = read_power(run, config, &before);
        if (r < 0)
            return fence_fail(run, r, "the power of %s could not be read: %s", plug, strerror(-r));
    }
    if (before == wanted) {
        record_decision(run, wanted == POWER_OFF ? "fence-off" : "fence-on", "already %s; %s", power_names[wanted],
                        run->evidence);
        return 0;
    }
    last = before;
    for (int attempt = 0; attempt < run->options->attempts; attempt++) {
        r = command_power(run, config, wanted, &last);
        if (r == 0)
            break;
    }
    if (r < 0) {
        record_decision(run, "fence-failed", "was %s, wanted %s, seen %s; %s", power_names[before], power_names[wanted],
                        power_names[last], run->last_failure);
        return fail_switch(run, wanted, last, r);
    }
    record_decision(run, wanted == POWER_OFF ? "fence-off" : "fence-on", "was %s, seen %s; %s", power_names[before],
                    power_names[wanted], run->evidence);
    return 0;
}

/* ---- actions ------------------------------------------------------------------------------------------------------ */

static int do_off(struct fence_run *run, const void *config)
{
    return switch_power(run, config, POWER_OFF);
}

static int do_on(struct fence_run *run, const void *config)
{
    return switch_power(run, config, POWER_ON);
}

/* The device's own power cycle. The node counts as fenced only if the power was seen off in between. */
static int cycle_power(struct fence_run *run, const void *config)
{
    const char *plug = run->plug ? run->plug : "the device";
    enum power_state last = POWER_UNKNOWN;
    struct fence_options quick = *run->options;
    const struct fence_options *options = run->options;
    int r;

    run->deadline = deadline_in(options->shell_timeout_ms);
    r = run->agent->operations->power_cycle(run, config);
    if (r < 0)
        return fence_fail(run, r, "%s could not be power-cycled: %s", plug, strerror(-r));
    quick.status_interval_ms = 20;
    run->options = &quick;
    r = await_power(run, config, POWER_OFF, deadline_in(options->power_timeout_ms), &last);
    run->options = options;
    if (r < 0)
        return fence_fail(run, r, "timed out: the power of %s was not seen off during its power cycle; use method=onoff", plug);
    record_decision(run, "fence-off", "seen OFF during a power cycle; %s", run->evidence);
    return 0;
}

/* Turns a fenced node on again. The cluster's takeover waits for the end of this action although the node is known to be off by now, so
 * little time is given to seeing it on, and that it does not come up is told, but is no failure of the fencing. */
static void power_up(struct fence_run *run, const void *config, bool cycled)
{
    const struct fence_options *options = run->options;
    struct fence_options brief = *options;
    enum power_state last = POWER_OFF;
    int r = -ETIMEDOUT;

    if (brief.power_timeout_ms > POWER_UP_MS)
        brief.power_timeout_ms = POWER_UP_MS;
    brief.attempts = 1;
    run->options = &brief;
    if (cycled) /* which turns on by itself */
        r = await_power(run, config, POWER_ON, deadline_in(brief.power_timeout_ms), &last);
    if (r < 0)
        r = command_power(run, config, POWER_ON, &last);
    run->options = options;
    if (r < 0)
        log_warning("%s was seen off, as it should be, but not on again within %llu ms (%s): look at it, and turn it on by hand if it stays off",
                    run->plug ? run->plug : "the device", (unsigned long long)brief.power_timeout_ms,
                    r == -ETIMEDOUT ? "timed out" : strerror(-r));
}

/* Off, seen off, on. Once off was seen the node is fenced. A chassis that is already off is only turned on (#596: it refuses
 * a cycle). */
static int do_reboot(struct fence_run *run, const void *config)
{
    enum power_state before = POWER_UNKNOWN;
    bool cycle = run->options->method == FENCE_METHOD_CYCLE && run->agent->operations->power_cycle;
    int r = cycle ? read_power(run, config, &before) : 0;

    if (r < 0)
        return fence_fail(run, r, "the power of %s could not be read: %s", run->plug ? run->plug : "the device", strerror(-r));
    cycle = before == POWER_ON;
    r = cycle ? cycle_power(run, config) : do_off(run, config);
    if (r == 0)
        power_up(run, config, cycle);
    return r;
}

static int do_status(struct fence_run *run, const void *config)
{
    enum power_state state = POWER_UNKNOWN;
    int r = read_power(run, config, &state);

    if (r < 0)
        return fence_fail(run, r, "the power of %s could not be read: %s", run->plug ? run->plug : "the device", strerror(-r));
    if (!run->options->quiet)
        (void)printf("Status: %s\n", power_names[state]);
    if (state == POWER_UNKNOWN)
        return fence_fail(run, -EIO, "the device does not say whether %s is on or off", run->plug ? run->plug : "it");
    return state == POWER_OFF ? FENCE_STATUS_OFF : 0;
}

static void print_plug(struct fence_run *run, const char *plug, const char *alias, enum power_state state)
{
    bool with_state = text_equal(run->action, "list-status");

    (void)printf("%s,%s%s%s\n", plug, alias ? alias : "", with_state ? "," : "", with_state ? power_names[state] : "");
}

static void ignore_plug(struct fence_run *run _unused_, const char *plug _unused_, const char *alias _unused_,
                        enum power_state state _unused_)
{
}

static int list_plugs(struct fence_run *run, const void *config, fence_emit emit)
{
    run->deadline = deadline_in(run->options->shell_timeout_ms);
    return run->agent->operations->list(run, config, emit);
}

static int do_list(struct fence_run *run, const void *config)
{
    return list_plugs(run, config, print_plug);
}

/* Can the device be used: its list where it has plugs and none is named, else one look at the power. Off is as good as on. */
static int do_monitor(struct fence_run *run, const void *config)
{
    enum power_state state = POWER_UNKNOWN;
    int r;

    if (!run->plug && run->agent->operations->list)
        return list_plugs(run, config, ignore_plug);
    r = read_power(run, config, &state);
    if (r < 0)
        return fence_fail(run, r, "the power of %s could not be read: %s", run->plug ? run->plug : "the device", strerror(-r));
    if (state == POWER_UNKNOWN)
        return fence_fail(run, -EIO, "the device does not say whether %s is on or off, so it could not be fenced",
                          run->plug ? run->plug : "it");
    return 0;
}

static int do_diag(struct fence_run *run, const void *config)
{
    int r;

    run->deadline = deadline_in(run->options->shell_timeout_ms);
    r = run->agent->operations->diag(run, config);
    return r < 0 ? fence_fail(run, r, "the diagnostic interrupt could not be sent: %s", strerror(-r)) : 0;
}

/* By now the tables and check_config have been satisfied. */
static int do_validate(struct fence_run *run, const void *config)
{
    int (*validate)(struct fence_run *, const void *) = run->agent->operations->validate;

    run->deadline = deadline_in(run->options->shell_timeout_ms);
    return validate ? validate(run, config) : 0;
}

struct fence_action {
    const char *name;
    int (*function)(struct fence_run *run, const void *config);
    bool needs_plug;   /* where the agent has plugs */
    bool needs_device; /* opens a session */
    bool delayed;
};

static const struct fence_action fence_actions[] = {
    { "on", do_on, .needs_plug = true, .needs_device = true },
    { "off", do_off, .needs_plug = true, .needs_device = true, .delayed = true },
    { "reboot", do_reboot, .needs_plug = true, .needs_device = true, .delayed = true },
    { "status", do_status, .needs_plug = true, .needs_device = true },
    { "monitor", do_monitor, .needs_device = true },
    { "list", do_list, .needs_device = true },
    { "list-status", do_list, .needs_device = true },
    { "diag", do_diag, .needs_plug = true, .needs_device = true },
    { "validate-all", do_validate },
};

const char *const fence_action_names[] = { "on",          "off",  "reboot",       "status",   "monitor", "list",
                                           "list-status", "diag", "validate-all", "metadata", NULL };

bool fence_offers(const struct fence_agent *agent, const char *action)
{
    if (text_equal(action, "list") || text_equal(action, "list-status"))
        return agent->operations->list != NULL;
    if (text_equal(action, "diag"))
        return agent->operations->diag != NULL;
    /* An agent that unfences turns a node on from that node alone: told that there is no reboot, Pacemaker's fencer uses off. */
    if (text_equal(action, "reboot"))
        return !agent->on_automatic;
    return true;
}

static const struct fence_action *find_action(const struct fence_agent *agent, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(fence_actions); i++) {
        if (text_equal(fence_actions[i].name, name) && fence_offers(agent, name))
            return &fence_actions[i];
    }
    return NULL;
}

/* ---- main --------------------------------------------------------------------------------------------------------- */

/* Reads standard input to its end. Returns the length or -errno. */
static ssize_t read_input(char *text, size_t size)
{
    struct deadline deadline = deadline_in(INPUT_TIMEOUT_MS);
    size_t length = 0;

    while (length < size) {
        ssize_t n;
        int r = deadline_wait_fd(deadline, STDIN_FILENO, POLLIN);

        if (r < 0)
            return r;
        n = read(STDIN_FILENO, text + length, size - length);
        if (n == 0)
            return (ssize_t)length;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            length += (size_t)n;
    }
    return -EFBIG;
}

/* The common table with the agent's own defaults in it. */
static const struct param *common_params(const struct fence_agent *agent)
{
    static struct param table[FENCE_COMMON_MAX];
    size_t count = 0;

    for (const struct param *param = fence_common_params; param->name && count < FENCE_COMMON_MAX - 1; param++, count++) {
        table[count] = *param;
        for (const struct fence_default *own = agent->defaults; own && own->name; own++) {
            if (text_equal(own->name, param->name))
                table[count].default_value = own->value;
        }
    }
    return table;
}

static int read_options(struct fence_input *input, int argc, char *argv[], char *text)
{
    ssize_t length;

    param_set_defaults(common_params(input->agent), input->options);
    param_set_defaults(input->agent->params, input->config);
    if (argc > 1)
        return fence_input_read_arguments(input, argc, argv);
    length = read_input(text, INPUT_LIMIT);
    if (length < 0) {
        text_buffer_printf(&input->why, "the options on standard input could not be read: %s", strerror((int)-length));
        return (int)length;
    }
    return fence_input_read_lines(input, text, (size_t)length);
}

/* A required parameter that is still empty. Only text can be told from not given. */
static const struct param *find_missing(const struct param *table, const void *config)
{
    for (const struct param *param = table; param && param->name; param++) {
        const char *const *text = (const void *)((const char *)config + param->offset);

        if (param->required && (param->type == &param_type_text || param->type == &param_type_path) && !*text)
            return param;
    }
    return NULL;
}

static int check_call(struct fence_run *run, const struct fence_action *action, const void *config)
{
    const struct param *missing = find_missing(run->agent->params, config);
    int (*check_config)(struct fence_run *, const void *) = run->agent->operations->check_config;

    if (missing)
        return fence_fail(run, -EINVAL, "parameter %s is required and not set: %s", missing->name, missing->shortdesc);
    if (action->needs_plug && run->agent->plug_required && !run->plug)
        return fence_fail(run, -EINVAL, "action %s needs a plug: the name of the node", run->action);
    return check_config ? check_config(run, config) : 0;
}

static int use_device(struct fence_run *run, const struct fence_action *action, const void *config)
{
    const struct fence_operations *operations = run->agent->operations;
    int r = 0;

    run->deadline = deadline_in(run->options->login_timeout_ms);
    if (operations->open)
        r = operations->open(run, config);
    if (r < 0)
        return fence_fail(run, r, "the device could not be reached: %s", strerror(-r));
    r = action->function(run, config);
    if (operations->close)
        operations->close(run, config);
    return r;
}

/* What takes a node's power is noted for the flight recorder, with its end. */
static int use_device_noted(struct fence_run *run, const struct fence_action *action, const void *config)
{
    const char *target = run->options->nodename ? run->options->nodename : run->plug;
    struct note note = { .kind = "fencing-begin", .peer = target, .text = run->agent->name };
    uint64_t begin_ns = note_clock_ns();
    int r;

    if (!text_equal(run->action, "off") && !text_equal(run->action, "reboot"))
        return use_device(run, action, config);
    (void)agent_note(&note);
    r = use_device(run, action, config);
    note.kind = "fencing-end";
    note.value = r;
    note.duration_ns = note_clock_ns() - begin_ns;
    (void)agent_note(&note);
    return r;
}

static int perform(struct fence_run *run, const struct fence_action *action, const void *config)
{
    const struct fence_operations *operations = run->agent->operations;
    bool needs_device = action->needs_device || (action->function == do_validate && operations->validate);
    int r = check_call(run, action, config);

    if (r < 0 || !needs_device)
        return r < 0 ? r : action->function(run, config);
    if (action->delayed && run->options->delay_ms > 0) {
        log_info("waiting %llu ms before %s, as delay says", (unsigned long long)run->options->delay_ms, run->action);
        (void)deadline_sleep(DEADLINE_NEVER, run->options->delay_ms);
    }
    return use_device_noted(run, action, config);
}

static void print_success(const struct fence_run *run)
{
    if (run->options->quiet)
        return;
    if (text_equal(run->action, "reboot"))
        (void)puts("Success: Rebooted");
    else if (text_equal(run->action, "off"))
        (void)puts("Success: Powered OFF");
    else if (text_equal(run->action, "on"))
        (void)puts("Success: Powered ON");
}

static int run_action(struct fence_run *run, const void *config)
{
    const struct fence_action *action = find_action(run->agent, run->action);
    int r;

    if (!action) {
        (void)fence_fail(run, -EINVAL, "no action '%s'; see --help", run->action);
        return FENCE_FAILURE;
    }
    r = perform(run, action, config);
    if (r < 0) {
        (void)fence_fail(run, r, "%s failed: %s", run->action, r == -ETIMEDOUT ? "timed out" : strerror(-r));
        return FENCE_FAILURE;
    }
    if (r == 0)
        print_success(run);
    return r;
}

/* What needs no device: help, version, metadata. Returns true when that was asked for and printed. */
static bool print_documents(const struct fence_agent *agent, const struct fence_options *options)
{
    if (options->help)
        fence_print_help(agent, common_params(agent), stdout);
    else if (options->version)
        (void)printf("%s (Vigil) %s\n", agent->name, PACKAGE_VERSION);
    else if (text_equal(options->action, "metadata") || text_equal(options->action, "meta-data"))
        fence_print_metadata(agent, common_params(agent), stdout);
    else
        return false;
    return true;
}

static int call_agent(const struct fence_agent *agent, int argc, char *argv[], struct fence_input *input, char *text)
{
    struct fence_run run = { .agent = agent, .options = input->options };
    int r = read_options(input, argc, argv, text);

    run.action = input->options->action;
    run.plug = input->options->plug ? input->options->plug : input->options->nodename;
    if (r < 0) {
        (void)fence_fail(&run, r, "%s", input->why.text ? input->why.text : "the options could not be read");
        return FENCE_FAILURE;
    }
    log_set_verbose(input->options->verbose);
    if (input->options->debug_file && log_set_file(input->options->debug_file) < 0)
        log_warning("debug_file %s cannot be written and is left alone", input->options->debug_file);
    if (print_documents(agent, input->options))
        return FENCE_SUCCESS;
    if (input->unknown.length > 0)
        log_warning("not known to %s and without effect:%s", agent->name, input->unknown.text);
    return run_action(&run, input->config);
}

int fence_main(const struct fence_agent *agent, int argc, char *argv[])
{
    struct fence_options options = { .action = NULL };
    struct fence_input input = { .agent = agent, .options = &options };
    char *text = calloc(1, INPUT_LIMIT + 1);
    void *config = calloc(1, agent->config_size ? agent->config_size : 1);
    int code = FENCE_FAILURE;

    child_reserve_streams();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored by our caller, the kernel would keep our children's exit codes from us */
    (void)prctl(PR_SET_DUMPABLE, 0); /* passwords */
    log_open(agent->name);
    input.config = config;
    if (text && config)
        code = call_agent(agent, argc, argv, &input, text);
    if (text) {
        explicit_bzero(text, INPUT_LIMIT); /* passwords */
        free(text);
    }
    free(config);
    text_buffer_free(&input.why);
    text_buffer_free(&input.unknown);
    return fflush(stdout) == 0 ? code : FENCE_FAILURE;
}
