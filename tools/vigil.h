/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_VIGIL_H
#define VIGIL_TOOLS_VIGIL_H
/*
 * The subcommands of `vigil`. To add one: tools/vigil_NAME.c with its table, its name here, in tools/vigil.c and in tools/Makemodule.am.
 */
#include "agent/command.h"

extern const struct command command_fence_log;
extern const struct command command_status;
extern const struct command command_timeline;
extern const struct command command_watch;

#endif
