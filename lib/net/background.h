/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_BACKGROUND_H
#define VIGIL_NET_BACKGROUND_H
/*
 * Processes that go on when the action that started them has ended (an announcer, a health responder), known by pid and start time in a state file, so that a pid
 * that now belongs to another process is left alone.
 */
#include "base/deadline.h"
#include "base/process.h"

/* Notes this process in the state file: its first step, so that nothing depends on its parent living on. Returns 0 or -errno. */
int background_note(const char *state_path);

/* 1 when the process of the state file is alive, 0 when not, or -errno. */
int background_alive(const char *state_path);

/* Ends the process of the state file, and waits until it has ended; a pid that now belongs to another is left alone. Returns 0 (also where there was none),
 * -ETIMEDOUT, or -errno. */
int background_stop(const char *state_path, struct deadline deadline);

/* Reads a state file's text ("PID START_TICKS"). Pure. Returns 0 or -EBADMSG. */
int background_parse(const char *text, struct process_identity *ret);

#endif
