/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_JOIN_H
#define VIGIL_STORAGE_RESERVATION_JOIN_H
/*
 * Whether every path of this host is registered by itself. The array's list of keys does not tell: a registration whose path is gone stays on it, and one more key
 * than there should be hides that a path which came back, as another I_T nexus, has none (SPC-4 5.13.4). What tells is a REGISTER that is refused on every path;
 * that is given only when something changed since: the array's generation, or the paths. Which was seen last is noted below VIGIL_RUNDIR; without the note (a full
 * folder, a fresh boot) the paths are asked again.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/reservation.h"

/* What a set of paths is told by: the numbers that the kernel gives each disk it finds (diskseq, Linux 5.15), which none that came back has again. 0: the kernel
 * does not say. */
struct reservation_mark {
    uint64_t sequences; /* a sum over the running paths that does not depend on their order */
    unsigned int running;
};

/* Adds one path to a mark. Pure. */
void reservation_mark_add(struct reservation_mark *mark, uint64_t sequence);

/* The mark of a block device now: of the paths of the map that it is or stands on, or of its disk. From /sys alone. Returns 0 or -errno. */
int reservation_mark_read(dev_t number, struct reservation_mark *ret);

/* True where all these paths were seen registered with the key at that generation of the disk (its worldwide name). */
bool reservation_mark_is_noted(const char *wwid, uint64_t key, uint32_t generation, const struct reservation_mark *mark);
/* Notes that. What cannot be written is not noted. */
void reservation_mark_note(const char *wwid, uint64_t key, uint32_t generation, const struct reservation_mark *mark);

/* True where reservation_join() would have nothing to do for a device with this state, just read. */
bool reservation_is_joined(const struct reservation_device *device, uint64_t key, const struct reservation_state *state);

#endif
