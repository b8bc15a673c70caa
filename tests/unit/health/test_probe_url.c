/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "health/probe_url.h"

static int parse(const char *text, struct probe_url *url)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    int r = probe_url_parse(text, strlen(text), url, &why);

    assert_true(r == 0 ? why.text == NULL : why.text != NULL);
    return r;
}

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        enum probe_scheme scheme;
        const char *user, *host;
        unsigned int port;
        const char *path;
    } cases[] = {
        { "tcp://127.0.0.1:80", PROBE_TCP, "", "127.0.0.1", 80, "" },
        { "tcp://[2001:db8::1]:65535", PROBE_TCP, "", "2001:db8::1", 65535, "" },
        { "tcp://:1", PROBE_TCP, "", "localhost", 1, "" },
        { "http://host", PROBE_HTTP, "", "host", 80, "" },
        { "http://host/a?b=c", PROBE_HTTP, "", "host", 80, "/a?b=c" },
        { "http://host/a%20b", PROBE_HTTP, "", "host", 80, "/a%20b" },
        { "http://host?b#status=200", PROBE_HTTP, "", "host", 80, "?b" },
        { "https://host:8443/", PROBE_HTTPS, "", "host", 8443, "/" },
        { "smtp://host", PROBE_SMTP, "", "host", 25, "" },
        { "imap://host", PROBE_IMAP, "", "host", 143, "" },
        { "pop3://host", PROBE_POP3, "", "host", 110, "" },
        { "redis://u@host", PROBE_REDIS, "u", "host", 6379, "" },
        { "mysql://u%40x@host/db", PROBE_MYSQL, "u@x", "host", 3306, "db" },
        { "pgsql://host/my%20db", PROBE_PGSQL, "", "host", 5432, "my db" },
        { "process:", PROBE_PROCESS, "", "", 0, "" },
        { "process:postgres", PROBE_PROCESS, "", "", 0, "postgres" },
        { "exec:/bin/x -y '%20'", PROBE_EXEC, "", "", 0, "/bin/x -y '%20'" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct probe_url url;

        assert_int_equal(parse(cases[i].text, &url), 0);
        assert_int_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.user, cases[i].user);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.path, cases[i].path);
    }
}

static void test_options(void **state)
{
    struct probe_url url;

    (void)state;
    assert_int_equal(parse("http://h/?text=no#status=200-299&text=a%26b%20c&timeout=1.5&insecure=yes", &url), 0);
    assert_string_equal(url.text, "a&b c");
    assert_int_equal(url.status_low, 200);
    assert_int_equal(url.status_high, 299);
    assert_int_equal(url.timeout_ms, 1500);
    assert_true(url.insecure);
    assert_int_equal(parse("pgsql:///db?query=SELECT%201&socket=/run/postgresql#text=1&password_file=/etc/p", &url), 0);
    assert_string_equal(url.query, "SELECT 1");
    assert_string_equal(url.socket, "/run/postgresql");
    assert_string_equal(url.text, "1");
    assert_string_equal(url.password_file, "/etc/p");
    assert_int_equal(parse("http://h/#status=404", &url), 0);
    assert_int_equal(url.status_low, 404);
    assert_int_equal(url.status_high, 404);
    assert_int_equal(parse("tcp://h:1#&&", &url), 0);
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "", ":", "x", "tcp", "tcp:", "tcp:/h", "tcp://h", "tcp://h:", "tcp://h:0", "tcp://h:65536", "tcp://h:1x",
        "tcp://[::1:5", "tcp://[::1]x:5", "TCP://h:1", "ftp://h", "exec:", "tcp://h:1#nonsense=1", "tcp://h:1#text",
        "tcp://u:secret@h:1", "http://h/#status=99", "http://h/#status=600", "http://h/#status=300-200",
        "http://h/#status=2x", "http://h/#timeout=0", "http://h/#timeout=-1", "http://h/#timeout=2d", "http://h/#text=%",
        "http://h/#text=%4", "http://h/#text=%00", "http://h/#text=%zz", "http://h/#insecure=maybe",
        "redis://h?socket=run/x", "pgsql://h/?password_file=x", "tcp://h:1\n", "tcp://h\x80:1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct probe_url url;

        if (parse(cases[i], &url) != -EINVAL)
            fail_msg("taken for good: %s", cases[i]);
    }
}

static void test_long(void **state)
{
    static char text[8192];
    struct probe_url url;

    (void)state;
    for (size_t length = 200; length < 4000; length += 60) {
        (void)snprintf(text, sizeof(text), "http://%0*d:1/", (int)length, 0);
        assert_int_equal(parse(text, &url), length < sizeof(url.host) ? 0 : -EINVAL);
        (void)snprintf(text, sizeof(text), "http://h/#text=%0*d", (int)length, 0);
        assert_int_equal(parse(text, &url), length < sizeof(url.text) ? 0 : -EINVAL);
    }
}

static void test_no_password_in_reason(void **state)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    static const char text[] = "tcp://user:hunter2@host:1";
    struct probe_url url;

    (void)state;
    assert_int_equal(probe_url_parse(text, strlen(text), &url, &why), -EINVAL);
    assert_null(strstr(why.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_options), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_no_password_in_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
