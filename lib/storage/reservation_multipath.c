/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations of a map of device-mapper multipath: its paths are SCSI disks, each of them a nexus of its own to the same logical unit. What changes this host's
 * registration goes over every path; what reads, or hits another host, goes once, over the first path that works. Each path is used by a thread of its
 * own: one that hangs is dead, and costs a share of the time. (A child each would cost ten times as much, and what hangs does so in a child already.)
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/number.h"
#include "storage/device_name.h"
#include "storage/reservation_backend.h"
#include "storage/scsi_reservation.h"

/* What is done on one path. */
typedef int (*path_function)(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply);

/* One path's work, with a copy of all that it needs: a path that hangs lets its thread go on long after everybody has left. */
struct path_job {
    struct path_batch *batch;
    char path[64];
    char lock[64];
    int (*open_path)(const char *path, struct scsi_transport *ret);
    path_function function;
    _Alignas(max_align_t) unsigned char argument[sizeof(struct scsi_reserve_order)];
    struct deadline deadline;
    void *reply;
    int result;
    bool done;
};

struct path_batch {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned int running;
    bool abandoned; /* its last thread frees it */
    size_t count;
    struct path_job jobs[RESERVATION_PATHS_MAXIMUM];
};

/* Held for as long as the path hangs, so that never more than one thread hangs on it. */
static int lock_path(const struct path_job *job)
{
    int fd = file_lock(job->lock, deadline_in(0));

    if (fd == -ENOENT && file_make_directory(VIGIL_RUNDIR "/child", 0755) == 0)
        fd = file_lock(job->lock, deadline_in(0));
    return fd;
}

static int do_path_job(struct path_job *job)
{
    _cleanup_close_ int lock_fd = lock_path(job);
    struct scsi_transport transport;
    int r;

    if (lock_fd == -ETIMEDOUT)
        return -EBUSY;
    r = job->open_path(job->path, &transport);
    if (r < 0)
        return r;
    /* Nothing is begun behind the deadline: nobody waits for it any more. */
    r = deadline_passed(job->deadline) ? -ETIMEDOUT : job->function(&transport, job->deadline, job->argument, job->reply);
    transport.close(transport.context);
    return r;
}

static void batch_free(struct path_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->jobs[i].reply);
    (void)pthread_cond_destroy(&batch->changed);
    (void)pthread_mutex_destroy(&batch->mutex);
    free(batch);
}

static void *path_thread(void *argument)
{
    struct path_job *job = argument;
    struct path_batch *batch = job->batch;
    int r = do_path_job(job);
    bool last;

    (void)pthread_mutex_lock(&batch->mutex);
    job->result = r;
    job->done = true;
    batch->running--;
    last = batch->abandoned && batch->running == 0;
    (void)pthread_cond_signal(&batch->changed);
    (void)pthread_mutex_unlock(&batch->mutex);
    if (last)
        batch_free(batch);
    return NULL;
}

static struct path_batch *batch_new(void)
{
    struct path_batch *batch = calloc(1, sizeof(*batch));
    pthread_condattr_t attributes;

    if (!batch)
        return NULL;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&batch->mutex, NULL);
    (void)pthread_cond_init(&batch->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return batch;
}

/* One with a thread that still hangs lives until that comes back, or the process ends, which is soon: see reservation_call(). */
static void batch_leave(struct path_batch *batch)
{
    bool busy = batch->running > 0;

    batch->abandoned = busy;
    (void)pthread_mutex_unlock(&batch->mutex);
    if (!busy)
        batch_free(batch);
}

/* Starts the work on one path. Returns 0 or -errno. */
static int batch_add(struct path_batch *batch, const struct reservation_device *device, const struct reservation_path *path, path_function function,
                     const void *argument, size_t argument_size, size_t reply_size, struct deadline deadline)
{
    struct path_job *job = &batch->jobs[batch->count];
    pthread_t thread;
    int r;

    *job = (struct path_job){ .batch = batch, .open_path = device->open_path, .function = function, .deadline = deadline };
    (void)text_copy(job->path, sizeof(job->path), path->path);
    (void)text_format(job->lock, sizeof(job->lock), VIGIL_RUNDIR "/child/reserve-path-%u-%u", major(path->number), minor(path->number));
    if (argument_size > 0)
        memcpy(job->argument, argument, argument_size);
    job->reply = calloc(1, reply_size ? reply_size : 1);
    if (!job->reply)
        return -ENOMEM;
    (void)pthread_mutex_lock(&batch->mutex);
    r = pthread_create(&thread, NULL, path_thread, job);
    batch->running += r == 0;
    (void)pthread_mutex_unlock(&batch->mutex);
    if (r != 0) {
        free(job->reply);
        return -r;
    }
    (void)pthread_detach(thread);
    batch->count++;
    return 0;
}

/* Waits for all of them, or the deadline. The batch is locked behind it, so that no late thread writes while its answers are taken. */
static void batch_wait(struct path_batch *batch, struct deadline deadline)
{
    struct timespec until = { .tv_sec = (time_t)(deadline.at_ms / 1000), .tv_nsec = (long)(deadline.at_ms % 1000) * 1000000 };
    int r = 0;

    (void)pthread_mutex_lock(&batch->mutex);
    while (batch->running > 0 && r != ETIMEDOUT) {
        if (deadline.at_ms == DEADLINE_NEVER.at_ms)
            (void)pthread_cond_wait(&batch->changed, &batch->mutex);
        else
            r = pthread_cond_timedwait(&batch->changed, &batch->mutex, &until);
    }
}

