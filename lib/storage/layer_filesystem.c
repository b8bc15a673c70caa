/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file system of the volume on its mount point. Up: our device is mounted there, as asked. Down: no mount of our device is left in this
 * mount namespace. What is mounted there from another device is never touched.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/device_io.h"
#include "storage/fsck.h"
#include "storage/mount_call.h"
#include "storage/mount_match.h"
#include "storage/mount_release.h"
#include "storage/mount_table.h"
#include "storage/status_file.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

static bool applies(const struct volume *volume)
{
    return !volume->bind && !volume->network;
}

/* ---- whose mount it is ----------------------------------------------------------------------------------------------------------- */

static bool note_matches(const struct volume *volume, const struct mount_point *mount)
{
    return volume->state_known && volume->state.mount_id == mount->id && volume->state.superblock == mount->device;
}

/* Notes what was found out, so that the next look need not. That the note cannot be written costs time, not truth. */
static void note_mount(struct volume *volume, const struct mount_point *mount)
{
    (void)text_copy(volume->state.asked, sizeof(volume->state.asked), volume->config->device);
    volume->state.mount_id = mount->id;
    volume->state.superblock = mount->device;
    volume->state.block = volume->device_known ? volume->device.number : 0;
    if (volume->state.block == 0 && major(mount->device) != 0)
        volume->state.block = mount->device;
    volume->state.detached = false;
    volume->state_known = true;
    (void)volume_state_write(volume->state_path, &volume->state);
}

/* 1 when the mount is of our device, 0 when of another, -errno when that cannot be told. */
static int mount_is_ours(struct volume *volume, const struct mount_point *mount)
{
    int r;

    if (note_matches(volume, mount))
        return 1;
    if (!volume->device_known) {
        r = device_find(&volume->name, deadline_within(volume->deadline, volume->config->io_timeout_ms), &volume->device);
        /* The node has vanished, but the mount still names what the user names. */
        if (r < 0 && text_equal(mount->source, volume->config->device))
            return 1;
        if (r < 0)
            return r;
        volume->device_known = true;
    }
    return superblock_on_device(mount->device, mount->type, mount->source, &volume->device);
}

/* A btrfs that is mounted by subvolumes may be held by another resource's mount. */
static bool may_be_shared(const struct volume *volume)
{
    return text_equal(volume->config->type, "btrfs") && mount_option_present(volume->config->options, "subvol");
}

/* A mount that the folder no longer shows, but which lives: hidden by another one, or taken out of the tree while in use, by a stop or by somebody else. A note that is
 * left behind says that no stop has seen the volume released: a probe, by which other nodes may mount it, then asks the device as a stop does. */
static int check_hidden(struct volume *volume)
{
    bool probe = volume->check_only && volume->search && volume->state.block != 0 && !may_be_shared(volume);
    int r;

    if (!volume->state_known)
        return VOLUME_DOWN;
    if (mount_id_exists(volume->state.mount_id) == 1)
        return volume_fail(volume, -EBUSY, "%s is still mounted, but another mount hides it: unmount that one", volume->directory);
    if (!volume->state.detached && !probe)
        return VOLUME_DOWN;
    r = device_from_number(volume->state.block, &volume->device);
    if (r == -ENODEV && !volume->state.detached)
        return VOLUME_DOWN;
    if (r == 0)
        r = device_is_held(&volume->device, deadline_within(volume->deadline, volume->config->io_timeout_ms));
    if (r == 0)
        return VOLUME_DOWN;
    if (r < 0)
        return volume_fail(volume, r, "%s was detached while in use, and it cannot be told whether it is released: %s",
                           volume->directory, storage_error_text(r));
    return volume_fail(volume, -EBUSY, "%s was detached while in use and is still being written: restart this node", volume->directory);
}

/* Looks at the mount point. Returns VOLUME_UP when our device is mounted there (volume->mount is filled), VOLUME_DOWN when it is not, -errno with
 * the reason when that is not known. *ret_other is set when something else is mounted there. */
static int look(struct volume *volume, bool *ret_other)
{
    struct mount_point mount;
    int r = -ENOENT;

    *ret_other = false;
    if (volume->check_only && volume->state_known && volume->state.mount_id < MOUNT_ID_UNIQUE_MINIMUM)
        r = mount_point_look_noted(volume->directory, volume->state.mount_id, volume->state.superblock, &mount);
    if (r < 0)
        r = mount_point_look(volume->directory, volume->deadline, &mount);
    if (r < 0)
        return volume_fail(volume, r, "cannot see what is mounted on %s: %s", volume->directory, storage_error_text(r));
    if (!mount.mounted)
        return check_hidden(volume);
    r = mount_is_ours(volume, &mount);
    if (r < 0 && r != -ENODEV && r != -ENOTBLK)
        return volume_fail(volume, r, "%s is mounted on %s, and whether that is %s cannot be told: %s", mount.source, volume->directory,
                           volume->config->device, storage_error_text(r));
    if (r < 0)
        return volume_fail(volume, -ENODATA, "%s is mounted on %s, and whether that is %s cannot be told, since no such device is on this node",
                           mount.source[0] ? mount.source : mount.type, volume->directory, volume->config->device);
    if (r == 0) {
        *ret_other = true;
        return check_hidden(volume);
    }
    volume->mount = mount;
    if (!note_matches(volume, &mount))
        note_mount(volume, &mount);
    return VOLUME_UP;
}

