/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations of a map of device-mapper multipath: its paths are SCSI disks, each of them a nexus of its own to the same logical unit. What changes this host's
 * registration goes over every path; what reads, or hits another host, goes once, over the first path that works. Each path is used by a thread of its
 * own: one that hangs is dead, and costs a share of the time. (A child each would cost ten times as much, and what hangs does so in a child already.)
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/number.h"
#include "storage/device_name.h"
#include "storage/path_workers.h"
#include "storage/reservation_backend.h"
#include "storage/scsi_reservation.h"

/* Gives a path's thread its work. Returns 0 or -errno. */
static int give(struct reservation_device *device, unsigned int place, const struct path_order *order, struct deadline deadline)
{
    if (!device->workers)
        device->workers = path_workers_new(device->open_path);
    return device->workers ? path_workers_give(device->workers, place, &device->paths[place], order, deadline) : -ENOMEM;
}

static int on_path(struct reservation_device *device, unsigned int place, const struct path_order *order, void *reply, struct deadline deadline)
{
    int r = give(device, place, order, deadline);

    if (r < 0)
        return r;
    path_workers_wait(device->workers, deadline);
    return path_workers_take(device->workers, place, reply);
}

/* Over the first path that works, each with its share of the time. A path that is not registered (conflict) is passed over, too: another may be. */
static int on_one_path(struct reservation_device *device, const struct path_order *order, void *reply, struct deadline deadline)
{
    unsigned int left = device->identity.paths_alive;
    int result = -RESERVATION_TRANSPORT;

    for (unsigned int i = 0; i < device->identity.paths; i++) {
        struct deadline share = deadline_share(deadline, 100 / (left > 0 ? left : 1));
        int r;

        if (!device->paths[i].alive)
            continue;
        left -= left > 1;
        r = on_path(device, i, order, reply, share);
        if (!reservation_path_failed(r) && r != -RESERVATION_CONFLICT)
            return r;
        if (result != -RESERVATION_CONFLICT)
            result = r;
    }
    return result;
}

/* Over all paths that are alive at once. results and replies have one place for each path. */
static void on_all_paths(struct reservation_device *device, const struct path_order *order, void *replies, int *results, struct deadline deadline)
{
    for (unsigned int i = 0; i < device->identity.paths; i++)
        results[i] = device->paths[i].alive ? give(device, i, order, deadline) : -ENODEV;
    if (device->workers)
        path_workers_wait(device->workers, deadline);
    for (unsigned int i = 0; i < device->identity.paths; i++) {
        if (results[i] == 0)
            results[i] = path_workers_take(device->workers, i, order->reply_size > 0 ? (char *)replies + i * order->reply_size : NULL);
    }
}

/* ---- once a map --------------------------------------------------------------------------------------------------- */

static int capabilities_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument _unused_, void *reply)
{
    return scsi_read_capabilities(transport, deadline, reply);
}

static int map_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret)
{
    const struct path_order order = { .function = capabilities_on_path, .reply_size = sizeof(*ret) };

    return on_one_path(device, &order, ret, deadline);
}

static int read_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument _unused_, void *reply)
{
    return scsi_read_state(transport, deadline, reply);
}

static int map_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    const struct path_order order = { .function = read_on_path, .reply_size = sizeof(*ret) };

    return on_one_path(device, &order, ret, deadline);
}

static int order_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply _unused_)
{
    return scsi_reserve_out(transport, argument, deadline);
}

/* A command that changes what the logical unit has, once. */
static int order_once(struct reservation_device *device, const struct scsi_reserve_order *command, struct deadline deadline)
{
    const struct path_order order = { .function = order_on_path, .argument = command, .argument_size = sizeof(*command) };

    return on_one_path(device, &order, NULL, deadline);
}

static int map_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    const struct scsi_reserve_order order = { .action = SCSI_RESERVE, .type = type, .key = key };

    return order_once(device, &order, deadline);
}

static int map_preempt(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                       struct deadline deadline)
{
    const struct scsi_reserve_order order = {
        .action = abort ? SCSI_PREEMPT_AND_ABORT : SCSI_PREEMPT,
        .type = type,
        .key = key,
        .service_key = victim,
    };

    return order_once(device, &order, deadline);
}

