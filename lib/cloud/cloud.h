/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_CLOUD_H
#define VIGIL_CLOUD_CLOUD_H
/*
 * One table of operations for the clouds (AWS, Aliyun, Tencent Cloud, Huawei Cloud): instances, disks, addresses, balancers.
 *
 *     struct cloud *cloud;
 *     if (cloud_open(&config->cloud, deadline, &cloud, &failure) < 0)
 *         return agent_fail(run, OCF_ERR_GENERIC, "%s", failure.text);
 *     if (cloud_disk_get(cloud, id, deadline, &disk) < 0)
 *         return agent_fail(run, OCF_ERR_GENERIC, "disk %s: %s", id, cloud_failure(cloud)->text);
 *
 * Rules that hold for every function here:
 * - It returns 0 (or what is said) when the cloud has answered, -errno otherwise; cloud_failure() then holds the class, one printable line that
 *   needs only the thing's name before it, and the cloud's request id. Output arguments are untouched on failure.
 * - Unknown is never absent. Only CLOUD_NOT_FOUND says that the cloud knows of no such thing, and a describe is eventually consistent:
 *   right after a change even that proves nothing. All else is "could not be told".
 * - A state change is sent once. It is sent again by itself only where the cloud has said that it did nothing (throttled, or never connected). Where the
 *   outcome is not known, the failure says maybe_done, and the caller describes again before it concludes anything.
 * - Clouds change state with a delay: 0 from a change means "accepted"; look until the state is seen (cloud_disk_await, ...).
 * - No secret is in any text that is handed out. Not for use by several threads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/deadline.h"

struct cloud; /* a handle: kept-open connections, credentials, last failure */

/* ---- failures --------------------------------------------------------------------------------------------------- */

enum cloud_error {
    CLOUD_OK = 0,
    CLOUD_THROTTLED,   /* -EAGAIN: too many calls; the library has waited and tried again as far as the deadline allowed */
    CLOUD_TRANSIENT,   /* -EIO: the cloud's own trouble (500, 503, busy, an operation in progress) */
    CLOUD_CONFLICT,    /* -EAGAIN: another operation on the thing is under way, nothing was done; tried again as far as the deadline allowed */
    CLOUD_UNREACHABLE, /* -EHOSTUNREACH: no connection: name, route, proxy, refused */
    CLOUD_TIMED_OUT,   /* -ETIMEDOUT: no answer by the deadline */
    CLOUD_TLS,         /* -EPROTO: the server's certificate does not verify */
    CLOUD_MALFORMED,   /* -EBADMSG: an answer that is none of the cloud's: cut off, not XML / JSON, too large */
    CLOUD_CREDENTIALS, /* -ENOKEY: no usable credentials on this side (no file, too open, no role, service without answer) */
    CLOUD_AUTH,        /* -EACCES: the cloud does not accept the key or the signature, or the token has expired */
    CLOUD_CLOCK,       /* -ETIME: this node's clock is off; the text says by how much */
    CLOUD_PERMISSION,  /* -EPERM: the key may not do this */
    CLOUD_NOT_FOUND,   /* -ENOENT: the cloud says that there is no such thing */
    CLOUD_ALREADY,     /* -EALREADY: it is so already (attached, detached, stopped) */
    CLOUD_IN_USE,      /* -EBUSY: disk or address is with another instance, or in use */
    CLOUD_WRONG_STATE, /* -EINPROGRESS: not possible in the thing's present state */
    CLOUD_WRONG_ZONE,  /* -EXDEV: disk and instance are in different zones */
    CLOUD_QUOTA,       /* -EDQUOT: a limit of the account or of the instance (number of disks, addresses) */
    CLOUD_DEVICE_NAME, /* -EADDRINUSE: the device name is taken on the instance */
    CLOUD_INVALID,     /* -EINVAL: malformed id or parameter, region or configuration */
    CLOUD_UNSUPPORTED, /* -EOPNOTSUPP: this cloud has no such operation */
    CLOUD_REFUSED,     /* -EREMOTEIO: an error that the library does not know; its code is in the text */
    CLOUD_NO_MEMORY,   /* -ENOMEM, or a library could not be loaded (-ELIBACC) */
};

