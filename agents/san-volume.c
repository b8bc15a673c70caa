/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * san-volume: a file system on a shared device, as one resource made of layers (storage/volume.h).
 *
 * Running means: the LUNs are there and reserved for this node where that is asked for, the mount point shows the file system of this very device, as writable as asked, and the kernel still has the device; with
 * OCF_CHECK_LEVEL 10 the device also answers a read at a random place, with 20 a file on it can be written and read back.
 *
 * Stop has succeeded when no mount of it is left in the mount table and the kernel lets the device be opened exclusively: a mount in
 * another namespace, or one that was taken out of the tree in use, still writes, and is a failed stop.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "agent/agent.h"
#include "base/file.h"
#include "cluster/fence_history.h"
#include "cluster/holder_record.h"
#include "cluster/membership.h"
#include "cluster/quorum.h"
#include "storage/iscsi_session.h"
#include "storage/mount_release.h"
#include "storage/reservation.h"
#include "watch/client.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

/* Corosync answers within milliseconds; while it forms a membership, within a few seconds. */
#define QUORUM_LIMIT_MS 5000
/* Of an action's time, in percent, for one question to the cluster: it may just be forming itself anew. */
#define CLUSTER_SHARE 50

enum quorum_policy { QUORUM_REQUIRE, QUORUM_IGNORE };
enum last_holder_policy { LAST_HOLDER_AUTO, LAST_HOLDER_REQUIRE, LAST_HOLDER_IGNORE };

static const char *const fsck_policies[] = { "auto", "force", "no", NULL };
static const char *const quorum_policies[] = { "require", "ignore", NULL };
static const char *const force_policies[] = { "true", "safe", "false", "yes", "no", "on", "off", "1", "0", NULL };

static const char *const last_holder_policies[] = { "auto", "require", "ignore", NULL };
static const char *const discovery_methods[] = { "sendtargets", "static", NULL };
static const char *const multipath_policies[] = { "auto", "require", "no", NULL };
/* The types that let every registered path of a node in; the index is a row of reservation_types. */
static const char *const reservation_names[] = { "none", "write-exclusive-registrants-only", "exclusive-access-registrants-only",
                                                 "write-exclusive-all-registrants", "exclusive-access-all-registrants",
                                                 /* as fence_vigil_reservation calls them */
                                                 "WERO", "EARO", "WEAR", "EAAR", NULL };
static const enum reservation_type reservation_types[] = { RESERVATION_NONE, RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS,
                                                           RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS, RESERVATION_WRITE_EXCLUSIVE_ALL,
                                                           RESERVATION_EXCLUSIVE_ACCESS_ALL,
                                                           RESERVATION_WRITE_EXCLUSIVE_REGISTRANTS,
                                                           RESERVATION_EXCLUSIVE_ACCESS_REGISTRANTS, RESERVATION_WRITE_EXCLUSIVE_ALL,
                                                           RESERVATION_EXCLUSIVE_ACCESS_ALL };

/* A device, or a file system of a server: "server:/export", "//server/share". */
static int check_device(const char *text, struct text_buffer *why)
{
    struct device_name name;

    if (device_name_parse(text, &name) == 0 || strstr(text, ":/"))
        return 0;
    text_buffer_printf(why, "an absolute path is wanted, or UUID=, LABEL=, PARTUUID=, PARTLABEL= or WWN= with a value");
    return -EINVAL;
}

static int check_prefix(const char *text, struct text_buffer *why)
{
    if (text[0] != '/' && !strstr(text, ".."))
        return 0;
    text_buffer_printf(why, "a path within the volume is wanted: no '/' at its begin, no '..' in it");
    return -EINVAL;
}

static int check_signals(const char *text, struct text_buffer *why)
{
    const char *word;
    size_t length;

    while (text_next_word(&text, " ,", &word, &length)) {
        if (signal_by_name(word, length) < 0) {
            text_buffer_printf(why, "signal names such as TERM, separated by blanks, are wanted");
            return -EINVAL;
        }
    }
    return 0;
}

static int check_disks(const char *text, struct text_buffer *why)
{
    struct device_name name;
    const char *word;
    char one[512];
    size_t length;

    while (text_next_word(&text, " ,\t", &word, &length)) {
        if (text_format(one, sizeof(one), "%.*s", (int)length, word) >= 0 && device_name_parse(one, &name) == 0)
            continue;
        text_buffer_printf(why, "names of LUNs are wanted, separated by blanks, best as WWN=...");
        return -EINVAL;
    }
    return 0;
}

static int check_portals(const char *text, struct text_buffer *why)
{
    struct iscsi_portal portals[ISCSI_PORTALS_MAX];

    if (iscsi_portals_parse(text, portals) > 0)
        return 0;
    text_buffer_printf(why, "addresses such as 192.0.2.1 or [2001:db8::1]:3260 are wanted, separated by blanks, at most %d", ISCSI_PORTALS_MAX);
    return -EINVAL;
}

