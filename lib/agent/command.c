/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/command.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/metadata.h"
#include "base/child.h"

int command_fail(const struct command_run *run, int code, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%s%s%s: %s\n", run->program, run->command ? " " : "", run->command ? run->command->name : "",
                  text ? text_make_printable(text) : "out of memory");
    return code;
}

/* ---- reading the call ----------------------------------------------------------------------------------------------- */

/* Where reading stands. */
struct argument_reader {
    int count;
    char **arguments;
    int next;
};

static const struct param *find_option(const struct param *table, const char *name, size_t length)
{
    char copy[64];

    if (length == 0 || length >= sizeof(copy))
        return NULL;
    memcpy(copy, name, length);
    copy[length] = '\0';
    return param_find(table, copy);
}

/* Reads one option, and its value behind it. Returns COMMAND_SUCCESS or what command_fail returned. */
static int read_option(struct command_run *run, struct argument_reader *reader, void *options)
{
    const char *name = reader->arguments[reader->next++] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    const struct param *option;

    if (run->command->offers_json && text_equal(name, "json")) {
        run->json = true;
        return COMMAND_SUCCESS;
    }
    option = find_option(run->command->options, name, length);
    if (!option)
        return command_fail(run, COMMAND_USAGE, "unknown option --%.*s; see %s %s --help", (int)length, name, run->program,
                            run->command->name);
    if (!value && option->type == &param_type_boolean)
        value = "true";
    if (!value && reader->next < reader->count)
        value = reader->arguments[reader->next++];
    if (!value)
        return command_fail(run, COMMAND_USAGE, "option --%s wants a value (%s)", option->name, option->type->name);
    if (param_parse(option, value, options, &why) < 0)
        return command_fail(run, COMMAND_USAGE, "%s", why.text ? why.text : option->name);
    return COMMAND_SUCCESS;
}

/* Options and operands in any order; behind "--" there are operands only. operands has room for all arguments. */
static int read_arguments(struct command_run *run, struct argument_reader *reader, void *options, const char **operands)
{
    bool operands_only = false;

    while (reader->next < reader->count) {
        const char *argument = reader->arguments[reader->next];
        int code = COMMAND_SUCCESS;

        if (!operands_only && text_equal(argument, "--")) {
            operands_only = true;
            reader->next++;
        } else if (!operands_only && text_after(argument, "--")) {
            code = read_option(run, reader, options);
        } else if (!operands_only && argument[0] == '-' && argument[1] != '\0') {
            code = command_fail(run, COMMAND_USAGE, "unknown option %s; options are long, see %s %s --help", argument,
                                run->program, run->command->name);
        } else {
            operands[run->operand_count++] = argument;
            reader->next++;
        }
        if (code != COMMAND_SUCCESS)
            return code;
    }
    if (run->operand_count > run->command->operand_maximum)
        return command_fail(run, COMMAND_USAGE, "one argument too many: '%s'; see %s %s --help",
                            operands[run->command->operand_maximum], run->program, run->command->name);
    return COMMAND_SUCCESS;
}

static int check_required(const struct command_run *run, const void *options)
{
    for (const struct param *option = run->command->options; option && option->name; option++) {
        if (option->required && !*(void *const *)((const char *)options + option->offset))
            return command_fail(run, COMMAND_USAGE, "option --%s is required: %s", option->name, option->shortdesc);
    }
    return COMMAND_SUCCESS;
}

static int run_command(struct command_run *run, int argc, char *argv[])
{
    _cleanup_free_ void *options = calloc(1, run->command->options_size ? run->command->options_size : 1);
    _cleanup_free_ const char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    struct argument_reader reader = { .count = argc, .arguments = argv };
    int code;

    if (!options || !operands)
        return command_fail(run, COMMAND_FAILURE, "out of memory");
    param_set_defaults(run->command->options, options);
    code = read_arguments(run, &reader, options, operands);
    if (code == COMMAND_SUCCESS)
        code = check_required(run, options);
    run->operands = operands;
    if (code == COMMAND_SUCCESS)
        code = run->command->function(run, options);
    /* A full disk or a closed pipe behind us is a failure: what was printed did not arrive. */
    if (fflush(stdout) != 0 && code == COMMAND_SUCCESS)
        code = command_fail(run, COMMAND_FAILURE, "standard output: %s", strerror(errno));
    return code;
}

/* ---- which subcommand ----------------------------------------------------------------------------------------------- */

static const struct command *find_command(const struct command_suite *suite, const char *name)
{
    for (const struct command *const *command = suite->commands; *command; command++) {
        if (text_name_equal((*command)->name, name))
            return *command;
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be added, dropped or exchanged to make one name of the other (Levenshtein's distance); names longer than the
 * row are as far away as can be. */
static size_t name_distance(const char *a, const char *b)
{
    size_t row[33], length = strlen(b);

    if (length >= ARRAY_SIZE(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];

            row[j] = least(least(row[j] + 1, row[j - 1] + 1), diagonal + (a[i] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[length];
}

static int refuse_command(const struct command_suite *suite, const char *name)
{
    const struct command *nearest = NULL;
    size_t distance = 4; /* further away is no slip of the finger */

    for (const struct command *const *command = suite->commands; *command; command++) {
        size_t candidate = name_distance(name, (*command)->name);

        if (candidate < distance) {
            distance = candidate;
            nearest = *command;
        }
    }
    (void)fprintf(stderr, "%s: unknown command '%.64s'; ", suite->name, name);
    if (nearest)
        (void)fprintf(stderr, "did you mean '%s'?\n", nearest->name);
    else
        (void)fprintf(stderr, "%s --help lists them\n", suite->name);
    return COMMAND_USAGE;
}

static bool wants_help(int argc, char *argv[])
{
    for (int i = 0; i < argc && !text_equal(argv[i], "--"); i++) {
        if (text_equal(argv[i], "--help") || text_equal(argv[i], "-h"))
            return true;
    }
    return false;
}

static int finish_output(void)
{
    return fflush(stdout) == 0 ? COMMAND_SUCCESS : COMMAND_FAILURE;
}

static int print_help(const struct command_suite *suite, const char *name)
{
    const struct command *command = name ? find_command(suite, name) : NULL;

    if (name && !command)
        return refuse_command(suite, name);
    if (command)
        command_print_help(suite, command, stdout);
    else
        command_print_suite_help(suite, stdout);
    return finish_output();
}

int command_main(const struct command_suite *suite, int argc, char *argv[])
{
    struct command_run run = { .program = suite->name };
    const char *name = argc > 1 ? argv[1] : NULL;

    child_reserve_streams();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL);
    if (!name) {
        command_print_suite_help(suite, stderr);
        return COMMAND_USAGE;
    }
    if (text_equal(name, "--help") || text_equal(name, "-h") || text_equal(name, "help"))
        return print_help(suite, argc > 2 ? argv[2] : NULL);
    if (text_equal(name, "--version")) {
        (void)printf("%s (Vigil) %s\n", suite->name, PACKAGE_VERSION);
        return finish_output();
    }
    if (text_equal(name, "metadata")) {
        command_print_metadata(suite, stdout);
        return finish_output();
    }
    run.command = find_command(suite, name);
    if (!run.command)
        return refuse_command(suite, name);
    if (wants_help(argc - 2, argv + 2))
        return print_help(suite, name);
    return run_command(&run, argc - 2, argv + 2);
}
