/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "storage/mount_point.h"

/* Both ways of looking agree. */
static void test_the_two_ways_agree(void **state)
{
    static const char *const folders[] = { "/proc", "/sys", "/dev", "/", "/etc", "/no/such/folder" };

    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct mount_point direct = { 0 }, table = { 0 };

        assert_int_equal(mount_point_look(folders[i], deadline_in(60000), &direct), 0);
        assert_int_equal(mount_point_look_in_table(folders[i], deadline_in(60000), &table), 0);
        assert_int_equal(direct.mounted, table.mounted);
        if (!direct.mounted)
            continue;
        assert_int_equal(direct.device, table.device);
        assert_string_equal(direct.type, table.type);
        assert_int_equal(direct.read_only, table.read_only);
        assert_int_equal(direct.shut_down, table.shut_down);
        if (direct.root[0])
            assert_string_equal(direct.root, table.root);
    }
}

static void test_proc_is_mounted(void **state)
{
    struct mount_point mount = { 0 };

    (void)state;
    assert_int_equal(mount_point_look("/proc", deadline_in(60000), &mount), 0);
    assert_true(mount.mounted);
    assert_string_equal(mount.type, "proc");
    assert_int_equal(mount_point_look("/proc/self", deadline_in(60000), &mount), 0);
    assert_false(mount.mounted);
}

static void test_ids(void **state)
{
    struct mount_point mount = { 0 };
    int r;

    (void)state;
    assert_int_equal(mount_point_look("/proc", deadline_in(60000), &mount), 0);
    r = mount_id_exists(mount.id);
    if (r >= 0)
        assert_int_equal(r, 1);
    r = mount_id_exists(UINT64_C(1) << 60);
    assert_true(r == 0 || r == -ENOSYS || r == -EPERM);
}

static void test_shut_down(void **state)
{
    (void)state;
    assert_true(mount_options_shut_down("rw,shutdown"));
    assert_true(mount_options_shut_down("emergency_ro,rw"));
    assert_false(mount_options_shut_down("rw,errors=remount-ro"));
    assert_false(mount_options_shut_down(""));
}

static void test_resolve(void **state)
{
    char path[64];

    (void)state;
    assert_int_equal(path_resolve("/proc/../proc", deadline_in(60000), path, sizeof(path)), 0);
    assert_string_equal(path, "/proc");
    assert_int_equal(path_resolve("/no/such", deadline_in(60000), path, sizeof(path)), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_two_ways_agree), cmocka_unit_test(test_proc_is_mounted), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_shut_down), cmocka_unit_test(test_resolve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
