/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LUNs and their paths: passive, since the node has them or has them not. Up waits until each LUN is there, by its map where one is wanted, with as many
 * paths as demanded. A check tells of paths that are lost; none at all is a failure. Before anything is let go of, down makes sure that no unmount waits for
 * a path that does not come back (queue_if_no_path).
 */
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/child.h"
#include "base/file.h"
#include "base/number.h"
#include "base/process.h"
#include "storage/device_io.h"
#include "storage/multipath_map.h"
#include "storage/storage_call.h"
#include "storage/uevent.h"
#include "storage/volume.h"

#define LOOK_AGAIN_MS 250
/* A message to the device mapper takes microseconds, unless the kernel is in trouble. */
#define MESSAGE_LIMIT_MS 2000
/* So much of a stop's time, in percent, paths have to come back before waiting I/O is made to fail. */
#define QUEUEING_SHARE 50

/* Whether the LUNs are to be looked after, and not just met on the way. */
static bool is_explicit(const struct volume *volume)
{
    const struct volume_config *config = volume->config;

    return config->disks || config->reservation != 0 || config->multipath == MULTIPATH_REQUIRE || config->paths_required > 1 ||
           config->paths_expected > 1;
}

static bool applies(const struct volume *volume)
{
    return !volume->bind && !volume->network && (is_explicit(volume) || volume->config->multipath != MULTIPATH_NO);
}

static bool map_wanted(const struct volume *volume)
{
    const struct volume_config *config = volume->config;

    return config->multipath == MULTIPATH_REQUIRE ||
           (config->multipath == MULTIPATH_AUTO && (config->paths_required > 1 || config->paths_expected > 1));
}

static const char *disk_text(const struct volume *volume, const struct volume_disk *disk)
{
    return volume->config->disks ? disk->name.value : volume->config->device;
}

/* ---- one LUN ---------------------------------------------------------------------------------------------------------------------- */

/* What SCSI says of a disk without multipath ("running"; "offline", "transport-offline", "blocked"). No such attribute: no word of it. */
static bool disk_is_offline(dev_t number)
{
    char path[80], state[32];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/device/state", major(number), minor(number));
    if (file_read_line(path, state, sizeof(state)) <= 0)
        return false;
    return text_equal(state, "offline") || text_equal(state, "transport-offline") || text_equal(state, "blocked") || text_equal(state, "dead");
}

/* Counts the paths of a LUN that is known. Returns 0 or -errno. */
static int look_at_paths(struct volume_disk *disk)
{
    struct multipath_map map;
    int r = multipath_map_read(disk->device.number, &map);

    if (r < 0)
        return r;
    disk->is_map = r == 1;
    if (disk->is_map) {
        disk->paths = (unsigned int)map.count;
        disk->paths_alive = (unsigned int)map.active;
    } else {
        disk->paths = 1;
        disk->paths_alive = !disk_is_offline(disk->device.number);
    }
    return 0;
}

/* ---- up ----------------------------------------------------------------------------------------------------------------------------- */

static int fail_missing(struct volume *volume, const struct volume_disk *disk, int error)
{
    char waited[40];

    (void)number_format_duration(volume->config->device_timeout_ms, waited, sizeof(waited));
    if (error == -ENODEV)
        return volume_fail(volume, -ENODEV, "LUN %s is not on this node (waited %s): check its mapping on the array, zone, cable or iSCSI login",
                           disk_text(volume, disk), waited);
    if (error == -EEXIST)
        return volume_fail(volume, -ENOTUNIQ, "several devices bear the name of LUN %s: paths that multipathd has not joined? See multipath -ll",
                           disk_text(volume, disk));
    return volume_fail(volume, error, "LUN %s: %s", disk_text(volume, disk), storage_error_text(error));
}

