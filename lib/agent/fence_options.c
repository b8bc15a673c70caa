/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/fence_options.h"

#include <string.h>

#define MINUTE_MS 60000
#define HOUR_MS 3600000

const struct param fence_common_params[] = {
    { "action", PARAM_TEXT(struct fence_options, action), .short_option = 'o', .default_value = "reboot",
      .aliases = NAMES("option"), .shortdesc = "Fencing action", .required = true },
    { "plug", PARAM_TEXT(struct fence_options, plug), .short_option = 'n', .aliases = NAMES("port"),
      .shortdesc = "Name of the node, or of its plug on the device" },
    { "nodename", PARAM_TEXT(struct fence_options, nodename), .advanced = true,
      .shortdesc = "Name of the node, as Pacemaker passes it; used where no plug is given" },
    { "method", PARAM_CHOICE(struct fence_options, method), .short_option = 'm', .default_value = "onoff",
      .choices = NAMES("onoff", "cycle"), .shortdesc = "How to reboot",
      .longdesc = "onoff turns the power off, sees it off, and turns it on. cycle sends the device's own power-cycle "
                  "command and demands to see the power off in between; a device that is too quick for that needs onoff." },
    { "delay", PARAM_DURATION(struct fence_options, delay_ms), .default_value = "0", .minimum = 0, .maximum = HOUR_MS,
      .shortdesc = "Wait this long before off and reboot",
      .longdesc = "Waits this long before off and reboot, so that of two nodes that fence each other one is first." },
    { "login_timeout", PARAM_DURATION(struct fence_options, login_timeout_ms), .default_value = "5", .minimum = 100,
      .maximum = HOUR_MS, .advanced = true, .shortdesc = "How long reaching the device and logging in may take" },
    { "shell_timeout", PARAM_DURATION(struct fence_options, shell_timeout_ms), .default_value = "5", .minimum = 100,
      .maximum = HOUR_MS, .advanced = true, .shortdesc = "How long the device may take to answer one command" },
    { "power_timeout", PARAM_DURATION(struct fence_options, power_timeout_ms), .default_value = "20", .minimum = 100,
      .maximum = HOUR_MS, .shortdesc = "How long the power may take to be seen off or on after the command",
      .longdesc = "How long the power may take to be seen off or on after the command. When it has passed the action fails: "
                  "the node is never reported off without that having been seen." },
    { "power_wait", PARAM_DURATION(struct fence_options, power_wait_ms), .default_value = "0", .minimum = 0,
      .maximum = HOUR_MS, .advanced = true, .shortdesc = "Wait this long after each power command before looking" },
    { "status_interval", PARAM_DURATION(struct fence_options, status_interval_ms), .default_value = "200ms", .minimum = 10,
      .maximum = MINUTE_MS, .advanced = true, .aliases = NAMES("stonith_status_sleep"),
      .shortdesc = "How often to look at the power while waiting for it" },
    { "retry_on", PARAM_INTEGER(struct fence_options, attempts), .default_value = "1", .minimum = 1, .maximum = 10,
      .advanced = true, .shortdesc = "How often to send a power command that had no effect" },
    { "verbose", PARAM_BOOLEAN(struct fence_options, verbose), .short_option = 'v',
      .shortdesc = "Say each step on standard error" },
    { "quiet", PARAM_BOOLEAN(struct fence_options, quiet), .short_option = 'q',
      .shortdesc = "Print nothing but errors" },
    { "debug_file", PARAM_PATH(struct fence_options, debug_file), .short_option = 'D', .aliases = NAMES("debug"),
      .advanced = true, .shortdesc = "Append each step to this file" },
    { "version", PARAM_BOOLEAN(struct fence_options, version), .short_option = 'V', .shortdesc = "Print the version" },
    { "help", PARAM_BOOLEAN(struct fence_options, help), .short_option = 'h', .shortdesc = "Print the help" },
    {}
};

/* Puts one value where it belongs. Returns 1 for a name that nobody knows. An empty value counts as not given. */
static int set_value(struct fence_input *input, const char *name, const char *value)
{
    void *config = input->config;
    const struct param *param = param_find(input->agent->params, name);

    if (!param) {
        param = param_find(fence_common_params, name);
        config = input->options;
    }
    if (!param)
        return 1;
    return text_empty(value) ? 0 : param_parse(param, value, config, &input->why);
}

/* Names that Pacemaker's fencer is known to add for itself; of others a warning tells. */
static bool is_pacemakers_own(const char *name)
{
    return text_after(name, "pcmk_") || text_after(name, "crm_") || text_after(name, "CRM_") ||
           text_after(name, "stonith-") || text_name_equal(name, "priority") || text_name_equal(name, "provides") ||
           text_name_equal(name, "nodeid");
}

