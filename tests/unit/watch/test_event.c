/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json_text.h"
#include "watch/event.h"

static struct event full_event(void)
{
    struct event event = { .kind = EVENT_FENCING_END, .sequence = UINT64_MAX, .monotonic_ns = 123456789012345, .wall_ns = UINT64_MAX - 1,
                           .value = INT64_MIN, .duration_ns = 1 };

    event.origin = (struct event_origin){ .node_id = UINT32_MAX, .incarnation = 77 };
    memset(event.origin.boot_id, 0xab, EVENT_ID_SIZE);
    memset(event.peer_boot_id, 0x01, EVENT_ID_SIZE);
    memset(event.node, 'n', sizeof(event.node) - 1);
    memset(event.resource, 'r', sizeof(event.resource) - 1);
    memset(event.peer, 'p', sizeof(event.peer) - 1);
    memset(event.text, 't', sizeof(event.text) - 1);
    return event;
}

static void assert_round_trip(const struct event *event)
{
    uint8_t bytes[EVENT_ENCODED_LIMIT];
    struct event read;
    int length = event_encode(event, bytes, sizeof(bytes));

    assert_true(length > 0);
    assert_int_equal(event_decode(bytes, (size_t)length, &read), 0);
    assert_memory_equal(&read, event, sizeof(read));
    for (int cut = 0; cut < length; cut++) {
        uint8_t small[EVENT_ENCODED_LIMIT];

        assert_int_equal(event_encode(event, small, (size_t)cut), -ENOBUFS);
        (void)event_decode(bytes, (size_t)cut, &read); /* nothing to claim but that it ends */
    }
}

static void test_round_trip(void **state _unused_)
{
    struct event small = { .kind = EVENT_NOTE, .sequence = 1 };
    struct event large = full_event();

    assert_round_trip(&small);
    assert_round_trip(&large);
    for (int64_t value = -3; value <= 3; value++) {
        small.value = value;
        assert_round_trip(&small);
    }
    small.value = INT64_MAX;
    assert_round_trip(&small);
}

static void test_a_newer_peer_is_understood(void **state _unused_)
{
    struct event event = { .kind = 999, .sequence = 5 }, read;
    uint8_t bytes[EVENT_ENCODED_LIMIT];
    char name[32];
    int length = event_encode(&event, bytes, sizeof(bytes));

    /* A field that nobody knows yet, empty and not. */
    memcpy(bytes + length, "\xc8\x03xyz\xc9\x00", 7);
    assert_int_equal(event_decode(bytes, (size_t)length + 7, &read), 0);
    assert_int_equal(read.kind, 999);
    assert_string_equal(event_kind_name(read.kind, name, sizeof(name)), "unknown-999");
    assert_true(event_is_story(read.kind));
    /* Another form altogether is not. */
    bytes[0] = 2;
    assert_int_equal(event_decode(bytes, (size_t)length, &read), -EPROTONOSUPPORT);
}

static void test_what_is_no_event(void **state _unused_)
{
    struct event read;

    assert_int_equal(event_decode((const uint8_t *)"", 0, &read), -EPROTO);
    assert_int_equal(event_decode((const uint8_t *)"\x01", 1, &read), -EPROTO);                        /* no kind */
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x01\x1f", 4, &read), -EPROTO);            /* no sequence */
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x01\x1f\x05\x01\x01", 7, &read), 0);
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x01\x1f\x05\x02\x01", 7, &read), -EPROTO); /* longer than what is there */
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x03\x00\x00\x01\x05\x01\x01", 9, &read), -EPROTO); /* a kind above 65535 */
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x01\x1f\x05\x09\x01\0\0\0\0\0\0\0\0", 15, &read), -EPROTO); /* nine bytes of number */
    assert_int_equal(event_decode((const uint8_t *)"\x01\x01\x01\x1f\x05\x01\x01\x03\x02\xaa\xaa", 11, &read), -EPROTO); /* half an id */
}

static void test_texts_from_outside_are_harmless(void **state _unused_)
{
    static const uint8_t bytes[] = "\x01\x01\x01\x1f\x05\x01\x01\x08\x06" "a\n\x1b[\0\xff" "\x0e\x02\xc3\x28";
    struct event read;

    assert_int_equal(event_decode(bytes, sizeof(bytes) - 1, &read), 0);
    assert_string_equal(read.node, "a  [");
    assert_string_equal(read.text, "?(");
}

static void test_a_text_is_cut_at_a_character(void **state _unused_)
{
    char member[5];

    event_set_text(member, sizeof(member), "abc\xc3\xa9");
    assert_string_equal(member, "abc");
    event_set_text(member, sizeof(member), "ab\xc3\xa9");
    assert_string_equal(member, "ab\xc3\xa9");
    event_set_text(member, sizeof(member), NULL);
    assert_string_equal(member, "");
    event_set_text(member, sizeof(member), "abcdefgh");
    assert_string_equal(member, "abcd");
}

static void test_kinds_have_names_of_their_own(void **state _unused_)
{
    for (uint16_t a = 0; a < EVENT_KIND_COUNT; a++) {
        assert_non_null(event_kind_name(a, NULL, 0));
        for (uint16_t b = 0; b < a; b++)
            assert_string_not_equal(event_kind_name(a, NULL, 0), event_kind_name(b, NULL, 0));
    }
}

static void test_the_boot_id_is_read(void **state _unused_)
{
    uint8_t id[EVENT_ID_SIZE] = { 0 }, none[EVENT_ID_SIZE] = { 0 };

    assert_int_equal(event_read_boot_id(id), 0);
    assert_memory_not_equal(id, none, EVENT_ID_SIZE);
}

static void test_json_is_escaped(void **state _unused_)
{
    _cleanup_text_buffer_ struct text_buffer json = { 0 };

    json_open(&json, NULL, '{');
    json_text(&json, "a\"", "x\\\"\n\x01\xc3\xa9\xff");
    json_integer(&json, "n", INT64_MIN);
    json_open(&json, "l", '[');
    json_text(&json, NULL, "[");
    json_boolean(&json, NULL, true);
    json_null(&json, NULL);
    json_close(&json, ']');
    json_text(&json, "z", NULL);
    json_close(&json, '}');
    assert_string_equal(json.text, "{\"a\\\"\":\"x\\\\\\\"\\u000a\\u0001\xc3\xa9\xef\xbf\xbd\",\"n\":-9223372036854775808,\"l\":[\"[\",true,null],\"z\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_a_newer_peer_is_understood),
        cmocka_unit_test(test_what_is_no_event),
        cmocka_unit_test(test_texts_from_outside_are_harmless),
        cmocka_unit_test(test_a_text_is_cut_at_a_character),
        cmocka_unit_test(test_kinds_have_names_of_their_own),
        cmocka_unit_test(test_the_boot_id_is_read),
        cmocka_unit_test(test_json_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
