/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/device_io.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "storage/storage_call.h"

/* Enough for any logical block of today, and one page for the DMA. */
#define READ_SIZE_MINIMUM 4096U

static int open_device(const struct block_device *device, int flags)
{
    _cleanup_close_ int fd = open(device->path, flags | O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISBLK(status.st_mode))
        return -ENOTBLK;
    if (status.st_rdev != device->number)
        return -ESTALE;
    return TAKE_FD(fd);
}

static int random_offset(uint64_t size, uint32_t block, uint64_t *ret)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return -EIO;
    *ret = number % (size / block) * block;
    return 0;
}

static int read_block(int fd, uint32_t block, uint64_t offset)
{
    _cleanup_free_ void *buffer = NULL;
    ssize_t n;

    if (posix_memalign(&buffer, block, block) != 0)
        return -ENOMEM;
    n = pread(fd, buffer, block, (off_t)offset);
    if (n < 0)
        return -errno;
    return n == (ssize_t)block ? 0 : -EIO;
}

static int read_somewhere(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct block_device *device = argument;
    struct device_read *seen = reply;
    _cleanup_close_ int fd = open_device(device, O_DIRECT);
    uint64_t began = deadline_now_ms();
    int logical = 512, r;
    uint32_t block;

    if (fd < 0)
        return fd;
    if (ioctl(fd, BLKGETSIZE64, &seen->device_size) < 0)
        return -errno;
    (void)ioctl(fd, BLKSSZGET, &logical);
    block = (uint32_t)logical > READ_SIZE_MINIMUM ? (uint32_t)logical : READ_SIZE_MINIMUM;
    if (seen->device_size < block)
        return -ENOMEDIUM;
    r = random_offset(seen->device_size, block, &seen->offset);
    if (r == 0)
        r = read_block(fd, block, seen->offset);
    seen->took_ms = deadline_now_ms() - began;
    return r;
}

int device_read_check(const struct block_device *device, struct deadline deadline, struct device_read *ret)
{
    char name[STORAGE_NAME_SIZE];
    struct block_device copy = *device;

    *ret = (struct device_read){ 0 };
    return storage_call(read_somewhere, &copy, ret, sizeof(*ret), storage_name_device(device->number, name), deadline);
}

/* The answer goes through the reply, since EBUSY is also storage_call's own. */
static int try_exclusive(void *argument, void *reply, size_t reply_size _unused_)
{
    const struct block_device *device = argument;
    int *held = reply;
    _cleanup_close_ int fd = open_device(device, O_EXCL);

    *held = fd == -EBUSY;
    return fd < 0 && fd != -EBUSY ? fd : 0;
}

int device_is_held(const struct block_device *device, struct deadline deadline)
{
    char name[STORAGE_NAME_SIZE];
    struct block_device copy = *device;
    int held = 1;
    int r = storage_call(try_exclusive, &copy, &held, sizeof(held), storage_name_device(device->number, name), deadline);

    return r < 0 ? r : held;
}

int device_from_number(dev_t number, struct block_device *ret)
{
    char path[80];
    _cleanup_free_ char *text = NULL;
    char *name;
    struct stat status;
    int r;

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(number), minor(number));
    r = file_read(path, 65536, &text, NULL);
    if (r < 0)
        return r == -ENOENT || r == -ENODEV ? -ENODEV : r;
    name = strstr(text, "DEVNAME=");
    if (!name)
        return -ENODEV;
    name += strlen("DEVNAME=");
    name[strcspn(name, "\n")] = '\0';
    if (text_format(ret->path, sizeof(ret->path), "/dev/%s", name) < 0)
        return -ENAMETOOLONG;
    ret->number = number;
    if (stat(ret->path, &status) < 0 || status.st_rdev != number)
        return -ENODEV;
    return 0;
}

int device_present(dev_t number)
{
    char path[80];

    (void)text_format(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
    if (access(path, F_OK) == 0)
        return 1;
    if (errno != ENOENT)
        return -errno;
    return access("/sys/dev/block", F_OK) == 0 ? 0 : -ENOSYS;
}
