/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_CONTROLLER_H
#define VIGIL_CLUSTER_CONTROLLER_H
/*
 * Pacemaker's controller and CIB over connections that are kept open, for a process that does nothing else: Pacemaker's libraries need GLib's main loop,
 * cost megabytes, and may end a process that they are not content with. They are opened at run time, those of 2.1 and of 3.0 alike.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "cluster/resource_state.h"

struct controller;

/* What the owner is told. */
struct controller_events {
    /* The connection came, or went (why, NULL when it came). */
    void (*connection)(void *context, bool connected, const char *why);
    /* The controller has taken a failure (0), or not (-errno): answers come in the order of the calls. */
    void (*answer)(void *context, int result);
    /* The configuration, or a maintenance attribute, has changed. */
    void (*changed)(void *context);
    /* Fail counts have changed: the text of the change, for failure_count_parse. */
    void (*counted)(void *context, const char *text, size_t length);
};

/* Opens the libraries. Returns 0 or -ELIBACC with why. */
int controller_open(const struct controller_events *events, void *context, struct controller **ret, struct text_buffer *why);

/* Connects to the controller and the CIB manager. Returns 0, or -ENOTCONN with why; it may be called again later. */
int controller_connect(struct controller *controller, struct text_buffer *why);
bool controller_connected(const struct controller *controller);

/* The history of a resource on a node. Returns 0, -ENOENT where the CIB has none, -ENOTCONN, -EBADMSG, -ENOSYS where libcib is of an unknown
 * version. */
int controller_history(struct controller *controller, const char *node, const char *resource, struct resource_history *ret);

/* How many failures of the resource that were reported from outside the CIB has on that node. Returns 1, 0 where it has none (0 then), or -errno as
 * controller_history does, or -ERANGE (INFINITY). */
int controller_failure_count(struct controller *controller, const char *node, const char *resource, int64_t *ret);

/* Whether so many more failures of the resource on that node are fewer than any migration-threshold that the CIB has. False where that can't be told. */
bool controller_below_threshold(struct controller *controller, const char *node, const char *resource, int64_t more);

/* The version of the cluster's coordinator ("2.1.5-a3f44794f94"), as pacemaker_counts_twice() takes it. Returns false, and an empty text, where that can't be told. */
bool controller_version(struct controller *controller, char *buffer, size_t size);

/* Sets a node attribute of this node, which the cluster has before it hears of a failure that is reported afterwards. Returns 0 or -errno. */
int controller_set_attribute(struct controller *controller, const char *node, const char *name, const char *value, struct deadline deadline);

/* Tells the controller that a resource of ocf:vigil:AGENT on this node has failed (pcmk_controld_api_fail). Returns 0: answer() will be called, or
 * -errno. */
int controller_fail(struct controller *controller, const char *node, const char *resource, const char *agent);

/* GLib's main loop: what it watches and for how long it runs. A callback of a timer returns true to be called again. */
void controller_watch_fd(struct controller *controller, int fd, void (*callback)(void *context), void *context);
void controller_timer(struct controller *controller, uint32_t ms, bool (*callback)(void *context), void *context);
void controller_run(struct controller *controller);
/* Ends controller_run(). */
void controller_stop(struct controller *controller);

/* Asks crm_mon which resources of the node must be left alone. Returns 0 or -errno. */
int controller_exceptions(const char *node, struct deadline deadline, struct resource_exceptions *ret);

#endif
