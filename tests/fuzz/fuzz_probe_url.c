/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address of a probe, as a user writes it. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "health/probe_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct probe_url url;
    int r = probe_url_parse((const char *)data, size, &url, &why);

    assert(r == 0 || (r == -EINVAL && why.length > 0));
    assert(probe_url_parse((const char *)data, size, &url, NULL) == r);
    if (r < 0)
        return 0;
    assert(url.scheme < PROBE_SCHEMES && url.port <= 65535);
    assert(url.status_low >= 100 && url.status_low <= url.status_high && url.status_high <= 599);
    assert(memchr(url.host, 0, sizeof(url.host)) && memchr(url.path, 0, sizeof(url.path)));
    assert(memchr(url.query, 0, sizeof(url.query)) && memchr(url.socket, 0, sizeof(url.socket)));
    assert(url.socket[0] == '\0' || url.socket[0] == '/');
    return 0;
}
