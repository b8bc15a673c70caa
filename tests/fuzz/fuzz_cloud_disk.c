/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cloud agents read beside the clouds' answers: a list of hosts, the note of a disk, a serial number's page. The first byte chooses. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/cloud_params.h"
#include "cloud/disk_note.h"
#include "cloud/instance_name.h"
#include "storage/disk_serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_hosts(const char *text)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    char id[CLOUD_ID_SIZE], node[256];
    int r = instance_hosts_check(text, &why);

    assert(r == 0 || (r == -EINVAL && why.length > 0));
    if (r == 0 && instance_hosts_find(text, "n1", id, sizeof(id)) == 0) {
        /* The way back leads to the same node. */
        assert(instance_hosts_find_node(text, id, node, sizeof(node)) == 0 && strcmp(node, "n1") == 0);
        assert(cloud_id_check(id, &why) == 0 || strpbrk(id, ".:"));
    }
    (void)instance_id_form(text);
}

static void try_note(const char *text, size_t length)
{
    struct disk_note note = { 0 };
    struct disk_serials serials;
    char again[DISK_NOTE_LIMIT];

    if (disk_note_parse(text, length, &note) < 0)
        return;
    assert(note.phase != DISK_PHASE_NONE);
    assert(disk_note_format(&note, again, sizeof(again)) > 0);
    disk_serials_of_id(note.volume, &serials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char serial[DISK_SERIAL_SIZE];
    char *text;

    if (size == 0)
        return 0;
    text = calloc(1, size);
    assert(text);
    memcpy(text, data + 1, size - 1);
    if (data[0] == 'h')
        try_hosts(text);
    else if (data[0] == 'n')
        try_note(text, size - 1);
    else if (disk_serial_parse_vpd80(data + 1, size - 1, serial, sizeof(serial)) == 0)
        assert(serial[0] != '\0');
    free(text);
    return 0;
}
