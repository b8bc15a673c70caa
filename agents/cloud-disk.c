/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud-disk: a cloud's data disk on the instance that is active, as a stable device for a volume agent on top.
 *
 * Running means: the disk was seen attached to this instance by the cloud, the kernel has the very device that was verified by its serial number then, and the
 * link leads to it. A monitor asks the kernel alone; with OCF_CHECK_LEVEL 10 the cloud must have said so within api_age.
 *
 * Stop has succeeded when nobody on this node holds the device, what was cached for it is written, the cloud says in two consistent reads that the disk is not on this
 * instance, and the kernel has no such device any more. Where nothing was begun since this node started and the kernel has no such
 * device, it is stopped already.
 *
 * A disk that another instance has is taken only with the proof that its node was fenced after it took hold (cluster/takeover.h).
 */
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/file.h"
#include "cloud/cloud_params.h"
#include "cloud/disk_note.h"
#include "cloud/instance_name.h"
#include "cluster/holder_record.h"
#include "cluster/membership.h"
#include "cluster/quorum.h"
#include "cluster/takeover.h"
#include "storage/device_io.h"
#include "storage/disk_serial.h"
#include "storage/storage_call.h"

/* Corosync answers within milliseconds; while it forms a membership, within a few seconds. */
#define QUORUM_LIMIT_MS 5000
/* Between two reads that have to agree. */
#define READ_AGAIN_MS 1000
/* How late a request to attach that was not answered is thought to have its effect. */
#define LATE_ATTACH_MS 20000
/* For one question to Pacemaker, which answers at once or is not there. */
#define RECORD_LIMIT_MS 5000
#define GIB (UINT64_C(1) << 30)

struct disk_config {
    struct cloud_params cloud;
    struct instance_naming naming;
    const char *volume, *device_name, *link;
    uint64_t size_bytes, device_timeout_ms, api_age_ms, clock_tolerance_ms, fence_age_ms;
};

