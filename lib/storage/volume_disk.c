/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The LUNs below a volume: where they are on this node. */
#include <string.h>

#include "base/cleanup.h"
#include "storage/device_io.h"
#include "storage/scsi_scan.h"
#include "storage/volume.h"

/* Adapters are told to look for new LUNs, and told again where nothing came of it. */
#define SCAN_SHARE 50

void volume_write_note(struct volume *volume)
{
    struct volume_state *state = &volume->state;

    (void)text_copy(state->asked, sizeof(state->asked), volume->config->device);
    state->disk_count = 0;
    for (size_t i = 0; i < volume->disk_count && i < VOLUME_STATE_DISKS; i++) {
        if (!volume->disks[i].known)
            break;
        state->disks[i].number = volume->disks[i].device.number;
        state->disks[i].paths = volume->disks[i].paths;
        state->disk_count++;
    }
    volume->state_known = true;
    (void)volume_state_write(volume->state_path, state);
}

/* The LUN of the note, while the note has one for each. */
static dev_t noted_number(const struct volume *volume, const struct volume_disk *disk)
{
    if (!volume->state_known || volume->state.disk_count != volume->disk_count)
        return 0;
    return volume->state.disks[disk - volume->disks].number;
}

int volume_disk_find(struct volume *volume, struct volume_disk *disk)
{
    dev_t number = noted_number(volume, disk);
    int r;

    if (disk->known)
        return 0;
    if (number != 0)
        r = device_from_number(number, &disk->device);
    else
        r = device_find(&disk->name, deadline_within(volume->deadline, volume->config->io_timeout_ms), &disk->device);
    disk->known = r == 0;
    return r;
}

int volume_disk_await(struct volume *volume, struct volume_disk *disk, struct deadline deadline)
{
    int r = device_find(&disk->name, deadline, &disk->device);

    for (int tries = 0; tries < 2 && r == -ENODEV && volume->config->rescan; tries++) {
        (void)scsi_hosts_scan("/sys", deadline);
        r = device_wait(&disk->name, deadline_share(deadline, SCAN_SHARE), &disk->device);
    }
    if (r < 0)
        r = device_wait(&disk->name, deadline, &disk->device);
    disk->known = r == 0;
    return r;
}
