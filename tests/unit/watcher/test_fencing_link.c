/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vigild makes of a message of the child that follows the fencer. */
#include "unit.h"

#include <string.h>

#include "tools/watcher/fencing_link.h"

static const struct fencing_message begun = { .monotonic_ns = 5, .wall_ns = 6, .origin = "n2", .target = "n1", .text = "reboot, asked for by c on n2" };

static void test_begin_and_end(void **state)
{
    struct fencing_message message = begun;
    struct event event;

    (void)state;
    message.result = -5; /* says nothing yet */
    assert_true(fencing_message_event(&message, "n2", &event));
    assert_int_equal(event.kind, EVENT_FENCING_BEGIN);
    assert_string_equal(event.peer, "n1");
    assert_string_equal(event.text, "reboot, asked for by c on n2");
    assert_int_equal(event.value, 0);
    assert_int_equal(event.monotonic_ns, 5);
    assert_int_equal(event.wall_ns, 6);
    message.about = FENCING_ENDED;
    message.duration_ns = 7;
    assert_true(fencing_message_event(&message, "n2", &event));
    assert_int_equal(event.kind, EVENT_FENCING_END);
    assert_int_equal(event.value, -5);
    assert_int_equal(event.duration_ns, 7);
}

/* Every node is told of it; the one that asked notes it. */
static void test_one_node_notes_it(void **state)
{
    struct fencing_message message = begun;
    struct event event;

    (void)state;
    assert_false(fencing_message_event(&message, "n1", &event));
    assert_false(fencing_message_event(&message, "", &event)); /* not known yet */
    message.about = FENCING_FOLLOWED;
    assert_false(fencing_message_event(&message, "n2", &event));
    message.about = FENCING_BEGUN;
    message.target[0] = '\0';
    assert_false(fencing_message_event(&message, "n2", &event));
}

static void test_texts_without_an_end(void **state)
{
    struct fencing_message message = begun;
    struct event event;

    (void)state;
    memset(message.target, 'x', sizeof(message.target));
    memset(message.text, '\n', sizeof(message.text));
    assert_true(fencing_message_event(&message, "n2", &event));
    assert_int_equal(strlen(event.peer), EVENT_NODE_SIZE - 1);
    assert_null(strchr(event.text, '\n'));
    memset(message.origin, 'x', sizeof(message.origin));
    assert_false(fencing_message_event(&message, "n2", &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_end),
        cmocka_unit_test(test_one_node_notes_it),
        cmocka_unit_test(test_texts_without_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
