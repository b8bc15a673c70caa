/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_SYSTEMD_UNIT_H
#define VIGIL_HEALTH_SYSTEMD_UNIT_H
/*
 * systemd units over D-Bus (org.freedesktop.systemd1(5)), through libsystemd, which is loaded by the first call. A unit is never
 * enabled or disabled. Every call is bounded by a deadline.
 */
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/text.h"

/* What systemd says of a unit. */
struct unit_status {
    char load[24];           /* LoadState: "loaded", "not-found", "masked", ... */
    char active[24];         /* ActiveState: "active", "inactive", "failed", "activating", ... */
    char sub[32];            /* SubState: "running", "exited", "auto-restart", ... */
    pid_t main_pid;          /* of a service; 0: none */
    char control_group[512]; /* below the hierarchy's root, or "" */
};

/* Asks for the status. Returns 0, or -errno with why where systemd can't be asked or did not answer in time. */
int unit_read(const char *unit, struct deadline deadline, struct unit_status *ret, struct text_buffer *why);

/* Starts, stops or reloads ("StartUnit", "StopUnit", "ReloadUnit") and waits for the job. Returns 0 when the job was done, -ETIMEDOUT when
 * it was not by the deadline (it goes on), another -errno where it failed, with why. */
int unit_run_job(const char *unit, const char *method, struct deadline deadline, struct text_buffer *why);

/* Sends a signal to all processes of the unit. Returns 0 or -errno with why. */
int unit_kill(const char *unit, int signal, struct deadline deadline, struct text_buffer *why);

/* Checks the syntax of a unit's name (systemd.unit(5)), with its suffix. Returns 0 or -EINVAL with why. Pure. */
int unit_name_check(const char *name, struct text_buffer *why);

#endif
