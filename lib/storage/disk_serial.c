/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/disk_serial.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"
#include "storage/device_io.h"
#include "storage/storage_call.h"
#include "storage/uevent.h"

/* A disk among others that does not answer must not use up the time for the search. */
#define ASK_LIMIT_MS 3000
/* Where no uevent tells, look this often. */
#define LOOK_AGAIN_MS 250
/* VIRTIO_BLK_ID_BYTES of linux/virtio_blk.h. */
#define VIRTIO_SERIAL_LENGTH 20
#define SECTOR 512

/* ---- serials -------------------------------------------------------------------------------------------------------------------- */

bool disk_serial_equal(const char *serial, const char *wanted, bool cut)
{
    if (text_empty(serial) || text_empty(wanted))
        return false;
    if (text_equal(serial, wanted))
        return true;
    return cut && strlen(serial) == VIRTIO_SERIAL_LENGTH && strlen(wanted) > VIRTIO_SERIAL_LENGTH &&
           memcmp(serial, wanted, VIRTIO_SERIAL_LENGTH) == 0;
}

/* Blanks and NULs pad serials. */
static int take_serial(const unsigned char *bytes, size_t length, char *ret, size_t size)
{
    char text[DISK_SERIAL_SIZE * 2];

    if (length >= sizeof(text))
        return -EBADMSG;
    memcpy(text, bytes, length);
    text[length] = '\0';
    return text_copy(ret, size, text_trim(text_make_printable(text))) <= 0 ? -EBADMSG : 0;
}

int disk_serial_parse_vpd80(const unsigned char *bytes, size_t length, char *ret, size_t size)
{
    size_t told;

    if (length < 4 || bytes[1] != 0x80)
        return -EBADMSG;
    told = (size_t)bytes[2] << 8 | bytes[3];
    return told > length - 4 ? -EBADMSG : take_serial(bytes + 4, told, ret, size);
}

static int read_vpd80(const char *folder, char *ret, size_t size)
{
    char path[400];
    _cleanup_free_ char *bytes = NULL;
    size_t length;
    int r;

    if (text_format(path, sizeof(path), "%s/device/vpd_pg80", folder) < 0)
        return -ENAMETOOLONG;
    r = file_read(path, 1024, &bytes, &length);
    return r < 0 ? r : disk_serial_parse_vpd80((const unsigned char *)bytes, length, ret, size);
}

/* 0 or -errno; -ENOENT: no such attribute, or nothing in it. */
static int read_attribute(const char *folder, const char *attribute, char *ret, size_t size)
{
    char path[400], line[DISK_SERIAL_SIZE * 2];
    int length = text_format(path, sizeof(path), "%s/%s", folder, attribute);

    if (length > 0)
        length = file_read_line(path, line, sizeof(line));
    if (length > 0)
        return take_serial((const unsigned char *)line, (size_t)length, ret, size);
    return length == 0 || length == -ENOTDIR || length == -ENODEV ? -ENOENT : length;
}

/* What the kernel itself knows of a disk, since NVMe and SCSI tell it when they are found. The device is not asked, so that nothing can hang. */
static int read_known_serial(const char *folder, char *ret, size_t size)
{
    int r = read_attribute(folder, "device/serial", ret, size);

    return r == -ENOENT ? read_vpd80(folder, ret, size) : r;
}

/* The same, and otherwise the device is asked (virtio). */
static int read_serial(const char *folder, char *ret, size_t size)
{
    int r = read_known_serial(folder, ret, size);

    return r == -ENOENT || r == -ENOTDIR || r == -ENODEV ? read_attribute(folder, "serial", ret, size) : r;
}

struct ask {
    char folder[300];
};

static int read_serial_in_child(void *argument, void *reply, size_t reply_size)
{
    const struct ask *ask = argument;

    return read_serial(ask->folder, reply, reply_size);
}

/* The serial of the disk with this number. A virtio disk that hangs, hangs its reader. */
static int ask_serial(dev_t number, struct deadline deadline, char ret[static DISK_SERIAL_SIZE])
{
    char name[STORAGE_NAME_SIZE];
    struct ask ask;

    (void)text_format(ask.folder, sizeof(ask.folder), "/sys/dev/block/%u:%u", major(number), minor(number));
    if (read_known_serial(ask.folder, ret, DISK_SERIAL_SIZE) == 0)
        return 0;
    return storage_call(read_serial_in_child, &ask, ret, DISK_SERIAL_SIZE, storage_name_device(number, name),
                        deadline_within(deadline, ASK_LIMIT_MS));
}

/* ---- one disk ------------------------------------------------------------------------------------------------------------------- */

static int read_number(dev_t number, const char *attribute, uint64_t *ret)
{
    char path[100], line[64];
    int r;

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(number), minor(number), attribute);
    r = file_read_line(path, line, sizeof(line));
    return r < 0 ? r : number_parse_unsigned(text_trim(line), UINT64_MAX, ret);
}

/* Kernel before 5.15: none. */
static uint64_t read_sequence(dev_t number)
{
    uint64_t sequence = 0;

    return read_number(number, "diskseq", &sequence) == 0 ? sequence : 0;
}

