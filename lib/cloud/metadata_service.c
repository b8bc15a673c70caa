/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the metadata service of this instance: link-local HTTP, never through a proxy, no redirects.
 */
#include <string.h>

#include "agent/log.h"
#include "base/file.h"
#include "cloud/cloud_provider.h"
#include "cloud/digest.h"
#include "cloud/http_client.h"

/* It answers in milliseconds or not at all, so that a lost packet is found out soon. */
#define CONNECT_MS 1000
#define REQUEST_MS 3000
#define ATTEMPTS 4
#define ANSWER_BYTES 65536
#define TOKEN_S 300 /* life of a token; it is used for four fifths of that */

static int fail_by_reply(struct cloud *cloud, const char *path, const struct http_reply *reply)
{
    const char *base = cloud->config.metadata ? cloud->config.metadata : cloud->provider->metadata;
    enum cloud_error error = CLOUD_MALFORMED;

    if (reply->error != CLOUD_OK)
        return cloud_fail(cloud, reply->error, "metadata service %s%s: %s%s", base, path,
                          reply->error == CLOUD_TIMED_OUT ? "timed out: " : "", reply->why);
    if (reply->status == 404 || reply->status == 405)
        error = CLOUD_NOT_FOUND;
    else if (reply->status == 401 || reply->status == 403)
        error = CLOUD_AUTH;
    else if (reply->status == 429)
        error = CLOUD_THROTTLED;
    else if (reply->status >= 500)
        error = CLOUD_TRANSIENT;
    return cloud_fail(cloud, error, "metadata service %s%s: it answers with HTTP %u", base, path, reply->status);
}

static int send_once(struct cloud *cloud, const char *method, const char *path, const struct parameters *headers,
                     struct deadline deadline, char **ret)
{
    const char *base = cloud->config.metadata ? cloud->config.metadata : cloud->provider->metadata;
    _cleanup_http_reply_ struct http_reply reply = { 0 };
    _cleanup_free_ char *url = text_printf("%s%s", base, path);
    struct http_request request = { .method = method,
                                    .url = url,
                                    .headers = headers,
                                    .body = strcmp(method, "PUT") == 0 ? "" : NULL,
                                    .connect_ms = CONNECT_MS,
                                    .deadline = deadline_within(deadline, REQUEST_MS),
                                    .limit = ANSWER_BYTES };
    int r;

    if (!url)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    r = http_client_send(cloud->client, &request, &reply);
    cloud->usage.metadata_requests++;
    log_debug("metadata %s %s: HTTP %u%s%s", method, path, reply.status, r < 0 ? ": " : "", r < 0 ? reply.why : "");
    if (r < 0 || reply.status != 200)
        return fail_by_reply(cloud, path, &reply);
    if (memchr(reply.body, '\0', reply.length))
        return cloud_fail(cloud, CLOUD_MALFORMED, "metadata service %s%s: a NUL byte in the answer", base, path);
    *ret = TAKE_PTR(reply.body);
    return 0;
}

/* Nothing there changes anything, so that each failure that may pass is tried again. */
static int send_request(struct cloud *cloud, const char *method, const char *path, const struct parameters *headers,
                        struct deadline deadline, char **ret)
{
    for (unsigned int attempt = 0;; attempt++) {
        int r = send_once(cloud, method, path, headers, deadline, ret);
        uint64_t wait = 100 * (attempt + 1) + digest_random(100);

        if (r == 0 || attempt + 1 >= ATTEMPTS || !api_error_may_repeat(cloud->failure.error, false, true) ||
            wait >= deadline_left_ms(deadline))
            return r;
        cloud->usage.retries++;
        (void)deadline_sleep(deadline, wait);
    }
}

int metadata_get(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline, char **ret)
{
    _cleanup_parameters_ struct parameters headers = { 0 };

    if (token_header && cloud->metadata_token[0])
        parameters_add(&headers, token_header, "%s", cloud->metadata_token);
    if (headers.failed)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    return send_request(cloud, "GET", path, &headers, deadline, ret);
}

int metadata_token(struct cloud *cloud, const char *path, const char *ttl_header, bool optional,
                   struct deadline deadline)
{
    _cleanup_parameters_ struct parameters headers = { 0 };
    char *token = NULL;
    int r;

    if (cloud->metadata_token[0] && !deadline_passed(cloud->metadata_token_ends))
        return 0;
    cloud->metadata_token[0] = '\0';
    cloud->metadata_token_ends = deadline_in(TOKEN_S * 800);
    parameters_add(&headers, ttl_header, "%d", TOKEN_S);
    if (headers.failed)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    r = send_request(cloud, "PUT", path, &headers, deadline, &token);
    if (r < 0)
        return optional && cloud->failure.error == CLOUD_NOT_FOUND ? 0 : r;
    (void)text_trim(token);
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c > '~')
            r = -EBADMSG;
    if (r < 0 || !*token || text_copy(cloud->metadata_token, sizeof(cloud->metadata_token), token) < 0)
        r = cloud_malformed(cloud, "the metadata service's token");
    file_wipe_secret(token);
    return r;
}

int metadata_get_word(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline,
                      char *buffer, size_t size)
{
    char *text = NULL, *word;
    int r = metadata_get(cloud, path, token_header, deadline, &text);

    if (r < 0)
        return r;
    word = text_trim(text);
    if (!cloud_id_valid(word) || text_copy(buffer, size, word) < 0)
        r = cloud_fail(cloud, CLOUD_MALFORMED, "metadata service %s: the answer is no identifier", path);
    file_wipe_secret(text);
    return r < 0 ? r : 0;
}

int metadata_get_json(struct cloud *cloud, const char *path, const char *token_header, struct deadline deadline,
                      struct document *ret)
{
    char *text = NULL;
    int r = metadata_get(cloud, path, token_header, deadline, &text);

    if (r < 0)
        return r;
    r = text ? document_parse_json(text, strlen(text), ret) : -EBADMSG;
    file_wipe_secret(text);
    return r < 0 ? cloud_fail(cloud, CLOUD_MALFORMED, "metadata service %s: the answer is no JSON object", path) : 0;
}