/* RFC 3720 3.2.6.3: letters, digits, '.', '-', ':'. */
static int check_target(const char *text, struct text_buffer *why)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_") == strlen(text) && strlen(text) < 224 && text[0] != '.' &&
        text[0] != '-')
        return 0;
    text_buffer_printf(why, "an iSCSI name is wanted, such as iqn.2001-04.com.example:storage");
    return -EINVAL;
}

static int check_key(const char *text, struct text_buffer *why)
{
    uint64_t key;

    if (reservation_key_parse(text, strlen(text), &key) == 0)
        return 0;
    text_buffer_printf(why, "1 to 16 hexadecimal digits are wanted, not all zero");
    return -EINVAL;
}

/* LVM's own rule (lvm(8), VALID NAMES); a leading hyphen would be an option. */
static int check_lvm_name(const char *text, struct text_buffer *why)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-") == strlen(text) && text[0] != '-' && strlen(text) < 128 &&
        !text_equal(text, ".") && !text_equal(text, ".."))
        return 0;
    text_buffer_printf(why, "a name of LVM is wanted: letters, digits and + _ . -");
    return -EINVAL;
}

/* Network file systems that no layer here knows. */
static int check_type(const char *text, struct text_buffer *why)
{
    static const char *const network[] = { "smbfs", "glusterfs", "ceph", "efs", "9p" };

    for (size_t i = 0; i < ARRAY_SIZE(network); i++) {
        if (text_equal(text, network[i])) {
            text_buffer_printf(why, "a file system on a block device (ext4, xfs, btrfs, ...), nfs, nfs4, cifs or smb3 is wanted; others are not managed by this agent");
            return -EINVAL;
        }
    }
    for (const char *byte = text; *byte; byte++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-.", *byte)) {
            text_buffer_printf(why, "the kernel's name of a file system type is wanted, such as ext4");
            return -EINVAL;
        }
    }
    return 0;
}

