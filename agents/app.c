/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * app: any application, run by commands or as a systemd unit.
 *
 * Running means: its main process, known by number and start time, lives; with OCF_CHECK_LEVEL 10 its light probes answer as well, with 20
 * the deep ones too. Processes without their main one are a failure (1), none at all is "not running" (7): nothing else is looked
 * at for that, so that a node whose copy of the program lies on a volume that is mounted elsewhere answers 7.
 *
 * Stop has succeeded when no process of the application is seen any more: of its cgroup, or where none could be made, of its session
 * and with its mark. Of a unit systemd says both: active, and inactive or failed with an empty cgroup.
 */
#include <string.h>

#include "agent/agent.h"
#include "agent/note.h"
#include "health/application.h"
#include "health/probe.h"
#include "health/systemd_unit.h"
#include "watch/client.h"

struct app_config {
    struct application application;
    int failures;
    bool watch;
    uint64_t watch_interval_ms;
    int watch_failures;
    uint64_t watch_timeout_ms;
};

static int check_command(const char *text, struct text_buffer *why)
{
    _cleanup_vector_ char **vector = NULL;

    if (text_split_command(text, &vector) == 0)
        return 0;
    text_buffer_printf(why, "a quote is open, or a backslash ends it");
    return -EINVAL;
}

static int check_environment(const char *text, struct text_buffer *why)
{
    _cleanup_vector_ char **vector = NULL;

    if (check_command(text, why) < 0 || text_split_command(text, &vector) < 0)
        return -EINVAL;
    for (size_t i = 0; vector[i]; i++) {
        if (strchr(vector[i], '=') > vector[i])
            continue;
        text_buffer_printf(why, "NAME=value words are wanted, separated by blanks");
        return -EINVAL;
    }
    return 0;
}

static int check_signal(const char *text, struct text_buffer *why)
{
    if (application_signal_number(text) > 0)
        return 0;
    text_buffer_printf(why, "a signal such as TERM, INT, QUIT, or a number from 1 to 31 is wanted");
    return -EINVAL;
}

static const char *const types[] = { "auto", "foreground", "daemon", NULL };

#define APP_TEXT(member) PARAM_TEXT(struct app_config, application.member)
#define APP_PATH(member) PARAM_PATH(struct app_config, application.member)
#define APP_DURATION(member) PARAM_DURATION(struct app_config, application.member)

