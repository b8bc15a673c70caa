/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_REPLY_H
#define VIGIL_HEALTH_REPLY_H
/*
 * What a service answered, judged as it comes in. Pure functions over the bytes received so far.
 */
#include <stdbool.h>
#include <stddef.h>

enum reply_verdict {
    REPLY_INCOMPLETE, /* more bytes are needed */
    REPLY_GOOD,
    REPLY_BAD, /* the service says that it is not well */
    REPLY_FOREIGN, /* this is another protocol */
};

/* One reply, which may have several lines "NNN-..." (RFC 5321, 4.2.1): 2xx is good. */
enum reply_verdict reply_smtp(const char *bytes, size_t length);

/* The greeting "* OK" or "* PREAUTH" is good, "* BYE" is not (RFC 3501, 7.1). */
enum reply_verdict reply_imap_greeting(const char *bytes, size_t length);

/* The tagged line "v1 OK", behind any number of others (RFC 3501, 2.2.2). */
enum reply_verdict reply_imap_tagged(const char *bytes, size_t length);

/* "+OK" or "-ERR" (RFC 1939, 3). */
enum reply_verdict reply_pop3(const char *bytes, size_t length);

/* "+PONG" or "+OK"; "-LOADING ...", "-NOAUTH ..." are not good (the RESP specification, simple strings and errors). */
enum reply_verdict reply_redis(const char *bytes, size_t length);

/* The head of an HTTP answer. */
struct http_head {
    unsigned int status;   /* 100..599 */
    size_t head_length;    /* where the body begins */
    bool chunked;          /* Transfer-Encoding: chunked */
    bool has_length;       /* Content-Length was given */
    size_t content_length;
};

/* REPLY_GOOD when the head is complete, whatever its status (RFC 9112, 2 to 6). */
enum reply_verdict reply_http_head(const char *bytes, size_t length, struct http_head *ret);

/* Takes the chunk framing out of a body, in place (RFC 9112, 7.1). Sets *ret_length to the bytes decoded so far. REPLY_GOOD at the last
 * chunk. */
enum reply_verdict reply_http_dechunk(char *bytes, size_t length, size_t *ret_length);

/* The first line without what is not printable, for a reason: at most size - 1 bytes. Returns buffer. */
const char *reply_first_line(const char *bytes, size_t length, char *buffer, size_t size);

#endif
