/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/http_client.h"

#include <curl/curl.h>
#include <dirent.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/file.h"
#include "base/library.h"

#define HEADER_BYTES 32768 /* all header lines of all answers (100 Continue) to one request together */

static struct {
    __typeof__(&curl_easy_init) init;
    __typeof__(&curl_easy_reset) reset;
    __typeof__(&curl_easy_setopt) set;
    __typeof__(&curl_easy_perform) perform;
    __typeof__(&curl_easy_getinfo) info;
    __typeof__(&curl_easy_cleanup) cleanup;
    __typeof__(&curl_easy_strerror) error;
    __typeof__(&curl_slist_append) append;
    __typeof__(&curl_slist_free_all) free_list;
} curl;

struct http_client {
    CURL *handle;
    char error[CURL_ERROR_SIZE];
    /* Of the request that runs: */
    struct http_reply *reply;
    size_t limit, capacity, header_bytes;
    bool too_large, no_memory;
};

static int load_curl(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(curl.init, "curl_easy_init"),       LIBRARY_SYMBOL(curl.reset, "curl_easy_reset"),
        LIBRARY_SYMBOL(curl.set, "curl_easy_setopt"),      LIBRARY_SYMBOL(curl.perform, "curl_easy_perform"),
        LIBRARY_SYMBOL(curl.info, "curl_easy_getinfo"),    LIBRARY_SYMBOL(curl.cleanup, "curl_easy_cleanup"),
        LIBRARY_SYMBOL(curl.error, "curl_easy_strerror"),  LIBRARY_SYMBOL(curl.append, "curl_slist_append"),
        LIBRARY_SYMBOL(curl.free_list, "curl_slist_free_all"),
    };

    if (curl.free_list)
        return 0;
    return library_load("libcurl.so.4", "libcurl4", symbols, ARRAY_SIZE(symbols), NULL);
}

int http_client_open(struct http_client **ret)
{
    struct http_client *client;
    int r = load_curl();

    if (r < 0)
        return r;
    client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->handle = curl.init();
    if (!client->handle) {
        free(client);
        return -ENOMEM;
    }
    *ret = client;
    return 0;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    curl.cleanup(client->handle);
    free(client);
}

void http_reply_free(struct http_reply *reply)
{
    if (reply->body) {
        explicit_bzero(reply->body, reply->length);
        free(reply->body);
    }
    reply->body = NULL;
}

static int take_number(const char *text, int digits)
{
    int number = 0;

    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = 10 * number + (text[i] - '0');
    }
    return number;
}

int64_t http_parse_date(const char *text, size_t length)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm date = { 0 };
    const char *month;
    char name[4];

    /* "Sun, 06 Nov 1994 08:49:37 GMT": every place is fixed. The two older forms are not sent any more. */
    if (length < 29 || text[3] != ',' || text[4] != ' ' || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
        text[19] != ':' || text[22] != ':' || memcmp(text + 25, " GMT", 4) != 0)
        return 0;
    memcpy(name, text + 8, 3);
    name[3] = '\0';
    month = strlen(name) == 3 ? strstr(months, name) : NULL;
    if (!month || (month - months) % 3 != 0)
        return 0;
    date.tm_mday = take_number(text + 5, 2);
    date.tm_mon = (int)(month - months) / 3;
    date.tm_year = take_number(text + 12, 4) - 1900;
    date.tm_hour = take_number(text + 17, 2);
    date.tm_min = take_number(text + 20, 2);
    date.tm_sec = take_number(text + 23, 2);
    if (date.tm_mday < 1 || date.tm_year < 70 || date.tm_hour < 0 || date.tm_min < 0 || date.tm_sec < 0)
        return 0;
    return (int64_t)timegm(&date);
}

/* The value of the header where the line has that name, or NULL. */
static const char *header_value(const char *line, size_t length, const char *name, size_t *ret_length)
{
    size_t name_length = strlen(name);

    if (length <= name_length || strncasecmp(line, name, name_length) != 0 || line[name_length] != ':')
        return NULL;
    line += name_length + 1;
    length -= name_length + 1;
    while (length > 0 && (*line == ' ' || *line == '\t'))
        line++, length--;
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == '\n' || line[length - 1] == ' '))
        length--;
    *ret_length = length;
    return line;
}

void http_take_header(struct http_reply *reply, const char *line, size_t length)
{
    static const char *const id_names[] = { "x-amzn-requestid", "x-amz-request-id", "x-acs-request-id",
                                            "x-openstack-request-id", "x-request-id" };
    size_t value_length;
    const char *value = header_value(line, length, "date", &value_length);

    if (value)
        reply->date = http_parse_date(value, value_length);
    for (size_t i = 0; i < ARRAY_SIZE(id_names); i++) {
        value = header_value(line, length, id_names[i], &value_length);
        if (!value || value_length >= sizeof(reply->request_id))
            continue;
        memcpy(reply->request_id, value, value_length);
        reply->request_id[value_length] = '\0';
        (void)text_make_printable(reply->request_id);
    }
}