/* ---- check ----------------------------------------------------------------------------------------------------------------------- */

static int judge_mount(struct volume *volume)
{
    const struct mount_point *mount = &volume->mount;

    if (mount->shut_down)
        return volume_fail(volume, -EIO, "file system %s on %s has shut itself down after an error: see the kernel's log",
                           volume->config->device, volume->directory);
    if (mount->read_only && volume_wants_write(volume))
        return volume_fail(volume, -EROFS, "file system %s on %s has turned read-only, as it does after an error: see the kernel's log",
                           volume->config->device, volume->directory);
    return VOLUME_UP;
}

/* Not on its mount point: but perhaps elsewhere, which is not "absent". Costs a look at the whole table, and a search for a device that is named
 * by what it holds, which a recurring monitor leaves out. */
static int check_elsewhere(struct volume *volume)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    const struct mount_entry *entry;

    if ((volume->name.kind != DEVICE_PATH && !volume->search) || device_find(&volume->name, volume->deadline, &volume->device) < 0)
        return VOLUME_DOWN;
    if (text_equal(volume->config->type, "btrfs") || mount_table_read(0, volume->deadline, &table) < 0)
        return VOLUME_DOWN;
    entry = mount_table_find_device(&table, &volume->device);
    if (!entry)
        return VOLUME_DOWN;
    return volume_fail(volume, -EBUSY, "%s is mounted on %s instead of %s: unmount it there", volume->config->device,
                       entry->mount_point, volume->directory);
}

static int layer_check(struct volume *volume, unsigned int depth)
{
    bool other;
    int status = look(volume, &other);

    if (status == VOLUME_DOWN)
        return check_elsewhere(volume);
    if (status < 0)
        return status;
    status = judge_mount(volume);
    if (status == VOLUME_UP && depth >= 20)
        status = status_file_check(volume);
    return status;
}

/* ---- up -------------------------------------------------------------------------------------------------------------------------- */

/* Nothing may be mounted on the mount point or beneath it: it would be hidden. */
static int refuse_others(struct volume *volume)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    char directory[4096];
    int r = path_resolve(volume->directory, volume->deadline, directory, sizeof(directory));

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return volume_fail(volume, r, "mount point %s: %s", volume->directory, storage_error_text(r));
    r = mount_table_read(0, volume->deadline, &table);
    if (r < 0)
        return volume_fail(volume, r, "cannot read the mount table: %s", storage_error_text(r));
    for (size_t i = 0; i < table.count; i++) {
        const struct mount_entry *entry = &table.entries[i];

        if (path_is_within(entry->mount_point, directory) && !mount_table_covered(&table, entry))
            return volume_fail(volume, -EEXIST, "%s is mounted on %s, which mounting %s on %s would hide: unmount it first",
                               entry->source[0] ? entry->source : entry->type, entry->mount_point, volume->config->device,
                               volume->directory);
    }
    return 0;
}

/* A device that is held, but mounted nowhere in sight, belongs to another mount namespace or to a mount that is on its way out. */
static int await_free_device(struct volume *volume)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    _cleanup_text_buffer_ struct text_buffer who = { 0 };
    struct deadline deadline = deadline_within(volume->deadline, volume->config->io_timeout_ms);
    int r;

    for (;;) {
        r = device_is_held(&volume->device, deadline);
        if (r == 0)
            return 0;
        if (r < 0)
            return volume_fail(volume, r, "device %s: %s", volume->config->device, storage_error_text(r));
        mount_table_free(&table);
        if (mount_table_read(0, volume->deadline, &table) == 0 && mount_table_find_device(&table, &volume->device))
            return 0;
        if (deadline_sleep(deadline, 50) < 0)
            break;
    }
    device_holders_describe(&volume->device, volume->device.number, deadline_in(1000), &who);
    return volume_fail(volume, -EBUSY, "device %s is held by %s: not mounted a second time", volume->config->device,
                       who.length > 0 ? who.text : "something on this node that does not show (swap, a mount taken out of the tree)");
}

