/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "cloud/cloud_provider.h"
#include "cloud/http_client.h"
#include "cloud/token_bucket.h"

/* ---- documents -------------------------------------------------------------------------------------------------- */

static int parse_xml(const char *text, struct document *ret)
{
    return document_parse_xml(text, strlen(text), ret);
}

static int parse_json(const char *text, struct document *ret)
{
    return document_parse_json(text, strlen(text), ret);
}

static void test_xml(void **state)
{
    _cleanup_document_ struct document document = { 0 };
    char buffer[8];

    (void)state;
    assert_int_equal(parse_xml("<R xmlns='x'><set><item><a>1</a></item><item><a>&lt;2&#x3e;</a></item></set><e/><b> true </b><l>longer than it may</l></R>",
                               &document), 0);
    assert_string_equal(document.root->name, "R");
    assert_string_equal(document_text(document.root, "set/item/a"), "1");
    assert_string_equal(document_text(document_first(document.root, "set")->next, "a"), "<2>");
    assert_string_equal(document_text(document.root, "e"), "");
    assert_non_null(document_find(document.root, "e"));
    assert_null(document_find(document.root, "none/at/all"));
    assert_string_equal(document_text(document.root, "set"), "");
    assert_int_equal(document_copy(document.root, "l", buffer, sizeof(buffer)), -EBADMSG);
    assert_int_equal(document_number(document.root, "set/item/a", 7), 1);
    assert_int_equal(document_number(document.root, "none", 7), 7);
}

static void test_json(void **state)
{
    _cleanup_document_ struct document document = { 0 };

    (void)state;
    assert_int_equal(parse_json("{\"a\":{\"b\":[{\"c\":1},{\"c\":-2.5}]},\"n\":null,\"t\":true,\"s\":\"\\u00e9\",\"e\":[]}", &document), 0);
    assert_string_equal(document_text(document_first(document.root, "a/b"), "c"), "1");
    assert_string_equal(document_text(document_first(document.root, "a/b")->next, "c"), "-2.5");
    assert_true(document_true(document.root, "t"));
    assert_null(document_find(document.root, "n")->text);
    assert_true(document_find(document.root, "e")->list);
    assert_null(document_first(document.root, "e"));
    assert_string_equal(document_text(document.root, "s"), "\xc3\xa9");
}

/* A hostile text of a pattern, so many times, between a head and a tail. */
static char *repeat(const char *head, const char *pattern, size_t count, const char *tail, size_t *ret_length)
{
    struct text_buffer text = { 0 };

    text_buffer_printf(&text, "%s", head);
    for (size_t i = 0; i < count; i++)
        text_buffer_append(&text, pattern, strlen(pattern));
    text_buffer_printf(&text, "%s", tail);
    assert_false(text.failed);
    *ret_length = text.length;
    return text.text;
}

static void refuse(int (*parse)(const char *, size_t, struct document *), char *text, size_t length)
{
    struct document document = { 0 };

    assert_int_equal(parse(text, length, &document), -EBADMSG);
    assert_null(document.root);
    assert_null(document.chunks);
    free(text);
}

/* A text with its length, NUL bytes in it counted. */
#define REFUSE(parse, literal) refuse((parse), memcpy(malloc(sizeof(literal)), (literal), sizeof(literal)), sizeof(literal) - 1)

