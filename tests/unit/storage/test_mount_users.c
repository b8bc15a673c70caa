/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <signal.h>
#include <sys/sysmacros.h>

#include "storage/mount_release.h"
#include "storage/mount_users.h"

static bool matches(const char *line, const char *folder)
{
    return map_line_matches(line, strlen(line), makedev(8, 0x11), folder);
}

static void test_map_lines(void **state)
{
    (void)state;
    assert_true(matches("7f1-7f2 r-xp 00000000 08:11 1234    /m/lib.so", "/m"));
    assert_true(matches("7f1-7f2 r-xp 00000000 08:11 1234    /m/lib.so (deleted)", "/m"));
    assert_true(matches("7f1-7f2 r-xp 00000000 08:11 1234    /m x\\012y/lib", "/m x\ny"));
    assert_true(matches("7f1-7f2 r-xp 00000000 08:11 1234    /anything", ""));
    assert_false(matches("7f1-7f2 r-xp 00000000 08:12 1234    /m/lib.so", "/m"));
    assert_false(matches("7f1-7f2 r-xp 00000000 08:11 1234    /mm/lib.so", "/m"));
    assert_false(matches("7f1-7f2 r-xp 00000000 08:11 1234", "/m"));
    assert_false(matches("7f1-7f2 r-xp 00000000 08:11 1234    ", ""));
    assert_false(matches("7ffd000-7ffd001 rw-p 00000000 00:00 0    [stack]", "/m"));
    assert_false(matches("", "/m"));
    assert_false(matches("x", "/m"));
    assert_false(matches("a b c zz:11 1 /m/x", "/m"));
    assert_false(matches("a b c 0811 1 /m/x", "/m"));
}

static void test_fdinfo(void **state)
{
    uint64_t id = 0;
    static const char good[] = "pos:\t0\nflags:\t02\nmnt_id:\t29\nino:\t1\n";

    (void)state;
    assert_int_equal(fdinfo_mount_id(good, strlen(good), &id), 0);
    assert_int_equal(id, 29);
    assert_int_equal(fdinfo_mount_id("pos: 1\n", 7, &id), -ENODATA);
    assert_int_equal(fdinfo_mount_id("mnt_id:\n", 8, &id), -ENODATA);
    assert_int_equal(fdinfo_mount_id("xmnt_id:\t3\n", 11, &id), -ENODATA);
    assert_int_equal(fdinfo_mount_id("mnt_id:\t99999999999999999999999\n", 32, &id), -ENODATA);
    assert_int_equal(fdinfo_mount_id("", 0, &id), -ENODATA);
}

static uint64_t inode_of(const char *line, const char *folder)
{
    return unix_line_inode(line, strlen(line), folder);
}

static void test_unix_lines(void **state)
{
    (void)state;
    assert_int_equal(inode_of("0000000000000000: 00000002 00000000 00010000 0001 01 54321 /m/db.sock", "/m"), 54321);
    assert_int_equal(inode_of("0000000000000000: 00000002 00000000 00010000 0001 01 54321 /mm/db.sock", "/m"), 0);
    assert_int_equal(inode_of("0000000000000000: 00000002 00000000 00010000 0001 01 54321 @/m/db.sock", "/m"), 0);
    assert_int_equal(inode_of("0000000000000000: 00000002 00000000 00010000 0001 01 54321", "/m"), 0);
    assert_int_equal(inode_of("Num       RefCount Protocol Flags    Type St Inode Path", "/m"), 0);
    assert_int_equal(inode_of("", "/m"), 0);
}

static void test_signals(void **state)
{
    (void)state;
    assert_int_equal(signal_by_name("TERM", 4), SIGTERM);
    assert_int_equal(signal_by_name("sigkill", 7), SIGKILL);
    assert_int_equal(signal_by_name("9", 1), 9);
    assert_int_equal(signal_by_name("0", 1), -EINVAL);
    assert_int_equal(signal_by_name("NONSENSE", 8), -EINVAL);
    assert_int_equal(signal_by_name("", 0), -EINVAL);
    assert_int_equal(signal_by_name("TERMTERMTERMTERMTERM", 20), -EINVAL);
}

static void test_describe(void **state)
{
    struct mount_users *users = calloc(1, sizeof(*users));
    struct text_buffer text = { 0 };

    (void)state;
    assert_non_null(users);
    for (users->count = 0; users->count < 7; users->count++)
        users->users[users->count] = (struct mount_user){ .pid = 10 + (pid_t)users->count, .use = MOUNT_USE_FILE, .command = "cat" };
    users->users[1].untouchable = true;
    mount_users_describe(users, &text);
    assert_string_equal(text.text, "10 (cat: open file), 11 (cat: open file, not to be ended), 12 (cat: open file), 13 (cat: open file), "
                                   "14 (cat: open file) and 2 more");
    text_buffer_free(&text);
    free(users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_lines), cmocka_unit_test(test_fdinfo), cmocka_unit_test(test_unix_lines), cmocka_unit_test(test_signals), cmocka_unit_test(test_describe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