static const struct param params[] = {
    { "unit", APP_TEXT(unit), .unique_group = "unit", .check = unit_name_check,
      .shortdesc = "systemd unit that runs the application",
      .longdesc = "Either this or start is wanted. The unit is started, stopped and judged over D-Bus; it is never enabled, and "
                  "should be disabled, since the cluster alone decides where it runs. Of the other parameters those of "
                  "probes, monitor, failures, settle and stop_timeout apply." },
    { "start", APP_TEXT(start), .aliases = NAMES("binfile"), .check = check_command,
      .shortdesc = "command that starts the application",
      .longdesc = "Blanks separate its words; '...' keeps every byte, \"...\" every byte but \\\" and \\\\, and a "
                  "backslash keeps the byte behind it. Nothing else is interpreted, unless shell=true. The command may "
                  "stay in the foreground or put itself in the background." },
    { "arguments", APP_TEXT(arguments), .aliases = NAMES("cmdline_options"), .check = check_command,
      .shortdesc = "further words of the start command" },
    { "stop", APP_TEXT(stop), .check = check_command,
      .shortdesc = "command that stops the application",
      .longdesc = "Without one, and where it fails or takes too long, the main process gets the stop signal; what then "
                  "still lives is killed." },
    { "monitor", APP_TEXT(monitor), .aliases = NAMES("monitor_hook"), .reloadable = true, .check = check_command,
      .shortdesc = "command that every monitor runs once the process was seen",
      .longdesc = "Exit code 0 means that the application is well, any other that it failed." },
    { "reload", APP_TEXT(reload), .reloadable = true, .check = check_command,
      .shortdesc = "command that makes the application read its configuration again" },
    { "shell", PARAM_BOOLEAN(struct app_config, application.shell), .default_value = "false",
      .shortdesc = "give the commands to /bin/sh",
      .longdesc = "Then variables, pipes and redirections work in start, stop, monitor and reload, and every "
                  "metacharacter in them is the shell's." },
    { "type", PARAM_CHOICE(struct app_config, application.type), .choices = types, .default_value = "auto",
      .shortdesc = "whether the start command stays",
      .longdesc = "foreground: the command is the application. daemon: the command ends with exit code 0 once the "
                  "application runs in the background. auto: seen from whether the command still runs when the "
                  "application is ready, which then takes at least the time of settle: where a daemon without probes "
                  "needs longer than that to go into the background, say daemon." },
    { "user", APP_TEXT(user), .shortdesc = "user that runs the application and its commands (root)" },
    { "group", APP_TEXT(group), .shortdesc = "group instead of the user's own" },
    { "directory", APP_PATH(directory), .aliases = NAMES("workdir"), .shortdesc = "working directory of its commands" },
    { "environment", APP_TEXT(environment), .check = check_environment,
      .shortdesc = "NAME=value words, quoted like a command's" },
    { "pidfile", APP_PATH(pidfile),
      .shortdesc = "file that names the main process",
      .longdesc = "A number in it counts only while that process is one of the application's own. Where the start "
                  "command stays in the foreground and does not write the file, this agent does." },
    { "logfile", APP_PATH(logfile), .shortdesc = "file that the application's output is appended to (none)" },
    { "errlogfile", APP_PATH(errlogfile), .shortdesc = "file that its standard error is appended to instead" },
    { "stop_signal", APP_TEXT(stop_signal), .default_value = "TERM", .reloadable = true, .check = check_signal,
      .shortdesc = "signal that asks the main process to end" },
    { "stop_timeout", APP_DURATION(stop_timeout_ms), .reloadable = true,
      .shortdesc = "how long the stop command, and then the signal, may take before the next step",
      .longdesc = "Without it, or where it is longer, each takes at most about two thirds of what is left of the "
                  "stop action's time." },
    { "settle", APP_DURATION(settle_ms), .default_value = "1", .minimum = 0, .maximum = 600000, .reloadable = true,
      .shortdesc = "how long a started process is watched where no probe says that it is ready" },
    { "probe", APP_TEXT(probe), .reloadable = true, .check = probe_list_check,
      .shortdesc = "light probes: addresses separated by blanks",
      .longdesc = "Asked by a start until they answer, and by a monitor with OCF_CHECK_LEVEL 10 and above. Kinds: "
                  "process:[NAME] (one of the application's processes), tcp://HOST:PORT, http://HOST[:PORT]/PATH, "
                  "https://, smtp://, imap://, pop3://, redis://, mysql://[USER@]HOST[:PORT]/DATABASE, pgsql:// likewise, "
                  "exec:COMMAND (in quotes where it has several words).\n\n"
                  "Options stand behind '#' as NAME=VALUE, joined by '&', with %XX for bytes that would end them: "
                  "status=200 or 200-399 and text=WORDS (what an answer must hold), query=SQL, socket=PATH (a unix "
                  "socket, for pgsql its folder; the probe then asks as user), password_file=PATH (its first line; "
                  "readable by root alone), timeout=SECONDS, insecure=yes (https: do not verify the certificate). Other "
                  "than for http they may also stand behind '?'.\n\n"
                  "Example: pgsql://monitor@127.0.0.1/app?query=SELECT%201 http://127.0.0.1:8080/health#status=200&text=OK" },
    { "deep_probe", APP_TEXT(deep_probe), .reloadable = true, .check = probe_list_check,
      .shortdesc = "deep probes: a real transaction, for OCF_CHECK_LEVEL 20",
      .longdesc = "Written like probe. A start waits for these as well." },
    { "probe_timeout", APP_DURATION(probe_timeout_ms), .default_value = "5", .minimum = 10, .maximum = 3600000,
      .reloadable = true, .shortdesc = "time for one probe, or the monitor command, to answer" },
    { "failures", PARAM_INTEGER(struct app_config, failures), .default_value = "1", .minimum = 1, .maximum = 1000,
      .reloadable = true, .shortdesc = "failed probes in a row before a monitor fails",
      .longdesc = "Until then it answers 190, degraded. A process that is gone fails at once." },
    { "watch", PARAM_BOOLEAN(struct app_config, watch), .default_value = "true", .reloadable = true,
      .shortdesc = "let vigild watch the main process and the probes",
      .longdesc = "Where vigild runs, it tells the cluster at once when the main process ends, a listener on this node that a probe names "
                  "is gone, or a light probe fails. Without it, monitors find that." },
    { "watch_interval", PARAM_DURATION(struct app_config, watch_interval_ms), .default_value = "1", .minimum = 0, .maximum = 3600000,
      .reloadable = true, .shortdesc = "how often vigild asks each light probe (at least every 100 ms; 0: never)",
      .longdesc = "On a connection that stays open where the protocol allows it. Probes of the kinds process and exec, and those that ask as "
                  "the application's user, are the monitors' alone." },
    { "watch_timeout", PARAM_DURATION(struct app_config, watch_timeout_ms), .default_value = "2", .minimum = 10, .maximum = 3600000,
      .reloadable = true, .shortdesc = "time for one probe of vigild to answer" },
    { "watch_failures", PARAM_INTEGER(struct app_config, watch_failures), .default_value = "3", .minimum = 1, .maximum = 1000,
      .reloadable = true, .shortdesc = "failed probes of vigild in a row before it counts" },
    {}
};

