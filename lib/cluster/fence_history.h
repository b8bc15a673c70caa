/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_FENCE_HISTORY_H
#define VIGIL_CLUSTER_FENCE_HISTORY_H
/*
 * When a node was last fenced, by Pacemaker's own history (stonith_admin --history, whose XML is a published schema: pacemaker's
 * xml/api/fence-event). The history is what the fencer of this node knows; it synchronises with the other nodes' when it joins them. It is lost
 * when all of them restart: "none" then proves nothing about an earlier time, and a caller that needs a proof has none.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"

/* The last fencing of a node that succeeded: its power was cut ("off", "reboot") or a person has confirmed it (stonith_admin --confirm, whose delegate is
 * "a human"). An unfencing ("on") is none. */
struct fencing {
    int64_t completed_s; /* wall clock, seconds since 1970, of the node that wrote the event; it may be off by that node's clock */
    bool pending;        /* a fencing of the node has begun and not ended */
    char action[16];     /* "off", "reboot"; "" where none was found */
    char delegate[256];  /* the node that carried it out, or "" */
};

/* From the text of stonith_admin. A pure function. Returns 1 with the last fencing of the node, 0 when the history holds none (ret->pending may be set in
 * both), -EBADMSG when it is not such a text (truncated, a time that can't be read, a status that is not success), -ELIBACC without libxml2. */
int fence_history_parse(const char *text, size_t length, const char *node, struct fencing *ret);

/* Asks the fencer. Returns like fence_history_parse, and -ENOENT (no stonith_admin), -ENOTCONN (the fencer does not answer), -ETIMEDOUT, -errno. Whatever is not 1
 * is no proof. */
int fence_history_last(const char *node, struct deadline deadline, struct fencing *ret);

/* What such an error means, as the end of a sentence. */
const char *fence_history_error_text(int error);

#endif
