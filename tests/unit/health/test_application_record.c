/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "health/application.h"
#include "health/systemd_unit.h"

static const char good[] = "vigil-app 1\nstate started\nmain 12 345\nsession 11 344\ncgroup /sys/fs/cgroup/vigil/app-x\n";

static void test_good(void **state)
{
    struct application_record record;

    (void)state;
    assert_int_equal(application_record_parse(good, strlen(good), &record), 0);
    assert_true(record.started);
    assert_int_equal(record.main.pid, 12);
    assert_int_equal(record.main.start_ticks, 345);
    assert_int_equal(record.session.pid, 11);
    assert_string_equal(record.cgroup, "/sys/fs/cgroup/vigil/app-x");
}

/* Cut off anywhere it says nothing at all. */
static void test_torn(void **state)
{
    (void)state;
    for (size_t length = 0; length < strlen(good); length++) {
        struct application_record record = { .main.pid = 77 };

        assert_int_equal(application_record_parse(good, length, &record), -EBADMSG);
        assert_int_equal(record.main.pid, 77);
        assert_false(record.started);
    }
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "vigil-app 2\nstate started\nmain 12 345\nsession 11 344\ncgroup /x\n",
        "vigil-app 1\nstate maybe\nmain 12 345\nsession 11 344\ncgroup /x\n",
        "vigil-app 1\nstate started\nmain -1 345\nsession 11 344\ncgroup /x\n",
        "vigil-app 1\nstate started\nmain 12\nsession 11 344\ncgroup /x\n",
        "vigil-app 1\nstate started\nmain 99999999999 345\nsession 11 344\ncgroup /x\n",
        "vigil-app 1\nstate started\nmain 12 345\nsession 11 344\ncgroup x\n",
        "vigil-app 1\nstate started\nmain 12 345\nsession 11 344\ncgroup /x\nmore\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct application_record record;

        assert_int_equal(application_record_parse(cases[i], strlen(cases[i]), &record), -EBADMSG);
    }
}

static void test_files(void **state)
{
    struct application_record written = { .started = true, .main = { 1, UINT64_MAX }, .cgroup = "" }, read;
    char *folder = unit_make_folder();
    char path[4200];
    unsigned int count = 9;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/record", folder);
    assert_int_equal(application_record_read(path, &read), -ENOENT);
    assert_int_equal(application_record_write(path, &written), 0);
    assert_int_equal(application_record_read(path, &read), 0);
    assert_true(read.started && read.main.start_ticks == UINT64_MAX && read.cgroup[0] == '\0');
    (void)snprintf(path, sizeof(path), "%s/failures", folder);
    assert_int_equal(application_failures_read(path, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(application_failures_write(path, 3), 0);
    assert_int_equal(application_failures_read(path, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(application_failures_write(path, 0), 0);
    assert_int_equal(application_failures_write(path, 0), 0);
    unit_remove_folder(folder);
}

static void test_signal_numbers(void **state)
{
    (void)state;
    assert_int_equal(application_signal_number("TERM"), 15);
    assert_int_equal(application_signal_number("SIGINT"), 2);
    assert_int_equal(application_signal_number("31"), 31);
    assert_int_equal(application_signal_number("0"), -EINVAL);
    assert_int_equal(application_signal_number("32"), -EINVAL);
    assert_int_equal(application_signal_number(""), -EINVAL);
    assert_int_equal(application_signal_number("term"), -EINVAL);
}

static void test_unit_names(void **state)
{
    static const char *const bad[] = { "", "x", ".service", "a/b.service", "a b.service", "x.scope", "../x.service" };
    _cleanup_text_buffer_ struct text_buffer why = {};

    (void)state;
    assert_int_equal(unit_name_check("postgresql@15-main.service", &why), 0);
    assert_int_equal(unit_name_check("dev-sda\\x2d1.mount", &why), 0);
    assert_null(why.text);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(unit_name_check(bad[i], &why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_torn),  cmocka_unit_test(test_bad),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_unit_names),
        cmocka_unit_test(test_signal_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
