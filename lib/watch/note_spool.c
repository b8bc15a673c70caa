/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/note_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/note.h"
#include "base/file.h"
#include "base/number.h"

/* At this size the file is put aside, once its notes are on the disk. Below NOTE_FILE_LIMIT, so that agents never do it while vigild runs. */
#define SPOOL_TURN_SIZE (64 * 1024)
#define READ_LIMIT (4 * NOTE_FILE_LIMIT)

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* Takes the next field of a line that is being cut up at its tabs. */
static char *next_field(char **cursor)
{
    char *field = *cursor;

    if (!field)
        return NULL;
    *cursor = strchr(field, '\t');
    if (*cursor)
        *(*cursor)++ = '\0';
    return field;
}

static uint16_t kind_named(const char *name)
{
    for (uint16_t kind = EVENT_NONE + 1; kind < EVENT_KIND_COUNT; kind++) {
        if (text_equal(event_kind_name(kind, NULL, 0), name))
            return kind;
    }
    return EVENT_NONE;
}

int note_parse(const char *line, size_t length, struct event *ret)
{
    char copy[NOTE_LINE_LIMIT];
    char *cursor = copy, *fields[9];

    if (length >= sizeof(copy) || memchr(line, '\0', length))
        return -EPROTO;
    memcpy(copy, line, length);
    copy[length] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        fields[i] = next_field(&cursor);
        if (!fields[i])
            return -EPROTO;
    }
    memset(ret, 0, sizeof(*ret));
    ret->kind = kind_named(fields[3]);
    if (!text_equal(fields[0], "1") || ret->kind == EVENT_NONE ||
        number_parse_unsigned(fields[1], UINT64_MAX, &ret->monotonic_ns) < 0 || ret->monotonic_ns == 0 ||
        number_parse_unsigned(fields[2], UINT64_MAX, &ret->wall_ns) < 0 ||
        number_parse(fields[4], INT64_MIN, INT64_MAX, &ret->value) < 0 ||
        number_parse_unsigned(fields[5], UINT64_MAX, &ret->duration_ns) < 0)
        return -EPROTO;
    event_set_text(ret->resource, sizeof(ret->resource), fields[6]);
    event_set_text(ret->peer, sizeof(ret->peer), fields[7]);
    event_set_text(ret->text, sizeof(ret->text), fields[8]);
    return 0;
}

size_t notes_scan(const char *text, size_t length, event_visitor visit, void *context)
{
    size_t next = 0;
    const char *newline;

    while (next < length && (newline = memchr(text + next, '\n', length - next))) {
        struct event event;

        if (note_parse(text + next, (size_t)(newline - text) - next, &event) == 0)
            visit(context, &event);
        next = (size_t)(newline - text) + 1;
    }
    return next;
}

static int read_one(const char *folder, const char *name, event_visitor visit, void *context)
{
    _cleanup_free_ char *text = NULL;
    char path[PATH_MAX];
    size_t length = 0;
    int r = text_format(path, sizeof(path), "%s/%s", folder, name);

    if (r < 0)
        return r;
    r = file_read(path, READ_LIMIT, &text, &length);
    if (r == 0)
        (void)notes_scan(text, length, visit, context);
    return r == -ENOENT ? 0 : r;
}

int notes_read(const char *folder, event_visitor visit, void *context)
{
    int r = read_one(folder, "spool.1", visit, context);
    int other = read_one(folder, "spool", visit, context);

    return r < 0 ? r : other;
}

/* ---- following ------------------------------------------------------------------------------------------------------ */

/* A file of the spool that is read as it grows. */
struct spool_file {
    int fd; /* -1: none */
    off_t taken;
};

struct note_spool {
    char folder[256];
    char path[PATH_MAX];
    struct recorder *recorder;
    int inotify_fd;
    struct spool_file now;    /* what agents append to */
    struct spool_file before; /* put aside; an agent that had it open may still append to it */
    uint64_t last_sequence;   /* of the last note that was taken */
    bool first;               /* the first look: what the recorder has already is stepped over */
};

