/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of a SCSI device: sense data, READ KEYS, READ RESERVATION, REPORT CAPABILITIES, READ FULL STATUS, VPD page 0x83. The first byte says which. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "storage/scsi_reservation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(void *context, const struct scsi_registrant *registrant)
{
    unsigned int *count = context;

    assert(strlen(registrant->transport_id) < sizeof(registrant->transport_id));
    assert(text_is_printable_utf8(registrant->transport_id, strlen(registrant->transport_id)));
    (*count)++;
}

static void try_state(const uint8_t *data, size_t size)
{
    struct reservation_state state = { 0 };
    uint32_t generation = 0;
    char text[256];

    if (scsi_keys_parse(data, size, &state) == 0) {
        assert(state.key_count <= RESERVATION_KEYS_MAXIMUM);
        for (uint32_t i = 0; i < state.key_count; i++)
            assert(state.keys[i] != 0);
    } else {
        state.key_count = 0;
    }
    if (scsi_reservation_parse(data, size, &state, &generation) == 0)
        assert(state.type <= RESERVATION_TYPE_UNKNOWN);
    assert(strlen(reservation_state_format(&state, text, sizeof(text))) < sizeof(text));
}

static void try_command(const uint8_t *data, size_t size)
{
    struct scsi_command command = { .status = SCSI_CHECK_CONDITION };

    if (scsi_sense_parse(data, size, &command.sense) == 0)
        assert(command.sense.valid);
    assert(scsi_command_verdict(&command) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reservation_capabilities capabilities;
    unsigned int count = 0;
    char name[128];

    if (size < 1 || size > 70000)
        return 0;
    switch (data[0]) {
    case 'k':
        try_state(data + 1, size - 1);
        break;
    case 'c':
        (void)scsi_capabilities_parse(data + 1, size - 1, &capabilities);
        break;
    case 'f':
        if (scsi_full_status_parse(data + 1, size - 1, visit, &count) < 0)
            assert(count == 0);
        break;
    case 'v':
        if (scsi_wwid_parse(data + 1, size - 1, name, sizeof(name)) == 0)
            assert(text_is_printable_utf8(name, strlen(name)));
        break;
    default:
        try_command(data + 1, size - 1);
    }
    return 0;
}
