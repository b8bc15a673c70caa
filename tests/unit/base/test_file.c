/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static char *folder;

/* A path in the test's folder; the next call but three overwrites it. */
static const char *in_folder(const char *name)
{
    static char paths[4][512];
    static unsigned int next;
    char *path = paths[next++ % 4];

    assert_true(text_format(path, sizeof(paths[0]), "%s/%s", folder, name) > 0);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    folder = unit_make_folder();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

static void put(const char *path, mode_t mode, const char *bytes, size_t length)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, length), length);
}

static void check_content(const char *path, const char *wanted)
{
    _cleanup_free_ char *text = NULL;

    assert_int_equal(file_read(path, 65536, &text, NULL), 0);
    assert_string_equal(text, wanted);
}

static void test_read(void **state)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;

    (void)state;
    put(in_folder("a"), 0644, "a\0b\n", 4);
    assert_int_equal(file_read(in_folder("a"), 4, &text, &length), 0);
    assert_int_equal(length, 4);
    assert_memory_equal(text, "a\0b\n\0", 5);
    put(in_folder("a"), 0644, "", 0);
    free(TAKE_PTR(text));
    assert_int_equal(file_read(in_folder("a"), 0, &text, &length), 0);
    assert_int_equal(length, 0);
    assert_string_equal(text, "");
}

static void test_read_is_bounded(void **state)
{
    static char block[9000];
    _cleanup_free_ char *text = NULL;
    size_t length = 4711;

    (void)state;
    memset(block, 'x', sizeof(block));
    for (size_t size = 4095; size < sizeof(block); size += size < 4097 ? 1 : 4095) {
        put(in_folder("a"), 0644, block, size);
        length = 4711;
        assert_int_equal(file_read(in_folder("a"), size - 1, &text, &length), -EFBIG);
        assert_null(text);
        assert_int_equal(length, 4711);
        assert_int_equal(file_read(in_folder("a"), size, &text, &length), 0);
        assert_int_equal(length, size);
        free(TAKE_PTR(text));
    }
    assert_int_equal(file_read("/dev/zero", 100000, &text, NULL), -EFBIG);
    assert_int_equal(file_read(in_folder("none"), 1, &text, NULL), -ENOENT);
    assert_int_equal(file_read(folder, 1, &text, NULL), -EISDIR);
    assert_null(text);
}

/* /proc tells no size. */
static void test_read_proc(void **state)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;

    (void)state;
    assert_int_equal(file_read("/proc/self/maps", 1 << 20, &text, &length), 0);
    assert_true(length > 0);
    assert_int_equal(strlen(text), length);
}

static void test_read_line(void **state)
{
    char line[8] = "";

    (void)state;
    put(in_folder("a"), 0644, "one\ntwo\n", 8);
    assert_int_equal(file_read_line(in_folder("a"), line, sizeof(line)), 3);
    assert_string_equal(line, "one");
    put(in_folder("a"), 0644, "12345678901", 11);
    assert_int_equal(file_read_line(in_folder("a"), line, sizeof(line)), 7);
    assert_string_equal(line, "1234567");
    put(in_folder("a"), 0644, "\n", 1);
    assert_int_equal(file_read_line(in_folder("a"), line, sizeof(line)), 0);
    assert_int_equal(file_read_line(in_folder("none"), line, sizeof(line)), -ENOENT);
}

