/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/api_call.h"

#include <string.h>
#include <time.h>

#include "agent/log.h"
#include "cloud/cloud_provider.h"
#include "cloud/digest.h"
#include "cloud/http_client.h"
#include "cloud/role_keys.h"
#include "cloud/token_bucket.h"

#define DEFAULT_RATE 120
#define LEAST_BURST 8 /* about what one start needs */
#define DEFAULT_REQUEST_MS 20000
#define DEFAULT_CONNECT_MS 5000
/* A read is sent again at most so often, and a change that the cloud has refused to take: the deadline is mostly first. */
#define ATTEMPTS 12

bool api_error_may_repeat(enum cloud_error error, bool changes, bool sent)
{
    switch (error) {
    case CLOUD_THROTTLED:
    case CLOUD_CONFLICT:
        return true;
    case CLOUD_UNREACHABLE:
    case CLOUD_TRANSIENT:
    case CLOUD_TIMED_OUT:
    case CLOUD_MALFORMED:
        return !changes || !sent;
    default:
        return false;
    }
}

uint64_t api_backoff_ms(enum cloud_error error, unsigned int attempt)
{
    uint64_t longest = error == CLOUD_THROTTLED ? 20000 : 5000;
    uint64_t wait = error == CLOUD_THROTTLED ? 1000 : 200;

    for (unsigned int i = 0; i < attempt && wait < longest; i++)
        wait *= 2;
    if (wait > longest)
        wait = longest;
    return wait / 2 + digest_random((uint32_t)(wait / 2 + 1));
}

int api_find_endpoint(const char *endpoints, const char *service, char *buffer, size_t size)
{
    const char *cursor = endpoints ? endpoints : "", *word;
    size_t length;
    int found = 0;

    while (text_next_word(&cursor, " ,\t\n", &word, &length)) {
        const char *equals = memchr(word, '=', length);
        size_t name = equals ? (size_t)(equals - word) : 0;
        bool exact, all;

        if (name == 0 || length - name - 1 >= size || name + 1 == length)
            return -EINVAL;
        exact = strlen(service) == name && memcmp(service, word, name) == 0;
        all = name == 3 && memcmp(word, "all", 3) == 0;
        if (!exact && (!all || found))
            continue;
        memcpy(buffer, equals + 1, length - name - 1);
        buffer[length - name - 1] = '\0';
        found = 1;
        if (exact)
            return 1;
    }
    return found;
}

/* What may stand in a host's part of a URL, a port and an IPv6 literal included. No user names: keys belong elsewhere. */
static bool is_host(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]_", text[i]))
            return false;
    return length > 0;
}

int api_parse_endpoint(const char *url, struct api_message *message)
{
    const char *host = text_after(url, "https://"), *port = ":443";
    size_t length, host_length;

    if (!host) {
        host = text_after(url, "http://");
        port = ":80";
    }
    if (!host)
        return -EINVAL;
    length = host_length = strcspn(host, "/");
    if (!is_host(host, length) || strpbrk(host, "?#% "))
        return -EINVAL;
    if (host_length > strlen(port) && memcmp(host + host_length - strlen(port), port, strlen(port)) == 0)
        host_length -= strlen(port);
    if (text_format(message->host, sizeof(message->host), "%.*s", (int)host_length, host) < 0 ||
        text_format(message->base, sizeof(message->base), "%.*s", (int)(host - url + (ptrdiff_t)length), url) < 0)
        return -EINVAL;
    host += length;
    length = strlen(host);
    while (length > 0 && host[length - 1] == '/')
        length--;
    text_buffer_append(&message->path, host, length);
    return 0;
}

void api_message_free(struct api_message *message)
{
    if (message->query.text)
        explicit_bzero(message->query.text, message->query.length); /* V1 puts a token there */
    text_buffer_free(&message->path);
    text_buffer_free(&message->query);
    text_buffer_free(&message->body);
    parameters_free(&message->headers);
}

static const struct cloud_service *find_service(const struct cloud *cloud, const char *name)
{
    const struct cloud_service *service = cloud->provider->services;

    while (service->name && !text_equal(service->name, name))
        service++;
    return service;
}

