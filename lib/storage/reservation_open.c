/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a name to the device that reservations are made on: the disk of a partition, the map of a multipath, an iSCSI session.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "storage/device_find.h"
#include "storage/device_io.h"
#include "storage/device_name.h"
#include "storage/reservation_backend.h"

/* How deep devices may stand on each other before it must be a circle. */
#define DEPTH_MAXIMUM 8

int reservation_read_attribute(dev_t number, const char *name, char *buffer, size_t size)
{
    char path[128];
    int r;

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(number), minor(number), name);
    r = file_read_line(path, buffer, size);
    if (r >= 0)
        (void)text_trim(buffer);
    return r < 0 ? r : (int)strlen(buffer);
}

static bool has_attribute(dev_t number, const char *name)
{
    char path[128];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(number), minor(number), name);
    return access(path, F_OK) == 0;
}

/* What a block device is, as far as reservations go. */
enum device_class {
    CLASS_OTHER,
    CLASS_PARTITION,
    CLASS_MAP,    /* of dm-multipath */
    CLASS_STACK,  /* a device that stands on others */
    CLASS_SCSI,
    CLASS_NVME,
};

static enum device_class classify(dev_t number)
{
    char uuid[160] = "";

    if (has_attribute(number, "partition"))
        return CLASS_PARTITION;
    if (reservation_read_attribute(number, "dm/uuid", uuid, sizeof(uuid)) > 0)
        return text_after(uuid, "mpath-") ? CLASS_MAP : CLASS_STACK;
    if (has_attribute(number, "dm") || has_attribute(number, "md"))
        return CLASS_STACK;
    if (has_attribute(number, "device/scsi_level"))
        return CLASS_SCSI;
    /* A path of native multipath, or a head: only namespaces have one. */
    return has_attribute(number, "nsid") || has_attribute(number, "device/subsysnqn") ? CLASS_NVME : CLASS_OTHER;
}

int reservation_read_number(const char *path, dev_t *ret)
{
    unsigned int high, low;
    char text[64], end;
    int r = file_read_line(path, text, sizeof(text));

    if (r < 0)
        return r;
    if (sscanf(text, "%u:%u%c", &high, &low, &end) != 2)
        return -EBADMSG;
    *ret = makedev(high, low);
    return 0;
}

static int disk_of_partition(dev_t number, dev_t *ret)
{
    char path[80];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(number), minor(number));
    return reservation_read_number(path, ret);
}

/* ---- what a device stands on ------------------------------------------------------------------------------------------ */

struct disk_list {
    dev_t numbers[RESERVATION_PATHS_MAXIMUM];
    size_t count;
};

static int add_disk(struct disk_list *list, dev_t number)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->numbers[i] == number)
            return 0;
    }
    if (list->count >= ARRAY_SIZE(list->numbers))
        return -RESERVATION_TOO_MANY;
    list->numbers[list->count++] = number;
    return 0;
}

static int collect_disks(dev_t number, unsigned int depth, struct disk_list *list);

static int collect_slaves(dev_t number, unsigned int depth, struct disk_list *list)
{
    _cleanup_closedir_ DIR *directory = NULL;
    const struct dirent *entry;
    char folder[80];
    int r = 0;

    (void)text_format(folder, sizeof(folder), "/sys/dev/block/%u:%u/slaves", major(number), minor(number));
    directory = opendir(folder);
    if (!directory)
        return -errno;
    while (r == 0 && (entry = readdir(directory))) {
        _cleanup_free_ char *path = text_printf("%s/%s/dev", folder, entry->d_name);
        dev_t slave;

        if (entry->d_name[0] == '.')
            continue;
        r = path ? reservation_read_number(path, &slave) : -ENOMEM;
        if (r == 0)
            r = collect_disks(slave, depth + 1, list);
    }
    return r;
}

static int collect_disks(dev_t number, unsigned int depth, struct disk_list *list)
{
    dev_t disk;
    int r;

    if (depth > DEPTH_MAXIMUM)
        return -ELOOP;
    switch (classify(number)) {
    case CLASS_PARTITION:
        r = disk_of_partition(number, &disk);
        return r < 0 ? r : collect_disks(disk, depth + 1, list);
    case CLASS_STACK:
        return collect_slaves(number, depth, list);
    default:
        return add_disk(list, number);
    }
}

int reservation_find_disk(dev_t number, dev_t *ret)
{
    struct disk_list list = { .count = 0 };
    int r = collect_disks(number, 0, &list);

    if (r < 0)
        return r;
    if (list.count != 1)
        return -ENOTUNIQ;
    *ret = list.numbers[0];
    return 0;
}

