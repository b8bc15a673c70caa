/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "watch/event_file.h"
#include "watch/event_set.h"

static char *folder;

static int make_folder(void **state _unused_)
{
    folder = unit_make_folder();
    return folder ? 0 : -1;
}

static int remove_folder(void **state _unused_)
{
    unit_remove_folder(folder);
    return 0;
}

static struct event numbered(uint64_t sequence)
{
    struct event event = { .kind = EVENT_NOTE, .sequence = sequence, .wall_ns = sequence * 1000, .origin.incarnation = 9 };

    event_printf(&event, "event %llu", (unsigned long long)sequence);
    return event;
}

static size_t append(struct event_file *file, uint64_t sequence)
{
    struct event event = numbered(sequence);
    uint8_t frame[EVENT_FRAME_LIMIT];
    int length = event_frame_encode(&event, frame, sizeof(frame));

    assert_true(length > 0);
    assert_int_equal(event_file_append(file, frame, (size_t)length), 0);
    return (size_t)length;
}

/* Which sequences a folder holds. */
static struct event_set read_all(void)
{
    struct event_set set = { .limit = 10000 };

    assert_int_equal(event_folder_read(folder, event_set_add, &set, NULL), 0);
    event_set_finish(&set);
    return set;
}

static const char *path_of(const char *name, char *path)
{
    assert_true(text_format(path, 512, "%s/%s", folder, name) > 0);
    return path;
}

static void test_written_and_read(void **state _unused_)
{
    char path[512];
    struct event_file file;

    assert_int_equal(event_file_open(&file, path_of("own.events", path), 1 << 20), 0);
    for (uint64_t i = 1; i <= 100; i++)
        (void)append(&file, i);
    assert_int_equal(event_file_sync(&file), 0);
    event_file_close(&file);
    {
        _cleanup_event_set_ struct event_set set = read_all();

        assert_int_equal(set.count, 100);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(set.events[i].sequence, i + 1);
    }
}

/* A power cut may leave any part of the last frame: what is before it is read, and what is written next as well. */
static void test_every_torn_tail(void **state _unused_)
{
    struct event event = numbered(3);
    uint8_t frame[EVENT_FRAME_LIMIT];
    int length = event_frame_encode(&event, frame, sizeof(frame));

    for (int cut = 0; cut < length; cut++) {
        char path[512];
        struct event_file file;
        struct event_set set;

        assert_int_equal(event_file_open(&file, path_of("own.events", path), 1 << 20), 0);
        (void)append(&file, 1);
        (void)append(&file, 2);
        assert_int_equal(event_file_append(&file, frame, (size_t)cut), 0);
        event_file_close(&file);
        set = read_all();
        assert_int_equal(set.count, 2);
        event_set_free(&set);
        assert_int_equal(event_file_open(&file, path, 1 << 20), 0);
        (void)append(&file, 4);
        event_file_close(&file);
        set = read_all();
        assert_int_equal(set.count, 3);
        assert_int_equal(set.events[2].sequence, 4);
        event_set_free(&set);
        assert_int_equal(unlink(path), 0);
    }
}

static void count_events(void *context, const struct event *event _unused_)
{
    (*(size_t *)context)++;
}

/* Whichever byte goes bad, only its own event is missing. */
static void test_every_bad_byte(void **state _unused_)
{
    uint8_t bytes[4096];
    size_t length = 0;

    for (uint64_t i = 1; i <= 5; i++) {
        struct event event = numbered(i);

        length += (size_t)event_frame_encode(&event, bytes + length, sizeof(bytes) - length);
    }
    for (size_t bad = 0; bad < length; bad++) {
        size_t count = 0, skipped;

        bytes[bad] ^= 0x40;
        skipped = event_frames_scan(bytes, length, count_events, &count);
        bytes[bad] ^= 0x40;
        assert_int_equal(count, 4);
        assert_true(skipped >= EVENT_FRAME_HEAD);
    }
}

static void test_bounded_by_rotation(void **state _unused_)
{
    char path[512], old[512];
    struct event_file file;
    struct stat status;
    size_t length = 0;

    assert_int_equal(event_file_open(&file, path_of("own.events", path), 4096), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        length = append(&file, i);
        assert_true(file.size <= 4096);
    }
    event_file_close(&file);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size <= 4096);
    assert_int_equal(stat(path_of("own.events.old", old), &status), 0);
    assert_true(status.st_size <= 4096);
    {
        _cleanup_event_set_ struct event_set set = read_all();

        assert_int_equal(set.events[set.count - 1].sequence, 1000);
        assert_true(set.count > 4096 / length); /* the older file as well */
        for (size_t i = 1; i < set.count; i++)
            assert_int_equal(set.events[i].sequence, set.events[i - 1].sequence + 1);
    }
    /* Without the newer one (the disk was full just then), the older one counts. */
    assert_int_equal(unlink(path), 0);
    {
        _cleanup_event_set_ struct event_set set = read_all();

        assert_true(set.count > 0);
    }
    assert_int_equal(unlink(old), 0);
}

static void test_foreign_files(void **state _unused_)
{
    char path[512];
    struct event_file file;

    assert_int_equal(file_write(path_of("node-3.events", path), 0600, "rubbish\n", 8), 0);
    assert_int_equal(event_file_open(&file, path, 4096), 0);
    (void)append(&file, 1);
    event_file_close(&file);
    assert_int_equal(file_write(path_of("something.else", path), 0600, "rubbish\n", 8), 0);
    {
        _cleanup_event_set_ struct event_set set = read_all();

        assert_int_equal(set.count, 1);
    }
    /* A link is not written through. */
    assert_int_equal(symlink("/dev/null", path_of("node-4.events", path)), 0);
    assert_true(event_file_open(&file, path, 4096) < 0);
}

static void test_a_set_keeps_the_newest_once(void **state _unused_)
{
    struct event_set set = { .limit = 50 };

    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 200; i > 0; i--) {
            struct event event = numbered(i);

            event_set_add(&set, &event);
        }
    }
    event_set_finish(&set);
    assert_int_equal(set.count, 50);
    assert_int_equal(set.events[0].sequence, 151);
    assert_int_equal(set.events[49].sequence, 200);
    event_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_and_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_every_torn_tail, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_every_bad_byte, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_bounded_by_rotation, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_foreign_files, make_folder, remove_folder),
        cmocka_unit_test(test_a_set_keeps_the_newest_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