static enum ocf_code check_config(struct agent_run *run, const void *config)
{
    const struct application *application = &((const struct app_config *)config)->application;

    if (!application->unit && !application->start)
        return agent_fail(run, OCF_ERR_CONFIGURED, "one of the parameters start and unit is wanted");
    if (application->unit && (application->start || application->stop || application->pidfile))
        return agent_fail(run, OCF_ERR_CONFIGURED,
                          "parameter unit does not go with start, stop or pidfile: systemd starts and stops it");
    return OCF_SUCCESS;
}

/* What the parameters do not say: the resource's name, and where its record lies. */
static int prepare(struct agent_run *run, const void *config, struct application *ret)
{
    const struct app_config *app = config;
    int r;

    *ret = app->application;
    ret->name = run->instance;
    ret->deadline = run->deadline;
    r = agent_state_path(run, NULL, ret->state_path, sizeof(ret->state_path));
    if (r < 0)
        ret->state_path[0] = '\0';
    return r;
}

static enum ocf_code code_of(int error)
{
    if (error == -ENOPKG)
        return OCF_ERR_INSTALLED;
    return error == -EACCES || error == -EPERM ? OCF_ERR_PERM : OCF_ERR_GENERIC;
}

static const char *reason(const struct text_buffer *why, int error)
{
    return why->text ? why->text : strerror(-error);
}

/* Each depth has a count of its own: a light probe that answers says nothing of a deep one that fails. */
static int failures_path(const struct agent_run *run, const struct application *application, char *path, size_t size)
{
    return text_format(path, size, "%s.failures%u", application->state_path, run->depth);
}

/* A probe that fails counts in the record; below the threshold it is only a remark. */
static enum ocf_code count_failure(struct agent_run *run, const struct app_config *app,
                                   const struct application *application, const char *why)
{
    char path[PATH_MAX];
    unsigned int count = 0;

    if (app->failures <= 1)
        return agent_fail(run, OCF_ERR_GENERIC, "%s", why);
    if (failures_path(run, application, path, sizeof(path)) < 0 ||
        application_failures_read(path, &count) < 0 || application_failures_write(path, ++count) < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s (and the count in %s can't be kept)", why, path);
    if (count >= (unsigned int)app->failures)
        return agent_fail(run, OCF_ERR_GENERIC, "%s (%u times in a row)", why, count);
    log_warning("%s (failure %u of %d)", why, count, app->failures);
    return OCF_DEGRADED;
}

static enum ocf_code ask(struct agent_run *run, const struct app_config *app, const struct application *application,
                         const struct process_set *set)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    char path[PATH_MAX];
    int r;

    if (!application->monitor && run->depth < 10)
        return OCF_SUCCESS;
    r = application_ask(application, set, run->depth, run->deadline, &why);
    if (r < 0)
        return count_failure(run, app, application, reason(&why, r));
    if (app->failures > 1 && failures_path(run, application, path, sizeof(path)) > 0)
        (void)application_failures_write(path, 0);
    return OCF_SUCCESS;
}

/* What a probe names on this node, and the probe itself. The addresses must live as long as the registration. */
static void add_probe(struct watch_registration *registration, const struct app_config *app, const char *address)
{
    struct probe_url url;
    struct watch_item *item;

    if (probe_url_parse(address, strlen(address), &url, NULL) < 0 || url.scheme == PROBE_PROCESS || url.scheme == PROBE_EXEC)
        return;
    if (text_empty(url.socket) && (text_equal(url.host, "localhost") || text_after(url.host, "127."))) {
        item = watch_registration_add(registration, WATCH_LISTENER, "*");
        if (item)
            item->port = url.port;
    }
    if (app->watch_interval_ms == 0 || (!text_empty(url.socket) && app->application.user))
        return;
    item = watch_registration_add(registration, WATCH_PROBE, address);
    if (!item)
        return;
    item->interval_ms = app->watch_interval_ms;
    item->deadline_ms = app->watch_timeout_ms;
    item->failures = (uint64_t)app->watch_failures;
}

static void keep_watched(struct agent_run *run, const struct app_config *app, const struct application_view *view)
{
    struct watch_registration registration;
    _cleanup_vector_ char **probes = NULL;
    struct watch_item *item;

    if (!app->watch) {
        (void)watch_withdraw(run); /* of before a reload */
        return;
    }
    watch_begin(run, &registration);
    if (view->record.main.pid > 0 && !app->application.unit) {
        item = watch_registration_add(&registration, WATCH_PROCESS, run->instance);
        item->pid = (uint64_t)view->record.main.pid;
        item->start = view->record.main.start_ticks;
    } else if (view->set.cgroup[0] != '\0') {
        (void)watch_registration_add(&registration, WATCH_CGROUP, view->set.cgroup);
    }
    if (app->application.probe && text_split_command(app->application.probe, &probes) == 0)
        for (size_t i = 0; probes[i]; i++)
            add_probe(&registration, app, probes[i]);
    (void)watch_keep(run, &registration);
}

static enum ocf_code app_monitor(struct agent_run *run, const void *config)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct application application;
    struct application_view view;
    enum ocf_code code;
    int r;

    (void)prepare(run, config, &application);
    r = application_look(&application, run->deadline, &view, &why);
    if (r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s", reason(&why, r));
    if (view.state == APPLICATION_ABSENT)
        return agent_fail(run, OCF_NOT_RUNNING, "%s", view.detail);
    if (view.state == APPLICATION_REMNANT)
        return agent_fail(run, OCF_ERR_GENERIC, "%s; a stop will end it", view.detail);
    code = ask(run, config, &application, &view.set);
    if (code == OCF_SUCCESS)
        keep_watched(run, config, &view);
    return code;
}

static enum ocf_code app_start(struct agent_run *run, const void *config)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct application application;
    struct application_view view;
    int r = prepare(run, config, &application);

    if (r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "can't make the folder of its record below " VIGIL_RUNDIR ": %s",
                          strerror(-r));
    r = application_start(&application, run->deadline, &why);
    if (r < 0)
        return agent_fail(run, code_of(r), "%s", reason(&why, r));
    if (application.probe)
        (void)agent_note(&(struct note){ .kind = "probe-answered", .resource = run->instance });
    log_info("%s is running", run->instance);
    if (application_look(&application, run->deadline, &view, &why) == 0 && view.state == APPLICATION_RUNNING)
        keep_watched(run, config, &view);
    return OCF_SUCCESS;
}

