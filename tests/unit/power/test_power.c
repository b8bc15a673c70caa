/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/text.h"
#include "power/power.h"

static void test_protocols(void **state)
{
    (void)state;
    for (int i = 0; power_protocol_names[i]; i++) {
        const struct power_protocol *protocol = power_protocol_at(i);

        assert_non_null(protocol);
        assert_string_equal(protocol->name, power_protocol_names[i]);
        assert_ptr_equal(power_protocol_find(power_protocol_names[i]), protocol);
        assert_true(protocol->open && protocol->read && protocol->command && protocol->close);
        assert_true(protocol->default_port > 0);
    }
    assert_null(power_protocol_at(-1));
    assert_null(power_protocol_at(1000));
    assert_null(power_protocol_find("telnet"));
    assert_null(power_protocol_find(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
