/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_CHILD_H
#define VIGIL_BASE_CHILD_H
/*
 * Children: programs run with an argument vector (never through a shell), and functions that may hang in the kernel and
 * are therefore called in a process that can be left behind. Every child has a deadline and an owner.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/process.h"
#include "base/text.h"

/* Puts /dev/null where standard input, output or error is closed, so that no file opened later gets their numbers (and a message
 * is not written into it). Every main() does it first. */
void child_reserve_streams(void);

/* How to run a program. Zero-initialised means: as this user, here, with this environment, /dev/null as standard input,
 * and output collected up to 64 KiB. */
struct child_spec {
    const char *const *argv;        /* NULL-terminated; argv[0] is found along PATH where it has no slash */
    const char *user;               /* run as this user with its groups, or NULL */
    const char *group;              /* instead of the user's own group, or NULL */
    const char *directory;          /* working directory, or NULL */
    const char *const *environment; /* NULL-terminated NAME=value added to this environment, or NULL */
    const char *cgroup;             /* folder of a version 2 cgroup that it joins before it executes, or NULL */
    const char *output_path;        /* file that its output is appended to, or NULL; opened by the child, since it may hang, and as its user where
                                     * that may be: our own rights are used through no symbolic link (-ELOOP) */
    const char *error_path;         /* file that its standard error is appended to, or NULL: where its output goes */
    const char *input;              /* given on standard input, or NULL */
    size_t output_limit;            /* keep at most so many bytes of its output (0: 65536); the rest is read and dropped */
    bool inherit_output;            /* do not collect: the child writes to our own standard output and error */
};

/* How a program ended. */
struct child_result {
    int exit_code;             /* 0..255, or -1 where a signal ended it or it was ended at the deadline */
    int signal;                /* the signal that ended it, or 0 */
    bool timed_out;            /* the deadline came first and its whole process group was killed */
    struct text_buffer output; /* standard output and error, in the order written */
};
void child_result_free(struct child_result *result);
#define _cleanup_child_result_ _cleanup_(child_result_free)

/* Runs a program to its end. At the deadline its process group gets SIGKILL and result->timed_out is set; a child that
 * even then does not end (state D) is left behind. Returns 0 when the program ran and ended by itself (whatever its exit code), -ETIMEDOUT,
 * -ENOENT / -EACCES / -errno when it could not be started (a full process table is -EAGAIN). *result is always valid and is to be freed. */
int child_run(const struct child_spec *spec, struct deadline deadline, struct child_result *result);

/* Starts a program and does not wait: a process group (and session) of its own, output to log_fd (or /dev/null when negative).
 * The deadline bounds the exec itself. Returns 0 and a pidfd that the caller closes, and the pid; -errno like child_run. */
int child_start(const struct child_spec *spec, int log_fd, struct deadline deadline, int *ret_pidfd, pid_t *ret_pid);

/* What child_call runs: returns >= 0 or -errno; may fill up to the reply's size. */
typedef int (*child_function)(void *argument, void *reply, size_t reply_size);

/* Calls function in a child process, for calls that may hang in the kernel (stat on dead NFS, read from a dead LUN, umount).
 * reply (may be NULL with size 0) receives what the function wrote to its copy. Returns the function's return value, or -ETIMEDOUT
 * when it did not answer by the deadline (it is sent SIGKILL and left behind), -EPIPE when it died, -errno when no
 * child could be made.
 *
 * lock_name, where not NULL, names the thing that may hang (a device, a mount point): a child holds the lock
 * VIGIL_RUNDIR/child/NAME as long as it lives (and none of file_lock's that its caller holds), so that never more than one such child per device exists. While an
 * earlier one still hangs, returns -EBUSY at once. Where the lock cannot be made (a full or read-only folder), the call goes on without it. */
int child_call(child_function function, void *argument, void *reply, size_t reply_size, const char *lock_name,
               struct deadline deadline);

/* The same in two steps, so that several children work at once. child_call_begin() returns 0, or -errno as above when no child works now; of each
 * begun one child_call_end() is to be called, with the deadline, and returns as child_call() does. The reply is filled by the end. */
struct child_call_handle {
    pid_t pid;
    int pidfd;
    int read_fd;
    void *reply;
    size_t reply_size;
};
int child_call_begin(struct child_call_handle *handle, child_function function, void *argument, void *reply, size_t reply_size,
                     const char *lock_name);
int child_call_end(struct child_call_handle *handle, struct deadline deadline);

/* A child that goes on by itself when this process has ended: forks, detaches (session, /dev/null, no inherited descriptor) and
 * calls function in the child, whose return value is its exit code. Returns 0, the pid through ret_pid (may be NULL), or -errno. */
int child_detach(int (*function)(void *argument), void *argument, pid_t *ret_pid);

/* A child that works for this process as long as it lives, for what may hang: function(fd, argument) in a process of its own (session, /dev/null, no
 * other inherited descriptor), whose return value is its exit code. The two ends are a SOCK_SEQPACKET pair, ours non-blocking; the worker sees the end
 * of file when our end is closed, by this process's death too. SIGTERM does not end the worker. Returns 0 with our end, which the caller closes, and the pid, which the
 * caller reaps; or -errno. */
int child_worker(int (*function)(int fd, void *argument), void *argument, int *ret_fd, pid_t *ret_pid);

#endif
