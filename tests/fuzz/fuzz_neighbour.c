/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of neighbours: ARP and neighbour discovery, as they come from the wire. */
#include <assert.h>
#include <stdint.h>

#include "net/neighbour_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ip_address wanted[] = {
        { AF_INET, { 192, 0, 2, 10 } },
        { AF_INET6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x10 } },
    };
    struct hardware_address owner;

    for (size_t i = 0; i < 2; i++) {
        enum neighbour_claim claim = neighbour_packet_parse(data, size, &wanted[i], &owner);

        assert(owner.length <= HARDWARE_ADDRESS_MAX);
        assert(claim == NEIGHBOUR_CLAIM_NONE || size >= 18);
    }
    return 0;
}