static int check_device_name(const char *text, struct text_buffer *why)
{
    const char *name = text_after(text, "/dev/");

    if (!name)
        name = text;
    if (name[0] != '\0' && strlen(name) < 32 && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0')
        return 0;
    text_buffer_printf(why, "a device name as the cloud's API takes it is wanted, such as /dev/sdf");
    return -EINVAL;
}

static const struct param params[] = {
    { "volume", PARAM_TEXT(struct disk_config, volume), .required = true, .unique_group = "volume", .aliases = NAMES("volume_id", "disk_id"),
      .check = cloud_id_check, .shortdesc = "Id of the disk: vol-..., d-..., disk-..., or a UUID" },
    { "link", PARAM_PATH(struct disk_config, link), .unique_group = "link", .shortdesc = "Symbolic link that leads to the device while it is here",
      .longdesc = "What the volume agent on top is given as its device. When not set: " VIGIL_RUNDIR "/disk/ and the disk's id. It is made only after the device's "
                  "serial number was verified, and taken away by the stop." },
    { "device_name", PARAM_TEXT(struct disk_config, device_name), .check = check_device_name, .shortdesc = "Device name to ask the cloud for",
      .longdesc = "AWS wants one, such as /dev/sdf; a free one is chosen where none is set. Other clouds choose by themselves. The kernel's name does not depend on it." },
    { "size", PARAM_SIZE(struct disk_config, size_bytes), .shortdesc = "Size that the disk must have",
      .longdesc = "A guard against a wrong id: another size is a configuration error. When not set, any." },
    { "hosts", PARAM_TEXT(struct disk_config, naming.hosts), .aliases = NAMES("pcmk_host_map"), .check = instance_hosts_check,
      .shortdesc = "Which instance is which node: NODE=INSTANCE pairs",
      .longdesc = "Needed to take the disk from a failed node, since Pacemaker knows nodes and the cloud knows instances: \"n1=i-0123 n2=i-4567\". Without it, an "
                  "instance's name (or its tag host_tag) is its node's name, and no other instance may bear it." },
    { "host_tag", PARAM_TEXT(struct disk_config, naming.tag), .shortdesc = "Tag of the instances that holds the node's name" },
    { "device_timeout", PARAM_DURATION(struct disk_config, device_timeout_ms), .default_value = "60", .minimum = 1000, .maximum = 3600000,
      .shortdesc = "How long a start waits for the kernel to show an attached disk" },
    { "api_age", PARAM_DURATION(struct disk_config, api_age_ms), .default_value = "300", .minimum = 1000, .maximum = 86400000, .reloadable = true,
      .shortdesc = "How old the cloud's word may be",
      .longdesc = "A monitor with OCF_CHECK_LEVEL 10 asks the cloud anew when its last word is older than half of this. Where the cloud can't be asked, the last "
                  "word counts until it is this old; then the monitor fails." },
    { "clock_tolerance", PARAM_DURATION(struct disk_config, clock_tolerance_ms), .default_value = "10", .minimum = 0, .maximum = 3600000, .advanced = true,
      .shortdesc = "How far the cloud's and the nodes' clocks may be apart",
      .longdesc = "A fencing proves something only when it is later than the attachment by more than this." },
    { "fence_age", PARAM_DURATION(struct disk_config, fence_age_ms), .default_value = "600", .minimum = 1000, .maximum = 86400000, .advanced = true,
      .shortdesc = "How old a fencing may be where the cloud does not tell when a disk was attached",
      .longdesc = "Tencent Cloud does not tell it." },
    CLOUD_PARAMS(struct disk_config, cloud),
    {}
};

static const unsigned int depths[] = { 0, 10, UINT_MAX };

/* ---- what an action works on ---------------------------------------------------------------------------------------------------- */

struct call {
    struct agent_run *run;
    const struct disk_config *config;
    struct cloud *cloud; /* NULL until it is asked for the first time */
    struct cloud_self self;
    struct cloud_disk disk;       /* the cloud's last word */
    struct disk_identity device;  /* the kernel's */
    struct disk_note note;
    struct disk_serials serials;
    bool attach_open;             /* a request to attach was sent, and what became of it was not seen */
    char note_path[PATH_MAX], link[PATH_MAX];
};

static void call_end(struct call *call)
{
    cloud_close(call->cloud);
}
#define _cleanup_call_ _cleanup_(call_end)

static void read_note(struct call *call)
{
    _cleanup_free_ char *text = NULL;
    size_t length;

    if (call->note_path[0] && file_read(call->note_path, DISK_NOTE_LIMIT, &text, &length) == 0 &&
        disk_note_parse(text, length, &call->note) == 0 && text_equal(call->note.volume, call->config->volume))
        return;
    call->note = (struct disk_note){ 0 };
    (void)text_copy(call->note.volume, sizeof(call->note.volume), call->config->volume);
    /* A note that can't be read is not "nothing was begun". */
    if (text || (call->note_path[0] && access(call->note_path, F_OK) == 0) || !call->note_path[0])
        call->note.phase = DISK_PHASE_DETACHING;
}

static void call_begin(struct call *call, struct agent_run *run, const void *config)
{
    *call = (struct call){ .run = run, .config = config };
    if (agent_state_path(run, NULL, call->note_path, sizeof(call->note_path)) < 0)
        call->note_path[0] = '\0';
    if (call->config->link)
        (void)text_copy(call->link, sizeof(call->link), call->config->link);
    else
        (void)text_format(call->link, sizeof(call->link), VIGIL_RUNDIR "/disk/%s", call->config->volume);
    disk_serials_of_id(call->config->volume, &call->serials);
    read_note(call);
    call->device = (struct disk_identity){ .device.number = makedev(call->note.major, call->note.minor),
                                           .sequence = call->note.sequence, .size_bytes = call->note.size_bytes };
    (void)text_copy(call->device.device.path, sizeof(call->device.device.path), call->note.device);
    (void)text_copy(call->device.serial, sizeof(call->device.serial), call->note.serial);
}

static int write_note(struct call *call, enum disk_phase phase)
{
    char text[DISK_NOTE_LIMIT];
    int length;

    call->note.phase = phase;
    length = disk_note_format(&call->note, text, sizeof(text));
    return length < 0 ? length : call->note_path[0] ? file_write(call->note_path, 0600, text, (size_t)length) : -EINVAL;
}

static enum ocf_code begin_phase(struct call *call, enum disk_phase phase)
{
    int r = write_note(call, phase);

    return r == 0 ? OCF_SUCCESS
                  : agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: its note in " VIGIL_RUNDIR " cannot be written: %s; is it full or read-only?",
                               call->config->volume, strerror(-r));
}

/* Whether the link's name is free for ours: 1 nothing has it, 0 a link to a device has it, -EEXIST something else (a file, a link to one), -errno. */
static int look_at_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof(target) - 1);

    if (length < 0)
        return errno == ENOENT ? 1 : errno == EINVAL ? -EEXIST : -errno;
    target[length] = '\0';
    return text_after(target, "/dev/") ? 0 : -EEXIST;
}

/* Nothing of it is here any more. Where a request to attach may have its effect after all, a note stays: each probe asks the cloud then, and the next stop takes away what it
 * finds. */
static void forget(struct call *call)
{
    if (look_at_link(call->link) == 0)
        (void)unlink(call->link);
    if (call->attach_open)
        (void)write_note(call, DISK_PHASE_DETACHING);
    else if (call->note_path[0])
        (void)unlink(call->note_path);
}

/* One start or stop of a resource at a time; a monitor never waits for them. Returns a descriptor or -errno. */
static int lock_disk(const struct call *call)
{
    char path[PATH_MAX + 8];

    if (agent_state_path(call->run, "lock", path, sizeof(path)) < 0)
        return -EINVAL;
    return file_lock(path, call->run->deadline);
}

/* ---- asking the cloud ----------------------------------------------------------------------------------------------------------- */

/* Says what the cloud has refused or could not tell, each cause with its own words and remedy. */
static enum ocf_code fail_cloud(struct call *call, const char *doing)
{
    const struct cloud_failure *failure = cloud_failure(call->cloud);
    const char *volume = call->config->volume;