static void test_hostile_documents(void **state)
{
    size_t length;
    char *text;

    (void)state;
    text = repeat("", "[", 100000, "", &length);
    refuse(document_parse_json, text, length);
    text = repeat("", "{\"a\":", 33, "1", &length);
    refuse(document_parse_json, text, length);
    text = repeat("[", "[],", 70000, "[]]", &length);
    refuse(document_parse_json, text, length);
    text = repeat("[\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 66000, "\"]", &length);
    refuse(document_parse_json, text, length);
    text = repeat("", "<a>", 40, "", &length);
    refuse(document_parse_xml, text, length);
    text = repeat("<a>", "<b/>", 70000, "</a>", &length);
    refuse(document_parse_xml, text, length);
    REFUSE(document_parse_xml, "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>");
    REFUSE(document_parse_xml, "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>");
    REFUSE(document_parse_xml, "<a>&xxe;</a>");
    REFUSE(document_parse_xml, "<a><b></a>");
    REFUSE(document_parse_xml, "");
    REFUSE(document_parse_xml, "<a>\0</a>");
    REFUSE(document_parse_json, "{\"a\":\"x\0y\"}");
    REFUSE(document_parse_json, "{\"a\":\"x\\u0000y\"}");
    REFUSE(document_parse_json, "{\"a\":1,\"a\":2}");
    REFUSE(document_parse_json, "{\"a\":1} x");
    REFUSE(document_parse_json, "{\"a\":");
    REFUSE(document_parse_json, "\"a\"");
    REFUSE(document_parse_json, "<html></html>");
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(document_parse_time("2012-10-16T20:00:21.000Z", 0), 1350417621);
    assert_int_equal(document_parse_time("2012-10-16T20:00:21Z", 0), 1350417621);
    assert_int_equal(document_parse_time("2012-10-16T20:00Z", 0), 1350417600);
    assert_int_equal(document_parse_time("2012-10-16T20:00:21.123456", 0), 1350417621);
    assert_int_equal(document_parse_time("2012-10-17 04:00:21", 8 * 3600), 1350417621);
    assert_int_equal(document_parse_time("YYYY-MM-DDTHH:MM:SS.000Z", 0), 0);
    assert_int_equal(document_parse_time("2012-10-16", 0), 0);
    assert_int_equal(document_parse_time("2012-13-16T20:00:21Z", 0), 0);
    assert_int_equal(document_parse_time("2012-10-16T20:00:21Zx", 0), 0);
    assert_int_equal(document_parse_time("", 0), 0);
}

/* ---- headers of answers, endpoints ------------------------------------------------------------------------------ */

static void take(struct http_reply *reply, const char *line)
{
    http_take_header(reply, line, strlen(line));
}

static void test_headers(void **state)
{
    struct http_reply reply = { 0 };

    (void)state;
    take(&reply, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    take(&reply, "X-Acs-Request-Id:  ABC-1 \r\n");
    assert_int_equal(reply.date, 784111777);
    assert_string_equal(reply.request_id, "ABC-1");
    take(&reply, "Date: now\r\n");
    assert_int_equal(reply.date, 0);
    take(&reply, "x-request-id: a\001b\r\n");
    assert_string_equal(reply.request_id, "a b");
    take(&reply, "Dat");
    take(&reply, "");
    assert_int_equal(http_parse_date("Sun, 06 Xxx 1994 08:49:37 GMT", 29), 0);
    assert_int_equal(http_parse_date("Sun, 06 anF 1994 08:49:37 GMT", 29), 0);
    assert_int_equal(http_parse_date("Sun, 06 Nov 1994 08:49:3", 24), 0);
}

static void check_endpoint(const char *url, const char *host, const char *base, const char *path)
{
    struct api_message message = { 0 };

    assert_int_equal(api_parse_endpoint(url, &message), 0);
    assert_string_equal(message.host, host);
    assert_string_equal(message.base, base);
    assert_string_equal(message.path.text ? message.path.text : "", path);
    text_buffer_free(&message.path);
}

static void test_endpoints(void **state)
{
    static const char *const bad[] = { "", "ec2.example.org", "ftp://x", "https://", "https:///p", "https://u:p@h", "https://h?x=1", "https://h#x",
                                       "http://h h", "file:///etc/passwd" };
    char url[64];

    (void)state;
    check_endpoint("https://ec2.example.org", "ec2.example.org", "https://ec2.example.org", "");
    check_endpoint("https://ec2.example.org:443/", "ec2.example.org", "https://ec2.example.org:443", "");
    check_endpoint("http://127.0.0.1:8080/a/b/", "127.0.0.1:8080", "http://127.0.0.1:8080", "/a/b");
    check_endpoint("http://[::1]:80", "[::1]", "http://[::1]:80", "");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct api_message message = { 0 };

        assert_int_equal(api_parse_endpoint(bad[i], &message), -EINVAL);
        text_buffer_free(&message.path);
    }
    assert_int_equal(api_find_endpoint("all=http://a ec2=http://b,elb=http://c", "ec2", url, sizeof(url)), 1);
    assert_string_equal(url, "http://b");
    assert_int_equal(api_find_endpoint("elb=http://c all=http://a", "ec2", url, sizeof(url)), 1);
    assert_string_equal(url, "http://a");
    assert_int_equal(api_find_endpoint("elb=http://c", "ec2", url, sizeof(url)), 0);
    assert_int_equal(api_find_endpoint(NULL, "ec2", url, sizeof(url)), 0);
    assert_int_equal(api_find_endpoint("=http://c", "ec2", url, sizeof(url)), -EINVAL);
    assert_int_equal(api_find_endpoint("ec2=", "ec2", url, sizeof(url)), -EINVAL);
    assert_int_equal(api_find_endpoint("ec2", "ec2", url, sizeof(url)), -EINVAL);
    assert_int_equal(api_find_endpoint("ec2=http://a", "ec2", url, 4), -EINVAL);
}

