/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The volume group (or one logical volume of it) on the LUNs. It belongs to the node whose system ID it bears: up takes it over only from a node of which the
 * cluster says that it was fenced or has released the volume, activates it here, and makes the operating system leave it alone. Down: no device of it is left in the device
 * mapper. A check asks the device mapper alone, since LVM's commands hang with the storage.
 */
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "storage/device_mapper.h"
#include "storage/lvm_report.h"
#include "storage/storage_call.h"
#include "storage/volume.h"

/* LVM is asked first; what it could not do by then, the device mapper is told directly. */
#define COMMAND_SHARE 50
#define LVM_UUID_PREFIX "LVM-"
#define GROUP_UUID_LENGTH 32

static bool applies(const struct volume *volume)
{
    return volume->config->volume_group && !volume->bind && !volume->network;
}

/* The last line that LVM wrote, which is where its commands say what went wrong. */
static const char *last_line(struct text_buffer *output)
{
    char *line;

    if (output->length == 0)
        return "no output";
    text_make_printable(text_trim(output->text));
    line = text_trim(output->text);
    return strlen(line) > 200 ? line + strlen(line) - 200 : line;
}

static int fail_command(struct volume *volume, int error, const char *what, struct text_buffer *output)
{
    const char *group = volume->config->volume_group;

    if (error == -ENOPKG)
        return volume_fail(volume, -ENOPKG, "LVM is not installed on this node (no lvm command): install lvm2, or remove volume_group");
    if (error == -ETIMEDOUT)
        return volume_fail(volume, error, "%s of volume group %s has not ended in time: does a disk of this node hang?", what, group);
    return volume_fail(volume, error, "%s of volume group %s failed: %s", what, group, last_line(output));
}

/* ---- what is active, by the device mapper ------------------------------------------------------------------------------------------- */

/* The devices of the group (or of the one volume) that exist on this node. */
struct active {
    char prefix[256];  /* what their names begin with */
    bool whole;        /* the prefix is the whole name */
    size_t count;
    struct dm_device first;
};

static int active_prefix(const struct volume *volume, struct active *active)
{
    const struct volume_config *config = volume->config;

    active->whole = config->logical_volume != NULL;
    return device_mapper_lvm_name(config->volume_group, active->whole ? config->logical_volume : "", active->prefix, sizeof(active->prefix));
}

/* A hyphen behind the prefix belongs to a group whose name has one there ("a-b" is the device "a--b-..."). */
static bool is_ours(const struct active *active, const struct dm_device *device)
{
    const char *rest = text_after(device->name, active->prefix);

    if (!rest || strncmp(device->uuid, LVM_UUID_PREFIX, strlen(LVM_UUID_PREFIX)) != 0)
        return false;
    return active->whole ? *rest == '\0' : *rest != '-';
}

static int visit(void *argument, const struct dm_device *device)
{
    struct active *active = argument;

    if (!is_ours(active, device))
        return 0;
    if (active->count++ == 0)
        active->first = *device;
    return 0;
}

/* Looks. Returns 1 when something of it is active, 0, or -errno with the reason given. */
static int look(struct volume *volume, struct active *active)
{
    int r;

    memset(active, 0, sizeof(*active));
    r = active_prefix(volume, active);
    if (r < 0)
        return volume_fail(volume, -EINVAL, "the names of volume_group and logical_volume are too long together");
    if (active->whole) {
        r = device_mapper_look(active->prefix, &active->first);
        if (r > 0 && is_ours(active, &active->first))
            active->count = 1;
    } else {
        r = device_mapper_visit(visit, active);
    }
    if (r < 0)
        return volume_fail(volume, r, "cannot see which logical volumes are active: the device mapper answers %s", strerror(-r));
    return active->count > 0;
}

/* ---- check --------------------------------------------------------------------------------------------------------------------------- */

static int judge_device(struct volume *volume, const struct dm_device *device)
{
    if (!device->active)
        return volume_fail(volume, -EIO, "logical volume %s has no table any more: deactivated while in use?", device->name);
    if (device->suspended)
        return volume_fail(volume, -EIO, "logical volume %s is suspended, so that all I/O to it waits: an LVM command was ended in the middle? See dmsetup info; dmsetup resume",
                           device->name);
    if (device->read_only && volume_wants_write(volume))
        return volume_fail(volume, -EROFS, "logical volume %s is read-only", device->name);
    return VOLUME_UP;
}

/* The device that is mounted must be of the group that was named. */
static int check_mounted(struct volume *volume, struct active *active)
{
    struct dm_device device;
    dev_t number = volume->state_known && volume->state.block != 0 ? volume->state.block : volume->mount.device;
    int r = device_mapper_look_number(number, &device);

    if (r < 0)
        return volume_fail(volume, r, "cannot ask the device mapper of %u:%u: %s", major(number), minor(number), strerror(-r));
    if (r == 0 || !is_ours(active, &device))
        return volume_fail(volume, -EMEDIUMTYPE, "%s is mounted from %s, which is no logical volume of %s%s%s", volume->directory,
                           r > 0 ? device.name : volume->mount.source, volume->config->volume_group, active->whole ? "/" : "",
                           active->whole ? volume->config->logical_volume : "");
    return judge_device(volume, &device);
}