static int read_line(struct fence_input *input, char *line)
{
    char *value;
    int r;

    line = text_trim(line);
    if (!*line || *line == '#')
        return 0;
    value = strchr(line, '=');
    if (value)
        *value++ = '\0';
    (void)text_trim(line);
    r = set_value(input, line, value);
    if (r <= 0)
        return r;
    if (!is_pacemakers_own(line))
        text_buffer_printf(&input->unknown, " %s", line);
    return 0;
}

int fence_input_read_lines(struct fence_input *input, char *text, size_t length)
{
    char *end = text + length;

    if (memchr(text, '\0', length)) {
        text_buffer_printf(&input->why, "standard input holds a NUL byte");
        return -EINVAL;
    }
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        char *next = newline ? newline + 1 : end;
        int r;

        *(newline ? newline : end) = '\0';
        r = read_line(input, text);
        if (r < 0)
            return r;
        text = next;
    }
    return 0;
}

static const struct param *find_short(const struct param *table, char option)
{
    for (const struct param *param = table; param && param->name; param++) {
        if (param->short_option == option)
            return param;
    }
    return NULL;
}

/* One option of the command line, split into its name and the value that stands with it. */
struct argument {
    char name[64];
    const char *attached; /* behind '=' or behind a short option, or NULL */
    bool boolean;
    bool secret;
    bool more; /* a short option without a value, with further ones behind it: -vvv */
};

static int parse_long_option(const char *text, struct argument *ret)
{
    size_t length = strcspn(text, "=");

    if (text_format(ret->name, sizeof(ret->name), "%.*s", (int)length, text) < 0)
        return -EINVAL;
    ret->attached = text[length] ? text + length + 1 : NULL;
    return 0;
}

static int parse_short_option(const struct fence_input *input, const char *text, struct argument *ret)
{
    const struct param *param = find_short(input->agent->params, text[0]);

    if (!param)
        param = find_short(fence_common_params, text[0]);
    if (!param)
        return -EINVAL;
    ret->attached = text[1] ? text + 1 : NULL;
    return text_copy(ret->name, sizeof(ret->name), param->name) < 0 ? -EINVAL : 0;
}

static int parse_option(const struct fence_input *input, const char *text, struct argument *ret)
{
    const struct param *param;
    int r = -EINVAL;

    *ret = (struct argument){ .attached = NULL };
    if (text[0] == '-' && text[1] == '-')
        r = parse_long_option(text + 2, ret);
    else if (text[0] == '-' && text[1])
        r = parse_short_option(input, text + 1, ret);
    if (r < 0)
        return r;
    param = param_find(input->agent->params, ret->name);
    if (!param)
        param = param_find(fence_common_params, ret->name);
    if (!param)
        return -EINVAL;
    ret->boolean = param->type == &param_type_boolean;
    ret->secret = param->secret;
    ret->more = ret->boolean && text[1] != '-' && ret->attached;
    return 0;
}

/* Reads the option at argv[*place], which may take the next argument as its value. */
static int read_argument(struct fence_input *input, int argc, char *argv[], int *place)
{
    struct argument argument;
    const char *value;
    int r;

    if (parse_option(input, argv[*place], &argument) < 0) {
        text_buffer_printf(&input->why, "unknown option '%.*s'; see --help",
                           (int)strcspn(argv[*place], "="), argv[*place]); /* what stands behind may be a password */
        return -EINVAL;
    }
    if (argument.secret) {
        text_buffer_printf(&input->why, "option --%s: everybody on this machine can read a command line; put the secret into a file "
                                        "(--%s-file), or %s=... on standard input", argument.name, argument.name, argument.name);
        return -EINVAL;
    }
    value = argument.boolean && (argument.more || !argument.attached) ? "1" : argument.attached;
    if (!value && *place + 1 < argc)
        value = argv[++*place];
    if (!value) {
        text_buffer_printf(&input->why, "option --%s needs a value", argument.name);
        return -EINVAL;
    }
    r = set_value(input, argument.name, value);
    if (r < 0 || !argument.more)
        return r;
    argv[*place]++; /* -vvv: once more for -vv */
    argv[*place][0] = '-';
    return read_argument(input, argc, argv, place);
}

int fence_input_read_arguments(struct fence_input *input, int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        int r = read_argument(input, argc, argv, &i);

        if (r < 0)
            return r;
    }
    return 0;
}
