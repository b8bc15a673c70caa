/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PROBE_SESSION_H
#define VIGIL_HEALTH_PROBE_SESSION_H
/*
 * One probe asked again and again: where its protocol allows it (http, smtp, imap, redis, a bare tcp connection without text=), on a connection that
 * stays open. The others ask as probe_run() does.
 */
#include "health/probe.h"

struct probe_session {
    struct probe_url url;
    int fd; /* -1: not open */
};

/* Reads the probe's address (one, without quotes). Returns 0 or -EINVAL with why. */
int probe_session_open(const char *address, struct probe_session *ret, struct text_buffer *why);

/* Asks. A kept connection that was closed meanwhile is no failure: it is opened anew first. One that takes the question and does not answer is. Returns like
 * probe_run. */
int probe_session_ask(struct probe_session *session, const struct probe_context *context, struct deadline deadline, struct text_buffer *why);

void probe_session_close(struct probe_session *session);

#endif