    switch (failure->error) {
    case CLOUD_WRONG_ZONE:
        return agent_fail(call->run, OCF_ERR_INSTALLED, "disk %s is in zone %s, this instance in %s: a disk can't leave its zone; keep the resource to nodes of that "
                          "zone by a location constraint", volume, call->disk.zone[0] ? call->disk.zone : "?", call->self.zone[0] ? call->self.zone : "?");
    case CLOUD_QUOTA:
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: no room for one more disk on this instance, or a quota is used up: detach another, or raise the limit (%s)",
                          volume, failure->text);
    case CLOUD_DEVICE_NAME:
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: device name %s is taken on this instance: set another device_name, or none (%s)", volume,
                          call->config->device_name ? call->config->device_name : "(chosen)", failure->text);
    case CLOUD_IN_USE:
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is with another instance: it was attached there meanwhile (%s)", volume, failure->text);
    case CLOUD_NOT_FOUND:
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the cloud knows no such disk in this region: correct volume or region (%s)", volume, failure->text);
    default:
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: %s: %s", volume, doing, failure->text);
    }
}

static enum ocf_code open_cloud(struct call *call, bool urgent)
{
    const char *hazard = cloud_params_hazard(&call->config->cloud);
    struct cloud_failure failure;

    if (call->cloud)
        return OCF_SUCCESS;
    if (hazard)
        log_warning("%s", hazard);
    if (cloud_params_open(&call->config->cloud, urgent, call->run->deadline, &call->cloud, &failure) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the cloud cannot be asked: %s", call->config->volume, failure.text);
    return OCF_SUCCESS;
}

static enum ocf_code know_self(struct call *call)
{
    if (cloud_self(call->cloud, call->run->deadline, &call->self) < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: which instance this is could not be told: %s", call->config->volume,
                          cloud_failure(call->cloud)->text);
    (void)text_copy(call->note.instance, sizeof(call->note.instance), call->self.instance);
    return OCF_SUCCESS;
}

static enum ocf_code look(struct call *call)
{
    return cloud_disk_get(call->cloud, call->config->volume, call->run->deadline, &call->disk) < 0 ? fail_cloud(call, "it cannot be looked at")
                                                                                                    : OCF_SUCCESS;
}

static enum ocf_code reach_disk(struct call *call, bool urgent)
{
    enum ocf_code code = open_cloud(call, urgent);

    if (code == OCF_SUCCESS)
        code = know_self(call);
    return code == OCF_SUCCESS ? look(call) : code;
}

static const struct cloud_attachment *own_attachment(const struct call *call)
{
    return cloud_disk_attachment(&call->disk, call->self.instance);
}

/* What would make an attach fail, or succeed with the wrong disk. */
static enum ocf_code check_disk(struct call *call)
{
    const struct cloud_disk *disk = &call->disk;
    const char *volume = call->config->volume;

    if (disk->state == CLOUD_DISK_ERROR || disk->state == CLOUD_DISK_DELETED || disk->state == CLOUD_DISK_CREATING)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is in state '%s' and can't be used: look at it in the cloud's console", volume, disk->state_text);
    if (call->config->size_bytes && !disk->size_gib)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the cloud does not tell its size, which has to be compared with size", volume);
    if (call->config->size_bytes && disk->size_gib * GIB != call->config->size_bytes)
        return agent_fail(call->run, OCF_ERR_CONFIGURED, "disk %s has %llu GiB, and size says %llu GiB: is it the right disk? correct volume or size", volume,
                          (unsigned long long)disk->size_gib, (unsigned long long)(call->config->size_bytes / GIB));
    if (disk->zone[0] && call->self.zone[0] && !text_equal(disk->zone, call->self.zone))
        return agent_fail(call->run, OCF_ERR_INSTALLED, "disk %s is in zone %s, this instance in %s: a disk can't leave its zone; keep the resource to nodes of that "
                          "zone by a location constraint", volume, disk->zone, call->self.zone);
    return OCF_SUCCESS;
}

/* ---- taking the disk from another instance -------------------------------------------------------------------------------------- */

static enum ocf_code refuse(struct call *call, const char *instance, const char *node, const char *why)
{
    (void)agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is on instance %s (%s), not proven fenced: %s", call->config->volume, instance,
                     node[0] ? node : "node unknown", why);
    (void)agent_record(call->run->agent->name, call->run->instance, "refuse-detach", "%s from %s (%s): %s", call->config->volume, instance, node, why);
    return OCF_ERR_GENERIC;
}

