/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_RECORDER_H
#define VIGIL_WATCH_RECORDER_H
/*
 * The flight recorder of one node: what vigild tells it, it keeps in memory at once and in files soon.
 *
 * The files (event_file.h) are written and synced by a child process, so that no disk can hold up the daemon. What was handed to the child is
 * written even when the daemon is killed. While the disk is full or hangs, the events wait in memory (bounded) and are written later.
 *
 * The caller runs the loop: it polls recorder_fd for reading and calls recorder_dispatch, and calls recorder_tick about once a second.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "watch/event.h"

struct recorder;

/* How a recorder is set up. Zero-initialised members have the default in brackets. */
struct recorder_config {
    const char *folder;   /* where its files are [RECORDER_FOLDER] */
    const char *node;     /* this node's name; may be told later [the host's] */
    uint32_t node_id;     /* 0 where it is not known yet */
    size_t file_limit;    /* bytes a file before it is rotated; two files are kept for each node [512 KiB] */
    size_t memory_events; /* events kept in memory, own and others' [2048] */
};
#define RECORDER_FOLDER VIGIL_STATEDIR "/recorder"

/* Called for every event that is new here, own or from a peer, right when it is known. It must not call back into the recorder. */
typedef void (*recorder_listener)(void *context, const struct event *event);

/* Opens the recorder, reads what the files hold, starts the writer. Files that are torn or full of rubbish are read as far as they can be. Without a
 * disk it still works, in memory. Returns 0, -ENOMEM, or -errno where no child could be made. */
int recorder_open(const struct recorder_config *config, struct recorder **ret);

/* Hands what is left to the writer and lets go; waits at most 200 ms for it. NULL is allowed. */
void recorder_close(struct recorder *recorder);

/* This node's name and Corosync id, once they are known. Events noted before keep what they have. */
void recorder_set_node(struct recorder *recorder, const char *node, uint32_t node_id);

void recorder_set_listener(struct recorder *recorder, recorder_listener listener, void *context);

/* Notes an event of this node: the origin and the sequence are filled in, the clocks where monotonic_ns is 0. Never blocks. Returns the sequence. */
uint64_t recorder_note(struct recorder *recorder, const struct event *event);

/* The short form of recorder_note: resource, peer and text may be NULL. */
uint64_t recorder_note_text(struct recorder *recorder, enum event_kind kind, const char *resource, const char *peer, int64_t value,
                            const char *text);

/* Takes an event of another node (or of an earlier incarnation of this one). Returns 1 when it is new, 0 when it is known already, -EINVAL when
 * it claims to be of this very incarnation, -ENOSPC where too many nodes are known. */
int recorder_take(struct recorder *recorder, const struct event *event);

/* The highest own sequence that is safe on disk (synced). */
uint64_t recorder_durable(const struct recorder *recorder);

/* 0 while the writer writes; else -errno of what keeps it from it (-ENOSPC, -ETIMEDOUT for a disk that hangs). */
int recorder_trouble(const struct recorder *recorder);

/* A descriptor that is readable when recorder_dispatch has something to do; -1 where the writer has ended (tick starts it anew): ask again behind each
 * call of dispatch or tick. */
int recorder_fd(const struct recorder *recorder);
void recorder_dispatch(struct recorder *recorder);
void recorder_tick(struct recorder *recorder);

/* Steps through the events in memory, oldest first: *cursor starts as 0. Returns NULL at the end. Borrowed until the next call that adds one. */
const struct event *recorder_next(const struct recorder *recorder, size_t *cursor);

const struct event_origin *recorder_origin(const struct recorder *recorder);
const char *recorder_node(const struct recorder *recorder);

/* Events of that origin up to this number have gone out of memory and are not taken again; 0: none has. */
uint64_t recorder_forgotten(const struct recorder *recorder, const struct event_origin *origin);

#endif