static enum ocf_code app_stop(struct agent_run *run, const void *config)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct application application;
    int r;

    (void)watch_withdraw(run);
    (void)prepare(run, config, &application);
    r = application_stop(&application, run->deadline, &why);
    if (r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s", reason(&why, r));
    if (why.text)
        log_warning("%s is stopped, though %s", run->instance, why.text);
    return OCF_SUCCESS;
}

static enum ocf_code app_reload(struct agent_run *run, const void *config)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct application application;
    int r;

    (void)prepare(run, config, &application);
    if (!application.reload && !application.unit)
        return agent_fail(run, OCF_ERR_UNIMPLEMENTED, "parameter reload is not set");
    r = application_reload(&application, run->deadline, &why);
    return r < 0 ? agent_fail(run, code_of(r), "%s", reason(&why, r)) : OCF_SUCCESS;
}

/* The reloadable parameters are read anew by every action. */
static enum ocf_code app_reload_agent(struct agent_run *run, const void *config)
{
    return app_monitor(run, config);
}

static const struct agent_action actions[] = {
    { "start", app_start, .timeout_s = 60 },
    { "stop", app_stop, .timeout_s = 60 },
    { "monitor", app_monitor, .timeout_s = 20, .interval_s = 10 },
    { "monitor", app_monitor, .timeout_s = 20, .interval_s = 30, .depth = 10 },
    { "monitor", app_monitor, .timeout_s = 30, .interval_s = 120, .depth = 20 },
    { "reload", app_reload, .timeout_s = 20 },
    { "reload-agent", app_reload_agent, .timeout_s = 20 },
    {}
};

static const unsigned int depths[] = { 0, 10, 20, UINT_MAX };

static const struct agent agent = {
    .name = "app",
    .shortdesc = "Runs any application and probes it",
    .longdesc = "Runs an application as a systemd unit, or by a start command, and a stop command where it has one, as the "
                "user and in the directory that it wants.\n\n"
                "Its processes are known by a control group of their own, or where none can be made by session and "
                "environment, and the main one by its start time: a pid that was given to another process is never "
                "taken for it. A start ends when the probes answer. A stop ends when no process is left.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct app_config),
    .depths = depths,
    .check_config = check_config,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
