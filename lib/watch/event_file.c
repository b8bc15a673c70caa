/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/event_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

/* No text begins so: the first byte is no ASCII, and no UTF-8 either. */
static const uint8_t frame_mark[4] = { 0x89, 'V', 'E', 0x0a };

/* ---- frames --------------------------------------------------------------------------------------------------------- */

/* CRC-32 as Ethernet and zip have it (ISO 3309; reflected polynomial 0xedb88320). */
static uint32_t checksum(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320 & (0U - (crc & 1)));
    }
    return ~crc;
}

static void put_little_endian(uint8_t *bytes, uint32_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_little_endian(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;

    for (size_t i = count; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

int event_frame_encode(const struct event *event, uint8_t *bytes, size_t size)
{
    int length = size < EVENT_FRAME_HEAD ? -ENOBUFS : event_encode(event, bytes + EVENT_FRAME_HEAD, size - EVENT_FRAME_HEAD);

    if (length < 0)
        return length;
    memcpy(bytes, frame_mark, sizeof(frame_mark));
    put_little_endian(bytes + 4, (uint32_t)length, 2);
    put_little_endian(bytes + 6, checksum(bytes + EVENT_FRAME_HEAD, (size_t)length), 4);
    return EVENT_FRAME_HEAD + length;
}

/* The length of the whole frame that begins at bytes, 0 where none does. */
static size_t whole_frame(const uint8_t *bytes, size_t length)
{
    size_t event_length;

    if (length < EVENT_FRAME_HEAD || memcmp(bytes, frame_mark, sizeof(frame_mark)) != 0)
        return 0;
    event_length = get_little_endian(bytes + 4, 2);
    if (event_length > EVENT_ENCODED_LIMIT || event_length > length - EVENT_FRAME_HEAD ||
        checksum(bytes + EVENT_FRAME_HEAD, event_length) != get_little_endian(bytes + 6, 4))
        return 0;
    return EVENT_FRAME_HEAD + event_length;
}

/* As event_frames_scan; *ret_end is where the last whole frame ends. */
static size_t scan(const uint8_t *bytes, size_t length, event_visitor visit, void *context, size_t *ret_end)
{
    size_t next = 0, skipped = 0;

    *ret_end = 0;
    while (next < length) {
        size_t frame = whole_frame(bytes + next, length - next);
        struct event event;

        if (frame == 0) {
            const uint8_t *mark = memchr(bytes + next + 1, frame_mark[0], length - next - 1);
            size_t to = mark ? (size_t)(mark - bytes) : length;

            skipped += to - next;
            next = to;
            continue;
        }
        /* A version or a kind of field that is not known here is no damage. */
        if (event_decode(bytes + next + EVENT_FRAME_HEAD, frame - EVENT_FRAME_HEAD, &event) == 0 && visit)
            visit(context, &event);
        next += frame;
        *ret_end = next;
    }
    return skipped;
}

size_t event_frames_scan(const uint8_t *bytes, size_t length, event_visitor visit, void *context)
{
    size_t end;

    return scan(bytes, length, visit, context, &end);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

int event_file_read(const char *path, event_visitor visit, void *context, size_t *ret_skipped)
{
    _cleanup_free_ char *bytes = NULL;
    size_t length = 0, skipped;
    int r = file_read(path, EVENT_FILE_READ_LIMIT, &bytes, &length);

    if (r < 0)
        return r;
    skipped = event_frames_scan((const uint8_t *)bytes, length, visit, context);
    if (ret_skipped)
        *ret_skipped += skipped;
    return 0;
}

/* A file may be rotated away between the two: then its events are in the other one. */
static int read_pair(const char *folder, const char *name, event_visitor visit, void *context, size_t *ret_skipped)
{
    char path[PATH_MAX], old[PATH_MAX];
    int r, other;

    if (text_format(path, sizeof(path), "%s/%s", folder, name) < 0 || text_format(old, sizeof(old), "%s.old", path) < 0)
        return -ENAMETOOLONG;
    r = event_file_read(old, visit, context, ret_skipped);
    other = event_file_read(path, visit, context, ret_skipped);
    if (r == -ENOENT)
        r = 0;
    return r < 0 || other == -ENOENT ? r : other;
}

int event_folder_read(const char *folder, event_visitor visit, void *context, size_t *ret_skipped)
{
    _cleanup_closedir_ DIR *directory = opendir(folder);
    const struct dirent *entry;
    int result = 0;

    if (!directory)
        return -errno;
    if (ret_skipped)
        *ret_skipped = 0;
    while ((entry = readdir(directory))) {
        char name[NAME_MAX + 1];
        size_t length = strlen(entry->d_name);
        int r;

        /* A lone .old (the disk was full just behind the rotation) counts as well. */
        if (text_ends_with(entry->d_name, ".events.old"))
            length -= strlen(".old");
        else if (!text_ends_with(entry->d_name, ".events"))
            continue;
        if (text_format(name, sizeof(name), "%.*s", (int)length, entry->d_name) < 0)
            continue;
        if (length != strlen(entry->d_name) && faccessat(dirfd(directory), name, F_OK, 0) == 0)
            continue; /* read with its newer one */
        r = read_pair(folder, name, visit, context, ret_skipped);
        if (r < 0)
            result = r;
    }
    return result;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

/* Where the last whole frame of a file ends: behind it the next one begins. */
static int find_end(const char *path, size_t *ret)
{
    _cleanup_free_ char *bytes = NULL;
    size_t length = 0;
    int r = file_read(path, EVENT_FILE_READ_LIMIT, &bytes, &length);

    *ret = 0;
    if (r < 0)
        return r;
    (void)scan((const uint8_t *)bytes, length, NULL, NULL, ret);
    return 0;
}

int event_file_open(struct event_file *file, const char *path, size_t limit)
{
    size_t end = 0;
    int r = find_end(path, &end);

    *file = (struct event_file){ .path = path, .limit = limit, .fd = -1 };
    if (r == -EFBIG) { /* never ours: put it out of the way */
        r = unlink(path) < 0 ? -errno : 0;
        end = 0;
    }
    if (r < 0 && r != -ENOENT)
        return r;
    file->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (file->fd < 0)
        return -errno;
    if (ftruncate(file->fd, (off_t)end) < 0 || lseek(file->fd, (off_t)end, SEEK_SET) < 0) {
        r = -errno;
        event_file_close(file);
        return r;
    }
    file->size = end;
    return 0;
}

static int rotate(struct event_file *file)
{
    const char *path = file->path;
    size_t limit = file->limit;
    char old[PATH_MAX];

    if (text_format(old, sizeof(old), "%s.old", path) < 0)
        return -ENAMETOOLONG;
    (void)fdatasync(file->fd);
    if (rename(path, old) < 0)
        return -errno;
    event_file_close(file);
    return event_file_open(file, path, limit);
}

int event_file_append(struct event_file *file, const uint8_t *frames, size_t length)
{
    size_t written = 0;
    int r = 0;

    if (file->fd < 0)
        r = event_file_open(file, file->path, file->limit);
    if (r == 0 && file->size > 0 && file->size + length > file->limit)
        r = rotate(file);
    while (r == 0 && written < length) {
        ssize_t count = write(file->fd, frames + written, length - written);

        if (count > 0)
            written += (size_t)count;
        else if (count == 0 || errno != EINTR)
            r = count == 0 ? -ENOSPC : -errno;
    }
    if (r == 0) {
        file->size += length;
    } else if (file->fd >= 0) {
        /* A half frame would be stepped over by every reader, but the next one shall begin clean. */
        if (ftruncate(file->fd, (off_t)file->size) < 0 || lseek(file->fd, (off_t)file->size, SEEK_SET) < 0)
            event_file_close(file);
    }
    return r;
}

int event_file_sync(struct event_file *file)
{
    return file->fd >= 0 && fdatasync(file->fd) < 0 ? -errno : 0;
}

void event_file_close(struct event_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}