static const struct param params[] = {
    { "device", PARAM_TEXT(struct volume_config, device), .required = true, .check = check_device,
      .shortdesc = "block device, by any stable name",
      .longdesc = "UUID=..., LABEL=... (of the file system), PARTUUID=..., PARTLABEL=... (of the partition), WWN=... (of the disk), or an absolute path, best one "
                  "below /dev/disk or /dev/mapper. Tags are verified by reading the disk. With options=bind: the folder that is mounted elsewhere. With fstype=nfs, nfs4: "
                  "server:/export; cifs, smb3: //server/share." },
    { "directory", PARAM_PATH(struct volume_config, directory), .required = true, .unique_group = "directory",
      .shortdesc = "mount point", .longdesc = "Made when it is missing." },
    { "fstype", PARAM_TEXT(struct volume_config, type), .check = check_type,
      .shortdesc = "type of the file system",
      .longdesc = "ext4, xfs, btrfs and other types of block devices. A device that holds another type is not mounted. Without it, what is found on the device. "
                  "nfs, nfs4, cifs, smb3: a file system of a server." },
    { "options", PARAM_TEXT(struct volume_config, options), .shortdesc = "mount options, as mount -o takes them" },
    { "run_fsck", PARAM_CHOICE(struct volume_config, fsck), .choices = fsck_policies, .default_value = "auto", .aliases = NAMES("fsck"),
      .shortdesc = "file system check before the mount",
      .longdesc = "auto: where the superblock says that errors were found, or that an ext2 was not unmounted in order; a journal is replayed by the mount itself. "
                  "force: always. no: never. Errors that cannot be corrected (exit code 4 and above) fail the start." },
    { "quorum", PARAM_CHOICE(struct volume_config, quorum), .choices = quorum_policies, .default_value = "require",
      .shortdesc = "whether a mount needs quorum",
      .longdesc = "require: nothing is mounted where Corosync does not say that this node has quorum. ignore: mounted without asking, for a node outside of a cluster." },
    { "device_timeout", PARAM_DURATION(struct volume_config, device_timeout_ms), .default_value = "10", .minimum = 0, .maximum = 3600000,
      .shortdesc = "how long a start waits for the device to appear" },
    { "io_timeout", PARAM_DURATION(struct volume_config, io_timeout_ms), .default_value = "10", .minimum = 100, .maximum = 3600000, .reloadable = true,
      .shortdesc = "how long a device may take to answer before it counts as hanging" },
    { "watch", PARAM_BOOLEAN(struct volume_config, watch), .default_value = "true", .reloadable = true,
      .shortdesc = "let vigild watch the mount and the device",
      .longdesc = "Where vigild runs, it tells the cluster at once when the file system is not mounted any more or has turned read-only, when the device is gone or does not "
                  "answer within io_timeout, or when the reservation is lost. Without it, monitors find that." },
    { "statusfile_prefix", PARAM_TEXT(struct volume_config, status_prefix), .default_value = ".Filesystem_status/", .check = check_prefix, .reloadable = true,
      .shortdesc = "where the check file of depth 20 lies on the volume",
      .longdesc = "The resource's and the node's name are put behind it, so that two nodes never share one." },
    { "force_unmount", PARAM_CHOICE(struct volume_config, force_unmount), .choices = force_policies, .default_value = "true", .reloadable = true,
      .shortdesc = "end processes that use the volume when it is stopped",
      .longdesc = "true, safe: users are sent term_signals for half of the time, then kill_signals. false: nobody is ended, and a volume in use fails to stop." },
    { "term_signals", PARAM_TEXT(struct volume_config, term_signals), .default_value = "TERM", .check = check_signals, .reloadable = true, .advanced = true,
      .shortdesc = "signals that ask users to leave, in turn" },
    { "kill_signals", PARAM_TEXT(struct volume_config, kill_signals), .default_value = "KILL", .check = check_signals, .reloadable = true, .advanced = true,
      .shortdesc = "signals that end users, in turn" },
    { "signal_delay", PARAM_DURATION(struct volume_config, signal_delay_ms), .default_value = "1", .minimum = 10, .maximum = 600000, .reloadable = true, .advanced = true,
      .shortdesc = "time between two rounds of signals" },
    { "fast_stop", PARAM_BOOLEAN(struct volume_config, fast_stop), .default_value = "no", .reloadable = true, .advanced = true,
      .shortdesc = "give users 6 seconds in all, not the whole stop time" },
    { "disks", PARAM_TEXT(struct volume_config, disks), .check = check_disks, .aliases = NAMES("devs"),
      .shortdesc = "LUNs below the volume, separated by blanks",
      .longdesc = "Best as WWN=..., which is verified by asking the LUN. Multipath, reservation and the wait for the LUNs work on these; needed where device does not name "
                  "the LUN itself (a logical volume, a partition, a UUID)." },
    { "rescan", PARAM_BOOLEAN(struct volume_config, rescan), .default_value = "yes",
      .shortdesc = "have iSCSI, Fibre Channel and SAS adapters look for new LUNs where one is missing at a start" },
    { "multipath", PARAM_CHOICE(struct volume_config, multipath), .choices = multipath_policies, .default_value = "auto",
      .shortdesc = "whether the LUNs must be multipath maps",
      .longdesc = "require: a start waits for each LUN's map. auto: as require where paths_required or paths_expected is more than 1; else a map is watched where there is one. no: "
                  "paths are not looked at." },
    { "paths_required", PARAM_INTEGER(struct volume_config, paths_required), .default_value = "1", .minimum = 1, .maximum = 64, .reloadable = true,
      .shortdesc = "a start needs so many working paths to each LUN" },
    { "paths_expected", PARAM_INTEGER(struct volume_config, paths_expected), .default_value = "0", .minimum = 0, .maximum = 64, .reloadable = true,
      .shortdesc = "with fewer paths the volume is degraded (code 190)", .longdesc = "0: as many as the start found." },
    { "portals", PARAM_TEXT(struct volume_config, portals), .check = check_portals, .aliases = NAMES("portal"),
      .shortdesc = "iSCSI portals of the array, separated by blanks",
      .longdesc = "ADDRESS[:PORT]; IPv6 addresses in brackets where a port follows. A start logs in to each." },
    { "target", PARAM_TEXT(struct volume_config, target), .check = check_target, .shortdesc = "name of the iSCSI target (iqn....)" },
    { "discovery", PARAM_CHOICE(struct volume_config, discovery), .choices = discovery_methods, .default_value = "sendtargets", .aliases = NAMES("discovery_type"),
      .shortdesc = "how the target's portals are found",
      .longdesc = "sendtargets: a portal is asked, and every portal that it names is used, too. static: the portals that are given, without asking." },
    { "chap_username", PARAM_TEXT(struct volume_config, chap_username), .shortdesc = "name with which this node logs in (CHAP)" },
    { "chap_password_file", PARAM_PATH(struct volume_config, chap_password_file), .shortdesc = "file with its password in the first line, readable by root alone" },
    { "chap_username_in", PARAM_TEXT(struct volume_config, chap_username_in), .advanced = true,
      .shortdesc = "name with which the target proves itself (mutual CHAP)" },
    { "chap_password_in_file", PARAM_PATH(struct volume_config, chap_password_in_file), .advanced = true, .shortdesc = "file with the target's password" },
    { "login_timeout", PARAM_DURATION(struct volume_config, login_timeout_ms), .default_value = "20", .minimum = 1000, .maximum = 3600000, .advanced = true,
      .shortdesc = "how long a start waits for an iSCSI session" },
    { "logout", PARAM_BOOLEAN(struct volume_config, logout), .default_value = "no", .advanced = true,
      .shortdesc = "end the iSCSI sessions to the target when the volume is stopped",
      .longdesc = "Only where nothing else on this node uses the target." },
    { "recover_sessions", PARAM_BOOLEAN(struct volume_config, recover_sessions), .default_value = "yes", .aliases = NAMES("try_recovery"), .advanced = true, .reloadable = true,
      .shortdesc = "log in again, beside a monitor, where a session is missing" },
    { "reservation", PARAM_CHOICE(struct volume_config, reservation), .choices = reservation_names, .default_value = "none", .aliases = NAMES("reservation_type"),
      .shortdesc = "persistent reservation that is held on the LUNs",
      .longdesc = "With write-exclusive-registrants-only, the usual one, a node whose registration was removed cannot write, whatever it believes. SCSI-3 and NVMe. Stays at a stop, so "
                  "that a node which was fenced and wakes up is still kept out; see release_reservation." },
    { "reservation_key", PARAM_TEXT(struct volume_config, reservation_key), .check = check_key, .advanced = true,
      .shortdesc = "this node's key, hexadecimal",
      .longdesc = "Without it, made of the cluster's name and the node's id, as fence_vigil_reservation makes it. It must differ from node to node, and the fence agent "
                  "must be told by its parameter keys: a key that it does not know is no key that it removes." },
    { "release_reservation", PARAM_BOOLEAN(struct volume_config, release_reservation), .default_value = "no", .advanced = true,
      .shortdesc = "give reservation and registration back when the volume is stopped",
      .longdesc = "Until another node takes it, the array then refuses nobody: not a node either that was fenced while it hung, and goes on." },
    { "preempt_unknown", PARAM_BOOLEAN(struct volume_config, preempt_unknown), .default_value = "no", .advanced = true,
      .shortdesc = "take a reservation from a key that is of no node of this cluster",
      .longdesc = "Only when it is known whose it was, and that it is gone for good." },
    { "last_holder", PARAM_CHOICE(struct volume_config, last_holder), .choices = last_holder_policies, .default_value = "auto",
      .shortdesc = "whether the node that had the volume last must have released it or been fenced",
      .longdesc = "require: the cluster keeps a record of who has the volume (attribute vigil-holder-RESOURCE), and a start is refused while the node of the record "
                  "has neither released it nor been fenced since. auto: as require with a reservation or a volume_group, unless quorum=ignore. ignore: not asked; what bears another node's mark is taken." },
    { "volume_group", PARAM_TEXT(struct volume_config, volume_group), .check = check_lvm_name, .aliases = NAMES("vgname", "volgrpname"),
      .shortdesc = "LVM volume group that is activated on this node alone",
      .longdesc = "It must bear the system ID of a node (global/system_id_source in lvm.conf); a start takes it over. device names the logical volume that is mounted." },
    { "logical_volume", PARAM_TEXT(struct volume_config, logical_volume), .check = check_lvm_name, .aliases = NAMES("lvname"),
      .shortdesc = "activate this logical volume only", .longdesc = "Without it, all of the group." },
    { "partial_activation", PARAM_BOOLEAN(struct volume_config, partial_activation), .default_value = "false", .advanced = true,
      .shortdesc = "activate the volume group also where a physical volume is missing" },
    { "credentials", PARAM_PATH(struct volume_config, credentials), .advanced = true,
      .shortdesc = "file with user name and password for a CIFS share, as mount.cifs reads it, readable by root alone" },
    { "force_clones", PARAM_BOOLEAN(struct volume_config, force_clones), .default_value = "false", .advanced = true,
      .shortdesc = "allow a clone of a local file system",
      .longdesc = "Only where each node has a device of its own under the same name. A clone on one shared device destroys the file system." },
    {}
};

