/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device: passive, since the node has it or has it not. Up waits until it is there, is the one that was named, and can be read.
 * Down is the proof that nothing on this node holds it any more: neither a mount in another namespace, nor one that was taken out of the
 * tree while in use; a mount table shows neither, an exclusive open of the device does.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "storage/device_io.h"
#include "storage/mount_call.h"
#include "storage/mount_match.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

/* udev and multipathd open a device for a moment when it is let go; that is not a user. */
#define RELEASE_LOOK_MS 25
#define RELEASE_LIMIT_MS 5000
/* What stays of the time, in percent, to say why it failed. */
#define RELEASE_SHARE 90
#define LOOK_AGAIN_MS 250

static bool applies(const struct volume *volume)
{
    return !volume->bind && !volume->network;
}

/* ext4's driver mounts its ancestors, too. */
static bool type_fits(const char *asked, const char *found)
{
    if (text_equal(asked, "ext4"))
        return text_equal(found, "ext4") || text_equal(found, "ext3") || text_equal(found, "ext2");
    return text_equal(asked, found) || text_empty(asked) || text_equal(asked, "auto");
}

static int refuse_content(struct volume *volume)
{
    const struct superblock *superblock = &volume->superblock;
    const struct volume_config *config = volume->config;

    if (superblock->ambiguous)
        return volume_fail(volume, -EMEDIUMTYPE,
                           "%s (%s) bears the marks of several file systems, so it cannot be told what is on it: look with wipefs(8), not mounted",
                           config->device, volume->device.path);
    if (!superblock_has_name(superblock, &volume->name))
        return volume_fail(volume, -EMEDIUMTYPE, "%s is not the device that the link for %s led to: not mounted", volume->device.path,
                           config->device);
    if (!type_fits(config->type, superblock->type))
        return volume_fail(volume, -EMEDIUMTYPE, "%s (%s) holds %s%s, not %s: not mounted; correct fstype or device", config->device,
                           volume->device.path, superblock->type[0] ? "" : "no file system that is known", superblock->type,
                           config->type);
    return 0;
}

static int describe_failure(struct volume *volume, int error)
{
    const char *device = volume->config->device;
    char waited[40];

    switch (error) {
    case -ENODEV:
    case -ENOENT:
        return volume_fail(volume, -ENODEV,
                           "device %s is not on this node (waited %s): check its path, cable, zone or login", device,
                           number_format_duration(volume->config->device_timeout_ms, waited, sizeof(waited)));
    case -EEXIST:
        return volume_fail(volume, -ENOTUNIQ, "several devices bear the name %s, so it cannot be told which is meant: remove the copy or name the device by its WWN",
                           device);
    default:
        return volume_fail(volume, error, "device %s: %s", device, storage_error_text(error));
    }
}

static int find_and_read(struct volume *volume, struct deadline deadline)
{
    bool partition = volume->name.kind == DEVICE_PARTUUID || volume->name.kind == DEVICE_PARTLABEL;
    int r = device_wait(&volume->name, deadline, &volume->device);

    if (r < 0)
        return r;
    volume->device_known = true;
    return superblock_read(volume->device.path, volume->device.number, partition,
                           deadline_within(volume->deadline, volume->config->io_timeout_ms), &volume->superblock);
}

static int layer_up(struct volume *volume)
{
    struct deadline deadline = deadline_within(volume->deadline, volume->config->device_timeout_ms);
    int r;

    for (;;) {
        r = find_and_read(volume, deadline);
        if (r != -ENOMEDIUM && r != -ENXIO && r != -ESTALE)
            break;
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0)
            break;
    }
    if (r < 0)
        return describe_failure(volume, r);
    return refuse_content(volume);
}

/* Which block device down has to look at: the noted one, else the one that bears the name now. Returns 1, 0 for none, or -errno. */
static int find_for_release(struct volume *volume)
{
    int r;

    if (volume->device_known)
        return 1;
    if (volume->state_known && volume->state.block != 0) {
        r = device_from_number(volume->state.block, &volume->device);
        if (r == 0)
            volume->device_known = true;
        if (r == 0 || r != -ENODEV)
            return r < 0 ? r : 1;
    }
    r = device_find(&volume->name, deadline_within(volume->deadline, volume->config->io_timeout_ms), &volume->device);
    if (r == -ENODEV || r == -ENOTBLK)
        return 0;
    volume->device_known = r == 0;
    return r < 0 ? r : 1;
}

static int fail_held(struct volume *volume)
{
    _cleanup_text_buffer_ struct text_buffer who = { 0 };

    device_holders_describe(&volume->device, volume->mount.device, deadline_in(1000), &who);
    return volume_fail(volume, -EBUSY,
                       "%s is out of the mount table, but the kernel still holds %s%s%s: not released; end what uses it, or restart this node",
                       volume->directory, volume->device.path, who.length > 0 ? " for " : "", who.length > 0 ? who.text : "");
}

/* A btrfs may be mounted by other resources, each by a subvolume of its own: such a mount is another's and holds the device rightly. */
static bool held_rightly(struct volume *volume)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };

    if (!text_equal(volume->config->type, "btrfs") || !mount_option_present(volume->config->options, "subvol") ||
        mount_table_read(0, volume->deadline, &table) < 0)
        return false;
    return mount_table_find_device(&table, &volume->device) != NULL;
}

