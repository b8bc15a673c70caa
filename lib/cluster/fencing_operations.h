/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_FENCING_OPERATIONS_H
#define VIGIL_CLUSTER_FENCING_OPERATIONS_H
/*
 * Which fencing operations are under way, by what Pacemaker's fencer tells: when one has begun that was not known, and when one that was known has ended. Pure
 * functions over what the caller has read.
 *
 * The fencer (2.1.5: daemons/fenced/fenced_remote.c) tells every node of the cluster that its history has changed when an operation begins, and what has come
 * of it when it ends. The history has no name for an operation. It is known here by whom it is for, the node that asked and the client there ("pacemaker-controld.123"), not
 * by its action: that one changes while a "reboot" is carried out as "off" and "on".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FENCING_NAME_SIZE = 64,     /* longer names are cut */
    FENCING_OPERATIONS_MAX = 32, /* under way at once; of more the oldest are forgotten, and their end is told without a duration */
};

struct fencing_operation {
    char target[FENCING_NAME_SIZE], origin[FENCING_NAME_SIZE], client[FENCING_NAME_SIZE];
    uint64_t begin_ns; /* CLOCK_MONOTONIC; 0 where the beginning was not seen */
};

/* All zero to begin with. */
struct fencing_operations {
    struct fencing_operation under_way[FENCING_OPERATIONS_MAX];
    size_t count;
    struct fencing_operation ended; /* the last one; begin_ns: when it ended */
};

/* The names of one, cut; NULL is "". */
struct fencing_operation fencing_operation_of(const char *target, const char *origin, const char *client);

/* The history has it as under way. seen: its beginning was seen now; false for the first look, which may come late. Returns whether it was not known. */
bool fencing_operations_begin(struct fencing_operations *operations, const struct fencing_operation *operation, bool seen, uint64_t now_ns);

/* It has ended, well or not. Returns true with its duration (0: not known), or false where it is to be passed over: another client had asked for the
 * same, the fencer took both as one, and tells the end of each. */
bool fencing_operations_end(struct fencing_operations *operations, const struct fencing_operation *operation, uint64_t now_ns, uint64_t *ret_duration_ns);

/* Whether every fence device of the cluster has an agent of Vigil, by the CIB's elements of class stonith without their children (the output of cibadmin). Those
 * agents note what they do themselves. False where there is no device, or it can't be told. */
bool fencing_is_noted_by_agents(const char *text, size_t length);

#endif
