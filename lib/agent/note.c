/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/note.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"

static uint64_t read_clock_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t note_clock_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

/* Appends one field behind a tab; what is too long is cut. Control characters (a tab, a newline) become blanks. */
static size_t append_field(char *line, size_t length, size_t size, const char *text)
{
    size_t room = size - length - 2;
    size_t taken = strnlen(text ? text : "", room);

    line[length++] = '\t';
    memcpy(line + length, text ? text : "", taken);
    line[length + taken] = '\0';
    (void)text_make_printable(line + length);
    return length + strlen(line + length);
}

static size_t format_line(const struct note *note, char *line, size_t size)
{
    int head = text_format(line, size, "1\t%" PRIu64 "\t%" PRIu64 "\t%s\t%" PRId64 "\t%" PRIu64, read_clock_ns(CLOCK_MONOTONIC),
                           read_clock_ns(CLOCK_REALTIME), note->kind, note->value, note->duration_ns);
    size_t length = head < 0 ? 0 : (size_t)head;

    if (head < 0)
        return 0;
    length = append_field(line, length, size < length + 160 ? size : length + 160, note->resource);
    length = append_field(line, length, size < length + 80 ? size : length + 80, note->peer);
    length = append_field(line, length, size - 1, note->text);
    line[length++] = '\n';
    return length;
}

static int open_spool(void)
{
    int fd = open(NOTE_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (fd < 0 && errno == ENOENT && file_make_directory(NOTE_FOLDER, 0750) == 0)
        fd = open(NOTE_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    return fd < 0 ? -errno : fd;
}

int agent_note(const struct note *note)
{
    _cleanup_close_ int fd = -1;
    char line[NOTE_LINE_LIMIT];
    size_t length = format_line(note, line, sizeof(line));
    struct stat status;

    if (length == 0)
        return -ENAMETOOLONG;
    if (stat(NOTE_FILE, &status) == 0 && status.st_size >= NOTE_FILE_LIMIT)
        (void)rename(NOTE_FILE, NOTE_FILE ".1");
    fd = open_spool();
    if (fd < 0)
        return fd;
    /* One write of O_APPEND is one line, whoever else writes (POSIX write, and the inode's lock of tmpfs). */
    if (write(fd, line, length) != (ssize_t)length)
        return errno ? -errno : -ENOSPC;
    return 0;
}
