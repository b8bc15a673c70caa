/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PROBE_H
#define VIGIL_HEALTH_PROBE_H
/*
 * Asking an application whether it does its work. A list of probes is a text of addresses (see health/probe_url.h) separated by
 * blanks, with the quotes of text_split_command where an address holds a blank.
 */
#include "base/deadline.h"
#include "base/text.h"
#include "health/probe_url.h"
#include "health/process_set.h"

/* What a probe may need to know of the application. */
struct probe_context {
    const struct process_set *set;  /* for process: */
    const char *user;               /* exec:, and sql over a unix socket, ask as this user; NULL: as we are */
    const char *group;
    const char *directory;          /* for exec: */
    const char *const *environment; /* for exec: */
    uint64_t timeout_ms;            /* of a probe that names none */
};

/* Checks the syntax of a list. Returns 0 or -EINVAL with the reason in why. Pure. */
int probe_list_check(const char *list, struct text_buffer *why);

/* Asks each probe of the list in turn, and stops at the first that fails. Returns 0, or with the reason (which probe, what it said)
 * appended to why: -ETIMEDOUT when it did not answer in time, -ELIBACC when the client library it needs can't be loaded, another -errno
 * when it answered wrongly or not at all. */
int probe_list_run(const char *list, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);

/* Asks one probe, likewise. */
int probe_run(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
              struct text_buffer *why);

#endif
