/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/param.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define TEXT_LIMIT 8192
#define PATH_LIMIT 4095

static int parse_text(const struct param *param _unused_, const char *text, void *field, struct text_buffer *why)
{
    size_t length = strnlen(text, TEXT_LIMIT + 1);

    if (length > TEXT_LIMIT) {
        text_buffer_printf(why, "longer than %d bytes", TEXT_LIMIT);
        return -ERANGE;
    }
    if (!text_is_printable_utf8(text, length)) {
        text_buffer_printf(why, "not printable UTF-8 text");
        return -EINVAL;
    }
    *(const char **)field = text;
    return 0;
}

static int parse_path(const struct param *param, const char *text, void *field, struct text_buffer *why)
{
    if (text[0] != '/') {
        text_buffer_printf(why, "not an absolute path (it must begin with /)");
        return -EINVAL;
    }
    if (strnlen(text, PATH_LIMIT + 1) > PATH_LIMIT) {
        text_buffer_printf(why, "longer than %d bytes", PATH_LIMIT);
        return -ERANGE;
    }
    return parse_text(param, text, field, why);
}

static int parse_boolean(const struct param *param _unused_, const char *text, void *field, struct text_buffer *why)
{
    int r = number_parse_boolean(text, field);

    if (r < 0)
        text_buffer_printf(why, "neither true nor false");
    return r;
}

static int parse_integer(const struct param *param, const char *text, void *field, struct text_buffer *why)
{
    bool bounded = param->minimum != 0 || param->maximum != 0;
    int64_t minimum = bounded ? param->minimum : 0;
    int64_t maximum = bounded ? param->maximum : INT_MAX;
    int64_t value = 0;
    int r = number_parse(text, minimum, maximum, &value);

    if (r < 0)
        text_buffer_printf(why, "not a whole number from %lld to %lld", (long long)minimum, (long long)maximum);
    else
        *(int *)field = (int)value;
    return r;
}

static int parse_duration(const struct param *param, const char *text, void *field, struct text_buffer *why)
{
    bool bounded = param->minimum != 0 || param->maximum != 0;
    uint64_t value_ms = 0;
    char low[32], high[32];
    int r = number_parse_duration(text, 1000, &value_ms);

    if (r == 0 && bounded && (value_ms < (uint64_t)param->minimum || value_ms > (uint64_t)param->maximum))
        r = -ERANGE;
    if (r == -ERANGE && bounded)
        text_buffer_printf(why, "not a duration from %s to %s",
                           number_format_duration((uint64_t)param->minimum, low, sizeof(low)),
                           number_format_duration((uint64_t)param->maximum, high, sizeof(high)));
    else if (r < 0)
        text_buffer_printf(why, "not a duration such as 20s, 500ms or 2min");
    else
        *(uint64_t *)field = value_ms;
    return r;
}

static int parse_size(const struct param *param _unused_, const char *text, void *field, struct text_buffer *why)
{
    int r = number_parse_size(text, field);

    if (r < 0)
        text_buffer_printf(why, "not a size such as 512, 64K or 1G");
    return r;
}

static int parse_choice(const struct param *param, const char *text, void *field, struct text_buffer *why)
{
    for (int i = 0; param->choices[i]; i++) {
        if (text_equal(param->choices[i], text)) {
            *(int *)field = i;
            return 0;
        }
    }
    text_buffer_printf(why, "not one of");
    for (int i = 0; param->choices[i]; i++)
        text_buffer_printf(why, "%s %s", i ? "," : "", param->choices[i]);
    return -EINVAL;
}

const struct param_type param_type_text = { "text", "string", "string", parse_text };
const struct param_type param_type_path = { "path", "string", "string", parse_path };
const struct param_type param_type_boolean = { "boolean", "boolean", "boolean", parse_boolean };
const struct param_type param_type_integer = { "integer", "integer", "integer", parse_integer };
const struct param_type param_type_duration = { "duration", "string", "second", parse_duration };
const struct param_type param_type_size = { "size", "string", "string", parse_size };
const struct param_type param_type_choice = { "choice", "select", "select", parse_choice };

const struct param *param_find(const struct param *table, const char *name)
{
    for (const struct param *param = table; param && param->name; param++) {
        if (text_name_equal(param->name, name))
            return param;
        for (const char *const *alias = param->aliases; alias && *alias; alias++) {
            if (text_name_equal(*alias, name))
                return param;
        }
    }
    return NULL;
}

/* A value as a reason may show it: its first bytes, printable. What stands before the host of an URL is left out: it may be a password, where none belongs. */
static void append_value(struct text_buffer *why, const struct param *param, const char *text)
{
    const char *login = strstr(text, "://"), *host = login ? strrchr(login, '@') : NULL;
    const char *rest = host ? host : text;
    int shown_before = host ? (int)(login + strlen("://") - text) : 0;
    char shown[65];
    int n;

    if (param->secret)
        return;
    n = text_format(shown, sizeof(shown), "%.*s%s%s", shown_before, text, host ? "..." : "", rest);
    text_buffer_printf(why, " is '%s%s'", text_make_printable(shown), n < 0 ? "..." : "");
}

int param_parse(const struct param *param, const char *text, void *config, struct text_buffer *why)
{
    _cleanup_text_buffer_ struct text_buffer detail = { 0 };
    int r = param->type->parse(param, text, (char *)config + param->offset, &detail);

    if (r == 0 && param->check)
        r = param->check(text, &detail);
    if (r < 0) {
        text_buffer_printf(why, "parameter %s", param->name);
        append_value(why, param, text);
        text_buffer_printf(why, ": %s", detail.text ? detail.text : "not valid");
    }
    return r;
}

void param_set_defaults(const struct param *table, void *config)
{
    for (const struct param *param = table; param && param->name; param++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };

        if (param->default_value && param_parse(param, param->default_value, config, &why) < 0) {
            (void)fprintf(stderr, "BUG: default of %s\n", why.text ? why.text : param->name);
            abort();
        }
    }
}
