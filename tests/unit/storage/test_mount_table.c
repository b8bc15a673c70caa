/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/sysmacros.h>

#include "storage/mount_table.h"

static int parse(const char *text, struct mount_table *table)
{
    return mount_table_parse(text, strlen(text), table);
}

static void test_fields(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    assert_int_equal(parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n", &table), 0);
    assert_int_equal(table.count, 1);
    assert_int_equal(table.entries[0].id, 36);
    assert_int_equal(table.entries[0].parent_id, 35);
    assert_int_equal(table.entries[0].device, makedev(98, 0));
    assert_string_equal(table.entries[0].root, "/mnt1");
    assert_string_equal(table.entries[0].mount_point, "/mnt2");
    assert_string_equal(table.entries[0].options, "rw,noatime");
    assert_string_equal(table.entries[0].type, "ext3");
    assert_string_equal(table.entries[0].source, "/dev/root");
    assert_string_equal(table.entries[0].super_options, "rw,errors=continue");
    mount_table_free(&table);
}

static void test_escapes_and_empty_source(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    assert_int_equal(parse("1 0 8:1 / /a\\040b\\011c\\012d\\134040e rw - ext4  rw\n", &table), 0);
    assert_string_equal(table.entries[0].mount_point, "/a b\tc\nd\\040e");
    assert_string_equal(table.entries[0].source, "");
    assert_string_equal(table.entries[0].super_options, "rw");
    mount_table_free(&table);
}

static void test_a_cut_or_odd_line_is_refused(void **state)
{
    static const char *const bad[] = {
        "36", "36 35", "36 35 98 / /m rw - ext4 s rw\n", "36 35 98:x / /m rw - ext4 s rw\n", "x 35 98:0 / /m rw - ext4 s rw\n",
        "36 35 98:0 / /m rw shared:1 ext4 s rw\n", "36 35 98:0 / /m rw - ext4 s\n", "-1 35 98:0 / /m rw - ext4 s rw\n",
    };
    struct mount_table table = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse(bad[i], &table), -EBADMSG);
    assert_int_equal(mount_table_parse("1 0 8:1 / /\0 rw - a b c\n", 24, &table), -EBADMSG);
    assert_null(table.entries);
}

static void test_an_empty_table(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    assert_int_equal(mount_table_parse("", 0, &table), 0);
    assert_int_equal(table.count, 0);
    assert_null(mount_table_top(&table, "/"));
    mount_table_free(&table);
}

static void test_top_is_what_a_lookup_ends_on(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    /* /m from 8:1, covered by 8:2; /a/b below, then hidden by a mount on /a; /c/d on top of a mount on /c. */
    assert_int_equal(parse("1 0 8:0 / / rw - ext4 r rw\n"
                           "2 1 8:1 / /m rw - ext4 one rw\n"
                           "3 2 8:2 / /m rw - ext4 two rw\n"
                           "4 1 8:3 / /a/b rw - ext4 hidden rw\n"
                           "5 1 8:4 / /a rw - ext4 over rw\n"
                           "6 1 8:5 / /c rw - ext4 c rw\n"
                           "7 6 8:6 / /c/d rw - ext4 d rw\n",
                           &table),
                     0);
    assert_string_equal(mount_table_top(&table, "/m")->source, "two");
    assert_true(mount_table_covered(&table, &table.entries[1]));
    assert_null(mount_table_top(&table, "/a/b"));
    assert_string_equal(mount_table_top(&table, "/c/d")->source, "d");
    assert_string_equal(mount_table_top(&table, "/c")->source, "c");
    assert_null(mount_table_top(&table, "/c/"));
    mount_table_free(&table);
}

static void test_a_table_that_loops_ends(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    assert_int_equal(parse("1 2 8:0 / /x rw - a b c\n2 1 8:1 / /y rw - a b c\n3 3 8:1 / /z rw - a b c\n", &table), 0);
    (void)mount_table_top(&table, "/x");
    (void)mount_table_top(&table, "/z");
    mount_table_free(&table);
}

static void test_options(void **state)
{
    (void)state;
    assert_true(mount_option_present("rw,emergency_ro,x", "emergency_ro"));
    assert_true(mount_option_present("ro", "ro"));
    assert_true(mount_option_present("a,subvol=/x", "subvol"));
    assert_false(mount_option_present("rw,errors=remount-ro", "ro"));
    assert_false(mount_option_present("rodata,nro", "ro"));
    assert_false(mount_option_present("", "ro"));
    assert_false(mount_option_present(NULL, "ro"));
}

static void test_paths(void **state)
{
    (void)state;
    assert_true(path_is_within("/a/b", "/a"));
    assert_true(path_is_within("/a", "/a"));
    assert_true(path_is_within("/a", "/"));
    assert_false(path_is_within("/ab", "/a"));
    assert_false(path_is_within("/", "/a"));
    assert_false(path_is_within("x", "/"));
}

static void test_reads_this_process(void **state)
{
    struct mount_table table = { 0 };

    (void)state;
    assert_int_equal(mount_table_read(0, deadline_in(60000), &table), 0);
    assert_true(table.count > 0);
    assert_non_null(mount_table_top(&table, "/proc"));
    mount_table_free(&table);
    assert_int_equal(mount_table_read(0x3fffffff, deadline_in(60000), &table), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_escapes_and_empty_source),
        cmocka_unit_test(test_a_cut_or_odd_line_is_refused),
        cmocka_unit_test(test_an_empty_table),
        cmocka_unit_test(test_top_is_what_a_lookup_ends_on),
        cmocka_unit_test(test_a_table_that_loops_ends),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_reads_this_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
