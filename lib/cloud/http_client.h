/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_HTTP_CLIENT_H
#define VIGIL_CLOUD_HTTP_CLIENT_H
/*
 * One HTTP request at a time over libcurl, with kept-open connections. Verified TLS 1.2 or newer, no redirects, no environment, bounded answer. It never
 * sends a request twice.
 */
#include "base/deadline.h"
#include "cloud/cloud.h"
#include "cloud/parameters.h"

struct http_client;

struct http_request {
    const char *method;
    const char *url;
    const struct parameters *headers; /* as they are to be sent; Host too, where it is signed */
    const char *body;                 /* NULL: none */
    size_t body_length;
    const char *ca_file;   /* NULL: the system's */
    const char *proxy;     /* NULL: none */
    bool tls_insecure;
    bool changes;          /* a state change: goes over a new connection, since libcurl sends again by itself where a kept one turns out dead */
    uint64_t connect_ms;
    struct deadline deadline;
    size_t limit;          /* of the body */
};

struct http_reply {
    enum cloud_error error; /* CLOUD_OK: there is an answer, whatever its status */
    unsigned int status;
    char *body;             /* terminated, never NULL where error is CLOUD_OK; wiped by http_reply_free */
    size_t length;
    int64_t date;           /* the header Date in seconds since 1970, 0 where there was none */
    char request_id[96];    /* header x-amzn-requestid, x-acs-request-id, x-request-id, ...; "" */
    char why[192];          /* where error is not CLOUD_OK */
    bool sent;              /* the request may have reached the server */
    uint64_t took_ms;
};

/* Loads libcurl. Returns 0, -ELIBACC or -ENOMEM. */
int http_client_open(struct http_client **ret);
void http_client_close(struct http_client *client);

/* Sends one request and reads the answer into *reply, which http_reply_free frees. Returns 0, or the -errno of reply->error. */
int http_client_send(struct http_client *client, const struct http_request *request, struct http_reply *reply);

void http_reply_free(struct http_reply *reply);
#define _cleanup_http_reply_ _cleanup_(http_reply_free)

/* Seconds since 1970 of an HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT", RFC 9110 5.6.7), 0 where it is none. Pure. */
int64_t http_parse_date(const char *text, size_t length);

/* Takes one header line into the reply: the date, the request id. Pure. */
void http_take_header(struct http_reply *reply, const char *line, size_t length);

#endif