/* Where the request goes: the endpoint that the user set, or the vendor's. */
static int address_message(struct cloud *cloud, const struct api_call *call, struct api_message *message)
{
    char url[512], host[200];
    int r;

    message->service = find_service(cloud, call->service);
    r = api_find_endpoint(cloud->config.endpoints, call->service, url, sizeof(url));
    if (r == 0) {
        r = cloud->provider->host(cloud, message->service, host, sizeof(host));
        if (r >= 0)
            r = text_format(url, sizeof(url), "https://%s", host);
    }
    if (r >= 0)
        r = api_parse_endpoint(url, message);
    if (r < 0)
        return cloud_fail(cloud, CLOUD_INVALID, "no endpoint for service %s in region '%s': set region or endpoints", call->service,
                          cloud->region);
    text_buffer_printf(&message->path, "%s", call->path ? call->path : "/");
    message->now = (int64_t)time(NULL);
    parameters_add(&message->headers, "Host", "%s", message->host);
    if (call->body)
        text_buffer_printf(&message->body, "%s", call->body);
    return 0;
}

int api_message_build(struct cloud *cloud, const struct api_call *call, struct api_message *message)
{
    int r = address_message(cloud, call, message);

    if (r == 0)
        r = cloud->provider->sign(cloud, call, &cloud->keys, message);
    else
        return r;
    if (r == 0 && (message->path.failed || message->query.failed || message->body.failed || message->headers.failed))
        r = -ENOMEM;
    if (r == -ELIBACC)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "requests can't be signed without libcrypto: install package libssl3");
    return r < 0 ? cloud_fail(cloud, CLOUD_NO_MEMORY, "the request %s can't be made: %s", call->action, strerror(-r)) : 0;
}

static unsigned int bucket_rate(const struct cloud *cloud)
{
    return cloud->config.rate > 0 ? cloud->config.rate : DEFAULT_RATE;
}

static struct token_bucket bucket_of(const struct cloud *cloud)
{
    unsigned int rate = bucket_rate(cloud), burst = rate / 4 > LEAST_BURST ? rate / 4 : LEAST_BURST;

    if (burst > rate / 2)
        burst = rate / 2 > 0 ? rate / 2 : 1;
    return (struct token_bucket){ .path = cloud->bucket_path, .rate = rate, .burst = burst };
}

static int take_token(struct cloud *cloud, const struct api_call *call, struct deadline deadline)
{
    struct token_bucket bucket = bucket_of(cloud);
    uint64_t waited = 0;
    int r = token_bucket_take(&bucket, cloud->config.urgent, deadline, &waited);

    cloud->usage.bucket_wait_ms += waited;
    if (r == 0)
        return 0;
    if (r == -EBUSY)
        return cloud_fail(cloud, CLOUD_THROTTLED, "%s: not sent, since the cloud has just said that it gets too many calls: monitor less often",
                          call->action);
    return cloud_fail(cloud, CLOUD_THROTTLED,
                      "%s: this node's share of %u requests a minute is used up: monitor less often, or raise rate", call->action,
                      bucket.rate);
}

/* What to do about it, where the class says that; "" else. */
static const char *remedy(enum cloud_error error)
{
    static const char *const remedies[] = {
        [CLOUD_THROTTLED] = "; too many API calls: monitor less often",
        [CLOUD_AUTH] = "; check the key, and whether it has expired",
        [CLOUD_PERMISSION] = "; allow it in the policy of the key or role",
        [CLOUD_QUOTA] = "; ask for more, or free some",
    };
    const char *text = (size_t)error < ARRAY_SIZE(remedies) ? remedies[error] : NULL;

    return text ? text : "";
}

/* Signatures are good for five minutes (AWS, Tencent Cloud) or fifteen. EC2 calls a signature that is too old AuthFailure, as it calls a key that it does not know: the answer's
 * date tells what to look at. */
#define SKEW_TOLERATED_S 240

static void append_skew(struct cloud *cloud, const struct api_error *error)
{
    size_t length = strlen(cloud->failure.text);
    bool suspect = cloud->failure.error == CLOUD_AUTH && (error->skew_s >= SKEW_TOLERATED_S || error->skew_s <= -SKEW_TOLERATED_S);

    if (cloud->failure.error != CLOUD_CLOCK && !suspect)
        return;
    if (error->skew_s != 0)
        (void)text_format(cloud->failure.text + length, sizeof(cloud->failure.text) - length,
                          "; this node's clock is %lld s %s the server's: set it (chrony)",
                          (long long)(error->skew_s < 0 ? -error->skew_s : error->skew_s),
                          error->skew_s < 0 ? "ahead of" : "behind");
    else
        (void)text_format(cloud->failure.text + length, sizeof(cloud->failure.text) - length, "; set this node's clock (chrony)");
}

