/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "health/reply.h"

/* Every beginning of a good reply is incomplete, never good, bad or foreign. */
static void check_grows(enum reply_verdict (*judge)(const char *, size_t), const char *text, enum reply_verdict last)
{
    for (size_t length = 0; length < strlen(text); length++)
        assert_int_equal(judge(text, length), REPLY_INCOMPLETE);
    assert_int_equal(judge(text, strlen(text)), last);
}

static void test_lines(void **state)
{
    (void)state;
    check_grows(reply_smtp, "220 ready\r\n", REPLY_GOOD);
    check_grows(reply_smtp, "220-a\r\n220-b\r\n220 c\r\n", REPLY_GOOD);
    check_grows(reply_smtp, "421 busy\r\n", REPLY_BAD);
    check_grows(reply_imap_greeting, "* OK ready\r\n", REPLY_GOOD);
    check_grows(reply_imap_greeting, "* PREAUTH x\r\n", REPLY_GOOD);
    check_grows(reply_imap_greeting, "* BYE x\r\n", REPLY_BAD);
    check_grows(reply_imap_tagged, "* 1 EXISTS\r\nv1 OK x\r\n", REPLY_GOOD);
    check_grows(reply_imap_tagged, "v1 NO x\r\n", REPLY_BAD);
    check_grows(reply_pop3, "+OK x\r\n", REPLY_GOOD);
    check_grows(reply_pop3, "-ERR x\r\n", REPLY_BAD);
    check_grows(reply_redis, "+PONG\r\n", REPLY_GOOD);
    check_grows(reply_redis, "-LOADING x\r\n", REPLY_BAD);
}

static void test_foreign(void **state)
{
    (void)state;
    assert_int_equal(reply_smtp("* OK\r\n", 6), REPLY_FOREIGN);
    assert_int_equal(reply_smtp("\n", 1), REPLY_FOREIGN);
    assert_int_equal(reply_smtp("22\n", 3), REPLY_FOREIGN);
    assert_int_equal(reply_imap_greeting("220 x\r\n", 7), REPLY_FOREIGN);
    assert_int_equal(reply_imap_greeting("* LIST\r\n", 8), REPLY_FOREIGN);
    assert_int_equal(reply_imap_tagged("HTTP\r\n", 6), REPLY_FOREIGN);
    assert_int_equal(reply_pop3("220 x\r\n", 7), REPLY_FOREIGN);
    assert_int_equal(reply_redis(":1\r\n", 4), REPLY_FOREIGN);
    assert_int_equal(reply_redis("+WHAT\r\n", 7), REPLY_FOREIGN);
}

static enum reply_verdict judge_http(const char *bytes, size_t length)
{
    struct http_head head;

    return reply_http_head(bytes, length, &head);
}

static void test_http_head(void **state)
{
    static const char text[] = "HTTP/1.1 404 Not Found\r\ncontent-LENGTH: 12 \r\nTransfer-Encoding:chunked\r\nX: y\r\n\r\nbody";
    struct http_head head;

    (void)state;
    assert_int_equal(reply_http_head(text, strlen(text), &head), REPLY_GOOD);
    assert_int_equal(head.status, 404);
    assert_true(head.has_length && head.chunked);
    assert_int_equal(head.content_length, 12);
    assert_string_equal(text + head.head_length, "body");
    check_grows(judge_http, "HTTP/1.0 200 OK\r\n\r\n", REPLY_GOOD);
    check_grows(judge_http, "HTTP/1.0 200\n\n", REPLY_GOOD);
    assert_int_equal(judge_http("SSH-2.0\r\n", 9), REPLY_FOREIGN);
    assert_int_equal(judge_http("HTTP/1.1 099 x\r\n", 16), REPLY_FOREIGN);
    assert_int_equal(judge_http("HTTP/1.1 2000 x\r\n", 17), REPLY_FOREIGN);
    assert_int_equal(judge_http("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 39), REPLY_FOREIGN);
    assert_int_equal(judge_http("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 29), REPLY_FOREIGN);
}

static void check_dechunk(const char *text, enum reply_verdict verdict, const char *wanted)
{
    _cleanup_free_ char *copy = strdup(text);
    size_t length = 99;

    assert_int_equal(reply_http_dechunk(copy, strlen(text), &length), verdict);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(copy, wanted, length);
}

static void test_dechunk(void **state)
{
    (void)state;
    check_dechunk("4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n\r\n", REPLY_GOOD, "abcdef");
    check_dechunk("4\r\nab", REPLY_INCOMPLETE, "ab");
    check_dechunk("", REPLY_INCOMPLETE, "");
    check_dechunk("ffffffffffffffff\r\nab", REPLY_INCOMPLETE, "ab");
    check_dechunk("10000000000000000\r\nab", REPLY_FOREIGN, "");
    check_dechunk("xyz\r\n", REPLY_FOREIGN, "");
    check_dechunk("1\r\nabc\r\n", REPLY_FOREIGN, "a");
}

static void test_first_line(void **state)
{
    char buffer[8];

    (void)state;
    assert_string_equal(reply_first_line("abc\r\ndef", 8, buffer, sizeof(buffer)), "abc");
    assert_string_equal(reply_first_line("a\x1b[\x80z\n", 6, buffer, sizeof(buffer)), "a?[?z");
    assert_string_equal(reply_first_line("0123456789", 10, buffer, sizeof(buffer)), "0123456");
    assert_string_equal(reply_first_line("", 0, buffer, sizeof(buffer)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_foreign),    cmocka_unit_test(test_http_head),
        cmocka_unit_test(test_dechunk), cmocka_unit_test(test_first_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
