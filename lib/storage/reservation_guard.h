/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_GUARD_H
#define VIGIL_STORAGE_RESERVATION_GUARD_H
/*
 * The list of guarded devices: one small file each in VIGIL_RUNDIR/guard, so that a restart of the node, which is what the guard causes, clears it.
 *
 *     vigil-guard 1
 *     owner NAME
 *     key 0x0123456789abcdef
 *     wwid naa.6001405...
 *     device /dev/mapper/mpatha
 */
#include <stddef.h>
#include <stdint.h>

#include "storage/reservation.h"

#define RESERVATION_GUARD_FOLDER VIGIL_RUNDIR "/guard"
enum { RESERVATION_GUARDED_MAXIMUM = 256 };

struct reservation_guarded {
    char owner[256];
    char device[1024];
    char wwid[128]; /* "" where it was not known */
    uint64_t key;
};

/* Reads the text of a file of the list. Returns 0, or -EBADMSG (*ret is untouched). Pure. */
int reservation_guarded_parse(const char *text, size_t length, struct reservation_guarded *ret);

/* Reads the whole list into fresh memory that the caller frees. Returns how many there are (0 where there is no folder), -E2BIG, or -errno. Files that are damaged are
 * left out and counted; where ret_damaged is NULL they are -EBADMSG. */
int reservation_guarded_read(struct reservation_guarded **ret, unsigned int *ret_damaged);

enum reservation_guard_verdict {
    GUARD_KEPT,    /* the key is registered, and a reservation keeps the others out */
    GUARD_LOST,    /* read, and absent; or the array shows another device in its place: this node was fenced */
    GUARD_MOVED,   /* the name is that of another disk by now (a kernel's name, given anew): nothing is known of the one that was meant */
    GUARD_UNKNOWN, /* could not be read: no path, no answer */
};

/* What a look at a guarded device comes to. Pure. */
enum reservation_guard_verdict reservation_guard_judge(const struct reservation_guarded *guarded, const struct reservation_answer *answer,
                                                       const struct reservation_state *state);

/* Takes all of an owner from the list, by whatever names. Returns 0 or -errno. */
int reservation_unguard_owner(const char *owner);

/* Takes this key on this disk from the list, whoever put it there, for it is about to be unregistered by this node itself. Returns 0 or -errno. */
int reservation_guard_forget(uint64_t key, const struct reservation_identity *identity);

/* Whether this node registered the key on this disk since it was started, and has not taken it back. A list that cannot be read says yes: it is no proof of the
 * contrary. */
bool reservation_is_guarded(uint64_t key, const struct reservation_identity *identity);

#endif
