/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_APPLICATION_RECORD_H
#define VIGIL_HEALTH_APPLICATION_RECORD_H
/*
 * What a start notes for the monitors and the stop that come later: which processes are the application's. It lies where a restart of
 * the node clears it. One "name value..." a line:
 *
 *     vigil-app 1
 *     state starting|started
 *     main PID START_TICKS
 *     session PID START_TICKS
 *     cgroup FOLDER
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/process.h"
#include "base/text.h"

struct application_record {
    bool started;                    /* false: a start is under way, or was cut off */
    struct process_identity main;    /* pid 0: not known; then only the set counts */
    struct process_identity session; /* the leader of the start command's session, or pid 0 */
    char cgroup[512];                /* "" where there was none */
};

/* Reads a record's text. Returns 0 or -EBADMSG (a line is missing, wrong or cut off; *ret is then untouched). Pure. */
int application_record_parse(const char *bytes, size_t length, struct application_record *ret);

/* Reads the record's file. Returns 0, -ENOENT where there is none, -EBADMSG, or -errno. */
int application_record_read(const char *path, struct application_record *ret);

/* Writes it, all or nothing. Returns 0 or -errno. */
int application_record_write(const char *path, const struct application_record *record);

/* A count of failures in a row at one depth of the check. A file that is missing or unreadable as text counts 0. */
int application_failures_read(const char *path, unsigned int *ret);
/* 0 takes the file away. Returns 0 or -errno. */
int application_failures_write(const char *path, unsigned int count);

#endif