static int explain_mount_error(struct volume *volume, int error, const char *message)
{
    struct ext4_mmp mmp;

    if (error == -EEXIST && volume->superblock.ext4_known && volume->superblock.ext4.protected_ &&
        superblock_read_mmp(volume->device.path, volume->device.number, &volume->superblock.ext4, volume->deadline, &mmp) == 0)
        return volume_fail(volume, -EBUSY,
                           "%s is in use: its multi-mount protection was last updated by node %s%s; not mounted: find out whether that node still runs",
                           volume->config->device, mmp.node, mmp.fsck ? " (a file system check)" : "");
    if (error == -ETIMEDOUT || error == -EBUSY || error == -ELIBACC)
        return volume_fail(volume, error == -EBUSY ? -ETXTBSY : error, "cannot mount %s on %s: %s", volume->config->device,
                           volume->directory, storage_error_text(error));
    return volume_fail(volume, error == -EINVAL ? -EIO : error, "cannot mount %s on %s: %s (%s)", volume->config->device, volume->directory,
                       message[0] ? message : storage_error_text(error), "see the kernel's log");
}

static int mount_it(struct volume *volume)
{
    const struct mount_request request = {
        .source = volume->device.path,
        .target = volume->directory,
        .type = text_empty(volume->config->type) ? volume->superblock.type : volume->config->type,
        .options = volume->config->options,
    };
    char message[256], name[STORAGE_NAME_SIZE];
    int r = mount_volume(&request, storage_name_device(volume->device.number, name), volume->deadline, message, sizeof(message));

    return r < 0 ? explain_mount_error(volume, r, message) : 0;
}

/* After acting, look again. */
static int confirm_mount(struct volume *volume)
{
    bool other;
    int status = look(volume, &other);

    if (status < 0)
        return status;
    if (status == VOLUME_DOWN)
        return volume_fail(volume, -EIO, "%s was mounted on %s, but is not to be seen there", volume->config->device, volume->directory);
    status = judge_mount(volume);
    return status < 0 ? status : 0;
}

static int prepare_mount(struct volume *volume)
{
    int r = refuse_others(volume);

    if (r == 0)
        r = await_free_device(volume);
    if (r == 0 && fsck_wanted((enum volume_fsck)volume->config->fsck, &volume->superblock))
        r = fsck_run(volume);
    if (r < 0)
        return r;
    r = file_make_directory(volume->directory, 0755);
    if (r < 0)
        return volume_fail(volume, r, "cannot make the mount point %s: %s", volume->directory, storage_error_text(r));
    return 0;
}

static int layer_up(struct volume *volume)
{
    bool other;
    int r = look(volume, &other);

    if (r < 0)
        return r;
    if (r == VOLUME_UP) {
        r = judge_mount(volume);
        return r < 0 ? r : 0;
    }
    r = prepare_mount(volume);
    if (r == 0)
        r = mount_it(volume);
    return r < 0 ? r : confirm_mount(volume);
}

/* ---- down ------------------------------------------------------------------------------------------------------------------------ */

/* Every mount of our superblock that shows our folder of it, or a part of that: the mount point and its bind mounts. */
static bool is_ours(const struct volume *volume, const struct mount_table *table _unused_, const struct mount_entry *entry)
{
    return entry->device == volume->mount.device && path_is_within(entry->root, volume->mount.root);
}

/* Not on its mount point: but mounted elsewhere it still holds the device. */
static int find_elsewhere(struct volume *volume)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    const struct mount_entry *entry;
    int r;

    if (!volume->device_known) {
        r = device_find(&volume->name, deadline_within(volume->deadline, volume->config->io_timeout_ms), &volume->device);
        volume->device_known = r == 0;
    }
    if (!volume->device_known || mount_option_present(volume->config->options, "subvol"))
        return VOLUME_DOWN;
    r = mount_table_read(0, volume->deadline, &table);
    if (r < 0)
        return volume_fail(volume, r, "cannot read the mount table: %s", storage_error_text(r));
    entry = mount_table_find_device(&table, &volume->device);
    if (!entry)
        return VOLUME_DOWN;
    volume->mount.device = entry->device;
    (void)text_copy(volume->mount.root, sizeof(volume->mount.root), "/");
    return VOLUME_UP;
}

static int layer_down(struct volume *volume)
{
    bool other;
    int r = look(volume, &other);

    if (r == VOLUME_DOWN)
        r = find_elsewhere(volume);
    if (r < 0)
        return r;
    if (r == VOLUME_DOWN)
        return 0;
    if (text_empty(volume->mount.root))
        (void)text_copy(volume->mount.root, sizeof(volume->mount.root), "/");
    return mounts_release(volume, is_ours);
}

const struct volume_layer volume_layer_filesystem = {
    .name = "filesystem",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