static int fail_by_error(struct cloud *cloud, const struct api_call *call, enum cloud_error class, struct api_error *error)
{
    int r;

    (void)text_make_printable(error->words);
    cloud_hide_secrets(cloud, error->code);
    cloud_hide_secrets(cloud, error->request_id);
    (void)text_make_printable(error->code);
    r = cloud_fail(cloud, class, "%s: %s%s%.160s%s (HTTP %u, request %s)", call->action, error->code, *error->code ? ": " : "",
                   error->words, remedy(class), error->status, *error->request_id ? error->request_id : "without id");
    cloud->failure.status = error->status;
    cloud->failure.skew_s = error->skew_s;
    (void)text_copy(cloud->failure.code, sizeof(cloud->failure.code), error->code);
    (void)text_copy(cloud->failure.request_id, sizeof(cloud->failure.request_id), error->request_id);
    append_skew(cloud, error);
    return r;
}

/* A status without a document of the cloud: a proxy's or balancer's page. */
static enum cloud_error classify_status(unsigned int status)
{
    if (status == 429 || status == 509)
        return CLOUD_THROTTLED;
    if (status >= 500)
        return CLOUD_TRANSIENT;
    if (status == 407 || (status >= 300 && status < 400))
        return CLOUD_REFUSED;
    return CLOUD_MALFORMED;
}

static int fail_by_status(struct cloud *cloud, const struct api_call *call, const struct http_reply *reply)
{
    struct api_error error = { .status = reply->status };

    (void)text_format(error.words, sizeof(error.words), "%s",
                      reply->status < 300 ? "the answer is malformed or cut off" : "an answer that is not the cloud's");
    (void)text_copy(error.request_id, sizeof(error.request_id), reply->request_id);
    return fail_by_error(cloud, call, classify_status(reply->status), &error);
}

/* No answer: what libcurl says. */
static int fail_by_transport(struct cloud *cloud, const struct api_call *call, const struct api_message *message,
                             const struct http_reply *reply)
{
    return cloud_fail(cloud, reply->error, "%s: %s%s: %s", call->action,
                      reply->error == CLOUD_TIMED_OUT ? "timed out waiting for " : "", message->base, reply->why);
}

static int read_reply(struct cloud *cloud, const struct api_call *call, const struct http_reply *reply,
                      struct document *ret)
{
    _cleanup_document_ struct document document = { 0 };
    struct api_error error = { .status = reply->status };
    int r = cloud->provider->xml ? document_parse_xml(reply->body, reply->length, &document)
                                 : document_parse_json(reply->body, reply->length, &document);

    if (r == -ELIBACC || r == -ENOMEM)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "answers can't be read: %s",
                          r == -ENOMEM ? "no memory" : "install packages libxml2 and libjansson4");
    /* A change that was accepted may answer with nothing (Huawei: 204, or 202 with an empty body). */
    if (r < 0 && reply->length == 0 && reply->status >= 200 && reply->status < 300 && call->changes)
        return 0;
    if (r < 0)
        return fail_by_status(cloud, call, reply);
    if (reply->date > 0)
        error.skew_s = reply->date - (int64_t)time(NULL);
    if (cloud->provider->read_error(document.root, &error)) {
        if (!*error.request_id)
            (void)text_copy(error.request_id, sizeof(error.request_id), reply->request_id);
        return fail_by_error(cloud, call, cloud->provider->classify(&error), &error);
    }
    if (reply->status < 200 || reply->status >= 300)
        return fail_by_status(cloud, call, reply);
    *ret = document;
    document = (struct document){ 0 };
    return 0;
}

