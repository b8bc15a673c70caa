/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP by itself: one GET needs no library. HTTPS through libcurl, which brings TLS, in a child.
 */
#include <curl/curl.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/connection.h"
#include "base/library.h"
#include "health/probe_kinds.h"
#include "health/reply.h"

/* How much of an answer is searched for the text. */
#define ANSWER_LIMIT 65536

struct answer {
    char bytes[ANSWER_LIMIT];
    size_t length;
};

static int judge(const struct probe_url *url, unsigned int status, const char *body, size_t length,
                 struct text_buffer *why)
{
    if (status < url->status_low || status > url->status_high) {
        text_buffer_printf(why, "answered with status %u", status);
        return -EPROTO;
    }
    if (url->text[0] && !memmem(body, length, url->text, strlen(url->text))) {
        text_buffer_printf(why, "the text '%s' is not in the first %zu bytes of the answer", url->text, length);
        return -EPROTO;
    }
    return 0;
}

static int send_request(int fd, const struct probe_url *url, bool keep, struct deadline deadline)
{
    _cleanup_text_buffer_ struct text_buffer request = { 0 };
    bool literal = strchr(url->host, ':') != NULL;

    text_buffer_printf(&request, "GET %s%s HTTP/1.1\r\nHost: %s%s%s", url->path[0] == '/' ? "" : "/", url->path,
                       literal ? "[" : "", url->host, literal ? "]" : "");
    if (url->port != 80)
        text_buffer_printf(&request, ":%u", url->port);
    text_buffer_printf(&request, "\r\nUser-Agent: vigil\r\nAccept: */*\r\nConnection: %s\r\n\r\n", keep ? "keep-alive" : "close");
    return request.failed ? -ENOMEM : connection_send(fd, request.text, request.length, deadline);
}

/* True when what has come is enough to judge by. A server that leaves the connection open in spite of "Connection: close" is not
 * waited for. */
static bool is_complete(const struct probe_url *url, const struct http_head *head, const struct answer *answer, bool whole)
{
    static const char last_chunk[] = "\n0\r\n\r\n";
    size_t tail = sizeof(last_chunk) - 1;

    if ((!url->text[0] && !whole) || answer->length >= ANSWER_LIMIT)
        return true;
    if (head->chunked)
        return answer->length >= tail && memcmp(answer->bytes + answer->length - tail, last_chunk, tail) == 0;
    return head->has_length && answer->length - head->head_length >= head->content_length;
}

static int receive_answer(int fd, const struct probe_url *url, bool whole, struct answer *answer, struct http_head *head,
                          struct deadline deadline, struct text_buffer *why)
{
    enum reply_verdict verdict = REPLY_INCOMPLETE;

    while (verdict == REPLY_INCOMPLETE || !is_complete(url, head, answer, whole)) {
        size_t room = ANSWER_LIMIT - answer->length;
        int r = room > 0 ? connection_receive(fd, answer->bytes + answer->length, room, deadline) : 0;

        if (r < 0) {
            text_buffer_printf(why, r == -ETIMEDOUT ? "it accepted the connection" : "the connection broke");
            return r;
        }
        if (r == 0)
            break;
        answer->length += (size_t)r;
        if (verdict != REPLY_GOOD)
            verdict = reply_http_head(answer->bytes, answer->length, head);
        if (verdict == REPLY_FOREIGN)
            break;
    }
    if (verdict == REPLY_GOOD)
        return 0;
    text_buffer_printf(why, verdict == REPLY_FOREIGN ? "the answer is not HTTP" : "the answer was cut off");
    return -EPROTO;
}

static int ask_on(int fd, const struct probe_url *url, bool keep, struct answer *answer, struct http_head *head, struct deadline deadline,
                  struct text_buffer *why)
{
    size_t length;
    int r = send_request(fd, url, keep, deadline);

    if (r == 0)
        r = receive_answer(fd, url, keep, answer, head, deadline, why);
    if (r < 0)
        return r;
    length = answer->length - head->head_length;
    if (head->chunked)
        (void)reply_http_dechunk(answer->bytes + head->head_length, length, &length);
    return judge(url, head->status, answer->bytes + head->head_length, length, why);
}

int probe_ask_http(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                   struct text_buffer *why)
{
    _cleanup_close_ int fd = probe_connect(url, deadline, why);
    _cleanup_free_ struct answer *answer = NULL;
    struct http_head head = { 0 };

    if (fd < 0)
        return fd;
    answer = calloc(1, sizeof(*answer));
    return answer ? ask_on(fd, url, false, answer, &head, deadline, why) : -ENOMEM;
}

