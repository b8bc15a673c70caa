/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <freeipmi/freeipmi.h>

#include "base/text.h"
#include "power/ipmi.h"

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

static void test_target(void **state)
{
    static const char *const bad[] = { "", "x", "256", "-1", "0x100", "0x" };
    _cleanup_text_buffer_ struct text_buffer why = {};
    int target = 4711;

    (void)state;
    assert_int_equal(ipmi_target_parse("0x24", &target), 0);
    assert_int_equal(target, 0x24);
    assert_int_equal(ipmi_target_parse("36", &target), 0);
    assert_int_equal(target, 36);
    assert_int_equal(ipmi_target_parse(NULL, &target), -ENODATA);
    assert_int_equal(target, POWER_TARGET_SELF);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ipmi_target_check(bad[i], &why), -EINVAL);
}

static void test_lengths(void **state)
{
    _cleanup_text_buffer_ struct text_buffer why = {};

    (void)state;
    assert_int_equal(ipmi_username_check("1234567890123456", &why), 0);
    assert_int_equal(ipmi_username_check("12345678901234567", &why), -EINVAL);
    assert_int_equal(ipmi_password_check("12345678901234567890", &why), 0);
    assert_int_equal(ipmi_password_check("123456789012345678901", &why), -EINVAL);
    assert_null(strstr(why.text, "12345")); /* no value of a secret in the reason */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workarounds), cmocka_unit_test(test_ciphers), cmocka_unit_test(test_k_g),
        cmocka_unit_test(test_target),      cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