/* Off in two reads. What can't be told is not off. */
static bool instance_is_off(struct call *call, const char *id)
{
    for (int i = 0; i < 2; i++) {
        struct cloud_instance instance;

        if (i > 0 && deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
            return false;
        if (cloud_instance_get(call->cloud, id, NULL, call->run->deadline, &instance) < 0 || !text_equal(instance.id, id))
            return false;
        if (instance.power != CLOUD_POWER_STOPPED && instance.power != CLOUD_POWER_TERMINATED)
            return false;
    }
    return true;
}

/* Corosync's word that this side of a split may act. */
static int require_quorum(struct call *call, struct text_buffer *why)
{
    int r = quorum_look(deadline_within(call->run->deadline, QUORUM_LIMIT_MS));

    if (r == 1)
        return 0;
    text_buffer_printf(why, r == 0 ? "this node has no quorum%s" : "whether this node has quorum is not known: %s", r == 0 ? "" : quorum_error_text(r));
    return r < 0 ? r : -EPERM;
}

/* Whether the node of that instance was fenced after it took the disk. Returns OCF_SUCCESS only when that is proven. */
static enum ocf_code prove_fenced(struct call *call, const struct cloud_attachment *holder)
{
    const struct disk_config *config = call->config;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    struct takeover_facts facts = { .held_since_s = holder->since, .tolerance_s = config->clock_tolerance_ms / 1000, .fresh_s = config->fence_age_ms / 1000 };
    char node[256] = "";
    int r = instance_find_node(call->cloud, &config->naming, holder->instance, call->run->deadline, node, sizeof(node), &why);

    if (r == 0)
        r = require_quorum(call, &why);
    if (r == 0)
        r = takeover_gather(node, call->run->instance, call->run->deadline, &facts, &why);
    if (r == 0 && facts.history == 1 && !facts.joined)
        facts.powered_off = instance_is_off(call, holder->instance);
    if (r < 0 || takeover_judge(&facts, &why) != 1)
        return refuse(call, holder->instance, node, why.text ? why.text : "out of memory");
    log_notice("disk %s is taken from instance %s: %s", config->volume, holder->instance, why.text);
    (void)agent_record(call->run->agent->name, call->run->instance, "force-detach", "%s from %s: %s (fencing by %s at %lld, attached at %lld, quorum)", config->volume,
                       holder->instance, why.text, facts.fencing.delegate, (long long)facts.fencing.completed_s, (long long)holder->since);
    return OCF_SUCCESS;
}

/* Its own stop has asked for it already: give that some time before force is thought of. */
static bool leaves_by_itself(struct call *call, const struct cloud_attachment *holder)
{
    return holder->state == CLOUD_DETACHING &&
           cloud_disk_await(call->cloud, call->config->volume, holder->instance, false, deadline_share(call->run->deadline, 40), &call->disk) == 0;
}

static enum ocf_code take_from(struct call *call, struct cloud_attachment holder)
{
    const char *volume = call->config->volume;
    enum ocf_code code;

    if (leaves_by_itself(call, &holder))
        return OCF_SUCCESS;
    code = prove_fenced(call, &holder);
    if (code != OCF_SUCCESS)
        return code;
    if (cloud_disk_detach(call->cloud, volume, holder.instance, true, call->run->deadline) < 0 && !cloud_failure(call->cloud)->maybe_done &&
        cloud_failure(call->cloud)->error != CLOUD_ALREADY)
        return fail_cloud(call, "it cannot be detached from the fenced instance");
    if (cloud_disk_await(call->cloud, volume, holder.instance, false, call->run->deadline, &call->disk) < 0)
        return fail_cloud(call, "it was not seen detached from the fenced instance");
    return OCF_SUCCESS;
}

/* Nobody else has the disk, or it may be with several. */
static enum ocf_code free_disk(struct call *call)
{
    while (!call->disk.multi_attach) {
        const struct cloud_attachment *holder = NULL;
        enum ocf_code code;

        for (size_t i = 0; i < call->disk.attachment_count && !holder; i++) {
            if (!text_equal(call->disk.attachments[i].instance, call->self.instance))
                holder = &call->disk.attachments[i];
        }
        if (!holder)
            return OCF_SUCCESS;
        code = take_from(call, *holder);
        if (code == OCF_SUCCESS)
            code = look(call);
        if (code != OCF_SUCCESS)
            return code;
    }
    return OCF_SUCCESS;
}

/* ---- the cluster's record of who has the disk ----------------------------------------------------------------------------------- */

/* This node's name, where it is one of a cluster. */
static bool know_own_name(const struct call *call, char *ret, size_t size)
{
    struct cluster_view view;
    const struct cluster_node *own = NULL;

    if (cluster_view_read(&view, deadline_within(call->run->deadline, QUORUM_LIMIT_MS)) == 0)
        own = cluster_view_node_of_id(&view, view.own_id);
    return own && own->name[0] && text_copy(ret, size, own->name) > 0;
}

/* Says in the cluster's configuration that this node takes the disk, and which of its fencings it knows of: whoever wants it next compares that with the history, by the same
 * clocks. Where that can't be said, the cloud's time of the attachment is what is left. */
static void record_holder(const struct call *call)
{
    struct holder_record seen;
    char name[CLUSTER_NAME_MAX];
    int r;

    if (!know_own_name(call, name, sizeof(name)))
        return;
    r = holder_record_read(call->run->instance, deadline_within(call->run->deadline, RECORD_LIMIT_MS), &seen);
    if (r >= 0)
        r = holder_record_take(call->run->instance, name, &seen, deadline_within(call->run->deadline, RECORD_LIMIT_MS));
    if (r < 0)
        log_warning("disk %s: that this node takes it could not be recorded in the cluster: %s", call->config->volume, holder_error_text(r));
}

static void record_release(const struct call *call)
{
    struct holder_record record;
    char name[CLUSTER_NAME_MAX];

    if (!know_own_name(call, name, sizeof(name)) ||
        holder_record_read(call->run->instance, deadline_within(call->run->deadline, RECORD_LIMIT_MS), &record) != 1 || !record.held ||
        !text_equal(record.node, name))
        return;
    (void)holder_record_release(call->run->instance, &record, deadline_within(call->run->deadline, RECORD_LIMIT_MS));
}

/* ---- start ---------------------------------------------------------------------------------------------------------------------- */

/* A detach of an earlier stop that is still under way here. */
static enum ocf_code finish_detach(struct call *call)
{
    const struct cloud_attachment *own = own_attachment(call);

    if (!own || own->state != CLOUD_DETACHING)
        return OCF_SUCCESS;
    if (cloud_disk_await(call->cloud, call->config->volume, call->self.instance, false, call->run->deadline, &call->disk) < 0)
        return fail_cloud(call, "an earlier detach from this instance has not ended");
    return OCF_SUCCESS;
}

static enum ocf_code attach(struct call *call)
{
    const char *volume = call->config->volume;
    enum ocf_code code = finish_detach(call);

    if (code == OCF_SUCCESS && !own_attachment(call))
        code = free_disk(call);
    if (code == OCF_SUCCESS)
        code = begin_phase(call, DISK_PHASE_ATTACHING);
    if (code != OCF_SUCCESS)
        return code;
    record_holder(call);
    if (!own_attachment(call) &&
        cloud_disk_attach(call->cloud, volume, call->self.instance, call->config->device_name, call->run->deadline) < 0 &&
        !cloud_failure(call->cloud)->maybe_done) {
        code = fail_cloud(call, "it cannot be attached");
        (void)write_note(call, DISK_PHASE_DETACHING); /* refused: nothing is under way that a stop would have to wait for */
        return code;
    }
    if (cloud_disk_await(call->cloud, volume, call->self.instance, true, call->run->deadline, &call->disk) < 0)
        return fail_cloud(call, "it was not seen attached");
    call->note.confirmed_ms = deadline_now_ms();
    return OCF_SUCCESS;
}

static enum ocf_code fail_device(struct call *call, int error)
{
    const char *volume = call->config->volume;

    if (error == -ENODEV)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is attached, but no device with its serial number came up: raise device_timeout, or look at the kernel's log", volume);
    if (error == -EEXIST)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: two devices bear its serial number: it is attached twice, or a multipath leg; detach one", volume);
    if (error == -ESTALE)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the device %s bears another serial number than the kernel remembers: restart this node", volume,
                          call->device.device.path);
    return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: its device cannot be looked at: %s", volume, storage_error_text(error));
}

