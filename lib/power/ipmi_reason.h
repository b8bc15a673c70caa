/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_IPMI_REASON_H
#define VIGIL_POWER_IPMI_REASON_H
/*
 * What libfreeipmi's errors mean to the person who has to mend them.
 */
#include <stdbool.h>

#include "base/text.h"

struct ipmi_reason {
    int error;     /* enum ipmi_errnum */
    int code;      /* -errno as power.h has it */
    bool transient; /* another try may help */
    const char *cause;
    const char *remedy;
};

/* The reason for an error of libfreeipmi; an unknown one has a general text. Never NULL. */
const struct ipmi_reason *ipmi_reason_find(int error);

/* What a completion code means (IPMI v2.0, table 5-2). Returns a text in any case. */
const char *ipmi_completion_text(unsigned int code);

#endif
