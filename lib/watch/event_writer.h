/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_EVENT_WRITER_H
#define VIGIL_WATCH_EVENT_WRITER_H
/*
 * Internal to the recorder: the child that writes and syncs its files, so that a disk that hangs holds up nobody else. It gets messages over a
 * SOCK_SEQPACKET pair and answers when what it got is on the disk. It ends when the recorder has gone and all is written.
 */
#include <stdint.h>

#include "watch/event_file.h"

/* To the writer: an event's frame, and into which file it goes. */
struct writer_message {
    uint64_t ticket; /* grows by one with each message */
    uint32_t file;   /* 0: own.events; else node-N.events */
    uint32_t length; /* of the frame */
    uint8_t frame[EVENT_FRAME_LIMIT];
};

/* From the writer: all up to this ticket are synced; or what keeps it from it. */
struct writer_answer {
    uint64_t ticket;
    int32_t error; /* 0 or -errno */
};

struct writer_config {
    const char *folder;
    size_t file_limit;
};

/* The writer's whole life; `config` is a struct writer_config. A function for child_worker. */
int event_writer_run(int fd, void *config);

#endif
