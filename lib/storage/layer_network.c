/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system of a server: NFS (3, 4) or CIFS. Up: it is mounted, as asked, and answers. Down: it is in no mount table, and the kernel has let go of it: a
 * mount that was taken out of the tree while its server hangs would write when the server comes back.
 */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "storage/mount_release.h"
#include "storage/mount_table.h"
#include "storage/status_file.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

/* Of a stop's time, in percent: so long the server may answer before its pending requests are made to fail. */
#define PATIENCE_SHARE 40
#define LOOK_AGAIN_MS 50

static bool applies(const struct volume *volume)
{
    return volume->network;
}

static bool is_cifs(const struct volume *volume)
{
    return text_equal(volume->config->type, "cifs") || text_equal(volume->config->type, "smb3");
}

/* ---- look ------------------------------------------------------------------------------------------------------------------------------ */

/* "server:/export/" and "//server/share/" without their last slashes, which the kernel cuts. */
static bool source_equal(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b);

    while (length_a > 1 && a[length_a - 1] == '/' && a[length_a - 2] != ':')
        length_a--;
    while (length_b > 1 && b[length_b - 1] == '/' && b[length_b - 2] != ':')
        length_b--;
    return length_a == length_b && memcmp(a, b, length_a) == 0;
}

/* The kernel says "nfs4" of an nfs of version 4, and "cifs" of an smb3. */
static bool type_fits(const struct volume *volume, const char *type)
{
    return is_cifs(volume) ? text_equal(type, "cifs") || text_equal(type, "smb3") : text_equal(type, "nfs") || text_equal(type, "nfs4");
}

static void note_mount(struct volume *volume, const struct mount_point *mount)
{
    volume->state.mount_id = mount->id;
    volume->state.superblock = mount->device;
    volume->state.block = 0;
    volume->state.detached = false;
    volume_write_note(volume);
}

static int look(struct volume *volume, bool *ret_other)
{
    struct mount_point mount;
    int r;

    *ret_other = false;
    /* Never mount_point_look(), which asks the file system what the kernel has in memory: the CIFS of Linux 6.1 asks its server for that, too, and waits. */
    r = mount_point_look_in_table(volume->directory, volume->deadline, &mount);
    if (r < 0)
        return volume_fail(volume, r, "cannot see what is mounted on %s: %s", volume->directory, storage_error_text(r));
    if (!mount.mounted)
        return VOLUME_DOWN;
    /* The table tells it at no cost, and numbers of mounts are given anew. */
    *ret_other = !type_fits(volume, mount.type) || !source_equal(mount.source, volume->config->device);
    if (*ret_other)
        return VOLUME_DOWN;
    if (!volume->state_known || volume->state.mount_id != mount.id || volume->state.superblock != mount.device)
        note_mount(volume, &mount);
    volume->mount = mount;
    return VOLUME_UP;
}

/* ---- check ----------------------------------------------------------------------------------------------------------------------------- */

/* Asks the server, past the kernel's cache. */
static int ask_server(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    struct statx status;
    struct statfs file_system;

    if (statx(AT_FDCWD, argument, AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &status) < 0)
        return errno == EBUSY ? -EIO : -errno;
    return statfs(argument, &file_system) < 0 ? -errno : 0;
}

static int check_server(struct volume *volume)
{
    char name[STORAGE_NAME_SIZE], limit[40];
    int r = storage_call(ask_server, volume->directory, NULL, 0, storage_name_path(volume->config->device, name),
                         deadline_within(volume->deadline, volume->config->io_timeout_ms));

    if (r == 0)
        return VOLUME_UP;
    (void)number_format_duration(volume->config->io_timeout_ms, limit, sizeof(limit));
    if (r == -ETIMEDOUT)
        return volume_fail(volume, r, "server of %s hangs: it has not answered for %s", volume->config->device, limit);
    if (r == -EBUSY)
        return volume_fail(volume, -ETIMEDOUT, "server of %s hangs: an earlier question has no answer yet", volume->config->device);
    if (r == -ESTALE)
        return volume_fail(volume, -EIO, "%s is stale: the server does not export it under this handle any more", volume->config->device);
    return volume_fail(volume, r, "%s, mounted on %s: %s", volume->config->device, volume->directory, storage_error_text(r));
}

static int layer_check(struct volume *volume, unsigned int depth)
{
    bool other;
    int status = look(volume, &other);

    if (status != VOLUME_UP)
        return status;
    if (volume->mount.shut_down || (volume->mount.read_only && volume_wants_write(volume)))
        return volume_fail(volume, -EROFS, "%s, mounted on %s, has turned read-only", volume->config->device, volume->directory);
    if (depth >= 10)
        status = check_server(volume);
    if (status == VOLUME_UP && depth >= 20)
        status = status_file_check(volume);
    return status;
}

