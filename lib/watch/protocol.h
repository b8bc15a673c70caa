/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_PROTOCOL_H
#define VIGIL_WATCH_PROTOCOL_H
/*
 * What clients and vigild say to each other over libqb's IPC (service WATCH_SERVICE). Both are on one node, so that numbers are in the machine's
 * order. A message is a header and a payload; a request is answered by one response with the same type.
 *
 *   type                payload of the request        payload of the response (error 0)
 *   WATCH_REGISTER      a registration's text         none: every source is open, and the file is written
 *   WATCH_WITHDRAW      the resource's name           none (also where there was no registration)
 *   WATCH_LIST          none; cursor: where to begin  status lines; cursor: where to go on, or 0 at the end
 *   WATCH_SUBSCRIBE     none                          none; from now on each event of the recorder comes as WATCH_EVENT (watch/event.h's bytes)
 *   WATCH_DAEMON        none                          "NAME=VALUE" lines about vigild itself
 *   WATCH_NOTE          an encoded event              none: the recorder has it (kind, resource, peer, value, duration, text; clocks where set)
 *
 * A status line is a line of TAB-separated NAME=VALUE fields, %XX-escaped as in watch/registration.h:
 *   resource= agent= state=watched|failed|held age_ms= reports= last_failure= last_failure_ms=       one for each resource, then for each of its items
 *   item= target= state=well|suspect|failed|unknown sign_ms= detail=                                  (indented by one blank)
 * where the *_ms are ages: how long ago.
 *
 * An error response has the -errno in `error` and one line of words as payload.
 */
#include <stddef.h>
#include <stdint.h>

#include "watch/registration.h"

#define WATCH_SERVICE "vigild"
#define WATCH_PROTOCOL_VERSION 1
#define WATCH_MESSAGE_MAX 12288 /* with the header: bounds the rings of each connection */
#define WATCH_PAYLOAD_MAX (WATCH_MESSAGE_MAX - sizeof(struct watch_header))
#define WATCH_IPC_ID 1000 /* libqb: ids below QB_IPC_MSG_USER_START are its own */

enum watch_message {
    WATCH_REGISTER = 1,
    WATCH_WITHDRAW = 2,
    WATCH_LIST = 3,
    WATCH_SUBSCRIBE = 4,
    WATCH_DAEMON = 5,
    WATCH_NOTE = 6,
    WATCH_EVENT = 7, /* from vigild, unasked */
    WATCH_MESSAGES,
};

/* Laid over libqb's qb_ipc_request_header and qb_ipc_response_header, which begin with id and size (and error) at these places. */
struct watch_header {
    int32_t id __attribute__((aligned(8)));
    int32_t size __attribute__((aligned(8)));  /* of the whole message */
    int32_t error __attribute__((aligned(8))); /* 0 or -errno; 0 in a request */
    uint32_t version;
    uint32_t type; /* enum watch_message */
    uint64_t cursor;
};

/* A message that was read: type, cursor and payload, which borrows from the bytes. */
struct watch_message_view {
    enum watch_message type;
    int error;
    uint64_t cursor;
    const char *payload;
    size_t length;
};

/* Writes a message into buffer. Returns its length, or -E2BIG where the payload has no room. */
int watch_message_write(enum watch_message type, int error, uint64_t cursor, const void *payload, size_t length, void *buffer,
                        size_t size);

/* Reads a message of length bytes from outside. Pure. Returns 0, -EBADMSG (lengths that do not agree, a type that is not known) or -EPROTONOSUPPORT
 * (another version). */
int watch_message_read(const void *bytes, size_t length, struct watch_message_view *ret);

/* Reads one field of a status line (see above) into buffer, with its escapes undone. Pure. Returns its length, -ENOENT, -ENAMETOOLONG. */
int watch_status_field(const char *line, size_t length, const char *name, char *buffer, size_t size);

/* Appends text with '%', control characters and DEL as %XX. */
void watch_escape(struct text_buffer *buffer, const char *text);
/* Undoes it in place. Returns 0 or -EBADMSG. */
int watch_unescape(char *text);

#endif
