/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_SHARE_MESSAGE_H
#define VIGIL_WATCH_SHARE_MESSAGE_H
/*
 * Internal to share.c: the messages' bytes. Readers are pure and bounded; a message is read whole or not at all.
 */
#include <stddef.h>
#include <stdint.h>

#include "watch/event.h"
#include "watch/share.h"

#define SHARE_VERSION 1

enum share_type {
    SHARE_EVENTS = 1,  /* (length u16, event)... */
    SHARE_SUMMARY = 2, /* (origin, first u64, last u64)...: what the sender has in memory of whom */
    SHARE_REQUEST = 3, /* target u32, (origin, first, last)...: send me these */
    SHARE_PING = 4,    /* t1 u64: the sender's clock */
    SHARE_PONG = 5,    /* target u32, t1 u64, t2 u64, t3 u64, boot id, name (length u8, bytes) */
};

#define SHARE_RANGES_LIMIT 128

/* Events of one recorder, from first to last. */
struct share_range {
    struct event_origin origin;
    uint64_t first, last;
};

struct share_message {
    enum share_type type;
    uint32_t target;
    uint64_t t1, t2, t3;
    uint8_t boot_id[EVENT_ID_SIZE];
    char node[EVENT_NODE_SIZE];
    struct share_range ranges[SHARE_RANGES_LIMIT]; /* longer lists are cut */
    size_t range_count;
    const uint8_t *events; /* borrowed; read by share_next_event */
    size_t events_length;
};

/* Reads a message from exactly length bytes. Returns 0, -EPROTO (none), -EPROTONOSUPPORT (another version or type). *ret is undefined then. */
int share_message_decode(const uint8_t *bytes, size_t length, struct share_message *ret);

/* Steps through a message's events: *cursor starts as 0. Returns 1 with an event, 0 at the end, -EPROTO where one is none (the next
 * call goes on behind it; it ends in any case). */
int share_next_event(const struct share_message *message, size_t *cursor, struct event *ret);

/* A message that is being written. */
struct share_buffer {
    uint8_t bytes[SHARE_MESSAGE_LIMIT];
    size_t length;
};

void share_begin(struct share_buffer *buffer, enum share_type type);
void share_put_number(struct share_buffer *buffer, uint64_t value, size_t bytes);
void share_put_bytes(struct share_buffer *buffer, const void *bytes, size_t length);
void share_put_range(struct share_buffer *buffer, const struct share_range *range);
/* Returns false when it does not fit any more. */
bool share_put_event(struct share_buffer *buffer, const struct event *event);

#endif
