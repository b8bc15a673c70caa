/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/application_record.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"

#define HEADER "vigil-app 1"
#define RECORD_LIMIT 4096

/* "PID START_TICKS" */
static int parse_identity(const char *text, struct process_identity *ret)
{
    char pid_text[16];
    const char *blank = strchr(text, ' ');
    uint64_t start_ticks = 0;
    int64_t pid = 0;

    if (!blank || (size_t)(blank - text) >= sizeof(pid_text))
        return -EBADMSG;
    memcpy(pid_text, text, (size_t)(blank - text));
    pid_text[blank - text] = '\0';
    if (number_parse(pid_text, 0, INT32_MAX, &pid) < 0 ||
        number_parse_unsigned(blank + 1, UINT64_MAX, &start_ticks) < 0)
        return -EBADMSG;
    *ret = (struct process_identity){ .pid = (pid_t)pid, .start_ticks = start_ticks };
    return 0;
}

static int parse_line(char *line, unsigned int number, struct application_record *record)
{
    const char *value;

    switch (number) {
    case 0:
        return text_equal(line, HEADER) ? 0 : -EBADMSG;
    case 1:
        record->started = text_equal(line, "state started");
        return record->started || text_equal(line, "state starting") ? 0 : -EBADMSG;
    case 2:
        value = text_after(line, "main ");
        return value ? parse_identity(value, &record->main) : -EBADMSG;
    case 3:
        value = text_after(line, "session ");
        return value ? parse_identity(value, &record->session) : -EBADMSG;
    case 4:
        value = text_after(line, "cgroup ");
        if (!value || (*value && *value != '/') || text_copy(record->cgroup, sizeof(record->cgroup), value) < 0)
            return -EBADMSG;
        return 0;
    default:
        return -EBADMSG;
    }
}

int application_record_parse(const char *bytes, size_t length, struct application_record *ret)
{
    struct application_record record = { 0 };
    char text[RECORD_LIMIT];
    unsigned int number = 0;

    if (length >= sizeof(text) || memchr(bytes, '\0', length))
        return -EBADMSG;
    memcpy(text, bytes, length);
    text[length] = '\0';
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (parse_line(line, number++, &record) < 0)
            return -EBADMSG;
        if (number < 5)
            continue;
        if (end[1] != '\0')
            return -EBADMSG;
        *ret = record;
        return 0;
    }
    return -EBADMSG;
}

int application_record_read(const char *path, struct application_record *ret)
{
    _cleanup_free_ char *text = NULL;
    size_t length = 0;
    int r = file_read(path, RECORD_LIMIT, &text, &length);

    if (r == 0)
        r = application_record_parse(text, length, ret);
    if (r < 0)
        memset(ret, 0, sizeof(*ret)); /* half a record names a process that is none of ours */
    return r;
}

int application_record_write(const char *path, const struct application_record *record)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };

    text_buffer_printf(&text, HEADER "\nstate %s\nmain %ld %ju\nsession %ld %ju\ncgroup %s\n",
                       record->started ? "started" : "starting", (long)record->main.pid,
                       (uintmax_t)record->main.start_ticks, (long)record->session.pid,
                       (uintmax_t)record->session.start_ticks, record->cgroup);
    return text.failed ? -ENOMEM : file_write(path, 0644, text.text, text.length);
}

int application_failures_read(const char *path, unsigned int *ret)
{
    char text[16];
    int64_t count;
    int r = file_read_line(path, text, sizeof(text));

    *ret = 0;
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (number_parse(text, 0, 1000000, &count) == 0)
        *ret = (unsigned int)count;
    return 0;
}

int application_failures_write(const char *path, unsigned int count)
{
    char text[16];
    int length;

    if (count == 0)
        return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    length = text_format(text, sizeof(text), "%u\n", count);
    return file_write(path, 0644, text, (size_t)length);
}
