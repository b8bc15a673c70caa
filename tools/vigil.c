/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil: what an operator asks. Each subcommand is a file of its own; this is their table.
 */
#include "tools/vigil.h"

static const struct command *const commands[] = {
    &command_fence_log,
    &command_status,
    &command_timeline,
    &command_watch,
    NULL,
};

static const struct command_suite suite = {
    .name = "vigil",
    .shortdesc = "show what happens in a hot-standby cluster, and what happened",
    .longdesc = "The command of the Vigil suite. Its subcommands read what the agents, the fence agents and the watcher vigild have written on this "
                "node; none changes a resource.",
    .commands = commands,
};

int main(int argc, char *argv[])
{
    return command_main(&suite, argc, argv);
}