struct cloud_failure {
    enum cloud_error error;
    bool maybe_done;      /* a state change was sent, and what became of it is not known: look */
    unsigned int status;  /* HTTP status, 0 where there was no answer */
    int64_t skew_s;       /* the server's clock minus ours in seconds, where the answer had a date; else 0 */
    char code[96];        /* the cloud's own error code, "" where none: "IncorrectInstanceState" */
    char request_id[96];  /* for the vendor's support; "" where none */
    char text[384];       /* one printable line: cause, remedy, request id */
};

/* The last failure of this handle. Borrowed; valid until the next call with it. */
const struct cloud_failure *cloud_failure(const struct cloud *cloud);

/* "throttled", "permission": the class in words for logs and tests. */
const char *cloud_error_name(enum cloud_error error);

/* The -errno of a class, as listed above; 0 for CLOUD_OK. */
int cloud_error_errno(enum cloud_error error);

/* ---- handle ----------------------------------------------------------------------------------------------------- */

/* All texts are borrowed until cloud_open returns. NULL (or 0) means: the default, found by itself. */
struct cloud_config {
    const char *cloud;       /* one of cloud_names; NULL: "auto" */
    const char *region;      /* NULL: the metadata service's */
    const char *endpoints;   /* "SERVICE=URL ..." separated by blanks or commas (ec2, elb; ecs, vpc, slb, alb, nlb; cvm, cbs, vpc, clb; ecs, evs, vpc,
                              * elb, iam; "all=URL" for each that is not named). A path in the URL is kept in front. */
    const char *metadata;    /* base URL of the metadata service: "http://169.254.169.254" */
    const char *credentials; /* file with the key, the vendor's own format, mode 0600; NULL: the instance's role */
    const char *profile;     /* section of that file; NULL: "default", or the file's own current one */
    const char *role;        /* instance role; NULL: the one that the metadata service names */
    const char *project;     /* Huawei: project id; NULL: the metadata service's */
    const char *ca_file;     /* CA certificates (PEM); NULL: the system's */
    const char *proxy;       /* "http://HOST:PORT"; NULL: none. Never used for the metadata service. The environment is not read. */
    const char *signature;   /* Aliyun: "v3" (NULL) or "v1" */
    bool tls_insecure;       /* do not verify certificates: the agent warns loudly */
    bool urgent;             /* fencing, start, stop: may use the part of the token bucket that is kept for them */
    unsigned int rate;       /* requests a minute that all agents of this node may send with one account (0: 120) */
    uint64_t connect_ms;     /* time for a connection (0: 5,000) */
    uint64_t request_ms;     /* time for one request (0: 20,000); the deadline bounds both */
    const char *run_folder;  /* folder for the token bucket and cached keys (NULL: VIGIL_RUNDIR/cloud) */
    const char *dmi_folder;  /* NULL: /sys/class/dmi/id; for tests */
};

/* Words that `cloud` may have, ended by NULL: a choice list for parameter tables. */
extern const char *const cloud_names[];

/* Checks a config without any look at the host or the network: names, URLs, ids. Returns 0 or -EINVAL with failure->text. */
int cloud_config_check(const struct cloud_config *config, struct cloud_failure *failure);

/* Finds the cloud (DMI first, then the metadata services) and makes a handle. Sends nothing where cloud and region are given. Core dumps are
 * off from here on (the process holds secrets). Returns 0 and a handle that cloud_close frees; -errno with *failure filled in. */
int cloud_open(const struct cloud_config *config, struct deadline deadline, struct cloud **ret,
               struct cloud_failure *failure);

/* Closes connections, wipes secrets. NULL is allowed. */
void cloud_close(struct cloud *cloud);
static inline void cleanup_cloud(struct cloud **cloud)
{
    cloud_close(*cloud);
}
#define _cleanup_cloud_ _cleanup_(cleanup_cloud)

/* One of cloud_names, never "auto". */
const char *cloud_name(const struct cloud *cloud);

/* What this handle has sent so far, for logs, records and bench. */
struct cloud_usage {
    unsigned int requests;         /* to the API, retries counted */
    unsigned int metadata_requests;
    unsigned int retries;
    unsigned int throttled;        /* answers that said so */
    uint64_t bucket_wait_ms;       /* waited for the node's token bucket */
};
struct cloud_usage cloud_usage(const struct cloud *cloud);

#define CLOUD_ID_SIZE 128

