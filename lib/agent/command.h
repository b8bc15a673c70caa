/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_COMMAND_H
#define VIGIL_AGENT_COMMAND_H
/*
 * A command with subcommands (vigil NAME [--OPTION[=VALUE]]... [OPERAND]...): a const table of subcommands, each with a const table of options
 * (struct param, as an agent's) and one function. This library does the rest: reading argv, types and bounds, --help, --version, the
 * description that the man page is made from.
 *
 * Conventions of all subcommands. Text for people goes to standard output; with --json one JSON document goes there instead, and nothing
 * else. What went wrong goes to standard error in one line. Exit code 0: done; 1: failed, or the answer is no; 2: called in a wrong way.
 */
#include <stdbool.h>
#include <stddef.h>

#include "agent/param.h"
#include "base/cleanup.h"

enum command_code {
    COMMAND_SUCCESS = 0,
    COMMAND_FAILURE = 1,
    COMMAND_USAGE = 2,
};

struct command;

/* What a subcommand's function is told about its call. */
struct command_run {
    const struct command *command;
    const char *program;         /* "vigil" */
    bool json;                   /* --json was given */
    const char *const *operands; /* NULL-terminated; what stands behind the options */
    size_t operand_count;
};

/* Returns an exit code (enum command_code). options is the struct that the option table fills. */
typedef int (*command_function)(struct command_run *run, const void *options);

/* A row of the suite's table. */
struct command {
    const char *name;
    const char *shortdesc; /* one line */
    const char *longdesc;  /* plain text, paragraphs separated by an empty line */
    const char *operands;  /* as the usage line says it ("[NODE]..."), or NULL: none is taken */
    size_t operand_maximum;
    bool offers_json;      /* --json is an option of it */
    const struct param *options; /* "since" is given as --since VALUE or --since=VALUE; a boolean takes no value. May be NULL */
    size_t options_size;
    command_function function;
};

struct command_suite {
    const char *name;
    const char *shortdesc;
    const char *longdesc;
    const struct command *const *commands; /* NULL-terminated */
};

/* The whole of a command's main(): returns the exit code. `NAME metadata` prints the description for the man page. */
int command_main(const struct command_suite *suite, int argc, char *argv[]);

/* Says on standard error, once, what went wrong: "vigil timeline: ...". Returns code, so that a failing function ends with
 * `return command_fail(run, COMMAND_FAILURE, "...")`. */
int command_fail(const struct command_run *run, int code, const char *format, ...) _printf_(3, 4);

#endif
