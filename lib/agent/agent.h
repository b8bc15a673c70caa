/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_AGENT_H
#define VIGIL_AGENT_AGENT_H
/*
 * OCF resource agents: a const table of parameters and actions, a config struct, and a few small functions. This library
 * reads the table for all the rest: environment, types, metadata, validate-all, --help, deadline, exit reason.
 *
 * Source of the rules: OCF Resource Agent API 1.1 (ClusterLabs/OCF-spec, ra/1.1/resource-agent-api.md); Pacemaker's meaning of
 * the exit codes: "Pacemaker Administration", "How Does Pacemaker Interpret the OCF Return Codes?".
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/log.h"
#include "agent/param.h"
#include "agent/record.h"
#include "base/deadline.h"

enum ocf_code {
    OCF_SUCCESS = 0,
    OCF_ERR_GENERIC = 1,       /* failed, or not known: Pacemaker recovers here (a stop: fences) */
    OCF_ERR_ARGS = 2,          /* bans this node */
    OCF_ERR_UNIMPLEMENTED = 3,
    OCF_ERR_PERM = 4,          /* bans this node */
    OCF_ERR_INSTALLED = 5,     /* bans this node */
    OCF_ERR_CONFIGURED = 6,    /* bans every node: only for what is wrong on each of them */
    OCF_NOT_RUNNING = 7,       /* seen to be cleanly absent */
    OCF_RUNNING_PROMOTED = 8,
    OCF_FAILED_PROMOTED = 9,
    OCF_DEGRADED = 190,        /* running, but look at it */
    OCF_DEGRADED_PROMOTED = 191,
};

struct agent;
struct agent_action;

/* What an action function is told about its call. */
struct agent_run {
    const struct agent *agent;
    const struct agent_action *action;
    const char *instance;     /* OCF_RESOURCE_INSTANCE, or the agent's name when called by hand */
    struct deadline deadline; /* somewhat below Pacemaker's timeout: hand it to every wait */
    unsigned int depth;       /* OCF_CHECK_LEVEL: 0 where none was given */
    bool probe;               /* a monitor with interval 0: is it running here at all? */
    bool clone;               /* the resource is a clone (OCF_RESKEY_CRM_meta_clone is set) */
    bool reason_given;        /* agent_fail has spoken */
    bool dry_run;             /* validate-all and --help: nothing may be changed */
};

typedef enum ocf_code (*agent_function)(struct agent_run *run, const void *config);

/* A row of the action table. The table ends with an empty row. meta-data, validate-all and the help are the library's own and need no
 * row; a validate-all row adds checks of the host behind the table's checks. By OCF 1.1 it looks at the node only where run->depth is 10 or
 * more; at depth 0 (how pcs calls it) it judges the configuration alone. */
struct agent_action {
    const char *name;
    agent_function function;
    unsigned int timeout_s;
    unsigned int interval_s; /* 0: not recurring */
    unsigned int depth;
    const char *role;
};

struct agent {
    const char *name;      /* file name of the program: "vip" */
    const char *shortdesc; /* one line */
    const char *longdesc;  /* plain text, paragraphs separated by an empty line */
    const struct param *params;
    const struct agent_action *actions;
    size_t config_size;
    /* The depths that a monitor knows, ended by UINT_MAX; another OCF_CHECK_LEVEL is a configuration error. NULL: only 0. */
    const unsigned int *depths;
    /* Checks across parameters, before every action: pure and cheap, since a monitor pays for it. Returns OCF_SUCCESS or what
     * agent_fail returned. May be NULL. */
    agent_function check_config;
};

/* The whole of an agent's main(). Reads argv and the environment, runs the action, returns the exit code. */
int agent_main(const struct agent *agent, int argc, char *argv[]);

/* Says once, on one line, why the action fails: names the thing, the cause and the remedy (the thing and the cause within the first 128 bytes, which
 * is what Pacemaker before 3.0.2 keeps). Prints "ocf-exit-reason:..." on
 * standard error and logs it. The first reason wins; a later one is only logged. Returns code, so that a failing function ends with
 * `return agent_fail(run, OCF_ERR_GENERIC, "...")`. */
enum ocf_code agent_fail(struct agent_run *run, enum ocf_code code, const char *format, ...) _printf_(3, 4);

/* The path of a state file of this resource that a restart of the node clears: VIGIL_RUNDIR/AGENT/INSTANCE[@suffix], which no other
 * instance's is. The folder is made. Returns 0 or -errno. */
int agent_state_path(const struct agent_run *run, const char *suffix, char *buffer, size_t size);

/* A meta attribute of the resource (OCF_RESKEY_CRM_meta_NAME), or NULL. Borrowed. */
const char *agent_meta(const char *name);

#endif