static void test_write_replaces(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(file_write(in_folder("a"), 0600, "old", 3), 0);
    check_content(in_folder("a"), "old");
    assert_int_equal(stat(in_folder("a"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(file_write(in_folder("a"), 0600, "new one", 7), 0);
    check_content(in_folder("a"), "new one");
    assert_int_equal(file_write(in_folder("none/a"), 0600, "x", 1), -ENOENT);
}

static size_t count_entries(void)
{
    _cleanup_closedir_ DIR *directory = opendir(folder);
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    return count - 2;
}

/* Whatever fails, a reader sees the old or the new content, and no temporary file stays behind. */
static void test_torture_write(void **state)
{
    static const int errors[] = { EIO, ENOSPC };
    size_t fds = unit_count_fds();

    (void)state;
    assert_int_equal(file_write(in_folder("a"), 0600, "old", 3), 0);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        for (unsigned int turn = 1; fault_next(turn, errors[i]); turn++) {
            int r = file_write(in_folder("a"), 0600, "new", 3);
            _cleanup_free_ char *text = NULL;

            fault_end();
            assert_int_equal(count_entries(), 1);
            assert_int_equal(unit_count_fds(), fds);
            assert_int_equal(file_read(in_folder("a"), 100, &text, NULL), 0);
            if (fault_hit() && r == 0)
                fail_msg("%s failed at turn %u and the write says success", fault_name(), turn);
            if (r == 0)
                assert_string_equal(text, "new");
            assert_true(strcmp(text, "old") == 0 || strcmp(text, "new") == 0);
            assert_int_equal(file_write(in_folder("a"), 0600, "old", 3), 0);
        }
    }
}

static void test_torture_read(void **state)
{
    size_t fds = unit_count_fds();

    (void)state;
    put(in_folder("a"), 0600, "content", 7);
    for (unsigned int turn = 1; fault_next(turn, EIO); turn++) {
        _cleanup_free_ char *text = NULL, *secret = NULL;
        char line[16] = "";
        int r = file_read(in_folder("a"), 100, &text, NULL);
        int line_length = file_read_line(in_folder("a"), line, sizeof(line));
        int secret_result = file_read_secret(in_folder("a"), &secret);
        int lock = file_lock(in_folder("lock"), deadline_in(1000));

        fault_end();
        if (lock >= 0)
            (void)close(lock);
        assert_int_equal(unit_count_fds(), fds);
        if (fault_hit() && r == 0 && line_length == 7 && secret_result == 0 && lock >= 0)
            fail_msg("%s failed at turn %u and nothing says so", fault_name(), turn);
        assert_true(r == 0 ? text && strcmp(text, "content") == 0 : !text);
        assert_true(secret_result == 0 ? secret && strcmp(secret, "content") == 0 : !secret);
    }
}

static void test_make_directory(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(file_make_directory(in_folder("x/y/z"), 0700), 0);
    assert_int_equal(stat(in_folder("x/y/z"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat(in_folder("x/y"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_int_equal(file_make_directory(in_folder("x/y/z"), 0700), 0);
    put(in_folder("file"), 0644, "", 0);
    assert_int_equal(file_make_directory(in_folder("file/x"), 0700), -ENOTDIR);
}

static void test_lock_excludes(void **state)
{
    _cleanup_close_ int first = file_lock(in_folder("lock"), deadline_in(0));
    int second;

    (void)state;
    assert_true(first >= 0);
    second = file_lock(in_folder("lock"), deadline_in(50));
    assert_int_equal(second, -ETIMEDOUT);
    cleanup_close(&first);
    first = -1;
    second = file_lock(in_folder("lock"), deadline_in(0));
    assert_true(second >= 0);
    (void)close(second);
    assert_int_equal(file_lock(in_folder("none/lock"), deadline_in(0)), -ENOENT);
}

/* A link under the lock's name must not make us write elsewhere. */
static void test_lock_follows_no_link(void **state)
{
    (void)state;
    assert_int_equal(symlink("target", in_folder("lock")), 0);
    assert_int_equal(file_lock(in_folder("lock"), deadline_in(0)), -ELOOP);
    assert_int_equal(access(in_folder("target"), F_OK), -1);
}

static void check_secret(mode_t mode, int result)
{
    char *secret = NULL;
    int r;

    put(in_folder("secret"), mode, "s3 cret\nnext line\n", 18);
    r = file_read_secret(in_folder("secret"), &secret);
    if (r != result)
        fail_msg("mode %o gives %d", (unsigned int)mode, r);
    if (r == 0)
        assert_string_equal(secret, "s3 cret");
    else
        assert_null(secret);
    file_wipe_secret(secret);
}

static void test_secret_modes(void **state)
{
    (void)state;
    check_secret(0600, 0);
    check_secret(0400, 0);
    check_secret(0604, -EPERM);
    check_secret(0602, -EPERM);
    check_secret(0620, -EPERM);
    check_secret(0601, -EPERM);
    check_secret(0666, -EPERM);
    /* Group read only for root's own group. */
    check_secret(0640, getegid() == 0 ? 0 : -EPERM);
}

static void test_secret_owner_and_kind(void **state)
{
    char *secret = NULL;

    (void)state;
    put(in_folder("secret"), 0600, "x", 1);
    if (geteuid() == 0) {
        assert_int_equal(chown(in_folder("secret"), 1, 0), 0);
        assert_int_equal(file_read_secret(in_folder("secret"), &secret), -EPERM);
    }
    assert_int_equal(file_read_secret(folder, &secret), -EPERM);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    /* Must not wait for a writer. */
    assert_int_equal(file_read_secret(in_folder("fifo"), &secret), -EPERM);
    assert_int_equal(file_read_secret(in_folder("none"), &secret), -ENOENT);
    put(in_folder("empty"), 0600, "", 0);
    assert_int_equal(file_read_secret(in_folder("empty"), &secret), -ENODATA);
    put(in_folder("empty"), 0600, "\nsecond", 7);
    assert_int_equal(file_read_secret(in_folder("empty"), &secret), -ENODATA);
    assert_null(secret);
    file_wipe_secret(NULL);
}

static void test_secret_from_dos(void **state)
{
    char *secret = NULL;

    (void)state;
    put(in_folder("secret"), 0600, "pass\r\n", 6);
    assert_int_equal(file_read_secret(in_folder("secret"), &secret), 0);
    assert_string_equal(secret, "pass");
    file_wipe_secret(secret);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_read),           test(test_read_is_bounded),        test(test_read_proc),
        test(test_read_line),      test(test_write_replaces),         test(test_torture_write),
        test(test_torture_read),   test(test_make_directory),         test(test_lock_excludes),
        test(test_lock_follows_no_link), test(test_secret_modes),     test(test_secret_owner_and_kind),
        test(test_secret_from_dos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