/* Who this instance is, by the metadata service. */
struct cloud_self {
    char instance[CLOUD_ID_SIZE];
    char zone[64];
    char region[64];
};
/* -errno: the metadata service did not answer, or not in its form. Kept by the handle after the first success. */
int cloud_self(struct cloud *cloud, struct deadline deadline, struct cloud_self *ret);

/* For a stop, after a look has failed. True where the failure is CLOUD_NOT_FOUND and not a matter of where it was asked: with the same region, project and key the cloud knows this very
 * instance. A describe is eventually consistent: look twice, and never right after a change. The failure stays as it is. */
bool cloud_lacks_thing(struct cloud *cloud, struct deadline deadline);

/* Keys are usable and the API answers: one cheap read (a describe of nothing in particular). 0 or -errno. */
int cloud_check(struct cloud *cloud, struct deadline deadline);

/* ---- instances -------------------------------------------------------------------------------------------------- */

enum cloud_power {
    CLOUD_POWER_UNKNOWN = 0, /* a state that is none of these, or not told */
    CLOUD_POWER_STARTING,
    CLOUD_POWER_RUNNING,
    CLOUD_POWER_STOPPING, /* on its way; it still runs */
    CLOUD_POWER_STOPPED,
    CLOUD_POWER_TERMINATED, /* gone for good */
};

struct cloud_instance {
    char id[CLOUD_ID_SIZE];
    char name[128]; /* the display name (AWS: the tag Name) */
    char tag[256];  /* value of the tag that was asked for; "" where none */
    char zone[64];
    char address[48]; /* primary private address */
    char interface[CLOUD_ID_SIZE]; /* primary network interface, where the describe says it */
    enum cloud_power power;
    char state[48];   /* the cloud's own word: "shutting-down" */
    char evidence[160]; /* "state=stopped reason=... requestId=...": what to keep in a fencing record */
};

/* One instance by id. tag may be NULL. -ENOENT: the cloud says that it does not exist; that is not "off". */
int cloud_instance_get(struct cloud *cloud, const char *id, const char *tag, struct deadline deadline,
                       struct cloud_instance *ret);

struct cloud_instance_list {
    struct cloud_instance *items;
    size_t count;
};
void cloud_instance_list_free(struct cloud_instance_list *list);
#define _cleanup_cloud_instance_list_ _cleanup_(cloud_instance_list_free)

/* Every instance of the region, all pages (at most 10,000), whole or not at all. Where tag is given, its value is in each item, and with
 * tag_value only those that have it. name (may be NULL): only instances of that display name. */
struct cloud_instance_filter {
    const char *tag;
    const char *tag_value;
    const char *name;
};
int cloud_instance_list(struct cloud *cloud, const struct cloud_instance_filter *filter, struct deadline deadline,
                        struct cloud_instance_list *ret);

enum cloud_power_action {
    CLOUD_POWER_OFF,    /* hard, without the guest's help; keeps what it is billed for, so that it can start again */
    CLOUD_POWER_ON,
    CLOUD_POWER_REBOOT, /* hard */
};
/* Asks for it. 0: accepted; CLOUD_ALREADY where the cloud says that it is so already; look with cloud_instance_get. Vendor switches:
 * AWS Force + SkipOsShutdown, Aliyun ForceStop + StoppedMode=KeepCharging, Tencent StopType=HARD + KEEP_CHARGING, Huawei os-stop HARD. */
int cloud_instance_power(struct cloud *cloud, const char *id, enum cloud_power_action action, struct deadline deadline);

/* Tries the permission by the cloud's dry run, changing nothing. 0: permitted; -EPERM; -EOPNOTSUPP where the cloud has no dry run
 * for it (Tencent, Huawei): it can only be tried by doing it. */
int cloud_instance_power_check(struct cloud *cloud, const char *id, enum cloud_power_action action,
                               struct deadline deadline);

/* ---- disks ------------------------------------------------------------------------------------------------------ */

enum cloud_attachment_state {
    CLOUD_ATTACHMENT_UNKNOWN = 0,
    CLOUD_ATTACHING,
    CLOUD_ATTACHED,
    CLOUD_DETACHING, /* AWS "busy" too: the guest still has it open */
};