/* The device of the attached disk: the serial number decides, no link does. */
static enum ocf_code await_device(struct call *call)
{
    const char *const told[] = { call->disk.serial, NULL };
    const char *const *wanted = call->disk.serial[0] ? told : call->serials.list;
    int r = disk_wait(wanted, deadline_within(call->run->deadline, call->config->device_timeout_ms), &call->device);

    if (r == 0)
        r = disk_verify(&call->device, call->run->deadline);
    if (r < 0)
        return fail_device(call, r);
    if (call->disk.size_gib && call->device.size_bytes != call->disk.size_gib * GIB)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: %s has %llu bytes, and the cloud says %llu GiB: let the kernel read its size anew, or restart this node",
                          call->config->volume, call->device.device.path, (unsigned long long)call->device.size_bytes, (unsigned long long)call->disk.size_gib);
    return OCF_SUCCESS;
}

/* Makes or moves the link in one step. Returns 0 or -errno; -EEXIST where something that is no link to a device has its name. */
static int make_link(const struct call *call)
{
    char temporary[PATH_MAX + 8], folder[PATH_MAX];
    char *slash;
    int r;

    (void)text_copy(folder, sizeof(folder), call->link);
    slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        r = file_make_directory(folder, 0755);
        if (r < 0)
            return r;
    }
    r = look_at_link(call->link);
    if (r < 0)
        return r;
    (void)text_format(temporary, sizeof(temporary), "%s.new", call->link);
    (void)unlink(temporary);
    if (symlink(call->device.device.path, temporary) < 0 || rename(temporary, call->link) < 0)
        return -errno;
    return 0;
}

static enum ocf_code present(struct call *call)
{
    int r = make_link(call);

    if (r < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the link %s cannot be made: %s", call->config->volume, call->link,
                          r == -EEXIST ? "something that is no link to a device has this name; remove it" : strerror(-r));
    call->note.major = major(call->device.device.number);
    call->note.minor = minor(call->device.device.number);
    call->note.sequence = call->device.sequence;
    call->note.size_bytes = call->device.size_bytes;
    (void)text_copy(call->note.device, sizeof(call->note.device), call->device.device.path);
    (void)text_copy(call->note.serial, sizeof(call->note.serial), call->device.serial);
    return begin_phase(call, DISK_PHASE_ATTACHED);
}

