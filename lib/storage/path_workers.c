/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/path_workers.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"

enum worker_state {
    WORKER_FREE,
    WORKER_BUSY,
    WORKER_DONE,
};

struct path_worker {
    struct path_workers *all;
    /* The thread's own. */
    struct scsi_transport transport;
    bool open;
    /* The order: the thread's while it is busy. */
    struct reservation_path path;
    bool other_path; /* than in the order before */
    path_function function;
    _Alignas(max_align_t) unsigned char argument[PATH_ARGUMENT_MAXIMUM];
    struct deadline deadline;
    void *reply;
    size_t reply_size;
    int result;
    enum worker_state state;
    bool abandoned; /* nobody waits for the order any more */
};

struct path_workers {
    pthread_mutex_t mutex;
    pthread_cond_t given, done;
    int (*open_path)(const char *path, struct scsi_transport *ret);
    unsigned int pending; /* orders that somebody waits for */
    unsigned int threads;
    bool leaving;         /* the last one frees all */
    struct path_worker *workers[RESERVATION_PATHS_MAXIMUM];
};

struct path_workers *path_workers_new(int (*open_path)(const char *path, struct scsi_transport *ret))
{
    struct path_workers *all = calloc(1, sizeof(*all));
    pthread_condattr_t attributes;

    if (!all)
        return NULL;
    /* Threads that allocate a few bytes each need no heaps of their own, which cost more than the thread: mallopt(3). */
    (void)mallopt(M_ARENA_MAX, 1);
    all->open_path = open_path;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&all->mutex, NULL);
    (void)pthread_cond_init(&all->given, NULL);
    (void)pthread_cond_init(&all->done, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return all;
}

