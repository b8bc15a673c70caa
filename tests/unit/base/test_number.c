/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "base/number.h"

#define UNTOUCHED 4711

static void test_signed(void **state)
{
    static const struct {
        const char *text;
        int64_t minimum, maximum;
        int result;
        int64_t value;
    } cases[] = {
        { "0", 0, 10, 0, 0 },
        { "10", 0, 10, 0, 10 },
        { "+7", 0, 10, 0, 7 },
        { "-7", -10, 10, 0, -7 },
        { "007", 0, 10, 0, 7 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX },
        { "11", 0, 10, -ERANGE, 0 },
        { "-1", 0, 10, -ERANGE, 0 },
        { "9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0 },
        { "99999999999999999999999", INT64_MIN, INT64_MAX, -ERANGE, 0 },
        { "", 0, 10, -EINVAL, 0 },
        { "-", -10, 10, -EINVAL, 0 },
        { "+", -10, 10, -EINVAL, 0 },
        { "--1", -10, 10, -EINVAL, 0 },
        { " 1", 0, 10, -EINVAL, 0 },
        { "1 ", 0, 10, -EINVAL, 0 },
        { "1x", 0, 10, -EINVAL, 0 },
        { "x", 0, 10, -EINVAL, 0 },
        { "0x1", 0, 10, -EINVAL, 0 },
        { "1.0", 0, 10, -EINVAL, 0 },
        { "1e1", 0, 10, -EINVAL, 0 },
        { "1\n", 0, 10, -EINVAL, 0 },
        { "99999999999999999999999x", 0, 10, -EINVAL, 0 },
        { "\xd9\xa1", 0, 10, -EINVAL, 0 }, /* an Arabic digit */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t value = UNTOUCHED;
        int r = number_parse(cases[i].text, cases[i].minimum, cases[i].maximum, &value);

        if (r != cases[i].result || value != (r == 0 ? cases[i].value : UNTOUCHED))
            fail_msg("'%s' gives %d and %lld", cases[i].text, r, (long long)value);
    }
}

static void check_unsigned(const char *text, uint64_t maximum, int result, uint64_t wanted)
{
    uint64_t value = UNTOUCHED;
    int r = number_parse_unsigned(text, maximum, &value);

    if (r != result || value != (r == 0 ? wanted : UNTOUCHED))
        fail_msg("'%s' gives %d and %llu", text, r, (unsigned long long)value);
}

static void test_unsigned(void **state)
{
    (void)state;
    check_unsigned("0", 1, 0, 0);
    check_unsigned("18446744073709551615", UINT64_MAX, 0, UINT64_MAX);
    check_unsigned("0xff", 255, 0, 255);
    check_unsigned("0XFf", 255, 0, 255);
    check_unsigned("256", 255, -ERANGE, 0);
    check_unsigned("0x100", 255, -ERANGE, 0);
    check_unsigned("18446744073709551616", UINT64_MAX, -ERANGE, 0);
    check_unsigned("0x10000000000000000", UINT64_MAX, -ERANGE, 0);
    check_unsigned("-1", UINT64_MAX, -EINVAL, 0);
    check_unsigned("+1", UINT64_MAX, -EINVAL, 0);
    check_unsigned("0x", UINT64_MAX, -EINVAL, 0);
    check_unsigned("ff", UINT64_MAX, -EINVAL, 0);
    check_unsigned("", UINT64_MAX, -EINVAL, 0);
    check_unsigned("1 ", UINT64_MAX, -EINVAL, 0);
}

static void check_hex(const char *text, int result, uint64_t wanted)
{
    uint64_t value = UNTOUCHED;
    int r = number_parse_hex(text, &value);

    if (r != result || value != (r == 0 ? wanted : UNTOUCHED))
        fail_msg("'%s' gives %d and %llu", text, r, (unsigned long long)value);
}

/* Reservation keys are compared as numbers: leading zeros mean nothing. */
static void test_hex(void **state)
{
    (void)state;
    check_hex("abc", 0, 0xabc);
    check_hex("0x0abc", 0, 0xabc);
    check_hex("0000000000000000000000abc", 0, 0xabc);
    check_hex("ffffffffffffffff", 0, UINT64_MAX);
    check_hex("10000000000000000", -ERANGE, 0);
    check_hex("", -EINVAL, 0);
    check_hex("0x", -EINVAL, 0);
    check_hex("g", -EINVAL, 0);
    check_hex("0x0x1", -EINVAL, 0);
    check_hex("-1", -EINVAL, 0);
}

static void check_duration(const char *text, uint64_t unit_ms, int result, uint64_t wanted)
{
    uint64_t value = UNTOUCHED;
    int r = number_parse_duration(text, unit_ms, &value);

    if (r != result || value != (r == 0 ? wanted : UNTOUCHED))
        fail_msg("'%s' gives %d and %llu", text, r, (unsigned long long)value);
}

static void test_duration(void **state)
{
    (void)state;
    check_duration("20", 1000, 0, 20000);
    check_duration("20", 1, 0, 20);
    check_duration("0", 1000, 0, 0);
    check_duration("20s", 1, 0, 20000);
    check_duration("20 s", 1, 0, 20000);
    check_duration("20sec", 1, 0, 20000);
    check_duration("5m", 1, 0, 300000);
    check_duration("5min", 1, 0, 300000);
    check_duration("2h", 1, 0, 7200000);
    check_duration("2hr", 1, 0, 7200000);
    check_duration("1d", 1, 0, 86400000);
    check_duration("350ms", 1000, 0, 350);
    check_duration("350msec", 1000, 0, 350);
    check_duration("1500us", 1000, 0, 2);
    check_duration("1499usec", 1000, 0, 1);
    check_duration("1S", 1000, 0, 1000);
    check_duration("0.5s", 1000, 0, 500);
    check_duration("1.25", 1000, 0, 1250);
    check_duration("0.25m", 1000, 0, 15000);
    check_duration("1.9999999999s", 1000, 0, 2000);
    check_duration("1.000001d", 1000, 0, 86400086);
}

static void test_duration_refuses(void **state)
{
    static const char *const bad[] = { "", " ", "s", "-1", "+1", "1x", "1s s", "1.", ".5", "1.s", "1..2", "1,5", "0x10", "1s2m", "P1D", "inf", "1e3" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        check_duration(bad[i], 1000, -EINVAL, 0);
    check_duration("99999999999999999999", 1000, -ERANGE, 0);
    check_duration("18446744073709551615d", 1000, -ERANGE, 0);
    check_duration("18446744073709551615", 1, -ERANGE, 0);
}

static void check_size(const char *text, int result, uint64_t wanted)
{
    uint64_t value = UNTOUCHED;
    int r = number_parse_size(text, &value);

    if (r != result || value != (r == 0 ? wanted : UNTOUCHED))
        fail_msg("'%s' gives %d and %llu", text, r, (unsigned long long)value);
}

static void test_size(void **state)
{
    (void)state;
    check_size("0", 0, 0);
    check_size("512", 0, 512);
    check_size("512B", 0, 512);
    check_size("4k", 0, 4096);
    check_size("4KiB", 0, 4096);
    check_size("4 MB", 0, 4194304);
    check_size("2G", 0, 2147483648);
    check_size("1TiB", 0, 1099511627776);
    check_size("16777216T", -ERANGE, 0);
    check_size("99999999999999999999", -ERANGE, 0);
    check_size("99999999999999999999x", -EINVAL, 0);
    check_size("", -EINVAL, 0);
    check_size("G", -EINVAL, 0);
    check_size("-1", -EINVAL, 0);
    check_size("1.5G", -EINVAL, 0);
    check_size("1X", -EINVAL, 0);
    check_size("1KBs", -EINVAL, 0);
}

static void test_boolean(void **state)
{
    static const char *const yes[] = { "true", "TRUE", "on", "yes", "Y", "1" };
    static const char *const no[] = { "false", "False", "off", "no", "N", "0" };
    static const char *const bad[] = { "", "2", "10", "tru", "truee", " true", "enabled", "-1" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        bool value = false;

        assert_int_equal(number_parse_boolean(yes[i], &value), 0);
        assert_true(value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        bool value = true;

        assert_int_equal(number_parse_boolean(no[i], &value), 0);
        assert_false(value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        bool value = true;

        assert_int_equal(number_parse_boolean(bad[i], &value), -EINVAL);
        assert_true(value);
    }
}

static void test_format_duration(void **state)
{
    char buffer[32];

    (void)state;
    assert_string_equal(number_format_duration(0, buffer, sizeof(buffer)), "0 ms");
    assert_string_equal(number_format_duration(350, buffer, sizeof(buffer)), "350 ms");
    assert_string_equal(number_format_duration(20000, buffer, sizeof(buffer)), "20 s");
    assert_string_equal(number_format_duration(1500, buffer, sizeof(buffer)), "1.5 s");
    assert_string_equal(number_format_duration(1000, buffer, 3), "1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed),          cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_hex),             cmocka_unit_test(test_duration),
        cmocka_unit_test(test_duration_refuses), cmocka_unit_test(test_size),
        cmocka_unit_test(test_boolean),         cmocka_unit_test(test_format_duration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