static enum ocf_code bring_up(struct call *call)
{
    enum ocf_code code = reach_disk(call, true);

    if (code == OCF_SUCCESS)
        code = check_disk(call);
    if (code == OCF_SUCCESS)
        code = attach(call);
    if (code == OCF_SUCCESS)
        code = await_device(call);
    if (code == OCF_SUCCESS)
        code = present(call);
    if (code == OCF_SUCCESS)
        (void)agent_record(call->run->agent->name, call->run->instance, "attach", "%s on %s as %s, serial %s", call->config->volume, call->self.instance,
                           call->device.device.path, call->device.serial);
    return code;
}

/* ---- the local look ------------------------------------------------------------------------------------------------------------- */

/* 1 when the noted device is the kernel's still and the link leads to it; 0 when the kernel has not got it; -ESTALE: the link is wrong; -errno. */
static int look_at_noted(const struct call *call)
{
    char target[PATH_MAX];
    ssize_t length;
    int r = disk_is_present(&call->device, call->run->deadline);

    if (r != 1)
        return r;
    length = readlink(call->link, target, sizeof(target) - 1);
    if (length < 0)
        return -ESTALE;
    target[length] = '\0';
    return text_equal(target, call->device.device.path) ? 1 : -ESTALE;
}

/* Whether the kernel has the disk at all, by its serial number, noted or not: 1, 0, -errno. call->device is filled in. */
static int search_device(struct call *call)
{
    const char *const noted[] = { call->note.serial, NULL };
    int r = disk_find(call->note.serial[0] ? noted : call->serials.list, call->run->deadline, &call->device);

    return r == 0 ? 1 : r == -ENODEV ? 0 : r;
}

static enum ocf_code disk_start(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    _cleanup_close_ int lock_fd = -1;

    call_begin(&call, run, config);
    lock_fd = lock_disk(&call);
    if (lock_fd == -ETIMEDOUT)
        return agent_fail(run, OCF_ERR_GENERIC, "disk %s: another start or stop of it has not ended", call.config->volume);
    if (lock_fd < 0)
        return agent_fail(run, OCF_ERR_GENERIC, "disk %s: its lock in " VIGIL_RUNDIR " cannot be had: %s; is it full or read-only?", call.config->volume,
                          strerror(-lock_fd));
    read_note(&call);
    if (call.note.phase == DISK_PHASE_ATTACHED && look_at_noted(&call) == 1)
        return OCF_SUCCESS;
    return bring_up(&call);
}

/* ---- monitor -------------------------------------------------------------------------------------------------------------------- */

/* Nothing of the disk here by the kernel, while something was begun: only the cloud can say what became of it. */
static enum ocf_code ask_about_begun(struct call *call)
{
    enum ocf_code code = reach_disk(call, false);

    if (code != OCF_SUCCESS)
        return code;
    if (!own_attachment(call)) {
        (void)deadline_sleep(call->run->deadline, READ_AGAIN_MS);
        code = look(call);
        if (code != OCF_SUCCESS)
            return code;
    }
    return own_attachment(call) ? agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: a start or stop was cut off half done, and it is attached to this instance: "
                                             "a stop puts it right", call->config->volume)
                                : OCF_NOT_RUNNING;
}

/* Nothing was noted as running. */
static enum ocf_code monitor_unnoted(struct call *call)
{
    int r = search_device(call);

    if (r < 0)
        return fail_device(call, r);
    if (r == 1)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is attached here as %s, but was not started by the cluster since this node started: a stop and a start "
                          "put it right", call->config->volume, call->device.device.path);
    return call->note.phase == DISK_PHASE_NONE ? OCF_NOT_RUNNING : ask_about_begun(call);
}

static enum ocf_code monitor_local(struct call *call)
{
    int r;

    if (call->note.phase != DISK_PHASE_ATTACHED)
        return monitor_unnoted(call);
    r = look_at_noted(call);
    if (r == 1)
        return OCF_SUCCESS;
    if (r == -ESTALE)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the link %s does not lead to %s any more: something changed it; a restart puts it right",
                          call->config->volume, call->link, call->device.device.path);
    if (r < 0)
        return fail_device(call, r);
    if (call->run->probe)
        return ask_about_begun(call);
    return agent_fail(call->run, OCF_NOT_RUNNING, "disk %s: its device %s is gone from this node: something detached it", call->config->volume,
                      call->device.device.path);
}

/* The cloud's word on a disk that the kernel has: asked twice before it is believed against the kernel's. looked: call->disk is a word of just now. */
static enum ocf_code confirm(struct call *call, bool looked)
{
    const struct cloud_attachment *own;
    enum ocf_code code = looked ? OCF_SUCCESS : reach_disk(call, false);

