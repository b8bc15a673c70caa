/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <unistd.h>

#include "storage/status_file.h"
#include "storage/volume.h"

static int open_with(const char *device, const char *directory, const char *options, char *ret_directory, size_t size)
{
    const struct volume_config config = { .device = device, .directory = directory, .options = options };
    struct volume volume;
    int r = volume_open(&volume, &config, deadline_in(1000));

    if (r == 0 && ret_directory)
        assert_true(text_copy(ret_directory, size, volume.directory) >= 0);
    assert_int_equal(r < 0, volume.why.length > 0);
    volume_close(&volume);
    return r;
}

static void test_directories(void **state)
{
    char directory[64];

    (void)state;
    assert_int_equal(open_with("/dev/x", "//a///b/", NULL, directory, sizeof(directory)), 0);
    assert_string_equal(directory, "/a/b");
    assert_int_equal(open_with("/dev/x", "/", NULL, NULL, 0), -EINVAL);
    assert_int_equal(open_with("/dev/x", "/a/../b", NULL, NULL, 0), -EINVAL);
    assert_int_equal(open_with("/dev/x", "/a/.", NULL, NULL, 0), -EINVAL);
    assert_int_equal(open_with("/dev/x", "/a/..b", NULL, NULL, 0), 0);
    assert_int_equal(open_with("sdx", "/a", NULL, NULL, 0), -EINVAL);
    assert_int_equal(open_with("UUID=1", "/a", "bind", NULL, 0), -EINVAL);
    assert_int_equal(open_with("/src", "/a", "ro,bind", NULL, 0), 0);
}

static void test_reasons(void **state)
{
    const struct volume_config config = { .device = "/dev/x", .directory = "/a", .options = "noatime,ro" };
    struct volume volume;

    (void)state;
    assert_int_equal(volume_open(&volume, &config, deadline_in(1000)), 0);
    assert_false(volume_wants_write(&volume));
    assert_int_equal(volume_fail(&volume, -EIO, "first %d", 1), -EIO);
    assert_int_equal(volume_fail(&volume, -EROFS, "second"), -EROFS);
    assert_string_equal(volume.why.text, "first 1");
    volume_note(&volume, "a");
    volume_note(&volume, "b");
    assert_string_equal(volume.notes.text, "a\nb");
    volume_close(&volume);
}

static void test_note(void **state)
{
    char *folder = unit_make_folder();
    char path[256];
    const struct volume_state state_in = { .asked = "UUID=a b", .mount_id = UINT64_C(0x80000001), .superblock = 2049, .block = 2050, .detached = true };
    struct volume_state out = { 0 };

    (void)state;
    assert_true(text_format(path, sizeof(path), "%s/note", folder) > 0);
    assert_int_equal(volume_state_read(path, &out), -ENOENT);
    assert_int_equal(volume_state_write(path, &state_in), 0);
    assert_int_equal(volume_state_read(path, &out), 0);
    assert_string_equal(out.asked, "UUID=a b");
    assert_int_equal(out.mount_id, state_in.mount_id);
    assert_int_equal(out.superblock, 2049);
    assert_int_equal(out.block, 2050);
    assert_true(out.detached);
    assert_int_equal(volume_state_read("", &out), -ENOENT);
    unit_remove_folder(folder);
}

static void test_damaged_notes(void **state)
{
    static const char *const bad[] = { "", "asked x", "asked x\nmount y\n", "mount 1\n", "asked\n", "asked x\nmount -1\n", "\n" };
    struct volume_state out = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(volume_state_parse(bad[i], strlen(bad[i]), &out), -EBADMSG);
    assert_int_equal(volume_state_parse("asked x\nlater y\n", 16, &out), 0);
    assert_int_equal(volume_state_parse("asked x\nlater 1\n", 16, &out), 0);
}

static void test_status_path(void **state)
{
    char path[128];

    (void)state;
    assert_int_equal(status_file_path("/m", ".Filesystem_status/", "db:0", "n/1", path, sizeof(path)), 0);
    assert_string_equal(path, "/m/.Filesystem_status/db:0_n_1");
    assert_int_equal(status_file_path("/m", "", "../../etc/passwd", "n", path, sizeof(path)), 0);
    assert_string_equal(path, "/m/.._.._etc_passwd_n");
    assert_int_equal(status_file_path("/m", "", "i", "n", path, 5), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories), cmocka_unit_test(test_reasons),     cmocka_unit_test(test_note),
        cmocka_unit_test(test_damaged_notes), cmocka_unit_test(test_status_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
