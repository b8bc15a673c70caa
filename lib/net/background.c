/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/background.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

#define STATE_SIZE 64

int background_note(const char *state_path)
{
    struct process_identity self;
    char text[STATE_SIZE];
    int r = process_identify(getpid(), &self);

    if (r < 0)
        return r;
    r = text_format(text, sizeof(text), "%d %" PRIu64 "\n", (int)self.pid, self.start_ticks);
    return r < 0 ? r : file_write(state_path, 0600, text, (size_t)r);
}

int background_parse(const char *text, struct process_identity *ret)
{
    char copy[STATE_SIZE], *start;
    int64_t pid;
    uint64_t ticks;

    if (text_copy(copy, sizeof(copy), text) < 0)
        return -EBADMSG;
    start = strchr(copy, ' ');
    if (!start)
        return -EBADMSG;
    *start++ = '\0';
    if (number_parse(copy, 2, INT32_MAX, &pid) < 0 || number_parse_unsigned(start, UINT64_MAX, &ticks) < 0)
        return -EBADMSG;
    *ret = (struct process_identity){ .pid = (pid_t)pid, .start_ticks = ticks };
    return 0;
}

/* Returns 0, -ENOENT where no process was noted (or its note is broken), or -errno. */
static int read_state(const char *state_path, struct process_identity *ret)
{
    char text[STATE_SIZE];
    int length = file_read_line(state_path, text, sizeof(text));

    if (length < 0)
        return length;
    return background_parse(text, ret) < 0 ? -ENOENT : 0;
}

int background_alive(const char *state_path)
{
    struct process_identity identity;
    int error = read_state(state_path, &identity);

    if (error < 0)
        return error == -ENOENT ? 0 : error;
    return process_alive(&identity);
}

static int forget(const char *state_path)
{
    return unlink(state_path) < 0 && errno != ENOENT ? -errno : 0;
}

int background_stop(const char *state_path, struct deadline deadline)
{
    _cleanup_close_ int pidfd = -1;
    struct process_identity identity;
    int error = read_state(state_path, &identity);

    if (error < 0)
        return error == -ENOENT ? forget(state_path) : error;
    pidfd = process_open(&identity);
    if (pidfd < 0)
        return pidfd == -ESRCH ? forget(state_path) : pidfd;
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return -errno;
    error = deadline_wait_fd(deadline, pidfd, POLLIN);
    return error < 0 ? error : forget(state_path);
}