static struct http_request request_of(const struct cloud *cloud, const struct api_call *call,
                                      const struct api_message *message, const char *url, struct deadline deadline)
{
    uint64_t request_ms = cloud->config.request_ms > 0 ? cloud->config.request_ms : DEFAULT_REQUEST_MS;

    return (struct http_request){
        .method = call->method,
        .url = url,
        .headers = &message->headers,
        .body = message->body.length > 0 || strcmp(call->method, "POST") == 0 ? (message->body.text ? message->body.text : "") : NULL,
        .body_length = message->body.length,
        .ca_file = cloud->config.ca_file,
        .proxy = cloud->config.proxy,
        .tls_insecure = cloud->config.tls_insecure,
        .changes = call->changes,
        .connect_ms = cloud->config.connect_ms > 0 ? cloud->config.connect_ms : DEFAULT_CONNECT_MS,
        .deadline = deadline_within(deadline, request_ms),
        .limit = DOCUMENT_BYTES,
    };
}

/* One attempt. *ret_sent: the request may have reached the server. */
static int send_once(struct cloud *cloud, const struct api_call *call, struct deadline deadline, struct document *ret,
                     bool *ret_sent)
{
    _cleanup_(api_message_free) struct api_message message = { 0 };
    _cleanup_http_reply_ struct http_reply reply = { 0 };
    _cleanup_free_ char *url = NULL;
    struct http_request request;
    int r = api_message_build(cloud, call, &message);

    *ret_sent = false;
    if (r < 0)
        return r;
    url = text_printf("%s%s%s%s", message.base, message.path.text, message.query.length > 0 ? "?" : "",
                      message.query.length > 0 ? message.query.text : "");
    if (!url)
        return cloud_fail(cloud, CLOUD_NO_MEMORY, "no memory");
    request = request_of(cloud, call, &message, url, deadline);
    r = http_client_send(cloud->client, &request, &reply);
    cloud->usage.requests++;
    *ret_sent = reply.sent;
    explicit_bzero(url, strlen(url));
    r = r < 0 ? fail_by_transport(cloud, call, &message, &reply) : read_reply(cloud, call, &reply, ret);
    log_debug("%s %s: HTTP %u in %llu ms, request %s%s%s", cloud->provider->name, call->action, reply.status,
              (unsigned long long)reply.took_ms, *reply.request_id ? reply.request_id : "without id", r < 0 ? ": " : "",
              r < 0 ? cloud->failure.text : "");
    return r;
}

/* Whether a change may have been made although it was not answered with success: lost answers, the server's own trouble. */
static bool is_outcome_open(enum cloud_error error, bool sent)
{
    return sent && (error == CLOUD_TRANSIENT || error == CLOUD_TIMED_OUT || error == CLOUD_UNREACHABLE ||
                    error == CLOUD_MALFORMED || error == CLOUD_REFUSED);
}

/* A role's keys that the cloud takes no more are fetched anew, once; keys of a file are what they are. */
static bool renew_keys(struct cloud *cloud, bool *renewed)
{
    if (cloud->failure.error != CLOUD_AUTH || cloud->config.credentials || *renewed)
        return false;
    *renewed = true;
    role_keys_forget(cloud);
    return true;
}

int api_call_send(struct cloud *cloud, const struct api_call *call, struct deadline deadline, struct document *ret)
{
    bool renewed = false;

    for (unsigned int attempt = 0;; attempt++) {
        struct token_bucket bucket = bucket_of(cloud);
        enum cloud_error error;
        uint64_t wait;
        bool sent;
        int r = role_keys_need(cloud, deadline);

        if (r == 0)
            r = take_token(cloud, call, deadline);
        if (r < 0)
            return r;
        r = send_once(cloud, call, deadline, ret, &sent);
        if (r == 0)
            return 0;
        error = cloud->failure.error;
        cloud->failure.maybe_done = call->changes && is_outcome_open(error, sent);
        if (renew_keys(cloud, &renewed))
            continue;
        if (error == CLOUD_THROTTLED)
            cloud->usage.throttled++;
        wait = api_backoff_ms(error, attempt);
        if (error == CLOUD_THROTTLED)
            token_bucket_pause(&bucket, wait / 2);
        if (attempt + 1 >= ATTEMPTS || !api_error_may_repeat(error, call->changes, sent) || wait >= deadline_left_ms(deadline))
            return r;
        cloud->usage.retries++;
        (void)deadline_sleep(deadline, wait);
    }
}
