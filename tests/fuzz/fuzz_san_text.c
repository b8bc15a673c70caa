/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the layers below a file system read: replies of the device mapper, multipath's status, uevents, iSCSI portals, discoveries and records, LVM's reports. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/device_mapper.h"
#include "storage/iscsi_session.h"
#include "storage/lvm_report.h"
#include "storage/multipath_map.h"
#include "storage/uevent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_replies(const char *bytes, size_t size)
{
    struct dm_device device;
    struct dm_target target;
    const char *name;
    size_t cursor = 0, steps = 0;
    dev_t number;

    if (dm_reply_parse(bytes, size, &device) == 0)
        assert(strlen(device.name) < sizeof(device.name) && strlen(device.uuid) < sizeof(device.uuid));
    while (dm_reply_next_target(bytes, size, &cursor, &target) == 1) {
        assert(target.text >= bytes && target.text + strlen(target.text) < bytes + size);
        assert(++steps <= size);
    }
    cursor = steps = 0;
    while (dm_reply_next_name(bytes, size, &cursor, &name, &number) == 1) {
        assert(name + strlen(name) < bytes + size);
        assert(++steps <= size);
    }
}

static void try_multipath(const char *text)
{
    struct multipath_map map;

    if (multipath_status_parse(text, &map) == 0)
        assert(map.count <= MULTIPATH_PATHS_MAX && map.active <= map.count);
    (void)multipath_table_queues(text);
}

static void try_iscsi(const char *text, size_t size)
{
    const struct iscsi_setting setting = { "node.session.auth.password", "secret" };
    struct iscsi_portal portal, portals[ISCSI_PORTALS_MAX];
    struct text_buffer merged = { 0 };
    char formatted[200];
    int count = iscsi_portals_parse(text, portals);

    assert(count <= ISCSI_PORTALS_MAX);
    if (iscsi_portal_parse(text, size, &portal) == 0) {
        struct iscsi_portal again;

        assert(portal.port != 0 && !strchr(portal.address, '/'));
        (void)iscsi_portal_format(&portal, formatted, sizeof(formatted));
        assert(iscsi_portal_parse(formatted, strlen(formatted), &again) == 0 && iscsi_portal_equal(&portal, &again));
    }
    assert(iscsi_discovery_parse(text, size, "iqn.x", portals) <= ISCSI_PORTALS_MAX);
    if (iscsi_record_merge(text, size, &setting, 1, &merged) == 0)
        assert(strstr(merged.text, "node.session.auth.password = secret\n"));
    text_buffer_free(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct lvm_group group;
    struct uevent event;
    char id[16];
    char *text;

    if (size > 8192)
        return 0;
    try_replies(bytes, size);
    if (uevent_parse(bytes, size, &event) == 0)
        (void)uevent_brings_block(&event);
    if (lvm_group_parse(bytes, size, &group) == 0)
        assert(strlen(group.uuid) == 32);
    if (lvm_system_id_parse(bytes, size, id, sizeof(id)) == 0)
        assert(id[0] != '\0' && memchr(id, '\0', sizeof(id)));
    text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    try_multipath(text);
    try_iscsi(text, strlen(text));
    free(text);
    return 0;
}