static const unsigned int depths[] = { 0, 10, 20, UINT_MAX };

/* ---- from the library's words to OCF's ----------------------------------------------------------------------------------------- */

static enum ocf_code code_of(int error)
{
    switch (error) {
    case -EINVAL:
        return OCF_ERR_CONFIGURED;
    case -ENODEV:
    case -EMEDIUMTYPE:
    case -ENOPKG:
        return OCF_ERR_INSTALLED;
    default:
        return OCF_ERR_GENERIC;
    }
}

static const char *reason(const struct volume *volume, int error)
{
    return volume->why.length > 0 ? volume->why.text : strerror(-error);
}

static void log_notes(const struct volume *volume)
{
    const char *cursor = volume->notes.text, *line;
    size_t length;

    while (cursor && text_next_word(&cursor, "\n", &line, &length))
        log_notice("%.*s", (int)length, line);
}

/* ---- the actions ---------------------------------------------------------------------------------------------------------------- */

static enum ocf_code check_config(struct agent_run *run, const void *config)
{
    const struct volume_config *asked = config;
    _cleanup_volume_ struct volume volume;
    int r = volume_open(&volume, asked, run->deadline);

    if (r < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s", reason(&volume, r));
    if (!asked->portals != !asked->target)
        return agent_fail(run, OCF_ERR_CONFIGURED, "portals and target of an iSCSI login are given together, or not at all");
    if (!asked->chap_username != !asked->chap_password_file || !asked->chap_username_in != !asked->chap_password_in_file ||
        (asked->chap_username_in && !asked->chap_username))
        return agent_fail(run, OCF_ERR_CONFIGURED, "CHAP needs chap_username with chap_password_file, and for the target's own proof chap_username_in with chap_password_in_file");
    if (asked->logical_volume && !asked->volume_group)
        return agent_fail(run, OCF_ERR_CONFIGURED, "logical_volume %s is given without its volume_group", asked->logical_volume);
    if (run->clone && !asked->force_clones && !volume.bind && !volume.network)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s on %s would run as a clone, which destroys a local file system: remove the clone, or set force_clones=true where every node has a device of its own",
                          asked->type ? asked->type : "a file system", asked->device);
    return OCF_SUCCESS;
}

