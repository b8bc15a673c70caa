/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of the device mapper, and what a multipath map says of its paths: as the kernel writes them, cut, and false. */
#include "unit.h"

#include <linux/dm-ioctl.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "storage/device_mapper.h"
#include "storage/multipath_map.h"

/* As an x86 kernel of 6.1 printed them for a map of two iSCSI disks, one path failed, and for other selectors. */
static const char two_groups[] = "2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 F 3 0 1 ";
static const char one_group[] = "2 0 1 0 1 1 A 0 2 0 8:0 A 0 65:16 A 1 ";
static const char historical[] = "2 0 0 0 1 1 E 1 0 2 4 8:16 F 1 0 1 0 0 8:32 F 1 0 1 0 0 ";

static void test_status(void **state)
{
    struct multipath_map map;

    (void)state;
    assert_int_equal(multipath_status_parse(two_groups, &map), 0);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.active, 1);
    assert_true(map.paths[0].number == makedev(8, 16) && map.paths[0].active);
    assert_true(map.paths[1].number == makedev(8, 32) && !map.paths[1].active);
    assert_int_equal(multipath_status_parse(one_group, &map), 0);
    assert_int_equal(map.active, 2);
    assert_true(map.paths[1].number == makedev(65, 16));
    assert_int_equal(multipath_status_parse(historical, &map), 0);
    assert_int_equal(map.count, 2);
    assert_int_equal(map.active, 0);
    assert_int_equal(multipath_status_parse("2 0 0 0 0 0 ", &map), 0);
    assert_int_equal(map.count, 0);
}

/* Every cut of a status is refused, or it could tell of fewer paths than there are. */
static void test_cut_status(void **state)
{
    static const char *const whole[] = { two_groups, one_group, historical };
    struct multipath_map map = { .count = 77 };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        /* The last word may lose its end and stay a number: what is asked for is the last path's own word. */
        for (size_t length = 0; length + 2 < strlen(whole[i]); length++) {
            const char *last = strrchr(whole[i], ':');

            if (whole[i] + length > last)
                break;
            memcpy(text, whole[i], length);
            text[length] = '\0';
            assert_int_equal(multipath_status_parse(text, &map), -EBADMSG);
            assert_int_equal(map.count, 77);
        }
    }
    assert_int_equal(multipath_status_parse("2 0 0 0 1 1 X 0 1 0 8:0 A 0", &map), -EBADMSG);
    assert_int_equal(multipath_status_parse("2 0 0 0 1 1 A 0 1 0 8:0 Z 0", &map), -EBADMSG);
    assert_int_equal(multipath_status_parse("2 0 0 0 1 1 A 0 1 0 sda A 0", &map), -EBADMSG);
    assert_int_equal(multipath_status_parse("2 0 0 0 1 1 A 0 99999 0 8:0 A 0", &map), -EBADMSG);
    assert_int_equal(multipath_status_parse("-1 0 0", &map), -EBADMSG);
}

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(multipath_table_queues("1 queue_if_no_path 0 1 1 round-robin 0 1 1 8:16 1"), 1);
    assert_int_equal(multipath_table_queues("3 retain_attached_hw_handler queue_if_no_path pg_init_retries 1 alua 1 1"), 1);
    assert_int_equal(multipath_table_queues("0 0 1 1 round-robin 0 1 1 8:16 1"), 0);
    /* A name of a handler or selector is none. */
    assert_int_equal(multipath_table_queues("1 retain_attached_hw_handler 1 queue_if_no_path"), 0);
    assert_int_equal(multipath_table_queues("2 one"), -EBADMSG);
    assert_int_equal(multipath_table_queues(""), -EBADMSG);
}

struct reply {
    struct dm_ioctl head;
    char data[512];
};

static void set_reply(struct reply *reply, uint32_t targets, size_t data_size)
{
    memset(reply, 0, sizeof(*reply));
    reply->head.data_start = sizeof(reply->head);
    reply->head.data_size = (uint32_t)(sizeof(reply->head) + data_size);
    reply->head.target_count = targets;
}

