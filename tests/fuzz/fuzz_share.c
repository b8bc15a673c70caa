/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of a hostile peer: the input is a row of them (length, two bytes; sender, one byte; bytes), brought to a node that answers on a bus which
 * sometimes is full. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "watch/recorder.h"
#include "watch/share.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int sends;
static uint64_t now_ns = 1000000000000;

static int send_nowhere(void *context, const uint8_t *bytes, size_t length)
{
    volatile uint8_t sum = 0;

    (void)context;
    if (length > SHARE_MESSAGE_LIMIT)
        abort();
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]); /* all of it is defined */
    return ++sends % 3 == 0 ? -EAGAIN : 0;
}

static uint64_t read_clock(void *context)
{
    (void)context;
    return now_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct recorder *recorder;
    struct recorder_config config = { .folder = "/proc/none", .node = "n1", .node_id = 1, .memory_events = 64 };
    struct share_config share_config = { .send = send_nowhere, .clock_ns = read_clock };
    const uint32_t members[] = { 1, 2, 3 };
    struct share *share = NULL;

    if (!recorder && recorder_open(&config, &recorder) < 0)
        return 0;
    share_config.recorder = recorder;
    if (share_open(&share_config, &share) < 0)
        return 0;
    share_set_members(share, 1, members, 3);
    (void)recorder_note_text(recorder, EVENT_NOTE, "db", NULL, 0, "own");
    while (size >= 3) {
        size_t length = (size_t)(data[0] | data[1] << 8);
        uint32_t sender = data[2];

        data += 3;
        size -= 3;
        length = length < size ? length : size;
        share_receive(share, sender, data, length, 0);
        now_ns += 50000000;
        (void)share_tick(share);
        data += length;
        size -= length;
    }
    share_set_members(share, 1, members, 1);
    share_close(share);
    return 0;
}