/* The LUN is there; its map may come a moment later than its first path, and its further paths one by one. */
static int await_paths(struct volume *volume, struct volume_disk *disk, struct deadline deadline)
{
    unsigned int required = volume->config->paths_required > 0 ? (unsigned int)volume->config->paths_required : 1;
    _cleanup_close_ int fd = uevent_open();

    for (;;) {
        int r = device_find(&disk->name, deadline, &disk->device);

        disk->known = r == 0;
        if (r == 0)
            r = look_at_paths(disk);
        if (r == 0 && (disk->is_map || !map_wanted(volume)) && disk->paths_alive >= required)
            return 0;
        if (uevent_await_block(fd, deadline, LOOK_AGAIN_MS) == 0)
            continue;
        if (r < 0)
            return fail_missing(volume, disk, r);
        if (!disk->is_map && map_wanted(volume))
            return volume_fail(volume, -ENODEV, "LUN %s (%s) has no multipath map: is multipathd running, and is the LUN in multipath's blacklist?",
                               disk_text(volume, disk), disk->device.path);
        return volume_fail(volume, -EHOSTUNREACH, "LUN %s (%s) has %u working paths of %u, %u are demanded (paths_required): check cables and sessions",
                           disk_text(volume, disk), disk->device.path, disk->paths_alive, disk->paths, required);
    }
}

static int layer_up(struct volume *volume)
{
    struct deadline deadline = deadline_within(volume->deadline, volume->config->device_timeout_ms);

    if (!is_explicit(volume))
        return 0;
    for (size_t i = 0; i < volume->disk_count; i++) {
        struct volume_disk *disk = &volume->disks[i];
        int r = volume_disk_await(volume, disk, deadline);

        /* Several: the paths of a map that is still to come. */
        if (r < 0 && !(r == -EEXIST && map_wanted(volume)))
            return fail_missing(volume, disk, r);
        r = await_paths(volume, disk, deadline);
        if (r < 0)
            return r;
    }
    volume_write_note(volume);
    return 0;
}

/* ---- check -------------------------------------------------------------------------------------------------------------------------- */

static unsigned int expected_paths(const struct volume *volume, const struct volume_disk *disk)
{
    if (volume->config->paths_expected > 0)
        return (unsigned int)volume->config->paths_expected;
    if (volume->config->disks && volume->state_known && volume->state.disk_count == volume->disk_count &&
        volume->state.disks[disk - volume->disks].paths > disk->paths)
        return volume->state.disks[disk - volume->disks].paths;
    return disk->paths;
}

/* No path left: gives one the time of an I/O to come back. */
static int await_any_path(struct volume *volume, struct volume_disk *disk)
{
    struct deadline deadline = deadline_within(deadline_share(volume->deadline, 80), volume->config->io_timeout_ms);
    char waited[40];
    int r = 0;

    while (r == 0 && disk->paths_alive == 0) {
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0)
            return volume_fail(volume, -EHOSTUNREACH, "all %u paths to LUN %s are lost for %s: check cables, switches and the array", disk->paths,
                               disk_text(volume, disk),
                               number_format_duration(volume->config->io_timeout_ms, waited, sizeof(waited)));
        r = look_at_paths(disk);
    }
    return r;
}

static int check_disk(struct volume *volume, struct volume_disk *disk)
{
    unsigned int expected;
    int r = volume_disk_find(volume, disk);

    if (r == 0)
        r = look_at_paths(disk);
    if (r == 0 && disk->paths_alive == 0)
        r = await_any_path(volume, disk);
    if (r < 0)
        return volume_fail(volume, r, "LUN %s: %s", disk_text(volume, disk), r == -ENODEV ? "gone from this node while it is in use" : storage_error_text(r));
    if (map_wanted(volume) && !disk->is_map)
        return volume_fail(volume, -ENODEV, "LUN %s (%s) is no multipath map any more", disk_text(volume, disk), disk->device.path);
    expected = expected_paths(volume, disk);
    if (disk->paths_alive < expected)
        volume_degrade(volume, "LUN %s has %u of %u paths: check cables, switches and sessions", disk_text(volume, disk), disk->paths_alive, expected);
    return 0;
}

static bool is_device_mapper(dev_t number)
{
    char path[80];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/dm", major(number), minor(number));
    return access(path, F_OK) == 0;
}

/* A volume whose LUNs nobody named: the one that is mounted, where it is a map. */
static int check_mounted(struct volume *volume)
{
    struct volume_disk *disk = volume->disks;
    dev_t number = volume->state_known ? volume->state.block : 0;
    int r;

    if (number == 0 || volume->disk_count != 1 || !is_device_mapper(number) || device_from_number(number, &disk->device) < 0)
        return 0;
    r = look_at_paths(disk);
    /* Not a map, or none can be told: the device layer judges it. */
    if (r < 0 || !disk->is_map)
        return 0;
    disk->known = true;
    return check_disk(volume, disk);
}

