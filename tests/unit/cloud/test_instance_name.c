/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "cloud/cloud_params.h"
#include "cloud/disk_note.h"
#include "cloud/instance_name.h"

static int check(const char *text)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = instance_hosts_check(text, &why);

    assert_true(r == 0 || why.length > 0);
    return r;
}

static void test_hazards(void **state)
{
    struct cloud_params params = { .tls_verify = true };

    (void)state;
    assert_null(cloud_params_hazard(&params));
    params.endpoints = "ec2=https://192.0.2.1";
    assert_null(cloud_params_hazard(&params));
    params.endpoints = "ec2=https://192.0.2.1 elb=http://192.0.2.1";
    assert_non_null(strstr(cloud_params_hazard(&params), "http://"));
    params = (struct cloud_params){ .tls_verify = false };
    assert_non_null(strstr(cloud_params_hazard(&params), "tls_verify=false"));
}

static void test_lists(void **state)
{
    static const char *const good[] = { "n1=i-1", "n1=i-1 n2=i-2", " n1=i-1,n2=i-2;n3=0a1b2c3d-0001-4a5b-8c9d-0e1f2a3b4c5d ", "db-1.example=ins-1a2b3c4d" };
    static const char *const bad[] = { "",  " ", "n1", "=i-1", "n1=", "n1=i-1 n1=i-2", "n1=i-1 n2=i-1", "n1==i-1", "n1=i-1 =", "-n=i-1", "n1=-i", "n/1=i-1", "n1=i 1", "n1=i'1" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(check(good[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(check(bad[i]), -EINVAL);
}

static void test_finding(void **state)
{
    char text[32], tiny[3];

    (void)state;
    assert_int_equal(instance_hosts_find("n1=i-1 n11=i-11", "n1", text, sizeof(text)), 0);
    assert_string_equal(text, "i-1");
    assert_int_equal(instance_hosts_find("n1=i-1 n11=i-11", "n11", text, sizeof(text)), 0);
    assert_string_equal(text, "i-11");
    assert_int_equal(instance_hosts_find("n1=i-1", "n", text, sizeof(text)), -ENOENT);
    assert_int_equal(instance_hosts_find("n1=i-1", "n1", tiny, sizeof(tiny)), -ENAMETOOLONG);
    assert_int_equal(instance_hosts_find("n1", "n1", text, sizeof(text)), -EINVAL);
    assert_int_equal(instance_hosts_find_node("n1=i-1 n11=i-11", "i-11", text, sizeof(text)), 0);
    assert_string_equal(text, "n11");
    assert_int_equal(instance_hosts_find_node("n1=i-1", "i-", text, sizeof(text)), -ENOENT);
}

static void test_forms_of_ids(void **state)
{
    static const char *const ids[] = { "i-0123456789abcdef0", "i-01234567", "i-bp1a2b3c4d5e6f7g8h9i", "ins-1a2b3c4d", "0a1b2c3d-0001-4a5b-8c9d-0e1f2a3b4c5d" };
    static const char *const names[] = { "n1", "i-1", "i-3", "ins-", "db", "0a1b2c3d-0001-4a5b-8c9d-0e1f2a3b4c5", "i-0123456789ABCDEF", "" };
    static const char *const bad[] = { "", "-a", "a b", "a/b", "a;b", "\xc3\xa4" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };

        assert_true(instance_id_form(ids[i]));
        assert_int_equal(cloud_id_check(ids[i], &why), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_false(instance_id_form(names[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_text_buffer_ struct text_buffer why = { 0 };

        assert_int_equal(cloud_id_check(bad[i], &why), -EINVAL);
    }
}

/* ---- the disk's note ------------------------------------------------------------------------------------------------------------ */

static void test_note_comes_back_as_it_was(void **state)
{
    static const struct disk_note note = {
        .phase = DISK_PHASE_ATTACHED, .volume = "vol-1", .instance = "i-1", .device = "/dev/nvme1n1", .serial = "vol1", .major = 259, .minor = 3, .sequence = 17,
        .size_bytes = 1 << 30, .confirmed_ms = 123456,
    };
    char text[DISK_NOTE_LIMIT];
    struct disk_note read;
    int length = disk_note_format(&note, text, sizeof(text));

    (void)state;
    assert_true(length > 0);
    assert_int_equal(disk_note_parse(text, (size_t)length, &read), 0);
    assert_int_equal(read.phase, DISK_PHASE_ATTACHED);
    assert_string_equal(read.device, "/dev/nvme1n1");
    assert_string_equal(read.serial, "vol1");
    assert_int_equal(read.sequence, 17);
    assert_int_equal(read.confirmed_ms, 123456);
    /* A part of it is no note: neither a cut one nor one with something behind it. */
    for (int cut = 0; cut < length; cut++)
        assert_int_equal(disk_note_parse(text, (size_t)cut, &read), -EBADMSG);
    text[length] = 'x';
    assert_int_equal(disk_note_parse(text, (size_t)length + 1, &read), -EBADMSG);
}

static void test_serials_of_ids(void **state)
{
    struct disk_serials serials;

    (void)state;
    disk_serials_of_id("vol-0ab", &serials);
    assert_string_equal(serials.list[0], "vol-0ab");
    assert_string_equal(serials.list[1], "vol0ab");
    assert_null(serials.list[2]);
    disk_serials_of_id("d-bp1x", &serials);
    assert_string_equal(serials.list[2], "bp1x");
    assert_null(serials.list[3]);
    disk_serials_of_id("1f2e3d4c-5b6a-4978-8899-aabbccddeeff", &serials);
    assert_null(serials.list[1]);
    disk_serials_of_id("nodash", &serials);
    assert_null(serials.list[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hazards),
        cmocka_unit_test(test_lists),          cmocka_unit_test(test_finding),
        cmocka_unit_test(test_forms_of_ids),   cmocka_unit_test(test_note_comes_back_as_it_was),
        cmocka_unit_test(test_serials_of_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
