/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/scsi_reservation.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"

#define PERSISTENT_RESERVE_IN 0x5e
#define PERSISTENT_RESERVE_OUT 0x5f
#define INQUIRY 0x12
#define READ_KEYS 0
#define READ_RESERVATION 1
#define REPORT_CAPABILITIES 2
#define READ_FULL_STATUS 3
#define IN_HEADER 8
#define OUT_LENGTH 24
#define VPD_LENGTH 1024
#define FULL_STATUS_LENGTH 65528
/* A preemption between two readings moves the generation; more than a few in a row are not one moment. */
#define CONSISTENT_TRIES 8

static uint16_t get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_32(const uint8_t *bytes)
{
    return (uint32_t)get_16(bytes) << 16 | get_16(bytes + 2);
}

static uint64_t get_64(const uint8_t *bytes)
{
    return (uint64_t)get_32(bytes) << 32 | get_32(bytes + 4);
}

static void put_64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* ---- codes -------------------------------------------------------------------------------------------------------- */

/* SPC-4 table 77, in the order of enum reservation_type. */
static const uint8_t type_codes[] = { 0, 1, 3, 5, 6, 7, 8 };

uint8_t scsi_type_code(enum reservation_type type)
{
    return (size_t)type < sizeof(type_codes) ? type_codes[type] : 0;
}

enum reservation_type scsi_type_of(uint8_t code)
{
    for (size_t i = 1; i < sizeof(type_codes); i++) {
        if (type_codes[i] == code)
            return (enum reservation_type)i;
    }
    return RESERVATION_TYPE_UNKNOWN;
}

/* ---- parsers ------------------------------------------------------------------------------------------------------ */

/* Reads the header that READ KEYS, READ RESERVATION and READ FULL STATUS share. All that it announces must have come. */
static int parse_header(const uint8_t *bytes, size_t length, uint32_t *ret_generation, uint32_t *ret_additional)
{
    if (length < IN_HEADER)
        return -RESERVATION_MALFORMED;
    *ret_generation = get_32(bytes);
    *ret_additional = get_32(bytes + 4);
    return 0;
}

int scsi_keys_parse(const uint8_t *bytes, size_t length, struct reservation_state *ret)
{
    uint32_t generation, additional;
    int r = parse_header(bytes, length, &generation, &additional);

    if (r < 0)
        return r;
    if (additional % 8 != 0)
        return -RESERVATION_MALFORMED;
    if (additional / 8 > RESERVATION_KEYS_MAXIMUM)
        return -RESERVATION_TOO_MANY;
    if (additional > length - IN_HEADER)
        return -RESERVATION_MALFORMED;
    ret->generation = generation;
    ret->key_count = additional / 8;
    for (uint32_t i = 0; i < ret->key_count; i++) {
        ret->keys[i] = get_64(bytes + IN_HEADER + (size_t)i * 8);
        if (ret->keys[i] == 0) /* nobody can be registered with it: bytes that did not come */
            return -RESERVATION_MALFORMED;
    }
    return 0;
}

int scsi_reservation_parse(const uint8_t *bytes, size_t length, struct reservation_state *ret, uint32_t *ret_generation)
{
    uint32_t generation, additional;
    int r = parse_header(bytes, length, &generation, &additional);
    enum reservation_type type;

    if (r < 0)
        return r;
    if (additional == 0) {
        ret->type = RESERVATION_NONE;
        ret->holder = 0;
        *ret_generation = generation;
        return 0;
    }
    if (additional < 16 || length - IN_HEADER < 16)
        return -RESERVATION_MALFORMED;
    type = scsi_type_of(bytes[IN_HEADER + 13] & 0xf);
    ret->type = type;
    ret->holder = get_64(bytes + IN_HEADER);
    *ret_generation = generation;
    return 0;
}

