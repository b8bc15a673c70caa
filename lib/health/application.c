/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/application.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "health/application_unit.h"
#include "health/pidfile.h"
#include "health/probe.h"
#include "health/reply.h"

int application_signal_number(const char *text)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        { "TERM", SIGTERM }, { "INT", SIGINT },   { "QUIT", SIGQUIT },   { "HUP", SIGHUP },
        { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "WINCH", SIGWINCH }, { "KILL", SIGKILL },
    };
    const char *name = text_after(text, "SIG");
    int64_t number;

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (text_equal(name ? name : text, signals[i].name))
            return signals[i].number;
    return number_parse(text, 1, 31, &number) == 0 ? (int)number : -EINVAL;
}

int application_lock(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    char path[PATH_MAX];
    int fd = -ENAMETOOLONG;

    if (text_format(path, sizeof(path), "%s.lock", application->state_path) > 0)
        fd = file_lock(path, deadline);
    if (fd == -ETIMEDOUT)
        text_buffer_printf(why, "another start or stop of %s still runs", application->name);
    else if (fd < 0)
        text_buffer_printf(why, "can't lock %s: %s", path, strerror(-fd));
    return fd;
}

int application_read_pidfile(const struct application *application, const struct process_set *set,
                             struct process_identity *ret)
{
    int64_t age_ms;
    pid_t pid;

    if (!application->pidfile || pidfile_read(application->pidfile, application->deadline, &pid, &age_ms) < 0 ||
        !process_set_contains(set, pid))
        return -ESRCH;
    return process_identify(pid, ret);
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

/* With a record that names a live main process this is all that a monitor costs. Returns 1, 0 or -errno. */
static int main_is_alive(const struct application *application, struct application_view *view)
{
    int r = view->record.main.pid > 0 ? process_alive(&view->record.main) : 0;

    /* A program may replace itself (an upgrade in place) and say so in its pidfile. */
    if (r == 0 && application->pidfile && view->record.main.pid > 0)
        r = application_read_pidfile(application, &view->set, &view->record.main) == 0;
    return r;
}

static int judge_processes(const struct application *application, struct application_view *view)
{
    int r;

    if (view->record.started && view->record.main.pid > 0) {
        r = main_is_alive(application, view);
        if (r < 0)
            return r;
        if (r > 0) {
            view->state = APPLICATION_RUNNING;
            return 0;
        }
    }
    r = process_set_populated(&view->set);
    if (r < 0)
        return r;
    if (r == 0)
        view->state = APPLICATION_ABSENT;
    else if (view->record.started && view->record.main.pid == 0)
        view->state = APPLICATION_RUNNING;
    else
        view->state = APPLICATION_REMNANT;
    return 0;
}

static void describe_state(const struct application *application, struct application_view *view)
{
    static const char *const words[] = {
        [APPLICATION_ABSENT] = "is not running, no process of it is on this node",
        [APPLICATION_RUNNING] = "is running",
        [APPLICATION_REMNANT] = "has lost its main process, or was not started to the end, but processes of it remain",
    };

    (void)text_format(view->detail, sizeof(view->detail), "%s %s", application->name, words[view->state]);
}

int application_look(const struct application *application, struct deadline deadline, struct application_view *ret,
                     struct text_buffer *why)
{
    int r = -ENOENT;

