/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "net/ip_address.h"

static struct ip_address address(const char *text)
{
    struct ip_address ip;

    assert_int_equal(ip_address_parse(text, &ip), 0);
    return ip;
}

static void assert_text(const struct ip_address *ip, const char *text)
{
    char buffer[IP_TEXT_SIZE];

    assert_string_equal(ip_address_format(ip, buffer), text);
}

static void test_parse_and_format(void **state)
{
    static const char *const bad[] = { "", "x", "192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0.2.01", " 192.0.2.1", "192.0.2.1 ",
                                       "192.0.2.1/24", ":::", "2001:db8", "2001:db8::1%eth0", "2001:db8::1::2", "g::" };
    struct ip_address ip = address("2001:DB8:0:0:0:0:0:1");

    (void)state;
    assert_text(&ip, "2001:db8::1");
    ip = address("192.0.2.10");
    assert_text(&ip, "192.0.2.10");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ip_address_parse(bad[i], &ip), -EINVAL);
    assert_int_equal(ip_address_parse(NULL, &ip), -EINVAL);
    assert_text(&ip, "192.0.2.10");
}

static void test_prefix(void **state)
{
    (void)state;
    assert_int_equal(ip_prefix_parse("24", AF_INET), 24);
    assert_int_equal(ip_prefix_parse("32", AF_INET), 32);
    assert_int_equal(ip_prefix_parse("33", AF_INET), -EINVAL);
    assert_int_equal(ip_prefix_parse("128", AF_INET6), 128);
    assert_int_equal(ip_prefix_parse("129", AF_INET6), -EINVAL);
    assert_int_equal(ip_prefix_parse("-1", AF_INET), -EINVAL);
    assert_int_equal(ip_prefix_parse("", AF_INET), -EINVAL);
    assert_int_equal(ip_prefix_parse(NULL, AF_INET), -EINVAL);
    assert_int_equal(ip_prefix_parse("255.255.255.0", AF_INET), 24);
    assert_int_equal(ip_prefix_parse("255.255.255.255", AF_INET), 32);
    assert_int_equal(ip_prefix_parse("0.0.0.0", AF_INET), 0);
    assert_int_equal(ip_prefix_parse("255.0.255.0", AF_INET), -EINVAL);
    assert_int_equal(ip_prefix_parse("255.255.255.0", AF_INET6), -EINVAL);
}

static void test_networks(void **state)
{
    struct ip_address ip = address("192.0.2.77"), network = address("192.0.2.64"), other = address("192.0.2.128"), result;
    struct ip_address ip6 = address("2001:db8::77");

    (void)state;
    assert_true(ip_address_in_prefix(&ip, &network, 26));
    assert_false(ip_address_in_prefix(&ip, &other, 25));
    assert_true(ip_address_in_prefix(&ip, &other, 24));
    assert_true(ip_address_in_prefix(&ip, &other, 0));
    assert_false(ip_address_in_prefix(&ip, &ip6, 0));
    result = ip_address_with_host_bits(&ip, 26, true);
    assert_text(&result, "192.0.2.127");
    result = ip_address_with_host_bits(&ip, 26, false);
    assert_text(&result, "192.0.2.64");
    result = ip_address_with_host_bits(&ip, 32, true);
    assert_text(&result, "192.0.2.77");
    result = ip_address_with_host_bits(&ip6, 127, false);
    assert_text(&result, "2001:db8::76");
}

static void test_add(void **state)
{
    struct ip_address ip = address("192.0.2.255"), last = address("255.255.255.255"), ip6 = address("2001:db8::ffff");

    (void)state;
    assert_int_equal(ip_address_add(&ip, 2), 0);
    assert_text(&ip, "192.0.3.1");
    assert_int_equal(ip_address_add(&last, 1), -ERANGE);
    assert_text(&last, "255.255.255.255");
    assert_int_equal(ip_address_add(&ip6, 1), 0);
    assert_text(&ip6, "2001:db8::1:0");
}

static void test_kinds(void **state)
{
    static const char *const no_host[] = { "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:192.0.2.1" };
    struct ip_address ip = address("127.3.2.1"), ip6 = address("::1"), link_local = address("febf::1"), site = address("fec0::1");

    (void)state;
    assert_true(ip_address_is_loopback(&ip));
    assert_true(ip_address_is_loopback(&ip6));
    assert_false(ip_address_is_loopback(&link_local));
    assert_true(ip_address_is_link_local(&link_local));
    assert_false(ip_address_is_link_local(&site));
    assert_true(ip_address_is_assignable(&ip));
    assert_true(ip_address_is_assignable(&site));
    for (size_t i = 0; i < sizeof(no_host) / sizeof(no_host[0]); i++) {
        ip = address(no_host[i]);
        assert_false(ip_address_is_assignable(&ip));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_format),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
