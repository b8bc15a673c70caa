/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Portals, sessions of a made-up sysfs, and open-iscsi's records. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/iscsi_session.h"

#define TARGET "iqn.2001-04.com.example:array"

static void assert_portal(const char *text, const char *address, unsigned int port)
{
    struct iscsi_portal portal;

    assert_int_equal(iscsi_portal_parse(text, strlen(text), &portal), 0);
    assert_string_equal(portal.address, address);
    assert_int_equal(portal.port, port);
}

static void test_portals(void **state)
{
    static const char *const bad[] = { "", ":3260", "[2001:db8::1", "[::1]x", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:+1",
                                       "a/b", "-p", "../x", "a b", "[]:3260" };
    struct iscsi_portal portal, list[ISCSI_PORTALS_MAX];
    char text[64];

    (void)state;
    assert_portal("192.0.2.1", "192.0.2.1", 3260);
    assert_portal("192.0.2.1:3261", "192.0.2.1", 3261);
    assert_portal("192.0.2.1:3260,1", "192.0.2.1", 3260);
    assert_portal("2001:db8::1", "2001:db8::1", 3260);
    assert_portal("[2001:db8::1]:860,1", "2001:db8::1", 860);
    assert_portal("array.example", "array.example", 3260);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(iscsi_portal_parse(bad[i], strlen(bad[i]), &portal), -EINVAL);
    assert_int_equal(iscsi_portals_parse(" 192.0.2.1  [2001:db8::1]:1 ", list), 2);
    assert_string_equal(iscsi_portal_format(&list[1], text, sizeof(text)), "[2001:db8::1]:1");
    assert_int_equal(iscsi_portals_parse("192.0.2.1 :", list), -EINVAL);
    assert_int_equal(iscsi_portals_parse("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3", list), -E2BIG);
}

static void test_equal(void **state)
{
    struct iscsi_portal a = { "2001:db8:0::1", 3260 }, b = { "2001:db8::0:1", 3260 }, c = { "Array.Example", 3260 }, d = { "array.example", 3260 };

    (void)state;
    assert_true(iscsi_portal_equal(&a, &b));
    assert_true(iscsi_portal_equal(&c, &d));
    assert_false(iscsi_portal_equal(&a, &c));
    b.port = 1;
    assert_false(iscsi_portal_equal(&a, &b));
}

static void test_discovery(void **state)
{
    static const char said[] = "192.0.2.13:3260,1 " TARGET "\n192.0.2.77:3260,1 " TARGET "\n192.0.2.13:3260,1 " TARGET "2\n"
                               "iscsiadm: some warning\n[2001:db8::1]:3260,2 " TARGET;
    struct iscsi_portal found[ISCSI_PORTALS_MAX];

    (void)state;
    assert_int_equal(iscsi_discovery_parse(said, strlen(said), TARGET, found), 3);
    assert_string_equal(found[1].address, "192.0.2.77");
    assert_string_equal(found[2].address, "2001:db8::1");
    assert_int_equal(iscsi_discovery_parse(said, strlen(said), "iqn", found), 0);
    assert_int_equal(iscsi_discovery_parse("", 0, TARGET, found), 0);
}

/* ---- a made-up sysfs ---------------------------------------------------------------------------------------------------------------- */

static void put(const char *root, const char *path, const char *text)
{
    char full[512], *slash;

    assert_true(text_format(full, sizeof(full), "%s/%s", root, path) > 0);
    slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(file_make_directory(full, 0755), 0);
    *slash = '/';
    assert_int_equal(file_write(full, 0600, text, strlen(text)), 0);
}

static void put_session(const char *root, unsigned int id, const char *target, const char *state, const char *address)
{
    char path[128];

    (void)text_format(path, sizeof(path), "class/iscsi_session/session%u/targetname", id);
    put(root, path, target);
    (void)text_format(path, sizeof(path), "class/iscsi_session/session%u/state", id);
    put(root, path, state);
    (void)text_format(path, sizeof(path), "class/iscsi_connection/connection%u:0/persistent_address", id);
    put(root, path, address);
    (void)text_format(path, sizeof(path), "class/iscsi_connection/connection%u:0/persistent_port", id);
    put(root, path, "3260\n");
    (void)text_format(path, sizeof(path), "class/iscsi_connection/connection%u:0/address", id);
    put(root, path, "<NULL>\n");
}

