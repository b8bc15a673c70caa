/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "cluster/takeover.h"

static struct takeover_facts fenced_after(int64_t seconds)
{
    return (struct takeover_facts){
        .node = "n1", .history = 1, .fencing = { .completed_s = 1000000 + seconds, .action = "reboot" }, .held_since_s = 1000000, .now_s = 1000000 + seconds + 5,
        .tolerance_s = 10, .fresh_s = 600,
    };
}

static int judge(struct takeover_facts facts, const char *wanted)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int verdict = takeover_judge(&facts, &why);

    assert_non_null(why.text);
    if (!strstr(why.text, wanted))
        fail_msg("wanted '%s' in '%s'", wanted, why.text);
    return verdict;
}

static void test_fenced_later_than_it_took_hold(void **state)
{
    (void)state;
    assert_int_equal(judge(fenced_after(3600), "3600 s after it took hold"), 1);
    assert_int_equal(judge(fenced_after(11), "after it took hold"), 1);
}

static void test_fenced_before_or_too_close(void **state)
{
    (void)state;
    assert_int_equal(judge(fenced_after(10), "not later"), 0); /* within what the clocks may differ */
    assert_int_equal(judge(fenced_after(0), "not later"), 0);
    assert_int_equal(judge(fenced_after(-3600), "not later"), 0);
}

static void test_a_member_is_never_robbed(void **state)
{
    struct takeover_facts facts = fenced_after(3600);

    (void)state;
    facts.joined = true;
    assert_int_equal(judge(facts, "is a member"), 0);
    facts.powered_off = true;
    assert_int_equal(judge(facts, "is a member"), 0);
}

static void test_no_history_is_no_proof(void **state)
{
    struct takeover_facts facts = fenced_after(3600);

    (void)state;
    facts.powered_off = true;
    facts.history = 0;
    assert_int_equal(judge(facts, "was not fenced"), 0);
    facts.fencing.pending = true;
    assert_int_equal(judge(facts, "has not ended"), 0);
    facts.history = -ENOTCONN;
    assert_int_equal(judge(facts, "is not known"), 0);
    facts.history = -EBADMSG;
    assert_int_equal(judge(facts, "is not known"), 0);
}

static void test_a_fencing_of_the_future_proves_nothing(void **state)
{
    struct takeover_facts facts = fenced_after(3600);

    (void)state;
    facts.now_s = facts.fencing.completed_s - 11;
    assert_int_equal(judge(facts, "in the future"), 0);
    facts.now_s = facts.fencing.completed_s - 10;
    assert_int_equal(judge(facts, "after it took hold"), 1);
}

static void test_power_off_needs_no_clock(void **state)
{
    struct takeover_facts facts = fenced_after(-3600);

    (void)state;
    facts.powered_off = true;
    assert_int_equal(judge(facts, "seen off"), 1);
}

static void test_without_a_time_of_taking_hold(void **state)
{
    struct takeover_facts facts = fenced_after(3600);

    (void)state;
    facts.held_since_s = 0;
    assert_int_equal(judge(facts, "ago and has not come back"), 1);
    facts.now_s = facts.fencing.completed_s + 600;
    assert_int_equal(judge(facts, "ago"), 1);
    facts.now_s = facts.fencing.completed_s + 601;
    assert_int_equal(judge(facts, "nobody tells"), 0);
}

static void test_by_the_clusters_record(void **state)
{
    struct takeover_facts facts = fenced_after(3600);

    (void)state;
    facts.recorded = true;
    facts.recorded_s = facts.fencing.completed_s - 1;
    assert_int_equal(judge(facts, "by the cluster's record"), 1);
    /* It came back after that fencing, and took hold without being attached anew. */
    facts.recorded_s = facts.fencing.completed_s;
    assert_int_equal(judge(facts, "took hold after its last fencing"), 0);
    /* Fenced within seconds of the attachment: the record needs no tolerance. */
    facts = fenced_after(3);
    facts.recorded = true;
    assert_int_equal(judge(facts, "by the cluster's record"), 1);
    facts.held_since_s = 0;
    assert_int_equal(judge(facts, "by the cluster's record"), 1);
    /* A record that was not written anew, and a disk that was attached long after the fencing. */
    facts = fenced_after(-3600);
    facts.recorded = true;
    assert_int_equal(judge(facts, "took hold after"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fenced_later_than_it_took_hold),   cmocka_unit_test(test_fenced_before_or_too_close),
        cmocka_unit_test(test_a_member_is_never_robbed),         cmocka_unit_test(test_no_history_is_no_proof),
        cmocka_unit_test(test_a_fencing_of_the_future_proves_nothing), cmocka_unit_test(test_power_off_needs_no_clock),
        cmocka_unit_test(test_without_a_time_of_taking_hold),
        cmocka_unit_test(test_by_the_clusters_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
