/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/status_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "storage/storage_call.h"

/* One page: what O_DIRECT can write on every device of today. */
#define STATUS_SIZE 4096

int status_file_path(const char *directory, const char *prefix, const char *instance, const char *node, char *buffer, size_t size)
{
    int start, length;

    start = text_format(buffer, size, "%s/%s", directory, prefix ? prefix : "");
    if (start < 0)
        return -ENAMETOOLONG;
    length = text_format(buffer + start, size - (size_t)start, "%s_%s", instance, node);
    if (length < 0)
        return -ENAMETOOLONG;
    for (char *byte = buffer + start; *byte; byte++) {
        if (*byte == '/')
            *byte = '_';
    }
    return 0;
}

struct status_request {
    char path[4096 + 512];
    dev_t superblock; /* 0 where the number of the superblock does not show in stat (btrfs) */
};

struct status_reply {
    const char *step; /* a constant, at the same address in parent and child */
};

/* The file is opened beneath a folder that must lie on the volume: had it been unmounted meanwhile, the root file system would be tested. */
static int open_status(const struct status_request *request, int flags)
{
    _cleanup_close_ int fd = open(request->path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat status;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EBADF;
    if (request->superblock != 0 && status.st_dev != request->superblock)
        return -EXDEV;
    return TAKE_FD(fd);
}

static int make_folder(const char *path)
{
    _cleanup_free_ char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;

    if (!slash)
        return -ENOMEM;
    *slash = '\0';
    return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Not every file system takes O_DIRECT; then fsync and dropping the cache serve. */
static int open_direct(const struct status_request *request, int flags)
{
    int fd = open_status(request, flags | O_DIRECT);

    return fd == -EINVAL ? open_status(request, flags) : fd;
}

static int write_status(const struct status_request *request, const char *block, struct status_reply *reply)
{
    _cleanup_close_ int fd = open_direct(request, O_RDWR | O_CREAT);
    ssize_t n;

    if (fd < 0)
        return fd;
    reply->step = "write";
    n = pwrite(fd, block, STATUS_SIZE, 0);
    if (n < 0)
        return -errno;
    if (n != STATUS_SIZE)
        return -ENOSPC;
    reply->step = "bring to the disk";
    return fsync(fd) < 0 ? -errno : 0;
}

static int read_status(const struct status_request *request, char *block)
{
    _cleanup_close_ int fd = open_direct(request, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return fd;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    n = pread(fd, block, STATUS_SIZE, 0);
    if (n < 0)
        return -errno;
    return n == STATUS_SIZE ? 0 : -EIO;
}

static int write_and_read(void *argument, void *answer, size_t answer_size _unused_)
{
    const struct status_request *request = argument;
    struct status_reply *reply = answer;
    _cleanup_free_ void *written = NULL, *seen = NULL;
    int r;

    if (posix_memalign(&written, STATUS_SIZE, STATUS_SIZE) != 0 || posix_memalign(&seen, STATUS_SIZE, STATUS_SIZE) != 0)
        return -ENOMEM;
    /* Random, so that what an earlier check left cannot pass for what this one wrote. */
    if (getrandom(written, STATUS_SIZE, 0) != STATUS_SIZE)
        return -EIO;
    reply->step = "make the folder of";
    r = make_folder(request->path);
    reply->step = r == 0 ? "open" : reply->step;
    if (r == 0)
        r = write_status(request, written, reply);
    if (r < 0)
        return r;
    reply->step = "read back";
    memset(seen, 0, STATUS_SIZE);
    r = read_status(request, seen);
    if (r < 0)
        return r;
    return memcmp(written, seen, STATUS_SIZE) == 0 ? 0 : -EILSEQ;
}

static int explain(struct volume *volume, const char *path, const char *step, int error)
{
    char limit[40];

    (void)number_format_duration(volume->config->io_timeout_ms, limit, sizeof(limit));
    switch (error) {
    case -ETIMEDOUT:
        return volume_fail(volume, error, "file system on %s hangs: writing and reading %s has not ended within %s", volume->directory, path, limit);
    case -EBUSY:
        return volume_fail(volume, -ETIMEDOUT, "file system on %s hangs: an earlier check of it still has no answer", volume->directory);
    case -EILSEQ:
        return volume_fail(volume, -EIO, "file system on %s lies: %s did not read back as it was written", volume->directory, path);
    case -EXDEV:
        return volume_fail(volume, error, "%s does not lie on the volume any more: was it unmounted?", path);
    case -ENOSPC:
    case -EDQUOT:
        return volume_fail(volume, -ENOSPC, "file system on %s is full: cannot %s %s; it answers, but nothing can be written: make room",
                           volume->directory, step, path);
    case -EROFS:
        return volume_fail(volume, error, "file system on %s is read-only: cannot %s %s", volume->directory, step, path);
    default:
        return volume_fail(volume, error, "file system on %s: cannot %s %s: %s", volume->directory, step, path, storage_error_text(error));
    }
}

int status_file_check(struct volume *volume)
{
    struct status_request request = { .superblock = text_equal(volume->mount.type, "btrfs") ? 0 : volume->mount.device };
    struct status_reply reply = { .step = "look at" };
    char name[STORAGE_NAME_SIZE];
    int r;

    /* Read-only on purpose: nothing can be written, and what can be checked is. */
    if (!volume_wants_write(volume))
        return VOLUME_UP;
    r = status_file_path(volume->directory, volume->config->status_prefix, volume->instance, volume->node, request.path,
                         sizeof(request.path));
    if (r < 0)
        return volume_fail(volume, -EINVAL, "statusfile_prefix makes the path of the check file too long");
    r = storage_call(write_and_read, &request, &reply, sizeof(reply), storage_name_device(volume->mount.device, name),
                     deadline_within(volume->deadline, volume->config->io_timeout_ms));
    return r < 0 ? explain(volume, request.path, reply.step, r) : VOLUME_UP;
}