    if (application->unit)
        return application_unit_look(application, deadline, ret, why);
    memset(ret, 0, sizeof(*ret));
    if (application->state_path[0])
        r = application_record_read(application->state_path, &ret->record);
    /* A torn record says nothing, and the set is then judged as that of a start that was cut off. */
    if (r < 0 && r != -ENOENT && r != -EBADMSG) {
        text_buffer_printf(why, "can't read %s: %s", application->state_path, strerror(-r));
        return r;
    }
    if (process_set_locate(application->name, &ret->set) < 0) {
        text_buffer_printf(why, "the name %s is too long", application->name);
        return -ENAMETOOLONG;
    }
    if (r == 0)
        (void)text_copy(ret->set.cgroup, sizeof(ret->set.cgroup), ret->record.cgroup);
    ret->set.session = ret->record.session;
    ret->set.main = ret->record.main;
    r = judge_processes(application, ret);
    if (r < 0)
        text_buffer_printf(why, "can't see the processes of %s: %s", application->name, strerror(-r));
    else
        describe_state(application, ret);
    return r;
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

void application_environment_free(struct application_environment *environment)
{
    free(environment->list);
    text_free_vector(environment->words);
}

/* The user's words, and the mark behind them, which must stay valid as long. */
static int make_environment(const char *words, const char *mark, struct application_environment *ret)
{
    size_t count = 0;
    int r = words ? text_split_command(words, &ret->words) : -ENODATA;

    if (r < 0 && r != -ENODATA)
        return r;
    while (r == 0 && ret->words[count])
        count++;
    ret->list = calloc(count + 2, sizeof(*ret->list));
    if (!ret->list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        ret->list[i] = ret->words[i];
    ret->list[count] = mark;
    return 0;
}

void application_command_free(struct application_command *command)
{
    text_free_vector(command->vector);
    application_environment_free(&command->environment);
    free(command->line);
}

int application_command_prepare(const struct application *application, const char *line, const char *mark,
                                struct application_command *ret, struct text_buffer *why)
{
    int r = make_environment(application->environment, mark, &ret->environment);

    if (r == 0 && application->shell) {
        ret->line = strdup(line);
        ret->shell_vector[0] = "/bin/sh";
        ret->shell_vector[1] = "-c";
        ret->shell_vector[2] = ret->line;
        ret->spec.argv = ret->shell_vector;
        r = ret->line ? 0 : -ENOMEM;
    } else if (r == 0) {
        r = text_split_command(line, &ret->vector);
        ret->spec.argv = (const char *const *)ret->vector;
    }
    if (r < 0) {
        text_buffer_printf(why, "can't read the command '%.200s': %s", line, strerror(-r));
        return r;
    }
    ret->spec.environment = ret->environment.list;
    ret->spec.user = application->user;
    ret->spec.group = application->group;
    ret->spec.directory = application->directory;
    return 0;
}

/* Says so where a log file can't be appended to. Makes none: this is not the application's user. */
static bool log_is_missing(const char *path, int error, struct text_buffer *why)
{
    _cleanup_free_ char *folder = path ? strdup(path) : NULL;

    if (!folder || strrchr(folder, '/') == folder)
        return false;
    *strrchr(folder, '/') = '\0';
    if (error == -ELOOP)
        text_buffer_printf(why, "log file '%s' can't be appended to: it is or lies behind a symbolic link, give its plain path", path);
    else if (access(folder, F_OK) < 0)
        text_buffer_printf(why, "log file '%s' can't be appended to: %s", path, strerror(errno));
    else if (access(path, W_OK) < 0 && errno != ENOENT)
        text_buffer_printf(why, "log file '%s' can't be appended to: %s", path, strerror(errno));
    else
        return false;
    return true;
}

int application_explain_missing(const struct application *application, const char *program, int error,
                                struct text_buffer *why)
{
    if (application->user && !getpwnam(application->user)) {
        text_buffer_printf(why, "user '%s' is unknown on this node, create it here", application->user);
        return -ENOPKG;
    }
    if (application->group && !getgrnam(application->group)) {
        text_buffer_printf(why, "group '%s' is unknown on this node, create it here", application->group);
        return -ENOPKG;
    }
    if (error == -ENOENT && application->directory && access(application->directory, F_OK) < 0) {
        text_buffer_printf(why, "directory '%s' does not exist on this node; is its volume mounted?",
                           application->directory);
        return -ENOPKG;
    }
    if (log_is_missing(application->logfile, error, why) || log_is_missing(application->errlogfile, error, why))
        return error;
    if (error == -ENOENT || error == -ENOTDIR) {
        text_buffer_printf(why, "program '%s' is not on this node; is it installed, and its volume mounted?", program);
        return -ENOPKG;
    }
    if (error == -EACCES || error == -EPERM)
        text_buffer_printf(why, "program '%s' (or the directory) may not be used by user '%s': %s", program,
                           application->user ? application->user : "root", strerror(-error));
    else if (error == -EAGAIN)
        text_buffer_printf(why, "can't start '%s': the process table is full", program);
    else
        text_buffer_printf(why, "can't start '%s': %s", program, strerror(-error));
    return error;
}

int application_command_run(const struct application *application, const char *what, const char *line,
                            struct deadline deadline, struct text_buffer *why)
{
    _cleanup_application_command_ struct application_command command = { 0 };
    _cleanup_child_result_ struct child_result result = { 0 };
    char said[160];
    int r = application_command_prepare(application, line, "VIGIL_ACTION=1", &command, why);

    if (r < 0)
        return r;
    r = child_run(&command.spec, deadline, &result);
    if (r == -ETIMEDOUT) {
        text_buffer_printf(why, "the %s command timed out", what);
        return r;
    }
    if (r < 0) {
        text_buffer_printf(why, "the %s command: ", what);
        return application_explain_missing(application, command.spec.argv[0], r, why);
    }
    if (result.exit_code == 0)
        return 0;
    if (result.signal)
        text_buffer_printf(why, "the %s command was ended by signal %d", what, result.signal);
    else
        text_buffer_printf(why, "the %s command failed with exit code %d", what, result.exit_code);
    if (result.output.length > 0)
        text_buffer_printf(why, ": %s",
                           reply_first_line(result.output.text, result.output.length, said, sizeof(said)));
    return -EPROTO;
}

int application_reload(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    if (application->unit)
        return application_unit_reload(application, deadline, why);
    return application_command_run(application, "reload", application->reload, deadline, why);
}

int application_ask(const struct application *application, const struct process_set *set, unsigned int depth,
                    struct deadline deadline, struct text_buffer *why)
{
    _cleanup_(application_environment_free) struct application_environment environment = { 0 };
    struct probe_context context = { .set = set,
                                     .user = application->user,
                                     .group = application->group,
                                     .directory = application->directory,
                                     .timeout_ms = application->probe_timeout_ms };
    int r = 0;

    if (application->monitor)
        r = application_command_run(application, "monitor", application->monitor,
                                    deadline_within(deadline, application->probe_timeout_ms), why);
    if (r == 0 && depth >= 10)
        r = make_environment(application->environment, "VIGIL_ACTION=1", &environment);
    context.environment = environment.list;
    if (r == 0 && depth >= 10 && application->probe)
        r = probe_list_run(application->probe, &context, deadline, why);
    if (r == 0 && depth >= 20 && application->deep_probe)
        r = probe_list_run(application->deep_probe, &context, deadline, why);
    return r;
}
