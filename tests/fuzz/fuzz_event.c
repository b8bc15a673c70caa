/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event's bytes, a recorder's file, and the agents' notes: what is read is written and read again, and is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "watch/event_file.h"
#include "watch/note_spool.h"
#include "watch/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct event *event)
{
    uint8_t bytes[EVENT_ENCODED_LIMIT];
    struct event again;
    char words[512];
    int length = event_encode(event, bytes, sizeof(bytes));

    if (length < 0)
        abort();
    /* Notes have no sequence of their own. */
    if (event->sequence > 0 && (event_decode(bytes, (size_t)length, &again) < 0 || memcmp(event, &again, sizeof(again)) != 0))
        abort();
    (void)timeline_words(event, words, sizeof(words));
    if (!text_is_printable_utf8(words, strlen(words)))
        abort();
}

static void visit(void *context, const struct event *event)
{
    check(event);
    event_set_add(context, event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_set set = { .limit = 512 };
    struct timeline timeline;
    uint8_t boot_id[EVENT_ID_SIZE] = { 1 };
    struct event event;
    size_t first, end;

    if (event_decode(data, size, &event) == 0)
        check(&event);
    if (event_frames_scan(data, size, visit, &set) > size)
        abort();
    if (notes_scan((const char *)data, size, visit, &set) > size)
        abort();
    event_set_finish(&set);
    if (timeline_build(&set, "n1", boot_id, &timeline) == 0) {
        struct timeline_phase phases[TIMELINE_PHASES];

        if (timeline_last_incident(&timeline, &first, &end))
            (void)timeline_sum_up(&timeline, first, end, phases);
        timeline_free(&timeline);
    }
    event_set_free(&set);
    return 0;
}