/* The number of a block device, by any of its names. */
static int find_number(const char *spec, struct deadline deadline, dev_t *ret, struct text_buffer *why)
{
    struct device_name name;
    struct block_device found;
    struct stat status;
    int r;

    if (spec[0] == '/' && stat(spec, &status) == 0) {
        *ret = status.st_rdev;
        return S_ISBLK(status.st_mode) ? 0 : reservation_explain(why, -ENOTBLK, "%s is no block device", spec);
    }
    r = device_name_parse(spec, &name);
    if (r < 0)
        return reservation_explain(why, r, "'%s' is no name of a device: take /dev/..., WWN=... or iscsi://...", spec);
    r = device_find(&name, deadline, &found);
    if (r == 0)
        *ret = found.number;
    return r < 0 ? reservation_explain(why, r, "%s: %s", spec, r == -ENODEV ? "no such device on this node" : reservation_error_text(r)) : 0;
}

int reservation_disks_below(const char *device, char ***ret_paths)
{
    struct disk_list list = { .count = 0 };
    _cleanup_vector_ char **paths = NULL;
    struct block_device found;
    dev_t number;
    int r = find_number(device, deadline_in(5000), &number, NULL);

    if (r == 0)
        r = collect_disks(number, 0, &list);
    if (r < 0)
        return r;
    if (list.count == 0)
        return -ENODEV;
    paths = calloc(list.count + 1, sizeof(*paths));
    for (size_t i = 0; paths && i < list.count; i++) {
        r = device_from_number(list.numbers[i], &found);
        if (r < 0)
            return r;
        paths[i] = strdup(found.path);
        if (!paths[i])
            return -ENOMEM;
    }
    if (!paths)
        return -ENOMEM;
    *ret_paths = TAKE_PTR(paths);
    return (int)list.count;
}

/* ---- open --------------------------------------------------------------------------------------------------------- */

/* A name that says which disk it is must be true. */
static int check_spec(const struct reservation_device *device, const char *spec, struct text_buffer *why)
{
    const struct reservation_identity *identity = &device->identity;
    struct device_name name;

    if (device_name_parse(spec, &name) < 0 || name.kind != DEVICE_WWN || !text_after(identity->wwid, "naa."))
        return 0;
    if (device_wwn_equal(name.value, identity->wwid))
        return 0;
    return reservation_explain(why, -RESERVATION_OTHER_DEVICE, "%s leads to %s now: the array shows another LUN under the same name; rescan the device",
                               spec, identity->wwid);
}

static int open_disk(struct reservation_device *device, dev_t number, struct deadline deadline, struct text_buffer *why)
{
    struct block_device found;
    int r = device_from_number(number, &found);

    if (r < 0)
        return reservation_explain(why, r, "device %u:%u is gone", major(number), minor(number));
    (void)text_copy(device->identity.path, sizeof(device->identity.path), found.path);
    switch (classify(number)) {
    case CLASS_MAP:
        return reservation_open_multipath(device, number, deadline, why);
    case CLASS_SCSI:
        return reservation_open_scsi(device, number, deadline, why);
    case CLASS_NVME:
        return reservation_open_nvme(device, number, why);
    default:
        return reservation_explain(why, -RESERVATION_NOT_SUPPORTED, "%s is no SCSI disk, NVMe namespace or multipath map: it has no persistent reservations",
                                   found.path);
    }
}

static int open_block_device(struct reservation_device *device, const char *spec, struct deadline deadline, struct text_buffer *why)
{
    struct disk_list list = { .count = 0 };
    dev_t number;
    int r = find_number(spec, deadline, &number, why);

    if (r < 0)
        return r;
    r = collect_disks(number, 0, &list);
    if (r < 0)
        return reservation_explain(why, r, "%s: what it stands on cannot be found: %s", spec, strerror(-r));
    if (list.count != 1)
        return reservation_explain(why, -EINVAL, "%s stands on %zu disks: name each of them instead", spec, list.count);
    r = open_disk(device, list.numbers[0], deadline, why);
    return r < 0 ? r : check_spec(device, spec, why);
}

int reservation_open(const char *spec, struct deadline deadline, struct text_buffer *why, struct reservation_device **ret)
{
    _cleanup_reservation_ struct reservation_device *device = calloc(1, sizeof(*device));
    struct iscsi_lun_url url;
    int r;

    if (!device)
        return -ENOMEM;
    device->fd = -1;
    device->open_path = scsi_generic_open;
    if (text_after(spec, "iscsi://")) {
        r = iscsi_url_parse(spec, &url, why);
        if (r == 0)
            r = reservation_open_iscsi(device, &url, deadline, why);
    } else {
        r = open_block_device(device, spec, deadline, why);
    }
    if (r == 0)
        *ret = TAKE_PTR(device);
    return r;
}

void reservation_close(struct reservation_device *device)
{
    if (device && device->operations)
        device->operations->close(device);
    free(device);
}
