/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a resource stands by Pacemaker's own records, and which ones are to be left alone. */
#include "unit.h"

#include "cluster/resource_state.h"

#define RESOURCE(operations) "<lrm_resource id=\"app\" type=\"app\" class=\"ocf\" provider=\"vigil\">" operations "</lrm_resource>"
#define OP(id, operation, call, code, status, interval)                                                                        \
    "<lrm_rsc_op id=\"" id "\" operation=\"" operation "\" call-id=\"" call "\" rc-code=\"" code "\" op-status=\"" status \
    "\" interval=\"" interval "\" exit-reason=\"a &lt;b&gt;\"/>"
#define START OP("app_last_0", "start", "10", "0", "0", "0")
#define MONITOR OP("app_monitor_10000", "monitor", "11", "0", "0", "10000")

static enum resource_standing standing(const char *text)
{
    struct resource_history history = { RESOURCE_UNKNOWN };

    assert_int_equal(resource_history_parse(text, strlen(text), &history), 0);
    return history.standing;
}

static void test_standings(void **state)
{
    (void)state;
    assert_int_equal(standing(RESOURCE("")), RESOURCE_UNKNOWN);
    assert_int_equal(standing(RESOURCE(START)), RESOURCE_RUNNING);
    assert_int_equal(standing(RESOURCE(START MONITOR)), RESOURCE_RUNNING);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "start", "-1", "193", "-1", "0"))), RESOURCE_STARTING);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "stop", "-1", "193", "-1", "0") MONITOR)), RESOURCE_STOPPING);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "stop", "12", "0", "0", "0") MONITOR)), RESOURCE_STOPPED);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "monitor", "5", "7", "0", "0"))), RESOURCE_STOPPED);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "monitor", "5", "0", "0", "0"))), RESOURCE_RUNNING);
}

static int count_in(const char *text, int64_t *ret)
{
    char name[64];

    assert_int_equal(failure_count_name("app", name, sizeof(name)), 0);
    assert_string_equal(name, "fail-count-app#asyncmon_0");
    return failure_count_parse(text, strlen(text), name, ret);
}

#define COUNT(name, value) "<nvpair id=\"status-1-x\" name=\"" name "\" value=\"" value "\"/>"

static void test_failure_counts(void **state)
{
    char small[8];
    int64_t count = 0;

    (void)state;
    assert_int_equal(count_in("<change-result>" COUNT("fail-count-other#asyncmon_0", "9") COUNT("fail-count-app#asyncmon_0", "2") "</change-result>", &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(count_in(COUNT("fail-count-app#monitor_10000", "3"), &count), -ENOENT);
    assert_int_equal(count_in("<nvpair name=\"fail-count-app#asyncmon_0\"", &count), -ENOENT);
    assert_int_equal(count_in("", &count), -ENOENT);
    assert_int_equal(count_in(COUNT("fail-count-app#asyncmon_0", "INFINITY"), &count), -ERANGE);
    assert_int_equal(count, 2);
    assert_int_equal(failure_count_name("app", small, sizeof(small)), -ENAMETOOLONG);
}

static int64_t total_in(const char *text)
{
    return failure_total_parse(text, strlen(text), "app");
}

static void test_failure_totals(void **state)
{
    char *long_name = malloc(600);

    (void)state;
    assert_int_equal(total_in(""), 0);
    assert_int_equal(total_in(COUNT("fail-count-app#asyncmon_0", "2") COUNT("fail-count-app#monitor_10000", "3")), 5);
    assert_int_equal(total_in(COUNT("fail-count-apps#start_0", "7") COUNT("last-failure-app#start_0", "99")), 0);
    assert_true(total_in(COUNT("fail-count-app#asyncmon_0", "2") COUNT("fail-count-app#start_0", "INFINITY")) == INT64_MAX);
    assert_true(total_in(COUNT("fail-count-app#a", "9223372036854775807") COUNT("fail-count-app#b", "1")) == INT64_MAX);
    assert_true(total_in(COUNT("fail-count-app#a", "-1")) == INT64_MAX);
    assert_non_null(long_name);
    memset(long_name, 'a', 599);
    long_name[599] = '\0';
    assert_true(failure_total_parse("", 0, long_name) == INT64_MAX);
    free(long_name);
}

static int64_t threshold_in(const char *text)
{
    return failure_threshold_parse(text, strlen(text));
}

static void test_thresholds(void **state)
{
    (void)state;
    assert_true(threshold_in("") == INT64_MAX);
    assert_true(threshold_in(COUNT("resource-stickiness", "1")) == INT64_MAX);
    assert_int_equal(threshold_in("<xpath-query>" COUNT("migration-threshold", "5") COUNT("migration-threshold", "3") "</xpath-query>"), 3);
    assert_true(threshold_in(COUNT("migration-threshold", "INFINITY")) == INT64_MAX);
    assert_int_equal(threshold_in(COUNT("migration-threshold", "3") COUNT("migration-threshold", "many")), 0);
    assert_int_equal(threshold_in(COUNT("migration-threshold", "-2")), 0);
    assert_int_equal(threshold_in("<nvpair name=\"migration-threshold\"/>"), 0);
}

static void test_versions(void **state)
{
    static const char *const twice[] = { "2.1.5-a3f44794f94", "2.1.5", "2.0.99", "1.9.10-x" };
    static const char *const once[] = { "2.1.6-1", "2.1.6", "2.1.10", "2.2.0", "3.0.2", "10.0", "", "x", "2.1", "2", "-1.2", "99999999999999999999999" };
    static const char *const kept[] = { "2.1.5-a3f44794f94", "2.1.6", "2.0.99", "1.1.24" };
    static const char *const written_anew[] = { "2.1.7-1", "2.1.10", "3.0.2", "", "x", "2.1", "-1.2" };
    static const char xml[] = "<cluster_property_set><nvpair id=\"a\" name=\"x\" value=\"1\"/><nvpair id=\"b\" name=\"dc-version\" value=\"2.1.5-a\"/>";
    char version[16];

    (void)state;
    for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++)
        assert_true(pacemaker_counts_twice(twice[i]));
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
        assert_false(pacemaker_counts_twice(once[i]));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_true(pacemaker_keeps_history(kept[i]));
    for (size_t i = 0; i < sizeof(written_anew) / sizeof(written_anew[0]); i++)
        assert_false(pacemaker_keeps_history(written_anew[i]));
    assert_true(pacemaker_version_parse(xml, strlen(xml), version, sizeof(version)));
    assert_string_equal(version, "2.1.5-a");
    assert_false(pacemaker_version_parse(xml, strlen(xml), version, 4));
    assert_false(pacemaker_version_parse(xml, 60, version, sizeof(version)));
}

/* A failure counts as known only when it is behind the last start. */
static void test_failures(void **state)
{
    (void)state;
    assert_int_equal(standing(RESOURCE(START OP("app_last_failure_0", "monitor", "11", "1", "0", "10000"))), RESOURCE_FAILED);
    assert_int_equal(standing(RESOURCE(START OP("app_last_failure_0", "monitor", "8", "1", "0", "10000"))), RESOURCE_RUNNING);
    assert_int_equal(standing(RESOURCE(START MONITOR OP("app_last_failure_0", "asyncmon", "8", "1", "0", "0"))), RESOURCE_RUNNING);
    assert_int_equal(standing(RESOURCE(OP("app_last_0", "asyncmon", "12", "1", "0", "0") MONITOR OP("app_last_failure_0", "asyncmon", "12", "1", "0", "0"))),
                     RESOURCE_FAILED);
    assert_int_equal(standing(RESOURCE(START OP("app_monitor_10000", "monitor", "11", "190", "0", "10000"))), RESOURCE_RUNNING);
}

static void test_what_is_not_a_history(void **state)
{
    static const char *const texts[] = { "", "<", "<a", "lrm_resource", "<lrm_rsc_op operation=\"start\"/>", "<x></x>" };
    struct resource_history history = { RESOURCE_FAILED };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(resource_history_parse(texts[i], strlen(texts[i]), &history), -EBADMSG);
        assert_int_equal(history.standing, RESOURCE_FAILED);
    }
}

