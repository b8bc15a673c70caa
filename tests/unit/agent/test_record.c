/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/record.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/file.h"

#define RECORDS VIGIL_STATEDIR "/records/decisions.jsonl"

static bool disk_hangs;

int __wrap_fsync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
    while (disk_hangs)
        (void)pause();
    return __real_fsync(fd);
}

/* A state folder of our own: a tmpfs on the first folder of its path. */
static int private_state(void **state)
{
    _cleanup_free_ char *top = strdup(VIGIL_STATEDIR);
    char *slash = top ? strchr(top + 1, '/') : NULL;

    (void)state;
    if (!slash)
        return -1;
    *slash = '\0';
    return unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
           mount("tmpfs", top, "tmpfs", 0, "mode=755") < 0;
}

/* Alone in its file. The time limit of a record is short for a machine that stands still: then it is written again. */
static void write_record(const char *instance, const char *what, const char *evidence)
{
    int r = -ETIMEDOUT;

    for (int tries = 0; tries < 20 && r == -ETIMEDOUT; tries++) {
        (void)unlink(RECORDS);
        r = agent_record("fence_x", instance, what, "%s", evidence);
    }
    assert_int_equal(r, 0);
}

static void test_one_line_of_json(void **state)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;

    (void)state;
    write_record("n1", "fence-off", "said \"off\nnow\"\\");
    assert_int_equal(file_read(RECORDS, 65536, &text, &length), 0);
    assert_non_null(strstr(text, "\"agent\":\"fence_x\",\"instance\":\"n1\",\"what\":\"fence-off\","
                                 "\"evidence\":\"said \\\"off now\\\"\\\\\"}\n"));
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
}

static void test_a_record_is_read_as_it_was_written(void **state)
{
    _cleanup_free_ char *text = NULL;
    struct record record;
    size_t length = 0;

    (void)state;
    write_record("n\"1", "preempt", "a \\ b \"c\" | d: before e; after f");
    assert_int_equal(file_read(RECORDS, 65536, &text, &length), 0);
    assert_int_equal(record_parse(text, length - 1, &record), 0);
    assert_string_equal(record.instance, "n\"1");
    assert_string_equal(record.evidence, "a \\ b \"c\" | d: before e; after f");
    record_free(&record);
    for (size_t cut = 0; cut < length - 1; cut++)
        assert_int_equal(record_parse(text, cut, &record), -EBADMSG);
    assert_int_equal(record_parse(text, length, &record), -EBADMSG); /* the newline is not part of it */
}

/* A fence agent writes its record before it answers: a local disk that hangs must not keep the cluster waiting. */
static void test_a_hanging_disk_holds_nobody(void **state)
{
    uint64_t begin_ms = deadline_now_ms();

    (void)state;
    disk_hangs = true;
    assert_int_equal(agent_record("fence_x", "n1", "fence-off", "x"), -ETIMEDOUT);
    disk_hangs = false;
    assert_true(deadline_now_ms() - begin_ms < 50000);
    /* Nothing of it is left that would hold the lock. */
    write_record("n1", "fence-off", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line_of_json),
        cmocka_unit_test(test_a_record_is_read_as_it_was_written),
        cmocka_unit_test(test_a_hanging_disk_holds_nobody),
    };

    return cmocka_run_group_tests(tests, private_state, NULL);
}