/* A mount namespace of this node that has its own copy of the mount (a container, a shell behind unshare): lets go of it where nobody uses
 * it. What is in use there stays, and fails the stop. */
static int unmount_foreign(void *argument, pid_t pid, const struct mount_entry *entry)
{
    struct volume *volume = argument;
    const struct unmount_request request = { .path = entry->mount_point, .mount_id = entry->id, .kind = UNMOUNT_PLAIN, .namespace_of = pid };
    struct unmount_reply reply;
    char name[STORAGE_NAME_SIZE];
    int r = unmount_path(&request, storage_name_device(entry->device, name), volume->deadline, &reply);

    if (r == 0 && reply.error == 0)
        volume_note(volume, "unmounted %s in the mount namespace of process %ld, too", entry->mount_point, (long)pid);
    return 0;
}

static void release_foreign(struct volume *volume)
{
    dev_t superblock = volume->mount.device;

    if (superblock == 0)
        superblock = volume->state_known ? volume->state.superblock : volume->device.number;
    (void)foreign_mounts_visit(superblock, volume->deadline, unmount_foreign, volume);
}

static int layer_down(struct volume *volume)
{
    struct deadline deadline;
    bool foreign = false;
    int r = find_for_release(volume);

    if (r < 0)
        return volume_fail(volume, r, "cannot tell whether %s is released: %s", volume->config->device, storage_error_text(r));
    if (r == 0) {
        if (volume->state_known && volume->state.detached)
            return volume_fail(volume, -EBUSY, "%s was detached while in use and its device %s is gone, so it cannot be told whether it is released: restart this node",
                               volume->directory, volume->config->device);
        return 0;
    }
    /* A mount that was detached while in use may take all the time that there is; any other user is not going to leave. */
    deadline = deadline_share(volume->deadline, RELEASE_SHARE);
    if (!volume->state.detached)
        deadline = deadline_within(deadline, RELEASE_LIMIT_MS);
    for (;;) {
        r = device_is_held(&volume->device, volume->deadline);
        if (r == 0 || r == -ENODEV || r == -ENXIO || r == -ENOENT || r == -ENOMEDIUM)
            return 0;
        if (r < 0)
            return volume_fail(volume, r, "cannot tell whether %s is released: %s", volume->config->device, storage_error_text(r));
        if (held_rightly(volume))
            return 0;
        if (!foreign) {
            release_foreign(volume);
            foreign = true;
            continue;
        }
        if (deadline_sleep(deadline, RELEASE_LOOK_MS) < 0)
            return fail_held(volume);
    }
}

/* The device behind the mount that was found. */
static int find_for_check(struct volume *volume)
{
    int r;

    if (volume->device_known)
        return 0;
    if (volume->state_known && volume->state.block != 0)
        r = device_from_number(volume->state.block, &volume->device);
    else
        r = device_find(&volume->name, deadline_within(volume->deadline, volume->config->io_timeout_ms), &volume->device);
    volume->device_known = r == 0;
    return r;
}

static int fail_read(struct volume *volume, const struct device_read *seen, int error)
{
    char limit[40];
    const char *path = volume->device.path;

    (void)number_format_duration(volume->config->io_timeout_ms, limit, sizeof(limit));
    if (error == -ETIMEDOUT)
        return volume_fail(volume, error, "device %s hangs: a read of one block has had no answer for %s", path, limit);
    if (error == -EBUSY)
        return volume_fail(volume, error, "device %s hangs: a read of an earlier check still has no answer", path);
    return volume_fail(volume, error, "device %s: cannot read the block at byte %llu of %llu: %s", path,
                       (unsigned long long)seen->offset, (unsigned long long)seen->device_size, storage_error_text(error));
}

static int check_by_reading(struct volume *volume)
{
    struct device_read seen;
    int r = find_for_check(volume);

    if (r < 0)
        return volume_fail(volume, r, "device %s of %s: %s", volume->config->device, volume->directory, storage_error_text(r));
    r = device_read_check(&volume->device, deadline_within(volume->deadline, volume->config->io_timeout_ms), &seen);
    if (r < 0)
        return fail_read(volume, &seen, r);
    if (seen.took_ms > volume->config->io_timeout_ms / 2)
        volume_note(volume, "device %s is slow: a read of one block took %llu ms", volume->device.path,
                    (unsigned long long)seen.took_ms);
    return VOLUME_PASSIVE;
}

static int layer_check(struct volume *volume, unsigned int depth)
{
    /* Where nothing is mounted, a device that is missing is no fault. */
    if (!volume->mount.mounted)
        return VOLUME_PASSIVE;
    if (volume->state_known && volume->state.block != 0 && device_present(volume->state.block) == 0)
        return volume_fail(volume, -ENODEV, "device %s (%u:%u) is gone from this node while %s is mounted from it",
                           volume->config->device, major(volume->state.block), minor(volume->state.block), volume->directory);
    return depth >= 10 ? check_by_reading(volume) : VOLUME_PASSIVE;
}

const struct volume_layer volume_layer_device = {
    .name = "device",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