/* ---- on every path ------------------------------------------------------------------------------------------------ */

struct add_order {
    uint64_t key;
    bool replace;
    enum reservation_aptpl aptpl;
};

_Static_assert(sizeof(struct add_order) <= PATH_ARGUMENT_MAXIMUM && sizeof(struct scsi_reserve_order) <= PATH_ARGUMENT_MAXIMUM, "what a thread keeps of its order");

static int add_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply)
{
    const struct add_order *order = argument;

    return scsi_register_path(transport, order->key, order->replace, order->aptpl, deadline, reply);
}

/* Puts the paths' results together. A path that failed as a path counts as dead; a conflict is none of ours to resolve where nothing may be replaced. */
static void count_path(int result, bool replace, bool kept, struct reservation_paths *paths)
{
    if (result == 0) {
        paths->done++;
        paths->aptpl &= kept;
    } else if (reservation_path_failed(result)) {
        paths->dead++;
    } else if ((replace || result != -RESERVATION_CONFLICT) && paths->first_error == 0) {
        paths->first_error = result;
    }
}

static int map_add(struct reservation_device *device, uint64_t key, bool replace, enum reservation_aptpl aptpl, struct deadline deadline,
                   struct reservation_paths *ret)
{
    const struct add_order command = { key, replace, aptpl };
    const struct path_order order = { add_on_path, &command, sizeof(command), sizeof(bool) };
    bool kept[RESERVATION_PATHS_MAXIMUM] = { false };
    int results[RESERVATION_PATHS_MAXIMUM];

    *ret = (struct reservation_paths){ .total = device->identity.paths, .aptpl = true };
    on_all_paths(device, &order, kept, results, deadline);
    for (unsigned int i = 0; i < ret->total; i++)
        count_path(results[i], replace, kept[i], ret);
    if (ret->first_error < 0)
        return ret->first_error;
    return ret->dead == ret->total ? -RESERVATION_TRANSPORT : 0;
}

/* Does something on every path. A conflict: nothing was registered there. */
static int for_all(struct reservation_device *device, path_function function, const void *argument, size_t argument_size, struct deadline deadline)
{
    const struct path_order order = { function, argument, argument_size, 0 };
    int results[RESERVATION_PATHS_MAXIMUM], error = 0;
    unsigned int reached = 0;

    on_all_paths(device, &order, NULL, results, deadline);
    for (unsigned int i = 0; i < device->identity.paths; i++) {
        if (reservation_path_failed(results[i]))
            continue;
        reached++;
        if (results[i] < 0 && results[i] != -RESERVATION_CONFLICT && error == 0)
            error = results[i];
    }
    return reached == 0 ? -RESERVATION_TRANSPORT : error;
}

static int map_release(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    const struct scsi_reserve_order order = { .action = SCSI_RELEASE, .type = type, .key = key };

    return for_all(device, order_on_path, &order, sizeof(order), deadline);
}

static int remove_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply _unused_)
{
    const uint64_t *key = argument;

    return scsi_unregister_path(transport, *key, deadline);
}

static int map_remove(struct reservation_device *device, uint64_t key, struct deadline deadline)
{
    return for_all(device, remove_on_path, &key, sizeof(key), deadline);
}

static void map_close(struct reservation_device *device)
{
    path_workers_leave(device->workers);
    device->workers = NULL;
}

const struct reservation_operations reservation_over_multipath = {
    .capabilities = map_capabilities,
    .read = map_read,
    .add = map_add,
    .reserve = map_reserve,
    .release = map_release,
    .remove = map_remove,
    .preempt = map_preempt,
    .close = map_close,
};

/* ---- which paths -------------------------------------------------------------------------------------------------- */

static int add_path(struct reservation_device *device, const char *folder, const char *name)
{
    struct reservation_path *path = &device->paths[device->identity.paths];
    _cleanup_free_ char *full = text_printf("%s/%s/dev", folder, name);
    int r;

    if (!full)
        return -ENOMEM;
    if (device->identity.paths >= RESERVATION_PATHS_MAXIMUM)
        return -RESERVATION_TOO_MANY;
    r = reservation_read_number(full, &path->number);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* gone since the folder was read */
    if (text_format(path->path, sizeof(path->path), "/dev/%s", name) < 0)
        return -EINVAL;
    path->running = path->alive = reservation_read_path(path->number, &path->sequence);
    device->identity.paths++;
    return 0;
}

