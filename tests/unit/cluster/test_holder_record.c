/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who held a volume last: the record's text, and the judgement with a cibadmin and a stonith_admin that say what a test wants. */
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
    static const char *const bad[] = { "", "held", "held n1", "held n1 x", "held n1 -1", "kept n1 5", "held n1 5 x", "held n1 5 -6", "held n1 5 6 7", "held n1 5 9223372036854775807",
                                       "released", "held n1 5\nreleased n1 5" };
    struct holder_record record;

    (void)state;
    assert_int_equal(parse("held n1 1732300000\n", &record), 0);
    assert_true(record.held);
    assert_string_equal(record.node, "n1");
    assert_int_equal(record.fenced_s, 1732300000);
    assert_int_equal(record.hold, 0);
    assert_int_equal(parse("held n1 5 6 ", &record), 0);
    assert_int_equal(record.hold, 6);
    assert_int_equal(parse("released node.example 0", &record), 0);
    assert_false(record.held);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse(bad[i], &record), -EBADMSG);
}

static int parse_element(const char *text, struct holder_record *record)
{
    return holder_record_parse_element(text, strlen(text), record);
}

static void test_element(void **state)
{
    static const char *const bad[] = { "", "<nvpair />", "<nvpair id=\"i\"/>", "<nvpair value=\"held n1 7\"/>", "<nvpair id=\"i\" value=\"held n1 7\">",
                                       "<nvpair id=\"i\" value=\"held n1 7\"/><nvpair id=\"j\" value=\"\"/>", "<nvpair id=\"i\" value=\"held &quot;n1&quot; 7\"/>",
                                       "<nvpair id=\"i\" value=\"garbage\"/>", "<nvpair id=\"i\" value=\"held n1 7", "<nvpair id='i' value='held n1 7'/>",
                                       "<xpath-query><nvpair id=\"i\" value=\"held n1 7\"/></xpath-query>" };
    struct holder_record record;

    (void)state;
    assert_int_equal(parse_element("<nvpair id=\"opt-x\" name=\"vigil-holder-db\" value=\"held n1 7 3\"/>\n", &record), 1);
    assert_true(record.held);
    assert_int_equal(record.hold, 3);
    assert_string_equal(record.text, "held n1 7 3");
    assert_string_equal(record.element, "opt-x");
    /* Deleted by setting it to nothing. */
    assert_int_equal(parse_element("<nvpair id=\"i\" value=\"\"/>", &record), 0);
    assert_string_equal(record.element, "i");
    assert_string_equal(record.text, "");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse_element(bad[i], &record), -EBADMSG);
}

#define ANSWER(value) "#!/bin/sh\necho '<nvpair id=\"i\" name=\"vigil-holder-db\" value=\"" value "\"/>'\n"

static void test_read(void **state)
{
    struct holder_record record;

    (void)state;
    write_program("cibadmin", ANSWER("held n1 7") "echo noise >&2\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 1);
    assert_string_equal(record.node, "n1");
    assert_int_equal(holder_record_read("d'b", deadline_in(60000), &record), -EINVAL);
    write_program("cibadmin", "#!/bin/sh\nexit 105\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 0);
    assert_string_equal(record.element, "");
    write_program("cibadmin", ANSWER(""));
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), 0);
    /* A cluster that does not answer is not one without a record. */
    write_program("cibadmin", "#!/bin/sh\nexit 102\n");
    assert_int_equal(holder_record_read("db", deadline_in(2000), &record), -ENOTCONN);
    write_program("cibadmin", "#!/bin/sh\necho garbage\n");
    assert_int_equal(holder_record_read("db", deadline_in(60000), &record), -EBADMSG);
    write_program("cibadmin", "#!/bin/sh\nsleep 300\n");
    assert_int_equal(holder_record_read("db", deadline_in(300), &record), -ETIMEDOUT);
}

/* A cibadmin that notes how it was asked to change something and answers with a code, and is asked what is there now. */
static void set_change(const char *code, const char *now)
{
    _cleanup_free_ char *program = text_printf("#!/bin/sh\nif [ \"$1\" = --modify ]; then printf '%%s\\n' \"$@\" >%s/said; exit %s; fi\n%s\n", folder, code, now);

    write_program("cibadmin", program);
}

