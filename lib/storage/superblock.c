/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/superblock.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "base/text.h"
#include "storage/storage_call.h"

/* btrfs has its superblock at 64 KiB, the others before. */
#define PROBED_SIZE ((size_t)72 << 10)

/* The functions of libblkid that are used, by its own types. */
struct libblkid {
    __typeof__(blkid_new_probe) *new_probe;
    __typeof__(blkid_free_probe) *free_probe;
    __typeof__(blkid_probe_set_device) *set_device;
    __typeof__(blkid_probe_enable_superblocks) *enable_superblocks;
    __typeof__(blkid_probe_set_superblocks_flags) *set_superblocks_flags;
    __typeof__(blkid_probe_enable_partitions) *enable_partitions;
    __typeof__(blkid_probe_set_partitions_flags) *set_partitions_flags;
    __typeof__(blkid_do_safeprobe) *safeprobe;
    __typeof__(blkid_probe_lookup_value) *lookup_value;
};

static int open_library(struct libblkid *ret)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->new_probe, "blkid_new_probe"),
        LIBRARY_SYMBOL(ret->free_probe, "blkid_free_probe"),
        LIBRARY_SYMBOL(ret->set_device, "blkid_probe_set_device"),
        LIBRARY_SYMBOL(ret->enable_superblocks, "blkid_probe_enable_superblocks"),
        LIBRARY_SYMBOL(ret->set_superblocks_flags, "blkid_probe_set_superblocks_flags"),
        LIBRARY_SYMBOL(ret->enable_partitions, "blkid_probe_enable_partitions"),
        LIBRARY_SYMBOL(ret->set_partitions_flags, "blkid_probe_set_partitions_flags"),
        LIBRARY_SYMBOL(ret->safeprobe, "blkid_do_safeprobe"),
        LIBRARY_SYMBOL(ret->lookup_value, "blkid_probe_lookup_value"),
    };

    return library_load("libblkid.so.1", "libblkid1", symbols, ARRAY_SIZE(symbols), NULL);
}

static void copy_value(const struct libblkid *library, blkid_probe probe, const char *name, char *buffer, size_t size)
{
    const char *value = NULL;

    if (library->lookup_value(probe, name, &value, NULL) == 0 && value)
        (void)text_format(buffer, size, "%s", value);
}

static int run_probe(const struct libblkid *library, blkid_probe probe, int fd, bool with_partition, struct superblock *found)
{
    int r;

    errno = 0;
    if (library->set_device(probe, fd, 0, 0) < 0)
        return errno ? -errno : -EIO;
    (void)library->enable_superblocks(probe, 1);
    (void)library->set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
    if (with_partition) {
        (void)library->enable_partitions(probe, 1);
        (void)library->set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
    }
    errno = 0;
    r = library->safeprobe(probe);
    found->ambiguous = r == -2;
    if (r == -1)
        return errno ? -errno : -EIO;
    copy_value(library, probe, "TYPE", found->type, sizeof(found->type));
    copy_value(library, probe, "UUID", found->uuid, sizeof(found->uuid));
    copy_value(library, probe, "LABEL", found->label, sizeof(found->label));
    copy_value(library, probe, "PART_ENTRY_UUID", found->part_uuid, sizeof(found->part_uuid));
    copy_value(library, probe, "PART_ENTRY_NAME", found->part_label, sizeof(found->part_label));
    return 0;
}

static int run_libblkid(int fd, bool with_partition, struct superblock *found)
{
    struct libblkid library = { 0 };
    blkid_probe probe;
    int r = open_library(&library);

    if (r < 0)
        return r;
    probe = library.new_probe();
    if (!probe)
        return -ENOMEM;
    r = run_probe(&library, probe, fd, with_partition, found);
    library.free_probe(probe);
    return r;
}

static void read_ext4(int fd, struct superblock *found)
{
    uint8_t bytes[EXT4_SUPERBLOCK_SIZE];

    if (!text_after(found->type, "ext"))
        return;
    if (pread(fd, bytes, sizeof(bytes), EXT4_SUPERBLOCK_OFFSET) == (ssize_t)sizeof(bytes))
        found->ext4_known = ext4_superblock_parse(bytes, sizeof(bytes), &found->ext4) == 0;
}

/* Whether the begin of the device, where every superblock that matters lies, can be read at all. */
static int read_once(int fd)
{
    _cleanup_free_ char *bytes = malloc(PROBED_SIZE);
    ssize_t n;

    if (!bytes)
        return -ENOMEM;
    n = pread(fd, bytes, PROBED_SIZE, 0);
    return n < 0 ? -errno : 0;
}

struct superblock_request {
    const char *path;
    dev_t number;
    bool with_partition;
};

static int read_device(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct superblock_request *request = argument;
    struct superblock *found = reply;
    _cleanup_close_ int fd = open(request->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int r;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISBLK(status.st_mode))
        return -ENOTBLK;
    if (status.st_rdev != request->number)
        return -ESTALE;
    found->device = status.st_rdev;
    if (ioctl(fd, BLKGETSIZE64, &found->size) < 0)
        return -errno;
    if (found->size == 0)
        return -ENOMEDIUM;
    /* What another machine wrote is not to be read from this one's cache: libblkid reads through the page cache of the device. On
     * a mounted one this only drops what is clean. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    /* libblkid takes what it cannot read for "nothing there". */
    r = read_once(fd);
    if (r < 0)
        return r;
    r = run_libblkid(fd, request->with_partition, found);
    if (r == 0)
        read_ext4(fd, found);
    return r;
}

int superblock_read(const char *path, dev_t number, bool with_partition, struct deadline deadline, struct superblock *ret)
{
    struct superblock_request request = { .path = path, .number = number, .with_partition = with_partition };
    struct superblock found = { 0 };
    char name[STORAGE_NAME_SIZE];
    int r = storage_call(read_device, &request, &found, sizeof(found), storage_name_device(number, name), deadline);

    if (r == 0)
        *ret = found;
    return r;
}

struct mmp_request {
    const char *path;
    dev_t number;
    struct ext4_superblock ext4;
};

static int read_mmp(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct mmp_request *request = argument;
    _cleanup_close_ int fd = open(request->path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    _cleanup_free_ void *block = NULL;
    uint32_t size = request->ext4.block_size;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (status.st_rdev != request->number)
        return -ESTALE;
    if (request->ext4.mmp_block > (uint64_t)INT64_MAX / size || posix_memalign(&block, 4096, size < 4096 ? 4096 : size) != 0)
        return -EBADMSG;
    if (pread(fd, block, size, (off_t)(request->ext4.mmp_block * size)) != (ssize_t)size)
        return -EIO;
    return ext4_mmp_parse(block, size, reply);
}

int superblock_read_mmp(const char *path, dev_t number, const struct ext4_superblock *ext4, struct deadline deadline,
                        struct ext4_mmp *ret)
{
    struct mmp_request request = { .path = path, .number = number, .ext4 = *ext4 };
    struct ext4_mmp found = { 0 };
    char name[STORAGE_NAME_SIZE];
    int r = storage_call(read_mmp, &request, &found, sizeof(found), storage_name_device(number, name), deadline);

    if (r == 0)
        *ret = found;
    return r;
}
