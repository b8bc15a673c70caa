/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes over vigild's IPC, and what stands in the files of its registrations: as a message, as a registration's text, as a status line. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "watch/protocol.h"
#include "watch/registration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood is written and read again as the same. */
static void check_registration(const char *bytes, size_t length)
{
    struct watch_registration registration = { 0 }, again = { 0 };
    struct text_buffer text = { 0 }, second = { 0 };
    int r = watch_registration_parse(bytes, length, &registration);

    assert(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    if (r < 0)
        return;
    assert(watch_resource_name_valid(registration.resource) && registration.count <= WATCH_ITEMS_MAX);
    if (watch_registration_format(&registration, &text) == 0) {
        assert(watch_registration_parse(text.text, text.length, &again) == 0);
        assert(watch_registration_format(&again, &second) == 0);
        assert(text.length == second.length && memcmp(text.text, second.text, text.length) == 0);
    }
    watch_registration_free(&registration);
    watch_registration_free(&again);
    text_buffer_free(&text);
    text_buffer_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct watch_message_view message;
    char value[64];
    int r = watch_message_read(data, size, &message);

    assert(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    if (r == 0) {
        assert(message.type > 0 && message.type < WATCH_MESSAGES && message.length <= WATCH_PAYLOAD_MAX);
        check_registration(message.payload, message.length);
    }
    check_registration(bytes, size);
    r = watch_status_field(bytes, size, "state", value, sizeof(value));
    assert(r < 0 || (size_t)r == strlen(value));
    return 0;
}
