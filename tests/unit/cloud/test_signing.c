/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <inttypes.h>

#include "base/file.h"
#include "base/number.h"
#include "cloud/digest.h"
#include "cloud/document.h"
#include "cloud/signing.h"

/* The vendors' own examples (fixtures/signing-vectors.json): each is a whole request with its Authorization header. */
static struct document vectors;

static int load_vectors(void **state)
{
    char *text = NULL;
    size_t length;

    (void)state;
    if (file_read(FIXTURES "/signing-vectors.json", 1 << 20, &text, &length) < 0)
        return -1;
    if (document_parse_json(text, length, &vectors) < 0)
        return -1;
    free(text);
    return 0;
}

static int free_vectors(void **state)
{
    (void)state;
    document_free(&vectors);
    return 0;
}

/* The part of the Authorization header behind `name`, up to ',' or the end. Fresh memory, or NULL. */
static char *authorization_part(const char *authorization, const char *name)
{
    const char *begin = authorization ? strstr(authorization, name) : NULL;

    return begin ? strndup(begin + strlen(name), strcspn(begin + strlen(name), ",")) : NULL;
}

static void read_headers(const struct document_node *vector, struct parameters *headers)
{
    for (const struct document_node *item = document_first(vector, "request/headers"); item; item = item->next)
        parameters_add(headers, item->child->text, "%s", item->child->next->text);
}

struct vector {
    struct signing_request request;
    struct signing_keys keys;
    struct parameters headers;
    char *target, *signed_headers, *credential;
    const char *authorization, *expected;
};

static void read_vector(const struct document_node *node, struct vector *vector)
{
    char *question;

    read_headers(node, &vector->headers);
    vector->target = strdup(document_text(node, "request/target"));
    question = strchr(vector->target, '?');
    if (question)
        *question = '\0';
    vector->request = (struct signing_request){ .method = document_text(node, "request/method"),
                                                .path = vector->target,
                                                .query = question ? question + 1 : "",
                                                .body = document_text(node, "request/body"),
                                                .body_length = strlen(document_text(node, "request/body")),
                                                .headers = &vector->headers };
    vector->keys = (struct signing_keys){ document_text(node, "credentials/ak"), document_text(node, "credentials/sk") };
    vector->authorization = parameters_find(&vector->headers, "Authorization");
    vector->signed_headers = authorization_part(vector->authorization, "SignedHeaders=");
    vector->credential = authorization_part(vector->authorization, "Credential=");
    vector->expected = document_text(node, "expected");
}

static void free_vector(struct vector *vector)
{
    free(vector->target);
    free(vector->signed_headers);
    free(vector->credential);
    parameters_free(&vector->headers);
}

static int sign(struct vector *vector, struct text_buffer *ret)
{
    const char *name = vector->authorization;
    int64_t moment;

    if (strncmp(name, "TC3", 3) == 0) {
        assert_int_equal(number_parse(parameters_find(&vector->headers, "X-TC-Timestamp"), 0, INT64_MAX, &moment), 0);
        return sign_tencent_v3(&vector->request, &vector->keys, moment, "cvm", vector->signed_headers, ret);
    }
    if (strncmp(name, "ACS3", 4) == 0)
        return sign_aliyun_v3(&vector->request, &vector->keys, vector->signed_headers, ret);
    assert_int_equal(strncmp(name, "SDK-HMAC", 8), 0);
    return sign_huawei(&vector->request, &vector->keys, vector->signed_headers, ret);
}

static unsigned int check_headers_vectors(void)
{
    unsigned int count = 0;

    for (const struct document_node *node = document_first(vectors.root, "vectors"); node; node = node->next) {
        _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
        struct vector vector = { 0 };

        read_vector(node, &vector);
        if (vector.authorization) {
            assert_int_equal(sign(&vector, &authorization), 0);
            assert_string_equal(authorization.text, vector.authorization);
            assert_non_null(strstr(authorization.text, vector.expected));
            count++;
        }
        free_vector(&vector);
    }
    return count;
}

/* Eight requests of three vendors, each reproduced to the last byte of its Authorization header. */
static void test_official_vectors(void **state)
{
    (void)state;
    assert_int_equal(check_headers_vectors(), 8);
}

static void test_aliyun_v1_vector(void **state)
{
    unsigned int count = 0;

    (void)state;
    for (const struct document_node *node = document_first(vectors.root, "vectors"); node; node = node->next) {
        struct vector vector = { 0 };
        struct parameters parameters = { 0 };
        char signature[64];

        read_vector(node, &vector);
        if (!vector.authorization) {
            assert_int_equal(parameters_decode(vector.request.query, &parameters), 0);
            for (size_t i = 0; i < parameters.count; i++)
                if (strcmp(parameters.items[i].name, "Signature") == 0) {
                    assert_string_equal(parameters.items[i].value, vector.expected);
                    free(parameters.items[i].name);
                    free(parameters.items[i].value);
                    parameters.items[i] = parameters.items[--parameters.count];
                }
            assert_int_equal(sign_aliyun_v1("GET", &parameters, &vector.keys, signature), 0);
            assert_string_equal(signature, vector.expected);
            count++;
        }
        parameters_free(&parameters);
        free_vector(&vector);
    }
    assert_int_equal(count, 1);
}