static void check_host(const struct cloud_provider *provider, const char *region, const char *service, const char *wanted)
{
    struct cloud cloud = { .provider = provider };
    char host[200];

    (void)text_copy(cloud.region, sizeof(cloud.region), region);
    for (const struct cloud_service *row = provider->services; row->name; row++)
        if (strcmp(row->name, service) == 0) {
            assert_true(provider->host(&cloud, row, host, sizeof(host)) > 0);
            assert_string_equal(host, wanted);
            return;
        }
    fail_msg("%s has no service %s", provider->name, service);
}

static void test_vendor_hosts(void **state)
{
    (void)state;
    check_host(&cloud_aws, "eu-west-1", "ec2", "ec2.eu-west-1.amazonaws.com");
    check_host(&cloud_aws, "cn-north-1", "elb", "elasticloadbalancing.cn-north-1.amazonaws.com.cn");
    check_host(&cloud_aliyun, "cn-hangzhou", "ecs", "ecs.cn-hangzhou.aliyuncs.com");
    check_host(&cloud_aliyun, "cn-hangzhou", "nlb", "nlb.cn-hangzhou.aliyuncs.com");
    check_host(&cloud_tencent, "ap-guangzhou", "cbs", "cbs.tencentcloudapi.com");
    check_host(&cloud_huawei, "cn-north-4", "evs", "evs.cn-north-4.myhuaweicloud.com");
}

/* A message as it leaves, with no endpoint set: to the vendor, signed, and with a Host that fits. */
static void test_message_to_the_vendor(void **state)
{
    static const struct cloud_provider *const providers[] = { &cloud_aws, &cloud_aliyun, &cloud_tencent, &cloud_huawei };
    static const char *const services[] = { "ec2", "ecs", "cvm", "ecs" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        _cleanup_parameters_ struct parameters parameters = { 0 };
        struct cloud *cloud = calloc(1, sizeof(*cloud));
        const struct api_call call = { .service = services[i], .action = "X", .method = "POST", .body = i >= 2 ? "{}" : NULL, .parameters = &parameters };
        struct api_message message = { 0 };

        assert_non_null(cloud);
        cloud->provider = providers[i];
        (void)text_copy(cloud->region, sizeof(cloud->region), "r-1");
        assert_int_equal(credentials_set(&cloud->keys, "access", "secret", "token", 0), 0);
        assert_int_equal(api_message_build(cloud, &call, &message), 0);
        assert_non_null(strstr(message.base, parameters_find(&message.headers, "Host")));
        assert_int_equal(strncmp(message.base, "https://", 8), 0);
        assert_string_equal(message.path.text, "/");
        assert_non_null(parameters_find(&message.headers, "Authorization"));
        assert_null(strstr(parameters_find(&message.headers, "Authorization"), "secret"));
        api_message_free(&message);
        free(cloud);
    }
}