/* CURLOPT_HEADERFUNCTION. Taking less than was given ends the transfer. */
static size_t take_header(char *bytes, size_t size, size_t count, void *argument)
{
    struct http_client *client = argument;
    size_t length = size * count;

    client->header_bytes += length;
    if (client->header_bytes > HEADER_BYTES) {
        client->too_large = true;
        return 0;
    }
    http_take_header(client->reply, bytes, length);
    return length;
}

/* Keys may be in it, so that an outgrown buffer is wiped and not given to realloc. */
static bool grow_body(struct http_client *client, size_t wanted)
{
    struct http_reply *reply = client->reply;
    size_t capacity = client->capacity > 0 ? client->capacity : 8192;
    char *larger;

    while (capacity < wanted)
        capacity *= 2;
    if (capacity == client->capacity)
        return true;
    larger = malloc(capacity);
    if (!larger)
        return false;
    if (reply->body) {
        memcpy(larger, reply->body, reply->length);
        http_reply_free(reply);
    }
    reply->body = larger;
    client->capacity = capacity;
    return true;
}

/* CURLOPT_WRITEFUNCTION */
static size_t take_body(char *bytes, size_t size, size_t count, void *argument)
{
    struct http_client *client = argument;
    struct http_reply *reply = client->reply;
    size_t length = size * count;

    if (length > client->limit - reply->length) {
        client->too_large = true;
        return 0;
    }
    if (!grow_body(client, reply->length + length + 1)) {
        client->no_memory = true;
        return 0;
    }
    memcpy(reply->body + reply->length, bytes, length);
    reply->length += length;
    return length;
}

/* A folder of certificates by hash, of which OpenSSL reads only those that it needs. The system's bundle is 140 certificates that each call would
 * parse: thirty milliseconds. */
static const char *certificate_folder(void)
{
    static const char *const folders[] = { "/etc/ssl/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash" };

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_closedir_ DIR *folder = opendir(folders[i]);
        const struct dirent *entry = folder ? readdir(folder) : NULL;

        for (; entry; entry = readdir(folder))
            if (strlen(entry->d_name) == 10 && strspn(entry->d_name, "0123456789abcdef") == 8 &&
                text_ends_with(entry->d_name, ".0"))
                return folders[i];
    }
    return NULL;
}

