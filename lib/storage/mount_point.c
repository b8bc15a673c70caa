/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_point.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "storage/mount_table.h"
#include "storage/storage_call.h"

/* The kernel's interface as of Linux 6.13 (include/uapi/linux/mount.h, stat.h), stated here so that headers of an older kernel suffice. */
#ifndef SYS_statmount
#define SYS_statmount 457 /* the same number on every architecture but alpha */
#endif
#define VIGIL_STATX_MNT_ID_UNIQUE 0x00004000U
#define VIGIL_STATMOUNT_SB_BASIC 0x00000001U
#define VIGIL_STATMOUNT_MNT_BASIC 0x00000002U
#define VIGIL_STATMOUNT_MNT_ROOT 0x00000008U
#define VIGIL_STATMOUNT_FS_TYPE 0x00000020U
#define VIGIL_STATMOUNT_MNT_OPTS 0x00000080U /* Linux 6.11 */
#define VIGIL_STATMOUNT_SB_SOURCE 0x00000200U /* Linux 6.13 */
#define VIGIL_SB_RDONLY 0x1U

struct statmount_request {
    uint32_t size;
    uint32_t spare;
    uint64_t mount_id;
    uint64_t mask;
};

struct statmount_reply {
    uint32_t size;
    uint32_t options; /* offsets into text */
    uint64_t mask;
    uint32_t device_major;
    uint32_t device_minor;
    uint64_t magic;
    uint32_t superblock_flags;
    uint32_t type;
    uint64_t mount_id;
    uint64_t parent_id;
    uint32_t old_mount_id;
    uint32_t old_parent_id;
    uint64_t attributes;
    uint64_t propagation;
    uint64_t peer_group;
    uint64_t master;
    uint64_t propagate_from;
    uint32_t root;
    uint32_t mount_point;
    uint64_t mount_namespace;
    uint32_t subtype;
    uint32_t source;
    uint64_t spare[48];
    char text[4096];
};
_Static_assert(offsetof(struct statmount_reply, text) == 512, "struct statmount of linux/mount.h");

/* As statx(2) of Linux 6.8 gives it; glibc's struct may be older but has the same size and place. */
_Static_assert(sizeof(struct statx) == 256, "struct statx of linux/stat.h");

bool mount_options_shut_down(const char *super_options)
{
    /* ext4 shows "shutdown" from Linux 6.11 and "emergency_ro" (errors=remount-ro struck) from 6.15. */
    return mount_option_present(super_options, "shutdown") || mount_option_present(super_options, "emergency_ro");
}

/* A text of the reply, or "" where it lies outside of what the kernel wrote. */
static const char *reply_text(const struct statmount_reply *reply, uint64_t part, uint32_t offset)
{
    if (!(reply->mask & part) || offset >= sizeof(reply->text))
        return "";
    return reply->text + offset;
}

static int ask_kernel(uint64_t mount_id, uint64_t mask, struct statmount_reply *reply)
{
    struct statmount_request request = { .size = sizeof(request), .mount_id = mount_id, .mask = mask };

    if (syscall(SYS_statmount, &request, reply, sizeof(*reply), 0U) < 0)
        return -errno;
    reply->text[sizeof(reply->text) - 1] = '\0';
    return 0;
}

static int describe_mount(uint64_t mount_id, struct mount_point *ret)
{
    struct statmount_reply reply;
    const uint64_t needed = VIGIL_STATMOUNT_SB_BASIC | VIGIL_STATMOUNT_MNT_BASIC;
    int r = ask_kernel(mount_id,
                       needed | VIGIL_STATMOUNT_MNT_ROOT | VIGIL_STATMOUNT_FS_TYPE | VIGIL_STATMOUNT_MNT_OPTS |
                           VIGIL_STATMOUNT_SB_SOURCE,
                       &reply);

    if (r < 0)
        return r;
    if ((reply.mask & needed) != needed)
        return -ENOSYS;
    ret->mounted = true;
    ret->id = mount_id;
    ret->device = makedev(reply.device_major, reply.device_minor);
    ret->read_only = (reply.superblock_flags & VIGIL_SB_RDONLY) || (reply.attributes & MOUNT_ATTR_RDONLY);
    ret->shut_down = mount_options_shut_down(reply_text(&reply, VIGIL_STATMOUNT_MNT_OPTS, reply.options));
    (void)text_format(ret->type, sizeof(ret->type), "%s", reply_text(&reply, VIGIL_STATMOUNT_FS_TYPE, reply.type));
    (void)text_format(ret->source, sizeof(ret->source), "%s", reply_text(&reply, VIGIL_STATMOUNT_SB_SOURCE, reply.source));
    (void)text_format(ret->root, sizeof(ret->root), "%s", reply_text(&reply, VIGIL_STATMOUNT_MNT_ROOT, reply.root));
    return 0;
}

