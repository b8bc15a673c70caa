/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_EVENT_FILE_H
#define VIGIL_WATCH_EVENT_FILE_H
/*
 * Events in files: NAME.events and, behind a rotation, NAME.events.old. A file is a row of frames: four bytes of mark, the length (two bytes, little endian),
 * CRC-32 of the event's bytes (four), and these bytes. Whatever else stands there (a torn tail after a power cut, a bad sector, rubbish) is
 * stepped over up to the next frame that is whole.
 */
#include <stddef.h>
#include <stdint.h>

#include "watch/event.h"

#define EVENT_FRAME_HEAD 10
#define EVENT_FRAME_LIMIT (EVENT_FRAME_HEAD + EVENT_ENCODED_LIMIT)

/* No file is read further than this. */
#define EVENT_FILE_READ_LIMIT (16 * 1024 * 1024)

typedef void (*event_visitor)(void *context, const struct event *event);

/* Writes the event as a frame. Returns its length, or -ENOBUFS (EVENT_FRAME_LIMIT is always enough). */
int event_frame_encode(const struct event *event, uint8_t *bytes, size_t size);

/* Calls visit for each whole frame. Pure. Returns how many bytes belonged to none. */
size_t event_frames_scan(const uint8_t *bytes, size_t length, event_visitor visit, void *context);

/* Reads one file. Returns 0 and through ret_skipped (may be NULL) the bytes that were stepped over; or -errno (-ENOENT). */
int event_file_read(const char *path, event_visitor visit, void *context, size_t *ret_skipped);

/* Reads all *.events.old and *.events of a folder, each one's older file first, in no other order. Returns 0 (an empty folder too), or -errno when the folder
 * or a file could not be read (-ENOENT: no such folder; the other files were read). */
int event_folder_read(const char *folder, event_visitor visit, void *context, size_t *ret_skipped);

/* A file that is appended to. Zero-initialise; path is borrowed. */
struct event_file {
    const char *path;
    size_t limit; /* at this size the file becomes PATH.old */
    int fd;       /* -1 while closed; set by event_file_open */
    size_t size;
};

/* Opens (makes) the file; its folder must be there. A part of a frame at its end is cut off. Returns 0 or -errno. */
int event_file_open(struct event_file *file, const char *path, size_t limit);

/* Appends whole frames; rotates before where they would not fit. What could not be written in whole is taken back. Returns 0 or -errno; nothing is synced. */
int event_file_append(struct event_file *file, const uint8_t *frames, size_t length);

/* Syncs it to the disk. Returns 0 or -errno. */
int event_file_sync(struct event_file *file);

void event_file_close(struct event_file *file);

#endif
