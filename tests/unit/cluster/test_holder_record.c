/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who held a volume last: the record's text, and the judgement with a crm_attribute and a stonith_admin that say what a test wants. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cluster/holder_record.h"

static char *folder;

static void write_program(const char *name, const char *text)
{
    char path[512];

    assert_true(text_format(path, sizeof(path), "%s/%s", folder, name) > 0);
    assert_int_equal(file_write(path, 0755, text, strlen(text)), 0);
}

static int make_programs(void **state)
{
    _cleanup_free_ char *path = NULL;

    (void)state;
    folder = unit_make_folder();
    path = text_printf("%s:%s", folder, getenv("PATH"));
    return !path || setenv("PATH", path, 1) < 0 ? -1 : 0;
}

static int remove_programs(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

static int parse(const char *text, struct holder_record *record)
{
    return holder_record_parse(text, strlen(text), record);
}

static void test_text(void **state)
{
    static const char *const bad[] = { "", "held", "held n1", "held n1 x", "held n1 -1", "kept n1 5", "held n1 5 6", "released", "held n1 5\nreleased n1 5" };
    struct holder_record record;

    (void)state;
    assert_int_equal(parse("held n1 1732300000\n", &record), 0);
    assert_true(record.held);
    assert_string_equal(record.node, "n1");
    assert_int_equal(record.fenced_s, 1732300000);
    assert_int_equal(parse("released node.example 0", &record), 0);
    assert_false(record.held);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse(bad[i], &record), -EBADMSG);
}

static void test_read(void **state)
{
    struct holder_record record;

    (void)state;
    write_program("crm_attribute", "#!/bin/sh\necho 'held n1 7'\necho noise >&2\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 1);
    assert_string_equal(record.node, "n1");
    write_program("crm_attribute", "#!/bin/sh\nexit 105\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 0);
    write_program("crm_attribute", "#!/bin/sh\necho\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 0);
    /* A cluster that does not answer is not one without a record. */
    write_program("crm_attribute", "#!/bin/sh\nexit 102\n");
    assert_int_equal(holder_record_read("db", deadline_in(2000), &record), -ENOTCONN);
    write_program("crm_attribute", "#!/bin/sh\necho garbage\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), -EBADMSG);
    write_program("crm_attribute", "#!/bin/sh\nsleep 300\n");
    assert_int_equal(holder_record_read("db", deadline_in(300), &record), -ETIMEDOUT);
}

static void test_write(void **state)
{
    const struct holder_record record = { .held = true, .node = "n1", .fenced_s = 7 };
    _cleanup_free_ char *program = text_printf("#!/bin/sh\necho \"$@\" >%s/said\n", folder), *said = NULL, *path = text_printf("%s/said", folder);

    (void)state;
    write_program("crm_attribute", program);
    assert_int_equal(holder_record_write("db", &record, deadline_in(60000)), 0);
    assert_int_equal(file_read(path, 4096, &said, NULL), 0);
    assert_string_equal(said, "--type crm_config --name vigil-holder-db --update held n1 7\n");
    write_program("crm_attribute", "#!/bin/sh\nexit 1\n");
    assert_int_equal(holder_record_write("db", &record, deadline_in(2000)), -ENOTCONN);
}

/* The history that stonith_admin tells: one fencing of n1 at a time, or none. */
static void set_history(const char *completed)
{
    _cleanup_free_ char *event = completed ? text_printf("<fence_event action=\"reboot\" target=\"n1\" client=\"c\" origin=\"n2\" status=\"success\" delegate=\"n2\" completed=\"%s\"/>", completed)
                                           : strdup("");
    _cleanup_free_ char *program = text_printf("#!/bin/sh\ncat <<'E'\n<pacemaker-result api-version=\"2.25\" request=\"x\"><list name=\"Fencing history\">%s</list>"
                                               "<status code=\"0\" message=\"OK\"/></pacemaker-result>\nE\n", event);

    write_program("stonith_admin", program);
}

static int judge(const struct holder_record *record, bool assume_released)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = holder_judge("db", record, "n1", assume_released, deadline_in(60000), &why);

    assert_int_equal(r == HOLDER_IN_USE, why.length > 0);
    return r;
}

static void test_judgement(void **state)
{
    struct holder_record record = { .held = true, .node = "n1", .fenced_s = 0 };

    (void)state;
    set_history(NULL);
    assert_int_equal(judge(&record, true), HOLDER_IN_USE);
    set_history("2026-11-22 10:00:00Z");
    assert_int_equal(judge(&record, true), HOLDER_FENCED);
    /* Fenced before it took the volume again proves nothing. */
    record.fenced_s = 1795341600;
    assert_int_equal(judge(&record, true), HOLDER_IN_USE);
    record.fenced_s--;
    assert_int_equal(judge(&record, true), HOLDER_FENCED);
    record.held = false;
    assert_int_equal(judge(&record, false), HOLDER_RELEASED);
    record = (struct holder_record){ .held = true, .node = "n3" };
    assert_int_equal(judge(&record, false), HOLDER_RELEASED);
    assert_int_equal(judge(NULL, true), HOLDER_RELEASED);
    assert_int_equal(judge(NULL, false), HOLDER_FENCED);
    set_history(NULL);
    assert_int_equal(judge(NULL, false), HOLDER_IN_USE);
    write_program("stonith_admin", "#!/bin/sh\nexit 102\n");
    record = (struct holder_record){ .held = true, .node = "n1" };
    assert_true(judge(&record, true) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_read), cmocka_unit_test(test_write), cmocka_unit_test(test_judgement),
    };

    return cmocka_run_group_tests(tests, make_programs, remove_programs);
}