    for (int i = 0; code == OCF_SUCCESS && i < 2; i++) {
        own = own_attachment(call);
        if (own && own->state == CLOUD_ATTACHED && call->disk.state != CLOUD_DISK_ERROR) {
            call->note.confirmed_ms = deadline_now_ms();
            (void)write_note(call, DISK_PHASE_ATTACHED);
            return OCF_SUCCESS;
        }
        if (i == 0)
            (void)deadline_sleep(call->run->deadline, READ_AGAIN_MS);
        code = look(call);
    }
    if (code != OCF_SUCCESS)
        return code;
    own = own_attachment(call);
    if (!own)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the cloud says that it is not on this instance (%s%s): somebody detached it", call->config->volume,
                          call->disk.attachment_count ? "it is on " : call->disk.state_text, call->disk.attachment_count ? call->disk.attachments[0].instance : "");
    return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s is in state '%s' by the cloud's word: look at it in the cloud's console", call->config->volume,
                      call->disk.state_text);
}

static enum ocf_code monitor_cloud(struct call *call)
{
    uint64_t age_ms = deadline_now_ms() - call->note.confirmed_ms, allowed_ms = call->config->api_age_ms;
    struct cloud_failure failure;
    bool young = call->note.confirmed_ms && age_ms <= allowed_ms;

    if (young && age_ms <= allowed_ms / 2)
        return OCF_SUCCESS;
    /* A try that may fail: while the last word is young enough, an API that can't be reached fails nothing. */
    if (young) {
        int r = cloud_params_open(&call->config->cloud, false, call->run->deadline, &call->cloud, &failure);

        if (r == 0 && (cloud_self(call->cloud, call->run->deadline, &call->self) < 0 ||
                       cloud_disk_get(call->cloud, call->config->volume, call->run->deadline, &call->disk) < 0)) {
            failure = *cloud_failure(call->cloud);
            r = -EIO;
        }
        if (r < 0) {
            log_warning("disk %s: the cloud could not be asked (%s); its last word is %llu s old, of at most %llu", call->config->volume, failure.text,
                        (unsigned long long)age_ms / 1000, (unsigned long long)allowed_ms / 1000);
            return OCF_SUCCESS;
        }
    }
    return confirm(call, young);
}

static enum ocf_code disk_monitor(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    enum ocf_code code;

    call_begin(&call, run, config);
    code = monitor_local(&call);
    return code == OCF_SUCCESS && run->depth >= 10 ? monitor_cloud(&call) : code;
}

/* ---- stop ----------------------------------------------------------------------------------------------------------------------- */

static enum ocf_code refuse_held(struct call *call)
{
    int r = device_is_held(&call->device.device, call->run->deadline);

    if (r == 1)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: %s is in use (mounted, or held by LVM, RAID or multipath): stop what uses it first",
                          call->config->volume, call->device.device.path);
    return r == 0 ? OCF_SUCCESS : fail_device(call, r);
}

/* What is cached is written while nobody can add to it. */
static enum ocf_code flush(struct call *call)
{
    enum ocf_code code = refuse_held(call);
    int r;

    if (code != OCF_SUCCESS)
        return code;
    r = disk_flush(&call->device.device, call->run->deadline);
    if (r < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: what is cached for %s could not be written: %s", call->config->volume, call->device.device.path,
                          storage_error_text(r));
    return refuse_held(call);
}

static enum ocf_code detach(struct call *call)
{
    const char *volume = call->config->volume;

    if (own_attachment(call)) {
        enum ocf_code code = begin_phase(call, DISK_PHASE_DETACHING);

        if (code != OCF_SUCCESS)
            log_warning("disk %s: the stop goes on without a note", volume);
        if (own_attachment(call)->state != CLOUD_DETACHING && cloud_disk_detach(call->cloud, volume, call->self.instance, false, call->run->deadline) < 0 &&
            !cloud_failure(call->cloud)->maybe_done && cloud_failure(call->cloud)->error != CLOUD_ALREADY)
            return fail_cloud(call, "it cannot be detached");
    }
    if (cloud_disk_await(call->cloud, volume, call->self.instance, false, call->run->deadline, &call->disk) < 0)
        return fail_cloud(call, "it was not seen detached");
    return OCF_SUCCESS;
}

/* A start that was cut off, or whose request to attach had no answer, may have its effect still to come: a disk that is not here yet is watched for some time. */
static enum ocf_code await_late_attach(struct call *call)
{
    struct deadline until = deadline_within(deadline_share(call->run->deadline, 50), LATE_ATTACH_MS);
    enum ocf_code code = OCF_SUCCESS;

    while (code == OCF_SUCCESS && !own_attachment(call) && deadline_sleep(until, READ_AGAIN_MS) == 0)
        code = look(call);
    return code;
}

/* The kernel has no such device, and the cloud, which knows this instance, says twice that there is no such disk. */
static bool disk_is_deleted(struct call *call)
{
    for (int i = 0; i < 2; i++) {
        if (i > 0 && deadline_sleep(call->run->deadline, READ_AGAIN_MS) < 0)
            return false;
        if (cloud_disk_get(call->cloud, call->config->volume, call->run->deadline, &call->disk) == 0 ||
            !cloud_lacks_thing(call->cloud, call->run->deadline))
            return false;
    }
    return true;
}

