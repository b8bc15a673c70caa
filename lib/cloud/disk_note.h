/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_DISK_NOTE_H
#define VIGIL_CLOUD_DISK_NOTE_H
/*
 * What a start notes of its disk, so that a monitor needs no API: which device of the kernel it is, and when the cloud last said so. The note is cleared by a
 * restart of the node. It is never a proof by itself: the kernel is asked whether the device is still the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "cloud/cloud.h"

enum disk_phase {
    DISK_PHASE_NONE = 0,  /* no note: nothing was begun here since the node started */
    DISK_PHASE_ATTACHING, /* an attach was sent or is about to be */
    DISK_PHASE_ATTACHED,  /* seen attached, and the device verified */
    DISK_PHASE_DETACHING, /* a detach was sent or is about to be */
};

struct disk_note {
    enum disk_phase phase;
    char volume[CLOUD_ID_SIZE];
    char instance[CLOUD_ID_SIZE]; /* this instance's id */
    char device[256];             /* "/dev/nvme1n1" */
    char serial[64];
    unsigned int major, minor;
    uint64_t sequence;            /* the kernel's diskseq, 0: none */
    uint64_t size_bytes;
    uint64_t confirmed_ms;        /* when the cloud last said that it is attached here, on the monotonic clock */
};

#define DISK_NOTE_LIMIT 4096

/* Writes the note as lines "name=value". Returns the length or -ENAMETOOLONG. */
int disk_note_format(const struct disk_note *note, char *buffer, size_t size);

/* Reads it. Pure. Returns 0, or -EBADMSG: no such text (a part, another program's), *ret untouched. */
int disk_note_parse(const char *text, size_t length, struct disk_note *ret);

/* Serials that a disk of this id may bear, where the cloud was not asked: the id, without the dash (EBS: vol-0ab -> vol0ab), behind the dash (Aliyun:
 * d-bp1 -> bp1). Writes up to DISK_SERIALS texts and their addresses, ended by NULL. Pure. */
#define DISK_SERIALS 3
struct disk_serials {
    char text[DISK_SERIALS][CLOUD_ID_SIZE];
    const char *list[DISK_SERIALS + 1];
};
void disk_serials_of_id(const char *id, struct disk_serials *ret);

#endif
