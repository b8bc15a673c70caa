/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/process.h"

#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

/* Fields of /proc/PID/stat, counted from 1 as proc(5) does. */
#define STAT_FIELD_STATE 3
#define STAT_FIELD_THREADS 20
#define STAT_FIELD_START_TIME 22

/* The text of a field. The command name in field 2 may hold blanks and parentheses, so counting begins behind the last ')'. */
static int stat_field(const char *text, int wanted, const char **ret_word, size_t *ret_length)
{
    const char *cursor = strrchr(text, ')');

    if (!cursor)
        return -EBADMSG;
    cursor++;
    for (int field = STAT_FIELD_STATE; field <= wanted; field++) {
        if (!text_next_word(&cursor, " \n", ret_word, ret_length))
            return -EBADMSG;
    }
    return 0;
}

static int stat_number(const char *text, int field, uint64_t *ret)
{
    char number[24];
    const char *word;
    size_t length;

    if (stat_field(text, field, &word, &length) < 0 || length >= sizeof(number))
        return -EBADMSG;
    memcpy(number, word, length);
    number[length] = '\0';
    return number_parse_unsigned(number, UINT64_MAX, ret) < 0 ? -EBADMSG : 0;
}

static int parse_stat(const char *text, uint64_t *ret_start_ticks)
{
    uint64_t threads = 0;
    const char *word;
    size_t length;

    if (stat_field(text, STAT_FIELD_STATE, &word, &length) < 0)
        return -EBADMSG;
    if (*word == 'X')
        return -ESRCH;
    /* A program whose first thread has left by pthread_exit is shown as a zombie while the others go on: they are counted here. */
    if (*word == 'Z' && (stat_number(text, STAT_FIELD_THREADS, &threads) < 0 || threads <= 1))
        return -ESRCH;
    return stat_number(text, STAT_FIELD_START_TIME, ret_start_ticks);
}

int process_identify(pid_t pid, struct process_identity *ret)
{
    char path[40];
    _cleanup_free_ char *text = NULL;
    uint64_t start_ticks = 0;
    int r;

    if (pid <= 0)
        return -ESRCH;
    (void)text_format(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    /* Not its first line: the command name may hold a newline. */
    r = file_read(path, 4096, &text, NULL);
    /* No /proc/PID need not mean no process: /proc may not be mounted, or hides it (hidepid). So the kernel is asked as well. */
    if (r == -ENOENT)
        r = kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : -EPERM;
    if (r < 0)
        return r;
    r = parse_stat(text, &start_ticks);
    if (r < 0)
        return r;
    *ret = (struct process_identity){ .pid = pid, .start_ticks = start_ticks };
    return 0;
}

int process_alive(const struct process_identity *identity)
{
    struct process_identity now;
    int r = process_identify(identity->pid, &now);

    if (r == -ESRCH)
        return 0;
    if (r < 0)
        return r;
    return now.start_ticks == identity->start_ticks;
}

int process_open(const struct process_identity *identity)
{
    _cleanup_close_ int pidfd = pidfd_open(identity->pid, 0);
    int r;

    if (pidfd < 0)
        return -errno;
    r = process_alive(identity);
    if (r <= 0)
        return r < 0 ? r : -ESRCH;
    return TAKE_FD(pidfd);
}