/* What an action works on; the texts stay valid as long as it. */
struct call {
    struct volume_config config;
    struct volume volume;
    char state_path[PATH_MAX];
    char marker_path[PATH_MAX]; /* there while this node's name stands in the cluster's record */
    struct utsname host;
    /* What is known of the cluster, asked at most once, and only by who needs it. */
    struct volume_authority authority;
    struct cluster_view view;
    int view_error; /* 0 while not asked, 1 when view is valid, -errno */
    struct holder_record record;
    bool record_known;
    /* What was found of the record's node in this action; "" while it was not asked. */
    char judged[CLUSTER_NAME_MAX];
    enum volume_claim judgement;
};

static void call_end(struct call *call)
{
    log_notes(&call->volume);
    volume_close(&call->volume);
}
#define _cleanup_call_ _cleanup_(call_end)

/* ---- what the layers must be told of the cluster ------------------------------------------------------------------------------------ */

static bool asks_last_holder(const struct call *call)
{
    const struct volume_config *config = &call->config;

    if (config->last_holder == LAST_HOLDER_AUTO)
        return config->quorum == QUORUM_REQUIRE && (config->reservation != RESERVATION_NONE || config->volume_group);
    return config->last_holder == LAST_HOLDER_REQUIRE;
}

static struct deadline cluster_deadline(const struct volume *volume)
{
    return deadline_share(volume->deadline, CLUSTER_SHARE);
}

static bool view_is_known(struct call *call)
{
    if (call->view_error == 0) {
        int r = cluster_view_read(&call->view, cluster_deadline(&call->volume));

        call->view_error = r < 0 ? r : 1;
    }
    return call->view_error == 1;
}

static int read_view(struct call *call)
{
    if (view_is_known(call))
        return 0;
    return volume_fail(&call->volume, -ENOTCONN, "the cluster's nodes are not known: %s", cluster_error_text(call->view_error));
}

static int tell_own_key(struct volume *volume, uint64_t *ret)
{
    struct call *call = volume->authority->context;
    int r = read_view(call);

    if (r < 0)
        return r;
    r = reservation_key_make(call->view.name, call->view.own_id, ret);
    return r < 0 ? volume_fail(volume, -ENOPKG, "the cluster has no name, so that no reservation key can be made of it: set cluster_name in corosync.conf, or reservation_key") : 0;
}

static const char *own_name(struct call *call)
{
    const struct cluster_node *node = call->view_error == 1 ? cluster_view_node_of_id(&call->view, call->view.own_id) : NULL;

    return node && node->name[0] ? node->name : call->volume.node;
}

/* The node behind a mark on the storage, or NULL with the reason in why. */
static const struct cluster_node *owner_node(struct call *call, const struct volume_owner *owner, struct text_buffer *why)
{
    const struct cluster_node *node = NULL;
    uint32_t id;

    if (owner->system_id)
        node = cluster_view_node_named(&call->view, owner->system_id);
    else if (reservation_key_node(call->view.name, owner->key, &id) == 0)
        node = cluster_view_node_of_id(&call->view, id);
    if (!node)
        text_buffer_printf(why, "that is no node of this cluster; find out whose it is%s",
                           owner->system_id ? ", and take it over by hand with vgchange --systemid" : ", and when it is gone for good, set preempt_unknown=true for one start");
    return node;
}

/* Without asking who used it last: an unknown key is preempted where that was told, one of this cluster's nodes never is. */
static int pass_over(struct call *call, const struct volume_owner *owner)
{
    uint32_t id;

    if (owner->key == 0 || !call->config.preempt_unknown)
        return CLAIM_RELEASED;
    return view_is_known(call) && reservation_key_node(call->view.name, owner->key, &id) == 0 ? CLAIM_RELEASED : CLAIM_FENCED;
}

static int judge_owner(struct volume *volume, const struct volume_owner *owner, struct text_buffer *why)
{
    struct call *call = volume->authority->context;
    const struct cluster_node *node;
    int r;

    if (call->config.last_holder == LAST_HOLDER_IGNORE)
        return pass_over(call, owner);
    if (!asks_last_holder(call)) {
        text_buffer_printf(why, "with quorum=ignore nobody is asked whether that node was fenced; where you know that it does not use it, set last_holder=ignore");
        return CLAIM_IN_USE;
    }
    r = read_view(call);
    if (r < 0)
        return r;
    node = owner_node(call, owner, why);
    if (!node)
        return owner->key != 0 && call->config.preempt_unknown ? CLAIM_FENCED : CLAIM_IN_USE;
    if (node->id == call->view.own_id)
        return CLAIM_RELEASED;
    if (text_equal(node->name, call->judged))
        return call->judgement;
    /* Unfencing and fencing leave a reservation, too, which proves no use of the volume; a system ID is left by its holder alone. */
    r = holder_judge(volume->instance, call->record_known ? &call->record : NULL, node->name, owner->key != 0, cluster_deadline(volume), why);
    if (r < 0)
        return volume_fail(volume, -ENOTCONN, "whether node %s was fenced is not known: %s", node->name, holder_error_text(r));
    return r == HOLDER_FENCED ? CLAIM_FENCED : r == HOLDER_RELEASED ? CLAIM_RELEASED : CLAIM_IN_USE;
}

