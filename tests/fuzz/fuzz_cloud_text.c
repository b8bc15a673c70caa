/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Credentials files of all vendors, header lines, endpoints, times, queries, the token bucket's file. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud_provider.h"
#include "cloud/http_client.h"
#include "cloud/token_bucket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_credentials(const char *text, size_t length)
{
    static const struct cloud_provider *const providers[] = { &cloud_aws, &cloud_aliyun, &cloud_tencent, &cloud_huawei };
    static struct credentials keys;

    for (size_t i = 0; i < 4; i++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };
        int r;

        credentials_wipe(&keys);
        r = credentials_parse(providers[i]->formats, text, length, i % 2 ? "p" : NULL, &keys, &why);
        assert(r == 0 ? keys.known && keys.access[0] && keys.secret[0] && !strpbrk(keys.access, " \r\n") : why.length > 0);
    }
}

/* What is decoded encodes to what decodes to the same. */
static void check_query(const char *text)
{
    _cleanup_parameters_ struct parameters first = { 0 }, second = { 0 };
    _cleanup_text_buffer_ struct text_buffer encoded = { 0 };

    if (parameters_decode(text, &first) < 0)
        return;
    parameters_encode(&first, &encoded);
    assert(!encoded.failed && parameters_decode(encoded.text ? encoded.text : "", &second) == 0);
    assert(first.count == second.count);
    for (size_t i = 0; i < first.count; i++)
        assert(strcmp(first.items[i].name, second.items[i].name) == 0 && strcmp(first.items[i].value, second.items[i].value) == 0);
}

static void check_endpoint(const char *text)
{
    struct api_message message = { 0 };
    char url[200];

    if (api_parse_endpoint(text, &message) == 0)
        assert(message.host[0] && !strpbrk(message.host, "/@ ?#") && strstr(message.base, "://"));
    text_buffer_free(&message.path);
    (void)api_find_endpoint(text, "ec2", url, sizeof(url));
}

static void check_header(const char *text, size_t length)
{
    struct http_reply reply = { 0 };

    http_take_header(&reply, text, length);
    assert(text_is_printable_utf8(reply.request_id, strlen(reply.request_id)));
    (void)http_parse_date(text, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    uint64_t moment;
    char *text;

    if (size > 16384)
        return 0;
    check_header(bytes, size);
    text = strndup(bytes, size);
    if (!text)
        return 0;
    check_credentials(text, strlen(text));
    check_query(text);
    check_endpoint(text);
    (void)document_parse_time(text, 0);
    moment = token_bucket_parse(text, 1000);
    assert(moment >= 1000 && moment <= 1000 + 600000);
    free(text);
    return 0;
}
