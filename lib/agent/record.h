/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_RECORD_H
#define VIGIL_AGENT_RECORD_H
#include <stddef.h>

#include "base/cleanup.h"

/* Notes a decision about shared data (who, what, evidence, when) in VIGIL_STATEDIR/records, one JSON object a line, fsynced; `vigil` shows
 * them. `what` is a short verb ("mount", "refuse-mount", "fence-off"), the rest the evidence in words. Returns 0 or -errno. */
int agent_record(const char *agent, const char *instance, const char *what, const char *format, ...) _printf_(4, 5);

/* A record as it was written. All texts are fresh memory. */
struct record {
    char *time, *node, *agent, *instance, *what, *evidence;
};

/* Reads one line (without its newline). Returns 0 and a record that record_free() frees; -EBADMSG when it is no whole record, as a line is that a power loss has cut;
 * -ENOMEM. Pure. */
int record_parse(const char *line, size_t length, struct record *ret);
void record_free(struct record *record);

#endif
