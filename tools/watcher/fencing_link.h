/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_FENCING_LINK_H
#define VIGIL_TOOLS_FENCING_LINK_H
/*
 * Fencing begin and end for the flight recorder, whatever the fence agent: from a child that follows Pacemaker's fencer. It may hang in the fencer's library, and ends
 * with vigild also then. Nothing else of vigild depends on it: without it the fence agents of Vigil alone note what they do.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "watch/event.h"

struct watcher;

enum fencing_about { FENCING_BEGUN, FENCING_ENDED, FENCING_FOLLOWED, FENCING_NOT_FOLLOWED /* text: why */ };

/* What the child sends: a socket that keeps messages apart. */
struct fencing_message {
    uint32_t about; /* enum fencing_about */
    int32_t result;       /* ended: 0, or -errno */
    uint64_t duration_ns; /* ended: 0 where it is not known */
    uint64_t monotonic_ns, wall_ns; /* when it was seen */
    char origin[EVENT_NODE_SIZE], target[EVENT_NODE_SIZE];
    char text[EVENT_TEXT_SIZE];
};

/* Fills in the event that this node notes. Pure; texts that are not ended are cut. Returns false where another node notes it: the one that
 * asked for the fencing does, or it is no event. */
bool fencing_message_event(struct fencing_message *message, const char *own_node, struct event *ret);

/* Returns 0 or -ENOMEM. */
int fencing_link_open(struct watcher *watcher);
/* Pacemaker has been reached: the child is started where there is none. Without a cluster there is none, and it costs nothing. */
void fencing_link_connected(struct watcher *watcher);
/* Adds "fencing=followed|not followed" and "fencing_why=" for `vigil status`. */
void fencing_link_describe(const struct watcher *watcher, struct text_buffer *text);
/* NULL in watcher->fencing is allowed. */
void fencing_link_close(struct watcher *watcher);

#endif
