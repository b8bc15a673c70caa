/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_WATCHER_H
#define VIGIL_TOOLS_WATCHER_H
/*
 * vigild: one process around libqb's loop.
 *
 *     agents --IPC--> watch_table --items--> sources --sign--> second look --failed--> failure_report --> cluster_child --> Pacemaker
 *
 * A watch is what one resource has registered, a source is one item of it. What a source sees is a suspicion; the source's look decides, and
 * nothing is reported while the registration's file is gone. The child that speaks to Pacemaker is a process of its own, since Pacemaker's libraries are large.
 */
#include <limits.h>
#include <qb/qbloop.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "watch/event.h"
#include "watch/recorder.h"
#include "watch/registration.h"

struct watch;
struct watch_source;
struct watcher;

enum source_state {
    SOURCE_WELL,
    SOURCE_SUSPECT, /* something was seen; the second look is to come */
    SOURCE_FAILED,  /* confirmed */
    SOURCE_UNKNOWN, /* can't be told: never a failure */
};
extern const char *const source_state_names[];

/* A kind of source. */
struct source_kind {
    bool soft;          /* can be wrong or flap: its reports are held back by watch_report's back-off */
    uint32_t settle_ms; /* how long behind the sign the second look comes (0: at once) */
    /* Begins to watch. Where it is bad already, sets the state SOURCE_SUSPECT: it is looked at once all are open. Returns 0, or -errno: it can't be
     * watched here. */
    int (*open)(struct watch_source *source, struct text_buffer *why);
    void (*close)(struct watch_source *source);
    /* Looks: 1 well, 0 failed with why, -errno where it can't be told. */
    int (*look)(struct watch_source *source, struct text_buffer *why);
};
extern const struct source_kind source_process, source_cgroup, source_listener, source_address, source_link, source_mount, source_device,
    source_reservation, source_latency, source_probe;
const struct source_kind *source_kind_of(enum watch_kind kind);

struct watch_source {
    struct watch *watch;
    bool closed; /* of a watch that was dropped just now: only its memory is left */
    const struct source_kind *kind;
    struct watch_item item;
    struct watch_source *next_of_kind; /* list of all sources of the kind, for those that share a descriptor */
    enum source_state state;
    uint64_t sign_ms;    /* last sign of life */
    uint64_t suspect_ms; /* when the failure was first seen */
    unsigned int tries;  /* looks that could not tell, in a row */
    int fd;              /* the kind's own, or -1 */
    void *data;          /* likewise, or NULL */
    qb_loop_timer_handle timer;
    char *detail; /* the last reason, or NULL */
};

enum watch_state {
    WATCH_WATCHED,
    WATCH_REPORTING, /* the report is under way */
    WATCH_REPORTED,  /* once a failure */
    WATCH_HELD,      /* a failure is held back */
    WATCH_WITHDRAWN, /* only the history is left */
};
extern const char *const watch_state_names[];

struct watch {
    struct watcher *watcher;
    char *resource;
    char *agent;
    char *text; /* what the items' targets borrow from */
    struct watch_source *sources;
    size_t source_count;
    enum watch_state state;
    uint64_t since_ms;
    struct watch_source *culprit;
    uint64_t report_id;   /* of the report that is under way */
    unsigned int retries; /* answers in a row that did not take the report */
    qb_loop_timer_handle retry;
    /* The history: outlives a withdrawal. */
    unsigned int reports;
    uint64_t failed_ms;     /* when the last failure was confirmed, or 0 */
    char *last_failure;
    uint64_t hold_ms;       /* the back-off in force */
    uint64_t hold_until_ms;
    uint64_t used_ms;       /* for the oldest history to go first */
};

struct watcher {
    qb_loop_t *loop;
    struct recorder *recorder;
    struct flight *flight;
    struct watch **watches;
    size_t watch_count;
    struct watch_source *sources_of[WATCH_KINDS];
    int folder_fd; /* inotify on the registrations' folder */
    struct cluster_link *cluster;
    struct fencing_link *fencing;
    struct ipc_server *ipc;
    char node[EVENT_NODE_SIZE];
    bool cluster_connected;
    char cluster_why[160];
    uint64_t started_ms;
    int lock_fd;
};

/* Notes an event with the recorder, and logs it where it is worth a line. resource may be NULL. */
void watcher_note(struct watcher *watcher, enum event_kind kind, const char *resource, int64_t value, const char *format, ...)
    _printf_(5, 6);

/* Timers on the monotonic clock; *handle is set, and cleared by timer_cancel. The callback's own handle is dead when it is called. */
void watcher_timer(struct watcher *watcher, uint64_t ms, void *data, void (*callback)(void *data), qb_loop_timer_handle *handle);
void watcher_cancel(struct watcher *watcher, qb_loop_timer_handle *handle);

/* ---- sources (watch_source.c) ------------------------------------------------------------------------------------------------ */

/* Opens all items of a registration, whose text the watch has taken over. Returns 0, or -errno with why: nothing is open then. */
int sources_open(struct watch *watch, const struct watch_registration *registration, struct text_buffer *why);
void sources_close(struct watch *watch);

/* The kind has seen something. */
void source_suspect(struct watch_source *source);
/* The kind has seen, in its own way, that all is well. */
void source_well(struct watch_source *source);
/* The kind has confirmed the failure itself. */
void source_failed(struct watch_source *source, const char *why);
/* Looks now: for a kind that checks from time to time. */
void source_check(struct watch_source *source);

/* ---- watches (watch_table.c) --------------------------------------------------------------------------------------------------- */

int table_open(struct watcher *watcher);
void table_close(struct watcher *watcher);
/* Registers what the text says: sources open, file written. Returns 0 or -errno with why. */
int table_register(struct watcher *watcher, const char *text, size_t length, struct text_buffer *why);
/* Withdraws: the file goes first. Returns 0 or -errno. */
int table_withdraw(struct watcher *watcher, const char *resource);
/* False when the registration was withdrawn; it then is dropped, and the watch has no sources any more. */
bool table_stands(struct watch *watch);

/* ---- reports (failure_report.c) -------------------------------------------------------------------------------------------------- */

void watch_report(struct watch *watch, struct watch_source *source, const char *why);
/* The child's answer. */
void watch_report_answered(struct watcher *watcher, uint64_t report_id, int result);
/* A source of the watch is well again. */
void watch_recovered(struct watch *watch);

/* ---- the child that speaks to Pacemaker (cluster_link.c) --------------------------------------------------------------------------- */

int cluster_link_open(struct watcher *watcher);
void cluster_link_close(struct watcher *watcher);
/* Sends watch->report_id and the rest. Returns 0: an answer will come, or -errno. */
int cluster_link_report(struct watcher *watcher, const struct watch *watch, const char *why);
/* Sets an attribute of this node. Returns 0: it was handed over, -ENOTCONN while there is no connection to Pacemaker, or -errno. */
int cluster_link_health(struct watcher *watcher, const char *attribute, const char *value);

/* ---- the rest -------------------------------------------------------------------------------------------------------------------------- */

int ipc_server_open(struct watcher *watcher);
void ipc_server_close(struct watcher *watcher);
void ipc_server_event(struct watcher *watcher, const struct event *event);

/* Asks the kernel to be woken when the node stalls. Before privileges_drop(): kernels before 6.4 demand CAP_SYS_RESOURCE (psi_open() in kernel/sched/psi.c).
 * Returns 0, or -errno of what can't be watched; the rest is. */
int pressure_open(struct watcher *watcher);
void pressure_close(struct watcher *watcher);

#endif
