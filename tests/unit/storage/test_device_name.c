/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "storage/device_find.h"
#include "storage/device_name.h"

static void test_forms(void **state)
{
    static const struct {
        const char *text;
        enum device_kind kind;
        const char *value;
    } good[] = {
        { "/dev/sdb1", DEVICE_PATH, "/dev/sdb1" },
        { "UUID=1234-ABCD", DEVICE_UUID, "1234-ABCD" },
        { "LABEL=my data", DEVICE_LABEL, "my data" },
        { "PARTUUID=x", DEVICE_PARTUUID, "x" },
        { "PARTLABEL=x=y", DEVICE_PARTLABEL, "x=y" },
        { "WWN=0x600140501", DEVICE_WWN, "0x600140501" },
        { "-U 12-34", DEVICE_UUID, "12-34" },
        { "-U12-34", DEVICE_UUID, "12-34" },
        { "-L   data", DEVICE_LABEL, "data" },
        { "/dev/disk/by-uuid/12-34", DEVICE_UUID, "12-34" },
        { "/dev/disk/by-label/my\\x20data\\x2f1", DEVICE_LABEL, "my data/1" },
        { "/dev/disk/by-partuuid/ab", DEVICE_PARTUUID, "ab" },
        { "/dev/disk/by-id/wwn-0x6001405", DEVICE_WWN, "0x6001405" },
        { "/dev/disk/by-id/wwn-0x6001405-part1", DEVICE_PATH, "/dev/disk/by-id/wwn-0x6001405-part1" },
        { "/dev/disk/by-id/scsi-36001405", DEVICE_PATH, "/dev/disk/by-id/scsi-36001405" },
        { "/dev/disk/by-uuid/", DEVICE_PATH, "/dev/disk/by-uuid/" },
        { "/dev/disk/by-uuid/a/b", DEVICE_PATH, "/dev/disk/by-uuid/a/b" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct device_name name = { 0 };

        assert_int_equal(device_name_parse(good[i].text, &name), 0);
        assert_int_equal(name.kind, good[i].kind);
        assert_string_equal(name.value, good[i].value);
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = { "", "sdb1", "UUID=", "-U", "-U  ", "LABEL", "uuid=1", "dev/sdb", "-X y", "server:/export" };
    char text[400];
    struct device_name name = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(device_name_parse(bad[i], &name), -EINVAL);
    memset(text, 'x', sizeof(text) - 1);
    text[0] = '/';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(device_name_parse(text, &name), -ENAMETOOLONG);
}

static void test_wwn(void **state)
{
    (void)state;
    assert_true(device_wwn_equal("wwn-0x6001405ABC", "naa.6001405abc"));
    assert_true(device_wwn_equal("scsi-36001405abc", "0x6001405abc"));
    assert_true(device_wwn_equal("mpath-36001405abc", "6001405abc"));
    assert_true(device_wwn_equal("dm-uuid-mpath-36001405abc", "naa.6001405abc"));
    assert_true(device_wwn_equal("nvme-eui.0025385b", "eui.0025385B"));
    assert_false(device_wwn_equal("naa.6001405abc", "naa.6001405abd"));
    assert_false(device_wwn_equal("naa.6001405ab", "naa.6001405abc"));
    assert_false(device_wwn_equal("naa.", "wwn-0x"));
    assert_false(device_wwn_equal("", ""));
}

static void test_superblock_name(void **state)
{
    const struct superblock superblock = { .uuid = "12AB", .label = "data", .part_uuid = "pp" };
    struct device_name name = { 0 };

    (void)state;
    assert_int_equal(device_name_parse("UUID=12ab", &name), 0);
    assert_true(superblock_has_name(&superblock, &name));
    assert_int_equal(device_name_parse("LABEL=Data", &name), 0);
    assert_false(superblock_has_name(&superblock, &name));
    assert_int_equal(device_name_parse("PARTUUID=PP", &name), 0);
    assert_true(superblock_has_name(&superblock, &name));
    assert_int_equal(device_name_parse("PARTLABEL=pp", &name), 0);
    assert_false(superblock_has_name(&superblock, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_refused), cmocka_unit_test(test_wwn), cmocka_unit_test(test_superblock_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
