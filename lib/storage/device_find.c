/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/device_find.h"

#include <dirent.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "storage/uevent.h"

/* A disk among others that does not answer must not use up the time for the search. */
#define PROBE_LIMIT_MS 3000
/* Where no uevent can be had, look this often; where they can, this often though none came, for what has none (a loop device that was filled, a link that
 * udev makes later). */
#define LOOK_AGAIN_MS 250
#define QUIET_MS 1000

bool superblock_has_name(const struct superblock *superblock, const struct device_name *name)
{
    switch (name->kind) {
    case DEVICE_UUID:
        return strcasecmp(superblock->uuid, name->value) == 0;
    case DEVICE_LABEL:
        return text_equal(superblock->label, name->value);
    case DEVICE_PARTUUID:
        return strcasecmp(superblock->part_uuid, name->value) == 0;
    case DEVICE_PARTLABEL:
        return text_equal(superblock->part_label, name->value);
    case DEVICE_PATH:
    case DEVICE_WWN:
        return true;
    }
    return false;
}

static int find_path(const char *path, struct block_device *ret)
{
    struct block_device device = { 0 };
    struct stat status;

    /* /dev is in memory: this does not touch the disk. */
    if (stat(path, &status) < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ENXIO ? -ENODEV : -errno;
    if (!S_ISBLK(status.st_mode))
        return -ENOTBLK;
    if (text_copy(device.path, sizeof(device.path), path) < 0)
        return -ENAMETOOLONG;
    device.number = status.st_rdev;
    *ret = device;
    return 0;
}

/* ---- every block device of the node, by sysfs -------------------------------------------------------------------------------- */

static int read_attribute(const char *device, const char *attribute, char *buffer, size_t size)
{
    char path[400];

    if (text_format(path, sizeof(path), "/sys/class/block/%s/%s", device, attribute) < 0)
        return -ENAMETOOLONG;
    return file_read_line(path, buffer, size);
}

/* The device node of a kernel name ("cciss!c0d0" is /dev/cciss/c0d0). */
static int find_node(const char *kernel_name, struct block_device *ret)
{
    char path[300];

    if (text_format(path, sizeof(path), "/dev/%s", kernel_name) < 0)
        return -ENAMETOOLONG;
    for (char *byte = path; *byte; byte++) {
        if (*byte == '!')
            *byte = '/';
    }
    return find_path(path, ret);
}

static bool is_empty(const char *kernel_name)
{
    char size[32];

    return read_attribute(kernel_name, "size", size, sizeof(size)) <= 0 || text_equal(size, "0");
}

static bool is_map(const char *kernel_name)
{
    char uuid[160];

    return read_attribute(kernel_name, "dm/uuid", uuid, sizeof(uuid)) > 0 && text_after(uuid, "mpath-");
}

/* A path of a multipath map, a leg of a mirror, a physical volume: what is built on it is to be used, not it. Of a disk that is meant by its worldwide name only
 * multipath's map of it: it is the same disk when a volume group on it is active. */
static bool is_built_on(const char *kernel_name, enum device_kind kind)
{
    char path[300];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;

    if (text_format(path, sizeof(path), "/sys/class/block/%s/holders", kernel_name) < 0)
        return false;
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && (kind != DEVICE_WWN || is_map(entry->d_name)))
            return true;
    }
    return false;
}

/* The worldwide name of a whole disk as the kernel has it: SCSI, NVMe, or multipath's in the map's uuid. */
static bool disk_has_wwn(const char *kernel_name, const char *wanted)
{
    static const char *const attributes[] = { "device/wwid", "wwid", "dm/uuid" };
    char value[256];

    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        if (read_attribute(kernel_name, attributes[i], value, sizeof(value)) > 0 && device_wwn_equal(text_trim(value), wanted))
            return true;
    }
    return false;
}

/* 1 when this device bears the name (*ret_btrfs: as one of the devices of a btrfs, which all bear the same), 0 when not, -errno when it may but
 * could not be read. */
static int device_bears_name(const char *kernel_name, const struct block_device *device, const struct device_name *name,
                             struct deadline deadline, bool *ret_btrfs)
{
    bool partition = name->kind == DEVICE_PARTUUID || name->kind == DEVICE_PARTLABEL;
    struct superblock superblock = { 0 };
    int r;

    *ret_btrfs = false;

    if (name->kind == DEVICE_WWN)
        return disk_has_wwn(kernel_name, name->value);
    r = superblock_read(device->path, device->number, partition, deadline_within(deadline, PROBE_LIMIT_MS), &superblock);
    if (r < 0)
        return r;
    *ret_btrfs = text_equal(superblock.type, "btrfs") && (name->kind == DEVICE_UUID || name->kind == DEVICE_LABEL);
    return superblock_has_name(&superblock, name);
}

