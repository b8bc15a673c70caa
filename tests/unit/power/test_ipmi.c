/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <freeipmi/freeipmi.h>

#include "base/text.h"
#include "power/ipmi.h"

/* Off only where the power bit is clear and no fault of the power control contradicts it; every byte is tried. */
static void test_chassis_power(void **state)
{
    (void)state;
    for (unsigned int byte = 0; byte < 256; byte++) {
        enum power_state wanted = byte & 1 ? POWER_ON : byte & 0x10 ? POWER_UNKNOWN : POWER_OFF;

        assert_int_equal(ipmi_chassis_power((uint8_t)byte), wanted);
    }
}

static void test_workarounds(void **state)
{
    _cleanup_text_buffer_ struct text_buffer why = {};
    unsigned int bits = 4711;

    (void)state;
    assert_int_equal(ipmi_workarounds_parse("authcap,opensesspriv", &bits, &why), 0);
    assert_int_equal(bits, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES |
                               IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE);
    assert_int_equal(ipmi_workarounds_parse("none", &bits, &why), 0);
    assert_int_equal(bits, 0);
    assert_int_equal(ipmi_workarounds_parse("intel20 supermicro20 sun20 integritycheckvalue", &bits, &why), 0);
    assert_int_equal(ipmi_workarounds_parse("authca", &bits, &why), -EINVAL);
    assert_int_equal(ipmi_workarounds_parse("authcap,x", &bits, &why), -EINVAL);
    assert_true(why.length > 0);
}

static void test_ciphers(void **state)
{
    static const int safe[] = { 2, 3, 7, 8, 11, 12, 16, 17 }, unsafe[] = { 0, 1, 6, 15 };
    int count = 0;

    (void)state;
    assert_int_equal(ipmi_cipher_at(0), POWER_CIPHER_BEST);
    for (int i = 1; ipmi_cipher_names[i]; i++) {
        assert_int_equal(IPMI_CIPHER_SUITE_ID_SUPPORTED(ipmi_cipher_at(i)), 1);
        count++;
    }
    assert_int_equal(count, (int)(ARRAY_SIZE(safe) + ARRAY_SIZE(unsafe)));
    for (size_t i = 0; i < ARRAY_SIZE(safe); i++)
        assert_true(ipmi_cipher_is_safe(safe[i]));
    for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
        assert_false(ipmi_cipher_is_safe(unsafe[i]));
    assert_true(ipmi_cipher_is_safe(POWER_CIPHER_BEST));
}

static void test_k_g(void **state)
{
    static const char *const bad[] = { "", "0x", "1", "abc", "0xabc", "zz", "0x12345678901234567890123456789012345678901212" };
    unsigned char key[POWER_K_G_LENGTH];

    (void)state;
    assert_int_equal(ipmi_k_g_parse("0xA1b2", key), 0);
    assert_int_equal(key[0], 0xa1);
    assert_int_equal(key[1], 0xb2);
    assert_int_equal(key[2], 0);
    assert_int_equal(ipmi_k_g_parse("0102030405060708090a0b0c0d0e0f1011121314", key), 0);
    assert_int_equal(key[19], 0x14);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ipmi_k_g_parse(bad[i], key), -EINVAL);
    assert_int_equal(key[19], 0x14); /* untouched on failure */
}

/* Nobody listens there: a failure in time, whatever is left of it. */
static void test_open_in_time(void **state)
{
    const struct power_endpoint endpoint = { .host = "127.0.0.1", .port = 9 };
    const struct power_login login = { .username = "u", .password = "p", .privilege = POWER_PRIVILEGE_ADMINISTRATOR,
                                       .cipher_suite = 3, .target = POWER_TARGET_SELF, .login_ms = 200, .answer_ms = 200,
                                       .resend_ms = 50 };

    (void)state;
    for (uint64_t ms = 0; ms <= 600; ms += 300) {
        _cleanup_text_buffer_ struct text_buffer why = {};
        struct power_session *session = NULL;
        uint64_t begin = deadline_now_ms();

        assert_true(power_protocol_ipmi.open(&endpoint, &login, deadline_in(ms), &why, &session) < 0);
        assert_true(deadline_now_ms() - begin < ms + 1000);
        assert_null(session);
        assert_true(why.length > 0);
        assert_non_null(strstr(why.text, "timed out"));
    }
}

/* What libfreeipmi refuses (a name that is too long) is an error, no crash, and leaves nothing behind. */
static void test_open_refused(void **state)
{
    const struct power_endpoint endpoint = { .host = "127.0.0.1", .port = 9 };
    const struct power_login login = { .username = "a name that is much too long", .password = "p", .cipher_suite = 3,
                                       .privilege = POWER_PRIVILEGE_OPERATOR, .target = POWER_TARGET_SELF, .login_ms = 100,
                                       .answer_ms = 100, .resend_ms = 50 };
    _cleanup_text_buffer_ struct text_buffer why = {};
    struct power_session *session = NULL;
    size_t before = unit_count_fds();

    (void)state;
    assert_int_equal(power_protocol_ipmi.open(&endpoint, &login, deadline_in(1000), &why, &session), -EINVAL);
    assert_null(session);
    assert_int_equal(unit_count_fds(), before);
    power_protocol_ipmi.close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chassis_power), cmocka_unit_test(test_workarounds),  cmocka_unit_test(test_ciphers),
        cmocka_unit_test(test_k_g),           cmocka_unit_test(test_open_in_time), cmocka_unit_test(test_open_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
