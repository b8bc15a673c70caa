/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/error_rules.h"

#include <string.h>

static bool code_fits(const char *pattern, const char *code)
{
    size_t length = strlen(pattern);

    if (*pattern == '*')
        return text_ends_with(code, pattern + 1);
    if (length > 0 && pattern[length - 1] == '*')
        return strncmp(code, pattern, length - 1) == 0;
    return strcmp(code, pattern) == 0;
}

enum cloud_error error_rules_apply(const struct error_rule *rules, const struct api_error *error)
{
    for (; rules->code; rules++)
        if (code_fits(rules->code, error->code) && (!rules->words || strcasestr(error->words, rules->words)))
            return rules->error;
    if (error->status == 429)
        return CLOUD_THROTTLED;
    if (error->status >= 500)
        return CLOUD_TRANSIENT;
    if (error->status == 401)
        return CLOUD_AUTH;
    return error->status == 403 ? CLOUD_PERMISSION : CLOUD_REFUSED;
}
