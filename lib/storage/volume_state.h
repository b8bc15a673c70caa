/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_VOLUME_STATE_H
#define VIGIL_STORAGE_VOLUME_STATE_H
/*
 * What a start found out about its mount, kept so that each monitor need not find it out again. It is a note, not a proof: a mount counts as
 * this volume's only while its id and its superblock's number are the noted ones; without a note, the device is looked up again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { VOLUME_STATE_DISKS = 32 };

struct volume_state {
    char asked[512];   /* the device as the user names it: another name makes the note void */
    uint64_t mount_id; /* as struct mount_point has it */
    dev_t superblock;  /* number of the mounted superblock */
    dev_t block;       /* number of the block device below, or 0 */
    uint64_t key;      /* of this node's registrations, or 0 */
    char portals[1024]; /* iSCSI portals that the start found and logged in to, blank-separated */
    unsigned int disk_count;
    struct {
        dev_t number;
        unsigned int paths; /* that the start found */
    } disks[VOLUME_STATE_DISKS];
    bool detached;     /* a stop took the mount out of the tree while something still used it: not gone before the device says so */
};

/* Reads the text of a note. Pure. Returns 0, or -EBADMSG. */
int volume_state_parse(const char *text, size_t length, struct volume_state *ret);

/* Returns 0, -ENOENT when there is none, -EBADMSG, or -errno. An empty path has none. */
int volume_state_read(const char *path, struct volume_state *ret);

/* Returns 0 or -errno. */
int volume_state_write(const char *path, const struct volume_state *state);

#endif