/* The connection can be used again when the end of the answer was seen (RFC 9112, 9.3). */
static bool can_go_on(const struct http_head *head, const struct answer *answer)
{
    return answer->length < ANSWER_LIMIT && (head->chunked || head->has_length) &&
           !memmem(answer->bytes, head->head_length, "Connection: close", 17) && !memmem(answer->bytes, head->head_length, "connection: close", 17);
}

int probe_keep_http(const struct probe_url *url, int *fd, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_free_ struct answer *answer = calloc(1, sizeof(*answer));
    struct http_head head = { 0 };
    int r;

    if (!answer)
        return -ENOMEM;
    if (*fd < 0)
        *fd = probe_connect(url, deadline, why);
    if (*fd < 0) {
        r = *fd;
        *fd = -1;
        return r;
    }
    r = ask_on(*fd, url, true, answer, &head, deadline, why);
    if (r == 0 && !can_go_on(&head, answer)) {
        (void)close(*fd);
        *fd = -1;
    }
    return r;
}

/* ---- https ------------------------------------------------------------------------------------------------------ */

static struct {
    __typeof__(&curl_easy_init) init;
    __typeof__(&curl_easy_setopt) set;
    __typeof__(&curl_easy_perform) perform;
    __typeof__(&curl_easy_getinfo) info;
    __typeof__(&curl_easy_cleanup) cleanup;
} curl;

static int load_curl(struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(curl.init, "curl_easy_init"),       LIBRARY_SYMBOL(curl.set, "curl_easy_setopt"),
        LIBRARY_SYMBOL(curl.perform, "curl_easy_perform"), LIBRARY_SYMBOL(curl.info, "curl_easy_getinfo"),
        LIBRARY_SYMBOL(curl.cleanup, "curl_easy_cleanup"),
    };

    return library_load("libcurl.so.4", "libcurl4", symbols, ARRAY_SIZE(symbols), why);
}

/* CURLOPT_WRITEFUNCTION: taking less than was given ends the transfer, which is what a full buffer wants. */
static size_t keep_bytes(char *bytes, size_t size, size_t count, void *argument)
{
    struct answer *answer = argument;
    size_t room = ANSWER_LIMIT - answer->length;
    size_t taken = size * count < room ? size * count : room;

    memcpy(answer->bytes + answer->length, bytes, taken);
    answer->length += taken;
    return taken;
}

static void set_options(CURL *handle, const struct probe_url *url, const char *address, char *error,
                        struct answer *answer, struct deadline deadline)
{
    uint64_t left_ms = deadline_left_ms(deadline);

    (void)curl.set(handle, CURLOPT_URL, address);
    (void)curl.set(handle, CURLOPT_PROXY, "");
    (void)curl.set(handle, CURLOPT_NOSIGNAL, 1L);
    (void)curl.set(handle, CURLOPT_TIMEOUT_MS, (long)(left_ms ? left_ms : 1));
    (void)curl.set(handle, CURLOPT_USERAGENT, "vigil");
    (void)curl.set(handle, CURLOPT_ERRORBUFFER, error);
    (void)curl.set(handle, CURLOPT_WRITEFUNCTION, keep_bytes);
    (void)curl.set(handle, CURLOPT_WRITEDATA, answer);
    if (url->insecure) {
        (void)curl.set(handle, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl.set(handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static int perform(CURL *handle, const struct probe_url *url, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_free_ struct answer *answer = calloc(1, sizeof(*answer));
    bool literal = strchr(url->host, ':') != NULL;
    _cleanup_free_ char *address = text_printf("https://%s%s%s:%u%s%s", literal ? "[" : "", url->host,
                                               literal ? "]" : "", url->port, url->path[0] == '/' ? "" : "/",
                                               url->path);
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode code;

    if (!answer || !address)
        return -ENOMEM;
    set_options(handle, url, address, error, answer, deadline);
    code = curl.perform(handle);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        text_buffer_printf(why, "%s", error);
        return -ETIMEDOUT;
    }
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && answer->length == ANSWER_LIMIT)) {
        text_buffer_printf(why, "%s", error[0] ? error : "the transfer failed");
        return -EPROTO;
    }
    (void)curl.info(handle, CURLINFO_RESPONSE_CODE, &status);
    return judge(url, (unsigned int)status, answer->bytes, answer->length, why);
}

int probe_ask_https(const struct probe_url *url, const struct probe_context *context _unused_,
                    struct deadline deadline, struct text_buffer *why)
{
    int r = load_curl(why);
    CURL *handle;

    if (r < 0)
        return r;
    handle = curl.init();
    if (!handle)
        return -ENOMEM;
    r = perform(handle, url, deadline, why);
    curl.cleanup(handle);
    return r;
}
