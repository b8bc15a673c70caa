/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_ERROR_RULES_H
#define VIGIL_CLOUD_ERROR_RULES_H
/*
 * Internal to lib/cloud: a cloud's error codes and their classes, as a table.
 */
#include "cloud/api_call.h"

/* The first row that fits counts. code: the whole code; "Prefix*"; "*Suffix". words (may be NULL): must be in the message, in any case. The table
 * ends with an empty row. */
struct error_rule {
    const char *code;
    const char *words;
    enum cloud_error error;
};

/* The class of an error: by the rules, and where none fits, by the HTTP status: 429 throttled, 500 and above transient, 401 authentication, 403 permission, else
 * refused. Pure. */
enum cloud_error error_rules_apply(const struct error_rule *rules, const struct api_error *error);

#endif
