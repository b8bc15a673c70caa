/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An application that systemd runs: the same questions as of one that is run by commands, answered by its unit.
 */
#include <signal.h>
#include <string.h>

#include "health/application_unit.h"
#include "health/systemd_unit.h"

/* Of the action's time, this share is kept to end what did not become ready. */
#define READY_SHARE_PERCENT 85
/* The share of the time that systemd's own stop may take before its processes are killed. */
#define STOP_PERCENT 75
#define LOOK_AGAIN_MS 100

/* systemd names a cgroup from its hierarchy's root, which process_set_locate knows by where it puts ours. */
static void locate_cgroup(const struct application *application, const char *control_group, struct process_set *set)
{
    char *own;

    if (process_set_locate(application->name, set) < 0 || !set->cgroup[0])
        return;
    own = strstr(set->cgroup, "/vigil/");
    if (!control_group[0] || text_format(own, sizeof(set->cgroup) - (size_t)(own - set->cgroup), "%s", control_group) < 0)
        set->cgroup[0] = '\0';
}

/* ActiveState as systemd(1) defines it. */
static enum application_state judge(const struct unit_status *status, const struct process_set *set)
{
    if (text_equal(status->active, "active") || text_equal(status->active, "reloading") ||
        text_equal(status->active, "refreshing"))
        return APPLICATION_RUNNING;
    if (!text_equal(status->active, "inactive") && !text_equal(status->active, "failed"))
        return APPLICATION_REMNANT;
    if (status->main_pid > 0 || (set->cgroup[0] && process_set_populated(set) != 0))
        return APPLICATION_REMNANT;
    return APPLICATION_ABSENT;
}

static int look(const struct application *application, struct deadline deadline, struct application_view *ret,
                struct unit_status *status, struct text_buffer *why)
{
    int r = unit_read(application->unit, deadline, status, why);

    memset(ret, 0, sizeof(*ret));
    if (r < 0)
        return r;
    locate_cgroup(application, status->control_group, &ret->set);
    ret->state = judge(status, &ret->set);
    (void)text_format(ret->detail, sizeof(ret->detail), "unit %s is %s (%s)", application->unit, status->active,
                      status->sub);
    return 0;
}

int application_unit_look(const struct application *application, struct deadline deadline,
                          struct application_view *ret, struct text_buffer *why)
{
    struct unit_status status;

    return look(application, deadline, ret, &status, why);
}

/* Watches the started unit until its probes answer. */
static int wait_ready(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    bool unprobed = !application->probe && !application->deep_probe && !application->monitor;
    struct deadline settled = deadline_in(application->settle_ms);

    for (;;) {
        _cleanup_text_buffer_ struct text_buffer reason = { 0 };
        struct application_view view;
        struct unit_status status;
        int r = look(application, deadline, &view, &status, why);

        if (r < 0)
            return r;
        if (view.state != APPLICATION_RUNNING) {
            text_buffer_printf(why, "%s before %s was ready, see: journalctl -u %s", view.detail, application->name,
                               application->unit);
            return -ECHILD;
        }
        if (application_ask(application, &view.set, 20, deadline, &reason) == 0 &&
            (!unprobed || deadline_passed(settled)))
            return 0;
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0) {
            text_buffer_printf(why, "%s was not ready in time: %s", application->name,
                               reason.text ? reason.text : "it was still being watched");
            return -ETIMEDOUT;
        }
    }
}

static int check_installed(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    struct unit_status status;
    int r = unit_read(application->unit, deadline, &status, why);

    if (r < 0)
        return r;
    if (text_equal(status.load, "not-found") || text_equal(status.load, "masked")) {
        text_buffer_printf(why, "unit %s is %s on this node, %s", application->unit, status.load,
                           status.load[0] == 'm' ? "unmask it" : "install it here");
        return -ENOPKG;
    }
    return 0;
}

int application_unit_start(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    struct deadline ready = deadline_share(deadline, READY_SHARE_PERCENT);
    int r = check_installed(application, ready, why);

    if (r < 0)
        return r;
    r = unit_run_job(application->unit, "StartUnit", ready, why);
    if (r == 0)
        r = wait_ready(application, ready, why);
    if (r < 0) {
        _cleanup_text_buffer_ struct text_buffer detail = { 0 };

        if (application_unit_stop(application, deadline, &detail) < 0)
            text_buffer_printf(why, "; and it could not be stopped: %s", detail.text ? detail.text : "");
    }
    return r;
}

/* What systemd's own stop left alive. */
static int kill_rest(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    for (;;) {
        _cleanup_text_buffer_ struct text_buffer detail = { 0 };
        struct application_view view;
        struct unit_status status;
        int r = look(application, deadline, &view, &status, why);

        if (r < 0)
            return r;
        if (view.state == APPLICATION_ABSENT)
            return 0;
        if (deadline_passed(deadline)) {
            text_buffer_printf(why, "%s%s in spite of SIGKILL", why->text ? "; " : "", view.detail);
            return -ETIMEDOUT;
        }
        (void)unit_kill(application->unit, SIGKILL, deadline, &detail);
        /* Processes that KillMode=none let go are no longer the unit's to kill, but are still in its cgroup. */
        if (view.set.cgroup[0] && view.state == APPLICATION_REMNANT)
            (void)process_set_signal(&view.set, SIGKILL);
        (void)deadline_sleep(deadline, LOOK_AGAIN_MS);
    }
}

int application_unit_stop(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    struct deadline gentle = deadline_share(deadline, STOP_PERCENT);
    struct application_view view;
    struct unit_status status;
    int r = look(application, deadline, &view, &status, why);

    if (r < 0)
        return r;
    if (view.state == APPLICATION_ABSENT)
        return 0;
    if (application->stop_timeout_ms)
        gentle = deadline_within(gentle, application->stop_timeout_ms);
    /* Its failure is only a remark: what is seen behind it decides. */
    (void)unit_run_job(application->unit, "StopUnit", gentle, why);
    return kill_rest(application, deadline, why);
}

int application_unit_reload(const struct application *application, struct deadline deadline, struct text_buffer *why)
{
    return unit_run_job(application->unit, "ReloadUnit", deadline, why);
}
