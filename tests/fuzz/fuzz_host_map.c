/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host map, endpoints, workarounds and keys of fence_vigil_bmc. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "power/endpoint.h"
#include "power/ipmi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a map names is an endpoint that reads back as itself. */
static void check_host(void *context, const char *node, size_t node_length, const struct power_endpoint *endpoint)
{
    struct power_endpoint again = { .port = 0 };
    struct text_buffer why = {};
    char text[ENDPOINT_TEXT_SIZE];

    (void)context;
    (void)endpoint_format(endpoint, text, sizeof(text));
    assert(node_length > 0 && node[0] != '=');
    assert(endpoint_parse(text, strlen(text), 1, &again, &why) == 0);
    assert(again.port == endpoint->port && strcmp(again.host, endpoint->host) == 0);
    text_buffer_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct power_endpoint endpoint;
    struct text_buffer why = {};
    unsigned char key[POWER_K_G_LENGTH];
    unsigned int bits;
    char *text;

    if (size > 8192)
        return 0;
    (void)host_map_walk(bytes, size, 623, check_host, NULL, &why);
    (void)endpoint_parse(bytes, size, 623, &endpoint, &why);
    text = strndup(bytes, size);
    if (text) {
        (void)host_map_find(text, "n1", 623, &endpoint, &why);
        (void)ipmi_workarounds_parse(text, &bits, &why);
        (void)ipmi_k_g_parse(text, key);
    }
    free(text);
    text_buffer_free(&why);
    return 0;
}
