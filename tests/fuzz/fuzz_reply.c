/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What services answer. The first byte chooses the protocol. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_http(const char *bytes, size_t length)
{
    struct http_head head;

    if (reply_http_head(bytes, length, &head) != REPLY_GOOD)
        return;
    assert(head.status >= 100 && head.status <= 599);
    assert(head.head_length > 0 && head.head_length <= length);
}

static void check_dechunk(const char *bytes, size_t length)
{
    _cleanup_free_ char *copy = malloc(length + 1);
    size_t decoded = 0;

    assert(copy);
    memcpy(copy, bytes, length);
    (void)reply_http_dechunk(copy, length, &decoded);
    assert(decoded <= length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static enum reply_verdict (*const judges[])(const char *, size_t) = {
        reply_smtp, reply_imap_greeting, reply_imap_tagged, reply_pop3, reply_redis,
    };
    const char *bytes = (const char *)data + 1;
    char line[40];
    unsigned int choice;

    if (size == 0)
        return 0;
    choice = data[0] % (ARRAY_SIZE(judges) + 2);
    size--;
    if (choice < ARRAY_SIZE(judges))
        assert(judges[choice](bytes, size) <= REPLY_FOREIGN);
    else if (choice == ARRAY_SIZE(judges))
        check_http(bytes, size);
    else
        check_dechunk(bytes, size);
    assert(strlen(reply_first_line(bytes, size, line, sizeof(line))) < sizeof(line));
    return 0;
}