static void test_config(void **state)
{
    struct cloud_failure failure;

    (void)state;
    assert_int_equal(cloud_config_check(&(struct cloud_config){ 0 }, &failure), 0);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .cloud = "auto", .region = "eu-west-1", .endpoints = "all=https://h:1" }, &failure), 0);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .cloud = "azure" }, &failure), -EINVAL);
    assert_non_null(strstr(failure.text, "azure"));
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .region = "EU\n" }, &failure), -EINVAL);
    assert_null(strchr(failure.text, '\n'));
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .region = "a.evil.org/" }, &failure), -EINVAL);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .endpoints = "ec2=gopher://x" }, &failure), -EINVAL);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .metadata = "169.254.169.254" }, &failure), -EINVAL);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .proxy = "nonsense" }, &failure), -EINVAL);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .role = "../../x" }, &failure), -EINVAL);
    assert_int_equal(cloud_config_check(&(struct cloud_config){ .signature = "v9" }, &failure), -EINVAL);
    assert_false(cloud_id_valid(""));
    assert_false(cloud_id_valid(NULL));
    assert_false(cloud_id_valid("a b"));
    assert_false(cloud_id_valid("a\"b"));
    assert_false(cloud_id_valid("a/../b"));
    assert_false(cloud_id_valid("a..b"));
    assert_true(cloud_id_valid("i-0123"));
}

/* ---- credentials ------------------------------------------------------------------------------------------------ */

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = unit_make_folder();
    return folder ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

static struct credentials keys;

static int parse_keys(const struct cloud_provider *provider, const char *text, const char *profile)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r;

    credentials_wipe(&keys);
    r = credentials_parse(provider->formats, text, strlen(text), profile, &keys, &why);
    assert_int_equal(r == 0, why.length == 0);
    if (why.text)
        assert_null(strstr(why.text, "SECRET"));
    return r;
}

static void test_credentials_formats(void **state)
{
    static const char aws[] = "# mine\r\n[other]\naws_access_key_id=X\naws_secret_access_key=Y\n\n[default]\r\n aws_access_key_id = AKIA1 \r\naws_secret_access_key = SECRET/+=\n"
                              "aws_session_token=T=\n[profile third]\naws_access_key_id=3\naws_secret_access_key=SECRET3";

    (void)state;
    assert_int_equal(parse_keys(&cloud_aws, aws, NULL), 0);
    assert_string_equal(keys.access, "AKIA1");
    assert_string_equal(keys.secret, "SECRET/+=");
    assert_string_equal(keys.token, "T=");
    assert_int_equal(parse_keys(&cloud_aws, aws, "other"), 0);
    assert_string_equal(keys.secret, "Y");
    assert_string_equal(keys.token, "");
    assert_int_equal(parse_keys(&cloud_aws, aws, "third"), 0);
    assert_int_equal(parse_keys(&cloud_aws, aws, "fourth"), -ENODATA);
    assert_int_equal(parse_keys(&cloud_aliyun, "{\"current\":\"b\",\"profiles\":[{\"name\":\"a\",\"access_key_id\":\"1\",\"access_key_secret\":\"SECRET\"},"
                                               "{\"name\":\"b\",\"access_key_id\":\"2\",\"access_key_secret\":\"SECRET2\",\"sts_token\":\"t\"}]}", NULL), 0);
    assert_string_equal(keys.access, "2");
    assert_string_equal(keys.token, "t");
    assert_int_equal(parse_keys(&cloud_aliyun, "[default]\ntype = access_key\naccess_key_id = 1\naccess_key_secret = SECRET\n", NULL), 0);
    assert_int_equal(parse_keys(&cloud_tencent, " {\"secretId\":\"1\",\"secretKey\":\"SECRET\"}", NULL), 0);
    assert_int_equal(parse_keys(&cloud_tencent, "[default]\nsecret_id = 1\nsecret_key = SECRET\n", NULL), 0);
    assert_int_equal(parse_keys(&cloud_huawei, "[basic]\nak = 1\nsk = SECRET\nsecurity_token = t\n", NULL), 0);
    assert_string_equal(keys.token, "t");
}

