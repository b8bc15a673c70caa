/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What layers read and refuse: uevents, LVM's reports, the parameters of several layers together. */
#include "unit.h"

#include "base/cleanup.h"
#include "storage/lvm_report.h"
#include "storage/reservation.h"
#include "storage/uevent.h"
#include "storage/volume.h"

#define UUID "4lTrfR-mnlz-1234-abcd-EFGH-ijkl-mnopqr"
#define PLAIN_UUID "4lTrfRmnlz1234abcdEFGHijklmnopqr"

static void test_uevents(void **state)
{
    static const char add[] = "add@/devices/x/block/sdb\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=block\0DEVNAME=sdb";
    static const char removal[] = "remove@/devices/x\0ACTION=remove\0SUBSYSTEM=block";
    static const char other[] = "add@/devices/x\0ACTION=add\0SUBSYSTEM=scsi";
    struct uevent event;

    (void)state;
    assert_int_equal(uevent_parse(add, sizeof(add), &event), 0);
    assert_string_equal(event.name, "sdb");
    assert_true(uevent_brings_block(&event));
    assert_int_equal(uevent_parse(removal, sizeof(removal), &event), 0);
    assert_false(uevent_brings_block(&event));
    assert_int_equal(uevent_parse(other, sizeof(other), &event), 0);
    assert_false(uevent_brings_block(&event));
    assert_int_equal(uevent_parse(add, sizeof(add) - 1, &event), -EBADMSG);
    assert_int_equal(uevent_parse("", 0, &event), -EBADMSG);
    assert_int_equal(uevent_parse("libudev", 8, &event), -EBADMSG);
}

static int parse_group(const char *text, struct lvm_group *group)
{
    return lvm_group_parse(text, strlen(text), group);
}

static void test_groups(void **state)
{
    struct lvm_group group;

    (void)state;
    assert_int_equal(parse_group("  WARNING: something | odd\n  " UUID "|n1|none|0||enabled\n", &group), 0);
    assert_string_equal(group.uuid, PLAIN_UUID);
    assert_string_equal(group.system_id, "n1");
    assert_int_equal(group.missing, 0);
    assert_false(group.exported);
    assert_true(group.autoactivation);
    assert_int_equal(parse_group("  " UUID "||sanlock|2|exported|\n", &group), 0);
    assert_string_equal(group.system_id, "");
    assert_string_equal(group.lock_type, "sanlock");
    assert_int_equal(group.missing, 2);
    assert_true(group.exported);
    assert_false(group.autoactivation);
    assert_int_equal(parse_group("  Volume group \"vg\" not found\n", &group), -ENOENT);
    assert_int_equal(parse_group("", &group), -ENOENT);
    assert_int_equal(parse_group("  " UUID "|n1|none|x||\n", &group), -ENOENT);
    assert_int_equal(parse_group("  " UUID "|n1|none|0||\n  " UUID "|n2|none|0||\n", &group), -ENOTUNIQ);
    assert_int_equal(parse_group("  short|n1|none|0||\n", &group), -ENOENT);
}

static void test_system_ids(void **state)
{
    char id[16];

    (void)state;
    assert_int_equal(lvm_system_id_parse("  system ID: n1\n", 16, id, sizeof(id)), 0);
    assert_string_equal(id, "n1");
    assert_int_equal(lvm_system_id_parse("  system ID: \n", 14, id, sizeof(id)), -ENOENT);
    assert_int_equal(lvm_system_id_parse("  system ID: a-name-of-more-than-there-is-room\n", 47, id, sizeof(id)), -ENOENT);
    assert_int_equal(lvm_system_id_parse("", 0, id, sizeof(id)), -ENOENT);
}

static int open_with(struct volume_config config)
{
    struct volume volume;
    int r;

    config.directory = "/mnt";
    r = volume_open(&volume, &config, deadline_in(1000));
    assert_int_equal(r < 0, volume.why.length > 0);
    if (r == 0 && config.disks)
        assert_int_equal(volume.disk_count, text_count_words(config.disks, " "));
    volume_close(&volume);
    return r;
}

static void test_configurations(void **state)
{
    const int reservation = RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS;

    (void)state;
    assert_int_equal(open_with((struct volume_config){ .device = "/dev/vg/lv", .disks = "WWN=0x6001405 /dev/mapper/mpathb" }), 0);
    assert_int_equal(open_with((struct volume_config){ .device = "/dev/vg/lv", .disks = "WWN=0x6001405 sdb" }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "/dev/mapper/mpatha", .reservation = reservation }), 0);
    assert_int_equal(open_with((struct volume_config){ .device = "WWN=0x6001405", .reservation = reservation }), 0);
    /* What is mounted is not the LUN. */
    assert_int_equal(open_with((struct volume_config){ .device = "UUID=1-2", .reservation = reservation }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "/dev/vg/lv", .reservation = reservation, .volume_group = "vg" }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "/dev/vg/lv", .reservation = reservation, .volume_group = "vg", .disks = "WWN=1" }), 0);
    /* What has no LUN. */
    assert_int_equal(open_with((struct volume_config){ .device = "server:/export", .type = "nfs" }), 0);
    assert_int_equal(open_with((struct volume_config){ .device = "//server/share", .type = "cifs" }), 0);
    assert_int_equal(open_with((struct volume_config){ .device = "server:/export", .type = "ext4" }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "server:/export" }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "server:/export", .type = "nfs4", .reservation = reservation }), -EINVAL);
    assert_int_equal(open_with((struct volume_config){ .device = "/src", .options = "bind", .volume_group = "vg" }), -EINVAL);
}

static void test_degraded(void **state)
{
    const struct volume_config config = { .device = "/dev/x", .directory = "/a" };
    struct volume volume;

    (void)state;
    assert_int_equal(volume_open(&volume, &config, deadline_in(1000)), 0);
    volume_degrade(&volume, "one path of %d", 2);
    volume_degrade(&volume, "a session");
    assert_string_equal(volume.degraded.text, "one path of 2; a session");
    assert_int_equal(volume.why.length, 0);
    volume_close(&volume);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uevents),        cmocka_unit_test(test_groups),   cmocka_unit_test(test_system_ids),
        cmocka_unit_test(test_configurations), cmocka_unit_test(test_degraded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