static enum ocf_code release(struct call *call, bool here)
{
    enum ocf_code code = open_cloud(call, true);

    if (code == OCF_SUCCESS)
        code = know_self(call);
    if (code != OCF_SUCCESS)
        return code;
    if (!here && disk_is_deleted(call)) {
        log_warning("disk %s: the cloud knows no such disk any more, so it is not here", call->config->volume);
        return OCF_SUCCESS;
    }
    code = look(call);
    if (code == OCF_SUCCESS && call->note.phase == DISK_PHASE_ATTACHING) {
        code = await_late_attach(call);
        call->attach_open = code == OCF_SUCCESS && !own_attachment(call);
    }
    return code == OCF_SUCCESS ? detach(call) : code;
}

static enum ocf_code bring_down(struct call *call, bool here)
{
    enum ocf_code code = here ? flush(call) : OCF_SUCCESS;
    int r = 0;

    if (code == OCF_SUCCESS)
        code = release(call, here);
    if (code != OCF_SUCCESS)
        return code;
    if (here)
        r = disk_wait_gone(&call->device, call->run->deadline);
    if (r < 0)
        return agent_fail(call->run, OCF_ERR_GENERIC, "disk %s: the cloud has detached it, but this kernel still shows %s: %s", call->config->volume,
                          call->device.device.path, r == -ETIMEDOUT ? "timed out" : strerror(-r));
    forget(call);
    record_release(call);
    (void)agent_record(call->run->agent->name, call->run->instance, "detach", "%s from %s: seen detached twice%s", call->config->volume, call->self.instance,
                       here ? ", flushed, and gone from the kernel" : "");
    return OCF_SUCCESS;
}

static enum ocf_code disk_stop(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call;
    _cleanup_close_ int lock_fd = -1;
    int here;

    call_begin(&call, run, config);
    lock_fd = lock_disk(&call);
    /* A lock that can't be made (a full disk) is no reason to leave the disk here; only another action that goes on is. */
    if (lock_fd == -ETIMEDOUT)
        return agent_fail(run, OCF_ERR_GENERIC, "disk %s: another start or stop of it has not ended", call.config->volume);
    if (lock_fd < 0)
        log_warning("stops %s without its lock in " VIGIL_RUNDIR ": %s", run->instance, strerror(-lock_fd));
    read_note(&call);
    here = search_device(&call);
    if (here < 0)
        return fail_device(&call, here);
    if (!here && call.note.phase == DISK_PHASE_NONE) {
        forget(&call);
        return OCF_SUCCESS;
    }
    return bring_down(&call, here);
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------ */

static enum ocf_code check_config(struct agent_run *run, const void *config)
{
    const struct disk_config *asked = config;
    struct cloud_failure failure;

    if (asked->size_bytes % GIB != 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "parameter size is not a whole number of GiB: clouds count disks in GiB");
    if (cloud_params_check(&asked->cloud, &failure) < 0)
        return agent_fail(run, OCF_ERR_CONFIGURED, "%s", failure.text);
    return OCF_SUCCESS;
}

/* At depth 10 the cloud is asked: the key, the permission to look, the disk, its zone and size. */
static enum ocf_code disk_validate(struct agent_run *run, const void *config)
{
    _cleanup_call_ struct call call = { 0 };
    enum ocf_code code;

    if (run->depth < 10)
        return OCF_SUCCESS;
    call_begin(&call, run, config);
    code = reach_disk(&call, false);
    return code == OCF_SUCCESS ? check_disk(&call) : code;
}

/* Every action reads the parameters anew: there is nothing to apply. */
static enum ocf_code disk_reload(struct agent_run *run _unused_, const void *config _unused_)
{
    return OCF_SUCCESS;
}

static const struct agent_action actions[] = {
    { "start", disk_start, .timeout_s = 240 },
    { "stop", disk_stop, .timeout_s = 240 },
    { "monitor", disk_monitor, .timeout_s = 30, .interval_s = 10 },
    { "monitor", disk_monitor, .timeout_s = 60, .interval_s = 60, .depth = 10 },
    { "reload-agent", disk_reload, .timeout_s = 10 },
    { "validate-all", disk_validate, .timeout_s = 60 },
    {}
};

static const struct agent agent = {
    .name = "cloud-disk",
    .shortdesc = "A cloud's data disk on the active instance",
    .longdesc = "Attaches a data disk (EBS, Aliyun cloud disk, Tencent CBS, Huawei EVS) to the instance where it is to be used, and presents it by a link of its own, for "
                "san-volume on top.\n\n"
                "A disk that another instance has is refused, unless Pacemaker's fencing history proves that its node was fenced after it took the disk. Disks that may be "
                "attached to several instances are attached only; keeping writers apart is the volume agent's part.\n\n"
                "OCF_CHECK_LEVEL 0 asks the kernel and never the API, 10 also the cloud's API, at most every half of api_age.",
    .params = params,
    .actions = actions,
    .config_size = sizeof(struct disk_config),
    .depths = depths,
    .check_config = check_config,
};

int main(int argc, char *argv[])
{
    return agent_main(&agent, argc, argv);
}
