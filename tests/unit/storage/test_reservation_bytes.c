/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "storage/iscsi_url.h"
#include "storage/nvme_reservation.h"
#include "storage/scsi_reservation.h"

static void test_key_make(void **state)
{
    uint64_t one, other, node_1;
    uint32_t id = 0;

    (void)state;
    assert_int_equal(reservation_key_make("hacluster", 1, &one), 0);
    assert_int_equal(reservation_key_make("hacluster", UINT32_MAX, &other), 0);
    assert_int_equal(reservation_key_make("hacluster2", 1, &node_1), 0);
    assert_true(one != node_1 && one != 0);
    assert_true(one >> 56 == 'V' && (uint32_t)one == 1);
    assert_int_equal(reservation_key_node("hacluster", other, &id), 0);
    assert_true(id == UINT32_MAX);
    assert_int_equal(reservation_key_node("hacluster", node_1, &id), -ENOENT);
    assert_int_equal(reservation_key_node("hacluster", 1, &id), -ENOENT);
    assert_int_equal(reservation_key_node("hacluster", one & ~UINT64_C(0xffffffff), &id), -ENOENT);
    assert_int_equal(reservation_key_make("", 1, &one), -EINVAL);
    assert_int_equal(reservation_key_make(NULL, 1, &one), -EINVAL);
    assert_int_equal(reservation_key_make("hacluster", 0, &one), -EINVAL);
    /* On disks of clusters that are up: it must never change. */
    assert_true(one == UINT64_C(0x56b3118300000001));
}