static int layer_check(struct volume *volume, unsigned int depth _unused_)
{
    struct active active;
    int r;

    if (volume->mount.mounted) {
        memset(&active, 0, sizeof(active));
        r = active_prefix(volume, &active);
        return r < 0 ? volume_fail(volume, -EINVAL, "the names of volume_group and logical_volume are too long together") : check_mounted(volume, &active);
    }
    r = look(volume, &active);
    if (r < 0)
        return r;
    return r == 0 ? VOLUME_DOWN : VOLUME_UP;
}

/* ---- up ------------------------------------------------------------------------------------------------------------------------------ */

static int read_own_id(struct volume *volume, char *buffer, size_t size)
{
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    int r = lvm_system_id_read(volume->deadline, buffer, size);

    if (r == -ENOENT)
        return volume_fail(volume, -ENOPKG, "this node has no LVM system ID, so that a volume group can't be told to be its own: set global/system_id_source = \"uname\" in lvm.conf");
    return r < 0 ? fail_command(volume, r, "asking for the system ID", &output) : 0;
}

/* The uuid in the dm uuid of an active volume of that name: another group of the same name would hide this one. */
static int refuse_namesake(struct volume *volume, const struct lvm_group *group)
{
    struct active active;
    int r = look(volume, &active);

    if (r <= 0)
        return r;
    if (strncmp(active.first.uuid + strlen(LVM_UUID_PREFIX), group->uuid, GROUP_UUID_LENGTH) != 0)
        return volume_fail(volume, -EEXIST, "logical volume %s is active on this node, but of another volume group of the same name: deactivate it first",
                           active.first.name);
    return 1;
}

static int judge_group(struct volume *volume, const struct lvm_group *group)
{
    const char *name = volume->config->volume_group;

    if (group->exported)
        return volume_fail(volume, -EMEDIUMTYPE, "volume group %s is exported: import it with vgimport(8)", name);
    if (group->lock_type[0] != '\0' && !text_equal(group->lock_type, "none"))
        return volume_fail(volume, -EMEDIUMTYPE, "volume group %s is shared by lvmlockd (%s), which is not for a hot standby: change it with vgchange --locktype none",
                           name, group->lock_type);
    if (group->missing > 0 && !volume->config->partial_activation)
        return volume_fail(volume, -EHOSTUNREACH, "volume group %s misses %lu of its physical volumes: bring them back, or set partial_activation=true where a mirror holds the data",
                           name, group->missing);
    return 0;
}

/* Whether the group may be taken from the node whose system ID it bears. Returns 0, or -errno with the reason given. */
static int judge_owner(struct volume *volume, const char *system_id)
{
    const struct volume_owner owner = { .system_id = system_id };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int claim = volume->authority ? volume->authority->judge_owner(volume, &owner, &why) : CLAIM_IN_USE;

    if (claim < 0)
        return claim;
    if (claim != CLAIM_IN_USE)
        return 0;
    return volume_fail(volume, -EBUSY, "volume group %s belongs to system ID %s: %s", volume->config->volume_group, system_id,
                       why.length > 0 ? why.text : "whether that node still uses it is not known");
}

static int take_over(struct volume *volume, const struct lvm_group *group, const char *own_id)
{
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    _cleanup_free_ char *extra = NULL;
    const char *name = volume->config->volume_group;
    int r;

    if (text_equal(group->system_id, own_id))
        return 0;
    if (group->system_id[0] == '\0')
        return volume_fail(volume, -EPERM, "volume group %s bears no system ID, so that any node may have it active: on the node that is to have it run vgchange --systemid %s %s",
                           name, own_id, name);
    r = judge_owner(volume, group->system_id);
    if (r < 0)
        return r;
    /* LVM lets a foreign group be changed only where its system ID is said to be ours, too. */
    extra = text_printf("local/extra_system_ids=[\"%s\"]", group->system_id);
    if (!extra || strpbrk(group->system_id, "\"\\"))
        return volume_fail(volume, -EINVAL, "volume group %s bears a system ID that cannot be quoted", name);
    const char *const arguments[] = { "vgchange", "--yes", "--config", extra, "--systemid", own_id, "--", name, NULL };

    r = lvm_run(arguments, volume->deadline, &output);
    if (r < 0)
        return fail_command(volume, r, "taking over", &output);
    volume_note(volume, "volume group %s taken over from system ID %s", name, group->system_id);
    return 0;
}

/* Only the cluster activates it from now on. An LVM before 2.03.12 has no such mark. */
static void end_autoactivation(struct volume *volume, const struct lvm_group *group)
{
    const char *const arguments[] = { "vgchange", "--setautoactivation", "n", "--", volume->config->volume_group, NULL };

    if (group->autoactivation && lvm_run(arguments, volume->deadline, NULL) < 0)
        volume_note(volume, "volume group %s could not be kept from being activated by the operating system; its system ID keeps other nodes off",
                    volume->config->volume_group);
}