static int find_paths(struct reservation_device *device, dev_t number)
{
    _cleanup_closedir_ DIR *directory = NULL;
    const struct dirent *entry;
    char folder[80];
    int r = 0;

    (void)text_format(folder, sizeof(folder), "/sys/dev/block/%u:%u/slaves", major(number), minor(number));
    directory = opendir(folder);
    if (!directory)
        return -errno;
    while (r == 0 && (entry = readdir(directory))) {
        if (entry->d_name[0] != '.')
            r = add_path(device, folder, entry->d_name);
    }
    return r;
}

struct path_name {
    char wwid[sizeof(((struct reservation_identity *)0)->wwid)];
};

static int name_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument _unused_, void *reply)
{
    struct path_name *name = reply;

    return scsi_read_wwid(transport, deadline, name->wwid, sizeof(name->wwid));
}

/* Two names of one disk, or what cannot be compared. */
static bool same_disk(const char *a, const char *b)
{
    return !*a || !*b || text_equal(a, b) || device_wwn_equal(a, b);
}

int reservation_identify_paths(struct reservation_device *device, struct deadline deadline, struct text_buffer *why)
{
    struct reservation_identity *identity = &device->identity;
    const struct path_order order = { .function = name_on_path, .reply_size = sizeof(struct path_name) };
    _cleanup_free_ struct path_name *names = calloc(RESERVATION_PATHS_MAXIMUM, sizeof(*names));
    int results[RESERVATION_PATHS_MAXIMUM], last = -RESERVATION_TRANSPORT;

    if (!names)
        return -ENOMEM;
    on_all_paths(device, &order, names, results, deadline_share(deadline, 50));
    identity->paths_alive = 0;
    identity->wwid[0] = '\0';
    for (unsigned int i = 0; i < identity->paths; i++) {
        device->paths[i].alive = results[i] == 0;
        last = results[i] < 0 && !reservation_path_failed(results[i]) ? results[i] : last;
        if (results[i] < 0)
            continue;
        identity->paths_alive++;
        if (!same_disk(identity->wwid, names[i].wwid))
            return reservation_explain(why, -RESERVATION_OTHER_DEVICE, "%s: path %s leads to %s, another to %s; the array shows another LUN under the "
                                                                       "same name: rescan the paths",
                                       identity->path, device->paths[i].path, names[i].wwid, identity->wwid);
        if (!identity->wwid[0])
            (void)text_copy(identity->wwid, sizeof(identity->wwid), names[i].wwid);
    }
    if (identity->paths_alive == 0)
        return reservation_explain(why, last, "%s: none of its %u paths answers: %s", identity->path, identity->paths,
                                   reservation_error_text(last));
    return 0;
}

/* multipathd names a map after its disk ("mpath-3" and the NAA name): paths that all lead to another one are found by that. */
static int check_map_name(const struct reservation_device *device, dev_t number, struct text_buffer *why)
{
    const struct reservation_identity *identity = &device->identity;
    char uuid[160];
    const char *name;

    if (reservation_read_attribute(number, "dm/uuid", uuid, sizeof(uuid)) <= 0)
        return 0;
    name = text_after(uuid, "mpath-");
    if (!name || name[0] != '3' || !text_after(identity->wwid, "naa.") || device_wwn_equal(uuid, identity->wwid))
        return 0;
    return reservation_explain(why, -RESERVATION_OTHER_DEVICE, "%s is the map of %s, but its paths lead to %s: the array shows another LUN under the same "
                                                               "name; rescan the paths",
                               identity->path, name, identity->wwid);
}

int reservation_open_multipath(struct reservation_device *device, dev_t number, struct deadline deadline, struct text_buffer *why)
{
    int r = find_paths(device, number);

    device->operations = &reservation_over_multipath;
    device->identity.transport = RESERVATION_MULTIPATH;
    if (r < 0)
        return reservation_explain(why, r, "the paths of %s cannot be found: %s", device->identity.path, strerror(-r));
    r = reservation_identify_paths(device, deadline, why);
    return r < 0 ? r : check_map_name(device, number, why);
}
