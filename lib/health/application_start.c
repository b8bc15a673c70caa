/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting an application. The record is written before the first process exists, so that whoever comes after a start that was cut off
 * finds what it left behind.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "health/application_unit.h"
#include "health/pidfile.h"

/* Of the action's time, this share is kept to end what did not become ready. */
#define READY_SHARE_PERCENT 85
/* Between two looks: from the first to at most the last. */
#define LOOK_FIRST_MS 20
#define LOOK_LAST_MS 250

/* A start command that was launched. */
struct launch {
    int pidfd;
    bool ended;
    int status; /* waitid's si_status, and whether a signal did it */
    bool signalled;
    uint64_t began_ms;
};

static int write_record(const struct application *application, const struct application_record *record,
                        struct text_buffer *why)
{
    int r = application_record_write(application->state_path, record);

    if (r < 0)
        text_buffer_printf(why, "can't write %s: %s", application->state_path, strerror(-r));
    return r;
}

/* The start command with its further arguments. */
static char *start_line(const struct application *application)
{
    return text_printf("%s%s%s", application->start, application->arguments ? " " : "",
                       application->arguments ? application->arguments : "");
}

/* What Pacemaker's own service was given by systemd is not the application's: sd_notify(3), sd_listen_fds(3). Its files are for others to
 * read unless it says otherwise, as under systemd. */
static void forget_caller(void)
{
    static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_PID",  "WATCHDOG_USEC", "LISTEN_PID",
                                         "LISTEN_FDS",    "LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unsetenv(names[i]);
    (void)umask(022);
}

static int launch_command(const struct application *application, struct application_view *view, struct launch *launch,
                          struct deadline deadline, struct text_buffer *why)
{
    _cleanup_application_command_ struct application_command command = { 0 };
    _cleanup_free_ char *line = start_line(application);
    pid_t pid = 0;
    int r = line ? application_command_prepare(application, line, view->set.mark, &command, why) : -ENOMEM;

    if (r < 0)
        return r;
    command.spec.cgroup = view->set.cgroup[0] ? view->set.cgroup : NULL;
    command.spec.output_path = application->logfile;
    command.spec.error_path = application->errlogfile;
    forget_caller();
    launch->began_ms = deadline_now_ms();
    r = child_start(&command.spec, -1, deadline, &launch->pidfd, &pid);
    if (r < 0)
        return application_explain_missing(application, command.spec.argv[0], r, why);
    /* Not reaped yet, so that the number is surely still its own. A zombie has a start time no more: it leads no session then. */
    if (process_identify(pid, &view->record.session) == 0)
        view->set.session = view->record.session;
    return write_record(application, &view->record, why);
}

