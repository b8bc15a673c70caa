/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value through every type of parameter. A refusal says why, in printable text, without the value of a secret. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/param.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
    const char *text;
    const char *path;
    bool flag;
    int count;
    int bounded;
    uint64_t duration;
    uint64_t size;
    int choice;
    const char *secret;
};

static const struct param table[] = {
    { "text", PARAM_TEXT(struct config, text), .aliases = NAMES("old-text", "other") },
    { "path", PARAM_PATH(struct config, path) },
    { "flag", PARAM_BOOLEAN(struct config, flag) },
    { "count", PARAM_INTEGER(struct config, count) },
    { "bounded", PARAM_INTEGER(struct config, bounded), .minimum = -5, .maximum = 5 },
    { "duration", PARAM_DURATION(struct config, duration), .minimum = 100, .maximum = 60000 },
    { "size", PARAM_SIZE(struct config, size) },
    { "choice", PARAM_CHOICE(struct config, choice), .choices = NAMES("one", "two") },
    { "secret", PARAM_PATH(struct config, secret), .secret = true },
    {}
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = strndup((const char *)data, size);
    struct config config = { 0 };

    if (!text)
        return 0;
    (void)param_find(table, text);
    for (const struct param *param = table; param->name; param++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };
        int r = param_parse(param, text, &config, &why);

        assert(r == 0 || r == -EINVAL || r == -ERANGE);
        assert((r == 0) == (why.length == 0));
        if (r < 0)
            assert(text_is_printable_utf8(why.text, why.length) && why.length < 600);
        if (r < 0 && param->secret && strlen(text) > 24)
            assert(!strstr(why.text, text));
    }
    assert(config.bounded >= -5 && config.bounded <= 5 && config.count >= 0 && (config.choice == 0 || config.choice == 1));
    assert(config.duration == 0 || (config.duration >= 100 && config.duration <= 60000));
    return 0;
}
