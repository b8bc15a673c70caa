/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_NOTE_SPOOL_H
#define VIGIL_WATCH_NOTE_SPOOL_H
/*
 * The agents' notes (agent/note.h) on their way into the recorder. vigild follows the file as it grows; without vigild `vigil timeline` reads it
 * as it stands. A file is thrown away only when all of it is on the recorder's disk.
 */
#include <stddef.h>

#include "watch/event_file.h"
#include "watch/recorder.h"

/* Reads one line (without its newline) into an event without an origin. Pure. Returns 0, -EPROTO when it is no note. */
int note_parse(const char *line, size_t length, struct event *ret);

/* Calls visit for each whole line of a text that is a note. Pure. Returns how many bytes were taken (up to and with the last newline). */
size_t notes_scan(const char *text, size_t length, event_visitor visit, void *context);

/* Reads what lies in the folder's spool now. Returns 0 (none there, too) or -errno. */
int notes_read(const char *folder, event_visitor visit, void *context);

struct note_spool;

/* Follows the spool of a folder (NULL: NOTE_FOLDER), which is made. What the recorder has already (from before a restart) is not noted again.
 * Returns 0 or -errno. */
int note_spool_open(const char *folder, struct recorder *recorder, struct note_spool **ret);
void note_spool_close(struct note_spool *spool);

/* A descriptor to poll for reading; then, and about once a second, call note_spool_dispatch. */
int note_spool_fd(const struct note_spool *spool);
void note_spool_dispatch(struct note_spool *spool);

#endif
