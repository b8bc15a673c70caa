/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <freeipmi/freeipmi.h>

#include "power/ipmi_reason.h"

/* Every error of libfreeipmi has a cause, a remedy and a code, and time-outs say so in the words that Pacemaker's fencer looks for. */
static void test_every_error(void **state)
{
    (void)state;
    for (int error = -1; error <= IPMI_ERR_ERRNUMRANGE + 1; error++) {
        const struct ipmi_reason *reason = ipmi_reason_find(error);

        assert_non_null(reason);
        assert_true(reason->code < 0);
        assert_true(strlen(reason->cause) > 0 && strlen(reason->remedy) > 0);
        if (reason->code == -ETIMEDOUT)
            assert_non_null(strstr(reason->cause, "timed out"));
        if (reason->code == -EACCES)
            assert_false(reason->transient); /* trying on would lock the account */
    }
    assert_int_equal(ipmi_reason_find(IPMI_ERR_PASSWORD_INVALID)->code, -EACCES);
    assert_int_equal(ipmi_reason_find(IPMI_ERR_BMC_BUSY)->code, -EBUSY);
    assert_int_equal(ipmi_reason_find(IPMI_ERR_CONNECTION_TIMEOUT)->code, -ETIMEDOUT);
}

static void test_completion_codes(void **state)
{
    (void)state;
    for (unsigned int code = 0; code <= 256; code++)
        assert_true(strlen(ipmi_completion_text(code)) > 0);
    assert_string_equal(ipmi_completion_text(IPMI_COMP_CODE_NODE_BUSY), "node busy");
    assert_string_equal(ipmi_completion_text(IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL), "insufficient privilege");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error),
        cmocka_unit_test(test_completion_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