int scsi_capabilities_parse(const uint8_t *bytes, size_t length, struct reservation_capabilities *ret)
{
    struct reservation_capabilities seen = { 0 };
    /* The type mask of SPC-4 table 203: bytes 4 and 5. */
    static const struct {
        uint8_t byte, bit;
        enum reservation_type type;
    } types[] = {
        { 4, 0x02, RESERVATION_WRITE_EXCLUSIVE },
        { 4, 0x08, RESERVATION_EXCLUSIVE_ACCESS },
        { 4, 0x20, RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS },
        { 4, 0x40, RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS },
        { 4, 0x80, RESERVATION_WRITE_EXCLUSIVE_ALL },
        { 5, 0x01, RESERVATION_EXCLUSIVE_ACCESS_ALL },
    };

    if (length < 8 || get_16(bytes) != 8)
        return -RESERVATION_MALFORMED;
    seen.all_target_ports = bytes[2] & 0x04;
    seen.aptpl = bytes[2] & 0x01;
    seen.aptpl_active = bytes[3] & 0x01;
    for (size_t i = 0; bytes[3] & 0x80 && i < ARRAY_SIZE(types); i++) {
        if (bytes[types[i].byte] & types[i].bit)
            seen.types |= 1U << types[i].type;
    }
    *ret = seen;
    return 0;
}

/* ---- the device's name ------------------------------------------------------------------------------------------- */

static void format_hex(const char *prefix, const uint8_t *bytes, size_t length, char *buffer, size_t size)
{
    int at = text_format(buffer, size, "%s", prefix);

    for (size_t i = 0; at >= 0 && i < length; i++) {
        int n = text_format(buffer + at, size - (size_t)at, "%02x", bytes[i]);

        at = n < 0 ? n : at + n;
    }
}

/* How good a designator is as the name of a logical unit: NAA above EUI-64 above a SCSI name above T10; longer above shorter. 0: none. The same order as the
 * kernel's (drivers/scsi/scsi_lib.c, designator_prio), so that both name a disk alike. */
static int designator_rank(const uint8_t *designator)
{
    uint8_t type = designator[1] & 0xf, length = designator[3];

    if (designator[1] & 0x30) /* of the port or the target, not of the logical unit */
        return 0;
    if (type == 3 && (length == 8 || length == 16))
        return 60 + length;
    if (type == 2 && (length == 8 || length == 12 || length == 16))
        return 40 + length;
    if (type == 8 && length >= 4)
        return 20;
    return type == 1 && length > 0 ? 10 : 0;
}

static void format_text_name(const char *prefix, const uint8_t *bytes, size_t length, char *buffer, size_t size)
{
    (void)text_format(buffer, size, "%s%.*s", prefix, (int)length, (const char *)bytes);
    (void)text_make_printable(buffer);
    (void)text_trim(buffer);
}

static void format_designator(const uint8_t *designator, char *buffer, size_t size)
{
    size_t length = designator[3];
    const uint8_t *bytes = designator + 4;

    switch (designator[1] & 0xf) {
    case 3:
        format_hex("naa.", bytes, length, buffer, size);
        break;
    case 2:
        format_hex("eui.", bytes, length, buffer, size);
        break;
    case 8:
        format_text_name("", bytes, length, buffer, size);
        break;
    default:
        format_text_name("t10.", bytes, length, buffer, size);
    }
}

int scsi_wwid_parse(const uint8_t *bytes, size_t length, char *buffer, size_t size)
{
    const uint8_t *best = NULL;
    size_t end;

    if (length < 4 || bytes[1] != 0x83)
        return -RESERVATION_MALFORMED;
    end = 4 + (size_t)get_16(bytes + 2);
    if (end > length)
        return -RESERVATION_MALFORMED;
    for (size_t at = 4; at < end; at += 4 + (size_t)bytes[at + 3]) {
        if (end - at < 4 || end - at - 4 < bytes[at + 3])
            return -RESERVATION_MALFORMED;
        if (designator_rank(bytes + at) > (best ? designator_rank(best) : 0))
            best = bytes + at;
    }
    buffer[0] = '\0';
    if (best)
        format_designator(best, buffer, size);
    return 0;
}

/* ---- full status -------------------------------------------------------------------------------------------------- */

#define DESCRIPTOR_HEADER 24

