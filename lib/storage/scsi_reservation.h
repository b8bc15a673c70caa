/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_SCSI_RESERVATION_H
#define VIGIL_STORAGE_SCSI_RESERVATION_H
/*
 * The bytes of SCSI persistent reservations (SPC-4 6.15, 6.16) and of the device's name (7.8.6), and the operations over a transport. The parsers are
 * pure functions over (bytes, length): all that comes from the array may be short, cut or contradict itself.
 */
#include <stddef.h>
#include <stdint.h>

#include "storage/reservation.h"
#include "storage/scsi_command.h"

/* Service actions of PERSISTENT RESERVE OUT. */
enum scsi_reserve_action {
    SCSI_REGISTER = 0,
    SCSI_RESERVE = 1,
    SCSI_RELEASE = 2,
    SCSI_CLEAR = 3,
    SCSI_PREEMPT = 4,
    SCSI_PREEMPT_AND_ABORT = 5,
    SCSI_REGISTER_AND_IGNORE = 6,
};

/* All parsers: 0, -RESERVATION_MALFORMED, or -RESERVATION_TOO_MANY; *ret is untouched on failure, or valid for what it names. */

/* READ KEYS: fills generation, key_count and keys. */
int scsi_keys_parse(const uint8_t *bytes, size_t length, struct reservation_state *ret);
/* READ RESERVATION: fills type and holder, and gives the generation for comparison. */
int scsi_reservation_parse(const uint8_t *bytes, size_t length, struct reservation_state *ret, uint32_t *ret_generation);
/* REPORT CAPABILITIES. */
int scsi_capabilities_parse(const uint8_t *bytes, size_t length, struct reservation_capabilities *ret);
/* VPD page 0x83, device identification: the best name of the logical unit as the kernel writes it ("naa.6001...", "eui.0025...", "t10...."). "" where the
 * page has none. */
int scsi_wwid_parse(const uint8_t *bytes, size_t length, char *buffer, size_t size);

/* One full status descriptor of READ FULL STATUS: a registration and the path it came over. */
struct scsi_registrant {
    uint64_t key;
    enum reservation_type type; /* RESERVATION_NONE: does not hold the reservation */
    uint16_t target_port;       /* relative target port identifier */
    bool all_ports;
    char transport_id[256];     /* initiator's name in words: "iqn.1993-08.org.debian:01:abc,i,0x00023d000001", "fc 0x1000..." */
};
typedef void (*scsi_registrant_visitor)(void *context, const struct scsi_registrant *registrant);
/* READ FULL STATUS: visits each registrant. Nobody is visited when the answer as a whole is malformed. */
int scsi_full_status_parse(const uint8_t *bytes, size_t length, scsi_registrant_visitor visitor, void *context);

/* The SCSI code of a type, and back; RESERVATION_TYPE_UNKNOWN. Pure. */
uint8_t scsi_type_code(enum reservation_type type);
enum reservation_type scsi_type_of(uint8_t code);

/* The operations, on one path. Return as the functions of reservation.h of the same name. */
int scsi_read_wwid(const struct scsi_transport *transport, struct deadline deadline, char *buffer, size_t size);
int scsi_read_capabilities(const struct scsi_transport *transport, struct deadline deadline, struct reservation_capabilities *ret);
int scsi_read_state(const struct scsi_transport *transport, struct deadline deadline, struct reservation_state *ret);
int scsi_read_full_status(const struct scsi_transport *transport, struct deadline deadline, scsi_registrant_visitor visitor,
                          void *context);

/* PERSISTENT RESERVE OUT. */
struct scsi_reserve_order {
    enum scsi_reserve_action action;
    enum reservation_type type;
    uint64_t key;         /* reservation key */
    uint64_t service_key; /* service action reservation key */
    bool aptpl;
};
int scsi_reserve_out(const struct scsi_transport *transport, const struct scsi_reserve_order *order, struct deadline deadline);

#endif
