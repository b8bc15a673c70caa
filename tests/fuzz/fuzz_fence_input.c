/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fence agent is told: lines on standard input, and (where the input begins with a NUL) arguments that NULs separate. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/fence_options.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
    const char *ip;
    const char *password;
    int port;
};

static const struct param table[] = {
    { "ip", PARAM_TEXT(struct config, ip), .short_option = 'a', .aliases = NAMES("ipaddr"), .shortdesc = "Address" },
    { "password", PARAM_TEXT(struct config, password), .short_option = 'p', .secret = true, .shortdesc = "Password" },
    { "ipport", PARAM_INTEGER(struct config, port), .short_option = 'u', .minimum = 1, .maximum = 65535, .shortdesc = "Port" },
    {}
};

static const struct fence_agent agent = {
    .name = "fence_fuzz", .shortdesc = "", .longdesc = "", .params = table, .config_size = sizeof(struct config),
};

#define ARGUMENTS 32

static int read_arguments(struct fence_input *input, char *text, size_t size)
{
    char name[] = "fence_fuzz";
    char *argv[ARGUMENTS + 2] = { name };
    char *end = text + size;
    int argc = 1;

    while (text < end && argc <= ARGUMENTS) {
        argv[argc++] = text;
        text += strlen(text) + 1;
    }
    return fence_input_read_arguments(input, argc, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fence_options options = { 0 };
    struct config config = { 0 };
    struct fence_input input = { .agent = &agent, .options = &options, .config = &config };
    bool arguments = size > 0 && data[0] == 0;
    _cleanup_free_ char *text = malloc(size + 1);
    int r;

    if (!text || size > 65536)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    param_set_defaults(fence_common_params, &options);
    r = arguments ? read_arguments(&input, text + 1, size - 1) : fence_input_read_lines(&input, text, size);
    assert(r == 0 || r == -EINVAL || r == -ERANGE);
    assert(r == 0 || input.why.length > 0);
    if (r < 0)
        assert(text_is_printable_utf8(text_make_printable(input.why.text), strlen(input.why.text)));
    assert(options.action && options.delay_ms <= 3600000 && options.attempts >= 1 && options.attempts <= 10);
    assert(config.port >= 0 && config.port <= 65535);
    assert(!arguments || r < 0 || !config.password); /* a secret is never taken from a command line */
    if (config.ip)
        assert(text_is_printable_utf8(config.ip, strlen(config.ip)));
    text_buffer_free(&input.why);
    text_buffer_free(&input.unknown);
    return 0;
}
