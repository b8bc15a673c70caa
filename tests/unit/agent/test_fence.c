/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's own part of fencing, against a device that does as it is told, and against devices that lie, that are slow, blind or broken.
 * "off" may be answered only when off was seen.
 */
#include "unit.h"

#include <unistd.h>

#include "agent/fence.h"

struct config {
    const char *ip;
    const char *password;
};

/* The device: what it is, and how it misbehaves. It prints each call on standard output. */
static struct device {
    enum power_state power;
    bool lies;         /* a command is answered well and does nothing */
    bool refuses;      /* a command fails */
    bool refuses_yet_acts; /* a command fails, and was done all the same */
    bool blind;        /* the power cannot be read */
    bool mute;         /* the power is read as unknown */
    bool blind_after;  /* the power cannot be read once a command was given */
    int slow;          /* so many looks pass before a command takes effect */
    bool cannot_open;
    enum power_state pending;
    bool commanded;
} device;

static int device_open(struct fence_run *run, const void *config)
{
    (void)config;
    (void)printf("[open]");
    return device.cannot_open ? fence_fail(run, -ETIMEDOUT, "192.0.2.1 does not answer: timed out") : 0;
}

static void device_close(struct fence_run *run, const void *config)
{
    (void)run;
    (void)config;
    (void)printf("[close]");
}

static int device_get(struct fence_run *run, const void *config, enum power_state *ret)
{
    (void)run;
    (void)config;
    if (device.commanded && device.slow > 0 && --device.slow == 0)
        device.power = device.pending;
    if (device.blind || (device.blind_after && device.commanded))
        return -EIO;
    *ret = device.mute ? POWER_UNKNOWN : device.power;
    return 0;
}

static int device_set(struct fence_run *run, const void *config, enum power_state state)
{
    (void)run;
    (void)config;
    (void)printf("[set %s]", state == POWER_ON ? "on" : "off");
    device.commanded = true;
    device.pending = state;
    if (!device.lies && !device.refuses && device.slow == 0)
        device.power = state;
    return device.refuses || device.refuses_yet_acts ? -EPERM : 0;
}

static int device_list(struct fence_run *run, const void *config, fence_emit emit)
{
    (void)config;
    emit(run, "n1", "alias", POWER_ON);
    emit(run, "n2", NULL, POWER_OFF);
    return 0;
}

static const struct param params[] = {
    { "ip", PARAM_TEXT(struct config, ip), .short_option = 'a', .aliases = NAMES("ipaddr"), .shortdesc = "Address" },
    { "password", PARAM_TEXT(struct config, password), .short_option = 'p', .secret = true, .shortdesc = "Password" },
    {}
};
static const struct fence_operations operations = {
    .open = device_open, .close = device_close, .power_get = device_get, .power_set = device_set, .list = device_list,
};
static const struct fence_agent sample = {
    .name = "fence_sample", .shortdesc = "A sample", .longdesc = "A sample.", .vendor_url = "https://example.org/",
    .params = params, .config_size = sizeof(struct config), .plug_required = true, .operations = &operations,
};

static struct unit_run run;
static const char *const *arguments;

static int call_main(void *context)
{
    static char *argv[16]; /* static, so that valgrind sees what it holds */
    int argc = 1;

    (void)context;
    (void)clearenv();
    argv[0] = strdup("fence_sample");
    for (const char *const *word = arguments; word && *word && argc < 15; word++)
        argv[argc++] = strdup(*word);
    return fence_main(&sample, argc, argv);
}

static const char *power_timeout = "300ms";

/* Calls the agent as Pacemaker does, with short waits. */
static void call(const char *action, const char *more)
{
    char input[512];

    arguments = NULL;
    assert_true(text_format(input, sizeof(input), "action=%s\nplug=n1\nnodename=n1\nip=192.0.2.1\npower_timeout=%s\n"
                            "status_interval=10ms\nshell_timeout=500ms\n%s", action, power_timeout, more) > 0);
    unit_run(&run, call_main, NULL, input);
}

static void check_call(int code, const char *output, const char *errors)
{
    if (run.code != code || !strstr(run.output, output) || (errors && !strstr(run.errors, errors)))
        fail_msg("code %d (wanted %d), output '%s', errors '%s'", run.code, code, run.output, run.errors);
    if (code == 1)
        assert_true(run.errors[0] != '\0');
}

static void test_off(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON };
    call("off", "");
    check_call(0, "[set off]", NULL);
    check_call(0, "Success: Powered OFF", NULL);
    /* Already off: nothing is sent. */
    device = (struct device){ .power = POWER_OFF };
    call("off", "");
    check_call(0, "Success: Powered OFF", NULL);
    assert_null(strstr(run.output, "[set"));
    device = (struct device){ .power = POWER_ON, .slow = 5 };
    power_timeout = "60s";
    call("off", "");
    power_timeout = "300ms";
    check_call(0, "[set off]", NULL);
}

/* Each of these must be a failure: what was not seen off is not off. */
static void test_never_off_without_evidence(void **state)
{
    static const struct {
        const char *name;
        struct device device;
    } devices[] = {
        { "lies", { .power = POWER_ON, .lies = true } },
        { "refuses", { .power = POWER_ON, .refuses = true } },
        { "blind", { .power = POWER_ON, .blind = true } },
        { "blind, though off", { .power = POWER_OFF, .blind = true } },
        { "mute", { .power = POWER_ON, .mute = true, .lies = true } },
        { "mute, though off", { .power = POWER_OFF, .mute = true } },
        { "blind once commanded", { .power = POWER_ON, .blind_after = true } },
        { "too slow", { .power = POWER_ON, .slow = 100000 } },
        { "not there", { .power = POWER_OFF, .cannot_open = true } },
    };
    static const char *const fencing[] = { "off", "reboot" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(fencing); j++) {
            device = devices[i].device;
            call(fencing[j], "");
            if (run.code != 1 || strstr(run.output, "Success"))
                fail_msg("a device that is %s: %s gives %d, '%s'", devices[i].name, fencing[j], run.code, run.output);
            assert_true(run.errors[0] != '\0');
        }
    }
}

