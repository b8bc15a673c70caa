/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_SHARE_H
#define VIGIL_WATCH_SHARE_H
/*
 * Sharing the recorders' events between the nodes of a cluster, and measuring how their clocks differ. It knows no transport: whoever owns it brings bytes
 * to all members in one order (a CPG group, cluster/process_group.h), tells who is a member, and calls share_tick.
 *
 * - Each node sends its own events as they come.
 * - When members come or go, and once a minute, each node tells all what it has of whom (a summary). Who misses something asks one who has it; the
 *   answer goes to all. So a node that was away, or both halves of a split, end up with the same story, as far back as the memory of any of them.
 * - Clocks: a ping with the sender's monotonic clock, answered with the receiver's; the round trip bounds the error (RFC 5905's on-wire formula).
 *
 * Messages: 'V' 'G', version, type, then by type; numbers little endian. What is not understood is dropped and counted; nothing that a peer sends can make
 * this node send more than one bounded answer, or keep more than the recorder's bounds.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "watch/recorder.h"

/* No message is longer. */
#define SHARE_MESSAGE_LIMIT (12 * 1024)
#define SHARE_MEMBERS_LIMIT 64

struct share;

struct share_config {
    struct recorder *recorder;
    /* Sends to all members, this node too. Returns 0, -EAGAIN when the bus takes no more now (it is tried again), or another -errno. */
    int (*send)(void *context, const uint8_t *bytes, size_t length);
    void *context;
    uint64_t (*clock_ns)(void *context); /* this node's CLOCK_MONOTONIC; NULL: the real one */
};

/* How a peer's monotonic clock stands to ours. */
struct share_clock {
    uint32_t node_id;
    char node[EVENT_NODE_SIZE];
    uint8_t boot_id[EVENT_ID_SIZE];
    int64_t offset_ns;       /* theirs less ours */
    uint64_t uncertainty_ns; /* half of the round trip: the true offset lies within */
    uint64_t measured_ns;    /* our clock then */
};

/* Returns 0 or -ENOMEM. */
int share_open(const struct share_config *config, struct share **ret);
void share_close(struct share *share);

/* The group's members have changed (or this node has just joined it, or lost it: count 0). */
void share_set_members(struct share *share, uint32_t own_id, const uint32_t *node_ids, size_t count);

/* A message has come from a member (own ones too). received_ns is our clock when it came, 0: now. */
void share_receive(struct share *share, uint32_t node_id, const uint8_t *bytes, size_t length, uint64_t received_ns);

/* Sends what is due: new events, answers, summaries, pings. Call it when the recorder has got an event, and as often as it says. Returns in how many
 * milliseconds it wants to be called again (at most 1000). */
unsigned int share_tick(struct share *share);

/* Steps through the clocks that are known: *cursor starts as 0. Returns NULL at the end. */
const struct share_clock *share_next_clock(const struct share *share, size_t *cursor);

struct share_counts {
    uint64_t received, dropped, sent, refused; /* messages; refused by the bus (tried again) */
};
void share_get_counts(const struct share *share, struct share_counts *ret);

#endif