static int describe_disk(dev_t number, const char *serial, struct disk_identity *ret)
{
    struct disk_identity disk = { .sequence = read_sequence(number) };
    uint64_t sectors;
    int r = device_from_number(number, &disk.device);

    if (r == 0)
        r = read_number(number, "size", &sectors);
    if (r < 0)
        return r;
    disk.size_bytes = sectors * SECTOR;
    if (text_copy(disk.serial, sizeof(disk.serial), serial) < 0)
        return -ENAMETOOLONG;
    *ret = disk;
    return 0;
}

static bool is_wanted(const char *serial, const char *const *wanted)
{
    for (; *wanted; wanted++) {
        if (disk_serial_equal(serial, *wanted, true))
            return true;
    }
    return false;
}

/* ---- all disks ------------------------------------------------------------------------------------------------------------------ */

/* Disks that have said that they are others: a search that is made again and again asks only those that came since. By their sequence numbers, of which the
 * kernel never gives one twice. Beyond so many, they are asked again. */
#define OTHERS_MAX 512
struct other_disks {
    uint64_t sequences[OTHERS_MAX];
    size_t count;
};

struct disk_search {
    const char *const *wanted;
    struct deadline deadline;
    struct other_disks *others; /* may be NULL */
    struct disk_identity found;
    unsigned int matches;
    int error;
};

/* "259:1" */
static int read_disk_number(const char *kernel_name, dev_t *ret)
{
    char path[300], line[32], *colon;
    int64_t major_number, minor_number;
    int r;

    if (text_format(path, sizeof(path), "/sys/block/%s/dev", kernel_name) < 0)
        return -ENAMETOOLONG;
    r = file_read_line(path, line, sizeof(line));
    if (r < 0)
        return r;
    colon = strchr(text_trim(line), ':');
    if (!colon)
        return -EBADMSG;
    *colon = '\0';
    if (number_parse(line, 0, UINT32_MAX, &major_number) < 0 || number_parse(colon + 1, 0, UINT32_MAX, &minor_number) < 0)
        return -EBADMSG;
    *ret = makedev((unsigned int)major_number, (unsigned int)minor_number);
    return 0;
}

/* A disk that went while it was looked at, or that has no serial, is not the one. */
static bool is_other(int error)
{
    return error == -ENOENT || error == -ENODEV || error == -ENXIO || error == -EBADMSG || error == -ENOTDIR;
}

static bool is_known_other(const struct disk_search *search, uint64_t sequence)
{
    for (size_t i = 0; search->others && i < search->others->count; i++) {
        if (search->others->sequences[i] == sequence)
            return true;
    }
    return false;
}

static void remember_other(const struct disk_search *search, uint64_t sequence)
{
    if (search->others && sequence && search->others->count < OTHERS_MAX)
        search->others->sequences[search->others->count++] = sequence;
}

static void search_disk(struct disk_search *search, const char *kernel_name)
{
    char serial[DISK_SERIAL_SIZE] = "";
    uint64_t sequence = 0;
    dev_t number;
    int r = read_disk_number(kernel_name, &number);

    if (r == 0) {
        sequence = read_sequence(number); /* before it is asked: what comes in its place has another one */
        if (is_known_other(search, sequence))
            return;
        r = ask_serial(number, search->deadline, serial);
    }
    if (r == 0 && !is_wanted(serial, search->wanted))
        remember_other(search, sequence);
    if (r == 0 && is_wanted(serial, search->wanted)) {
        r = describe_disk(number, serial, &search->found);
        if (r == 0)
            search->matches++;
    }
    if (r < 0 && !is_other(r))
        search->error = r;
}

/* RAM disks, loops without a file, maps and arrays bear no serial of a cloud's disk; asking each of them would cost a child. */
static bool may_bear_serial(const char *kernel_name)
{
    static const char *const attributes[] = { "device/serial", "serial", "device/vpd_pg80" };
    char path[300];

    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        if (text_format(path, sizeof(path), "/sys/block/%s/%s", kernel_name, attributes[i]) > 0 && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static int find_among(const char *const *wanted, struct other_disks *others, struct deadline deadline, struct disk_identity *ret)
{
    struct disk_search search = { .wanted = wanted, .deadline = deadline, .others = others };
    _cleanup_closedir_ DIR *folder = opendir("/sys/block");
    const struct dirent *entry;

    if (!folder)
        return -errno;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && may_bear_serial(entry->d_name))
            search_disk(&search, entry->d_name);
    }
    if (search.matches > 1)
        return -EEXIST;
    if (search.matches == 0)
        return search.error ? search.error : -ENODEV;
    *ret = search.found;
    return 0;
}

int disk_find(const char *const *wanted, struct deadline deadline, struct disk_identity *ret)
{
    return find_among(wanted, NULL, deadline, ret);
}

static bool may_appear(int error)
{
    return error == -ENODEV || error == -ETIMEDOUT || error == -EBUSY || error == -ENXIO || error == -EIO;
}

