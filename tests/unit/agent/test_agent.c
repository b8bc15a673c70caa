/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/agent.h"

struct config {
    const char *name;
    int count;
};

/* Prints what the library told the action, so that a test can read it. */
static enum ocf_code show(struct agent_run *run, const void *config)
{
    const struct config *values = config;
    char path[256] = "";

    (void)agent_state_path(run, "pid", path, sizeof(path));
    (void)printf("%s instance=%s depth=%u probe=%d clone=%d dry=%d left=%llu name=%s count=%d path=%s\n", run->action->name,
                 run->instance, run->depth, run->probe, run->clone, run->dry_run,
                 (unsigned long long)deadline_left_ms(run->deadline), values->name, values->count, path);
    return OCF_SUCCESS;
}

static enum ocf_code fail_twice(struct agent_run *run, const void *config)
{
    (void)config;
    (void)agent_fail(run, OCF_ERR_GENERIC, "the %s: first", "cause\nof \x1b it");
    return agent_fail(run, OCF_NOT_RUNNING, "second");
}

static enum ocf_code check(struct agent_run *run, const void *config)
{
    const struct config *values = config;

    return values->count == 13 ? agent_fail(run, OCF_ERR_CONFIGURED, "13 is bad luck") : OCF_SUCCESS;
}

static const unsigned int depths[] = { 10, 20, UINT_MAX };
static const struct param params[] = {
    { "name", PARAM_TEXT(struct config, name), .required = true, .aliases = NAMES("old_name"), .shortdesc = "A name" },
    { "count", PARAM_INTEGER(struct config, count), .default_value = "3", .maximum = 100, .shortdesc = "A <number> & \"more\"" },
    {}
};
static const struct agent_action actions[] = {
    { "start", show, .timeout_s = 20 },
    { "stop", fail_twice, .timeout_s = 20 },
    { "monitor", show, .timeout_s = 20, .interval_s = 10 },
    {}
};
static const struct agent sample = {
    .name = "sample", .shortdesc = "A sample", .longdesc = "One.\n\nTwo.", .params = params, .actions = actions,
    .config_size = sizeof(struct config), .depths = depths, .check_config = check,
};

struct call {
    const char *argv[8];
    const char *environment[8]; /* NAME=value */
};

static int call_main(void *context)
{
    const struct call *call = context;
    static char *argv[9]; /* static, so that valgrind sees what it holds */
    int argc = 1;

    (void)clearenv();
    for (size_t i = 0; call->environment[i]; i++) {
        static char entries[8][4096]; /* the environment keeps it */

        (void)text_copy(entries[i], sizeof(entries[i]), call->environment[i]);
        (void)putenv(entries[i]);
    }
    argv[0] = strdup("sample");
    for (const char *const *word = call->argv; *word; word++)
        argv[argc++] = strdup(*word);
    return agent_main(&sample, argc, argv);
}

static struct unit_run run;

#define CALL(arguments, ...) \
    unit_run(&run, call_main, &(struct call){ .argv = { arguments }, .environment = { __VA_ARGS__ } }, NULL)

static void check_shows(const char *wanted)
{
    if (!strstr(run.output, wanted))
        fail_msg("'%s' is not in: %s (errors: %s)", wanted, run.output, run.errors);
}

/* Exactly one reason, which holds this text. */
static void check_reason(int code, const char *wanted)
{
    const char *reason = strstr(run.errors, "ocf-exit-reason:");

    if (run.code != code)
        fail_msg("code %d, wanted %d: %s%s", run.code, code, run.output, run.errors);
    if (!reason || !strstr(reason, wanted))
        fail_msg("no reason with '%s': %s", wanted, run.errors);
    assert_null(strstr(reason + 1, "ocf-exit-reason:"));
}

static void test_what_an_action_is_told(void **state)
{
    (void)state;
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESOURCE_INSTANCE=db:1");
    assert_int_equal(run.code, 0);
    check_shows("start instance=db:1 depth=0 probe=0 clone=0 dry=0");
    check_shows("name=x count=3");
    check_shows("/sample/db:1@pid");
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_RESKEY_CRM_meta_interval=0", "OCF_RESKEY_CRM_meta_clone=0", "OCF_CHECK_LEVEL=20");
    check_shows("monitor instance=sample depth=20 probe=1 clone=1");
    /* As Pacemaker 2.1 calls it: without an interval. */
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_RESKEY_CRM_meta_timeout=20000", "OCF_RESKEY_CRM_meta_op_target_rc=7");
    check_shows("probe=1");
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_RESKEY_CRM_meta_interval=10000");
    check_shows("probe=0");
    /* Only a monitor is a probe. */
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESKEY_CRM_meta_interval=0");
    check_shows("probe=0");
}

static void test_names_and_aliases(void **state)
{
    (void)state;
    CALL("start", "OCF_RESKEY_old_name=old");
    check_shows("name=old");
    CALL("start", "OCF_RESKEY_old_name=old", "OCF_RESKEY_name=new");
    check_shows("name=new");
    /* An empty one is as good as none. */
    CALL("start", "OCF_RESKEY_name=", "OCF_RESKEY_old_name=old", "OCF_RESKEY_count=");
    check_shows("name=old count=3");
}

