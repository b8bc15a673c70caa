/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_VOLUME_H
#define VIGIL_STORAGE_VOLUME_H
/*
 * The shared volume: one resource made of layers. Each layer can go up, go down and be checked; the table in volume.c names them, lowest
 * first. A new kind of storage (iSCSI, multipath, reservations, LVM, NFS) is one more file with one more struct, and one line there.
 *
 * Up goes through the table from the lowest layer, down from the highest. What a layer finds out (the block device, the mount) it leaves in
 * struct volume for those above.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "storage/device_find.h"
#include "storage/device_name.h"
#include "storage/mount_point.h"
#include "storage/superblock.h"
#include "storage/volume_state.h"

enum volume_fsck { FSCK_AUTO, FSCK_FORCE, FSCK_NO };
enum volume_force { FORCE_YES, FORCE_SAFE, FORCE_NO };
enum volume_discovery { DISCOVERY_SENDTARGETS, DISCOVERY_STATIC };
enum volume_multipath { MULTIPATH_AUTO, MULTIPATH_REQUIRE, MULTIPATH_NO };

/* More LUNs below one volume than any volume group of a hot standby has. */
enum { VOLUME_DISKS_MAX = 32 };

/* What the user asked for. */
struct volume_config {
    const char *device;
    const char *directory;
    const char *type;
    const char *options;
    int fsck;                /* enum volume_fsck */
    int force_unmount;       /* enum volume_force: SAFE is the stock agent's, and the same as YES here */
    const char *term_signals; /* names, blank-separated */
    const char *kill_signals;
    uint64_t signal_delay_ms;
    bool fast_stop;
    bool force_clones;
    const char *status_prefix;
    uint64_t device_timeout_ms;
    uint64_t io_timeout_ms;
    int quorum;              /* for the agent, as is the next */
    bool watch;
    /* the LUNs below */
    const char *disks;       /* names as `device` takes them, blank-separated; NULL: the device itself */
    bool rescan;
    int multipath;           /* enum volume_multipath */
    int paths_required;      /* a start needs so many paths to each LUN */
    int paths_expected;      /* fewer are degraded; 0: as many as the start found */
    /* iSCSI */
    const char *portals;     /* blank-separated, NULL: this layer is not used */
    const char *target;
    int discovery;           /* enum volume_discovery */
    const char *chap_username;
    const char *chap_password_file;
    const char *chap_username_in;
    const char *chap_password_in_file;
    uint64_t login_timeout_ms;
    bool logout;
    bool recover_sessions;
    /* reservation */
    int reservation;         /* enum reservation_type: RESERVATION_NONE, or one that admits registrants */
    const char *reservation_key; /* hexadecimal, or NULL: made of the cluster's name and the node id */
    bool release_reservation;
    bool preempt_unknown;    /* for the agent */
    int last_holder;         /* for the agent */
    /* LVM */
    const char *volume_group;
    const char *logical_volume;
    bool partial_activation;
    /* network file systems */
    const char *credentials;
};

/* How a volume, or a layer of it, was found. */
enum volume_status {
    VOLUME_DOWN,    /* seen to be absent */
    VOLUME_UP,      /* seen to be there and sound */
    VOLUME_PASSIVE, /* a layer that has nothing of its own to bring up or down: sound, but says nothing about running */
};

/* A LUN below the volume. */
struct volume_disk {
    struct device_name name;
    struct block_device device;
    bool known;               /* device is valid */
    bool is_map;              /* of dm-multipath: valid behind the multipath layer's look, as the next two are */
    unsigned int paths;       /* all, and those that work */
    unsigned int paths_alive;
    bool queued;              /* I/O to it waited for ever while no path was left, before this stop changed that */
};

struct volume;

/* What is known of a node that may still use the volume. */
enum volume_claim {
    CLAIM_IN_USE,   /* it has not released the volume, and no fencing of it is known */
    CLAIM_RELEASED, /* it has let go of the volume, or never had it */
    CLAIM_FENCED,   /* it was fenced after it last had it */
};

/* Whose mark the storage bears: one of the two is set. */
struct volume_owner {
    uint64_t key;         /* of the reservation's holder */
    const char *system_id; /* of the volume group */
};

/* What the layers must be told of the cluster, which is not theirs to ask. Both return -errno with the reason given by volume_fail() where it is not known. */
struct volume_authority {
    /* The key of this node's registrations. Returns 0. */
    int (*own_key)(struct volume *volume, uint64_t *ret);
    /* Whether another's mark may be passed over. Returns enum volume_claim, with the reason (and the remedy) appended to why for CLAIM_IN_USE. */
    int (*judge_owner)(struct volume *volume, const struct volume_owner *owner, struct text_buffer *why);
    /* Called once the LUNs are this node's, before anything of them is mounted: lets the cluster know. Returns 0. */
    int (*announce)(struct volume *volume);
    void *context;        /* the agent's own */
};

