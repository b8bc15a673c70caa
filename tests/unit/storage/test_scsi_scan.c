/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts of a storage network look again for LUNs; one whose scan hangs does not hold the others. */
#include "unit.h"

#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/text.h"
#include "storage/scsi_scan.h"

/* Where the folders are that the group's setup has made private: the temporary ones may lie below them, and be hidden. */
static const char sysfs[] = VIGIL_RUNDIR "/sysfs";

static void make_folder(const char *class_name, const char *name)
{
    _cleanup_free_ char *path = text_printf("%s/class/%s/%s", sysfs, class_name, name);

    assert_non_null(path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static char *scan_file(const char *name)
{
    char *path = text_printf("%s/class/scsi_host/%s/scan", sysfs, name);

    assert_non_null(path);
    return path;
}

/* An adapter with its place in a class of hosts ("fc_host"; NULL: a disk controller of the machine's own). */
static void add_host(const char *name, const char *class_name)
{
    _cleanup_free_ char *scan = scan_file(name);

    make_folder("scsi_host", name);
    assert_int_equal(file_write(scan, 0600, "", 0), 0);
    if (!class_name)
        return;
    make_folder(class_name, "");
    make_folder(class_name, name);
}

static void assert_scan_holds(const char *name, const char *expected)
{
    _cleanup_free_ char *path = scan_file(name), *text = NULL;
    size_t length = 0;

    assert_int_equal(file_read(path, 100, &text, &length), 0);
    assert_string_equal(text, expected);
}

static int private_folders(void **state)
{
    (void)state;
    return unit_private_folders(VIGIL_RUNDIR, VIGIL_STATEDIR);
}

static int make_sysfs(void **state)
{
    (void)state;
    return file_make_directory(VIGIL_RUNDIR "/sysfs/class/scsi_host", 0755);
}

static int remove_sysfs(void **state)
{
    (void)state;
    unit_remove_folder(strdup(sysfs));
    return 0;
}

static void test_networks_alone(void **state)
{
    (void)state;
    assert_int_equal(scsi_hosts_scan(sysfs, deadline_in(60000)), 0); /* no such class on this machine */
    add_host("host0", NULL);
    add_host("host1", "iscsi_host");
    add_host("host2", "fc_host");
    add_host("host3", "sas_host");
    assert_int_equal(scsi_hosts_scan(sysfs, deadline_in(60000)), 3);
    assert_scan_holds("host0", "");
    assert_scan_holds("host1", "- - -\n");
    assert_scan_holds("host2", "- - -\n");
    assert_scan_holds("host3", "- - -\n");
}

/* A pipe that nobody reads: who opens it for writing waits. */
static void test_host_that_hangs(void **state)
{
    _cleanup_free_ char *scan = scan_file("host1");
    uint64_t began = deadline_now_ms();

    (void)state;
    add_host("host1", "iscsi_host");
    add_host("host2", "fc_host");
    assert_int_equal(remove(scan), 0);
    assert_int_equal(mkfifo(scan, 0600), 0);
    assert_int_equal(scsi_hosts_scan(sysfs, deadline_in(120000)), 1);
    assert_scan_holds("host2", "- - -\n");
    assert_true(deadline_now_ms() - began < 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_networks_alone, make_sysfs, remove_sysfs),
        cmocka_unit_test_setup_teardown(test_host_that_hangs, make_sysfs, remove_sysfs),
    };

    return cmocka_run_group_tests(tests, private_folders, NULL);
}
