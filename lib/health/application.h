/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_APPLICATION_H
#define VIGIL_HEALTH_APPLICATION_H
/*
 * An application that is run by commands: what of it lives, how it is started and ended. Its processes are a process_set; which one is
 * the main one stands in its record. Nothing here logs: a reason is appended to `why`, thing, cause and remedy on one line.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/child.h"
#include "base/deadline.h"
#include "base/text.h"
#include "health/application_record.h"
#include "health/process_set.h"

/* Whether the start command stays. */
enum application_type {
    APPLICATION_AUTO,       /* seen from whether it still runs when the application is ready */
    APPLICATION_FOREGROUND, /* it is the application, and stays */
    APPLICATION_DAEMON,     /* it ends with 0 once the application runs in the background */
};

struct application {
    const char *name;     /* the resource's */
    const char *unit;     /* a systemd unit that runs it, instead of the commands; or NULL */
    const char *start;    /* command lines, split by text_split_command; NULL: none */
    const char *arguments; /* added to the start command */
    const char *stop;
    const char *reload;
    const char *monitor;
    bool shell;           /* the command lines are given to /bin/sh -c */
    int type;             /* enum application_type */
    const char *user, *group, *directory;
    const char *environment; /* NAME=value words, split likewise */
    const char *pidfile;
    const char *logfile, *errlogfile;
    const char *stop_signal;  /* checked by application_signal_number; NULL: TERM */
    uint64_t stop_timeout_ms; /* how long each gentle step of a stop may take; 0: a share of the action's time */
    uint64_t settle_ms;       /* how long a process without probes is watched before it counts as started */
    const char *probe;        /* light and deep probes, or NULL */
    const char *deep_probe;
    uint64_t probe_timeout_ms;
    struct deadline deadline;  /* of the action */
    char state_path[PATH_MAX]; /* where its record lies; "" where that folder can't be made */
};

enum application_state {
    APPLICATION_ABSENT,  /* no process of it */
    APPLICATION_RUNNING, /* its main process lives; where that is not known, any process */
    APPLICATION_REMNANT, /* processes of it, but not the main one, or of a start that was cut off */
};

/* What was seen of an application. */
struct application_view {
    enum application_state state;
    struct process_set set;
    struct application_record record;
    char detail[400]; /* the state in words */
};

/* Looks. Changes nothing. Returns 0, or -errno with why when it could not be told. */
int application_look(const struct application *application, struct deadline deadline, struct application_view *ret,
                     struct text_buffer *why);

/* Asks the probes of the tiers up to the depth (10: light, 20: deep), the monitor command before them. Returns like probe_list_run. */
int application_ask(const struct application *application, const struct process_set *set, unsigned int depth,
                    struct deadline deadline, struct text_buffer *why);

/* Starts it and waits until it is ready. Returns 0 (also when it ran already and is ready), -ENOPKG when the program or the user
 * is not on this node, -EACCES when the program may not be run, -ETIMEDOUT when it was not ready in time, another -errno. On failure
 * nothing of what was started is left; where that could not be reached, why says so. */
int application_start(const struct application *application, struct deadline deadline, struct text_buffer *why);

/* Stops it: its own command, then the signal, then SIGKILL to all. Returns 0 when no process of it was seen any more, else -errno with
 * why. A warning on what did not go as wished is appended to why also where it returns 0. */
int application_stop(const struct application *application, struct deadline deadline, struct text_buffer *why);

/* Runs the reload command, or the unit's own reload. Returns 0 or -errno with why. */
int application_reload(const struct application *application, struct deadline deadline, struct text_buffer *why);

/* "TERM", "SIGINT" or "2". Returns the number, or -EINVAL. Pure. */
int application_signal_number(const char *text);

/* Says why a program can't be run on this node, where that can be found out. Returns -ENOPKG, or the error it was given. */
int application_explain_missing(const struct application *application, const char *program, int error,
                                struct text_buffer *why);

/* ---- between the parts of it ------------------------------------------------------------------------------------ */

/* The user's NAME=value words and one of our own. */
struct application_environment {
    char **words;
    const char **list; /* NULL-terminated */
};
void application_environment_free(struct application_environment *environment);

/* A command line made ready to run. */
struct application_command {
    char **vector;
    struct application_environment environment; /* with the mark of the set, which is borrowed */
    struct child_spec spec;
    char *line; /* with shell: what argv points to */
    const char *shell_vector[4];
};
int application_command_prepare(const struct application *application, const char *line, const char *mark,
                                struct application_command *ret, struct text_buffer *why);
void application_command_free(struct application_command *command);
#define _cleanup_application_command_ _cleanup_(application_command_free)

/* Runs a command line to its end, outside of the application's set. Returns 0 when it ended with 0, -EPROTO with another code, -ETIMEDOUT,
 * or -errno, with why. */
int application_command_run(const struct application *application, const char *what, const char *line,
                            struct deadline deadline, struct text_buffer *why);

/* Ends what lives of the set, without the application's own stop command. main.pid 0: not known. Returns 0 when it was seen
 * empty, else -errno with why. */
int application_end_processes(const struct application *application, const struct process_set *set,
                              const struct process_identity *main, struct deadline deadline, struct text_buffer *why);

/* The same with the stop command before it, for the caller that holds the lock. */
int application_stop_locked(const struct application *application, const struct application_view *view,
                            struct deadline deadline, struct text_buffer *why);

/* One start or stop at a time. Returns a descriptor, or -errno with why. */
int application_lock(const struct application *application, struct deadline deadline, struct text_buffer *why);

/* The member of the set that the pidfile names. Returns 0, -ESRCH when there is none (a stale pidfile). */
int application_read_pidfile(const struct application *application, const struct process_set *set,
                             struct process_identity *ret);

#endif