static void test_head(void **state)
{
    struct reply reply;
    struct dm_device device;

    (void)state;
    set_reply(&reply, 0, 0);
    reply.head.flags = DM_ACTIVE_PRESENT_FLAG | DM_READONLY_FLAG;
    reply.head.dev = 3 | (254 << 8);
    (void)text_copy(reply.head.name, sizeof(reply.head.name), "vg-lv");
    (void)text_copy(reply.head.uuid, sizeof(reply.head.uuid), "LVM-x");
    assert_int_equal(dm_reply_parse(&reply, sizeof(reply), &device), 0);
    assert_true(device.active && device.read_only && !device.suspended);
    assert_true(device.number == makedev(254, 3));
    assert_string_equal(device.name, "vg-lv");
    /* A minor above 255 */
    reply.head.dev = (300 & 0xff) | (254 << 8) | ((uint64_t)(300 & ~0xff) << 12);
    assert_int_equal(dm_reply_parse(&reply, sizeof(reply), &device), 0);
    assert_true(device.number == makedev(254, 300));
    memset(reply.head.name, 'x', sizeof(reply.head.name));
    assert_int_equal(dm_reply_parse(&reply, sizeof(reply), &device), -EBADMSG);
    assert_int_equal(dm_reply_parse(&reply, 20, &device), -EBADMSG);
}

static void put_target(struct reply *reply, size_t at, const char *type, const char *text, uint32_t next)
{
    struct dm_target_spec spec = { .next = next };

    (void)text_copy(spec.target_type, sizeof(spec.target_type), type);
    memcpy(reply->data + at, &spec, sizeof(spec));
    memcpy(reply->data + at + sizeof(spec), text, strlen(text) + 1);
}

static void test_targets(void **state)
{
    struct reply reply;
    struct dm_target target;
    size_t cursor = 0;

    (void)state;
    set_reply(&reply, 2, 192);
    put_target(&reply, 0, "linear", "8:16 0", 64);
    put_target(&reply, 64, "multipath", one_group, 192);
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), 1);
    assert_string_equal(target.type, "linear");
    assert_string_equal(target.text, "8:16 0");
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), 1);
    assert_string_equal(target.type, "multipath");
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), 0);
    /* A chain that does not go on, or that leads out. */
    put_target(&reply, 0, "linear", "8:16 0", 0);
    cursor = 0;
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), -EBADMSG);
    put_target(&reply, 0, "linear", "8:16 0", 400);
    cursor = 0;
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), -EBADMSG);
    reply.head.data_size = sizeof(reply) + 1;
    cursor = 0;
    assert_int_equal(dm_reply_next_target(&reply, sizeof(reply), &cursor, &target), -EBADMSG);
}

static void test_names(void **state)
{
    struct reply reply;
    struct dm_name_list entry = { .dev = 254 << 8, .next = 32 };
    const char *name;
    size_t cursor = 0;
    dev_t number;

    (void)state;
    set_reply(&reply, 0, 64);
    memcpy(reply.data, &entry, offsetof(struct dm_name_list, name));
    memcpy(reply.data + offsetof(struct dm_name_list, name), "mpatha", 7);
    entry.dev |= 1;
    entry.next = 0;
    memcpy(reply.data + 32, &entry, offsetof(struct dm_name_list, name));
    memcpy(reply.data + 32 + offsetof(struct dm_name_list, name), "vg-lv", 6);
    assert_int_equal(dm_reply_next_name(&reply, sizeof(reply), &cursor, &name, &number), 1);
    assert_string_equal(name, "mpatha");
    assert_int_equal(dm_reply_next_name(&reply, sizeof(reply), &cursor, &name, &number), 1);
    assert_string_equal(name, "vg-lv");
    assert_true(number == makedev(254, 1));
    assert_int_equal(dm_reply_next_name(&reply, sizeof(reply), &cursor, &name, &number), 0);
    /* No device at all: one entry of number 0. */
    set_reply(&reply, 0, 64);
    cursor = 0;
    assert_int_equal(dm_reply_next_name(&reply, sizeof(reply), &cursor, &name, &number), 0);
}

static void test_lvm_names(void **state)
{
    char name[32];

    (void)state;
    assert_int_equal(device_mapper_lvm_name("vg", "lv", name, sizeof(name)), 0);
    assert_string_equal(name, "vg-lv");
    assert_int_equal(device_mapper_lvm_name("my-vg", "a--b", name, sizeof(name)), 0);
    assert_string_equal(name, "my--vg-a----b");
    assert_int_equal(device_mapper_lvm_name("vg", "", name, sizeof(name)), 0);
    assert_string_equal(name, "vg-");
    assert_int_equal(device_mapper_lvm_name("vg", "0123456789012345678901234567", name, sizeof(name)), 0);
    assert_int_equal(device_mapper_lvm_name("vg", "01234567890123456789012345678", name, sizeof(name)), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),  cmocka_unit_test(test_cut_status), cmocka_unit_test(test_table),     cmocka_unit_test(test_head),
        cmocka_unit_test(test_targets), cmocka_unit_test(test_names),      cmocka_unit_test(test_lvm_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
