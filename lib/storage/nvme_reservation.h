/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_NVME_RESERVATION_H
#define VIGIL_STORAGE_NVME_RESERVATION_H
/*
 * The bytes of NVMe reservations (NVM Express Base Specification 2.0, 7.2 to 7.5). The parsers are pure functions over (bytes, length).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/reservation.h"

/* Reservation Report: the data structure with 64-bit host identifiers, or (extended) with 128-bit ones. Zero keys, which a controller may show for hosts
 * that only hold a place, are not counted. Returns 0, -RESERVATION_MALFORMED, or -RESERVATION_TOO_MANY. Pure. */
int nvme_report_parse(const uint8_t *bytes, size_t length, bool extended, struct reservation_state *ret, bool *ret_kept);

/* The NVMe code of a type (figure 396), and back. Pure. */
uint8_t nvme_type_code(enum reservation_type type);
enum reservation_type nvme_type_of(uint8_t code);

/* A completion's status field (status code type and code; the "do not retry" bit and above are ignored) as 0 or an error; -EAGAIN: give it again. Pure. */
int nvme_status_error(unsigned int status);

#endif
