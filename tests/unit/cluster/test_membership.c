/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "cluster/membership.h"

/* What Corosync says is tested in the lab; here: the lookups, and that an error leaves nothing that could be taken for an answer. */
static void test_nodes_are_found_by_name_and_id(void **state)
{
    static const struct cluster_view view = { .own_id = 1, .count = 3, .nodes = { { 1, "n1", true }, { 2, "n2", false }, { 30, "", false } } };

    (void)state;
    assert_int_equal(cluster_view_node_named(&view, "n2")->id, 2);
    assert_string_equal(cluster_view_node_of_id(&view, 1)->name, "n1");
    assert_null(cluster_view_node_named(&view, "N2"));
    assert_null(cluster_view_node_named(&view, ""));
    assert_null(cluster_view_node_named(&view, NULL));
    assert_null(cluster_view_node_of_id(&view, 3));
    assert_null(cluster_view_node_of_id(&view, 0));
}

static void test_a_passed_deadline_leaves_nothing(void **state)
{
    struct cluster_view view = { .own_id = 7 };

    (void)state;
    assert_true(cluster_view_read(&view, deadline_in(0)) < 0);
    assert_int_equal(view.own_id, 0);
    assert_int_equal(view.count, 0);
}

static void test_errors_have_words(void **state)
{
    static const int errors[] = { -ENOTCONN, -ELIBACC, -ETIMEDOUT, -E2BIG, -EBADMSG, -EIO };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        assert_true(strlen(cluster_error_text(errors[i])) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_are_found_by_name_and_id),
        cmocka_unit_test(test_a_passed_deadline_leaves_nothing),
        cmocka_unit_test(test_errors_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
