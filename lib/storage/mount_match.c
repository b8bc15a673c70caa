/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_match.h"

#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"

/* The kernel's name ("sdb1", "dm-3") of a device number. */
static int kernel_name(dev_t number, char *buffer, size_t size)
{
    char path[80], target[512];
    const char *name;
    ssize_t length;

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return -errno;
    target[length] = '\0';
    name = strrchr(target, '/');
    return text_copy(buffer, size, name ? name + 1 : target);
}

static bool btrfs_has_device(const char *uuid, const char *name)
{
    char path[400];

    return text_format(path, sizeof(path), "/sys/fs/btrfs/%s/devices/%s", uuid, name) > 0 && access(path, F_OK) == 0;
}

/* Whether both devices belong to one mounted btrfs. */
static bool btrfs_shares(dev_t a, dev_t b)
{
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;
    char name_a[128], name_b[128];

    if (kernel_name(a, name_a, sizeof(name_a)) < 0 || kernel_name(b, name_b, sizeof(name_b)) < 0)
        return false;
    folder = opendir("/sys/fs/btrfs");
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && btrfs_has_device(entry->d_name, name_a) && btrfs_has_device(entry->d_name, name_b))
            return true;
    }
    return false;
}

bool superblock_on_device(dev_t superblock, const char *type, const char *source, const struct block_device *device)
{
    struct stat status;

    if (superblock == device->number)
        return true;
    if (major(superblock) != 0 || !text_equal(type, "btrfs") || source[0] != '/')
        return false;
    if (stat(source, &status) < 0 || !S_ISBLK(status.st_mode))
        return false;
    return status.st_rdev == device->number || btrfs_shares(status.st_rdev, device->number);
}

const struct mount_entry *mount_table_find_device(const struct mount_table *table, const struct block_device *device)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct mount_entry *entry = &table->entries[i];

        if (superblock_on_device(entry->device, entry->type, entry->source, device))
            return entry;
    }
    return NULL;
}

/* ---- other mount namespaces ----------------------------------------------------------------------------------------- */

/* The inode number of a process's mount namespace, 0 where it may not be asked or has ended. */
static uint64_t namespace_of(const char *pid)
{
    char path[64], text[64];
    uint64_t number = 0;
    ssize_t length;

    if (text_format(path, sizeof(path), "/proc/%s/ns/mnt", pid) < 0)
        return 0;
    length = readlink(path, text, sizeof(text) - 1);
    if (length <= 6 || memcmp(text, "mnt:[", 5) != 0)
        return 0;
    text[length - 1] = '\0';
    return number_parse_unsigned(text + 5, UINT64_MAX, &number) == 0 ? number : 0;
}

/* The namespaces that were seen; a node has a few dozen at most, beyond the bound one is looked at again, which does not hurt. */
struct namespaces {
    uint64_t seen[256];
    size_t count;
};

static bool see_first(struct namespaces *namespaces, uint64_t number)
{
    for (size_t i = 0; i < namespaces->count; i++) {
        if (namespaces->seen[i] == number)
            return false;
    }
    if (namespaces->count < ARRAY_SIZE(namespaces->seen))
        namespaces->seen[namespaces->count++] = number;
    return true;
}

static int visit_table(pid_t pid, dev_t superblock, struct deadline deadline, foreign_mount_function function, void *argument)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    int r = mount_table_read(pid, deadline, &table);

    /* A process that has ended, or is a zombie without a namespace. */
    if (r == -ESRCH || r == -EINVAL || r == -EACCES || r == -EPERM)
        return 0;
    for (size_t i = table.count; r == 0 && i > 0; i--) {
        if (table.entries[i - 1].device == superblock)
            r = function(argument, pid, &table.entries[i - 1]);
    }
    return r;
}

int foreign_mounts_visit(dev_t superblock, struct deadline deadline, foreign_mount_function function, void *argument)
{
    _cleanup_closedir_ DIR *folder = opendir("/proc");
    const struct dirent *entry;
    struct namespaces namespaces = { .count = 0 };
    int r = 0;

    if (!folder)
        return -errno;
    (void)see_first(&namespaces, namespace_of("self"));
    while (r == 0 && (entry = readdir(folder))) {
        int64_t pid;
        uint64_t number;

        if (!isdigit((unsigned char)entry->d_name[0]) || number_parse(entry->d_name, 1, INT32_MAX, &pid) < 0)
            continue;
        number = namespace_of(entry->d_name);
        if (number != 0 && see_first(&namespaces, number))
            r = visit_table((pid_t)pid, superblock, deadline, function, argument);
    }
    return r;
}

static int describe_foreign(void *argument, pid_t pid, const struct mount_entry *entry)
{
    struct text_buffer *text = argument;
    char path[64], command[64] = "?";

    (void)text_format(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    (void)file_read_line(path, command, sizeof(command));
    text_buffer_printf(text, "%sthe mount namespace of process %ld (%s), on %s", text->length > 0 ? ", " : "", (long)pid, command,
                       entry->mount_point);
    return 0;
}

static void describe_mapper(dev_t number, struct text_buffer *text)
{
    char path[100];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(number), minor(number));
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.')
            text_buffer_printf(text, "%sthe device %s", text->length > 0 ? ", " : "", entry->d_name);
    }
}

void device_holders_describe(const struct block_device *device, dev_t superblock, struct deadline deadline, struct text_buffer *text)
{
    (void)foreign_mounts_visit(superblock ? superblock : device->number, deadline, describe_foreign, text);
    describe_mapper(device->number, text);
}
