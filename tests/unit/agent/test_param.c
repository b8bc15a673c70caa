/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <signal.h>

#include "agent/param.h"

struct config {
    const char *text;
    const char *path;
    bool flag;
    int count;
    int bounded;
    uint64_t duration;
    uint64_t size;
    int choice;
    const char *secret;
};

static int no_spaces(const char *text, struct text_buffer *why)
{
    if (!strchr(text, ' '))
        return 0;
    text_buffer_printf(why, "it holds a blank");
    return -EINVAL;
}

static const struct param table[] = {
    { "text", PARAM_TEXT(struct config, text), .aliases = NAMES("old-text", "other"), .check = no_spaces },
    { "path", PARAM_PATH(struct config, path), .default_value = "/default" },
    { "flag", PARAM_BOOLEAN(struct config, flag), .default_value = "yes" },
    { "count", PARAM_INTEGER(struct config, count), .default_value = "5" },
    { "bounded", PARAM_INTEGER(struct config, bounded), .minimum = -5, .maximum = 5 },
    { "duration", PARAM_DURATION(struct config, duration), .minimum = 100, .maximum = 60000, .default_value = "1.5" },
    { "size", PARAM_SIZE(struct config, size), .default_value = "4K" },
    { "choice", PARAM_CHOICE(struct config, choice), .choices = NAMES("one", "two"), .default_value = "two" },
    { "secret", PARAM_PATH(struct config, secret), .secret = true },
    {}
};

static void test_defaults(void **state)
{
    struct config config = { 0 };

    (void)state;
    param_set_defaults(table, &config);
    assert_null(config.text);
    assert_string_equal(config.path, "/default");
    assert_true(config.flag);
    assert_int_equal(config.count, 5);
    assert_int_equal(config.bounded, 0);
    assert_int_equal(config.duration, 1500);
    assert_int_equal(config.size, 4096);
    assert_int_equal(config.choice, 1);
    param_set_defaults(NULL, &config);
}

static int set_bad_default(void *context)
{
    static const struct param bad[] = { { "flag", PARAM_BOOLEAN(struct config, flag), .default_value = "maybe" }, {} };
    struct config config = { 0 };

    (void)context;
    param_set_defaults(bad, &config);
    return 0;
}

/* A default that is wrong is our own mistake, and must not become a zero. */
static void test_a_wrong_default_aborts(void **state)
{
    static struct unit_run run;

    (void)state;
    unit_run(&run, set_bad_default, NULL, NULL);
    assert_int_equal(run.code, 256 + SIGABRT);
    assert_non_null(strstr(run.errors, "flag"));
}

static void test_find(void **state)
{
    (void)state;
    assert_ptr_equal(param_find(table, "text"), &table[0]);
    assert_ptr_equal(param_find(table, "old_text"), &table[0]);
    assert_ptr_equal(param_find(table, "old-text"), &table[0]);
    assert_ptr_equal(param_find(table, "other"), &table[0]);
    assert_null(param_find(table, "Text"));
    assert_null(param_find(table, ""));
    assert_null(param_find(NULL, "text"));
}

static void check(const char *name, const char *text, int wanted, const char *reason)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct config before, config;
    int r;

    memset(&config, 0x5a, sizeof(config));
    before = config;
    r = param_parse(param_find(table, name), text, &config, &why);
    if (r != wanted)
        fail_msg("%s='%s' gives %d: %s", name, text, r, why.text ? why.text : "");
    if (r == 0) {
        assert_int_equal(why.length, 0);
        return;
    }
    assert_memory_equal(&config, &before, param_find(table, name)->check ? 0 : sizeof(config));
    assert_non_null(why.text);
    if (!strstr(why.text, reason))
        fail_msg("%s='%s' says '%s', without '%s'", name, text, why.text, reason);
}

static void test_every_type(void **state)
{
    char long_path[4200], long_text[8300];

    (void)state;
    memset(long_path, '/', sizeof(long_path));
    long_path[4096] = '\0';
    memset(long_text, 'x', sizeof(long_text));
    long_text[8193] = '\0';
    check("text", "x", 0, "");
    check("text", long_text + 1, 0, "");
    check("text", long_text, -ERANGE, "8192");
    check("text", "a\nb", -EINVAL, "UTF-8");
    check("text", "\xff", -EINVAL, "UTF-8");
    check("text", "a b", -EINVAL, "parameter text is 'a b': it holds a blank");
    check("path", "/", 0, "");
    check("path", long_path + 1, 0, "");
    check("path", long_path, -ERANGE, "4095");
    check("path", "relative", -EINVAL, "parameter path is 'relative': not an absolute path");
    check("path", "/\x7f", -EINVAL, "UTF-8");
    /* Whatever a parameter should be: a password in an URL is not shown. */
    check("flag", "http://user:s3cret@host/", -EINVAL, " is 'http://...@host/':");
    check("flag", "off", 0, "");
    check("flag", "maybe", -EINVAL, "neither true nor false");
    check("count", "2147483647", 0, "");
    check("count", "-1", -ERANGE, "from 0 to 2147483647");
    check("count", "2147483648", -ERANGE, "from 0 to 2147483647");
    check("bounded", "-5", 0, "");
    check("bounded", "6", -ERANGE, "from -5 to 5");
    check("bounded", "five", -EINVAL, "from -5 to 5");
    check("duration", "100ms", 0, "");
    check("duration", "1min", 0, "");
    check("duration", "99ms", -ERANGE, "from 100 ms to 60 s");
    check("duration", "61", -ERANGE, "from 100 ms to 60 s");
    check("duration", "soon", -EINVAL, "20s");
    check("size", "1T", 0, "");
    check("size", "big", -EINVAL, "64K");
    check("choice", "one", 0, "");
    check("choice", "One", -EINVAL, "not one of one, two");
    check("choice", "", -EINVAL, "not one of one, two");
}

/* A reason is shown to people and goes into logs. */
static void test_reason_hides_secrets_and_is_printable(void **state)
{
    _cleanup_text_buffer_ struct text_buffer secret = { 0 }, rude = { 0 }, lengthy = { 0 };
    struct config config = { 0 };
    char many[1000];

    (void)state;
    assert_int_equal(param_parse(param_find(table, "secret"), "hunter2", &config, &secret), -EINVAL);
    assert_null(strstr(secret.text, "hunter2"));
    assert_non_null(strstr(secret.text, "secret"));
    assert_int_equal(param_parse(param_find(table, "flag"), "\x1b[2J\n\xff", &config, &rude), -EINVAL);
    assert_true(text_is_printable_utf8(rude.text, rude.length));
    memset(many, 'x', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    assert_int_equal(param_parse(param_find(table, "flag"), many, &config, &lengthy), -EINVAL);
    assert_true(lengthy.length < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_a_wrong_default_aborts),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_reason_hides_secrets_and_is_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