/* Tells this boot from an earlier one: the marker of an earlier one is of a node that has not had the volume since. */
static int read_boot_id(char *buffer, size_t size)
{
    int r = file_read_line("/proc/sys/kernel/random/boot_id", buffer, size);

    return r < 0 ? r : 0;
}

static int announce(struct volume *volume)
{
    struct call *call = volume->authority->context;
    char boot_id[64] = "";
    int r;

    if (!asks_last_holder(call))
        return 0;
    r = read_view(call);
    if (r < 0)
        return r;
    /* The marker first: where it is missing, nobody would release the record. */
    (void)read_boot_id(boot_id, sizeof(boot_id));
    r = file_make_directory(VIGIL_STATEDIR "/holders", 0755);
    if (r == 0)
        r = file_write(call->marker_path, 0600, boot_id, strlen(boot_id));
    if (r < 0)
        return volume_fail(volume, r, "cannot write %s: %s", call->marker_path, strerror(-r));
    r = holder_record_take(volume->instance, own_name(call), &call->record, cluster_deadline(volume));
    return r < 0 ? volume_fail(volume, r, "cannot let the cluster know that this node takes %s: %s", call->config.device, holder_error_text(r)) : 0;
}

/* The node of the record must have released the volume or been fenced since. Returns 0, or -errno with the reason given. */
static int judge_last_holder(struct call *call)
{
    struct volume *volume = &call->volume;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r;

    if (!asks_last_holder(call))
        return 0;
    r = read_view(call);
    if (r < 0)
        return r;
    r = holder_record_read(volume->instance, cluster_deadline(volume), &call->record);
    if (r < 0)
        return volume_fail(volume, r, "who had %s last is not known: %s", call->config.device, holder_error_text(r));
    call->record_known = r == 1;
    if (!call->record_known || !call->record.held || text_equal(call->record.node, own_name(call)))
        return 0;
    r = holder_judge(volume->instance, &call->record, call->record.node, false, cluster_deadline(volume), &why);
    if (r < 0)
        return volume_fail(volume, -ENOTCONN, "whether node %s was fenced is not known: %s", call->record.node, holder_error_text(r));
    if (r == HOLDER_IN_USE)
        return volume_fail(volume, -EBUSY, "%s is not taken: %s", call->config.device, why.text);
    (void)text_copy(call->judged, sizeof(call->judged), call->record.node);
    call->judgement = r == HOLDER_FENCED ? CLAIM_FENCED : CLAIM_RELEASED;
    return 0;
}

/* Nothing of it is in use here any more: says so, where the record has this node's name. */
static void release_record(struct call *call)
{
    struct volume *volume = &call->volume;
    struct holder_record record;
    int r;

    if (call->marker_path[0] == '\0' || access(call->marker_path, F_OK) < 0)
        return;
    r = read_view(call);
    if (r == 0)
        r = holder_record_read(volume->instance, deadline_share(volume->deadline, 90), &record);
    if (r == 1 && record.held && text_equal(record.node, own_name(call))) {
        r = holder_record_release(volume->instance, &record, deadline_share(volume->deadline, 90));
    }
    if (r == -ESTALE) {
        log_warning("%s is released here; the cluster's record is left as it is: %s", volume->instance, holder_error_text(r));
        return;
    }
    if (r < 0) {
        log_warning("%s is released, but the cluster's record could not be told: %s; another node will refuse it until a probe on this one has", volume->instance,
                    holder_error_text(r));
        return;
    }
    (void)unlink(call->marker_path);
}

/* A probe that has seen the volume stopped, on a node that was started again since it had it. */
static void release_record_of_earlier_boot(struct call *call)
{
    char boot_id[64] = "", noted[64] = "";

    if (call->marker_path[0] == '\0' || file_read_line(call->marker_path, noted, sizeof(noted)) < 0)
        return;
    if (read_boot_id(boot_id, sizeof(boot_id)) == 0 && !text_equal(boot_id, noted))
        release_record(call);
}

static void set_authority(struct call *call)
{
    char name[STORAGE_NAME_SIZE];

    call->authority = (struct volume_authority){ .own_key = tell_own_key, .judge_owner = judge_owner, .announce = announce, .context = call };
    call->volume.authority = &call->authority;
    if (!asks_last_holder(call) ||
        text_format(call->marker_path, sizeof(call->marker_path), VIGIL_STATEDIR "/holders/%s", storage_name_path(call->volume.instance, name)) < 0)
        call->marker_path[0] = '\0';
}

