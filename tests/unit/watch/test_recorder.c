/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/note.h"
#include "base/deadline.h"
#include "base/file.h"
#include "watch/event_set.h"
#include "watch/note_spool.h"
#include "watch/recorder.h"

/* A folder with a file system of its own, so that it can be full. */
static char *folder;
#define DISK_OPTIONS "size=64k,nr_inodes=64"

static int private_mounts(void **state _unused_)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : -1;
}

static int make_folder(void **state _unused_)
{
    folder = unit_make_folder();
    return folder && mount("test", folder, "tmpfs", 0, DISK_OPTIONS) == 0 ? 0 : -1;
}

static int remove_folder(void **state _unused_)
{
    (void)umount2(folder, MNT_DETACH);
    unit_remove_folder(folder);
    return 0;
}

static struct recorder *open_recorder(size_t memory_events)
{
    struct recorder_config config = { .folder = folder, .node = "n1", .node_id = 1, .file_limit = 16 * 1024, .memory_events = memory_events };
    struct recorder *recorder = NULL;

    assert_int_equal(recorder_open(&config, &recorder), 0);
    return recorder;
}

/* Runs the loop until all up to the sequence is on the disk. */
static void await_durable(struct recorder *recorder, uint64_t sequence)
{
    struct deadline deadline = deadline_in(20000);

    while (recorder_durable(recorder) < sequence && !deadline_passed(deadline)) {
        struct pollfd fd = { .fd = recorder_fd(recorder), .events = POLLIN };

        (void)poll(&fd, 1, 50);
        recorder_tick(recorder);
    }
    assert_true(recorder_durable(recorder) >= sequence);
}

static struct event_set read_folder(void)
{
    struct event_set set = { .limit = 10000 };

    (void)event_folder_read(folder, event_set_add, &set, NULL);
    event_set_finish(&set);
    return set;
}

static size_t count_kind(const struct event_set *set, enum event_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++)
        count += set->events[i].kind == kind;
    return count;
}

static struct event of_peer(uint32_t node_id, uint64_t incarnation, uint64_t sequence)
{
    struct event event = { .kind = EVENT_NOTE, .sequence = sequence, .monotonic_ns = sequence, .wall_ns = sequence };

    event.origin = (struct event_origin){ .node_id = node_id, .incarnation = incarnation };
    memset(event.origin.boot_id, 0x55, EVENT_ID_SIZE);
    event_set_text(event.node, sizeof(event.node), "n2");
    return event;
}

static void test_what_was_noted_is_there_after_a_restart(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    struct event peer = of_peer(2, 5, 1);
    const struct event *event;
    size_t cursor = 0, own = 0, others = 0;

    /* The peer's first: what is durable is told of own events. */
    assert_int_equal(recorder_take(recorder, &peer), 1);
    assert_int_equal(recorder_take(recorder, &peer), 0);
    for (int i = 1; i <= 20; i++)
        assert_int_equal(recorder_note_text(recorder, EVENT_START_END, "db", NULL, i, NULL), i);
    await_durable(recorder, 20);
    recorder_close(recorder);

    recorder = open_recorder(0);
    while ((event = recorder_next(recorder, &cursor))) {
        own += text_equal(event->node, "n1");
        others += text_equal(event->node, "n2");
    }
    assert_int_equal(own, 20);
    assert_int_equal(others, 1);
    assert_int_equal(recorder_take(recorder, &peer), 0); /* still known */
    assert_int_equal(recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, NULL), 1); /* another incarnation */
    await_durable(recorder, 1);
    recorder_close(recorder);
    {
        _cleanup_event_set_ struct event_set set = read_folder();

        assert_int_equal(set.count, 22);
    }
}

/* The daemon is killed right behind the call, an answer of the writer still unread: what it had handed over is written all the same. */
static void test_a_killed_daemon_loses_nothing(void **state _unused_)
{
    struct deadline deadline = deadline_in(20000);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct recorder *recorder = open_recorder(0);
        struct pollfd answer = { .fd = recorder_fd(recorder), .events = POLLIN };

        (void)recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 1, "the one that is answered");
        (void)poll(&answer, 1, 20000);
        for (int i = 2; i <= 100; i++)
            (void)recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, i, "the others at once");
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    for (;;) {
        _cleanup_event_set_ struct event_set set = read_folder();

        if (set.count == 100)
            break;
        assert_int_equal(deadline_sleep(deadline, 20), 0);
    }
}

static void fill_disk(const char *path, bool full)
{
    char block[4096] = { 0 };
    int fd;

    if (!full) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    (void)close(fd);
}

static void await_trouble(struct recorder *recorder, int trouble)
{
    struct deadline deadline = deadline_in(20000);

    while (recorder_trouble(recorder) != trouble) {
        assert_int_equal(deadline_sleep(deadline, 10), 0);
        recorder_tick(recorder);
    }
}

