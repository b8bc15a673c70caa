/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/nvme_reservation.h"

#include <errno.h>

#define HEADER 24
#define HEADER_EXTENDED 64
#define ENTRY 24
#define ENTRY_EXTENDED 64

static uint64_t get_little(const uint8_t *bytes, unsigned int count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

/* NVMe numbers them in the order of enum reservation_type. */
uint8_t nvme_type_code(enum reservation_type type)
{
    return type > RESERVATION_NONE && type < RESERVATION_TYPE_UNKNOWN ? (uint8_t)type : 0;
}

enum reservation_type nvme_type_of(uint8_t code)
{
    return code < RESERVATION_TYPE_UNKNOWN ? (enum reservation_type)code : RESERVATION_TYPE_UNKNOWN;
}

/* One registered controller: its key, and whether it holds the reservation. */
static void note_entry(const uint8_t *entry, bool extended, struct reservation_state *state)
{
    uint64_t key = get_little(entry + (extended ? 8 : 16), 8);

    if (key == 0)
        return;
    state->keys[state->key_count++] = key;
    if (entry[2] & 0x01)
        state->holder = key;
}

int nvme_report_parse(const uint8_t *bytes, size_t length, bool extended, struct reservation_state *ret, bool *ret_kept)
{
    size_t header = extended ? HEADER_EXTENDED : HEADER, entry = extended ? ENTRY_EXTENDED : ENTRY, count;

    if (length < header)
        return -RESERVATION_MALFORMED;
    count = (size_t)get_little(bytes + 5, 2);
    if (count > RESERVATION_KEYS_MAXIMUM)
        return -RESERVATION_TOO_MANY;
    if (count * entry > length - header)
        return -RESERVATION_MALFORMED;
    ret->generation = (uint32_t)get_little(bytes, 4);
    ret->type = nvme_type_of(bytes[4]);
    ret->holder = 0;
    ret->key_count = 0;
    *ret_kept = bytes[9] & 0x01;
    for (size_t i = 0; i < count; i++)
        note_entry(bytes + header + i * entry, extended, ret);
    if (ret->type == RESERVATION_NONE || ret->type == RESERVATION_WRITE_EXCLUSIVE_ALL || ret->type == RESERVATION_EXCLUSIVE_ACCESS_ALL)
        ret->holder = 0; /* nobody, or all of them */
    return 0;
}

/* Figures 126 and 129 of the base specification; the path-related ones are the kernel's own, too (include/linux/nvme.h). */
int nvme_status_error(unsigned int status)
{
    switch (status & 0x7ff) {
    case 0x000:
        return 0;
    case 0x001: /* invalid command opcode */
    case 0x002: /* invalid field in command */
        return -RESERVATION_NOT_SUPPORTED;
    case 0x083: /* reservation conflict */
        return -RESERVATION_CONFLICT;
    case 0x00b: /* invalid namespace or format */
        return -ENODEV;
    case 0x007: /* abort requested */
    case 0x082: /* namespace not ready */
    case 0x303: /* asymmetric access transition */
    case 0x021: /* command interrupted */
        return -EAGAIN;
    case 0x301: /* asymmetric access persistent loss */
    case 0x302: /* asymmetric access inaccessible */
    case 0x360: /* controller pathing error */
    case 0x370: /* host pathing error */
    case 0x371: /* host aborted command */
        return -RESERVATION_TRANSPORT;
    default:
        return -RESERVATION_DEVICE_ERROR;
    }
}