static void look_at_command(struct launch *launch)
{
    siginfo_t info = { 0 };

    if (launch->ended || waitid(P_PIDFD, (id_t)launch->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    launch->ended = true;
    launch->status = info.si_status;
    launch->signalled = info.si_code != CLD_EXITED;
}

/* Says what it means that the start command has ended. Returns 0 where that is as it should be. */
static int judge_ended(const struct application *application, const struct launch *launch,
                       const struct process_set *set, struct text_buffer *why)
{
    const char *remedy = application->logfile ? "see its log file" : "set logfile= to keep what it says";
    int r;

    if (launch->signalled || launch->status != 0) {
        text_buffer_printf(why, "the start command ended with %s %d before %s was ready, %s",
                           launch->signalled ? "signal" : "exit code", launch->status, application->name, remedy);
        return -ECHILD;
    }
    if (application->type == APPLICATION_FOREGROUND) {
        text_buffer_printf(why, "the start command ended with exit code 0 before %s was ready; where it puts itself in "
                                "the background, set type=daemon", application->name);
        return -ECHILD;
    }
    r = process_set_populated(set);
    if (r == 0) {
        text_buffer_printf(why, "%s ended before it was ready, no process is left of it (where the command uses su or a login, "
                                "set user= instead), %s", application->name, remedy);
        return -ECHILD;
    }
    return r < 0 ? r : 0;
}

static bool has_settled(const struct application *application, const struct launch *launch)
{
    return deadline_now_ms() >= launch->began_ms + application->settle_ms;
}

/* The process that the pidfile names where nothing else ties it to the application (a login left the cgroup, cleared the environment and made
 * a session): it counts when both it and the file's text are younger than the start command. */
static int adopt_pidfile(const struct application *application, const struct launch *launch,
                         struct process_identity *ret)
{
    struct process_identity own, named;
    int64_t file_age_ms = 0;
    pid_t pid = 0;

    if (pidfile_read(application->pidfile, application->deadline, &pid, &file_age_ms) < 0 || process_identify(pid, &named) < 0 ||
        process_identify(getpid(), &own) < 0 || named.start_ticks < own.start_ticks)
        return -ESRCH;
    if (file_age_ms < 0 || (uint64_t)file_age_ms > deadline_now_ms() - launch->began_ms)
        return -ESRCH;
    *ret = named;
    return 0;
}

static bool find_main_by_pidfile(const struct application *application, const struct launch *launch,
                                 struct application_view *view)
{
    if (application_read_pidfile(application, &view->set, &view->record.main) == 0 ||
        adopt_pidfile(application, launch, &view->record.main) == 0) {
        view->set.main = view->record.main;
        return true;
    }
    if (launch->ended || application->type == APPLICATION_DAEMON || !has_settled(application, launch) ||
        view->record.session.pid <= 0)
        return false;
    view->record.main = view->record.session;
    /* A command that stays in the foreground need not know of the file that the user named for it. */
    return pidfile_write(application->pidfile, view->record.main.pid, application->deadline) == 0;
}

/* Finds the main process as well as it is known by now. Returns false while it must be waited for. */
static bool find_main(const struct application *application, const struct launch *launch,
                      struct application_view *view)
{
    if (application->pidfile)
        return find_main_by_pidfile(application, launch, view);
    if (!launch->ended) {
        view->record.main = view->record.session;
        return application->type != APPLICATION_DAEMON;
    }
    view->record.main = (struct process_identity){ 0 };
    (void)process_set_find_main(&view->set, &view->record.main);
    return true;
}

/* Whether the process is yet to be watched before it counts as started: a command that still runs may be a daemon's launcher that is about
 * to end, and a process without probes may be about to die. */
static bool must_settle(const struct application *application, const struct launch *launch)
{
    bool unprobed = !application->probe && !application->deep_probe && !application->monitor;
    bool unsure = application->type == APPLICATION_AUTO && !launch->ended && !application->pidfile;

    return (unprobed || unsure) && !has_settled(application, launch);
}

/* One look. Returns 1 when it is ready, 0 when it may yet become so, -errno when it won't. */
static int look_ready(const struct application *application, struct launch *launch, struct application_view *view,
                      struct deadline deadline, struct text_buffer *why)
{
    int r;

    look_at_command(launch);
    if (launch->ended) {
        /* Adopts what the pidfile names, before it is judged that nothing is left. */
        (void)find_main(application, launch, view);
        r = judge_ended(application, launch, &view->set, why);
        if (r < 0)
            return r;
    }
    if (!find_main(application, launch, view)) {
        text_buffer_printf(why, application->pidfile ? "its pidfile names no process of it"
                                                     : "the start command has not ended");
        return 0;
    }
    if (application_ask(application, &view->set, 20, deadline, why) < 0)
        return 0;
    if (must_settle(application, launch))
        return 0;
    /* It may have died while it was asked. */
    look_at_command(launch);
    if (launch->ended)
        r = judge_ended(application, launch, &view->set, why);
    else
        r = 0;
    if (r < 0)
        return r;
    return find_main(application, launch, view) ? 1 : 0;
}

static int wait_ready(const struct application *application, struct launch *launch, struct application_view *view,
                      struct deadline deadline, struct text_buffer *why)
{
    uint64_t pause_ms = LOOK_FIRST_MS;
    char waited[32];

    for (;;) {
        _cleanup_text_buffer_ struct text_buffer reason = { 0 };
        int r = look_ready(application, launch, view, deadline, &reason);

        if (r > 0)
            return 0;
        if (r < 0) {
            text_buffer_printf(why, "%s", reason.text ? reason.text : strerror(-r));
            return r;
        }
        if (deadline_passed(deadline)) {
            text_buffer_printf(why, "%s was not ready within %s: %s", application->name,
                               number_format_duration(deadline_now_ms() - launch->began_ms, waited, sizeof(waited)),
                               reason.text ? reason.text : "it was still being watched");
            return -ETIMEDOUT;
        }
        if (launch->ended)
            (void)deadline_sleep(deadline, pause_ms);
        else
            (void)deadline_wait_fd(deadline_within(deadline, pause_ms), launch->pidfd, POLLIN);
        pause_ms = pause_ms * 2 < LOOK_LAST_MS ? pause_ms * 2 : LOOK_LAST_MS;
    }
}

/* Ends what a failed start left. */
static void withdraw(const struct application *application, struct application_view *view, struct deadline deadline,
                     struct text_buffer *why)
{
    _cleanup_text_buffer_ struct text_buffer detail = { 0 };

    if (application_end_processes(application, &view->set, &view->record.main, deadline, &detail) == 0)
        (void)unlink(application->state_path);
    else
        text_buffer_printf(why, "; and it could not be ended: %s", detail.text ? detail.text : "");
}

static int start_processes(const struct application *application, struct application_view *view,
                           struct deadline deadline, struct text_buffer *why)
{
    struct launch launch = { .pidfd = -1 };
    int r;

    if (process_set_locate(application->name, &view->set) < 0)
        return -ENAMETOOLONG;
    (void)process_set_create(&view->set);
    memset(&view->record, 0, sizeof(view->record));
    (void)text_copy(view->record.cgroup, sizeof(view->record.cgroup), view->set.cgroup);
    r = write_record(application, &view->record, why);
    if (r == 0)
        r = launch_command(application, view, &launch, deadline, why);
    if (r == 0)
        r = wait_ready(application, &launch, view, deadline_share(deadline, READY_SHARE_PERCENT), why);
    if (r == 0) {
        view->record.started = true;
        r = write_record(application, &view->record, why);
    }
    if (r < 0)
        withdraw(application, view, deadline, why);
    cleanup_close(&launch.pidfd);
    return r;
}

/* It runs already: a start that is repeated. It is asked until it is ready, and left alone if it does not get so. */
static int wait_running(const struct application *application, const struct process_set *set,
                        struct deadline deadline, struct text_buffer *why)
{
    for (;;) {
        _cleanup_text_buffer_ struct text_buffer reason = { 0 };

        if (application_ask(application, set, 20, deadline, &reason) == 0)
            return 0;
        if (deadline_sleep(deadline, LOOK_LAST_MS) < 0) {
            text_buffer_printf(why, "%s runs, but was not ready in time: %s", application->name,
                               reason.text ? reason.text : "");
            return -ETIMEDOUT;
        }
    }
}

int application_start(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_close_ int lock_fd = application_lock(application, deadline, why);
    struct application_view view;
    int r;

    if (lock_fd < 0)
        return lock_fd;
    r = application_look(application, deadline, &view, why);
    if (r < 0)
        return r;
    if (view.state == APPLICATION_RUNNING)
        return wait_running(application, &view.set, deadline, why);
    if (view.state == APPLICATION_REMNANT) {
        _cleanup_text_buffer_ struct text_buffer detail = { 0 };

        r = application_stop_locked(application, &view, deadline_share(deadline, 40), &detail);
        if (r < 0) {
            text_buffer_printf(why, "processes of an earlier start remain: %s", detail.text ? detail.text : "");
            return r;
        }
    }
    if (application->unit)
        return application_unit_start(application, deadline, why);
    return start_processes(application, &view, deadline, why);
}
