/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "storage/disk_serial.h"

static void test_equal(void **state)
{
    (void)state;
    assert_true(disk_serial_equal("vol0ab", "vol0ab", true));
    assert_false(disk_serial_equal("vol0a", "vol0ab", true));
    assert_false(disk_serial_equal("", "", true));
    assert_false(disk_serial_equal(NULL, "a", true));
    /* virtio carries 20 bytes of it; the same beginning of a shorter one is another disk. */
    assert_true(disk_serial_equal("1f2e3d4c-5b6a-4978-8", "1f2e3d4c-5b6a-4978-8899-aabbccddeeff", true));
    assert_false(disk_serial_equal("1f2e3d4c-5b6a-4978-8", "1f2e3d4c-5b6a-4978-8899-aabbccddeeff", false));
    assert_false(disk_serial_equal("1f2e3d4c-5b6a-4978-", "1f2e3d4c-5b6a-4978-8899-aabbccddeeff", true));
    assert_false(disk_serial_equal("1f2e3d4c-5b6a-4978-88", "1f2e3d4c-5b6a-4978-8899-aabbccddeeff", true));
}

static void test_page_80(void **state)
{
    static const unsigned char good[] = "\0\x80\0\x08 ab12  \0", other[] = "\0\x83\0\x02" "ab", empty[] = "\0\x80\0\x02  ", too_long[] = "\0\x80\0\x09" "ab";
    char serial[DISK_SERIAL_SIZE];

    (void)state;
    assert_int_equal(disk_serial_parse_vpd80(good, 12, serial, sizeof(serial)), 0);
    assert_string_equal(serial, "ab12");
    assert_int_equal(disk_serial_parse_vpd80(other, 6, serial, sizeof(serial)), -EBADMSG);
    assert_int_equal(disk_serial_parse_vpd80(empty, 6, serial, sizeof(serial)), -EBADMSG);
    assert_int_equal(disk_serial_parse_vpd80(too_long, 6, serial, sizeof(serial)), -EBADMSG);
    for (size_t length = 0; length < 12; length++)
        assert_int_equal(disk_serial_parse_vpd80(good, length, serial, sizeof(serial)), -EBADMSG);
}

static void test_no_such_disk(void **state)
{
    static const char *const wanted[] = { "vol-no-such-serial-number", NULL };
    struct disk_identity disk;
    int r = -EBUSY;

    (void)state;
    /* A disk of this machine may be asked by another test at the same time. */
    for (int tries = 0; tries < 10; tries++) {
        r = disk_find(wanted, deadline_in(20000), &disk);
        if (r != -ETIMEDOUT && r != -EBUSY)
            break;
    }
    assert_true(r == -ENODEV || r == -ENOENT);
    r = disk_wait(wanted, deadline_in(100), &disk);
    assert_true(r == -ENODEV || r == -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_equal), cmocka_unit_test(test_page_80), cmocka_unit_test(test_no_such_disk) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
