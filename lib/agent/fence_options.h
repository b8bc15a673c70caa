/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_FENCE_OPTIONS_H
#define VIGIL_AGENT_FENCE_OPTIONS_H
/*
 * Internal to lib/agent: the parameters that every fence agent has, and how a call's options are read from argv or from
 * "name=value" lines.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/fence.h"

enum fence_method {
    FENCE_METHOD_ONOFF,
    FENCE_METHOD_CYCLE,
};

struct fence_options {
    const char *action;
    const char *plug;
    const char *nodename; /* Pacemaker adds the target's name; a plug goes before it */
    int method;           /* enum fence_method */
    uint64_t delay_ms;
    uint64_t login_timeout_ms;
    uint64_t shell_timeout_ms;
    uint64_t power_timeout_ms;
    uint64_t power_wait_ms;
    uint64_t status_interval_ms;
    int attempts;
    bool verbose;
    bool quiet;
    const char *debug_file;
    bool help;
    bool version;
};

extern const struct param fence_common_params[];

/* Where a call's values go: the two tables and the structs that they fill. */
struct fence_input {
    const struct fence_agent *agent;
    struct fence_options *options;
    void *config;
    struct text_buffer why; /* what is wrong, when a reader returns an error */
    struct text_buffer unknown; /* names that nobody knows, separated by blanks */
};

/* Reads "name=value" lines; blank lines and lines beginning with # are skipped. `text` is changed (lines are terminated) and must
 * outlive the config, since text members borrow from it. Unknown names are collected, not refused: Pacemaker adds its own. Returns 0,
 * or -EINVAL / -ERANGE with input->why. */
int fence_input_read_lines(struct fence_input *input, char *text, size_t length);

/* Reads -x VALUE, --long-name VALUE, --long-name=VALUE; booleans take no value. '-' and '_' are alike. Returns as above; an unknown option
 * on the command line is a person's slip and is -EINVAL. */
int fence_input_read_arguments(struct fence_input *input, int argc, char *argv[]);

#endif
