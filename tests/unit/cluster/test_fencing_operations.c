/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which fencing operations begin and end, each told once. */
#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "cluster/fencing_operations.h"

#define SECOND UINT64_C(1000000000)

static bool begins(struct fencing_operations *operations, const char *target, const char *client, uint64_t now_ns)
{
    const struct fencing_operation operation = fencing_operation_of(target, "n2", client);

    return fencing_operations_begin(operations, &operation, true, now_ns);
}

static bool ends(struct fencing_operations *operations, const char *target, const char *client, uint64_t now_ns, uint64_t *ret_duration_ns)
{
    const struct fencing_operation operation = fencing_operation_of(target, "n2", client);

    return fencing_operations_end(operations, &operation, now_ns, ret_duration_ns);
}

static void test_each_begins_and_ends_once(void **state)
{
    struct fencing_operations operations = { 0 };
    uint64_t duration = 1;

    (void)state;
    assert_true(begins(&operations, "n1", "controld.1", 10 * SECOND));
    assert_false(begins(&operations, "n1", "controld.1", 11 * SECOND));
    assert_true(begins(&operations, "n3", "controld.1", 12 * SECOND));
    assert_true(ends(&operations, "n1", "controld.1", 13 * SECOND, &duration));
    assert_int_equal(duration, 3 * SECOND);
    assert_true(ends(&operations, "n3", "controld.1", 14 * SECOND, &duration));
    assert_int_equal(duration, 2 * SECOND);
    assert_int_equal(operations.count, 0);
    /* It has failed, and is tried again at once. */
    assert_true(begins(&operations, "n1", "controld.1", 14 * SECOND));
    assert_true(ends(&operations, "n1", "controld.1", 15 * SECOND, &duration));
    assert_int_equal(duration, SECOND);
}

/* Two have asked for the same: the fencer does it once, and tells both. */
static void test_what_was_taken_as_one_ends_once(void **state)
{
    struct fencing_operations operations = { 0 };
    uint64_t duration;

    (void)state;
    assert_true(begins(&operations, "n1", "controld.1", 10 * SECOND));
    assert_true(ends(&operations, "n1", "controld.1", 12 * SECOND, &duration));
    assert_false(ends(&operations, "n1", "stonith_admin.7", 12 * SECOND + 1000, &duration));
    assert_true(ends(&operations, "n3", "stonith_admin.7", 12 * SECOND + 2000, &duration)); /* another node's: too quick for its beginning to be seen */
    assert_int_equal(duration, 0);
    assert_true(ends(&operations, "n1", "stonith_admin.8", 60 * SECOND, &duration));
}

static void test_a_beginning_that_was_not_seen(void **state)
{
    const struct fencing_operation operation = fencing_operation_of("n1", "n2", "controld.1");
    struct fencing_operations operations = { 0 };
    uint64_t duration = 1;

    (void)state;
    assert_true(fencing_operations_begin(&operations, &operation, false, 10 * SECOND));
    assert_false(fencing_operations_begin(&operations, &operation, true, 11 * SECOND));
    assert_true(fencing_operations_end(&operations, &operation, 12 * SECOND, &duration));
    assert_int_equal(duration, 0);
}

static void test_bounded(void **state)
{
    struct fencing_operations operations = { 0 };
    char target[300];
    uint64_t duration;

    (void)state;
    for (int i = 0; i < FENCING_OPERATIONS_MAX + 3; i++) {
        (void)text_format(target, sizeof(target), "n%d", i);
        assert_true(begins(&operations, target, "c", (uint64_t)(i + 1) * SECOND));
    }
    assert_int_equal(operations.count, FENCING_OPERATIONS_MAX);
    assert_true(ends(&operations, "n0", "c", 100 * SECOND, &duration)); /* forgotten */
    assert_int_equal(duration, 0);
    assert_true(ends(&operations, "n3", "c", 100 * SECOND, &duration));
    assert_int_equal(duration, 96 * SECOND);
    /* Names of any length, and none. */
    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    assert_int_equal(strlen(fencing_operation_of(target, NULL, target).target), FENCING_NAME_SIZE - 1);
    assert_string_equal(fencing_operation_of(target, NULL, target).origin, "");
}

static bool noted(const char *text)
{
    return fencing_is_noted_by_agents(text, strlen(text));
}

static void test_whose_devices_they_are(void **state)
{
    static const char ours[] = "<primitive id=\"a\" class=\"stonith\" type=\"fence_vigil_bmc\"/>";

    (void)state;
    assert_true(noted(ours));
    assert_true(noted("<xpath-query><primitive id=\"a\" class=\"stonith\" type=\"fence_vigil_bmc\"/>\n<template type=\"fence_vigil_cloud\" class=\"stonith\" id=\"b\"/></xpath-query>"));
    assert_false(noted("<xpath-query><primitive id=\"a\" class=\"stonith\" type=\"fence_vigil_bmc\"/><primitive id=\"b\" class=\"stonith\" type=\"fence_ipmilan\"/></xpath-query>"));
    assert_false(noted("<primitive id=\"b\" class=\"stonith\" type=\"fence_ipmilan\"/>"));
    assert_false(noted("<primitive id=\"b\" class=\"ocf\" provider=\"vigil\" type=\"fence_vigil_bmc\"/>"));
    assert_false(noted(""));
    assert_false(fencing_is_noted_by_agents(NULL, 0));
    for (size_t length = 0; length < sizeof(ours) - 1; length++) /* torn: never more than what is there */
        assert_true(!fencing_is_noted_by_agents(ours, length) || length >= strlen("<primitive id=\"a\" class=\"stonith\" type=\"fence_vigil_"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_begins_and_ends_once),
        cmocka_unit_test(test_what_was_taken_as_one_ends_once),
        cmocka_unit_test(test_a_beginning_that_was_not_seen),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_whose_devices_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
