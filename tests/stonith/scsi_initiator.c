/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that an array sees: a session that stays open over several commands, so that a test can freeze it and let it go on.
 *
 *     scsi_initiator URL
 *
 * Reads commands from standard input, one a line, and answers each with a line: register KEY, demand KEY (register with APTPL or not at all), unregister KEY, reserve
 * KEY, keys, write (one block), quit.
 */
#include <stdio.h>
#include <string.h>

#include "base/deadline.h"
#include "storage/reservation_backend.h"
#include "storage/scsi_reservation.h"

#define TIMEOUT_MS 10000
#define BLOCK 512

static const char *answer_text(int error)
{
    return error == 0 ? "ok" : error == -RESERVATION_CONFLICT ? "conflict" : reservation_error_text(error);
}

static int write_block(struct reservation_device *device)
{
    uint8_t block[BLOCK] = "written";
    struct scsi_command command = {
        .cdb = { 0x2a, [8] = 1 }, /* WRITE(10) of one block at 0 */
        .cdb_length = 10,
        .writes = true,
        .data = block,
        .data_length = sizeof(block),
    };

    return scsi_command_run(&device->transport, &command, deadline_in(TIMEOUT_MS));
}

static int print_state(struct reservation_device *device)
{
    static struct reservation_state state;
    char text[4096];
    int r = reservation_read(device, deadline_in(TIMEOUT_MS), &state);

    if (r == 0)
        (void)printf("%s\n", reservation_state_format(&state, text, sizeof(text)));
    return r;
}

static int give_command(struct reservation_device *device, const char *verb, const char *key_text)
{
    struct reservation_paths paths;
    uint64_t key = 0;

    if (text_equal(verb, "write"))
        return write_block(device);
    if (reservation_key_parse(key_text, strlen(key_text), &key) < 0)
        return -EINVAL;
    if (text_equal(verb, "register"))
        return reservation_register(device, key, RESERVATION_APTPL_TRY, deadline_in(TIMEOUT_MS), &paths);
    if (text_equal(verb, "demand"))
        return reservation_register(device, key, RESERVATION_APTPL_DEMAND, deadline_in(TIMEOUT_MS), &paths);
    if (text_equal(verb, "unregister"))
        return reservation_unregister(device, key, deadline_in(TIMEOUT_MS));
    if (text_equal(verb, "reserve"))
        return reservation_reserve(device, key, RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS, deadline_in(TIMEOUT_MS));
    return -EINVAL;
}

int main(int argc, char *argv[])
{
    _cleanup_reservation_ struct reservation_device *device = NULL;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    char line[256], verb[32], key[64];
    int r = argc == 2 ? reservation_open(argv[1], deadline_in(TIMEOUT_MS), &why, &device) : -EINVAL;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (r < 0) {
        (void)printf("%s\n", why.text ? why.text : reservation_error_text(r));
        return 1;
    }
    (void)printf("open %s\n", reservation_identity(device)->wwid);
    while (fgets(line, sizeof(line), stdin)) {
        int words = sscanf(line, "%31s %63s", verb, key);

        if (words < 1 || text_equal(verb, "quit"))
            break;
        if (text_equal(verb, "keys"))
            r = print_state(device);
        else
            r = give_command(device, verb, words > 1 ? key : "");
        if (r < 0 || !text_equal(verb, "keys"))
            (void)printf("%s\n", answer_text(r));
    }
    return 0;
}