static int activate(struct volume *volume)
{
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    const struct volume_config *config = volume->config;
    _cleanup_free_ char *name = config->logical_volume ? text_printf("%s/%s", config->volume_group, config->logical_volume) : strdup(config->volume_group);
    const char *arguments[8] = { config->logical_volume ? "lvchange" : "vgchange", "--activate", "ey" };
    size_t count = 3;
    int r;

    if (config->partial_activation)
        arguments[count++] = "--partial";
    arguments[count++] = "--";
    arguments[count++] = name;
    r = name ? lvm_run(arguments, volume->deadline, &output) : -ENOMEM;
    return r < 0 ? fail_command(volume, r, "activation", &output) : 0;
}

static int read_group(struct volume *volume, struct lvm_group *ret)
{
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    int r = lvm_group_read(volume->config->volume_group, volume->deadline, ret, &output);

    if (r == -ENOENT)
        return volume_fail(volume, -EHOSTUNREACH, "volume group %s is not to be seen on this node: are its disks there, and in LVM's devices file or filter? (%s)",
                           volume->config->volume_group, last_line(&output));
    if (r == -ENOTUNIQ)
        return volume_fail(volume, r, "several volume groups are named %s: rename one with vgrename(8), by its uuid", volume->config->volume_group);
    return r < 0 ? fail_command(volume, r, "looking", &output) : 0;
}

static int confirm(struct volume *volume, const struct lvm_group *group)
{
    struct active active;
    int r = refuse_namesake(volume, group);

    if (r < 0)
        return r;
    if (r == 0 || look(volume, &active) <= 0)
        return volume_fail(volume, -EIO, "volume group %s was activated, but no logical volume of it is to be seen: is there one?", volume->config->volume_group);
    r = judge_device(volume, &active.first);
    return r < 0 ? r : 0;
}

static int layer_up(struct volume *volume)
{
    char own_id[sizeof(((struct lvm_group *)0)->system_id)];
    struct lvm_group group;
    int r = read_own_id(volume, own_id, sizeof(own_id));

    if (r == 0)
        r = read_group(volume, &group);
    if (r == 0)
        r = judge_group(volume, &group);
    if (r == 0)
        r = refuse_namesake(volume, &group);
    if (r >= 0)
        r = take_over(volume, &group, own_id);
    if (r < 0)
        return r;
    end_autoactivation(volume, &group);
    r = activate(volume);
    return r < 0 ? r : confirm(volume, &group);
}

/* ---- down ---------------------------------------------------------------------------------------------------------------------------- */

static int deactivate(struct volume *volume, struct text_buffer *output)
{
    const struct volume_config *config = volume->config;
    _cleanup_free_ char *name = config->logical_volume ? text_printf("%s/%s", config->volume_group, config->logical_volume) : strdup(config->volume_group);
    const char *const arguments[] = { config->logical_volume ? "lvchange" : "vgchange", "--activate", "n", "--", name, NULL };

    return name ? lvm_run(arguments, deadline_share(volume->deadline, COMMAND_SHARE), output) : -ENOMEM;
}

struct removal {
    struct volume *volume;
    struct active *active;
};

static int remove_one(void *argument, const struct dm_device *device)
{
    struct removal *removal = argument;
    int r;

    if (!is_ours(removal->active, device))
        return 0;
    r = device_mapper_remove(device->name, removal->volume->deadline);
    if (r == 0)
        volume_note(removal->volume, "logical volume %s was removed from the device mapper, since LVM could not deactivate it", device->name);
    return 0;
}

/* LVM reads the disks before it deactivates, which it cannot where their paths are gone. The device mapper can: each pass frees what the next one needs (a
 * pool below its volumes). */
static int remove_directly(struct volume *volume, struct active *active)
{
    struct removal removal = { .volume = volume, .active = active };
    size_t before;
    int r;

    do {
        before = active->count;
        r = device_mapper_visit(remove_one, &removal);
        if (r == 0)
            r = look(volume, active);
    } while (r > 0 && active->count < before);
    return r;
}

static int layer_down(struct volume *volume)
{
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    struct active active;
    int r = look(volume, &active), command;

    if (r <= 0)
        return r;
    command = deactivate(volume, &output);
    r = look(volume, &active);
    if (r > 0)
        r = remove_directly(volume, &active);
    if (r <= 0)
        return r;
    return volume_fail(volume, -EBUSY, "logical volume %s is still active (open %d times): %s", active.first.name, (int)active.first.open_count,
                       command == -ETIMEDOUT ? "LVM has not answered in time" : last_line(&output));
}

const struct volume_layer volume_layer_lvm = {
    .name = "LVM",
    .applies = applies,
    .up = layer_up,
    .down = layer_down,
    .check = layer_check,
};
