/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of the reservations: iscsi:// URLs, the initiator's name, keys, files of the list of guarded devices. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/iscsi_url.h"
#include "storage/reservation_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_text(const char *text)
{
    char name[224], key_text[RESERVATION_KEY_TEXT_SIZE];
    struct iscsi_lun_url url;
    uint64_t key, again;

    if (iscsi_url_parse(text, &url, NULL) == 0) {
        assert(url.target[0] && url.portal[0] && url.lun <= 16383);
        assert(!url.user[0] == !url.password_file[0]);
        assert(!strchr(url.user, '%'));
    }
    if (iscsi_initiator_parse(text, name, sizeof(name)) == 0)
        assert(name[0] && strlen(name) < sizeof(name));
    if (reservation_key_parse(text, strlen(text), &key) == 0) {
        (void)reservation_key_format(key, key_text);
        assert(reservation_key_parse(key_text, strlen(key_text), &again) == 0 && again == key && key != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reservation_guarded guarded;
    char *text;

    if (size > 8192)
        return 0;
    if (reservation_guarded_parse((const char *)data, size, &guarded) == 0)
        assert(guarded.key != 0 && guarded.device[0]);
    text = strndup((const char *)data, size);
    if (text)
        try_text(text);
    free(text);
    return 0;
}
