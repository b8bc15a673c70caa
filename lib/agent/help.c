/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "agent/metadata.h"

#define HELP_WIDTH 100

/* Prints a text with an indent, broken at blanks; empty lines stay. */
static void print_wrapped(FILE *stream, const char *text, size_t indent)
{
    size_t column = 0;

    for (;;) {
        const char *word;
        size_t length;
        bool paragraph = strncmp(text, "\n\n", 2) == 0;

        if (!text_next_word(&text, " \n", &word, &length))
            break;
        if (column > 0 && (paragraph || column + 1 + length > HELP_WIDTH)) {
            (void)fputs(paragraph ? "\n\n" : "\n", stream);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(stream, "%*s%.*s", (int)indent, "", (int)length, word);
        else
            column += (size_t)fprintf(stream, " %.*s", (int)length, word);
    }
    (void)fputc('\n', stream);
}

static void print_facts(FILE *stream, const struct param *param)
{
    (void)fprintf(stream, " (%s", param->type->name);
    if (param->required)
        (void)fputs(", required", stream);
    if (param->default_value)
        (void)fprintf(stream, ", default %s", param->default_value);
    if (param->reloadable)
        (void)fputs(", reloadable", stream);
    (void)fputs(")\n", stream);
}

static void print_choices(FILE *stream, const struct param *param)
{
    if (!param->choices)
        return;
    (void)fputs("      one of:", stream);
    for (const char *const *choice = param->choices; *choice; choice++)
        (void)fprintf(stream, " %s", *choice);
    (void)fputc('\n', stream);
}

static void print_aliases(FILE *stream, const struct param *param)
{
    if (!param->aliases)
        return;
    (void)fputs("      also known as:", stream);
    for (const char *const *alias = param->aliases; *alias; alias++)
        (void)fprintf(stream, " %s", *alias);
    (void)fputc('\n', stream);
}

static void print_parameter_help(FILE *stream, const struct param *param)
{
    (void)fputs("  ", stream);
    if (param->short_option)
        (void)fprintf(stream, "-%c, ", param->short_option);
    (void)fputs(param->name, stream);
    print_facts(stream, param);
    print_wrapped(stream, param->longdesc ? param->longdesc : param->shortdesc, 6);
    print_choices(stream, param);
    print_aliases(stream, param);
}

/* The plain parameters first, the advanced ones behind them. */
static void print_table_help(FILE *stream, const struct param *table, bool advanced)
{
    for (const struct param *param = table; param && param->name; param++) {
        if (param->advanced == advanced)
            print_parameter_help(stream, param);
    }
}

void agent_print_help(const struct agent *agent, FILE *stream)
{
    (void)fprintf(stream, "%s - %s\n\nUsage: %s ACTION [NAME=VALUE]...\n\n", agent->name, agent->shortdesc, agent->name);
    print_wrapped(stream, agent->longdesc, 0);
    (void)fputs("\nPacemaker passes each parameter as OCF_RESKEY_NAME in the environment; by hand, NAME=VALUE does the same.\n"
                "\nActions:",
                stream);
    for (const struct agent_action *action = agent->actions; action->name; action++) {
        if (action == agent->actions || !text_equal(action->name, action[-1].name))
            (void)fprintf(stream, " %s", action->name);
    }
    (void)fputs(" validate-all meta-data\n\nParameters:\n", stream);
    print_table_help(stream, agent->params, false);
    print_table_help(stream, agent->params, true);
}

void fence_print_help(const struct fence_agent *agent, const struct param *common, FILE *stream)
{
    (void)fprintf(stream, "%s - %s\n\nUsage: %s [--NAME=VALUE]...\n       %s < NAME=VALUE lines\n\n", agent->name,
                  agent->shortdesc, agent->name, agent->name);
    print_wrapped(stream, agent->longdesc, 0);
    (void)fputs("\nActions:", stream);
    for (const char *const *name = fence_action_names; *name; name++) {
        if (fence_offers(agent, *name))
            (void)fprintf(stream, " %s", *name);
    }
    (void)fputs("\n\nParameters ('-' and '_' in a name are alike):\n", stream);
    print_table_help(stream, agent->params, false);
    print_table_help(stream, common, false);
    print_table_help(stream, agent->params, true);
    print_table_help(stream, common, true);
}

/* ---- commands ----------------------------------------------------------------------------------------------------- */

void command_print_suite_help(const struct command_suite *suite, FILE *stream)
{
    (void)fprintf(stream, "%s - %s\n\nUsage: %s COMMAND [--OPTION[=VALUE]]...\n\nCommands:\n", suite->name, suite->shortdesc, suite->name);
    for (const struct command *const *command = suite->commands; *command; command++)
        (void)fprintf(stream, "  %-12s %s\n", (*command)->name, (*command)->shortdesc);
    (void)fprintf(stream, "\n%s COMMAND --help explains one of them, %s --version says which release this is.\n", suite->name, suite->name);
}

static void print_option_help(FILE *stream, const struct param *option)
{
    (void)fprintf(stream, "  --%s", option->name);
    if (option->type != &param_type_boolean)
        (void)fprintf(stream, "=%s", option->type->name);
    if (option->required)
        (void)fputs(" (required)", stream);
    else if (option->default_value && option->type != &param_type_boolean)
        (void)fprintf(stream, " (default %s)", option->default_value);
    (void)fputc('\n', stream);
    print_wrapped(stream, option->longdesc ? option->longdesc : option->shortdesc, 6);
    print_choices(stream, option);
}

void command_print_help(const struct command_suite *suite, const struct command *command, FILE *stream)
{
    (void)fprintf(stream, "%s %s - %s\n\nUsage: %s %s [--OPTION[=VALUE]]...%s%s\n\n", suite->name, command->name, command->shortdesc,
                  suite->name, command->name, command->operands ? " " : "", command->operands ? command->operands : "");
    print_wrapped(stream, command->longdesc, 0);
    (void)fputs("\nOptions:\n", stream);
    for (const struct param *option = command->options; option && option->name; option++)
        print_option_help(stream, option);
    if (command->offers_json)
        (void)fputs("  --json\n      Print one JSON document instead of text.\n", stream);
    (void)fputs("  --help\n      Print this text.\n", stream);
}
