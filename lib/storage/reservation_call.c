/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations where nothing may hang: a child for each device, all at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/child.h"
#include "base/file.h"
#include "storage/iscsi_url.h"
#include "storage/reservation_backend.h"
#include "storage/storage_call.h"

/* What a child sends back in front of the reply. */
struct call_reply {
    struct reservation_answer answer;
    unsigned char bytes[];
};

struct call_job {
    const char *spec;
    reservation_function function;
    void *argument;
    size_t reply_size;
    struct deadline deadline;
    struct call_reply *reply;
    struct child_call_handle handle;
    int begun;
};

/* One name for all names of a device, so that two calls on it wait for each other: an iSCSI session with the ISID of a running one would end that. */
static void format_lock_path(const char *spec, char *buffer, size_t size)
{
    char name[STORAGE_NAME_SIZE], *lun_text;
    struct iscsi_lun_url url;
    struct stat status;

    if (iscsi_url_parse(spec, &url, NULL) == 0) {
        lun_text = text_printf("%s/%u", url.target, url.lun);
        (void)storage_name_path(lun_text ? lun_text : spec, name);
        free(lun_text);
    } else if (stat(spec, &status) == 0 && S_ISBLK(status.st_mode)) {
        (void)storage_name_device(status.st_rdev, name);
    } else {
        (void)storage_name_path(spec, name);
    }
    (void)text_format(buffer, size, VIGIL_RUNDIR "/child/reserve-%s", name);
}

/* Waits until an earlier call on the device is done, in the child, which does not hang yet. A folder that takes no lock is no reason not to look. */
static int take_lock(const char *spec, struct deadline deadline)
{
    char path[256];
    int fd;

    format_lock_path(spec, path, sizeof(path));
    fd = file_lock(path, deadline);
    if (fd == -ENOENT && file_make_directory(VIGIL_RUNDIR "/child", 0755) == 0)
        fd = file_lock(path, deadline);
    return fd;
}

static int do_call(void *argument, void *data, size_t size _unused_)
{
    const struct call_job *job = argument;
    struct call_reply *reply = data;
    _cleanup_reservation_ struct reservation_device *device = NULL;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    _cleanup_close_ int lock_fd = take_lock(job->spec, job->deadline);
    int r;

    if (lock_fd == -ETIMEDOUT)
        return -RESERVATION_BUSY;
    r = reservation_open(job->spec, job->deadline, &why, &device);
    if (why.text)
        (void)text_format(reply->answer.why, sizeof(reply->answer.why), "%s", why.text);
    if (r < 0)
        return r;
    reply->answer.opened = true;
    reply->answer.identity = *reservation_identity(device);
    r = job->function(device, job->deadline, job->argument, reply->bytes);
    /* They end with this process, which ends now: nobody waits for them to wake up first. */
    device->workers = NULL;
    return r;
}

/* The child ends a little before its parent's patience does, so that its reason comes through. */
static struct deadline child_deadline(struct deadline deadline)
{
    return deadline_share(deadline, 90);
}

static void begin_job(struct call_job *job, const void *reply)
{
    job->reply = calloc(1, sizeof(*job->reply) + job->reply_size);
    if (!job->reply) {
        job->begun = -ENOMEM;
        return;
    }
    if (job->reply_size > 0)
        memcpy(job->reply->bytes, reply, job->reply_size);
    job->begun = child_call_begin(&job->handle, do_call, job, job->reply, sizeof(*job->reply) + job->reply_size, NULL);
}

static void end_job(struct call_job *job, struct deadline deadline, void *reply, struct reservation_answer *ret)
{
    int r = job->begun == 0 ? child_call_end(&job->handle, deadline) : job->begun;

    *ret = (struct reservation_answer){ .error = r };
    if (r != -ETIMEDOUT && r != -EPIPE && job->begun == 0) {
        *ret = job->reply->answer;
        ret->error = r;
        if (job->reply_size > 0)
            memcpy(reply, job->reply->bytes, job->reply_size);
    }
    free(job->reply);
}

size_t reservation_call_all(const char *const *specs, size_t count, reservation_function function, void *argument, void *replies,
                            size_t reply_size, struct deadline deadline, struct reservation_answer *answers)
{
    _cleanup_free_ struct call_job *jobs = calloc(count ? count : 1, sizeof(*jobs));
    size_t failed = 0;

    for (size_t i = 0; jobs && i < count; i++) {
        jobs[i] = (struct call_job){ specs[i], function, argument, reply_size, child_deadline(deadline), NULL, { 0 }, 0 };
        begin_job(&jobs[i], (const char *)replies + i * reply_size);
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs)
            end_job(&jobs[i], deadline, (char *)replies + i * reply_size, &answers[i]);
        else
            answers[i] = (struct reservation_answer){ .error = -ENOMEM };
        failed += answers[i].error < 0;
    }
    return failed;
}

/* ---- one call in steps -------------------------------------------------------------------------------------------- */

struct reservation_pending {
    struct call_job job;
    struct deadline deadline;
    char *spec;
};

int reservation_call_begin(const char *spec, reservation_function function, void *argument, const void *reply, size_t reply_size,
                           struct deadline deadline, struct reservation_pending **ret)
{
    struct reservation_pending *pending = calloc(1, sizeof(*pending));
    char *copy = strdup(spec);

    if (!pending || !copy) {
        free(pending);
        free(copy);
        return -ENOMEM;
    }
    pending->spec = copy;
    pending->deadline = deadline;
    pending->job = (struct call_job){ copy, function, argument, reply_size, child_deadline(deadline), NULL, { 0 }, 0 };
    begin_job(&pending->job, reply);
    *ret = pending;
    return 0;
}

int reservation_pending_fd(const struct reservation_pending *pending)
{
    return pending->job.begun == 0 ? pending->job.handle.read_fd : -1;
}

struct deadline reservation_pending_deadline(const struct reservation_pending *pending)
{
    return pending->deadline;
}

int reservation_call_end(struct reservation_pending *pending, struct deadline deadline, void *reply, struct reservation_answer *ret)
{
    end_job(&pending->job, deadline, reply, ret);
    free(pending->spec);
    free(pending);
    return ret->error;
}

/* ---- whole calls -------------------------------------------------------------------------------------------------- */

int reservation_call(const char *spec, reservation_function function, void *argument, void *reply, size_t reply_size,
                     struct deadline deadline, struct reservation_answer *ret)
{
    (void)reservation_call_all(&spec, 1, function, argument, reply, reply_size, deadline, ret);
    return ret->error;
}
