/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_FENCE_H
#define VIGIL_STORAGE_RESERVATION_FENCE_H
/*
 * Fencing by reservations, on one device: who can write there now, keeping one node out, letting this node in. For reservation_call_all().
 *
 * A node is kept out of a device when its key was read to be absent, and a reservation was read to be held: without a reservation anybody may write.
 */
#include <stdbool.h>
#include <stdint.h>

#include "storage/reservation.h"

/* Whose keys belong to this cluster. */
struct reservation_cluster {
    const char *name;          /* of the cluster, for reservation_key_node(); "" for none */
    const uint64_t *keys;      /* given by the user */
    size_t key_count;
};
bool reservation_is_ours(const struct reservation_cluster *cluster, uint64_t key);

struct reservation_fence_order {
    const struct reservation_cluster *cluster;
    uint64_t own;
    uint64_t victim;           /* to look for, or to keep out; may be own where it is let in */
    enum reservation_type type;
    enum reservation_aptpl aptpl;
    bool abort_required;       /* where the device cannot abort what is on its way (PREEMPT AND ABORT), it is an error, not a plain PREEMPT */
    bool preempt_foreign;      /* an unknown key that holds the reservation is preempted, too */
};

enum reservation_access {
    ACCESS_UNKNOWN,    /* not read */
    ACCESS_REGISTERED, /* the victim is registered */
    ACCESS_EXCLUDED,   /* it is not, and a reservation is held */
    ACCESS_OPEN,       /* it is not, but no reservation is held: everybody can write */
};

/* Keys that are registered besides the victim's and this node's. More nodes than any cluster has; of more than these the device's other registrants are not known. */
enum { RESERVATION_OTHERS_MAXIMUM = 96 };

struct reservation_fence_report {
    enum reservation_access access; /* of the victim, at the end */
    unsigned int victim_count;      /* its registrations, at the end */
    unsigned int own_count;
    uint64_t holder;                /* at the end; 0: none, or all registrants */
    enum reservation_type type;
    bool foreign_holder;            /* a key that is not this cluster's holds the reservation */
    bool not_aborted;               /* preempted without aborting */
    bool self_fenced;               /* this node was registered here and is not any more */
    uint64_t others[RESERVATION_OTHERS_MAXIMUM]; /* keys of others at the end, each once */
    unsigned int other_count;       /* RESERVATION_OTHERS_MAXIMUM + 1: there are more */
    const char *step;               /* what was being done when it failed; a literal, the same in child and parent */
    struct reservation_paths paths;
    char before[1024], after[1024]; /* registrations, as reservation_state_format() writes them; "" where not read */
};

/* All take a struct reservation_fence_order as argument and fill a struct reservation_fence_report. Return 0 or an error as reservation.h has it. */

/* Reads. */
int reservation_fence_look(struct reservation_device *device, struct deadline deadline, void *argument, void *reply);

/* Keeps the victim out: this node registers where it is not registered yet, removes the victim's registrations and aborts its commands, and sees that a
 * reservation is held. 0 only where access was read to be ACCESS_EXCLUDED behind that. Refuses (-EPERM, self_fenced) where this node guards
 * the device and finds its own key gone: it was fenced itself, and must not fence its fencer. */
int reservation_fence_exclude(struct reservation_device *device, struct deadline deadline, void *argument, void *reply);

/* Lets this node in: registers its key on every path, and sees that a reservation of a type that admits registrants is held. A reservation that an unknown key
 * holds, or of another kind, is refused (-RESERVATION_CONFLICT, foreign_holder) unless preempt_foreign. So is a node that was fenced here since it was started (-EPERM,
 * self_fenced): its caches hold data of before, and only a restart empties them. 0 only where that was read behind it. */
int reservation_fence_admit(struct reservation_device *device, struct deadline deadline, void *argument, void *reply);

#endif
