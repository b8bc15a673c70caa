/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/signing.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cloud/digest.h"

/* What the schemes differ in, where they build the canonical request alike. */
struct scheme {
    const char *algorithm;
    bool path_twice;    /* the path is percent-encoded once more */
    bool path_slash;    /* the path ends in '/' whatever the wire says */
    bool lower_values;  /* header values in lower case */
    bool lone_header;   /* only headers of this prefix, host and content-type are signed by default */
    const char *prefix;
};

static const struct scheme aws = { .algorithm = "AWS4-HMAC-SHA256", .path_twice = true };
static const struct scheme aliyun = { .algorithm = "ACS3-HMAC-SHA256", .lone_header = true, .prefix = "x-acs-" };
static const struct scheme tencent = { .algorithm = "TC3-HMAC-SHA256", .lower_values = true };
static const struct scheme huawei = { .algorithm = "SDK-HMAC-SHA256", .path_slash = true };

static bool is_signed_by_default(const struct scheme *scheme, const char *name)
{
    if (!scheme->lone_header)
        return true;
    return strncasecmp(name, scheme->prefix, strlen(scheme->prefix)) == 0 || strcasecmp(name, "host") == 0 ||
           strcasecmp(name, "content-type") == 0;
}

/* The names of the headers that are to be signed, in lower case, sorted, joined by ';'. */
static int list_headers(const struct scheme *scheme, const struct parameters *headers, struct text_buffer *names)
{
    _cleanup_parameters_ struct parameters sorted = { 0 };

    for (size_t i = 0; i < headers->count; i++) {
        if (!is_signed_by_default(scheme, headers->items[i].name))
            continue;
        parameters_add(&sorted, headers->items[i].name, "%s", "");
        if (sorted.failed)
            return -ENOMEM;
        for (char *c = sorted.items[sorted.count - 1].name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
    parameters_sort(&sorted);
    for (size_t i = 0; i < sorted.count; i++)
        text_buffer_printf(names, "%s%s", i > 0 ? ";" : "", sorted.items[i].name);
    return names->failed || !names->text ? -ENOMEM : 0;
}

/* A header's value without outer blanks, runs of blanks as one. */
static void append_value(const struct scheme *scheme, const char *value, struct text_buffer *canonical)
{
    bool blank = false, begun = false;

    for (; *value; value++) {
        char c = scheme->lower_values ? (char)tolower((unsigned char)*value) : *value;

        if (c == ' ' || c == '\t') {
            blank = begun;
            continue;
        }
        if (blank)
            text_buffer_append(canonical, " ", 1);
        text_buffer_append(canonical, &c, 1);
        blank = false;
        begun = true;
    }
}

static int append_headers(const struct scheme *scheme, const struct parameters *headers, const char *names,
                          struct text_buffer *canonical)
{
    const char *cursor = names, *word;
    size_t length;

    while (text_next_word(&cursor, ";", &word, &length)) {
        char name[64];
        const char *value;

        if (length >= sizeof(name))
            return -EINVAL;
        memcpy(name, word, length);
        name[length] = '\0';
        value = parameters_find(headers, name);
        if (!value)
            return -EINVAL;
        text_buffer_printf(canonical, "%s:", name);
        append_value(scheme, value, canonical);
        text_buffer_append(canonical, "\n", 1);
    }
    return 0;
}

/* Sorted by the encoded names and values: '%' sorts before letters, so that decoded ones may sort otherwise. */
static int append_query(const char *query, struct text_buffer *canonical)
{
    _cleanup_parameters_ struct parameters plain = { 0 }, encoded = { 0 };
    int r = parameters_decode(query, &plain);

    if (r < 0)
        return r;
    for (size_t i = 0; i < plain.count; i++) {
        _cleanup_text_buffer_ struct text_buffer name = { 0 }, value = { 0 };

        url_encode(&name, plain.items[i].name, false);
        url_encode(&value, plain.items[i].value, false);
        parameters_add(&encoded, name.text ? name.text : "", "%s", value.text ? value.text : "");
        if (name.failed || value.failed)
            return -ENOMEM;
    }
    if (encoded.failed)
        return -ENOMEM;
    parameters_sort(&encoded);
    for (size_t i = 0; i < encoded.count; i++)
        text_buffer_printf(canonical, "%s%s=%s", i > 0 ? "&" : "", encoded.items[i].name, encoded.items[i].value);
    return 0;
}

static void append_path(const struct scheme *scheme, const char *path, struct text_buffer *canonical)
{
    if (scheme->path_twice)
        url_encode(canonical, path, true);
    else
        text_buffer_printf(canonical, "%s", path);
    if (scheme->path_slash && !text_ends_with(path, "/"))
        text_buffer_append(canonical, "/", 1);
}

/* The SHA-256 of the canonical request, in hexadecimal. */
static int hash_request(const struct scheme *scheme, const struct signing_request *request, const char *names,
                        char hash[DIGEST_HEX_SIZE])
{
    _cleanup_text_buffer_ struct text_buffer canonical = { 0 };
    char body_hash[DIGEST_HEX_SIZE];
    int r = digest_sha256_hex(request->body, request->body_length, body_hash);

    if (r < 0)
        return r;
    text_buffer_printf(&canonical, "%s\n", request->method);
    append_path(scheme, request->path, &canonical);
    text_buffer_append(&canonical, "\n", 1);
    r = append_query(request->query, &canonical);
    if (r < 0)
        return r;
    text_buffer_append(&canonical, "\n", 1);
    r = append_headers(scheme, request->headers, names, &canonical);
    if (r < 0)
        return r;
    text_buffer_printf(&canonical, "\n%s\n%s", names, body_hash);
    if (canonical.failed)
        return -ENOMEM;
    r = digest_sha256_hex(canonical.text, canonical.length, hash);
    explicit_bzero(canonical.text, canonical.length); /* a token may be among the headers */
    return r;
}

static int choose_headers(const struct scheme *scheme, const struct signing_request *request, const char *wanted,
                          struct text_buffer *names)
{
    if (!wanted)
        return list_headers(scheme, request->headers, names);
    text_buffer_printf(names, "%s", wanted);
    return names->failed ? -ENOMEM : 0;
}

/* A chain of HMACs, each over the next text, as SigV4 and TC3 derive their key of the day. The last one is the signature. */
static int sign_chain(const char *prefix, const char *secret, const char *const *texts, size_t count,
                      char signature[DIGEST_HEX_SIZE])
{
    _cleanup_text_buffer_ struct text_buffer first = { 0 };
    unsigned char key[DIGEST_SHA256_SIZE];
    int r = 0;

    text_buffer_printf(&first, "%s%s", prefix, secret);
    if (first.failed)
        return -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++)
        r = digest_hmac_sha256(i == 0 ? (const void *)first.text : key, i == 0 ? first.length : sizeof(key), texts[i],
                               strlen(texts[i]), key);
    if (r == 0)
        digest_hex(key, sizeof(key), signature);
    explicit_bzero(first.text, first.length);
    explicit_bzero(key, sizeof(key));
    return r;
}

static int finish(const struct text_buffer *authorization, int r)
{
    return r == 0 && authorization->failed ? -ENOMEM : r;
}

int sign_aws_v4(const struct signing_request *request, const struct signing_keys *keys, const char *date, const char *region,
                const char *service, const char *signed_headers, struct text_buffer *authorization)
{
    _cleanup_text_buffer_ struct text_buffer names = { 0 }, text = { 0 };
    char hash[DIGEST_HEX_SIZE], signature[DIGEST_HEX_SIZE], day[9];
    int r = choose_headers(&aws, request, signed_headers, &names);

    if (r == 0)
        r = hash_request(&aws, request, names.text, hash);
    if (r < 0)
        return r;
    (void)text_format(day, sizeof(day), "%.8s", date);
    text_buffer_printf(&text, "%s\n%s\n%s/%s/%s/aws4_request\n%s", aws.algorithm, date, day, region, service, hash);
    if (text.failed)
        return -ENOMEM;
    r = sign_chain("AWS4", keys->secret, (const char *const[]){ day, region, service, "aws4_request", text.text }, 5,
                   signature);
    if (r == 0)
        text_buffer_printf(authorization, "%s Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
                           aws.algorithm, keys->access, day, region, service, names.text, signature);
    return finish(authorization, r);
}

int sign_aliyun_v3(const struct signing_request *request, const struct signing_keys *keys, const char *signed_headers,
                   struct text_buffer *authorization)
{
    _cleanup_text_buffer_ struct text_buffer names = { 0 }, text = { 0 };
    char hash[DIGEST_HEX_SIZE], signature[DIGEST_HEX_SIZE];
    int r = choose_headers(&aliyun, request, signed_headers, &names);

    if (r == 0)
        r = hash_request(&aliyun, request, names.text, hash);
    if (r < 0)
        return r;
    text_buffer_printf(&text, "%s\n%s", aliyun.algorithm, hash);
    if (text.failed)
        return -ENOMEM;
    r = sign_chain("", keys->secret, (const char *const[]){ text.text }, 1, signature);
    if (r == 0)
        text_buffer_printf(authorization, "%s Credential=%s,SignedHeaders=%s,Signature=%s", aliyun.algorithm,
                           keys->access, names.text, signature);
    return finish(authorization, r);
}

int sign_aliyun_v1(const char *method, struct parameters *parameters, const struct signing_keys *keys,
                   char signature[64])
{
    _cleanup_text_buffer_ struct text_buffer query = { 0 }, text = { 0 }, key = { 0 };
    unsigned char mac[DIGEST_SHA1_SIZE];
    int r;

    parameters_sort(parameters);
    parameters_encode(parameters, &query);
    text_buffer_printf(&text, "%s&%%2F&", method);
    url_encode(&text, query.text ? query.text : "", false);
    text_buffer_printf(&key, "%s&", keys->secret);
    if (query.failed || text.failed || key.failed)
        return -ENOMEM;
    r = digest_hmac_sha1(key.text, key.length, text.text, text.length, mac);
    if (r == 0)
        digest_base64(mac, sizeof(mac), signature);
    explicit_bzero(key.text, key.length);
    return r;
}

int sign_tencent_v3(const struct signing_request *request, const struct signing_keys *keys, int64_t timestamp,
                    const char *service, const char *signed_headers, struct text_buffer *authorization)
{
    _cleanup_text_buffer_ struct text_buffer names = { 0 }, text = { 0 };
    char hash[DIGEST_HEX_SIZE], signature[DIGEST_HEX_SIZE], day[16];
    time_t seconds = (time_t)timestamp;
    struct tm utc;
    int r = choose_headers(&tencent, request, signed_headers, &names);

    if (r == 0)
        r = hash_request(&tencent, request, names.text, hash);
    if (r < 0)
        return r;
    if (!gmtime_r(&seconds, &utc) || strftime(day, sizeof(day), "%Y-%m-%d", &utc) == 0)
        return -EINVAL;
    text_buffer_printf(&text, "%s\n%" PRId64 "\n%s/%s/tc3_request\n%s", tencent.algorithm, timestamp, day, service, hash);
    if (text.failed)
        return -ENOMEM;
    r = sign_chain("TC3", keys->secret, (const char *const[]){ day, service, "tc3_request", text.text }, 4, signature);
    if (r == 0)
        text_buffer_printf(authorization, "%s Credential=%s/%s/%s/tc3_request, SignedHeaders=%s, Signature=%s",
                           tencent.algorithm, keys->access, day, service, names.text, signature);
    return finish(authorization, r);
}

int sign_huawei(const struct signing_request *request, const struct signing_keys *keys, const char *signed_headers,
                struct text_buffer *authorization)
{
    _cleanup_text_buffer_ struct text_buffer names = { 0 }, text = { 0 };
    const char *date = parameters_find(request->headers, "X-Sdk-Date");
    char hash[DIGEST_HEX_SIZE], signature[DIGEST_HEX_SIZE];
    int r = date ? choose_headers(&huawei, request, signed_headers, &names) : -EINVAL;

    if (r == 0)
        r = hash_request(&huawei, request, names.text, hash);
    if (r < 0)
        return r;
    text_buffer_printf(&text, "%s\n%s\n%s", huawei.algorithm, date, hash);
    if (text.failed)
        return -ENOMEM;
    r = sign_chain("", keys->secret, (const char *const[]){ text.text }, 1, signature);
    if (r == 0)
        text_buffer_printf(authorization, "%s Access=%s, SignedHeaders=%s, Signature=%s", huawei.algorithm,
                           keys->access, names.text, signature);
    return finish(authorization, r);
}
