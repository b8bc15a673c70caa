/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_H
#define VIGIL_STORAGE_RESERVATION_H
/*
 * Persistent reservations: who may write to a shared device, enforced by the storage itself. One set of functions over SCSI-3 (SPC-4 5.13,
 * 6.15, 6.16), NVMe (Base Specification 2.0, 7.2 to 7.5, 8.19), maps of device-mapper multipath, and iSCSI from user space.
 *
 * What names a device (a "spec"): a block device (/dev/sdb, /dev/mapper/mpatha, /dev/disk/by-id/..., /dev/nvme0n1; a partition stands for its
 * disk), another name of a disk that device_name_parse() takes (WWN=..., UUID=...), or an URL as iscsi_url.h has it
 * (iscsi://HOST[:PORT]/TARGET/LUN), which is reached without the kernel (libiscsi, opened when it is needed).
 * A logical volume stands on several disks and is refused: name each (reservation_disks_below() finds them).
 *
 * Everything here talks to the device and can hang in the kernel when that hangs. Whoever must not hang calls in a child: reservation_call()
 * does that for one device, reservation_call_all() for several at once. A map's paths are each used by a thread of their own, so that one that
 * hangs costs a part of the time and no more.
 *
 * All functions return 0 or one of these errors as a negative number (a conflict is -RESERVATION_CONFLICT), or another -errno (-ETIMEDOUT,
 * -ENODEV, -ENOMEM ...). A unit attention is met by asking again, a busy device likewise, until the deadline; the device's state is never guessed:
 * what cannot be read is an error, not absent.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"
#include "storage/reservation_key.h"

enum reservation_error {
    RESERVATION_CONFLICT = EBADE,             /* refused: another's reservation, or this nexus is not registered (any more) */
    RESERVATION_UNIT_ATTENTION = ERESTART,    /* still after several tries */
    RESERVATION_BUSY = EBUSY,                 /* busy, or not ready, until the deadline */
    RESERVATION_TRANSPORT = ECOMM,            /* path, session or host lost: says nothing about the reservation */
    RESERVATION_NOT_SUPPORTED = EOPNOTSUPP,   /* the device has no persistent reservations, or not this kind */
    RESERVATION_APTPL_REFUSED = EPROTONOSUPPORT, /* it would not keep registrations over a power loss, and that was demanded */
    RESERVATION_FULL = ENOSPC,                /* it has no room for one more registration */
    RESERVATION_MALFORMED = EBADMSG,          /* its answer is short, or contradicts itself */
    RESERVATION_DEVICE_ERROR = EIO,           /* it answered with an error of another kind */
    RESERVATION_OTHER_DEVICE = EMEDIUMTYPE,   /* behind this name stands another device than the one that was meant */
    RESERVATION_TOO_MANY = EOVERFLOW,         /* more registrations than can be held: whose is absent is not known */
    RESERVATION_FENCED = EKEYREVOKED,         /* this host was registered, and is not any more */
    RESERVATION_OTHER_KEY = EKEYREJECTED,     /* a path of this host is registered with another key */
    RESERVATION_CHANGED = ESTALE,             /* others changed the registrations behind the judgement that this host may have the device */
};

/* What such an error (negative or positive) means, as the end of "DEVICE: ...", with the remedy where there is one. */
const char *reservation_error_text(int error);

enum reservation_type {
    RESERVATION_NONE = 0,
    RESERVATION_WRITE_EXCLUSIVE,
    RESERVATION_EXCLUSIVE_ACCESS,
    RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS, /* registrants only: the default of everything here */
    RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS,
    RESERVATION_WRITE_EXCLUSIVE_ALL,         /* all registrants */
    RESERVATION_EXCLUSIVE_ACCESS_ALL,
    RESERVATION_TYPE_UNKNOWN,                /* the device named a type that the standard does not */
};

/* "write-exclusive-registrants-only", ...; index is enum reservation_type. "none" and "unknown" stand at the ends. */
extern const char *const reservation_type_names[];
/* For a parameter that chooses among the types that let all registered nodes in: NULL-terminated; reservation_type_at() maps the index. */
extern const char *const reservation_choice_names[];
enum reservation_type reservation_type_at(int index);
/* True where who is not registered cannot write: all types. False for none and unknown. */
bool reservation_type_excludes(enum reservation_type type);
/* True where every registrant may write, so that several nodes and several paths of one node can be registered. */
bool reservation_type_admits_registrants(enum reservation_type type);

/* The type that lets the same hosts in and has all of them as its holders; RESERVATION_NONE for one that lets its holder in alone. */
enum reservation_type reservation_type_of_all(enum reservation_type type);
/* True where both let the same hosts in. */
bool reservation_types_are_alike(enum reservation_type a, enum reservation_type b);