/* A TransportID in words (SPC-4 7.6.4). */
static void format_transport_id(const uint8_t *bytes, size_t length, char *buffer, size_t size)
{
    uint8_t protocol = bytes[0] & 0xf;

    switch (protocol) {
    case 0: /* Fibre Channel: the N_Port's name */
        format_hex("fc 0x", bytes + 8, length >= 16 ? 8 : 0, buffer, size);
        return;
    case 4: /* SRP */
        format_hex("srp 0x", bytes + 8, length >= 24 ? 16 : 0, buffer, size);
        return;
    case 5: /* iSCSI: a name that ends with a NUL, in format 1 with ",i,0x" and the ISID */
        format_text_name("", bytes + 4, strnlen((const char *)bytes + 4, length - 4), buffer, size);
        return;
    case 6: /* SAS */
        format_hex("sas 0x", bytes + 4, length >= 12 ? 8 : 0, buffer, size);
        return;
    default:
        (void)text_format(buffer, size, "protocol %u", protocol);
    }
}

/* Reads the descriptor at bytes. Returns its whole length, or -RESERVATION_MALFORMED. */
static ssize_t parse_registrant(const uint8_t *bytes, size_t length, struct scsi_registrant *ret)
{
    uint32_t additional;

    if (length < DESCRIPTOR_HEADER)
        return -RESERVATION_MALFORMED;
    additional = get_32(bytes + 20);
    if (additional > length - DESCRIPTOR_HEADER)
        return -RESERVATION_MALFORMED;
    *ret = (struct scsi_registrant){
        .key = get_64(bytes),
        .all_ports = bytes[12] & 0x02,
        .target_port = get_16(bytes + 18),
        .type = bytes[12] & 0x01 ? scsi_type_of(bytes[13] & 0xf) : RESERVATION_NONE,
    };
    if (additional >= 4)
        format_transport_id(bytes + DESCRIPTOR_HEADER, additional, ret->transport_id, sizeof(ret->transport_id));
    return (ssize_t)(DESCRIPTOR_HEADER + additional);
}