/* What a search over all devices has seen. */
struct search {
    const struct device_name *name;
    struct deadline deadline;
    struct block_device found;
    bool found_btrfs; /* the match so far is a btrfs: its other devices are no second match */
    size_t matches;
    int error; /* of a device that could not be read and may be the one */
};

static void search_device(struct search *search, const char *kernel_name)
{
    struct block_device device;
    bool btrfs;
    int r;

    if (is_empty(kernel_name) || is_built_on(kernel_name, search->name->kind) || find_node(kernel_name, &device) < 0)
        return;
    r = device_bears_name(kernel_name, &device, search->name, search->deadline, &btrfs);
    if (r == 1 && !(btrfs && search->found_btrfs)) {
        search->found = device;
        search->found_btrfs = btrfs;
        search->matches++;
    } else if (r < 0 && r != -ENOMEDIUM && r != -ENXIO && r != -ENODEV) {
        search->error = r;
    }
}

static int search_all(const struct device_name *name, struct deadline deadline, struct block_device *ret)
{
    struct search search = { .name = name, .deadline = deadline };
    _cleanup_closedir_ DIR *folder = opendir("/sys/class/block");
    const struct dirent *entry;

    if (!folder)
        return -errno;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.')
            search_device(&search, entry->d_name);
    }
    if (search.matches > 1)
        return -EEXIST;
    if (search.matches == 0)
        return search.error ? search.error : -ENODEV;
    *ret = search.found;
    return 0;
}

/* ---- udev's link first --------------------------------------------------------------------------------------------------------- */

/* A link's name holds a byte as it is when udev trusts it, else as \xNN (udev's own encoding of ID_FS_LABEL_ENC). */
static int format_link(const struct device_name *name, char *buffer, size_t size)
{
    static const char *const folders[] = {
        [DEVICE_UUID] = "by-uuid", [DEVICE_LABEL] = "by-label", [DEVICE_PARTUUID] = "by-partuuid", [DEVICE_PARTLABEL] = "by-partlabel",
    };
    _cleanup_text_buffer_ struct text_buffer link = { 0 };

    text_buffer_printf(&link, "/dev/disk/%s/", folders[name->kind]);
    for (const char *byte = name->value; *byte; byte++) {
        if (strchr("#+-.:=@_", *byte) || (*byte >= '0' && *byte <= '9') || (*byte >= 'A' && *byte <= 'Z') ||
            (*byte >= 'a' && *byte <= 'z') || (unsigned char)*byte >= 0x80)
            text_buffer_append(&link, byte, 1);
        else
            text_buffer_printf(&link, "\\x%02x", (unsigned char)*byte);
    }
    if (link.failed)
        return -ENOMEM;
    return text_copy(buffer, size, link.text) < 0 ? -ENAMETOOLONG : 0;
}

/* Follows udev's link and reads the disk behind it. Returns 0, or -ENODEV where the link does not help. */
static int find_by_link(const struct device_name *name, struct deadline deadline, struct block_device *ret)
{
    char link[512];
    struct block_device device;
    bool btrfs;

    if (name->kind == DEVICE_WWN || format_link(name, link, sizeof(link)) < 0 || find_path(link, &device) < 0)
        return -ENODEV;
    if (device_bears_name("", &device, name, deadline, &btrfs) != 1)
        return -ENODEV;
    *ret = device;
    return 0;
}

int device_find(const struct device_name *name, struct deadline deadline, struct block_device *ret)
{
    if (name->kind == DEVICE_PATH)
        return find_path(name->value, ret);
    if (find_by_link(name, deadline, ret) == 0)
        return 0;
    return search_all(name, deadline, ret);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

/* Whether waiting longer may help. */
static bool may_appear(int error)
{
    return error == -ENODEV || error == -ENOMEDIUM || error == -ENXIO || error == -ETIMEDOUT || error == -EBUSY;
}

int device_wait(const struct device_name *name, struct deadline deadline, struct block_device *ret)
{
    _cleanup_close_ int fd = -1;
    int r = device_find(name, deadline, ret);

    if (r == 0 || !may_appear(r))
        return r;
    fd = uevent_open();
    while (!deadline_passed(deadline)) {
        r = device_find(name, deadline, ret);
        if (r == 0 || !may_appear(r))
            break;
        (void)uevent_await_block(fd, deadline, fd < 0 ? LOOK_AGAIN_MS : QUIET_MS);
    }
    return r;
}