enum reservation_transport {
    RESERVATION_SCSI,
    RESERVATION_NVME,
    RESERVATION_MULTIPATH, /* of SCSI devices */
    RESERVATION_ISCSI,
};
extern const char *const reservation_transport_names[];

struct reservation_device; /* an open device */

/* Who stands behind the name. */
struct reservation_identity {
    enum reservation_transport transport;
    char path[256];  /* the block device that is really used (the disk of a partition), or the URL without its password */
    char wwid[128];  /* worldwide name (VPD page 0x83, the kernel's wwid) as device_wwn_equal() takes it: "naa.6001405...", "eui.0025...", "uuid...";
                      * "" where the device has none */
    unsigned int paths;       /* all that there are; 1 where the device is no map */
    unsigned int paths_alive; /* those that the kernel takes for usable */
};

/* Opens a device and reads its identity. Returns 0; -ENODEV, -ENOTBLK, -EINVAL with the reason and the remedy appended to why (may be NULL);
 * -RESERVATION_TRANSPORT where no path is alive; or an error as above. reservation_close() frees; NULL is allowed. */
int reservation_open(const char *spec, struct deadline deadline, struct text_buffer *why, struct reservation_device **ret);
void reservation_close(struct reservation_device *device);
static inline void cleanup_reservation(struct reservation_device **device)
{
    reservation_close(*device);
}
#define _cleanup_reservation_ _cleanup_(cleanup_reservation)

/* Borrowed from the device. */
const struct reservation_identity *reservation_identity(const struct reservation_device *device);

/* What the device says that it can do. */
struct reservation_capabilities {
    bool aptpl;            /* keeps registrations over a power loss where asked to (APTPL, PTPL) */
    bool aptpl_active;     /* does so now */
    bool all_target_ports; /* one registration may count for all target ports (SCSI ALL_TG_PT) */
    unsigned int types;    /* bit 1U << enum reservation_type; 0: it does not say */
};
int reservation_read_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret);

/* Enough for 64 nodes with 16 paths each. */
#define RESERVATION_KEYS_MAXIMUM 1024

/* Registrations and reservation of a device, of one moment (read again where the generation moved in between). */
struct reservation_state {
    uint32_t generation; /* changes with every registration, and every preemption */
    uint32_t key_count;
    enum reservation_type type; /* RESERVATION_NONE: no reservation is held */
    uint64_t holder;            /* key of the holder; 0 where none is held, or all registrants hold it */
    uint64_t keys[RESERVATION_KEYS_MAXIMUM]; /* one for each registered path (I_T nexus): a node's key comes once for each of its paths */
};
int reservation_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret);

/* How often a key is registered: 0 is absent. Pure. */
unsigned int reservation_state_count(const struct reservation_state *state, uint64_t key);
/* "generation 12, holder 0x... (write-exclusive-registrants-only), keys 0x... x2 0x...": for records and logs. Returns buffer; cut
 * with "..." where it does not fit. Pure. */
const char *reservation_state_format(const struct reservation_state *state, char *buffer, size_t size);

enum reservation_aptpl {
    RESERVATION_APTPL_TRY,    /* ask for it; where it is refused, register without */
    RESERVATION_APTPL_DEMAND, /* -RESERVATION_APTPL_REFUSED where it is refused */
    RESERVATION_APTPL_OFF,
};

/* What was done on the paths of a device. */
struct reservation_paths {
    unsigned int total;
    unsigned int done;   /* registered, or seen registered */
    unsigned int joined; /* of those: registered by this call of reservation_join() */
    unsigned int dead;   /* not usable now: to be registered when they come back (reservation_join) */
    bool aptpl;          /* the device keeps it over a power loss */
    int first_error;     /* of a path that is neither done nor dead */
};

/* Registers this host's key on every path, whatever was registered there before (REGISTER AND IGNORE EXISTING KEY). Returns 0 when every path
 * that is alive was registered, and at least one was; the caller judges how many dead ones it stands. Does not read back. */
int reservation_register(struct reservation_device *device, uint64_t key, enum reservation_aptpl aptpl, struct deadline deadline,
                         struct reservation_paths *ret);

/* Registers the key on paths that came, or came back, since: only while the key is still registered on another path. Where this host was fenced in
 * the meantime, what was just added is withdrawn. Every path is asked, unless nothing has changed since all were seen registered (reservation_join.h): then it
 * costs one reading. Returns 0, -RESERVATION_CONFLICT where the key is gone, or an error. */
int reservation_join(struct reservation_device *device, uint64_t key, struct deadline deadline, struct reservation_paths *ret);

/* For whoever has registered every path and read the state behind it: the next reservation_join() has nothing to do while that stays so. */
void reservation_note_joined(const struct reservation_device *device, uint64_t key, const struct reservation_state *state,
                             const struct reservation_paths *paths);

