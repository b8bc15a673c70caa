/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/text.h"
#include "power/endpoint.h"

static void test_endpoint_good(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        const char *formatted;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1", 623, "192.0.2.1:623" },
        { "192.0.2.1:9623", "192.0.2.1", 9623, "192.0.2.1:9623" },
        { "bmc1.example", "bmc1.example", 623, "bmc1.example:623" },
        { "bmc_1:1", "bmc_1", 1, "bmc_1:1" },
        { "2001:db8::1", "2001:db8::1", 623, "[2001:db8::1]:623" },
        { "[2001:db8::1]", "2001:db8::1", 623, "[2001:db8::1]:623" },
        { "[2001:db8::1]:65535", "2001:db8::1", 65535, "[2001:db8::1]:65535" },
        { "::1", "::1", 623, "[::1]:623" },
        { "[fe80::1%eth0]:623", "fe80::1%eth0", 623, "[fe80::1%eth0]:623" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_text_buffer_ struct text_buffer why = {};
        struct power_endpoint endpoint;
        char buffer[ENDPOINT_TEXT_SIZE];

        assert_int_equal(endpoint_parse(cases[i].text, strlen(cases[i].text), 623, &endpoint, &why), 0);
        assert_string_equal(endpoint.host, cases[i].host);
        assert_int_equal(endpoint.port, cases[i].port);
        assert_string_equal(endpoint_format(&endpoint, buffer, sizeof(buffer)), cases[i].formatted);
        assert_null(why.text);
    }
}

static void test_endpoint_bad(void **state)
{
    static const char *const cases[] = {
        "",        ":623",   "host:",     "host:0",        "host:65536",   "host:-1",   "host:6 2",  "host:0x10",
        "a b",     "a/b",    "$(id)",     "`id`",          "a;b",          "h\xc3\xb6", "[::1",      "[::1]623",
        "[::1]:",  "[]:623", "2001:db8:", "1:2:3:4:5:6:7", "::1:99999999", "%",         "[::1]:+1", "host:623:",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_text_buffer_ struct text_buffer why = {};
        struct power_endpoint endpoint = { .host = "untouched", .port = 1 };

        if (endpoint_parse(cases[i], strlen(cases[i]), 623, &endpoint, &why) != -EINVAL)
            fail_msg("'%s' is taken", cases[i]);
        assert_string_equal(endpoint.host, "untouched");
        assert_true(why.length > 0);
    }
}

static void test_endpoint_long(void **state)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct power_endpoint endpoint;
    char name[300];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(endpoint_parse(name, 255, 623, &endpoint, &why), 0);
    assert_int_equal(endpoint_parse(name, 256, 623, &endpoint, &why), -EINVAL);
    assert_int_equal(endpoint_parse("a\0b", 3, 623, &endpoint, &why), -EINVAL);
}

static void collect(void *context, const char *node, size_t node_length, const struct power_endpoint *endpoint)
{
    char buffer[ENDPOINT_TEXT_SIZE];

    text_buffer_printf(context, "%.*s -> %s;", (int)node_length, node, endpoint_format(endpoint, buffer, sizeof(buffer)));
}

static void test_map_good(void **state)
{
    const char *map = " n1=192.0.2.11,n2=bmc2:9623;\tnode-3.x=[2001:db8::3]:624\n n4=2001:db8::4 ";
    _cleanup_text_buffer_ struct text_buffer why = {}, seen = {};

    (void)state;
    assert_int_equal(host_map_walk(map, strlen(map), 623, collect, &seen, &why), 4);
    assert_string_equal(seen.text, "n1 -> 192.0.2.11:623;n2 -> bmc2:9623;node-3.x -> [2001:db8::3]:624;"
                                   "n4 -> [2001:db8::4]:623;");
}

/* A map that is wrong anywhere is wrong: nothing of it is used. */
static void test_map_bad(void **state)
{
    static const char *const cases[] = { "",
                                         " , ;",
                                         "n1",
                                         "n1=",
                                         "=192.0.2.1",
                                         "n1=192.0.2.1 n2",
                                         "n1=192.0.2.1 n1=192.0.2.2",
                                         "n1=192.0.2.1 N1=192.0.2.2",
                                         "n1=192.0.2.1:x",
                                         "n 1=192.0.2.1",
                                         "n1 = 192.0.2.1",
                                         "n$=192.0.2.1",
                                         "n1==192.0.2.1",
                                         "n1=192.0.2.1 n2=192.0.2.1",
                                         "n1=192.0.2.1 n2=192.0.2.1:623",
                                         "n1=BMC n2=192.0.2.2 n3=bmc" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_text_buffer_ struct text_buffer why = {}, seen = {};

        if (host_map_walk(cases[i], strlen(cases[i]), 623, collect, &seen, &why) != -EINVAL)
            fail_msg("'%s' is taken", cases[i]);
        assert_int_equal(seen.length, 0);
        assert_true(why.length > 0);
    }
}

static void test_map_find(void **state)
{
    const char *map = "n1=192.0.2.1 n10=192.0.2.10 n2=192.0.2.2";
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct power_endpoint endpoint = { .host = "untouched" };

    (void)state;
    assert_int_equal(host_map_find(map, "n", 623, &endpoint, &why), -ENOENT);
    assert_int_equal(host_map_find(map, "n100", 623, &endpoint, &why), -ENOENT);
    assert_int_equal(host_map_find(map, "", 623, &endpoint, &why), -ENOENT);
    assert_string_equal(endpoint.host, "untouched");
    assert_int_equal(host_map_find(map, "n1", 623, &endpoint, &why), 0);
    assert_string_equal(endpoint.host, "192.0.2.1");
    assert_int_equal(host_map_find(map, "N10", 623, &endpoint, &why), 0);
    assert_string_equal(endpoint.host, "192.0.2.10");
    assert_int_equal(host_map_find("n1=a n2", "n1", 623, &endpoint, &why), -EINVAL);
}

static void test_resolve(void **state)
{
    struct endpoint_address addresses[ENDPOINT_ADDRESSES_MAX];
    struct power_endpoint endpoint = { .host = "192.0.2.7", .port = 9623 };

    (void)state;
    assert_int_equal(endpoint_resolve(&endpoint, deadline_in(60000), addresses), 1);
    assert_string_equal(addresses[0].text, "192.0.2.7:9623");
    (void)text_copy(endpoint.host, sizeof(endpoint.host), "2001:DB8:0::1");
    assert_int_equal(endpoint_resolve(&endpoint, deadline_in(60000), addresses), 1);
    assert_string_equal(addresses[0].text, "[2001:db8::1]:9623");
    (void)text_copy(endpoint.host, sizeof(endpoint.host), "localhost");
    assert_true(endpoint_resolve(&endpoint, deadline_in(60000), addresses) >= 1);
    (void)text_copy(endpoint.host, sizeof(endpoint.host), "nowhere.invalid");
    assert_true(endpoint_resolve(&endpoint, deadline_in(2000), addresses) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_good), cmocka_unit_test(test_endpoint_bad), cmocka_unit_test(test_endpoint_long),
        cmocka_unit_test(test_map_good),      cmocka_unit_test(test_map_bad),      cmocka_unit_test(test_map_find),
        cmocka_unit_test(test_resolve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
