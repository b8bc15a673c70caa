/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_API_CALL_H
#define VIGIL_CLOUD_API_CALL_H
/*
 * Internal to lib/cloud: one call of an API from its parameters to the parsed answer, with the token bucket, keys, signing and the retries that the
 * error's class allows.
 */
#include "cloud/cloud.h"
#include "cloud/document.h"
#include "cloud/parameters.h"

/* A row of a cloud's table of services. */
struct cloud_service {
    const char *name;    /* as in the endpoints parameter: "ec2" */
    const char *host;    /* the first part of the host's name: "elasticloadbalancing"; the provider makes the rest */
    const char *version; /* of the API */
};

struct api_call {
    const char *service;
    const char *action;      /* "DescribeVolumes"; REST: a word for texts ("attach volume") */
    const char *method;      /* "POST" */
    const char *path;        /* percent-encoded; NULL: "/" */
    struct parameters *parameters; /* the provider's sign puts them into the query or the body; may be NULL */
    const char *body;        /* JSON; NULL: none */
    bool changes;            /* a state change: sent again only where the cloud has certainly done nothing */
};

/* What goes on the wire: made anew for each attempt, since nonce and time are in the signature. */
struct api_message {
    const struct cloud_service *service;
    char host[256];               /* Host header, with a port that is not the default one */
    char base[320];               /* "https://host:port" */
    struct text_buffer path;      /* with the endpoint's own path in front */
    struct text_buffer query;     /* without '?' */
    struct text_buffer body;
    struct parameters headers;
    int64_t now;                  /* wall clock, seconds since 1970 */
};

/* An error as the cloud words it. */
struct api_error {
    unsigned int status;
    char code[96];
    char words[256];
    char request_id[96];
    int64_t skew_s; /* the server's clock minus ours, where the answer had a date */
};

/* Sends the call and parses the answer into *ret (document_free). Returns 0, or -errno with the handle's failure filled in. */
int api_call_send(struct cloud *cloud, const struct api_call *call, struct deadline deadline, struct document *ret);

/* The message of a call at this moment, signed with cloud->keys: no I/O. message is zero-initialised, and api_message_free's afterwards. 0 or -errno
 * with the failure. */
int api_message_build(struct cloud *cloud, const struct api_call *call, struct api_message *message);
void api_message_free(struct api_message *message);

/* What the classes of errors allow. Pure. */
bool api_error_may_repeat(enum cloud_error error, bool changes, bool sent);

/* Wait before the next attempt: 200 ms doubled each time, at most 5 s (throttled: 1 s, at most 20 s), of which a random half. */
uint64_t api_backoff_ms(enum cloud_error error, unsigned int attempt);

/* Splits "https://host:port/path" into the message's base, host and path. Returns 0 or -EINVAL. Pure. */
int api_parse_endpoint(const char *url, struct api_message *message);

/* The URL for a service in "service=URL ..." (or "all=URL"), copied into buffer: 1, 0 where it names none, -EINVAL where the text is malformed. Pure. */
int api_find_endpoint(const char *endpoints, const char *service, char *buffer, size_t size);

#endif
