/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_METADATA_H
#define VIGIL_AGENT_METADATA_H
/*
 * Internal to lib/agent: what is printed from the tables. Nothing else in the tree prints metadata.
 */
#include <stdio.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/fence.h"

/* Prints text with the five characters escaped that XML needs escaped (XML 1.0, 2.4). */
void xml_print(FILE *stream, const char *text);

/* OCF 1.1 metadata (ra-api 1.1, <version>1.1</version>). */
void agent_print_metadata(const struct agent *agent, FILE *stream);
void agent_print_help(const struct agent *agent, FILE *stream);

/* The fence dialect. `common` is the library's own table, which comes before the agent's. */
void fence_print_metadata(const struct fence_agent *agent, const struct param *common, FILE *stream);
void fence_print_help(const struct fence_agent *agent, const struct param *common, FILE *stream);

/* A command with subcommands: its help, a subcommand's help, and the description that its man page is made from (xml/command-man.xsl). */
void command_print_suite_help(const struct command_suite *suite, FILE *stream);
void command_print_help(const struct command_suite *suite, const struct command *command, FILE *stream);
void command_print_metadata(const struct command_suite *suite, FILE *stream);

/* True where the agent's operations make the action possible. */
bool fence_offers(const struct fence_agent *agent, const char *action);
extern const char *const fence_action_names[];

#endif
