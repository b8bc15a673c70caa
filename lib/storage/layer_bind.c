/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder mounted on another one (options=bind). It has no device of its own, and its source is another resource's: down unmounts this one mount and
 * what is mounted beneath it, and ends users of this mount alone.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/mount_call.h"
#include "storage/mount_release.h"
#include "storage/mount_table.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

static bool applies(const struct volume *volume)
{
    return volume->bind;
}

struct compare_request {
    const char *source;
    const char *target;
};

/* Whether both paths lead to the same folder, in a child, since either may lie on storage that hangs. 1, 0, or -errno. */
static int compare_folders(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct compare_request *request = argument;
    struct stat source, target;

    if (stat(request->source, &source) < 0 || stat(request->target, &target) < 0)
        return -errno;
    return source.st_dev == target.st_dev && source.st_ino == target.st_ino;
}

static void note_mount(struct volume *volume, const struct mount_point *mount)
{
    (void)text_copy(volume->state.asked, sizeof(volume->state.asked), volume->config->device);
    volume->state.mount_id = mount->id;
    volume->state.superblock = mount->device;
    volume->state.block = 0;
    volume->state_known = true;
    (void)volume_state_write(volume->state_path, &volume->state);
}

static int look(struct volume *volume)
{
    struct compare_request request = { .source = volume->name.value, .target = volume->directory };
    struct mount_point mount;
    char name[STORAGE_NAME_SIZE];
    int r = mount_point_look(volume->directory, volume->deadline, &mount);

    if (r < 0)
        return volume_fail(volume, r, "cannot see what is mounted on %s: %s", volume->directory, storage_error_text(r));
    if (!mount.mounted)
        return VOLUME_DOWN;
    if (!volume->state_known || volume->state.mount_id != mount.id || volume->state.superblock != mount.device) {
        r = storage_call(compare_folders, &request, NULL, 0, storage_name_path(volume->directory, name),
                         deadline_within(volume->deadline, volume->config->io_timeout_ms));
        if (r < 0)
            return volume_fail(volume, r, "%s is mounted on %s, and whether that is %s cannot be told: %s", mount.source, volume->directory,
                               volume->config->device, storage_error_text(r));
        if (r == 0)
            return VOLUME_DOWN;
        note_mount(volume, &mount);
    }
    volume->mount = mount;
    return VOLUME_UP;
}

static int layer_check(struct volume *volume, unsigned int depth _unused_)
{
    int status = look(volume);

    if (status == VOLUME_UP && (volume->mount.shut_down || (volume->mount.read_only && volume_wants_write(volume))))
        return volume_fail(volume, -EROFS, "%s, mounted on %s, has turned read-only: see the kernel's log", volume->config->device,
                           volume->directory);
    return status;
}

static int make_mount(struct volume *volume)
{
    const struct mount_request request = { .source = volume->name.value, .target = volume->directory, .options = volume->config->options };
    char message[256], name[STORAGE_NAME_SIZE];
    int r = file_make_directory(volume->directory, 0755);

    if (r < 0)
        return volume_fail(volume, r, "cannot make the mount point %s: %s", volume->directory, storage_error_text(r));
    r = mount_volume(&request, storage_name_path(volume->directory, name), volume->deadline, message, sizeof(message));
    if (r < 0)
        return volume_fail(volume, r == -ENOENT ? -ENODEV : r, "cannot bind %s to %s: %s", volume->config->device, volume->directory,
                           message[0] ? message : storage_error_text(r));
    return 0;
}

static int layer_up(struct volume *volume)
{
    struct mount_point mount;
    int r = look(volume);

    if (r == VOLUME_DOWN) {
        r = mount_point_look(volume->directory, volume->deadline, &mount);
        if (r == 0 && mount.mounted)
            return volume_fail(volume, -EEXIST, "%s is mounted on %s already: unmount it first", mount.source, volume->directory);
        if (r == 0)
            r = make_mount(volume);
        if (r == 0)
            r = look(volume);
        if (r == VOLUME_DOWN)
            return volume_fail(volume, -EIO, "%s was bound to %s, but is not to be seen there", volume->config->device, volume->directory);
    }
    return r < 0 ? r : 0;
}

/* The mount on our mount point alone; volume->directory holds its path as the table shows it. */
static bool is_ours(const struct volume *volume, const struct mount_table *table, const struct mount_entry *entry)
{
    return entry->device == volume->mount.device && entry == mount_table_top(table, volume->directory);
}

static int layer_down(struct volume *volume)
{
    char directory[sizeof(volume->directory)];
    int r = look(volume);

    if (r < 0)
        return r;
    if (r == VOLUME_DOWN)
        return 0;
    r = path_resolve(volume->directory, volume->deadline, directory, sizeof(directory));
    if (r < 0)
        return volume_fail(volume, r, "mount point %s: %s", volume->directory, storage_error_text(r));
    (void)text_copy(volume->directory, sizeof(volume->directory), directory);
    return mounts_release(volume, is_ours);
}

const struct volume_layer volume_layer_bind = {
    .name = "bind",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