#define ONE(id, attributes, node) "<resource id=\"" id "\" " attributes "><node name=\"" node "\" id=\"1\"/></resource>"
#define VIEW(resources) "<pacemaker-result><resources>" resources "</resources><status code=\"0\"/></pacemaker-result>"

static bool excepted(const char *text, const char *resource)
{
    struct resource_exceptions exceptions = { 0 };
    bool have;

    assert_int_equal(resource_exceptions_parse(text, strlen(text), "n1", &exceptions), 0);
    have = resource_exceptions_have(&exceptions, resource);
    resource_exceptions_free(&exceptions);
    return have;
}

static void test_exceptions(void **state)
{
    (void)state;
    assert_false(excepted(VIEW(ONE("a", "managed=\"true\" blocked=\"false\"", "n1")), "a"));
    assert_true(excepted(VIEW(ONE("a", "managed=\"false\" blocked=\"false\"", "n1")), "a"));
    assert_true(excepted(VIEW(ONE("a", "managed=\"true\" maintenance=\"true\"", "n1")), "a"));
    assert_true(excepted(VIEW(ONE("a", "managed=\"true\" blocked=\"true\"", "n1")), "a"));
    assert_true(excepted(VIEW(ONE("a", "active=\"true\"", "n1")), "a")); /* not known to be managed */
    assert_false(excepted(VIEW(ONE("a", "managed=\"false\"", "n2")), "a"));
    assert_false(excepted(VIEW(ONE("a", "managed=\"false\"", "n1")), "ab"));
    assert_true(excepted(VIEW(ONE("db:1", "managed=\"false\"", "n1")), "db"));
    assert_false(excepted(VIEW(ONE("db:1", "managed=\"false\"", "n1")), "db:0"));
}

static void test_a_view_that_is_cut_off(void **state)
{
    const char *text = VIEW(ONE("a", "managed=\"true\"", "n1"));
    struct resource_exceptions exceptions = { 0 };

    (void)state;
    for (size_t length = 0; length < strlen(text); length++)
        assert_int_equal(resource_exceptions_parse(text, length, "n1", &exceptions), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standings),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_what_is_not_a_history),
        cmocka_unit_test(test_failure_counts),
        cmocka_unit_test(test_failure_totals),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_a_view_that_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