static void call_begin(struct call *call, const struct agent_run *run, const void *config)
{
    call->config = *(const struct volume_config *)config;
    /* The choices are a boolean in all its spellings, and "safe". */
    call->config.force_unmount = strchr("tsy1", force_policies[call->config.force_unmount][0]) || text_equal(force_policies[call->config.force_unmount], "on")
                                     ? FORCE_YES : FORCE_NO;
    call->config.reservation = reservation_types[call->config.reservation];
    (void)volume_open(&call->volume, &call->config, run->deadline);
    if (agent_state_path(run, NULL, call->state_path, sizeof(call->state_path)) < 0)
        call->state_path[0] = '\0';
    volume_read_state(&call->volume, call->state_path);
    call->volume.instance = run->instance;
    /* What a probe calls absent may be mounted on another node. */
    call->volume.search = run->probe || text_equal(run->action->name, "start");
    call->volume.node = uname(&call->host) == 0 ? call->host.nodename : "node";
    set_authority(call);
}

/* What the note of the start says is watched: the same at every monitor, so that a registration that stands is found to stand. */
static void keep_watched(struct agent_run *run, struct call *call)
{
    const struct volume_state *state = &call->volume.state;
    char disks[VOLUME_STATE_DISKS][24];
    struct watch_registration registration;
    struct watch_item *item;

    volume_read_state(&call->volume, call->state_path);
    if (!call->config.watch)
        (void)watch_withdraw(run); /* of before a reload */
    if (!call->config.watch || !call->volume.state_known)
        return;
    watch_begin(run, &registration);
    item = watch_registration_add(&registration, WATCH_MOUNT, call->volume.directory);
    item->device = state->superblock;
    item->writable = volume_wants_write(&call->volume);
    if (state->block != 0) {
        watch_registration_add(&registration, WATCH_DEVICE, call->config.device)->device = state->block;
        item = watch_registration_add(&registration, WATCH_LATENCY, call->config.device);
        item->device = state->block;
        item->deadline_ms = call->config.io_timeout_ms;
    }
    for (unsigned int i = 0; call->config.reservation != RESERVATION_NONE && state->key != 0 && i < state->disk_count; i++) {
        (void)text_format(disks[i], sizeof(disks[i]), "%u:%u", major(state->disks[i].number), minor(state->disks[i].number));
        item = watch_registration_add(&registration, WATCH_RESERVATION, disks[i]);
        if (!item)
            break;
        item->device = state->disks[i].number;
        item->key = state->key;
    }
    (void)watch_keep(run, &registration);
}

static enum ocf_code volume_monitor(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    int status;

    call_begin(&call, run, config);
    call.volume.check_only = true;
    status = volume_check(&call.volume, run->depth);
    if (status == VOLUME_UP && !run->probe)
        keep_watched(run, &call);
    if (status == VOLUME_UP && call.volume.degraded.length > 0 && !run->probe)
        return agent_fail(run, OCF_DEGRADED, "%s", call.volume.degraded.text);
    if (status == VOLUME_UP)
        return OCF_SUCCESS;
    if (status == VOLUME_DOWN && run->probe)
        release_record_of_earlier_boot(&call);
    if (status == VOLUME_DOWN)
        return run->probe ? OCF_NOT_RUNNING
                          : agent_fail(run, OCF_NOT_RUNNING, "%s is not mounted on %s any more: something other than the cluster unmounted it",
                                       call.config.device, call.volume.directory);
    if (status == -ENOSPC)
        return agent_fail(run, OCF_DEGRADED, "%s", reason(&call.volume, status));
    return agent_fail(run, OCF_ERR_GENERIC, "%s", reason(&call.volume, status));
}

static enum ocf_code refuse(struct agent_run *run, const struct volume *volume, enum ocf_code code, const char *why)
{
    /* The reason first: the time may be all but used up. */
    (void)agent_fail(run, code, "%s", why);
    (void)agent_record(run->agent->name, run->instance, "refuse-mount", "%s on %s: %s", volume->config->device, volume->directory, why);
    return code;
}

static enum ocf_code require_quorum(struct agent_run *run, const struct volume *volume)
{
    _cleanup_free_ char *why = NULL;
    int r;

    if (volume->config->quorum == QUORUM_IGNORE)
        return OCF_SUCCESS;
    r = quorum_look(deadline_within(run->deadline, QUORUM_LIMIT_MS));
    if (r == 1)
        return OCF_SUCCESS;
    if (r == 0)
        why = text_printf("this node has no quorum: %s is not mounted, since another partition may have it mounted", volume->config->device);
    else
        why = text_printf("whether this node has quorum is not known (%s): %s is not mounted; outside of a cluster, set quorum=ignore",
                          quorum_error_text(r), volume->config->device);
    return refuse(run, volume, OCF_ERR_GENERIC, why ? why : "no quorum");
}

/* One start or stop of a resource at a time; a monitor never waits for them. */
static int lock_volume(const struct call *call, struct deadline deadline)
{
    char path[PATH_MAX + 8];

    if (text_format(path, sizeof(path), "%s.lock", call->state_path) < 0 || call->state_path[0] == '\0')
        return -EINVAL;
    return file_lock(path, deadline);
}