struct cloud_attachment {
    char instance[CLOUD_ID_SIZE];
    enum cloud_attachment_state state;
    char device[64]; /* as the cloud calls it: "/dev/sdf"; "" where it does not say */
    int64_t since;   /* seconds since 1970 (UTC) when it was attached, 0 where the cloud does not say: then nothing is proven by time */
};

enum cloud_disk_state {
    CLOUD_DISK_UNKNOWN = 0,
    CLOUD_DISK_CREATING,
    CLOUD_DISK_AVAILABLE, /* attached nowhere */
    CLOUD_DISK_IN_USE,    /* attached, attaching or detaching: see attachments */
    CLOUD_DISK_ERROR,
    CLOUD_DISK_DELETED,
};

#define CLOUD_ATTACHMENTS 16 /* EBS io2 and Aliyun allow 16 instances, Huawei's shared disks too */

struct cloud_disk {
    char id[CLOUD_ID_SIZE];
    char zone[64];
    enum cloud_disk_state state;
    char state_text[48]; /* the cloud's own word */
    uint64_t size_gib;
    bool multi_attach;   /* may be attached to several instances */
    bool encrypted;
    struct cloud_attachment attachments[CLOUD_ATTACHMENTS];
    size_t attachment_count; /* the describe is refused as malformed where there are more */
    /* How this node's kernel shows it; no name in /dev/disk/by-id is asked for, since a link can be stale: */
    char serial[64];   /* /sys/block/X/device/serial (NVMe, SCSI) or /sys/block/X/serial (virtio, which shows the first 20 characters): compare the whole trimmed
                        * text (disk_serial_equal of lib/storage); "" where not known */
};

int cloud_disk_get(struct cloud *cloud, const char *id, struct deadline deadline, struct cloud_disk *ret);

/* The disk's attachment on this instance, or NULL. */
const struct cloud_attachment *cloud_disk_attachment(const struct cloud_disk *disk, const char *instance);

/* Attaches the disk to the instance. device: the name that it asks for (AWS needs one; NULL: a free one is chosen), ignored where the cloud has no such thing.
 * 0: accepted, or a look after an error showed that it is on (or on its way to) this instance: an attach has answered an error and
 * yet succeeded. A failed job (Huawei, Tencent) is a failure. CLOUD_IN_USE, CLOUD_WRONG_ZONE, CLOUD_QUOTA, CLOUD_DEVICE_NAME as they say. */
int cloud_disk_attach(struct cloud *cloud, const char *id, const char *instance, const char *device,
                      struct deadline deadline);

/* Detaches it from that instance and no other. force: without the guest's help (AWS Force, Huawei delete_flag=1; the others have none, and a disk of an
 * instance that is off detaches without): only after fencing. 0: accepted, or a look after an error showed that it is not
 * there any more. */
int cloud_disk_detach(struct cloud *cloud, const char *id, const char *instance, bool force, struct deadline deadline);

/* Looks until the disk is attached to instance (attached = true), or, in two consistent reads, is not (false). ret (may be NULL) gets
 * the last look. 0; -ETIMEDOUT where the deadline came first; CLOUD_IN_USE where it is with another instance instead (attached = true, and it is no multi-attach
 * disk); an error state of the disk is CLOUD_WRONG_STATE. */
int cloud_disk_await(struct cloud *cloud, const char *id, const char *instance, bool attached, struct deadline deadline,
                     struct cloud_disk *ret);

/* ---- addresses -------------------------------------------------------------------------------------------------- */

enum cloud_address_kind {
    CLOUD_ADDRESS_SECONDARY, /* a secondary private address of a network interface (Huawei: through allowed_address_pairs, see HAVIP) */
    CLOUD_ADDRESS_ELASTIC,   /* a public address bound to an instance, interface or private address */
    CLOUD_ADDRESS_HAVIP,     /* a virtual address whose holder announces it (Aliyun, Tencent HaVip; Huawei virtual IP); AWS has none */
    CLOUD_ADDRESS_ROUTE,     /* a route whose next hop is an instance (interface) */
};

/* What moves a private address in this cloud where the user names no way: SECONDARY, or HAVIP (Huawei). */
enum cloud_address_kind cloud_private_kind(const struct cloud *cloud);