static void test_a_full_disk_is_said_and_survived(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    uint64_t sequence = 0, begin_ms;
    char path[512];

    await_durable(recorder, recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "before"));
    (void)text_format(path, sizeof(path), "%s/ballast", folder);
    fill_disk(path, true);
    begin_ms = deadline_now_ms();
    for (int i = 0; i < 500; i++)
        sequence = recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, i, "what does not fit on the page that the file still has, and so must wait");
    assert_true(deadline_now_ms() - begin_ms < 10000); /* nobody was held up: there is no room before the test makes it */
    await_trouble(recorder, -ENOSPC);
    assert_true(recorder_durable(recorder) < sequence); /* and nothing was claimed */
    fill_disk(path, false);
    await_durable(recorder, sequence);
    await_trouble(recorder, 0);
    await_durable(recorder, sequence + 2);
    recorder_close(recorder);
    {
        _cleanup_event_set_ struct event_set set = read_folder();

        /* The room may come back in pieces: trouble and its end are then noted more than once, in pairs. */
        assert_true(set.events[set.count - 1].sequence >= sequence + 2);
        assert_true(count_kind(&set, EVENT_RECORDER_WELL) >= 1);
        assert_true(count_kind(&set, EVENT_RECORDER_TROUBLE) <= count_kind(&set, EVENT_RECORDER_WELL));
        assert_int_equal(count_kind(&set, EVENT_RECORDER_GAP), 0);
    }
}

static void test_memory_is_bounded_and_loss_is_said(void **state _unused_)
{
    struct recorder *recorder;
    uint64_t sequence = 0;
    char path[512];
    size_t cursor = 0, count = 0;

    (void)text_format(path, sizeof(path), "%s/ballast", folder);
    recorder = open_recorder(100);
    await_durable(recorder, recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "before"));
    fill_disk(path, true);
    for (int i = 0; i < 2000; i++)
        sequence = recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, i, "more than the memory, the socket and the page hold together, so some are lost");
    await_trouble(recorder, -ENOSPC);
    while (recorder_next(recorder, &cursor))
        count++;
    assert_int_equal(count, 100);
    fill_disk(path, false);
    await_trouble(recorder, 0);
    await_durable(recorder, sequence);
    await_durable(recorder, sequence + 3);
    recorder_close(recorder);
    {
        _cleanup_event_set_ struct event_set set = read_folder();

        assert_int_equal(count_kind(&set, EVENT_RECORDER_GAP), 1);
    }
}

static void test_without_a_disk_it_works_in_memory(void **state _unused_)
{
    struct recorder_config config = { .folder = "/proc/nothing/here", .node = "n1" };
    struct recorder *recorder = NULL;
    size_t cursor = 0;

    assert_int_equal(recorder_open(&config, &recorder), 0);
    assert_int_equal(recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "x"), 1);
    assert_non_null(recorder_next(recorder, &cursor));
    await_trouble(recorder, -ENOENT);
    recorder_close(recorder);
}

static void test_the_writer_is_started_anew(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    struct deadline deadline = deadline_in(20000);
    char path[64];
    _cleanup_free_ char *children = NULL;
    int64_t pid = 0;

    await_durable(recorder, recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "1"));
    (void)text_format(path, sizeof(path), "/proc/self/task/%d/children", getpid());
    assert_int_equal(file_read(path, 4096, &children, NULL), 0);
    /* The youngest is the last; writers of recorders that were closed may not be reaped yet. */
    for (char *next = children, *end; (pid = strtol(next, &end, 10)) > 0 && strtol(end, NULL, 10) > 0; next = end)
        ;
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    while (recorder_fd(recorder) >= 0 && !deadline_passed(deadline)) {
        (void)deadline_sleep(deadline, 10);
        recorder_dispatch(recorder);
    }
    assert_int_equal(recorder_fd(recorder), -1);
    await_durable(recorder, recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "2"));
    recorder_close(recorder);
}

static void test_a_peer_that_lies(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    struct event event = of_peer(2, 1, 1);

    event.origin = *recorder_origin(recorder);
    event.sequence = 1000;
    assert_int_equal(recorder_take(recorder, &event), -EINVAL); /* ours, which we never noted */
    event = of_peer(0, 1, 1);
    assert_int_equal(recorder_take(recorder, &event), -EINVAL); /* of nobody */
    /* A thousand recorders that nobody has heard of. */
    for (uint64_t i = 1; i <= 1000; i++) {
        event = of_peer(2, i, 1);
        (void)recorder_take(recorder, &event);
    }
    event = of_peer(3, 5000, 1);
    assert_int_equal(recorder_take(recorder, &event), -ENOSPC);
    assert_int_equal(recorder_note_text(recorder, EVENT_NOTE, NULL, NULL, 0, "own ones still work"), 1);
    recorder_close(recorder);
}

/* ---- the agents' notes ---------------------------------------------------------------------------------------------- */

static const char note_line[] = "1\t100\t200\tstop-end\t-7\t5000\tdb\tn2\ttext";

