/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "cluster/fence_history.h"

#define HEAD "<pacemaker-result api-version=\"2.25\"><list name=\"fencing history\">"
#define TAIL "</list><status code=\"0\" message=\"OK\"/></pacemaker-result>"
#define EVENT(action, target, rest) "<fence_event action=\"" action "\" target=\"" target "\" client=\"c\" origin=\"n2\" delegate=\"n2\" " rest "/>"
#define DONE(time) "status=\"success\" completed=\"" time "\""

static int parse(const char *text, struct fencing *ret)
{
    return fence_history_parse(text, strlen(text), "n1", ret);
}

static void test_the_last_fencing_is_found(void **state)
{
    struct fencing fencing;

    (void)state;
    assert_int_equal(parse(HEAD EVENT("reboot", "n1", DONE("2026-11-22 18:59:13Z")) EVENT("off", "n1", DONE("2026-11-22 19:00:00Z"))
                               EVENT("reboot", "n1", DONE("2026-11-22 18:00:00Z")) EVENT("off", "n2", DONE("2026-11-22 20:00:00Z")) TAIL,
                           &fencing),
                     1);
    assert_int_equal(fencing.completed_s, 1795374000);
    assert_string_equal(fencing.action, "off");
    assert_string_equal(fencing.delegate, "n2");
    assert_false(fencing.pending);
}

static void test_times_in_every_spelling(void **state)
{
    static const char *const texts[] = {
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z")) TAIL,        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13.123456Z")) TAIL,
        HEAD EVENT("off", "n1", DONE("2026-11-23 00:29:13 +05:30")) TAIL,  HEAD EVENT("off", "n1", DONE("2026-11-22 10:59:13.999 -0800")) TAIL,
        "a warning\n" HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13 +00:00")) TAIL,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fencing fencing;

        assert_int_equal(parse(texts[i], &fencing), 1);
        assert_int_equal(fencing.completed_s, 1795373953);
    }
}

/* What must never be taken for a proof that the node was fenced. */
static void test_no_proof(void **state)
{
    static const char *const texts[] = {
        HEAD TAIL,
        HEAD EVENT("on", "n1", DONE("2026-11-22 18:59:13Z")) TAIL,
        HEAD EVENT("monitor", "n1", DONE("2026-11-22 18:59:13Z")) TAIL,
        HEAD EVENT("off", "n2", DONE("2026-11-22 18:59:13Z")) TAIL,
        HEAD EVENT("off", "n10", DONE("2026-11-22 18:59:13Z")) TAIL,
        HEAD EVENT("off", "n1", "status=\"failed\" completed=\"2026-11-22 18:59:13Z\"") TAIL,
        HEAD EVENT("off", "n1", "status=\"pending\"") TAIL,
        HEAD EVENT("off", "n1", "completed=\"2026-11-22 18:59:13Z\"") TAIL,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fencing fencing;

        assert_int_equal(parse(texts[i], &fencing), 0);
        assert_string_equal(fencing.action, "");
    }
}

static void test_what_cannot_be_read_is_an_error(void **state)
{
    static const char *const texts[] = {
        "",
        "Could not connect to fencer: Transport endpoint is not connected",
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z")),
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z")) "</list></pacemaker-result>",
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z")) "</list><status code=\"102\" message=\"Not connected\"/></pacemaker-result>",
        HEAD EVENT("off", "n1", DONE("yesterday")) TAIL,
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13")) TAIL,
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13 +99:00")) TAIL,
        HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z junk")) TAIL,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fencing fencing;

        assert_int_equal(parse(texts[i], &fencing), -EBADMSG);
        assert_string_equal(fencing.action, "");
    }
}

static void test_a_fencing_under_way_is_told(void **state)
{
    struct fencing fencing;

    (void)state;
    assert_int_equal(parse(HEAD EVENT("off", "n1", DONE("2026-11-22 18:59:13Z")) EVENT("off", "n1", "status=\"pending\" extended-status=\"query\"") TAIL, &fencing), 1);
    assert_true(fencing.pending);
}

/* Not one node's name: the history of all, or of none. */
static void test_a_name_is_asked_for(void **state)
{
    struct fencing fencing;

    (void)state;
    assert_int_equal(fence_history_last("*", deadline_in(1000), &fencing), -EINVAL);
    assert_int_equal(fence_history_last("", deadline_in(1000), &fencing), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_fencing_is_found),
        cmocka_unit_test(test_times_in_every_spelling),
        cmocka_unit_test(test_no_proof),
        cmocka_unit_test(test_what_cannot_be_read_is_an_error),
        cmocka_unit_test(test_a_fencing_under_way_is_told),
        cmocka_unit_test(test_a_name_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
