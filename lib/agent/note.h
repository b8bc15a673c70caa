/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_NOTE_H
#define VIGIL_AGENT_NOTE_H
/*
 * Notes of agents for the flight recorder (lib/watch/note_spool.h reads them): one line appended to a file that a restart of the node clears. It works without
 * vigild, costs one open, write and close, and can't hold anything up: the folder is a tmpfs. Nobody depends on it, so that a failure is
 * silent.
 */
#include <stdint.h>

#define NOTE_FOLDER VIGIL_RUNDIR "/notes"
#define NOTE_FILE NOTE_FOLDER "/spool"
/* Nobody takes the notes (no vigild): at this size the file becomes spool.1, in the place of an older one. */
#define NOTE_FILE_LIMIT (128 * 1024)
/* No line is longer. */
#define NOTE_LINE_LIMIT 1024

struct note {
    const char *kind;     /* as lib/watch/event.h names it: "start-begin", "fencing-end" */
    const char *resource; /* or NULL */
    const char *peer;     /* the node that it speaks of, or NULL */
    int64_t value;        /* an exit code */
    uint64_t duration_ns; /* 0: none */
    const char *text;     /* or NULL */
};

/* Nanoseconds on CLOCK_MONOTONIC: what a duration is counted from. */
uint64_t note_clock_ns(void);

/* Appends it with both clocks, now. Returns 0 or -errno, which the caller may ignore. */
int agent_note(const struct note *note);

#endif