struct cloud_address_spec {
    enum cloud_address_kind kind;
    const char *address;   /* SECONDARY: the address. ELASTIC: the public address or its id (eipalloc-, eip-). HAVIP: its id or address.
                            * ROUTE: destination, "192.0.2.7/32" */
    const char *interface; /* network interface id (eni-, port id); NULL: the instance's primary one */
    const char *tables;    /* ROUTE: route table ids, separated by blanks or commas */
    const char *private_address; /* ELASTIC: the private address that it goes to; NULL: the interface's primary one */
};

struct cloud_address {
    bool assigned;                 /* to anybody */
    bool moving;                   /* the cloud says that a change is under way */
    char instance[CLOUD_ID_SIZE];  /* who has it; "" where nobody, or the cloud does not tell (then interface is set) */
    char interface[CLOUD_ID_SIZE];
    char private_address[48];      /* ELASTIC: what it is bound to */
    char id[CLOUD_ID_SIZE];        /* the cloud's id for it (allocation, havip) */
    bool shared;                   /* HAVIP: associated with several; `instance` is the one that announces (master) */
    bool associated;               /* HAVIP: this instance may announce it */
    bool partial;                  /* ROUTE: the tables do not agree; instance is that of the first that is not self */
};

/* Who has it now. `self` is the instance that asks (for the primary interface). CLOUD_NOT_FOUND: no such elastic address, HaVip, interface or table;
 * a secondary address or a route that nobody has is 0 with assigned = false. */
int cloud_address_get(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                      struct deadline deadline, struct cloud_address *ret);

/* Brings it to the instance `self`, away from whom has it (AllowReassignment, unbind and bind, ReplaceRoute, associate). Asynchronous:
 * look until cloud_address_get says so. HAVIP: associates; who announces it becomes its holder. */
int cloud_address_assign(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                         struct deadline deadline);

/* Takes it away from `self` and from nobody else: 0 where another one has it, or nobody. A route stays as it is where it leads elsewhere;
 * one that leads to self is removed. HAVIP: disassociates. */
int cloud_address_release(struct cloud *cloud, const struct cloud_address_spec *spec, const char *self,
                          struct deadline deadline);

/* What the metadata service of this instance says: 1 it is on this instance, 0 it is not, -EOPNOTSUPP where this cloud's metadata
 * service does not tell (then read twice), -errno. */
int cloud_address_in_metadata(struct cloud *cloud, const struct cloud_address_spec *spec, struct deadline deadline);

/* ---- balancers -------------------------------------------------------------------------------------------------- */

/* How a group is named: AWS: the target group's ARN. Aliyun: "clb:lb-..." (default group), "clb:rsp-..." (VServer group), "alb:sgp-...", "nlb:sgp-...".
 * Tencent: "lb-.../lbl-..." or "lb-.../lbl-.../loc-...". Huawei: the pool's id. */
struct cloud_target {
    const char *group;
    const char *instance; /* instance id, or NULL where address is given */
    const char *address;  /* private address (groups of type ip; Huawei always: NULL means the instance's primary one) */
    unsigned int port;    /* 0: the group's own, where it has one */
    unsigned int weight;  /* 0 means the cloud's default; ignored where targets have none */
};

enum cloud_target_health {
    CLOUD_TARGET_UNKNOWN = 0, /* registered, not told */
    CLOUD_TARGET_ABSENT,      /* seen not to be registered */
    CLOUD_TARGET_INITIAL,     /* registering, first checks */
    CLOUD_TARGET_HEALTHY,
    CLOUD_TARGET_UNHEALTHY,
    CLOUD_TARGET_DRAINING,    /* no new connections, or weight 0 */
    CLOUD_TARGET_UNCHECKED,   /* registered, and the group has no health checks or no listener */
};

struct cloud_target_state {
    enum cloud_target_health health;
    char text[128];       /* the cloud's own words: "Target.FailedHealthChecks" */
    unsigned int weight;  /* 0 where it has none */
    uint64_t drain_ms;    /* the group's own drain time, told while the target is draining; 0 where it has none */
};
int cloud_target_get(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline,
                     struct cloud_target_state *ret);
int cloud_target_register(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);
/* No new connections from now on: weight 0; AWS, ALB and NLB have no weight: they drain by deregistering, so there it is that. */
int cloud_target_drain(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);
int cloud_target_deregister(struct cloud *cloud, const struct cloud_target *target, struct deadline deadline);

#endif
