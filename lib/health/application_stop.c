/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping an application: its own command, its signal, SIGKILL; then looking whether anything is left. Only that look counts.
 */
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "health/application_unit.h"
#include "health/pidfile.h"

/* The share of the time left that each step may take. What they leave is for SIGKILL. */
#define COMMAND_PERCENT 60
#define SIGNAL_PERCENT 66
/* The main process's children get this part of the signal's time to end with it, before they are told themselves. */
#define CHILDREN_PERCENT 50
/* SIGKILL is repeated: before Linux 5.14 a fork can outrun it. */
#define KILL_AGAIN_MS 200

static struct deadline step_deadline(const struct application *application, struct deadline deadline,
                                     unsigned int percent)
{
    struct deadline share = deadline_share(deadline, percent);

    return application->stop_timeout_ms ? deadline_within(share, application->stop_timeout_ms) : share;
}

/* Signals the main process alone where it lives, else everyone. */
static int signal_gently(const struct process_set *set, const struct process_identity *main, int signal)
{
    _cleanup_close_ int pidfd = main->pid > 0 ? process_open(main) : -ESRCH;

    if (pidfd < 0)
        return process_set_signal(set, signal);
    return pidfd_send_signal(pidfd, signal, NULL, 0) < 0 && errno != ESRCH ? -errno : 0;
}

static int end_gently(const struct application *application, const struct process_set *set,
                      const struct process_identity *main, struct deadline deadline)
{
    int signal = application->stop_signal ? application_signal_number(application->stop_signal) : SIGTERM;
    struct deadline first = main->pid > 0 ? deadline_share(deadline, CHILDREN_PERCENT) : deadline;
    int r = signal_gently(set, main, signal);

    if (r == 0)
        r = process_set_wait_empty(set, first);
    if (r != -ETIMEDOUT || main->pid <= 0)
        return r;
    /* The main process is still at its work: it is given the rest. Its orphans are told. */
    if (process_alive(main) == 0)
        r = process_set_signal(set, SIGTERM);
    else
        r = 0;
    return r < 0 ? r : process_set_wait_empty(set, deadline);
}

static int end_forcibly(const struct process_set *set, struct deadline deadline)
{
    int r;

    do {
        r = process_set_signal(set, SIGKILL);
        if (r == 0)
            r = process_set_wait_empty(set, deadline_within(deadline, KILL_AGAIN_MS));
    } while (r == -ETIMEDOUT && !deadline_passed(deadline));
    return r;
}

/* Names what is left, with the state of /proc/PID/stat: D can't be killed until the kernel lets go of it. */
static void name_survivors(const struct process_set *set, struct text_buffer *why)
{
    pid_t pids[5];
    int count = process_set_list(set, pids, ARRAY_SIZE(pids));

    text_buffer_printf(why, "after SIGKILL these processes are left:");
    for (int i = 0; i < count && i < (int)ARRAY_SIZE(pids); i++) {
        char path[40], text[1024] = "";
        const char *end;

        (void)text_format(path, sizeof(path), "/proc/%ld/stat", (long)pids[i]);
        if (file_read_line(path, text, sizeof(text)) < 0)
            continue;
        end = strrchr(text, ')');
        text_buffer_printf(why, " %ld (state %c)", (long)pids[i], end && end[1] ? end[2] : '?');
    }
}

int application_end_processes(const struct application *application, const struct process_set *set,
                              const struct process_identity *main, struct deadline deadline, struct text_buffer *why)
{
    int r = process_set_populated(set);

    if (r > 0) {
        r = end_gently(application, set, main, step_deadline(application, deadline, SIGNAL_PERCENT));
        if (r == -ETIMEDOUT)
            r = end_forcibly(set, deadline);
    }
    if (r == -ETIMEDOUT)
        name_survivors(set, why);
    else if (r < 0)
        text_buffer_printf(why, "can't end or see the processes: %s", strerror(-r));
    if (r < 0)
        return r;
    (void)process_set_remove(set);
    return 0;
}

/* The application's own way. Its failure is only a remark: the next step follows, and the look decides. */
static void run_stop_command(const struct application *application, const struct process_set *set,
                             struct deadline deadline, struct text_buffer *why)
{
    struct deadline own = step_deadline(application, deadline, COMMAND_PERCENT);

    if (application_command_run(application, "stop", application->stop, own, why) == 0)
        (void)process_set_wait_empty(set, own);
}

/* Its pidfile, where it names the process that was just ended: on a shared volume it may by now be that of another node. */
static void remove_pidfile(const struct application *application, const struct process_identity *main)
{
    if (application->pidfile && main->pid > 0)
        (void)pidfile_remove(application->pidfile, main->pid, application->deadline);
}

int application_stop_locked(const struct application *application, const struct application_view *view,
                            struct deadline deadline, struct text_buffer *why)
{
    char path[PATH_MAX];
    int r;

    if (application->unit)
        return application_unit_stop(application, deadline, why);
    if (view->state != APPLICATION_ABSENT && application->stop)
        run_stop_command(application, &view->set, deadline, why);
    r = application_end_processes(application, &view->set, &view->record.main, deadline, why);
    if (r < 0)
        return r;
    if (view->state != APPLICATION_ABSENT)
        remove_pidfile(application, &view->record.main);
    /* Nothing lives: a record that can't be taken away names only dead processes and does no harm. */
    (void)unlink(application->state_path);
    for (unsigned int depth = 0; depth <= 20; depth += 10)
        if (text_format(path, sizeof(path), "%s.failures%u", application->state_path, depth) > 0)
            (void)unlink(path);
    return 0;
}

int application_stop(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_close_ int lock_fd = -1;
    struct application_view view;
    int r;

    if (application->state_path[0]) {
        lock_fd = application_lock(application, deadline_share(deadline, 50), why);
        if (lock_fd < 0 && lock_fd != -EROFS && lock_fd != -ENOSPC)
            return lock_fd;
    }
    r = application_look(application, deadline, &view, why);
    return r < 0 ? r : application_stop_locked(application, &view, deadline, why);
}