int mount_id_exists(uint64_t id)
{
    struct statmount_reply reply;
    int r = ask_kernel(id, VIGIL_STATMOUNT_MNT_BASIC, &reply);

    if (r == -ENOENT)
        return 0;
    return r < 0 ? r : 1;
}

/* Opens the folder without ever waiting for storage. Returns a descriptor, -ENOENT when it is known not to exist, or -errno. */
static int open_cached(const char *directory)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };
    long fd = syscall(SYS_openat2, AT_FDCWD, directory, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* Returns 0 when the kernel has told all, or -errno where the mount table is to be read instead. */
static int look_directly(const char *directory, struct mount_point *ret)
{
    _cleanup_close_ int fd = open_cached(directory);
    struct statx status = { 0 };

    if (fd == -ENOENT) {
        ret->mounted = false;
        return 0;
    }
    if (fd < 0)
        return fd;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, VIGIL_STATX_MNT_ID_UNIQUE, &status) < 0)
        return -errno;
    if (!(status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return -ENOSYS;
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
        ret->mounted = false;
        return 0;
    }
    if (!(status.stx_mask & VIGIL_STATX_MNT_ID_UNIQUE))
        return -ENOSYS;
    return describe_mount(status.stx_mnt_id, ret);
}

int mount_point_look_noted(const char *directory, uint64_t id, dev_t superblock, struct mount_point *ret)
{
    _cleanup_close_ int fd = open_cached(directory);
    struct statx status = { 0 };
    struct statfs file_system;

    if (fd < 0)
        return fd;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &status) < 0)
        return -errno;
    if (!(status.stx_attributes & STATX_ATTR_MOUNT_ROOT) || !(status.stx_mask & STATX_MNT_ID) || status.stx_mnt_id != id ||
        makedev(status.stx_dev_major, status.stx_dev_minor) != superblock)
        return -ESTALE;
    /* The flag stands for this mount and for its file system alike. */
    if (fstatfs(fd, &file_system) < 0)
        return -errno;
    *ret = (struct mount_point){ .mounted = true, .id = id, .device = superblock, .read_only = file_system.f_flags & ST_RDONLY };
    return 0;
}

/* The path without symbolic links, in a child, since the folders above may lie on storage that hangs. */
struct resolve_reply {
    char path[4096];
};

static int resolve_path(void *argument, void *reply, size_t reply_size)
{
    const char *path = argument;
    char *resolved = realpath(path, NULL);
    int r;

    if (!resolved)
        return -errno;
    r = text_copy(reply, reply_size, resolved);
    free(resolved);
    return r < 0 ? r : 0;
}

int path_resolve(const char *path, struct deadline deadline, char *buffer, size_t size)
{
    struct resolve_reply resolved = { "" };
    char name[STORAGE_NAME_SIZE], copy[sizeof(resolved.path)];
    int r = text_copy(copy, sizeof(copy), path);

    if (r >= 0)
        r = storage_call(resolve_path, copy, &resolved, sizeof(resolved), storage_name_path(path, name), deadline);
    if (r >= 0)
        r = text_copy(buffer, size, resolved.path);
    return r < 0 ? r : 0;
}

static void describe_entry(const struct mount_entry *entry, struct mount_point *ret)
{
    ret->mounted = true;
    ret->id = entry->id;
    ret->device = entry->device;
    ret->read_only = mount_option_present(entry->options, "ro") || mount_option_present(entry->super_options, "ro");
    ret->shut_down = mount_options_shut_down(entry->super_options);
    (void)text_format(ret->type, sizeof(ret->type), "%s", entry->type);
    (void)text_format(ret->source, sizeof(ret->source), "%s", entry->source);
    (void)text_format(ret->root, sizeof(ret->root), "%s", entry->root);
}

int mount_point_look_in_table(const char *directory, struct deadline deadline, struct mount_point *ret)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    char resolved[4096];
    const struct mount_entry *entry;
    int r = mount_table_read(0, deadline, &table);

    if (r < 0)
        return r;
    ret->mounted = false;
    entry = mount_table_top(&table, directory);
    if (!entry) {
        r = path_resolve(directory, deadline, resolved, sizeof(resolved));
        if (r == -ENOENT || r == -ENOTDIR)
            return 0;
        if (r < 0)
            return r;
        entry = mount_table_top(&table, resolved);
    }
    if (entry)
        describe_entry(entry, ret);
    return 0;
}

int mount_point_look(const char *directory, struct deadline deadline, struct mount_point *ret)
{
    struct mount_point found = { 0 };
    int direct = look_directly(directory, &found);
    int r = direct == 0 ? 0 : mount_point_look_in_table(directory, deadline, &found);

    if (r < 0)
        return r;
    /* XFS answers every question about its root folder with EIO once it has shut down. */
    if (direct == -EIO && found.mounted)
        found.shut_down = true;
    *ret = found;
    return 0;
}