static int layer_check(struct volume *volume, unsigned int depth _unused_)
{
    int r = 0;

    if (!volume->mount.mounted)
        return VOLUME_PASSIVE;
    if (!is_explicit(volume))
        r = check_mounted(volume);
    for (size_t i = 0; r == 0 && is_explicit(volume) && i < volume->disk_count; i++)
        r = check_disk(volume, &volume->disks[i]);
    return r < 0 ? r : VOLUME_PASSIVE;
}

/* ---- down --------------------------------------------------------------------------------------------------------------------------- */

/* What goes on beside a stop: the maps whose I/O may wait for ever. */
struct queue_watch {
    struct process_identity stop; /* the process that stops the volume */
    struct deadline patience;     /* so long paths may come back */
    struct deadline end;
    dev_t maps[VOLUME_DISKS_MAX];
    size_t count;
};

static void end_queueing(struct volume *volume, const struct volume_disk *disk)
{
    int r = multipath_map_set_queueing(disk->device.number, false, deadline_within(volume->deadline, MESSAGE_LIMIT_MS));

    if (r < 0)
        volume_note(volume, "I/O to LUN %s waits for a path, and could not be told not to: %s", disk_text(volume, disk), strerror(-r));
    else
        volume_note(volume, "LUN %s has no path: its waiting I/O was made to fail, so that the stop does not wait for it", disk_text(volume, disk));
}

/* Runs beside the stop: once its patience is over, a map that has no path then, or loses its last one, stops waiting. */
static int watch_queues(void *argument)
{
    const struct queue_watch *watch = argument;

    while (process_alive(&watch->stop) == 1 && deadline_sleep(watch->end, LOOK_AGAIN_MS) == 0) {
        if (!deadline_passed(watch->patience))
            continue;
        for (size_t i = 0; i < watch->count; i++) {
            struct multipath_map map;

            if (multipath_map_read(watch->maps[i], &map) == 1 && map.active == 0)
                (void)multipath_map_set_queueing(watch->maps[i], false, deadline_within(watch->end, MESSAGE_LIMIT_MS));
        }
    }
    return 0;
}

static void prepare_disk(struct volume *volume, struct volume_disk *disk, struct queue_watch *watch)
{
    if (!is_explicit(volume) && volume->state_known && volume->state.block != 0)
        disk->known = device_from_number(volume->state.block, &disk->device) == 0;
    if (!disk->known && volume_disk_find(volume, disk) < 0)
        return;
    if (look_at_paths(disk) < 0 || !disk->is_map || multipath_map_queues(disk->device.number) != 1)
        return;
    disk->queued = true;
    if (disk->paths_alive == 0)
        end_queueing(volume, disk);
    else
        watch->maps[watch->count++] = disk->device.number;
}

static void prepare_down(struct volume *volume)
{
    struct queue_watch watch = { .patience = deadline_share(volume->deadline, QUEUEING_SHARE), .end = volume->deadline };

    /* Only kernel tables are read here: nothing that waits for the device. */
    if (!is_explicit(volume) && !(volume->state_known && volume->state.block != 0))
        return;
    for (size_t i = 0; i < volume->disk_count; i++)
        prepare_disk(volume, &volume->disks[i], &watch);
    if (watch.count > 0 && process_identify(getpid(), &watch.stop) == 0)
        (void)child_detach(watch_queues, &watch, NULL);
}

/* All above is let go of: I/O may wait again where it did before, unless there is still no path for it. */
static int layer_down(struct volume *volume)
{
    for (size_t i = 0; i < volume->disk_count; i++) {
        struct volume_disk *disk = &volume->disks[i];

        if (disk->queued && look_at_paths(disk) == 0 && disk->paths_alive > 0)
            (void)multipath_map_set_queueing(disk->device.number, true, deadline_within(volume->deadline, MESSAGE_LIMIT_MS));
    }
    return 0;
}

const struct volume_layer volume_layer_multipath = {
    .name = "multipath",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
    .prepare_down = prepare_down,
};