static void free_all(struct path_workers *all)
{
    for (size_t i = 0; i < ARRAY_SIZE(all->workers); i++) {
        if (all->workers[i])
            free(all->workers[i]->reply);
        free(all->workers[i]);
    }
    (void)pthread_cond_destroy(&all->given);
    (void)pthread_cond_destroy(&all->done);
    (void)pthread_mutex_destroy(&all->mutex);
    free(all);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Held for as long as the path hangs, so that never more than one thread of all processes hangs on it. */
static int lock_path(const struct path_worker *worker)
{
    char path[80];
    int fd;

    (void)text_format(path, sizeof(path), VIGIL_RUNDIR "/child/reserve-path-%u-%u", major(worker->path.number), minor(worker->path.number));
    fd = file_lock(path, deadline_in(0));
    if (fd == -ENOENT && file_make_directory(VIGIL_RUNDIR "/child", 0755) == 0)
        fd = file_lock(path, deadline_in(0));
    return fd;
}

static void close_path(struct path_worker *worker)
{
    if (worker->open)
        worker->transport.close(worker->transport.context);
    worker->open = false;
}

static int open_path(struct path_worker *worker)
{
    int r;

    if (worker->other_path)
        close_path(worker);
    r = worker->open ? 0 : worker->all->open_path(worker->path.path, &worker->transport);
    worker->open = r == 0;
    return r;
}

static int work(struct path_worker *worker)
{
    _cleanup_close_ int lock_fd = lock_path(worker);
    int r;

    if (lock_fd == -ETIMEDOUT)
        return -EBUSY;
    r = open_path(worker);
    /* Nothing is begun behind the deadline: nobody waits for it any more. */
    if (r == 0)
        r = deadline_passed(worker->deadline) ? -ETIMEDOUT : worker->function(&worker->transport, worker->deadline, worker->argument, worker->reply);
    if (reservation_path_failed(r))
        close_path(worker);
    return r;
}

/* Under the mutex. */
static void finish_order(struct path_worker *worker, int result)
{
    worker->result = result;
    worker->state = worker->abandoned ? WORKER_FREE : WORKER_DONE;
    if (worker->abandoned)
        return;
    worker->all->pending--;
    (void)pthread_cond_signal(&worker->all->done);
}

static void *worker_thread(void *argument)
{
    struct path_worker *worker = argument;
    struct path_workers *all = worker->all;
    bool last;

    (void)pthread_mutex_lock(&all->mutex);
    for (;;) {
        int r;

        while (worker->state != WORKER_BUSY && !all->leaving)
            (void)pthread_cond_wait(&all->given, &all->mutex);
        if (worker->state != WORKER_BUSY)
            break;
        (void)pthread_mutex_unlock(&all->mutex);
        r = work(worker);
        (void)pthread_mutex_lock(&all->mutex);
        finish_order(worker, r);
    }
    (void)pthread_mutex_unlock(&all->mutex);
    close_path(worker);
    (void)pthread_mutex_lock(&all->mutex);
    last = --all->threads == 0;
    (void)pthread_mutex_unlock(&all->mutex);
    if (last)
        free_all(all);
    return NULL;
}

/* ---- its master -------------------------------------------------------------------------------------------------------- */

/* Under the mutex. */
static int begin_worker(struct path_workers *all, unsigned int place)
{
    struct path_worker *worker = calloc(1, sizeof(*worker));
    pthread_t thread;
    int r;

    if (!worker)
        return -ENOMEM;
    worker->all = all;
    r = pthread_create(&thread, NULL, worker_thread, worker);
    if (r != 0) {
        free(worker);
        return -r;
    }
    (void)pthread_detach(thread);
    all->workers[place] = worker;
    all->threads++;
    return 0;
}

/* Under the mutex. */
static int give_order(struct path_worker *worker, const struct reservation_path *path, const struct path_order *order, struct deadline deadline)
{
    if (worker->state != WORKER_FREE)
        return -EBUSY;
    free(worker->reply);
    worker->reply = calloc(1, order->reply_size ? order->reply_size : 1);
    if (!worker->reply)
        return -ENOMEM;
    worker->reply_size = order->reply_size;
    if (order->argument_size > 0)
        memcpy(worker->argument, order->argument, order->argument_size);
    worker->other_path = !text_equal(worker->path.path, path->path) || worker->path.sequence != path->sequence;
    worker->path = *path;
    worker->function = order->function;
    worker->deadline = deadline;
    worker->abandoned = false;
    worker->state = WORKER_BUSY;
    worker->all->pending++;
    (void)pthread_cond_broadcast(&worker->all->given);
    return 0;
}

int path_workers_give(struct path_workers *workers, unsigned int place, const struct reservation_path *path, const struct path_order *order,
                      struct deadline deadline)
{
    int r = 0;

    if (place >= ARRAY_SIZE(workers->workers) || order->argument_size > PATH_ARGUMENT_MAXIMUM)
        return -EINVAL;
    (void)pthread_mutex_lock(&workers->mutex);
    if (!workers->workers[place])
        r = begin_worker(workers, place);
    if (r == 0)
        r = give_order(workers->workers[place], path, order, deadline);
    (void)pthread_mutex_unlock(&workers->mutex);
    return r;
}

void path_workers_wait(struct path_workers *workers, struct deadline deadline)
{
    struct timespec until = { .tv_sec = (time_t)(deadline.at_ms / 1000), .tv_nsec = (long)(deadline.at_ms % 1000) * 1000000 };
    int r = 0;

    (void)pthread_mutex_lock(&workers->mutex);
    while (workers->pending > 0 && r != ETIMEDOUT) {
        if (deadline.at_ms == DEADLINE_NEVER.at_ms)
            (void)pthread_cond_wait(&workers->done, &workers->mutex);
        else
            r = pthread_cond_timedwait(&workers->done, &workers->mutex, &until);
    }
    (void)pthread_mutex_unlock(&workers->mutex);
}

int path_workers_take(struct path_workers *workers, unsigned int place, void *reply)
{
    struct path_worker *worker = workers->workers[place];
    int r = -ETIMEDOUT;

    (void)pthread_mutex_lock(&workers->mutex);
    if (worker->state == WORKER_DONE) {
        r = worker->result;
        worker->state = WORKER_FREE;
        if (reply && worker->reply_size > 0)
            memcpy(reply, worker->reply, worker->reply_size);
    } else {
        worker->abandoned = true;
        workers->pending--;
    }
    (void)pthread_mutex_unlock(&workers->mutex);
    return r;
}

void path_workers_leave(struct path_workers *workers)
{
    bool last;

    if (!workers)
        return;
    (void)pthread_mutex_lock(&workers->mutex);
    workers->leaving = true;
    last = workers->threads == 0;
    (void)pthread_cond_broadcast(&workers->given);
    (void)pthread_mutex_unlock(&workers->mutex);
    if (last)
        free_all(workers);
}