/* What was seen of a device when it was judged that this host may use it. */
struct reservation_sight {
    bool registered; /* this host was */
    uint32_t generation;
    uint64_t holder;
};

/* Registers this host's key on every path, for use, and never against a fencing: this host may have been stopped in its tracks for any time since it judged that it
 * may. Nothing that is registered is replaced. Returns 0 when every path that is alive is registered; -RESERVATION_FENCED where this host was registered when it
 * looked, or since it was started, and is not any more; -RESERVATION_CHANGED where it was not registered yet and others registered or preempted since it looked;
 * -RESERVATION_OTHER_KEY; or an error. What was added is withdrawn with an error. */
int reservation_enter(struct reservation_device *device, uint64_t key, const struct reservation_sight *seen, enum reservation_aptpl aptpl,
                      struct deadline deadline, struct reservation_paths *ret);

/* Takes the reservation. This host must be registered. Success also where a registrant of this host holds one of this type already; of the types that
 * admit registrants, another's of the same type is -RESERVATION_CONFLICT, and the caller looks whose it is. */
int reservation_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline);

/* Gives the reservation back; the registration stays. Success where this host does not hold it. */
int reservation_release(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline);

/* Takes this host's registration back on every path, and the device from the list of guarded devices before; where one of them holds the reservation, that ends with it (SPC-4 5.13.11.2). */
int reservation_unregister(struct reservation_device *device, uint64_t key, struct deadline deadline);

/* Removes every registration of the victim's key and aborts its commands that are on their way (abort; else they may still end); where the victim held
 * the reservation, this host holds it then, with `type`. Once a map, over the first path that works. This host must be registered:
 * else -RESERVATION_CONFLICT. Success also where the victim's key is absent. The caller reads back: this proves nothing. */
int reservation_preempt(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                        struct deadline deadline);

/* ---- the same, where nothing may hang ----------------------------------------------------------------------------------- */

/* What is done with an open device. Returns 0 or -errno; may fill the reply. */
typedef int (*reservation_function)(struct reservation_device *device, struct deadline deadline, void *argument, void *reply);

/* What became of one device. */
struct reservation_answer {
    int error;                            /* 0, or as the function or reservation_open() returned; -ETIMEDOUT: the device hangs; -EBUSY: an earlier
                                           * child still hangs on it */
    struct reservation_identity identity; /* valid where opened */
    bool opened;
    char why[256];                        /* what reservation_open() said, or "" */
};

/* Opens the device in a child of its own, calls the function there with the reply's copy, and closes it. Returns answer->error. The lock that keeps
 * a second child from hanging on the same device is named for the spec. */
int reservation_call(const char *spec, reservation_function function, void *argument, void *reply, size_t reply_size,
                     struct deadline deadline, struct reservation_answer *ret);

/* The same for count devices at once. replies is an array of count elements of reply_size bytes. Returns the number of devices that failed. */
size_t reservation_call_all(const char *const *specs, size_t count, reservation_function function, void *argument, void *replies,
                            size_t reply_size, struct deadline deadline, struct reservation_answer *answers);

/* One of these calls in steps, for who waits for several without one holding up the others. begin copies the reply into the call; end waits until the deadline, fills the
 * reply and the answer, and frees the call; a child that has not answered by then is ended. begin returns 0 or -ENOMEM: what else fails, end tells. */
struct reservation_pending;
int reservation_call_begin(const char *spec, reservation_function function, void *argument, const void *reply, size_t reply_size,
                           struct deadline deadline, struct reservation_pending **ret);
int reservation_call_end(struct reservation_pending *pending, struct deadline deadline, void *reply, struct reservation_answer *ret);
/* What becomes readable when the answer is there, or -1: it is there. */
int reservation_pending_fd(const struct reservation_pending *pending);
/* As it was given to begin. */
struct deadline reservation_pending_deadline(const struct reservation_pending *pending);

/* The disks and maps that a block device stands on (partition -> disk; logical volume -> its physical volumes; a map is not taken apart), found in
 * /sys alone. Returns their number (paths in fresh memory, NULL-terminated, that text_free_vector() frees), -ENODEV, or -errno. */
int reservation_disks_below(const char *device, char ***ret_paths);

/* ---- guarded devices ---------------------------------------------------------------------------------------------------- */

/* vigil-storage-guard restarts this node when it finds a guarded device without this node's key. Who registers a key for good says so here: the fence
 * agent's "on", and san-volume's start with `owner` its resource's name. Kept below VIGIL_RUNDIR, so that a restart clears it. */
int reservation_guard(const char *owner, const char *spec, uint64_t key, const char *wwid);
/* A disk is no more guarded for this owner (reservation_unguard_owner(): none is); first step of unregistering. Success where it was not. */
int reservation_unguard(const char *owner, const char *spec);

#endif
