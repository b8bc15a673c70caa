/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    bool counting;
    unsigned int turn;  /* this call fails, counted from 1 */
    unsigned int calls; /* so many were made */
    int error;
    const char *name;
} fault;

int fault_next(unsigned int turn, int error)
{
    fault_end();
    if (turn > 1 && fault.calls < turn - 1)
        return false;
    fault.turn = turn;
    fault.calls = 0;
    fault.error = error;
    fault.name = "none";
    fault.counting = true;
    return true;
}

void fault_end(void)
{
    fault.counting = false;
}

int fault_hit(void)
{
    return fault.calls >= fault.turn;
}

const char *fault_name(void)
{
    return fault.name;
}

static bool fails_now(const char *name)
{
    if (!fault.counting || ++fault.calls != fault.turn)
        return false;
    fault.name = name;
    errno = fault.error;
    return true;
}

/* Each wrap: the real call by its linker name, and ours in front of it. */
#define WRAP(type, name, failure, parameters, arguments) \
    type __real_##name parameters;                       \
    type __wrap_##name parameters;                       \
    type __wrap_##name parameters                        \
    {                                                    \
        if (fails_now(#name))                            \
            return failure;                              \
        return __real_##name arguments;                  \
    }

/* The allocators fail with ENOMEM whatever the round's error. */
#define WRAP_ALLOCATOR(name, parameters, arguments) \
    void *__real_##name parameters;                 \
    void *__wrap_##name parameters;                 \
    void *__wrap_##name parameters                  \
    {                                               \
        if (fails_now(#name)) {                     \
            errno = ENOMEM;                         \
            return NULL;                            \
        }                                           \
        return __real_##name arguments;             \
    }

WRAP_ALLOCATOR(malloc, (size_t size), (size))
WRAP_ALLOCATOR(calloc, (size_t count, size_t size), (count, size))
WRAP_ALLOCATOR(realloc, (void *old, size_t size), (old, size))
WRAP_ALLOCATOR(strdup, (const char *text), (text))
WRAP_ALLOCATOR(strndup, (const char *text, size_t length), (text, length))
WRAP(int, vasprintf, -1, (char **ret, const char *format, va_list list), (ret, format, list))
WRAP(int, __vasprintf_chk, -1, (char **ret, int flag, const char *format, va_list list), (ret, flag, format, list))
WRAP(ssize_t, read, -1, (int fd, void *bytes, size_t size), (fd, bytes, size))
WRAP(ssize_t, write, -1, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRAP(int, fsync, -1, (int fd), (fd))
WRAP(int, rename, -1, (const char *from, const char *to), (from, to))
WRAP(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
WRAP(int, flock, -1, (int fd, int operation), (fd, operation))
WRAP(int, fstat, -1, (int fd, struct stat *status), (fd, status))
WRAP(int, pipe2, -1, (int fds[2], int flags), (fds, flags))
WRAP(pid_t, fork, -1, (void), ())
WRAP(int, pidfd_open, -1, (pid_t pid, unsigned int flags), (pid, flags))
WRAP(int, memfd_create, -1, (const char *name, unsigned int flags), (name, flags))
WRAP(int, poll, -1, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
WRAP(int, __open_2, -1, (const char *path, int flags), (path, flags))

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
    return fails_now("open") ? -1 : __real_open(path, flags, mode);
}
