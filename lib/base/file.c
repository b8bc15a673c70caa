/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"

/* Reads until the end or until the buffer is full. Returns the count or -errno. */
static ssize_t read_fully(int fd, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t n = read(fd, buffer + length, size - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    return (ssize_t)length;
}

static int write_fully(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

/* /proc and /sys files say a size of 0 or 4096 whatever they hold, so the size is found by reading. */
int file_read(const char *path, size_t limit, char **ret_text, size_t *ret_length)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t capacity = 4096, length = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n;
        char *larger = realloc(text, capacity + 1);

        if (!larger)
            return -ENOMEM;
        text = larger;
        n = read_fully(fd, text + length, capacity - length);
        if (n < 0)
            return (int)n;
        length += (size_t)n;
        if (length > limit)
            return -EFBIG;
        if (length < capacity)
            break;
        capacity *= 2;
    }
    text[length] = '\0';
    if (ret_length)
        *ret_length = length;
    *ret_text = TAKE_PTR(text);
    return 0;
}

int file_read_line(const char *path, char *buffer, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return -errno;
    length = read_fully(fd, buffer, size - 1);
    if (length < 0)
        return (int)length;
    buffer[length] = '\0';
    buffer[strcspn(buffer, "\n")] = '\0';
    return (int)strlen(buffer);
}

/* Makes what a rename did durable: the folder's own entry. */
static int sync_parent(const char *path)
{
    _cleanup_free_ char *parent = strdup(path);
    _cleanup_close_ int fd = -1;
    char *slash = parent ? strrchr(parent, '/') : NULL;

    if (!parent)
        return -ENOMEM;
    if (slash)
        slash[slash == parent ? 1 : 0] = '\0';
    fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

int file_write(const char *path, mode_t mode, const char *bytes, size_t length)
{
    _cleanup_free_ char *temporary = text_printf("%s.%ld.new", path, (long)getpid());
    _cleanup_close_ int fd = -1;
    int r;

    if (!temporary)
        return -ENOMEM;
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    r = write_fully(fd, bytes, length);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }
    return sync_parent(path);
}

int file_make_directory(const char *path, mode_t mode)
{
    _cleanup_free_ char *partial = strdup(path);

    if (!partial)
        return -ENOMEM;
    for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(partial, mode) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

/* The locks that this process has taken. One may be closed by now and its number another file's: so each is known by its inode. */
static struct {
    int fd;
    dev_t device;
    ino_t inode;
} locks[8];
static _Atomic unsigned int locks_taken;

/* Each taker has a place of its own: the paths of a map are locked by threads. */
static int remember_lock(int fd)
{
    struct stat status;
    unsigned int place;

    if (fstat(fd, &status) < 0)
        return -errno;
    place = locks_taken++ % ARRAY_SIZE(locks);
    locks[place].fd = fd;
    locks[place].device = status.st_dev;
    locks[place].inode = status.st_ino;
    return 0;
}

void file_leave_locks(int kept_fd)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(locks) && i < locks_taken; i++) {
        struct stat status;

        if (locks[i].fd != kept_fd && fstat(locks[i].fd, &status) == 0 && status.st_dev == locks[i].device &&
            status.st_ino == locks[i].inode)
            (void)close(locks[i].fd);
    }
}

/* flock has no time-out of its own, and a signal handler would be global: so it is tried at short steps. */
int file_lock(const char *path, struct deadline deadline)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (deadline_sleep(deadline, 20) < 0)
            return -ETIMEDOUT;
    }
    r = remember_lock(fd);
    return r < 0 ? r : TAKE_FD(fd);
}

static bool secret_is_private(const struct stat *status)
{
    mode_t allowed = status->st_gid == 0 ? 0740 : 0700;

    return S_ISREG(status->st_mode) && (status->st_uid == 0 || status->st_uid == geteuid()) &&
           (status->st_mode & 0777 & ~allowed) == 0;
}

/* Opens a file of secrets where its owner and mode are as file_read_secret says. Returns a descriptor or -errno. */
static int open_private(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        return -errno;
    return secret_is_private(&status) ? TAKE_FD(fd) : -EPERM;
}

int file_read_secret(const char *path, char **ret_secret)
{
    _cleanup_close_ int fd = open_private(path);
    char *secret;
    ssize_t length;

    if (fd < 0)
        return fd;
    secret = calloc(1, 4096);
    if (!secret)
        return -ENOMEM;
    length = read_fully(fd, secret, 4095);
    secret[strcspn(secret, "\r\n")] = '\0';
    if (length <= 0 || !*secret) {
        file_wipe_secret(secret);
        return length < 0 ? (int)length : -ENODATA;
    }
    *ret_secret = secret;
    return 0;
}

int file_read_private(const char *path, size_t limit, char **ret_text)
{
    _cleanup_close_ int fd = open_private(path);
    char *text;
    ssize_t length;
    int r = 0;

    if (fd < 0)
        return fd;
    text = calloc(1, limit + 2);
    if (!text)
        return -ENOMEM;
    length = read_fully(fd, text, limit + 1);
    if (length <= 0)
        r = length < 0 ? (int)length : -ENODATA;
    else if ((size_t)length > limit)
        r = -EFBIG;
    else if (memchr(text, '\0', (size_t)length))
        r = -EINVAL;
    if (r < 0) {
        explicit_bzero(text, limit + 1);
        free(text);
        return r;
    }
    *ret_text = text;
    return 0;
}

void file_wipe_secret(char *secret)
{
    if (!secret)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