static void test_credentials_bad(void **state)
{
    size_t length;
    char *text;

    (void)state;
    assert_int_equal(parse_keys(&cloud_aws, "", NULL), -ENODATA);
    assert_int_equal(parse_keys(&cloud_aws, "[default]\naws_access_key_id=\naws_secret_access_key=SECRET\n", NULL), -ENODATA);
    assert_int_equal(parse_keys(&cloud_aws, "[default]\naws_access_key_id=a b\naws_secret_access_key=SECRET\n", NULL), -EINVAL);
    assert_int_equal(parse_keys(&cloud_aws, "[default]\naws_access_key_id=a\001b\naws_secret_access_key=SECRET\n", NULL), -EINVAL);
    assert_int_equal(parse_keys(&cloud_aws, "{\"a\":1}", NULL), -EINVAL);
    assert_int_equal(parse_keys(&cloud_aliyun, "{\"profiles\":[]}", NULL), -ENODATA);
    assert_int_equal(parse_keys(&cloud_aliyun, "{\"profiles\":", NULL), -EINVAL);
    assert_int_equal(parse_keys(&cloud_tencent, "{\"secretId\":\"1\"}", NULL), -ENODATA);
    assert_int_equal(parse_keys(&cloud_huawei, "[", NULL), -ENODATA);
    assert_int_equal(parse_keys(&cloud_huawei, "[]\n]\n[[\n=\n==\n", NULL), -ENODATA);
    text = repeat("[basic]\nak=1\nsk=", "SECRET", 100, "\n", &length);
    assert_int_equal(parse_keys(&cloud_huawei, text, NULL), -EINVAL);
    free(text);
}

static void check_file(mode_t mode, const char *text, int expected)
{
    _cleanup_free_ char *path = text_printf("%s/file", folder);
    _cleanup_text_buffer_ struct text_buffer why = { 0 };

    assert_int_equal(file_write(path, mode, text, strlen(text)), 0);
    assert_int_equal(chmod(path, mode), 0);
    assert_int_equal(credentials_read_file(path, cloud_huawei.formats, NULL, &keys, &why), expected);
    assert_int_equal(expected == 0, why.length == 0);
}

static void test_credentials_file(void **state)
{
    static const char good[] = "[basic]\nak=1\nsk=SECRET\n";
    _cleanup_text_buffer_ struct text_buffer why = { 0 };

    (void)state;
    check_file(0600, good, 0);
    check_file(0400, good, 0);
    check_file(0644, good, -EPERM);
    check_file(0660, good, -EPERM);
    check_file(0604, good, -EPERM);
    check_file(0600, "", -ENODATA);
    assert_int_equal(credentials_read_file("/nonexistent/file", cloud_huawei.formats, NULL, &keys, &why), -ENOENT);
    assert_int_equal(credentials_read_file("/dev/zero", cloud_huawei.formats, NULL, &keys, &why), -EPERM);
}

