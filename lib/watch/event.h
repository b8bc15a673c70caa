/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_EVENT_H
#define VIGIL_WATCH_EVENT_H
/*
 * An event of the flight recorder: what happened, on which node, to which resource, by both clocks. And its form as bytes, for files and for the bus.
 *
 * The form: a version byte, then fields (tag byte, length byte, value). Numbers are little endian with as many bytes as they need. A reader
 * skips tags that it does not know, and keeps kinds that it does not know, so that a newer peer can add both; only the first byte of another
 * number is refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* What happened. The numbers stand in files and on the bus: add at the end, never change one. */
enum event_kind {
    EVENT_NONE = 0,
    EVENT_WATCHER_STARTED = 1,     /* vigild began; text: its version and why */
    EVENT_WATCHER_STOPPED = 2,     /* vigild ends in order */
    EVENT_FAILURE_SEEN = 3,        /* a source saw a failure; text: the reason; value: ms that the look took, or 0 */
    EVENT_FAILURE_CONFIRMED = 4,   /* the second look agreed */
    EVENT_FAILURE_DISMISSED = 5,   /* the second look disagreed, or it is a planned stop; text: why */
    EVENT_FAILURE_REPORTED = 6,    /* Pacemaker's controller took the report */
    EVENT_REPORT_FAILED = 7,       /* Pacemaker could not be told; text: why */
    EVENT_START_BEGIN = 8,         /* an agent's start was called */
    EVENT_START_END = 9,           /* ... has ended; value: its exit code; duration_ns */
    EVENT_STOP_BEGIN = 10,
    EVENT_STOP_END = 11,           /* value: exit code; duration_ns */
    EVENT_NODE_JOINED = 12,        /* Corosync: peer is a member now */
    EVENT_NODE_LEFT = 13,          /* Corosync: peer is no member any more */
    EVENT_QUORUM_GAINED = 14,
    EVENT_QUORUM_LOST = 15,
    EVENT_FENCING_BEGIN = 16,      /* peer: whom; text: by what */
    EVENT_FENCING_END = 17,        /* peer: whom; value: 0 success, else failed; duration_ns; text: by what, or why not */
    EVENT_ADDRESS_ANNOUNCED = 18,  /* text: the address and the interface */
    EVENT_PROBE_ANSWERED = 19,     /* first answer of a probe after a start; text: the probe */
    EVENT_NODE_HEALTH = 20,        /* a node attribute was set or cleared; text: name, value and why */
    EVENT_WATCH_ADDED = 21,        /* a resource is watched; text: how */
    EVENT_WATCH_WITHDRAWN = 22,    /* ... no more */
    EVENT_CLUSTER_LOST = 23,       /* vigild lost Corosync or Pacemaker; text: which, why */
    EVENT_CLUSTER_REGAINED = 24,
    EVENT_RECORDER_TROUBLE = 25,   /* the recorder goes on in memory; text: why */
    EVENT_RECORDER_WELL = 26,      /* ... writes again */
    EVENT_CLOCK_OFFSET = 27,       /* peer's monotonic clock less ours: value in ns, duration_ns: uncertainty; peer_boot_id */
    EVENT_CLOCK_STEPPED = 28,      /* this node's wall clock was stepped; value: by how many ns */
    EVENT_SOURCE_LOST = 29,        /* a source gives no sign of life; text: which, why */
    EVENT_SOURCE_REGAINED = 30,
    EVENT_NOTE = 31,               /* anything else; text */
    EVENT_RECORDER_GAP = 32,       /* value: so many events were lost; text: why */
    EVENT_DECISION = 33,           /* a record of decisions.jsonl; text */
    EVENT_KIND_COUNT,
};

#define EVENT_NODE_SIZE 64      /* with the terminating NUL; longer names are cut */
#define EVENT_RESOURCE_SIZE 128
#define EVENT_TEXT_SIZE 240
#define EVENT_ID_SIZE 16

/* Which clock stamped the event, and which recorder numbered it. A recorder's incarnation is its node's CLOCK_MONOTONIC when it began: two of one
 * boot differ, the later one is the greater. Numbers begin with 1 in each incarnation and have no gap. */
struct event_origin {
    uint32_t node_id;                /* Corosync's; 0 while it was not known: no part of the identity */
    uint8_t boot_id[EVENT_ID_SIZE];  /* /proc/sys/kernel/random/boot_id */
    uint64_t incarnation;
};

struct event {
    uint16_t kind; /* enum event_kind, or one that a newer peer knows */
    struct event_origin origin;
    uint64_t sequence;
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC of the origin */
    uint64_t wall_ns;      /* CLOCK_REALTIME of the origin, since 1970 */
    char node[EVENT_NODE_SIZE]; /* the origin's name */
    char resource[EVENT_RESOURCE_SIZE]; /* or "" */
    char peer[EVENT_NODE_SIZE];         /* the node that it speaks of, or "" */
    uint8_t peer_boot_id[EVENT_ID_SIZE];
    int64_t value;        /* by kind */
    uint64_t duration_ns; /* by kind; 0: none */
    char text[EVENT_TEXT_SIZE]; /* one line of UTF-8, or "" */
};

/* No encoded event is longer. */
#define EVENT_ENCODED_LIMIT 1024

/* The kind's name as JSON has it ("failure-seen"), "unknown-57" for one that is not known (written to buffer). */
const char *event_kind_name(uint16_t kind, char *buffer, size_t size);

/* True for what belongs to the story of a failover; false for the recorder's own housekeeping (clock offsets, watches added). */
bool event_is_story(uint16_t kind);

/* Fills in both clocks, now. */
void event_stamp(struct event *event);

/* Sets a member from a text: cut to its size at a whole character, made printable. NULL is "". */
void event_set_text(char *member, size_t size, const char *text);
void event_printf(struct event *event, const char *format, ...) _printf_(2, 3); /* the text member */

/* Writes the event's bytes. Returns their number, or -ENOBUFS when size is too small (EVENT_ENCODED_LIMIT is always enough). */
int event_encode(const struct event *event, uint8_t *bytes, size_t size);

/* Reads an event from exactly length bytes. Pure; whatever stands there. Texts are made printable. Returns 0, -EPROTO (not an event, or a field
 * that cannot be), -EPROTONOSUPPORT (another version). *ret is undefined on failure. */
int event_decode(const uint8_t *bytes, size_t length, struct event *ret);

/* Whether both mean the same recorder: boot id and incarnation. */
bool event_origin_equal(const struct event_origin *a, const struct event_origin *b);

/* Reads this boot's id. Returns 0 or -errno. */
int event_read_boot_id(uint8_t ret[EVENT_ID_SIZE]);

/* Appends the event's members to a JSON object that the caller opens and closes. */
void event_append_json(struct text_buffer *json, const struct event *event);

#endif
