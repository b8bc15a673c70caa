/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "cluster/quorum.h"

/* What Corosync says is tested in the lab; here: that every answer that is not a yes or no has words. */
static void test_errors_have_words(void **state)
{
    static const int errors[] = { -ENOTCONN, -ENOTSUP, -ELIBACC, -ETIMEDOUT, -EIO };

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        assert_true(strlen(quorum_error_text(errors[i])) > 5);
}

static void test_a_passed_deadline_is_no_quorum(void **state)
{
    (void)state;
    assert_true(quorum_look(deadline_in(0)) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_have_words),
        cmocka_unit_test(test_a_passed_deadline_is_no_quorum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