static void test_note_lines(void **state _unused_)
{
    struct event event;
    static const char *const wrong[] = {
        "", "1", "1\t100\t200\tstop-end\t0\t0\tdb\tn2", "2\t100\t200\tstop-end\t0\t0\t\t\t", "1\t0\t200\tstop-end\t0\t0\t\t\t",
        "1\t100\t200\tno-such-kind\t0\t0\t\t\t", "1\tx\t200\tstop-end\t0\t0\t\t\t", "1\t100\t200\tstop-end\t0x\t0\t\t\t",
    };

    assert_int_equal(note_parse(note_line, sizeof(note_line) - 1, &event), 0);
    assert_int_equal(event.kind, EVENT_STOP_END);
    assert_int_equal(event.monotonic_ns, 100);
    assert_int_equal(event.wall_ns, 200);
    assert_int_equal(event.value, -7);
    assert_int_equal(event.duration_ns, 5000);
    assert_string_equal(event.resource, "db");
    assert_string_equal(event.peer, "n2");
    assert_string_equal(event.text, "text");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(note_parse(wrong[i], strlen(wrong[i]), &event), -EPROTO);
}

static void append_note(const char *path, unsigned int number)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    assert_true(fprintf(file, "1\t%u\t200\tstop-end\t0\t0\tdb\t\t\n", number) > 0);
    assert_int_equal(fclose(file), 0);
}

static size_t count_notes(const struct recorder *recorder)
{
    const struct event *event;
    size_t cursor = 0, count = 0;

    while ((event = recorder_next(recorder, &cursor)))
        count += event->kind == EVENT_STOP_END;
    return count;
}

static void test_notes_are_followed_once(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    struct note_spool *spool = NULL;
    char notes[512], path[1024], aside[1024];
    struct pollfd fd;

    (void)text_format(notes, sizeof(notes), "%s/notes", folder);
    (void)text_format(path, sizeof(path), "%s/spool", notes);
    (void)text_format(aside, sizeof(aside), "%s/spool.1", notes);
    assert_int_equal(file_make_directory(notes, 0750), 0);
    append_note(path, 1); /* before the daemon began */
    assert_int_equal(note_spool_open(notes, recorder, &spool), 0);
    assert_int_equal(count_notes(recorder), 1);
    append_note(path, 2);
    fd = (struct pollfd){ .fd = note_spool_fd(spool), .events = POLLIN };
    assert_int_equal(poll(&fd, 1, 10000), 1);
    note_spool_dispatch(spool);
    note_spool_dispatch(spool);
    assert_int_equal(count_notes(recorder), 2);
    /* An agent puts the file aside, and a late one still appends to it. */
    assert_int_equal(rename(path, aside), 0);
    append_note(aside, 3);
    append_note(path, 4);
    note_spool_dispatch(spool);
    append_note(aside, 5);
    note_spool_dispatch(spool);
    assert_int_equal(count_notes(recorder), 5);
    note_spool_close(spool);
    await_durable(recorder, 5);
    recorder_close(recorder);
    /* The daemon restarts: nothing comes twice, and what came meanwhile is taken. */
    append_note(path, 6);
    recorder = open_recorder(0);
    assert_int_equal(note_spool_open(notes, recorder, &spool), 0);
    assert_int_equal(count_notes(recorder), 6);
    note_spool_close(spool);
    recorder_close(recorder);
}

static void test_a_big_spool_is_put_aside_when_it_is_safe(void **state _unused_)
{
    struct recorder *recorder = open_recorder(0);
    struct note_spool *spool = NULL;
    struct deadline deadline = deadline_in(20000);
    char notes[] = "/run/vigil-notes-XXXXXX", path[64], aside[64], rubbish[512];
    unsigned int count = 0;

    assert_int_equal(mount("test", "/run", "tmpfs", 0, "size=4m"), 0);
    assert_non_null(mkdtemp(notes));
    (void)text_format(path, sizeof(path), "%s/spool", notes);
    (void)text_format(aside, sizeof(aside), "%s/spool.1", notes);
    assert_int_equal(note_spool_open(notes, recorder, &spool), 0);
    memset(rubbish, 'x', sizeof(rubbish));
    for (int i = 0; i < 200; i++) { /* long lines that are no notes, and one note behind each */
        FILE *file = fopen(path, "a");

        assert_non_null(file);
        assert_true(fprintf(file, "%.*s\n", (int)sizeof(rubbish), rubbish) > 0);
        assert_int_equal(fclose(file), 0);
        append_note(path, ++count);
    }
    while (access(aside, F_OK) != 0) {
        assert_int_equal(deadline_sleep(deadline, 20), 0);
        note_spool_dispatch(spool);
        recorder_tick(recorder);
    }
    assert_true(recorder_durable(recorder) > 0);
    assert_int_equal(count_notes(recorder), count);
    note_spool_close(spool);
    recorder_close(recorder);
    assert_int_equal(umount2("/run", MNT_DETACH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_noted_is_there_after_a_restart, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_killed_daemon_loses_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_said_and_survived, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded_and_loss_is_said, make_folder, remove_folder),
        cmocka_unit_test(test_without_a_disk_it_works_in_memory),
        cmocka_unit_test_setup_teardown(test_the_writer_is_started_anew, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_peer_that_lies, make_folder, remove_folder),
        cmocka_unit_test(test_note_lines),
        cmocka_unit_test_setup_teardown(test_notes_are_followed_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_big_spool_is_put_aside_when_it_is_safe, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, private_mounts, NULL);
}