static void assert_said(const char *expected)
{
    _cleanup_free_ char *said = NULL, *path = text_printf("%s/said", folder);

    assert_int_equal(file_read(path, 4096, &said, NULL), 0);
    assert_string_equal(said, expected);
}

#define NOW(value) "echo '<nvpair id=\"i\" name=\"vigil-holder-db\" value=\"" value "\"/>'"

static void test_release(void **state)
{
    struct holder_record seen;

    (void)state;
    assert_int_equal(parse_element("<nvpair id=\"i\" value=\"held n1 7 2\"/>", &seen), 1);
    set_change("0", "exit 1");
    assert_int_equal(holder_record_release("db", &seen, deadline_in(60000)), 0);
    assert_said("--modify\n--xpath\n/cib/configuration/crm_config/cluster_property_set/nvpair[@id='i' and @value='held n1 7 2']\n"
                "--xml-text\n<nvpair id=\"i\" name=\"vigil-holder-db\" value=\"released n1 7 2\"/>\n");
    /* The text that was seen is no more there: another node's, another hold of this one, or none at all. */
    set_change("105", NOW("held n2 0 3"));
    assert_int_equal(holder_record_release("db", &seen, deadline_in(60000)), -ESTALE);
    set_change("105", NOW("held n1 7 4"));
    assert_int_equal(holder_record_release("db", &seen, deadline_in(60000)), -ESTALE);
    set_change("105", "exit 105");
    assert_int_equal(holder_record_release("db", &seen, deadline_in(60000)), -ESTALE);
    /* It was made, though nobody answered. */
    set_change("105", NOW("released n1 7 2"));
    assert_int_equal(holder_record_release("db", &seen, deadline_in(60000)), 0);
    set_change("1", "exit 1");
    assert_int_equal(holder_record_release("db", &seen, deadline_in(2000)), -ENOTCONN);
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

static void test_take(void **state)
{
    struct holder_record seen = { .held = false };

    (void)state;
    set_history("1970-01-01 00:00:09Z");
    /* Created, where there still is none. */
    set_change("0", "exit 1");
    assert_int_equal(holder_record_take("db:0", "n1", &seen, deadline_in(60000)), 0);
    assert_said("--modify\n--xpath\n/cib/configuration/crm_config[not(cluster_property_set/nvpair[@name='vigil-holder-db:0'])]/"
                "cluster_property_set[@id='cib-bootstrap-options']\n--xml-text\n<cluster_property_set id=\"cib-bootstrap-options\">"
                "<nvpair id=\"cib-bootstrap-options-vigil-holder-db.0\" name=\"vigil-holder-db:0\" value=\"held n1 9 1\"/></cluster_property_set>\n");
    set_change("105", NOW("held n2 0 1"));
    assert_int_equal(holder_record_take("db", "n1", &seen, deadline_in(60000)), -ESTALE);
    /* No set of options yet. */
    set_change("105", "exit 105");
    assert_int_equal(holder_record_take("db", "n1", &seen, deadline_in(2000)), -ENOTCONN);
    /* From another. */
    assert_int_equal(parse_element("<nvpair id=\"i\" value=\"released n2 7\"/>", &seen), 1);
    set_change("0", "exit 1");
    assert_int_equal(holder_record_take("db", "n1", &seen, deadline_in(60000)), 0);
    assert_said("--modify\n--xpath\n/cib/configuration/crm_config/cluster_property_set/nvpair[@id='i' and @value='released n2 7']\n"
                "--xml-text\n<nvpair id=\"i\" name=\"vigil-holder-db\" value=\"held n1 9 1\"/>\n");
    assert_int_equal(holder_record_take("db", "n<1", &seen, deadline_in(60000)), -EINVAL);
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
        cmocka_unit_test(test_text), cmocka_unit_test(test_element), cmocka_unit_test(test_read), cmocka_unit_test(test_release), cmocka_unit_test(test_take),
        cmocka_unit_test(test_judgement),
    };

    return cmocka_run_group_tests(tests, make_programs, remove_programs);
}
