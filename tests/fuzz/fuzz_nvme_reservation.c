/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVMe reservation reports in both formats. The first byte says which. */
#include <assert.h>
#include <stdint.h>

#include "storage/nvme_reservation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reservation_state state = { 0 };
    bool kept;

    if (size < 1 || size > 70000)
        return 0;
    if (nvme_report_parse(data + 1, size - 1, data[0] == 'e', &state, &kept) == 0) {
        assert(state.key_count <= RESERVATION_KEYS_MAXIMUM);
        for (uint32_t i = 0; i < state.key_count; i++)
            assert(state.keys[i] != 0);
        assert(state.type <= RESERVATION_TYPE_UNKNOWN);
    }
    assert(nvme_status_error(data[0]) <= 0);
    return 0;
}