static bool is_noted(const struct recorder *recorder, const struct event *note)
{
    const struct event_origin *own = recorder_origin(recorder);
    const struct event *event;
    size_t cursor = 0;

    while ((event = recorder_next(recorder, &cursor))) {
        if (event->monotonic_ns == note->monotonic_ns && event->wall_ns == note->wall_ns && event->kind == note->kind &&
            memcmp(event->origin.boot_id, own->boot_id, EVENT_ID_SIZE) == 0)
            return true;
    }
    return false;
}

static void take_note(void *context, const struct event *note)
{
    struct note_spool *spool = context;

    if (spool->first && is_noted(spool->recorder, note))
        return;
    spool->last_sequence = recorder_note(spool->recorder, note);
}

static void read_growth(struct note_spool *spool, struct spool_file *file)
{
    char text[16384];

    while (file->fd >= 0) {
        ssize_t length = pread(file->fd, text, sizeof(text), file->taken);
        size_t taken = length > 0 ? notes_scan(text, (size_t)length, take_note, spool) : 0;

        /* A whole buffer without a newline is rubbish. */
        if (taken == 0 && length == (ssize_t)sizeof(text))
            taken = sizeof(text);
        if (taken == 0)
            return;
        file->taken += (off_t)taken;
    }
}

static void close_spool_file(struct spool_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    *file = (struct spool_file){ .fd = -1 };
}

static int open_spool_file(const struct note_spool *spool, const char *suffix)
{
    char path[PATH_MAX];

    if (text_format(path, sizeof(path), "%s%s", spool->path, suffix) < 0)
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Another file may stand under the name now (an agent put ours aside). */
static void follow_name(struct note_spool *spool)
{
    struct stat named, open_one;

    if (spool->now.fd >= 0 && stat(spool->path, &named) == 0 && fstat(spool->now.fd, &open_one) == 0 && named.st_ino == open_one.st_ino &&
        named.st_dev == open_one.st_dev)
        return;
    if (spool->now.fd >= 0) {
        close_spool_file(&spool->before);
        spool->before = spool->now;
    }
    spool->now = (struct spool_file){ .fd = open_spool_file(spool, "") };
}

/* Puts the file aside when it is big and all its notes are on the disk. The one that was put aside before is gone then. */
static void turn(struct note_spool *spool)
{
    char aside[PATH_MAX];

    if (spool->now.fd < 0 || spool->now.taken < SPOOL_TURN_SIZE || recorder_durable(spool->recorder) < spool->last_sequence ||
        text_format(aside, sizeof(aside), "%s.1", spool->path) < 0)
        return;
    if (rename(spool->path, aside) == 0)
        follow_name(spool);
}

void note_spool_dispatch(struct note_spool *spool)
{
    char events[4096];

    while (read(spool->inotify_fd, events, sizeof(events)) > 0)
        ; /* what they say is looked at below */
    read_growth(spool, &spool->before);
    read_growth(spool, &spool->now);
    follow_name(spool);
    read_growth(spool, &spool->before);
    read_growth(spool, &spool->now);
    turn(spool);
}

int note_spool_fd(const struct note_spool *spool)
{
    return spool->inotify_fd;
}

int note_spool_open(const char *folder, struct recorder *recorder, struct note_spool **ret)
{
    struct note_spool *spool = calloc(1, sizeof(*spool));
    int r;

    if (!spool)
        return -ENOMEM;
    *spool = (struct note_spool){ .recorder = recorder, .inotify_fd = -1, .now.fd = -1, .before.fd = -1, .first = true };
    (void)text_format(spool->folder, sizeof(spool->folder), "%s", folder ? folder : NOTE_FOLDER);
    (void)text_format(spool->path, sizeof(spool->path), "%s/spool", spool->folder);
    r = file_make_directory(spool->folder, 0750);
    if (r == 0) {
        spool->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        r = spool->inotify_fd < 0 || inotify_add_watch(spool->inotify_fd, spool->folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0 ? -errno : 0;
    }
    if (r < 0) {
        note_spool_close(spool);
        return r;
    }
    spool->before.fd = open_spool_file(spool, ".1");
    note_spool_dispatch(spool);
    spool->first = false;
    *ret = spool;
    return 0;
}

void note_spool_close(struct note_spool *spool)
{
    if (!spool)
        return;
    if (spool->inotify_fd >= 0)
        (void)close(spool->inotify_fd);
    close_spool_file(&spool->now);
    close_spool_file(&spool->before);
    free(spool);
}
