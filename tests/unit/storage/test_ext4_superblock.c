/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "storage/ext4_superblock.h"
#include "storage/fsck.h"

static void make_superblock(uint8_t bytes[static EXT4_SUPERBLOCK_SIZE], unsigned int state_bits, bool journal)
{
    memset(bytes, 0, EXT4_SUPERBLOCK_SIZE);
    bytes[0x18] = 2; /* 4 KiB */
    bytes[0x38] = 0x53;
    bytes[0x39] = 0xef;
    bytes[0x3a] = (uint8_t)state_bits;
    bytes[0x5c] = journal ? 0x4 : 0;
    bytes[0x61] = 0x1; /* multi-mount protection */
    bytes[0x168] = 0x21;
    bytes[0x169] = 0x11;
}

static void test_superblock(void **state)
{
    uint8_t bytes[EXT4_SUPERBLOCK_SIZE];
    struct ext4_superblock super = { 0 };

    (void)state;
    make_superblock(bytes, 0x3, true);
    assert_int_equal(ext4_superblock_parse(bytes, sizeof(bytes), &super), 0);
    assert_true(super.has_journal && super.errors && super.clean && super.protected_);
    assert_int_equal(super.block_size, 4096);
    assert_int_equal(super.mmp_block, 0x1121);
    assert_int_equal(ext4_superblock_parse(bytes, sizeof(bytes) - 1, &super), -EBADMSG);
    bytes[0x38] = 0;
    assert_int_equal(ext4_superblock_parse(bytes, sizeof(bytes), &super), -EBADMSG);
    make_superblock(bytes, 1, true);
    bytes[0x18] = 7;
    assert_int_equal(ext4_superblock_parse(bytes, sizeof(bytes), &super), -EBADMSG);
}

static void test_mmp(void **state)
{
    uint8_t bytes[EXT4_MMP_SIZE] = { 0x50, 0x4d, 0x4d, 0x00, 0x50, 0x4d, 0x4d, 0xff };
    struct ext4_mmp mmp = { 0 };

    (void)state;
    memset(bytes + 0x10, 'n', 64); /* no end: the field is full */
    memcpy(bytes + 0x50, "sd\na", 4);
    bytes[0x70] = 5;
    assert_int_equal(ext4_mmp_parse(bytes, sizeof(bytes), &mmp), 0);
    assert_true(mmp.clean);
    assert_false(mmp.fsck);
    assert_int_equal(strlen(mmp.node), 64);
    assert_string_equal(mmp.device, "sd?a");
    assert_int_equal(mmp.check_interval_s, 5);
    bytes[7] = 0xe2;
    assert_int_equal(ext4_mmp_parse(bytes, sizeof(bytes), &mmp), 0);
    assert_true(mmp.fsck);
    bytes[0] = 0;
    assert_int_equal(ext4_mmp_parse(bytes, sizeof(bytes), &mmp), -EBADMSG);
    assert_int_equal(ext4_mmp_parse(bytes, 100, &mmp), -EBADMSG);
}

static void test_fsck_policy(void **state)
{
    struct superblock super = { .type = "ext4", .ext4_known = true, .ext4 = { .has_journal = true, .clean = false } };

    (void)state;
    assert_false(fsck_wanted(FSCK_AUTO, &super));
    assert_true(fsck_wanted(FSCK_FORCE, &super));
    super.ext4.errors = true;
    assert_true(fsck_wanted(FSCK_AUTO, &super));
    assert_false(fsck_wanted(FSCK_NO, &super));
    super.ext4 = (struct ext4_superblock){ .has_journal = false, .clean = false };
    assert_true(fsck_wanted(FSCK_AUTO, &super));
    super.ext4.clean = true;
    assert_false(fsck_wanted(FSCK_AUTO, &super));
    super = (struct superblock){ .type = "xfs" };
    assert_false(fsck_wanted(FSCK_AUTO, &super));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_superblock),
        cmocka_unit_test(test_mmp),
        cmocka_unit_test(test_fsck_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