/* "get-vanilla", "get-vanilla-query-order-key-case", "post-x-www-form-urlencoded" and "get-utf8" of AWS's Signature Version 4 test suite (aws-sig-v4-test-suite). */
static void check_aws(const char *method, const char *path, const char *query, const char *content_type, const char *body,
                      const char *expected)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    _cleanup_parameters_ struct parameters headers = { 0 };
    const struct signing_request request = { .method = method, .path = path, .query = query, .body = body,
                                             .body_length = strlen(body), .headers = &headers };
    const struct signing_keys keys = { "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

    parameters_add(&headers, "Host", "example.amazonaws.com");
    parameters_add(&headers, "X-Amz-Date", "20150830T123600Z");
    if (content_type)
        parameters_add(&headers, "Content-Type", "%s", content_type);
    assert_int_equal(sign_aws_v4(&request, &keys, "20150830T123600Z", "us-east-1", "service", NULL, &authorization), 0);
    assert_non_null(strstr(authorization.text, "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "));
    assert_string_equal(strstr(authorization.text, "Signature=") + 10, expected);
}

static void test_aws_suite(void **state)
{
    (void)state;
    check_aws("GET", "/", "", NULL, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    check_aws("GET", "/", "Param2=value2&Param1=value1", NULL, "",
              "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    check_aws("POST", "/", "", "application/x-www-form-urlencoded", "Param1=value1",
              "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
    check_aws("POST", "/", "", NULL, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

/* RFC 4231 test case 2, RFC 2202 test case 2, FIPS 180 "abc", RFC 4648. */
static void test_digests(void **state)
{
    unsigned char mac[DIGEST_SHA256_SIZE];
    char hex[DIGEST_HEX_SIZE], text[64];

    (void)state;
    assert_int_equal(digest_sha256_hex("abc", 3, hex), 0);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
    digest_hex(mac, sizeof(mac), hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(digest_hmac_sha1("Jefe", 4, "what do ya want for nothing?", 28, mac), 0);
    digest_hex(mac, DIGEST_SHA1_SIZE, hex);
    assert_string_equal(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    digest_base64((const unsigned char *)"f", 1, text);
    assert_string_equal(text, "Zg==");
    digest_base64((const unsigned char *)"fooba", 5, text);
    assert_string_equal(text, "Zm9vYmE=");
    digest_base64((const unsigned char *)"foobar", 6, text);
    assert_string_equal(text, "Zm9vYmFy");
}

/* The canonical query of Huawei's guide: encoded, sorted, repeated names kept. */
static void test_query_encoding(void **state)
{
    _cleanup_parameters_ struct parameters parameters = { 0 };
    _cleanup_text_buffer_ struct text_buffer query = { 0 };

    (void)state;
    parameters_add(&parameters, "test", "%s", "\xe4\xb8\x80 (&=?!#%.*)");
    parameters_add(&parameters, "path", "%s", "/tmp/123");
    parameters_add(&parameters, "multi", "2");
    parameters_add(&parameters, "multi", "1");
    parameters_add(&parameters, "multi", "3");
    parameters_add(&parameters, "limit", "1");
    parameters_add(&parameters, "enable", "true");
    parameters_sort(&parameters);
    parameters_encode(&parameters, &query);
    assert_string_equal(query.text, "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29");
}

static void test_broken_queries(void **state)
{
    static const char *const broken[] = { "a=%", "a=%1", "a=%zz", "%00=b", "a=%00" };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        _cleanup_parameters_ struct parameters parameters = { 0 };

        assert_int_equal(parameters_decode(broken[i], &parameters), -EINVAL);
    }
}

static void test_missing_header(void **state)
{
    _cleanup_text_buffer_ struct text_buffer authorization = { 0 };
    _cleanup_parameters_ struct parameters headers = { 0 };
    const struct signing_request request = { .method = "GET", .path = "/", .query = "", .body = "", .headers = &headers };
    const struct signing_keys keys = { "a", "b" };

    (void)state;
    parameters_add(&headers, "Host", "h");
    assert_int_equal(sign_tencent_v3(&request, &keys, 1, "cvm", "host;x-none", &authorization), -EINVAL);
    assert_int_equal(sign_huawei(&request, &keys, NULL, &authorization), -EINVAL);
    assert_int_equal(authorization.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_official_vectors), cmocka_unit_test(test_aliyun_v1_vector),
        cmocka_unit_test(test_aws_suite),        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_query_encoding),   cmocka_unit_test(test_broken_queries),
        cmocka_unit_test(test_missing_header),
    };

    return cmocka_run_group_tests(tests, load_vectors, free_vectors);
}