/* ---- up -------------------------------------------------------------------------------------------------------------------------------- */

/* A credentials file is named to mount.cifs, which reads it; nobody else may. */
static int check_credentials(struct volume *volume)
{
    const char *path = volume->config->credentials;
    char *secret = NULL;
    int r;

    if (!path)
        return 0;
    if (!is_cifs(volume) || strchr(path, ','))
        return volume_fail(volume, -EINVAL, "credentials is for fstype=cifs, and its path holds no comma");
    r = file_read_secret(path, &secret);
    file_wipe_secret(secret);
    if (r == -EPERM)
        return volume_fail(volume, r, "credentials file %s can be read by others than its owner: chmod 600", path);
    return r < 0 ? volume_fail(volume, r, "credentials file %s: %s", path, strerror(-r)) : 0;
}

static char *make_options(const struct volume *volume)
{
    const struct volume_config *config = volume->config;
    const char *own = text_empty(config->options) ? "" : config->options;

    if (config->credentials)
        return text_printf("%s%scredentials=%s", own, *own ? "," : "", config->credentials);
    return text_printf("%s", *own ? own : "defaults");
}

/* mount.nfs and mount.cifs find the server's address, the version and the lock daemon: mount(8) starts them. */
static int run_mount(struct volume *volume)
{
    _cleanup_free_ char *options = make_options(volume);
    const char *const argv[] = { "mount", "-t", volume->config->type, "-o", options, "--", volume->config->device, volume->directory, NULL };
    const struct child_spec spec = { .argv = argv };
    _cleanup_child_result_ struct child_result result = { 0 };
    int r = options ? child_run(&spec, deadline_share(volume->deadline, 80), &result) : -ENOMEM;

    if (r == -ETIMEDOUT)
        return volume_fail(volume, r, "cannot mount %s on %s: the server has not answered in time", volume->config->device, volume->directory);
    if (r < 0)
        return volume_fail(volume, r, "cannot start mount(8): %s", strerror(-r));
    if (result.exit_code == 0)
        return 0;
    if (result.output.text && strstr(result.output.text, "helper program"))
        return volume_fail(volume, -ENOPKG, "cannot mount %s: mount.%s is not installed: install %s", volume->config->device, volume->config->type,
                           is_cifs(volume) ? "cifs-utils" : "nfs-common or nfs-utils");
    return volume_fail(volume, -EIO, "cannot mount %s on %s: %s", volume->config->device, volume->directory,
                       result.output.text ? text_make_printable(text_trim(result.output.text)) : "mount(8) failed");
}

static int layer_up(struct volume *volume)
{
    bool other;
    int r = look(volume, &other);

    if (r < 0)
        return r;
    if (r == VOLUME_UP) {
        r = check_server(volume);
        return r < 0 ? r : 0;
    }
    if (other)
        return volume_fail(volume, -EEXIST, "something else is mounted on %s: unmount it first", volume->directory);
    r = check_credentials(volume);
    if (r < 0)
        return r;
    r = file_make_directory(volume->directory, 0755);
    if (r < 0)
        return volume_fail(volume, r, "cannot make the mount point %s: %s", volume->directory, storage_error_text(r));
    r = run_mount(volume);
    if (r < 0)
        return r;
    r = layer_check(volume, 10);
    if (r == VOLUME_DOWN)
        return volume_fail(volume, -EIO, "%s was mounted on %s, but is not to be seen there", volume->config->device, volume->directory);
    return r < 0 ? r : 0;
}

/* ---- down ------------------------------------------------------------------------------------------------------------------------------ */

/* The mount on our mount point alone. All that a node has of one server's file system may share a superblock: another volume's folder of it, an
 * administrator's mount. volume->directory holds the path as the table shows it. */
static bool is_ours(const struct volume *volume, const struct mount_table *table, const struct mount_entry *entry)
{
    return entry->device == volume->mount.device && entry == mount_table_top(table, volume->directory);
}

/* Runs beside the stop: a server that has not let the mount go by then has its pending requests ended with an error, whereupon what waits for it can end. */
struct abort_watch {
    char directory[4096];
    uint64_t mount_id;
    struct process_identity stop;
    struct deadline patience;
};