static enum ocf_code fail_lock(struct agent_run *run, const struct call *call, int error)
{
    if (error == -ETIMEDOUT)
        return agent_fail(run, OCF_ERR_GENERIC, "another start or stop of %s has not ended", run->instance);
    return agent_fail(run, OCF_ERR_GENERIC, "cannot make or lock %s.lock: %s; is " VIGIL_RUNDIR " full or read-only?",
                      call->state_path[0] ? call->state_path : VIGIL_RUNDIR, strerror(-error));
}

static enum ocf_code bring_up(struct agent_run *run, struct call *call)
{
    struct volume *volume = &call->volume;
    uint64_t begin = deadline_now_ms();
    enum ocf_code code = require_quorum(run, volume);
    int r;

    if (code != OCF_SUCCESS)
        return code;
    r = judge_last_holder(call);
    volume_time(volume, "cluster", begin);
    if (r == 0)
        r = volume_up(volume);
    if (r < 0)
        return refuse(run, volume, code_of(r), reason(volume, r));
    log_notice("up in %" PRIu64 " ms: %s", deadline_now_ms() - begin, volume->times.text ? volume->times.text : "");
    (void)agent_record(run->agent->name, run->instance, "mount", "%s (%s, %s %s) on %s, quorum %s", call->config.device,
                       volume->bind ? "folder" : volume->network ? "server" : volume->device.path, volume->mount.type, volume->superblock.uuid, volume->directory,
                       quorum_policies[call->config.quorum]);
    return OCF_SUCCESS;
}

static enum ocf_code volume_start(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    _cleanup_close_ int lock_fd = -1;
    enum ocf_code code;
    int status;

    call_begin(&call, run, config);
    lock_fd = lock_volume(&call, run->deadline);
    if (lock_fd < 0)
        return fail_lock(run, &call, lock_fd);
    status = volume_check(&call.volume, 0);
    if (status == VOLUME_UP)
        keep_watched(run, &call);
    if (status == VOLUME_UP)
        return OCF_SUCCESS;
    if (status < 0)
        return refuse(run, &call.volume, code_of(status), reason(&call.volume, status));
    code = bring_up(run, &call);
    if (code == OCF_SUCCESS)
        keep_watched(run, &call);
    return code;
}

static enum ocf_code volume_stop(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    _cleanup_close_ int lock_fd = -1;
    int r;

    /* Nobody is to take what follows for a failure. */
    (void)watch_withdraw(run);
    call_begin(&call, run, config);
    lock_fd = lock_volume(&call, run->deadline);
    /* A lock that can't be made (a full disk) is no reason to leave the volume mounted; only another action that goes on is. */
    if (lock_fd == -ETIMEDOUT)
        return fail_lock(run, &call, lock_fd);
    if (lock_fd < 0)
        log_warning("stops %s without its lock in " VIGIL_RUNDIR ": %s", run->instance, strerror(-lock_fd));
    r = volume_down(&call.volume);
    if (r < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "%s", reason(&call.volume, r));
    release_record(&call);
    if (call.volume.mount.mounted)
        (void)agent_record(run->agent->name, run->instance, "release", "%s from %s: seen out of the mount table%s", call.config.device,
                           call.volume.directory, call.volume.bind || call.volume.network ? "" : ", and the device is free");
    return OCF_SUCCESS;
}

/* Every action reads the parameters anew: there is nothing to apply. */
static enum ocf_code volume_reload(struct agent_run *run _unused_, const void *config _unused_)
{
    return OCF_SUCCESS;
}

static const struct agent_action actions[] = {
    { "start", volume_start, .timeout_s = 60 },
    { "stop", volume_stop, .timeout_s = 60 },
    { "monitor", volume_monitor, .timeout_s = 40, .interval_s = 20 },
    { "monitor", volume_monitor, .timeout_s = 40, .interval_s = 60, .depth = 10 },
    { "monitor", volume_monitor, .timeout_s = 40, .interval_s = 120, .depth = 20 },
    { "status", volume_monitor, .timeout_s = 40 },
    { "reload-agent", volume_reload, .timeout_s = 10 },
    {}
};

static const struct agent agent = {
    .name = "san-volume",
    .shortdesc = "file system on a shared device",
    .longdesc = "Mounts a file system of a shared device (SAN, DRBD, cloud disk) on the node where it is to be used, and on no other.\n\n"
                "Below the file system, where asked for: iSCSI sessions, multipath maps, persistent reservations (SCSI-3, NVMe), an LVM volume group. NFS and CIFS are "
                "mounted likewise. A monitor reports lost paths and sessions as degraded (190), and a lost reservation, hung I/O or a file system that turned read-only as a failure.\n\n"
                "Before a mount the node must have quorum, the device must be the one that was named and hold the file system that was named. A stop succeeds "
                "only when the kernel has let go of the device.\n\n"
                "Takes the parameters of ocf:heartbeat:Filesystem. OCF_CHECK_LEVEL 0 looks at the mount, 10 reads from the device, 20 writes and reads a file.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct volume_config),
    .depths = depths,
    .check_config = check_config,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
