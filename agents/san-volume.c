/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * san-volume: a file system on a shared device, as one resource made of layers (storage/volume.h).
 *
 * Running means: the mount point shows the file system of this very device, as writable as asked, and the kernel still has the device; with
 * OCF_CHECK_LEVEL 10 the device also answers a read at a random place, with 20 a file on it can be written and read back.
 *
 * Stop has succeeded when no mount of it is left in the mount table and the kernel lets the device be opened exclusively: a mount in
 * another namespace, or one that was taken out of the tree in use, still writes, and is a failed stop.
 */
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/agent.h"
#include "base/file.h"
#include "cluster/quorum.h"
#include "storage/mount_release.h"
#include "storage/volume.h"

/* Corosync answers within milliseconds; while it forms a membership, within a few seconds. */
#define QUORUM_LIMIT_MS 5000

enum quorum_policy { QUORUM_REQUIRE, QUORUM_IGNORE };

static const char *const fsck_policies[] = { "auto", "force", "no", NULL };
static const char *const quorum_policies[] = { "require", "ignore", NULL };
static const char *const force_policies[] = { "true", "safe", "false", "yes", "no", "on", "off", "1", "0", NULL };

static int check_device(const char *text, struct text_buffer *why)
{
    struct device_name name;

    if (device_name_parse(text, &name) == 0)
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

/* Storage on the network is not a device of this node; those layers are not part of this agent yet. */
static int check_type(const char *text, struct text_buffer *why)
{
    static const char *const network[] = { "nfs", "nfs4", "cifs", "smb3", "smbfs", "glusterfs", "ceph", "efs", "9p" };

    for (size_t i = 0; i < ARRAY_SIZE(network); i++) {
        if (text_equal(text, network[i])) {
            text_buffer_printf(why, "a file system on a block device is wanted (ext4, xfs, btrfs, ...); network file systems are not managed by this agent");
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
                  "below /dev/disk or /dev/mapper. Tags are verified by reading the disk. With options=bind: the folder that is mounted elsewhere." },
    { "directory", PARAM_PATH(struct volume_config, directory), .required = true, .unique_group = "directory",
      .shortdesc = "mount point", .longdesc = "Made when it is missing." },
    { "fstype", PARAM_TEXT(struct volume_config, type), .check = check_type,
      .shortdesc = "type of the file system",
      .longdesc = "ext4, xfs, btrfs and other types of block devices. A device that holds another type is not mounted. Without it, what is found on the device." },
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
    if (run->clone && !asked->force_clones && !volume.bind)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s on %s would run as a clone, which destroys a local file system: remove the clone, or set force_clones=true where every node has a device of its own",
                          asked->type ? asked->type : "a file system", asked->device);
    return OCF_SUCCESS;
}

/* What an action works on; the texts stay valid as long as it. */
struct call {
    struct volume_config config;
    struct volume volume;
    char state_path[PATH_MAX];
    struct utsname host;
};

static void call_end(struct call *call)
{
    log_notes(&call->volume);
    volume_close(&call->volume);
}
#define _cleanup_call_ _cleanup_(call_end)

static void call_begin(struct call *call, const struct agent_run *run, const void *config)
{
    call->config = *(const struct volume_config *)config;
    /* The choices are a boolean in all its spellings, and "safe". */
    call->config.force_unmount = strchr("tsy1", force_policies[call->config.force_unmount][0]) || text_equal(force_policies[call->config.force_unmount], "on")
                                     ? FORCE_YES : FORCE_NO;
    (void)volume_open(&call->volume, &call->config, run->deadline);
    if (agent_state_path(run, NULL, call->state_path, sizeof(call->state_path)) < 0)
        call->state_path[0] = '\0';
    volume_read_state(&call->volume, call->state_path);
    call->volume.instance = run->instance;
    /* What a probe calls absent may be mounted on another node. */
    call->volume.search = run->probe || text_equal(run->action->name, "start");
    call->volume.node = uname(&call->host) == 0 ? call->host.nodename : "node";
}

static enum ocf_code volume_monitor(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    int status;

    call_begin(&call, run, config);
    call.volume.check_only = true;
    status = volume_check(&call.volume, run->depth);
    if (status == VOLUME_UP)
        return OCF_SUCCESS;
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
    enum ocf_code code = require_quorum(run, volume);
    int r;

    if (code != OCF_SUCCESS)
        return code;
    r = volume_up(volume);
    if (r < 0)
        return refuse(run, volume, code_of(r), reason(volume, r));
    (void)agent_record(run->agent->name, run->instance, "mount", "%s (%s, %s %s) on %s, quorum %s", call->config.device,
                       volume->bind ? "folder" : volume->device.path, volume->mount.type, volume->superblock.uuid, volume->directory,
                       quorum_policies[call->config.quorum]);
    return OCF_SUCCESS;
}

static enum ocf_code volume_start(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    _cleanup_close_ int lock_fd = -1;
    int status;

    call_begin(&call, run, config);
    lock_fd = lock_volume(&call, run->deadline);
    if (lock_fd < 0)
        return fail_lock(run, &call, lock_fd);
    status = volume_check(&call.volume, 0);
    if (status == VOLUME_UP)
        return OCF_SUCCESS;
    if (status < 0)
        return refuse(run, &call.volume, code_of(status), reason(&call.volume, status));
    return bring_up(run, &call);
}

static enum ocf_code volume_stop(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    _cleanup_close_ int lock_fd = -1;
    int r;

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
    if (call.volume.mount.mounted)
        (void)agent_record(run->agent->name, run->instance, "release", "%s from %s: seen out of the mount table%s", call.config.device,
                           call.volume.directory, call.volume.bind ? "" : ", and the device is free");
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
