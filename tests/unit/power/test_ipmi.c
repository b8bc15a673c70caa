/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

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
        assert_true(deadline_now_ms() - begin < ms + 15000); /* the library alone would take 20 s; its loading is slow under valgrind */
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
        cmocka_unit_test(test_chassis_power),
        cmocka_unit_test(test_open_in_time),
        cmocka_unit_test(test_open_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
