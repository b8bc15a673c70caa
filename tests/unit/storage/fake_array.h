/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TESTS_FAKE_ARRAY_H
#define VIGIL_TESTS_FAKE_ARRAY_H
/*
 * One logical unit of an array that takes reservation commands by the rules of SPC-4, seen over up to eight paths (I_T nexuses), in memory that children
 * share. Faults are switched on by its members.
 */
#include <stdbool.h>
#include <stdint.h>

#include "storage/scsi_command.h"

enum { FAKE_NEXUSES = 80 };

struct fake_array {
    uint32_t generation;
    uint64_t keys[FAKE_NEXUSES]; /* by nexus; 0: not registered */
    int holder;                  /* nexus, or -1 */
    uint8_t type;
    char naa[40];                /* hexadecimal digits behind "naa." */
    char naa_of[FAKE_NEXUSES][40]; /* of one path, where it leads elsewhere */
    bool refuses_aptpl;
    bool aptpl;                  /* as the last REGISTER asked: for all registrations */
    bool has_reservations;
    bool dead[FAKE_NEXUSES];
    bool hangs[FAKE_NEXUSES];
    unsigned int attentions[FAKE_NEXUSES]; /* so many unit attentions first */
    unsigned int cut;            /* answers end this many bytes early */
    bool full;                   /* no room for another registration */
    unsigned int preempts;       /* commands that came */
    unsigned int commands;
    int fenced_by_join;          /* at the next REGISTER of this nexus, another host preempts its key first; -1 never */
};

/* Fresh memory, shared with children; it lives until the process ends. */
struct fake_array *fake_array_new(void);

/* As reservation_device's open_path: "/dev/fakeN" is nexus N of the array made last. */
int fake_array_open(const char *path, struct scsi_transport *ret);

#endif
