/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_FENCE_H
#define VIGIL_AGENT_FENCE_H
/*
 * Fence agents: a const table like an OCF agent's, and at most four functions. This library owns everything that makes fencing
 * safe: look before acting, verify after every set, a reboot as off (seen) then on, waits, delays, retries, exit codes.
 *
 * Source of the rules: FenceAgentAPI.md of ClusterLabs/fence-agents; Pacemaker's fencer (lib/fencing) for what it really passes and reads.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/log.h"
#include "agent/param.h"
#include "agent/record.h"
#include "base/deadline.h"

/* Exit codes that Pacemaker's fencer knows. */
enum fence_code {
    FENCE_SUCCESS = 0,
    FENCE_FAILURE = 1,
    FENCE_STATUS_OFF = 2, /* action status: the plug is off */
};

enum power_state {
    POWER_UNKNOWN, /* could not be told: never taken for off */
    POWER_OFF,
    POWER_ON,
};

struct fence_agent;
struct fence_options; /* what the library itself understands; see fence.c */

struct fence_run {
    const struct fence_agent *agent;
    const struct fence_options *options;
    const char *action;
    const char *plug;         /* which node, or NULL where the device has one plug */
    struct deadline deadline; /* of the phase that runs now */
    void *session;            /* the agent's own, from open to close */
    bool reason_given;
    /* What the device said about the power when power_get returned, in words for the record. power_get fills it in, or leaves it "". */
    char evidence[192];
    /* While the library looks again and again, a failure is noted here and not said: it may not be the last word. */
    bool tentative;
    char last_failure[512];
};

/* Called by list for each plug; alias may be NULL. */
typedef void (*fence_emit)(struct fence_run *run, const char *plug, const char *alias, enum power_state state);

/* What a device can do. All return 0 or -errno, and say why by fence_fail. A function that is NULL is an action that the agent does not offer. */
struct fence_operations {
    /* Reaches and logs into the device, keeping the session in run->session. */
    int (*open)(struct fence_run *run, const void *config);
    void (*close)(struct fence_run *run, const void *config);
    /* Reads the state of run->plug now. POWER_UNKNOWN is an answer; off only on evidence. */
    int (*power_get)(struct fence_run *run, const void *config, enum power_state *ret);
    /* Asks for a state; the library then looks until it is seen. */
    int (*power_set)(struct fence_run *run, const void *config, enum power_state state);
    /* One command that turns off and on (method=cycle). */
    int (*power_cycle)(struct fence_run *run, const void *config);
    /* Emits every plug. */
    int (*list)(struct fence_run *run, const void *config, fence_emit emit);
    /* Interrupts the node for a crash dump (action diag). */
    int (*diag)(struct fence_run *run, const void *config);
    /* Tries, for validate-all, whether the device would let this account do its work, changing nothing; open was called before. No plug is given to it: Pacemaker
     * validates with a made-up node. */
    int (*validate)(struct fence_run *run, const void *config);
    /* Checks across parameters, for every action but metadata; pure. May be NULL. */
    int (*check_config)(struct fence_run *run, const void *config);
};

/* Another default for one of the common parameters: a cloud takes longer than a controller. */
struct fence_default {
    const char *name;
    const char *value;
};

struct fence_agent {
    const char *name; /* "fence_vigil_bmc" */
    const char *shortdesc;
    const char *longdesc;
    const char *vendor_url;
    const struct param *params; /* its own; the common ones (action, plug, delay, ...) are the library's */
    const struct fence_default *defaults; /* of the common ones where they differ, ended by an empty row; NULL: none */
    size_t config_size;
    bool plug_required;  /* off without a plug is a usage error */
    bool on_automatic;   /* unfencing: <action name="on" automatic="1" on_target="1"> */
    const struct fence_operations *operations;
};

/* The whole of a fence agent's main(): options from argv, or key=value lines from standard input when there are none. */
int fence_main(const struct fence_agent *agent, int argc, char *argv[]);

/* Says why, once, on standard error, and logs it: names the device, the cause and the remedy. Returns error, a negative errno. A time-out's
 * text holds "timed out", which Pacemaker's fencer looks for. */
int fence_fail(struct fence_run *run, int error, const char *format, ...) _printf_(3, 4);

#endif