static void test_by_hand(void **state)
{
    static const struct call by_hand = { .argv = { "start", "name=x=y", "count=9" } };
    static const struct call garbage = { .argv = { "start", "name" } };

    (void)state;
    unit_run(&run, call_main, (void *)(uintptr_t)&by_hand, NULL);
    assert_int_equal(run.code, 0);
    check_shows("name=x=y count=9");
    unit_run(&run, call_main, (void *)(uintptr_t)&garbage, NULL);
    check_reason(OCF_ERR_ARGS, "usage");
}

static unsigned long long left_ms(const char *timeout)
{
    const char *text;
    char variable[64];

    (void)text_format(variable, sizeof(variable), "OCF_RESKEY_CRM_meta_timeout=%s", timeout);
    CALL("start", "OCF_RESKEY_name=x", variable);
    text = strstr(run.output, "left=");
    return text ? strtoull(text + 5, NULL, 10) : 0;
}

/* Some time goes by until it is printed; where that was too much, since the machine stood still, it is tried again. */
static void check_left(const char *timeout, unsigned long long from, unsigned long long to)
{
    unsigned long long left = left_ms(timeout);

    for (int tries = 0; tries < 50 && left < from; tries++)
        left = left_ms(timeout);
    assert_in_range(left, from, to);
}

/* The agent ends by itself before Pacemaker ends it, and always has some time. */
static void test_deadline_is_below_the_timeout(void **state)
{
    (void)state;
    check_left("20000", 15000, 19000);
    check_left("600000", 590000, 598000);
    check_left("300", 50, 250);
    check_left("20s", 15000, 19000);
    check_left("0", 15000, 19999);
    check_left("rubbish", 15000, 19999);
}

static void test_refusals(void **state)
{
    (void)state;
    CALL("start", NULL);
    check_reason(OCF_ERR_CONFIGURED, "parameter name is required");
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESKEY_count=101");
    check_reason(OCF_ERR_CONFIGURED, "parameter count is '101': not a whole number from 0 to 100");
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESKEY_count=13");
    check_reason(OCF_ERR_CONFIGURED, "bad luck");
    CALL("promote", "OCF_RESKEY_name=x");
    check_reason(OCF_ERR_UNIMPLEMENTED, "promote");
    CALL(NULL, NULL);
    check_reason(OCF_ERR_ARGS, "usage");
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_CHECK_LEVEL=5");
    check_reason(OCF_ERR_CONFIGURED, "OCF_CHECK_LEVEL");
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_CHECK_LEVEL=-1");
    check_reason(OCF_ERR_CONFIGURED, "OCF_CHECK_LEVEL");
    CALL("monitor", "OCF_RESKEY_name=x", "OCF_CHECK_LEVEL=");
    assert_int_equal(run.code, 0);
}

static void test_the_first_reason_counts(void **state)
{
    (void)state;
    CALL("stop", "OCF_RESKEY_name=x");
    check_reason(OCF_NOT_RUNNING, "first");
    /* On one line, whatever a cause holds. */
    assert_null(strstr(run.errors, "\x1b"));
    assert_ptr_equal(strchr(run.errors, '\n'), run.errors + strlen(run.errors) - 1);
}

static void test_validate_all_without_a_row(void **state)
{
    (void)state;
    CALL("validate-all", "OCF_RESKEY_name=x");
    assert_int_equal(run.code, 0);
    CALL("validate-all", "OCF_RESKEY_count=3");
    check_reason(OCF_ERR_CONFIGURED, "name");
}

static void test_metadata_escapes(void **state)
{
    (void)state;
    CALL("meta-data", NULL);
    assert_int_equal(run.code, 0);
    check_shows("A &lt;number&gt; &amp; ");
    check_shows("<parameter name=\"old_name\" required=\"0\"");
    check_shows("<replaced-with name=\"name\"/>");
    CALL("--help", NULL);
    assert_int_equal(run.code, 0);
    check_shows("A <number> & \"more\"");
    CALL("--version", NULL);
    check_shows(PACKAGE_VERSION);
}

static void test_a_state_path_stays_in_its_folder(void **state)
{
    (void)state;
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESOURCE_INSTANCE=../../etc/x y");
    check_shows("/sample/%2E.%2F..%2Fetc%2Fx%20y@pid");
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESOURCE_INSTANCE=..");
    check_shows("/sample/%2E.@pid");
    CALL("start", "OCF_RESKEY_name=x", "OCF_RESOURCE_INSTANCE=a.pid@b");
    check_shows("/sample/a.pid%40b@pid");
}

static int setup(void **state)
{
    (void)state;
    return unit_private_folders(VIGIL_RUNDIR, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_action_is_told),
        cmocka_unit_test(test_names_and_aliases),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_deadline_is_below_the_timeout),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_first_reason_counts),
        cmocka_unit_test(test_validate_all_without_a_row),
        cmocka_unit_test(test_metadata_escapes),
        cmocka_unit_test(test_a_state_path_stays_in_its_folder),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
