/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_WATCH_REGISTRATION_H
#define VIGIL_WATCH_REGISTRATION_H
/*
 * What an agent asks vigild to watch for one resource: a list of items, each of a kind, with a target and numbers. Its form as text is what goes
 * over IPC, and what stands in the file by which vigild remembers it:
 *
 *     vigil-watch 1
 *     resource NAME<TAB>agent=AGENT
 *     KIND TARGET<TAB>NAME=NUMBER...
 *
 * one item a line. In names and targets %XX stands for '%', control characters and DEL.
 *
 * The file VIGIL_RUNDIR/watch/NAME is the registration: it exists from the moment that vigild has acknowledged it until it is withdrawn. To
 * withdraw is to remove it, which needs no daemon and can't be lost; vigild looks whether it is still there before it reports a failure. A stop
 * removes it before anything else, so that whatever the stop ends was withdrawn before it ended.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"

#define WATCH_FOLDER VIGIL_RUNDIR "/watch"

/* What can be watched. The names stand in files and on the wire: see watch_kind_name. */
enum watch_kind {
    WATCH_PROCESS,     /* a process ends: pid, start (ticks since boot) */
    WATCH_CGROUP,      /* a control group has no process left; target: its folder */
    WATCH_LISTENER,    /* a TCP listener is gone; target: address, or * ; port */
    WATCH_ADDRESS,     /* an address is gone from its interface, or another host claims it; target: address; index of the interface */
    WATCH_LINK,        /* a link is gone or can't carry packets; target: name; index */
    WATCH_MOUNT,       /* a mount is gone, or has turned read-only; target: folder; device: of the superblock; writable */
    WATCH_DEVICE,      /* a block device is gone, or has no path left; target: path; device */
    WATCH_RESERVATION, /* a persistent reservation is lost; target: path; device; key; interval, deadline */
    WATCH_LATENCY,     /* a read does not come back; target: path; device; interval, deadline */
    WATCH_PROBE,       /* a health probe fails; target: as in lib/health's probe_url.h; interval, deadline, failures */
    WATCH_KINDS,
};

#define WATCH_ITEMS_MAX 16
#define WATCH_NAME_SIZE 256
#define WATCH_TEXT_MAX 8192 /* no registration's text is longer */

struct watch_item {
    enum watch_kind kind;
    const char *target; /* borrowed */
    /* Numbers that the kind does not know stay 0. */
    uint64_t pid, start;
    uint64_t index;
    uint64_t port;
    uint64_t device;   /* dev_t */
    uint64_t writable; /* 1: to be writable */
    uint64_t key;      /* the node's reservation key */
    uint64_t interval_ms, deadline_ms;
    uint64_t failures; /* in a row before it counts; 0: 1 */
};

struct watch_registration {
    char resource[WATCH_NAME_SIZE]; /* as Pacemaker names it */
    char agent[64];
    struct watch_item items[WATCH_ITEMS_MAX];
    size_t count;
    char *text; /* what the targets borrow from, where it was parsed; else NULL */
};

/* "process", "mount" ... */
const char *watch_kind_name(enum watch_kind kind);

/* Adds an item and returns it for its numbers to be set; NULL where there is no room (the registration then stays as it is). target must
 * outlive the registration. */
struct watch_item *watch_registration_add(struct watch_registration *registration, enum watch_kind kind, const char *target);

/* Writes the text. Returns 0, -E2BIG where it would be longer than WATCH_TEXT_MAX, -ENOMEM. */
int watch_registration_format(const struct watch_registration *registration, struct text_buffer *text);

/* Reads a text of exactly length bytes, whatever stands there. Pure. Returns 0, -EBADMSG (not a registration: a name that can't be a file's, a kind
 * or number that is not known, a line cut off, too many items), -EPROTONOSUPPORT (another version), -ENOMEM. Untouched on failure. */
int watch_registration_parse(const char *bytes, size_t length, struct watch_registration *ret);

void watch_registration_free(struct watch_registration *registration);
#define _cleanup_watch_registration_ _cleanup_(watch_registration_free)

/* True when the name can be a resource's, and a file's: 1 to 240 printable bytes, no '/', no '.' at its begin. Pure. */
bool watch_resource_name_valid(const char *name);

/* The path of a registration's file. Returns 0, -EINVAL for a name that is not valid, -ENAMETOOLONG. */
int watch_registration_path(const char *resource, char *buffer, size_t size);

/* 1 when a registration of the resource stands, 0 when none does, -errno when that can't be told. */
int watch_registration_exists(const char *resource);

/* A number that tells this registration from one that is made later, also where both say the same. Returns 0, -ENOENT where none stands, or -errno. */
int watch_registration_stamp(const char *resource, uint64_t *ret);

#endif