struct volume {
    const struct volume_config *config;
    const struct volume_authority *authority; /* NULL: no other node is ever passed over */
    const char *state_path;    /* where the note is kept, "" for nowhere */
    const char *instance;      /* name of the resource and of this node: for the check file */
    const char *node;
    struct deadline deadline;
    char directory[4096];      /* config->directory without double or trailing slashes */
    bool search;               /* check also looks whether the device, however it is named, is mounted elsewhere on this node */
    bool check_only;           /* nothing is going to be changed: what a note says of the mount need not be looked up again */
    bool bind;                 /* a folder is mounted on another one: no device of its own */
    bool network;              /* a file system of a server: no device of its own */
    struct device_name name;   /* not for a bind mount, nor for a network one */
    struct volume_disk *disks; /* in the order of config->disks */
    size_t disk_count;
    struct volume_state state;
    bool state_known;
    struct block_device device; /* valid where device_known */
    bool device_known;
    struct superblock superblock; /* valid behind the device layer's up */
    struct mount_point mount;
    struct text_buffer why;    /* the reason of the first failure: thing, cause, remedy */
    struct text_buffer degraded; /* sound, but with less than it should have: paths, sessions; "; " between two */
    struct text_buffer notes;  /* what is worth a line in the log, '\n' between two */
    struct text_buffer times;  /* how long the parts of bringing it up took; ", " between two */
};

/* A kind of storage. All functions return 0 (check: enum volume_status) or -errno with the reason given by volume_fail(). Meaning of errors to
 * the agent: -EINVAL the configuration can work nowhere; -ENODEV the device is not on this node; -EMEDIUMTYPE what is there
 * is not what was asked for; -ENOSPC full, but sound; anything else failed or not known. */
struct volume_layer {
    const char *name;
    bool (*applies)(const struct volume *volume);
    /* Brings it up, or finds it up. Must stand being ended in the middle and called again. */
    int (*up)(struct volume *volume);
    /* Brings it down, or finds it down; looks again before it answers. 0 only when it was seen to be down. */
    int (*down)(struct volume *volume);
    int (*check)(struct volume *volume, unsigned int depth);
    /* Before anything goes down: makes sure that nothing above waits for storage that does not come back. Its failure is only noted. May be NULL. */
    void (*prepare_down)(struct volume *volume);
};

extern const struct volume_layer volume_layer_iscsi;
extern const struct volume_layer volume_layer_multipath;
extern const struct volume_layer volume_layer_reservation;
extern const struct volume_layer volume_layer_lvm;
extern const struct volume_layer volume_layer_device;
extern const struct volume_layer volume_layer_filesystem;
extern const struct volume_layer volume_layer_network;
extern const struct volume_layer volume_layer_bind;

/* Prepares a volume. config and the texts must outlive it. Pure but for reading the note. Returns 0, or -EINVAL with volume->why. */
int volume_open(struct volume *volume, const struct volume_config *config, struct deadline deadline);
/* Reads the note at path, which must outlive the volume. A note that cannot be read counts as none. */
void volume_read_state(struct volume *volume, const char *path);
void volume_close(struct volume *volume);
#define _cleanup_volume_ _cleanup_(volume_close)

/* Brings all layers up. Returns 0 or -errno as above. */
int volume_up(struct volume *volume);

/* Brings all layers down, from the highest. Returns 0 when all were seen to be down. */
int volume_down(struct volume *volume);

/* Looks at all layers. Depth 0: tables of the kernel only; 10: reads from the device; 20: writes and reads a file. Returns
 * VOLUME_UP, VOLUME_DOWN (all layers seen to be down) or -errno. */
int volume_check(struct volume *volume, unsigned int depth);

/* Notes why, unless an earlier reason stands. Returns error. */
int volume_fail(struct volume *volume, int error, const char *format, ...) _printf_(3, 4);

/* Says what the volume lacks though it works (a path, a session). */
void volume_degrade(struct volume *volume, const char *format, ...) _printf_(2, 3);

/* Finds a LUN, waiting (and looking for new LUNs) until the deadline. Returns 0 with disk->known, or as device_find(). */
int volume_disk_await(struct volume *volume, struct volume_disk *disk, struct deadline deadline);

/* Finds a LUN by a look: the one that was noted at the start, else by name. Returns as device_find(). */
int volume_disk_find(struct volume *volume, struct volume_disk *disk);

/* Keeps what was found out about the volume and its LUNs for the next action. */
void volume_write_note(struct volume *volume);

/* Appends to volume->times that `what` has taken the time since `begin_ms` (deadline_now_ms()). */
void volume_time(struct volume *volume, const char *what, uint64_t begin_ms);
/* Adds a line for the log. */
void volume_note(struct volume *volume, const char *format, ...) _printf_(2, 3);

/* True when the volume is to be writable. */
bool volume_wants_write(const struct volume *volume);

#endif