static void test_sessions(void **state)
{
    char *root = unit_make_folder();
    struct iscsi_session sessions[ISCSI_SESSIONS_MAX];
    struct iscsi_portal portal = { "192.0.2.13", 3260 }, other = { "192.0.2.99", 3260 };
    const struct iscsi_session *found;
    int count;

    (void)state;
    assert_int_equal(iscsi_sessions_read(root, TARGET, sessions), 0);
    put_session(root, 1, TARGET "\n", "FAILED\n", "192.0.2.13\n");
    put_session(root, 2, TARGET "\n", "LOGGED_IN\n", "192.0.2.77\n");
    put_session(root, 3, TARGET "2\n", "LOGGED_IN\n", "192.0.2.13\n");
    count = iscsi_sessions_read(root, TARGET, sessions);
    assert_int_equal(count, 2);
    found = iscsi_session_find(sessions, 2, &portal);
    assert_non_null(found);
    assert_int_equal(found->id, 1);
    assert_false(found->logged_in);
    assert_string_equal(found->portal.address, "");
    assert_null(iscsi_session_find(sessions, 2, &other));
    /* Two sessions to one portal: the one that works. */
    put_session(root, 4, TARGET "\n", "LOGGED_IN\n", "192.0.2.13\n");
    count = iscsi_sessions_read(root, TARGET, sessions);
    assert_int_equal(count, 3);
    found = iscsi_session_find(sessions, 3, &portal);
    assert_true(found && found->logged_in);
    unit_remove_folder(root);
}

/* ---- records ------------------------------------------------------------------------------------------------------------------------- */

static const char record[] = "# BEGIN RECORD 2.1.8\nnode.name = " TARGET "\nnode.session.auth.authmethod = None\nnode.session.auth.username = old\n"
                             "node.session.auth.username_in = keep\n# END RECORD\n";
static const struct iscsi_setting settings[] = { { "node.session.auth.authmethod", "CHAP" }, { "node.session.auth.username", "me" },
                                                 { "node.session.auth.password", "a b=c" } };

static void test_merge(void **state)
{
    _cleanup_text_buffer_ struct text_buffer merged = { 0 };
    const struct iscsi_setting broken = { "node.session.auth.password", "a\nnode.name = x" };

    (void)state;
    assert_int_equal(iscsi_record_merge(record, strlen(record), settings, 3, &merged), 0);
    assert_string_equal(merged.text, "# BEGIN RECORD 2.1.8\nnode.name = " TARGET "\nnode.session.auth.username_in = keep\n"
                                     "node.session.auth.authmethod = CHAP\nnode.session.auth.username = me\nnode.session.auth.password = a b=c\n# END RECORD\n");
    assert_int_equal(iscsi_record_merge(record, strlen(record), &broken, 1, &merged), -EINVAL);
    assert_int_equal(iscsi_record_merge(record, strlen(record) - 1, settings, 3, &merged), -EBADMSG);
    assert_int_equal(iscsi_record_merge("x = y\n", 6, settings, 3, &merged), -EBADMSG);
    assert_int_equal(iscsi_record_merge("", 0, settings, 3, &merged), -EBADMSG);
}

/* A record is a file, or a folder of files, one for each interface; only the portal's own is written, and nobody but root reads it then. */
static void test_update(void **state)
{
    char *root = unit_make_folder();
    struct iscsi_portal portal = { "192.0.2.13", 3260 };
    _cleanup_free_ char *text = NULL, *untouched = NULL;
    char path[512];
    struct stat status;

    (void)state;
    assert_int_equal(iscsi_record_update(root, TARGET, &portal, settings, 3), 0);
    put(root, TARGET "/192.0.2.13,3260,1/default", record);
    put(root, TARGET "/192.0.2.77,3260,1/default", record);
    put(root, TARGET "/192.0.2.13,3261", record);
    assert_int_equal(iscsi_record_update(root, TARGET, &portal, settings, 3), 1);
    assert_true(text_format(path, sizeof(path), "%s/" TARGET "/192.0.2.13,3260,1/default", root) > 0);
    assert_int_equal(file_read(path, 4096, &text, NULL), 0);
    assert_non_null(strstr(text, "password = a b=c"));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(text_format(path, sizeof(path), "%s/" TARGET "/192.0.2.77,3260,1/default", root) > 0);
    assert_int_equal(file_read(path, 4096, &untouched, NULL), 0);
    assert_string_equal(untouched, record);
    portal.port = 3261;
    assert_int_equal(iscsi_record_update(root, TARGET, &portal, settings, 3), 1);
    unit_remove_folder(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portals), cmocka_unit_test(test_equal), cmocka_unit_test(test_discovery),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_merge), cmocka_unit_test(test_update),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