static int walk_registrants(const uint8_t *bytes, size_t length, scsi_registrant_visitor visitor, void *context)
{
    while (length > 0) {
        struct scsi_registrant registrant;
        ssize_t n = parse_registrant(bytes, length, &registrant);

        if (n < 0)
            return (int)n;
        if (visitor)
            visitor(context, &registrant);
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

int scsi_full_status_parse(const uint8_t *bytes, size_t length, scsi_registrant_visitor visitor, void *context)
{
    uint32_t generation, additional;
    int r = parse_header(bytes, length, &generation, &additional);

    if (r < 0)
        return r;
    if (additional > FULL_STATUS_LENGTH - IN_HEADER)
        return -RESERVATION_TOO_MANY;
    if (additional > length - IN_HEADER)
        return -RESERVATION_MALFORMED;
    r = walk_registrants(bytes + IN_HEADER, additional, NULL, NULL);
    return r < 0 ? r : walk_registrants(bytes + IN_HEADER, additional, visitor, context);
}

/* ---- operations --------------------------------------------------------------------------------------------------- */

static int reserve_in(const struct scsi_transport *transport, uint8_t action, uint8_t *data, size_t size, struct deadline deadline,
                      size_t *ret_received)
{
    struct scsi_command command = {
        .cdb = { PERSISTENT_RESERVE_IN, action, [7] = (uint8_t)(size >> 8), [8] = (uint8_t)size },
        .cdb_length = 10,
        .data = data,
        .data_length = size,
    };
    int r = scsi_command_run(transport, &command, deadline);

    *ret_received = command.received < size ? command.received : size;
    /* Only a REGISTER has parameters to refuse. */
    return r == -RESERVATION_APTPL_REFUSED ? -RESERVATION_DEVICE_ERROR : r;
}

static int inquire_page(const struct scsi_transport *transport, uint8_t page, uint8_t *data, size_t size, struct deadline deadline,
                        size_t *ret_received)
{
    struct scsi_command command = {
        .cdb = { INQUIRY, 1, page, (uint8_t)(size >> 8), (uint8_t)size },
        .cdb_length = 6,
        .data = data,
        .data_length = size,
    };
    int r = scsi_command_run(transport, &command, deadline);

    *ret_received = command.received < size ? command.received : size;
    return r == -RESERVATION_APTPL_REFUSED ? -RESERVATION_DEVICE_ERROR : r;
}

int scsi_read_wwid(const struct scsi_transport *transport, struct deadline deadline, char *buffer, size_t size)
{
    uint8_t data[VPD_LENGTH] = { 0 };
    size_t received;
    int r = inquire_page(transport, 0x83, data, sizeof(data), deadline, &received);

    buffer[0] = '\0';
    if (r == -RESERVATION_NOT_SUPPORTED)
        return 0; /* a device without the page has no name */
    return r < 0 ? r : scsi_wwid_parse(data, received, buffer, size);
}

int scsi_read_capabilities(const struct scsi_transport *transport, struct deadline deadline, struct reservation_capabilities *ret)
{
    uint8_t data[8] = { 0 };
    size_t received;
    int r = reserve_in(transport, REPORT_CAPABILITIES, data, sizeof(data), deadline, &received);

    return r < 0 ? r : scsi_capabilities_parse(data, received, ret);
}

static int read_keys(const struct scsi_transport *transport, struct deadline deadline, struct reservation_state *ret)
{
    uint8_t data[IN_HEADER + 8 * RESERVATION_KEYS_MAXIMUM] = { 0 };
    size_t received;
    int r = reserve_in(transport, READ_KEYS, data, sizeof(data), deadline, &received);

    return r < 0 ? r : scsi_keys_parse(data, received, ret);
}

static int read_reservation(const struct scsi_transport *transport, struct deadline deadline, struct reservation_state *ret,
                            uint32_t *ret_generation)
{
    uint8_t data[64] = { 0 };
    size_t received;
    int r = reserve_in(transport, READ_RESERVATION, data, sizeof(data), deadline, &received);

    return r < 0 ? r : scsi_reservation_parse(data, received, ret, ret_generation);
}

/* The keys are read before and after the reservation where the generation moved: RESERVE and RELEASE leave it alone (SPC-4 5.13.5), so that a
 * reservation may have come or gone between the two readings all the same; that is what was true at its own reading. */
int scsi_read_state(const struct scsi_transport *transport, struct deadline deadline, struct reservation_state *ret)
{
    for (int try = 0; try < CONSISTENT_TRIES; try++) {
        uint32_t generation;
        int r = read_keys(transport, deadline, ret);

        if (r == 0)
            r = read_reservation(transport, deadline, ret, &generation);
        if (r < 0)
            return r;
        if (generation == ret->generation) {
            if (ret->type == RESERVATION_WRITE_EXCLUSIVE_ALL || ret->type == RESERVATION_EXCLUSIVE_ACCESS_ALL)
                ret->holder = 0; /* all of them: what the field holds then means nothing */
            return 0;
        }
    }
    return -RESERVATION_BUSY;
}

int scsi_read_full_status(const struct scsi_transport *transport, struct deadline deadline, scsi_registrant_visitor visitor,
                          void *context)
{
    _cleanup_free_ uint8_t *data = calloc(1, FULL_STATUS_LENGTH);
    size_t received;
    int r;

    if (!data)
        return -ENOMEM;
    r = reserve_in(transport, READ_FULL_STATUS, data, FULL_STATUS_LENGTH, deadline, &received);
    return r < 0 ? r : scsi_full_status_parse(data, received, visitor, context);
}

int scsi_reserve_out(const struct scsi_transport *transport, const struct scsi_reserve_order *order, struct deadline deadline)
{
    uint8_t data[OUT_LENGTH] = { 0 };
    struct scsi_command command = {
        .cdb = { PERSISTENT_RESERVE_OUT, (uint8_t)order->action, scsi_type_code(order->type), [8] = OUT_LENGTH },
        .cdb_length = 10,
        .writes = true,
        .data = data,
        .data_length = sizeof(data),
    };
    int r;

    put_64(data, order->key);
    put_64(data + 8, order->service_key);
    data[20] = order->aptpl ? 0x01 : 0x00;
    r = scsi_command_run(transport, &command, deadline);
    return r == -RESERVATION_APTPL_REFUSED && !order->aptpl ? -RESERVATION_DEVICE_ERROR : r;
}