int disk_wait(const char *const *wanted, struct deadline deadline, struct disk_identity *ret)
{
    _cleanup_close_ int fd = uevent_open();
    struct other_disks others = { .count = 0 };
    int last = -ENODEV;

    for (;;) {
        int r = find_among(wanted, &others, deadline, ret);

        if (r == 0 || !may_appear(r))
            return r;
        /* What was cut off by the end of the time says nothing of the disks. */
        if (!deadline_passed(deadline) || r != -ETIMEDOUT)
            last = r;
        if (deadline_passed(deadline))
            return last;
        (void)uevent_await_block(fd, deadline, LOOK_AGAIN_MS);
    }
}

/* ---- a disk that was found ------------------------------------------------------------------------------------------------------ */

int disk_is_present(const struct disk_identity *disk, struct deadline deadline)
{
    char serial[DISK_SERIAL_SIZE] = "";
    int r = device_present(disk->device.number);

    if (r <= 0)
        return r;
    if (disk->sequence)
        return read_sequence(disk->device.number) == disk->sequence;
    r = ask_serial(disk->device.number, deadline, serial);
    if (r < 0)
        return r == -ENOENT || r == -ENODEV ? 0 : r;
    return text_equal(serial, disk->serial);
}

int disk_wait_gone(const struct disk_identity *disk, struct deadline deadline)
{
    _cleanup_close_ int fd = uevent_open();

    for (;;) {
        int r = disk_is_present(disk, deadline);

        if (r <= 0)
            return r;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        (void)uevent_await_block(fd, deadline, LOOK_AGAIN_MS);
    }
}

#define IDENTIFY_SIZE 4096
#define IDENTIFY_CONTROLLER 1
#define NVME_ADMIN_IDENTIFY 0x06
#define IDENTIFY_SERIAL_OFFSET 4
#define IDENTIFY_SERIAL_LENGTH 20

/* Returns -ENOTTY where the device is no NVMe disk. */
static int identify_nvme(int fd, char *ret, size_t size)
{
    _cleanup_free_ unsigned char *data = calloc(1, IDENTIFY_SIZE);
    struct nvme_admin_cmd command = {
        .opcode = NVME_ADMIN_IDENTIFY, .addr = (uintptr_t)data, .data_len = IDENTIFY_SIZE, .cdw10 = IDENTIFY_CONTROLLER,
    };
    int r;

    if (!data)
        return -ENOMEM;
    r = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
    if (r != 0)
        return r < 0 ? (errno == EINVAL ? -ENOTTY : -errno) : -EIO; /* > 0: the controller's own status */
    return take_serial(data + IDENTIFY_SERIAL_OFFSET, IDENTIFY_SERIAL_LENGTH, ret, size);
}

/* The node's number is checked as well: it may have been made by hand. */
static int open_node(const struct block_device *device, int flags)
{
    _cleanup_close_ int fd = open(device->path, flags | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISBLK(status.st_mode))
        return -ENOTBLK;
    return status.st_rdev == device->number ? TAKE_FD(fd) : -ESTALE;
}

static bool is_nvme(const char *path)
{
    const char *name = text_after(path, "/dev/nvme");

    return name && name[0] >= '0' && name[0] <= '9';
}

static int verify_in_child(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct disk_identity *disk = argument;
    _cleanup_close_ int fd = open_node(&disk->device, O_RDONLY);
    char serial[DISK_SERIAL_SIZE] = "", folder[64];
    int r;

    if (fd < 0)
        return fd;
    (void)text_format(folder, sizeof(folder), "/sys/dev/block/%u:%u", major(disk->device.number), minor(disk->device.number));
    r = is_nvme(disk->device.path) ? identify_nvme(fd, serial, sizeof(serial)) : -ENOTTY;
    if (r == -ENOTTY)
        r = read_serial(folder, serial, sizeof(serial));
    if (r < 0)
        return r;
    return text_equal(serial, disk->serial) ? 0 : -ESTALE;
}

int disk_verify(const struct disk_identity *disk, struct deadline deadline)
{
    char name[STORAGE_NAME_SIZE];
    struct disk_identity copy = *disk;

    return storage_call(verify_in_child, &copy, NULL, 0, storage_name_device(disk->device.number, name), deadline);
}

static int flush_in_child(void *argument, void *reply _unused_, size_t reply_size _unused_)
{
    const struct block_device *device = argument;
    _cleanup_close_ int fd = open_node(device, O_RDWR);

    if (fd == -EROFS || fd == -EACCES)
        return 0; /* a read-only disk has nothing to be written */
    if (fd < 0)
        return fd;
    if (fsync(fd) < 0)
        return -errno;
    return ioctl(fd, BLKFLSBUF, 0) < 0 ? -errno : 0;
}

int disk_flush(const struct block_device *device, struct deadline deadline)
{
    char name[STORAGE_NAME_SIZE];
    struct block_device copy = *device;

    return storage_call(flush_in_child, &copy, NULL, 0, storage_name_device(device->number, name), deadline);
}