static void test_key_text(void **state)
{
    static const char *const same[] = { "1", "0x1", "0x0001", "0x0000000000000001", "0000000000000001", "0X1" };
    static const char *const bad[] = { "", "0", "0x", "0x0", "g", "0x12345678901234567", "1 ", " 1", "-1", "0x1x" };
    char text[RESERVATION_KEY_TEXT_SIZE];
    uint64_t key = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        assert_int_equal(reservation_key_parse(same[i], strlen(same[i]), &key), 0);
        assert_true(key == 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(reservation_key_parse(bad[i], strlen(bad[i]), &key), -EINVAL);
    assert_string_equal(reservation_key_format(0xabc, text), "0x0000000000000abc");
}

static void test_sense(void **state)
{
    static const struct {
        uint8_t bytes[18];
        size_t length;
        int error;
    } cases[] = {
        { { 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x2a, 3 }, 18, -EAGAIN },                      /* reservations preempted */
        { { 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0 }, 18, -EAGAIN },                      /* reset */
        { { 0x72, 0xb, 0, 0 }, 8, -EAGAIN },                                                       /* aborted */
        { { 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0 }, 18, -RESERVATION_NOT_SUPPORTED },
        { { 0x72, 5, 0x24, 0 }, 8, -RESERVATION_NOT_SUPPORTED },
        { { 0x72, 5, 0x26, 0 }, 8, -RESERVATION_APTPL_REFUSED },
        { { 0x72, 5, 0x25, 0 }, 8, -ENODEV },
        { { 0x72, 5, 0x55, 4 }, 8, -RESERVATION_FULL },
        { { 0x72, 2, 0x04, 1 }, 8, -EAGAIN },
        { { 0x72, 2, 0x04, 0x0c }, 8, -RESERVATION_TRANSPORT },
        { { 0x72, 4, 0x44, 0 }, 8, -RESERVATION_DEVICE_ERROR },
        { { 0x72, 1, 0x17, 0 }, 8, 0 },                                                            /* recovered */
        { { 0x70, 0 }, 2, -RESERVATION_MALFORMED },
        { { 0x12, 0, 5, 0 }, 18, -RESERVATION_MALFORMED },
        { { 0 }, 0, -RESERVATION_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scsi_command command = { .status = SCSI_CHECK_CONDITION };

        (void)scsi_sense_parse(cases[i].bytes, cases[i].length, &command.sense);
        if (scsi_command_verdict(&command) != cases[i].error)
            fail_msg("case %zu: %d", i, scsi_command_verdict(&command));
    }
}

static void test_keys(void **state)
{
    uint8_t bytes[8 + 16] = { 0, 0, 0, 9, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0, 0, 0, 0, 0 };
    struct reservation_state seen = { 0 };

    (void)state;
    assert_int_equal(scsi_keys_parse(bytes, sizeof(bytes), &seen), 0);
    assert_int_equal(seen.key_count, 2);
    assert_true(seen.keys[0] == 1 && seen.keys[1] == UINT64_C(0xff00000000000000) && seen.generation == 9);
    for (size_t length = 0; length < sizeof(bytes); length++)
        assert_int_equal(scsi_keys_parse(bytes, length, &seen), -RESERVATION_MALFORMED);
    bytes[7] = 12; /* no whole keys */
    assert_int_equal(scsi_keys_parse(bytes, sizeof(bytes), &seen), -RESERVATION_MALFORMED);
    bytes[4] = 1; /* sixteen million of them */
    bytes[7] = 16;
    assert_int_equal(scsi_keys_parse(bytes, sizeof(bytes), &seen), -RESERVATION_TOO_MANY);
}

static void test_wwid(void **state)
{
    static const uint8_t page[] = { 0, 0x83, 0, 52, 2,    1, 0,    12,   'L',  'I',  'O',  '-',  'O',  'R',  'G',  ' ',  'x',  'y',  'z',  ' ',
                                    1, 3,    0, 16, 0x60, 1, 0x40, 0x5a, 0xab, 0xbc, 0xcd, 0xde, 0xef, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                    0x13, 3, 0, 8,  0x50, 1, 2,    3,    4,    5,    6,    7,    1,    4,    0,    0 };
    char name[64];

    (void)state;
    assert_int_equal(scsi_wwid_parse(page, sizeof(page), name, sizeof(name)), 0);
    assert_string_equal(name, "naa.6001405aabbccddeefff001122334455");
    for (size_t length = 0; length < sizeof(page); length++)
        assert_int_equal(scsi_wwid_parse(page, length, name, sizeof(name)), -RESERVATION_MALFORMED);
}

static void test_nvme_status(void **state)
{
    (void)state;
    assert_int_equal(nvme_status_error(0), 0);
    assert_int_equal(nvme_status_error(0x4083), -RESERVATION_CONFLICT);
    assert_int_equal(nvme_status_error(0x4001), -RESERVATION_NOT_SUPPORTED);
    assert_int_equal(nvme_status_error(0x370), -RESERVATION_TRANSPORT);
    assert_int_equal(nvme_status_error(0x006), -RESERVATION_DEVICE_ERROR);
    for (int type = RESERVATION_WRITE_EXCLUSIVE; type < RESERVATION_TYPE_UNKNOWN; type++) {
        assert_int_equal(nvme_type_of(nvme_type_code((enum reservation_type)type)), type);
        assert_int_equal(scsi_type_of(scsi_type_code((enum reservation_type)type)), type);
    }
    assert_int_equal(nvme_type_of(77), RESERVATION_TYPE_UNKNOWN);
    assert_int_equal(scsi_type_of(2), RESERVATION_TYPE_UNKNOWN);
}

static void test_nvme_report(void **state)
{
    uint8_t plain[24 + 24] = { 5, 0, 0, 0, 3, 1, 0, 0, 0, 1, [24] = 1, 0, 1, [24 + 16] = 0xbc, 0x0a };
    uint8_t extended[64 + 64] = { 5, 0, 0, 0, 3, 1, 0, 0, 0, 1, [64] = 1, 0, 1, [64 + 8] = 0xbc, 0x0a };
    struct reservation_state seen = { 0 };
    bool kept = false;

    (void)state;
    assert_int_equal(nvme_report_parse(plain, sizeof(plain), false, &seen, &kept), 0);
    assert_true(seen.key_count == 1 && seen.keys[0] == 0xabc && seen.holder == 0xabc && kept);
    assert_int_equal(seen.type, RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS);
    assert_int_equal(nvme_report_parse(extended, sizeof(extended), true, &seen, &kept), 0);
    assert_true(seen.key_count == 1 && seen.keys[0] == 0xabc && seen.holder == 0xabc);
    for (size_t length = 0; length < sizeof(plain); length++)
        assert_int_equal(nvme_report_parse(plain, length, false, &seen, &kept), -RESERVATION_MALFORMED);
    plain[5] = plain[6] = 0xff;
    assert_int_equal(nvme_report_parse(plain, sizeof(plain), false, &seen, &kept), -RESERVATION_TOO_MANY);
}

static void test_url(void **state)
{
    static const char *const bad[] = {
        "",
        "iscsi://",
        "iscsi://h",
        "iscsi://h/iqn.x",
        "iscsi:///iqn.x/0",
        "iscsi://h/iqn.x/",
        "iscsi://h/iqn.x/16384",
        "iscsi://h/iqn.x/-1",
        "iscsi://h/iqn.x/0x1",
        "iscsi://h:0/iqn.x/0",
        "iscsi://h:65536/iqn.x/0",
        "iscsi://u%secret@h/iqn.x/0?password_file=/p",
        "iscsi://u@h/iqn.x/0",
        "iscsi://h/iqn.x/0?password_file=/p",
        "iscsi://u@h/iqn.x/0?password_file=p",
        "iscsi://h/iqn.x/0?other=1",
        "iscsi://h;reboot/iqn.x/0",
        "iscsi://h/iqn x/0",
        "iser://h/iqn.x/0",
    };
    struct iscsi_lun_url url;

    (void)state;
    assert_int_equal(iscsi_url_parse("iscsi://192.0.2.1/iqn.2003-01.org.example:t/7", &url, NULL), 0);
    assert_string_equal(url.portal, "192.0.2.1:3260");
    assert_string_equal(url.target, "iqn.2003-01.org.example:t");
    assert_int_equal(url.lun, 7);
    assert_int_equal(iscsi_url_parse("iscsi://u@[2001:db8::1]:3261/iqn.x:y/0?password_file=/etc/p&initiator=iqn.a:b", &url, NULL), 0);
    assert_string_equal(url.portal, "[2001:db8::1]:3261");
    assert_string_equal(url.user, "u");
    assert_string_equal(url.password_file, "/etc/p");
    assert_string_equal(url.initiator, "iqn.a:b");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (iscsi_url_parse(bad[i], &url, NULL) != -EINVAL)
            fail_msg("'%s' is taken", bad[i]);
    }
}

static void test_initiator(void **state)
{
    char name[224];

    (void)state;
    assert_int_equal(iscsi_initiator_parse("## a comment\n\nInitiatorName=iqn.1993-08.org.debian:01:9\n", name, sizeof(name)), 0);
    assert_string_equal(name, "iqn.1993-08.org.debian:01:9");
    assert_int_equal(iscsi_initiator_parse("# InitiatorName=iqn.x\nGenerateName=yes\n", name, sizeof(name)), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_make),    cmocka_unit_test(test_key_text), cmocka_unit_test(test_sense),
        cmocka_unit_test(test_keys),        cmocka_unit_test(test_wwid),     cmocka_unit_test(test_nvme_status),
        cmocka_unit_test(test_nvme_report), cmocka_unit_test(test_url),      cmocka_unit_test(test_initiator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