static void test_credentials_kept(void **state)
{
    _cleanup_free_ char *path = text_printf("%s/kept", folder);
    struct credentials back = { 0 };
    struct stat status;

    (void)state;
    credentials_wipe(&keys);
    assert_int_equal(credentials_set(&keys, "A", "SECRET", "token", 2000000000), 0);
    assert_int_equal(credentials_save(path, &keys), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(credentials_load(path, &back), 0);
    assert_string_equal(back.secret, "SECRET");
    assert_true(back.expires == 2000000000);
    assert_true(credentials_usable(&back, 1999999000, 240));
    assert_false(credentials_usable(&back, 1999999900, 240));
    assert_false(credentials_usable(&(struct credentials){ 0 }, 0, 0));
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(credentials_load(path, &back), -ENODATA);
    assert_int_equal(file_write(path, 0600, "A\nB\n", 4), 0);
    assert_int_equal(credentials_load(path, &back), -ENODATA);
    assert_int_equal(file_write(path, 0600, "A\nB\n\nnever\n", 11), 0);
    assert_int_equal(credentials_load(path, &back), -ENODATA);
}

/* ---- token bucket ----------------------------------------------------------------------------------------------- */

static void test_bucket_arithmetic(void **state)
{
    const struct token_bucket bucket = { .path = "", .rate = 60, .burst = 8 };
    uint64_t full = 0;
    unsigned int free_calls = 0;

    (void)state;
    while (token_bucket_wait(&bucket, false, 1000000, &full) == 0)
        free_calls++;
    assert_int_equal(free_calls, 6); /* three quarters of the burst */
    full -= 1154;                    /* the one that had to wait did not go */
    free_calls = 0;
    while (token_bucket_wait(&bucket, true, 1000000, &full) == 0)
        free_calls++;
    assert_int_equal(free_calls, 2); /* the rest is for urgent ones */
    full = 1000000;
    for (unsigned int i = 0; i < 600; i++)
        (void)token_bucket_wait(&bucket, false, 1000000, &full);
    assert_int_equal(full - 1000000, 600 * 1154); /* 60 s / 52: this and a burst together are the rate */
    assert_int_equal(token_bucket_parse("garbage", 5000), 5000);
    assert_int_equal(token_bucket_parse("", 5000), 5000);
    assert_int_equal(token_bucket_parse("18446744073709551615", 5000), 5000);
    assert_int_equal(token_bucket_parse("99999999", 5000), 5000);
    assert_int_equal(token_bucket_parse("4000", 5000), 5000);
    assert_int_equal(token_bucket_parse("6000", 5000), 6000);
}

/* As many as can go, as soon as they can: no window of a minute has more than the rate. */
static void test_bucket_minute(void **state)
{
    static const struct { unsigned int rate, burst; } cases[] = { { 120, 30 }, { 60, 8 }, { 2, 1 }, { 1, 1 }, { 6000, 1500 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct token_bucket bucket = { .path = "", .rate = cases[i].rate, .burst = cases[i].burst };
        uint64_t now = 1000000, full = 0, end = now + 59999;
        unsigned int sent = 0;

        for (;;) {
            now += token_bucket_wait(&bucket, true, now, &full);
            if (now > end)
                break;
            sent++;
        }
        assert_in_range(sent, 1, cases[i].rate);
    }
}

/* Those that wait have taken nothing: a fencing does not stand behind them. */
static void test_bucket_waiters(void **state)
{
    _cleanup_free_ char *path = text_printf("%s/bucket", folder);
    const struct token_bucket bucket = { .path = path, .rate = 60, .burst = 8 };
    uint64_t waited = 0;
    pid_t waiters[12];

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(token_bucket_take(&bucket, false, deadline_in(100), NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
        waiters[i] = fork();
        assert_true(waiters[i] >= 0);
        if (waiters[i] == 0) {
            (void)token_bucket_take(&bucket, false, deadline_in(30000), NULL);
            _exit(0);
        }
    }
    (void)deadline_sleep(deadline_in(60000), 600); /* by now each of them waits */
    assert_int_equal(token_bucket_take(&bucket, true, deadline_in(20000), &waited), 0);
    for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
        assert_int_equal(kill(waiters[i], SIGKILL), 0);
        assert_int_equal(waitpid(waiters[i], NULL, 0), waiters[i]);
    }
    assert_true(waited < 2000);
}

static void test_bucket_file(void **state)
{
    _cleanup_free_ char *path = text_printf("%s/bucket", folder);
    /* One token in 7.5 s, so that none comes while this is tested. */
    const struct token_bucket bucket = { .path = path, .rate = 16, .burst = 8 };
    uint64_t waited = 1;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(token_bucket_take(&bucket, false, deadline_in(100), &waited), 0);
    assert_int_equal(waited, 0);
    assert_int_equal(token_bucket_take(&bucket, false, deadline_in(100), &waited), -EAGAIN);
    assert_int_equal(token_bucket_take(&bucket, true, deadline_in(100), &waited), 0);
    token_bucket_pause(&bucket, 60000);
    assert_int_equal(token_bucket_take(&bucket, false, deadline_in(4000), &waited), -EBUSY);
    assert_int_equal(token_bucket_take(&bucket, true, deadline_in(100), &waited), 0); /* a fencing call goes on */
    token_bucket_pause(&bucket, 1);
    assert_int_equal(token_bucket_take(&bucket, false, deadline_in(4000), &waited), -EBUSY); /* a shorter pause shortens nothing */
    assert_int_equal(file_write(path, 0600, "\377\376garbage\n\n\n\n", 13), 0);
    assert_int_equal(token_bucket_take(&bucket, false, deadline_in(100), &waited), 0);
    assert_int_equal(token_bucket_take(&(struct token_bucket){ .path = "/nonexistent/x", .rate = 1, .burst = 1 }, false, deadline_in(100), NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_hostile_documents),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_vendor_hosts),
        cmocka_unit_test(test_message_to_the_vendor),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_credentials_formats),
        cmocka_unit_test(test_credentials_bad),
        cmocka_unit_test_setup_teardown(test_credentials_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_credentials_kept, make_folder, remove_folder),
        cmocka_unit_test(test_bucket_arithmetic),
        cmocka_unit_test(test_bucket_minute),
        cmocka_unit_test_setup_teardown(test_bucket_waiters, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_bucket_file, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