static int abort_requests(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    /* MNT_FORCE calls the file system's umount_begin first, then tries the unmount. */
    return umount2(argument, MNT_FORCE | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

static int watch_stop(void *argument)
{
    struct abort_watch *watch = argument;

    while (process_alive(&watch->stop) == 1) {
        struct mount_point mount;

        if (deadline_sleep(DEADLINE_NEVER, LOOK_AGAIN_MS * 4) < 0)
            return 0;
        if (!deadline_passed(watch->patience))
            continue;
        /* Only while this very mount is there: never another one that took its place. */
        if (mount_point_look_in_table(watch->directory, deadline_in(1000), &mount) < 0 || !mount.mounted || mount.id != watch->mount_id)
            return 0;
        (void)child_call(abort_requests, watch->directory, NULL, 0, NULL, deadline_in(2000));
    }
    return 0;
}

static void start_watch(struct volume *volume)
{
    struct abort_watch watch = { .mount_id = volume->mount.id, .patience = deadline_share(volume->deadline, PATIENCE_SHARE) };

    if (text_copy(watch.directory, sizeof(watch.directory), volume->directory) >= 0 && process_identify(getpid(), &watch.stop) == 0)
        (void)child_detach(watch_stop, &watch, NULL);
}

/* Whether the kernel's NFS client still has the superblock: 1, 0, or -errno where it does not tell. The list has a line for each, with its number
 * in hexadecimal-free "MAJOR:MINOR" (fs/nfs/client.c, nfs_volume_list_show). */
static int nfs_superblock_lives(dev_t superblock)
{
    _cleanup_free_ char *text = NULL;
    char number[32];
    int r = file_read("/proc/fs/nfsfs/volumes", 1024 * 1024, &text, NULL);

    if (r < 0)
        return r;
    (void)text_format(number, sizeof(number), " %u:%u ", major(superblock), minor(superblock));
    return strstr(text, number) != NULL;
}

/* Who has it mounted elsewhere keeps its superblock: that is none of this volume's. */
static bool is_mounted_elsewhere(const struct volume *volume, struct deadline deadline)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };

    if (mount_table_read(0, deadline, &table) < 0)
        return false;
    for (size_t i = 0; i < table.count; i++) {
        if (table.entries[i].device == volume->mount.device)
            return true;
    }
    return false;
}

static int confirm_released(struct volume *volume)
{
    struct deadline deadline = deadline_share(volume->deadline, 80);

    if (is_cifs(volume) || (!volume->state.detached && is_mounted_elsewhere(volume, deadline)))
        return 0;
    while (nfs_superblock_lives(volume->mount.device) == 1) {
        if (deadline_sleep(deadline, LOOK_AGAIN_MS) < 0)
            return volume_fail(volume, -EBUSY, "%s is out of the mount table, but the kernel's NFS client still has it: something uses it, and may write when the server answers; restart this node",
                               volume->config->device);
    }
    return 0;
}

static bool is_at(const struct volume *volume, const char *path)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    const struct mount_entry *entry = mount_table_read(0, volume->deadline, &table) == 0 ? mount_table_top(&table, path) : NULL;

    return entry && entry->device == volume->mount.device;
}

/* The mount point as the table shows it. Only the folders above are asked for their links, since to ask the mounted one is to ask the server; unless it is a link. */
static int resolve_directory(struct volume *volume, char *buffer, size_t size)
{
    char folder[sizeof(volume->directory)];
    char *name;
    int r;

    (void)text_copy(folder, sizeof(folder), volume->directory);
    name = strrchr(folder, '/');
    if (!name || name == folder)
        return text_copy(buffer, size, volume->directory) < 0 ? -ENAMETOOLONG : 0;
    *name++ = '\0';
    r = path_resolve(folder, volume->deadline, buffer, size);
    if (r == 0 && text_format(buffer + strlen(buffer), size - strlen(buffer), "%s%s", text_equal(buffer, "/") ? "" : "/", name) < 0)
        r = -ENAMETOOLONG;
    return r < 0 || is_at(volume, buffer) ? r : path_resolve(volume->directory, volume->deadline, buffer, size);
}

static int layer_down(struct volume *volume)
{
    char directory[sizeof(volume->directory)];
    bool other;
    int r = look(volume, &other);

    if (r < 0)
        return r;
    if (r == VOLUME_DOWN)
        return 0;
    if (text_empty(volume->mount.root))
        (void)text_copy(volume->mount.root, sizeof(volume->mount.root), "/");
    start_watch(volume);
    r = resolve_directory(volume, directory, sizeof(directory));
    if (r == 0 && !is_at(volume, directory))
        r = -ESTALE;
    if (r < 0)
        return volume_fail(volume, r, "mount point %s is not to be found in the mount table: %s", volume->directory, storage_error_text(r));
    (void)text_copy(volume->directory, sizeof(volume->directory), directory);
    r = mounts_release(volume, is_ours);
    return r < 0 ? r : confirm_released(volume);
}

const struct volume_layer volume_layer_network = {
    .name = "network file system",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