static void set_tls(CURL *handle, const struct http_request *request)
{
    const char *folder;

    curl.set(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl.set(handle, CURLOPT_SSL_VERIFYPEER, request->tls_insecure ? 0L : 1L);
    curl.set(handle, CURLOPT_SSL_VERIFYHOST, request->tls_insecure ? 0L : 2L);
    if (request->tls_insecure || strncmp(request->url, "https:", 6) != 0)
        return;
    if (request->ca_file) {
        curl.set(handle, CURLOPT_CAINFO, request->ca_file);
        curl.set(handle, CURLOPT_CAPATH, NULL);
        return;
    }
    folder = certificate_folder();
    if (folder) {
        curl.set(handle, CURLOPT_CAINFO, NULL);
        curl.set(handle, CURLOPT_CAPATH, folder);
    }
}

static void set_protocols(CURL *handle)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl.set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl.set(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* libcurl takes milliseconds as a long; a bound of 0 would mean none. */
static long bounded_ms(uint64_t ms)
{
    if (ms == 0)
        return 1;
    return ms > 3600000 ? 3600000L : (long)ms;
}

static void set_options(struct http_client *client, const struct http_request *request, struct curl_slist *headers)
{
    CURL *handle = client->handle;
    uint64_t left = deadline_left_ms(request->deadline);

    curl.set(handle, CURLOPT_URL, request->url);
    set_protocols(handle);
    curl.set(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.set(handle, CURLOPT_NOSIGNAL, 1L);
    curl.set(handle, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl.set(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl.set(handle, CURLOPT_PROXY, request->proxy ? request->proxy : "");
    curl.set(handle, CURLOPT_NOPROXY, "");
    curl.set(handle, CURLOPT_CUSTOMREQUEST, request->method);
    curl.set(handle, CURLOPT_HTTPHEADER, headers);
    curl.set(handle, CURLOPT_PATH_AS_IS, 1L);
    if (request->body) {
        curl.set(handle, CURLOPT_POST, 1L);
        curl.set(handle, CURLOPT_POSTFIELDS, request->body);
        curl.set(handle, CURLOPT_POSTFIELDSIZE, (long)request->body_length);
    }
    curl.set(handle, CURLOPT_FRESH_CONNECT, request->changes ? 1L : 0L);
    curl.set(handle, CURLOPT_CONNECTTIMEOUT_MS, bounded_ms(left < request->connect_ms ? left : request->connect_ms));
    curl.set(handle, CURLOPT_TIMEOUT_MS, bounded_ms(left));
    curl.set(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl.set(handle, CURLOPT_HEADERDATA, client);
    curl.set(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl.set(handle, CURLOPT_WRITEDATA, client);
    curl.set(handle, CURLOPT_ERRORBUFFER, client->error);
    set_tls(handle, request);
}

/* An empty value is written as "Name;" for libcurl, which takes "Name:" as the wish not to send it. */
static struct curl_slist *make_headers(const struct parameters *headers)
{
    struct curl_slist *list = curl.append(NULL, "Expect:");

    /* libcurl would say that an empty body is a form, which is not among the signed headers. */
    if (list && !parameters_find(headers, "Content-Type"))
        list = curl.append(list, "Content-Type:");
    for (size_t i = 0; list && i < headers->count; i++) {
        const char *value = headers->items[i].value;
        char *line = *value ? text_printf("%s: %s", headers->items[i].name, value)
                            : text_printf("%s;", headers->items[i].name);
        struct curl_slist *longer = line ? curl.append(list, line) : NULL;

        file_wipe_secret(line);
        if (!longer)
            curl.free_list(list);
        list = longer;
    }
    return list;
}

/* libcurl's copies of the header lines hold the token and the signature. */
static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl.free_list(list);
}

static enum cloud_error classify(CURLcode code, const struct http_client *client)
{
    if (client->no_memory)
        return CLOUD_NO_MEMORY;
    if (client->too_large)
        return CLOUD_MALFORMED;
    switch (code) {
    case CURLE_OK:
        return CLOUD_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return CLOUD_TIMED_OUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
        return CLOUD_TLS;
    case CURLE_OUT_OF_MEMORY:
        return CLOUD_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return CLOUD_INVALID;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
        return CLOUD_MALFORMED;
    default:
        return CLOUD_UNREACHABLE;
    }
}

/* Time to the moment at which the request was about to go out: 0 where it never came so far. */
static bool was_sent(CURL *handle)
{
    curl_off_t moment = 0;

    return curl.info(handle, CURLINFO_PRETRANSFER_TIME_T, &moment) != CURLE_OK || moment > 0;
}

static void judge(struct http_client *client, CURLcode code, struct http_reply *reply)
{
    curl_off_t took = 0;
    long status = 0;

    reply->error = classify(code, client);
    reply->sent = code == CURLE_OK || was_sent(client->handle);
    (void)curl.info(client->handle, CURLINFO_RESPONSE_CODE, &status);
    (void)curl.info(client->handle, CURLINFO_TOTAL_TIME_T, &took);
    reply->status = status > 0 ? (unsigned int)status : 0;
    reply->took_ms = (uint64_t)took / 1000;
    if (client->too_large)
        (void)text_copy(reply->why, sizeof(reply->why), "the answer is larger than any of the cloud's");
    else if (reply->error != CLOUD_OK)
        (void)text_format(reply->why, sizeof(reply->why), "%s", client->error[0] ? client->error : curl.error(code));
    (void)text_make_printable(reply->why);
    if (reply->error == CLOUD_OK && !grow_body(client, reply->length + 1))
        reply->error = CLOUD_NO_MEMORY;
    if (reply->error == CLOUD_OK)
        reply->body[reply->length] = '\0';
    else
        http_reply_free(reply);
}

int http_client_send(struct http_client *client, const struct http_request *request, struct http_reply *reply)
{
    struct curl_slist *headers;

    *reply = (struct http_reply){ .error = CLOUD_NO_MEMORY };
    if (deadline_passed(request->deadline)) {
        reply->error = CLOUD_TIMED_OUT;
        (void)text_copy(reply->why, sizeof(reply->why), "no time is left");
        return -ETIMEDOUT;
    }
    headers = make_headers(request->headers);
    if (!headers)
        return -ENOMEM;
    client->reply = reply;
    client->limit = request->limit;
    client->capacity = client->header_bytes = 0;
    client->too_large = client->no_memory = false;
    client->error[0] = '\0';
    curl.reset(client->handle);
    set_options(client, request, headers);
    judge(client, curl.perform(client->handle), reply);
    curl.set(client->handle, CURLOPT_HTTPHEADER, NULL);
    free_headers(headers);
    return cloud_error_errno(reply->error);
}