/* Pacemaker's fencer looks for these words to tell a time-out. */
static void test_a_timeout_says_so(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON, .lies = true };
    call("off", "");
    check_call(1, "", "timed out");
}

/* The state counts, not the answer to the command. */
static void test_off_seen_despite_an_error(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON, .refuses_yet_acts = true };
    call("off", "");
    check_call(0, "Success: Powered OFF", NULL);
}

static void test_reboot(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON };
    call("reboot", "");
    check_call(0, "[set off][set on]", NULL);
    check_call(0, "Success: Rebooted", NULL);
    device = (struct device){ .power = POWER_OFF };
    call("reboot", "");
    check_call(0, "[set on]", NULL);
    assert_null(strstr(run.output, "[set off]"));
}

static void test_on(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_OFF };
    call("on", "");
    check_call(0, "[set on]", NULL);
    device = (struct device){ .power = POWER_OFF, .lies = true };
    call("on", "");
    check_call(1, "", NULL);
}

static void test_status(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON };
    call("status", "");
    check_call(0, "ON", NULL);
    device = (struct device){ .power = POWER_OFF };
    call("status", "");
    check_call(2, "OFF", NULL);
    device = (struct device){ .mute = true };
    call("status", "");
    check_call(1, "", NULL);
    device = (struct device){ .blind = true };
    call("status", "");
    check_call(1, "", NULL);
}

static void test_monitor_and_list(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_OFF };
    call("monitor", "");
    check_call(0, "", NULL);
    device = (struct device){ .blind = true };
    call("monitor", "");
    check_call(1, "", NULL);
    device = (struct device){ .power = POWER_ON };
    call("list", "");
    check_call(0, "n1,alias\nn2,\n", NULL);
    call("list-status", "");
    check_call(0, "n1,alias,ON\nn2,,OFF\n", NULL);
}

/* What the fencer adds for itself is no error; the node's name stands in for a plug. */
static void test_input(void **state)
{
    (void)state;
    arguments = NULL;
    device = (struct device){ .power = POWER_OFF };
    unit_run(&run, call_main, NULL, "# comment\n\n  action =status  \nnodename=n1\nip-addr=x\npcmk_host_map=a:1\nwrong key=x\nipaddr=192.0.2.1");
    check_call(2, "OFF", NULL);
    unit_run(&run, call_main, NULL, "action=off\n");
    check_call(1, "", "plug");
    unit_run(&run, call_main, NULL, "action=explode\nplug=n1\n");
    check_call(1, "", "explode");
    unit_run(&run, call_main, NULL, "action=off\nplug=n1\ndelay=forever\n");
    check_call(1, "", "delay");
    assert_null(strstr(run.output, "[set"));
}

#define ARGUMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_arguments(void **state)
{
    (void)state;
    device = (struct device){ .power = POWER_ON };
    arguments = ARGUMENTS("-o", "status", "-n", "n1", "--ip=192.0.2.1", "-vv");
    unit_run(&run, call_main, NULL, NULL);
    check_call(0, "ON", NULL);
    arguments = ARGUMENTS("--action", "status", "--plug=n1", "-a192.0.2.1");
    unit_run(&run, call_main, NULL, NULL);
    check_call(0, "ON", NULL);
    arguments = ARGUMENTS("--power_timeout=3", "--power-wait=0", "-o", "status", "-n", "n1");
    unit_run(&run, call_main, NULL, NULL);
    check_call(0, "ON", NULL);
    arguments = ARGUMENTS("--wrong=1");
    unit_run(&run, call_main, NULL, NULL);
    check_call(1, "", "wrong");
    arguments = ARGUMENTS("-o");
    unit_run(&run, call_main, NULL, NULL);
    check_call(1, "", "needs a value");
    arguments = ARGUMENTS("-o", "status", "--password=TopSecret");
    unit_run(&run, call_main, NULL, NULL);
    check_call(1, "", "standard input");
    assert_null(strstr(run.errors, "TopSecret"));
    arguments = ARGUMENTS("--help");
    unit_run(&run, call_main, NULL, NULL);
    check_call(0, "power_timeout", NULL);
    arguments = ARGUMENTS("--version");
    unit_run(&run, call_main, NULL, NULL);
    check_call(0, PACKAGE_VERSION, NULL);
}

static void test_metadata(void **state)
{
    (void)state;
    arguments = NULL;
    unit_run(&run, call_main, NULL, "action=metadata\n");
    check_call(0, "<action name=\"off\"/>", NULL);
    check_call(0, "<action name=\"on\" automatic=\"0\"/>", NULL);
    assert_null(strstr(run.output, "<action name=\"diag\""));
}

static int setup(void **state)
{
    (void)state;
    return unit_private_folders(VIGIL_STATEDIR, VIGIL_RUNDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_never_off_without_evidence),
        cmocka_unit_test(test_a_timeout_says_so),
        cmocka_unit_test(test_off_seen_despite_an_error),
        cmocka_unit_test(test_reboot),
        cmocka_unit_test(test_on),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_monitor_and_list),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_metadata),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
