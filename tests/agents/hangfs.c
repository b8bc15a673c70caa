/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hangfs: a file system with one file, "disk", whose storage can be made to hang or to fail. A loop device over that file is a disk that
 * does so.
 *
 *     hangfs MOUNT_POINT BACKING_FILE CONTROL_FILE
 *
 * Stays in the foreground. Before each request the first byte of CONTROL_FILE is read: 'h' the request waits until that has changed, 'e' it
 * fails with an input/output error, 's' it takes half a second, anything else it goes through. Ends by SIGTERM or an unmount.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int backing_fd;
static const char *control_path;

static void wait_ms(long ms)
{
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&time, NULL);
}

static char control(void)
{
    char byte = 'o';
    int fd = open(control_path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return byte;
    if (read(fd, &byte, 1) != 1)
        byte = 'o';
    (void)close(fd);
    return byte;
}

/* Returns 0, or -EIO, once the request may go on. */
static int await_leave(void)
{
    char byte;

    while ((byte = control()) == 'h')
        wait_ms(20);
    if (byte == 's')
        wait_ms(500);
    return byte == 'e' ? -EIO : 0;
}

static int disk_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
    struct stat backing;

    (void)info;
    *status = (struct stat){ .st_mode = S_IFDIR | 0755, .st_nlink = 2 };
    if (strcmp(path, "/") == 0)
        return 0;
    if (strcmp(path, "/disk") != 0)
        return -ENOENT;
    if (fstat(backing_fd, &backing) < 0)
        return -errno;
    *status = (struct stat){ .st_mode = S_IFREG | 0600, .st_nlink = 1, .st_size = backing.st_size };
    return 0;
}

static int disk_open(const char *path, struct fuse_file_info *info)
{
    if (strcmp(path, "/disk") != 0)
        return -ENOENT;
    /* Every request is to come here, none to be answered from the cache. */
    info->direct_io = 1;
    return 0;
}

static int disk_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
    int r = await_leave();
    ssize_t n;

    (void)path;
    (void)info;
    if (r < 0)
        return r;
    n = pread(backing_fd, buffer, size, offset);
    return n < 0 ? -errno : (int)n;
}

static int disk_write(const char *path, const char *buffer, size_t size, off_t offset, struct fuse_file_info *info)
{
    int r = await_leave();
    ssize_t n;

    (void)path;
    (void)info;
    if (r < 0)
        return r;
    n = pwrite(backing_fd, buffer, size, offset);
    return n < 0 ? -errno : (int)n;
}

static int disk_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
    (void)path;
    (void)data_only;
    (void)info;
    return await_leave();
}

static const struct fuse_operations operations = {
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
};

int main(int argc, char *argv[])
{
    char foreground[] = "-f";
    char *arguments[] = { argv[0], foreground, argv[1], NULL };

    if (argc != 4) {
        (void)fprintf(stderr, "usage: hangfs MOUNT_POINT BACKING_FILE CONTROL_FILE\n");
        return 2;
    }
    control_path = argv[3];
    backing_fd = open(argv[2], O_RDWR | O_CLOEXEC);
    if (backing_fd < 0) {
        perror(argv[2]);
        return 1;
    }
    return fuse_main(3, arguments, &operations, NULL);
}
