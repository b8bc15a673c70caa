/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_HOLDER_RECORD_H
#define VIGIL_CLUSTER_HOLDER_RECORD_H
/*
 * Who held a shared volume last, as the cluster remembers it: an attribute of the cluster (an nvpair of crm_config, kept in the CIB on every node, through restarts),
 * written by a node before it mounts and after it has let go. With Pacemaker's fencing history it answers whether another node may still use the volume.
 *
 * The text is "held NODE SECONDS HOLD" or "released NODE SECONDS HOLD". SECONDS is when NODE had last been fenced, as far as was known when it took the volume: it was
 * fenced after that only when the history has a later fencing. Both times come from the fencing nodes' clocks, so that the holder's own clock does not matter. HOLD counts
 * how often the volume was taken, so that no two holds have the same text; it may be missing, which is 0.
 *
 * A change names the text that was read, and the CIB's daemons, which execute all changes in one order, make it only where that is still the text: a node that was frozen
 * between reading and writing changes nothing of what another has written meanwhile. Nodes that do not see each other have a CIB each; as they meet, Pacemaker takes the
 * newer one as a whole.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "cluster/membership.h"

enum {
    HOLDER_TEXT_SIZE = CLUSTER_NAME_MAX + 64,
    HOLDER_ELEMENT_SIZE = 256,
};

struct holder_record {
    bool held;                         /* else released */
    char node[CLUSTER_NAME_MAX];
    int64_t fenced_s;                  /* 0: never, as far as was known */
    int64_t hold;                      /* counts the holds; 0: a text without it */
    char text[HOLDER_TEXT_SIZE];       /* as it was read, "" for none */
    char element[HOLDER_ELEMENT_SIZE]; /* the id of its nvpair, "" where there is none yet */
};

/* Reads the text of a record. Pure. Returns 0 or -EBADMSG. */
int holder_record_parse(const char *text, size_t length, struct holder_record *ret);

/* Reads the nvpair as cibadmin prints it. Pure. Returns 1; 0 where it has no value (only text and element are then set); -EBADMSG, also for more than one. */
int holder_record_parse_element(const char *text, size_t length, struct holder_record *ret);

/* Reads the record of a resource. Returns 1, 0 when there is none (what was seen is then kept in *ret, too, for holder_record_take), -EINVAL (a name with quotes), -ENOENT (no
 * cibadmin), -ENOTCONN (the cluster does not answer), -EBADMSG, -ETIMEDOUT, or -errno. */
int holder_record_read(const char *resource, struct deadline deadline, struct holder_record *ret);

/* Notes that this node takes the volume, where the record is still what holder_record_read() has seen; tries until it is answered or the deadline comes. Returns 0, -ESTALE
 * (it was changed meanwhile, and is left as it is), as above, or what fence_history_last() does where this node's own history can't be read. */
int holder_record_take(const char *resource, const char *own_name, const struct holder_record *seen, struct deadline deadline);

/* Notes that the hold that was seen has ended. Returns 0, -ESTALE as above, or as holder_record_read(). */
int holder_record_release(const char *resource, const struct holder_record *seen, struct deadline deadline);

enum holder_claim {
    HOLDER_IN_USE,   /* the node had the volume last, and no fencing of it since is known */
    HOLDER_RELEASED, /* it did not have it last, or has released it */
    HOLDER_FENCED,   /* it was fenced after it had taken it */
};

/* Whether a node may still use the volume. record: what was read, NULL for none. Without a record, assume_released tells whether the node never had it (a mark on the storage that
 * others leave, too) or only a fencing of it will do. Returns enum holder_claim, with the reason and the remedy appended to why for HOLDER_IN_USE; or -errno where the
 * history cannot be asked. */
int holder_judge(const char *resource, const struct holder_record *record, const char *node, bool assume_released, struct deadline deadline,
                 struct text_buffer *why);

/* What an error of these functions means, as the end of a sentence. */
const char *holder_error_text(int error);

#endif
