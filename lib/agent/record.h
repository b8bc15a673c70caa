/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_RECORD_H
#define VIGIL_AGENT_RECORD_H
#include "base/cleanup.h"

/* Notes a decision about shared data (who, what, evidence, when) in VIGIL_STATEDIR/records, one JSON object a line, fsynced; `vigil` shows
 * them. `what` is a short verb ("mount", "refuse-mount", "fence-off"), the rest the evidence in words. Returns 0 or -errno. */
int agent_record(const char *agent, const char *instance, const char *what, const char *format, ...) _printf_(4, 5);

#endif