/* What became of a job; its reply is copied. */
static int batch_take(const struct path_job *job, void *reply, size_t reply_size)
{
    if (!job->done)
        return -ETIMEDOUT;
    if (reply_size > 0)
        memcpy(reply, job->reply, reply_size);
    return job->result;
}

static int on_path(struct reservation_device *device, const struct reservation_path *path, path_function function, const void *argument,
                   size_t argument_size, void *reply, size_t reply_size, struct deadline deadline)
{
    struct path_batch *batch = batch_new();
    int r = batch ? batch_add(batch, device, path, function, argument, argument_size, reply_size, deadline) : -ENOMEM;

    if (!batch)
        return r;
    batch_wait(batch, deadline);
    if (r == 0)
        r = batch_take(&batch->jobs[0], reply, reply_size);
    batch_leave(batch);
    return r;
}

/* Over the first path that works, each with its share of the time. A path that is not registered (conflict) is passed over, too: another may be. */
static int on_one_path(struct reservation_device *device, path_function function, const void *argument, size_t argument_size, void *reply,
                       size_t reply_size, struct deadline deadline)
{
    unsigned int left = device->identity.paths_alive;
    int result = -RESERVATION_TRANSPORT;

    for (unsigned int i = 0; i < device->identity.paths; i++) {
        struct deadline share = deadline_share(deadline, 100 / (left > 0 ? left : 1));
        int r;

        if (!device->paths[i].alive)
            continue;
        left -= left > 1;
        r = on_path(device, &device->paths[i], function, argument, argument_size, reply, reply_size, share);
        if (!reservation_path_failed(r) && r != -RESERVATION_CONFLICT)
            return r;
        if (result != -RESERVATION_CONFLICT)
            result = r;
    }
    return result;
}

/* Over all paths that are alive at once. results and replies have one place for each path. */
static void on_all_paths(struct reservation_device *device, path_function function, const void *argument, size_t argument_size, void *replies,
                         size_t reply_size, int *results, struct deadline deadline)
{
    struct path_batch *batch = batch_new();
    size_t place = 0;

    for (unsigned int i = 0; i < device->identity.paths; i++) {
        results[i] = !device->paths[i].alive ? -ENODEV
                     : batch ? batch_add(batch, device, &device->paths[i], function, argument, argument_size, reply_size, deadline)
                             : -ENOMEM;
    }
    if (!batch)
        return;
    batch_wait(batch, deadline);
    for (unsigned int i = 0; i < device->identity.paths; i++) {
        if (results[i] == 0)
            results[i] = batch_take(&batch->jobs[place++], reply_size > 0 ? (char *)replies + i * reply_size : NULL, reply_size);
    }
    batch_leave(batch);
}

/* ---- once a map --------------------------------------------------------------------------------------------------- */

static int capabilities_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument _unused_, void *reply)
{
    return scsi_read_capabilities(transport, deadline, reply);
}

static int map_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret)
{
    return on_one_path(device, capabilities_on_path, NULL, 0, ret, sizeof(*ret), deadline);
}

static int read_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument _unused_, void *reply)
{
    return scsi_read_state(transport, deadline, reply);
}

static int map_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    return on_one_path(device, read_on_path, NULL, 0, ret, sizeof(*ret), deadline);
}

static int order_on_path(const struct scsi_transport *transport, struct deadline deadline, const void *argument, void *reply _unused_)
{
    return scsi_reserve_out(transport, argument, deadline);
}

static int map_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    const struct scsi_reserve_order order = { .action = SCSI_RESERVE, .type = type, .key = key };

    return on_one_path(device, order_on_path, &order, sizeof(order), NULL, 0, deadline);
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

    return on_one_path(device, order_on_path, &order, sizeof(order), NULL, 0, deadline);
}

/* ---- on every path ------------------------------------------------------------------------------------------------ */

struct add_order {
    uint64_t key;
    bool replace;
    enum reservation_aptpl aptpl;
};

_Static_assert(sizeof(struct add_order) <= sizeof(((struct path_job *)0)->argument), "an order fits into a job");

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
    const struct add_order order = { key, replace, aptpl };
    bool kept[RESERVATION_PATHS_MAXIMUM] = { false };
    int results[RESERVATION_PATHS_MAXIMUM];

    *ret = (struct reservation_paths){ .total = device->identity.paths, .aptpl = true };
    on_all_paths(device, add_on_path, &order, sizeof(order), kept, sizeof(kept[0]), results, deadline);
    for (unsigned int i = 0; i < ret->total; i++)
        count_path(results[i], replace, kept[i], ret);
    if (ret->first_error < 0)
        return ret->first_error;
    return ret->dead == ret->total ? -RESERVATION_TRANSPORT : 0;
}

/* Does something on every path. A conflict: nothing was registered there. */
static int for_all(struct reservation_device *device, path_function function, const void *argument, size_t argument_size, struct deadline deadline)
{
    int results[RESERVATION_PATHS_MAXIMUM], error = 0;
    unsigned int reached = 0;

    on_all_paths(device, function, argument, argument_size, NULL, 0, results, deadline);
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

static void map_close(struct reservation_device *device _unused_)
{
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
    _cleanup_free_ struct path_name *names = calloc(RESERVATION_PATHS_MAXIMUM, sizeof(*names));
    int results[RESERVATION_PATHS_MAXIMUM], last = -RESERVATION_TRANSPORT;

    if (!names)
        return -ENOMEM;
    on_all_paths(device, name_on_path, NULL, 0, names, sizeof(*names), results, deadline_share(deadline, 50));
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
