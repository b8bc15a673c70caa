/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PROBE_URL_H
#define VIGIL_HEALTH_PROBE_URL_H
/*
 * The address of a probe:
 *
 *     SCHEME://[USER@][HOST][:PORT][/PATH][?OPTIONS][#OPTIONS]
 *     process:[NAME]
 *     exec:COMMAND
 *
 * Options are NAME=VALUE pairs joined by '&'; %XX in a user, a path (other than of http) and a value is decoded. For http and
 * https the part behind '?' belongs to the request, so that options stand behind '#' alone, which is never sent; the other kinds
 * take options from both places. HOST is a name, an IPv4 address or an IPv6 address in brackets (RFC 3986, 3.2.2).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum probe_scheme {
    PROBE_PROCESS,
    PROBE_EXEC,
    PROBE_TCP,
    PROBE_HTTP,
    PROBE_HTTPS,
    PROBE_SMTP,
    PROBE_IMAP,
    PROBE_POP3,
    PROBE_MYSQL,
    PROBE_PGSQL,
    PROBE_REDIS,
    PROBE_SCHEMES,
};

struct probe_url {
    enum probe_scheme scheme;
    char user[128];
    char host[256];          /* without brackets; "localhost" where none was written */
    unsigned int port;       /* the scheme's own where none was written */
    char path[2048];         /* http: path and query as sent; sql: the database; process: the name; exec: the command line */
    char socket[108];        /* socket=: a unix socket (its folder for pgsql) instead of host and port */
    char query[1024];        /* query=: what a sql probe asks */
    char text[256];          /* text=: what the answer must hold (http, tcp, exec) or be (sql) */
    char password_file[512]; /* password_file=: a file whose first line is the password */
    unsigned int status_low; /* status=200 or status=200-399: the HTTP codes that are good */
    unsigned int status_high;
    uint64_t timeout_ms; /* timeout=: for this probe; 0: the caller's */
    bool insecure;       /* insecure=yes: the peer's certificate is not verified */
};

/* Reads one address of the given length; looks at nothing but its arguments. Returns 0, or -EINVAL with what is wrong appended to
 * `why` (may be NULL); *ret is then undefined. */
int probe_url_parse(const char *bytes, size_t length, struct probe_url *ret, struct text_buffer *why);

/* "pgsql", "tcp", ...: the name of a scheme. */
const char *probe_scheme_name(enum probe_scheme scheme);

#endif
