/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/event_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/file.h"

#define BATCH 32
/* Files beyond these are closed again: more nodes at once are none of ours. */
#define FILES 65
#define RETRY_MS 1000
/* The recorder has gone and the disk is full: so often it is tried. */
#define LAST_TRIES 5

struct writer_file {
    char path[PATH_MAX];
    uint32_t number;
    bool used;
    bool dirty;
    struct event_file file;
};

struct writer {
    int fd;
    const struct writer_config *config;
    struct writer_file files[FILES];
    struct writer_message batch[BATCH];
    size_t count;    /* messages in the batch */
    size_t written;  /* of them, not yet synced perhaps */
    uint64_t synced; /* ticket */
    unsigned int tries_left;
};

static bool recorder_has_gone(const struct writer *writer)
{
    struct pollfd poll_fd = { .fd = writer->fd, .events = POLLOUT };

    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR));
}

/* The answer is lost where the recorder does not read: a later one says the same. */
static void answer(struct writer *writer, int error)
{
    struct writer_answer message = { .ticket = writer->synced, .error = error };

    (void)send(writer->fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static struct writer_file *find_file(struct writer *writer, uint32_t number)
{
    struct writer_file *unused = NULL;
    int r;

    for (size_t i = 0; i < FILES; i++) {
        if (writer->files[i].used && writer->files[i].number == number)
            return &writer->files[i];
        if (!writer->files[i].used && !unused)
            unused = &writer->files[i];
    }
    if (!unused)
        return NULL;
    if (number == 0)
        r = text_format(unused->path, sizeof(unused->path), "%s/own.events", writer->config->folder);
    else
        r = text_format(unused->path, sizeof(unused->path), "%s/node-%u.events", writer->config->folder, number);
    if (r < 0)
        return NULL;
    unused->file = (struct event_file){ .path = unused->path, .limit = writer->config->file_limit, .fd = -1 };
    unused->number = number;
    unused->used = true;
    return unused;
}

/* Writes what the batch still has and syncs. Returns 0 or -errno. */
static int write_batch(struct writer *writer)
{
    int r = 0;

    for (; writer->written < writer->count; writer->written++) {
        const struct writer_message *message = &writer->batch[writer->written];
        struct writer_file *file = find_file(writer, message->file);

        if (!file)
            continue; /* one node too many: it is in memory only */
        r = event_file_append(&file->file, message->frame, message->length);
        if (r == -ENOENT && file_make_directory(writer->config->folder, 0750) == 0)
            r = event_file_append(&file->file, message->frame, message->length);
        if (r < 0)
            return r;
        file->dirty = true;
    }
    for (size_t i = 0; i < FILES && r == 0; i++) {
        if (!writer->files[i].dirty)
            continue;
        r = event_file_sync(&writer->files[i].file);
        writer->files[i].dirty = r < 0;
    }
    return r;
}

/* Until the batch is on the disk, or the recorder has gone and there is no hope. Returns 0 or -errno. */
static int finish_batch(struct writer *writer)
{
    for (;;) {
        int r = write_batch(writer);

        if (r == 0) {
            writer->synced = writer->batch[writer->count - 1].ticket;
            writer->count = writer->written = 0;
            answer(writer, 0);
            return 0;
        }
        answer(writer, r);
        if (recorder_has_gone(writer) && writer->tries_left-- == 0)
            return r;
        (void)deadline_sleep(DEADLINE_NEVER, RETRY_MS);
    }
}

/* Takes one message into the batch. Returns 1, 0 at the end, -EAGAIN when there is none now, -errno.
 *
 * A recorder that was killed before it read its answers leaves ECONNRESET behind, once, ahead of the messages that are still queued
 * (the kernel's unix_release_sock() in net/unix/af_unix.c): those are read all the same. */
static int take_message(struct writer *writer, int flags)
{
    struct writer_message *message = &writer->batch[writer->count];
    size_t head = offsetof(struct writer_message, frame);
    ssize_t length = recv(writer->fd, message, sizeof(*message), flags);

    if (length < 0)
        return errno == EINTR || errno == ECONNRESET ? -EAGAIN : -errno;
    if (length == 0)
        return 0;
    if ((size_t)length >= head && (size_t)length == head + message->length)
        writer->count++;
    return 1;
}

/* Another writer (of a recorder that was killed, or a second one that should not be) may still write: one at a time. */
static void await_lock(const struct writer *writer)
{
    char path[PATH_MAX];

    (void)file_make_directory(writer->config->folder, 0750);
    if (text_format(path, sizeof(path), "%s/lock", writer->config->folder) < 0)
        return;
    while (file_lock(path, deadline_in(RETRY_MS)) == -ETIMEDOUT && !recorder_has_gone(writer))
        ;
}

int event_writer_run(int fd, void *config)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (!writer)
        return 1;
    writer->fd = fd;
    writer->config = config;
    writer->tries_left = LAST_TRIES;
    await_lock(writer);
    for (;;) {
        int r = take_message(writer, 0);

        while (r == 1 && writer->count < BATCH)
            r = take_message(writer, MSG_DONTWAIT);
        if (writer->count > 0 && finish_batch(writer) < 0)
            return 1;
        if (r == 0 || (r < 0 && r != -EAGAIN))
            return r == 0 ? 0 : 1;
    }
}
