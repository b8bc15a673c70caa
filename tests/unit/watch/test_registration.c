/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registrations as text, names that become files, messages of vigild's IPC. */
#include "unit.h"

#include "watch/protocol.h"
#include "watch/registration.h"

static void fill(struct watch_registration *registration)
{
    struct watch_item *item;

    memset(registration, 0, sizeof(*registration));
    (void)text_copy(registration->resource, sizeof(registration->resource), "db 1");
    (void)text_copy(registration->agent, sizeof(registration->agent), "san-volume");
    item = watch_registration_add(registration, WATCH_MOUNT, "/srv/a\tb%");
    item->device = UINT64_MAX;
    item->writable = 1;
    item = watch_registration_add(registration, WATCH_PROCESS, "x");
    item->pid = 7;
}

static void test_round_trip(void **state)
{
    struct watch_registration registration, read = { 0 };
    struct text_buffer text = { 0 };

    (void)state;
    fill(&registration);
    assert_int_equal(watch_registration_format(&registration, &text), 0);
    assert_string_equal(text.text, "vigil-watch 1\nresource db 1\tagent=san-volume\nmount /srv/a%09b%25\tdevice=18446744073709551615\twritable=1\n"
                                   "process x\tpid=7\n");
    assert_int_equal(watch_registration_parse(text.text, text.length, &read), 0);
    assert_int_equal(read.count, 2);
    assert_string_equal(read.items[0].target, "/srv/a\tb%");
    assert_true(read.items[0].device == UINT64_MAX && read.items[0].writable == 1 && read.items[1].pid == 7);
    watch_registration_free(&read);
    text_buffer_free(&text);
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "", "vigil-watch 1", "vigil-watch 1\n", "vigil-watch 1\nresource a\n", "vigil-watch 1\nresource \tagent=x\n",
        "vigil-watch 1\nresource ../../etc/passwd\tagent=x\n", "vigil-watch 1\nresource .lock\tagent=x\n", "vigil-watch 1\nresource a\tagent=x\nprocess\n",
        "vigil-watch 1\nresource a\tagent=x\nprocess p\tpid=-1\n", "vigil-watch 1\nresource a\tagent=x\nprocess p\tpid=1", "vigil-watch 1\nresource a\tagent=x\nfoo p\n",
        "vigil-watch 1\nresource a\tagent=x\nprocess p\twhat=1\n", "vigil-watch 1\nresource a%00b\tagent=x\n", "vigil-watch 1\nresource a%2\tagent=x\n",
    };
    struct watch_registration read = { .count = 99 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(watch_registration_parse(texts[i], strlen(texts[i]), &read), -EBADMSG);
    assert_int_equal(watch_registration_parse("vigil-watch 2\nx", 15, &read), -EPROTONOSUPPORT);
    assert_int_equal(read.count, 99);
}

static void test_too_many_items(void **state)
{
    struct watch_registration registration = { 0 };

    (void)state;
    for (int i = 0; i < WATCH_ITEMS_MAX; i++)
        assert_non_null(watch_registration_add(&registration, WATCH_LINK, "eth0"));
    assert_null(watch_registration_add(&registration, WATCH_LINK, "eth0"));
    assert_int_equal(registration.count, WATCH_ITEMS_MAX);
}

static void test_messages(void **state)
{
    char bytes[200];
    struct watch_message_view view;
    int size = watch_message_write(WATCH_WITHDRAW, 0, 7, "db", 2, bytes, sizeof(bytes));

    (void)state;
    assert_true(size > 2);
    assert_int_equal(watch_message_read(bytes, (size_t)size, &view), 0);
    assert_true(view.type == WATCH_WITHDRAW && view.cursor == 7 && view.length == 2 && memcmp(view.payload, "db", 2) == 0);
    for (int length = 0; length < size; length++)
        assert_int_equal(watch_message_read(bytes, (size_t)length, &view), -EBADMSG);
    assert_int_equal(watch_message_write(WATCH_LIST, 0, 0, bytes, sizeof(bytes), bytes, sizeof(bytes)), -E2BIG);
    ((struct watch_header *)(void *)bytes)->version = 9;
    assert_int_equal(watch_message_read(bytes, (size_t)size, &view), -EPROTONOSUPPORT);
    ((struct watch_header *)(void *)bytes)->version = WATCH_PROTOCOL_VERSION;
    ((struct watch_header *)(void *)bytes)->type = WATCH_MESSAGES;
    assert_int_equal(watch_message_read(bytes, (size_t)size, &view), -EBADMSG);
}

static void test_status_fields(void **state)
{
    static const char line[] = " item=mount\ttarget=/srv/a%09b\tstate=well\tdetail=";
    char value[32];

    (void)state;
    assert_int_equal(watch_status_field(line, sizeof(line) - 1, "item", value, sizeof(value)), 5);
    assert_int_equal(watch_status_field(line, sizeof(line) - 1, "target", value, sizeof(value)), 8);
    assert_string_equal(value, "/srv/a\tb");
    assert_int_equal(watch_status_field(line, sizeof(line) - 1, "detail", value, sizeof(value)), 0);
    assert_int_equal(watch_status_field(line, sizeof(line) - 1, "stat", value, sizeof(value)), -ENOENT);
    assert_int_equal(watch_status_field(line, sizeof(line) - 1, "target", value, 4), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_refused),  cmocka_unit_test(test_too_many_items),
        cmocka_unit_test(test_messages),       cmocka_unit_test(test_status_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
