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
    pthread_cond_t given; /* an order for this one: the others sleep on */
    bool begun;           /* has a thread */
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
    pthread_cond_t done; /* no order is pending any more */
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
    (void)pthread_cond_init(&all->done, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return all;
}

/* The worker of a path, without a thread as yet. */
static struct path_worker *make_worker(struct path_workers *all)
{
    struct path_worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    worker->all = all;
    (void)pthread_cond_init(&worker->given, NULL);
    return worker;
}

static void free_worker(struct path_worker *worker)
{
    if (!worker)
        return;
    (void)pthread_cond_destroy(&worker->given);
    free(worker->reply);
    free(worker);
}

static void free_all(struct path_workers *all)
{
    for (size_t i = 0; i < ARRAY_SIZE(all->workers); i++)
        free_worker(all->workers[i]);
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
    if (--worker->all->pending == 0)
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
            (void)pthread_cond_wait(&worker->given, &all->mutex);
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
    return 0;
}

/* Its thread finds the order when it begins: nobody is woken for that. A worker whose thread does not begin has taken none. */
static int begin_worker(struct path_worker *worker)
{
    struct path_workers *all = worker->all;
    pthread_t thread;
    int r = pthread_create(&thread, NULL, worker_thread, worker);

    if (r == 0) {
        (void)pthread_detach(thread);
        return 0;
    }
    (void)pthread_mutex_lock(&all->mutex);
    all->pending--;
    all->threads--;
    worker->begun = false;
    worker->state = WORKER_FREE;
    (void)pthread_mutex_unlock(&all->mutex);
    return -r;
}

int path_workers_give(struct path_workers *workers, unsigned int place, const struct reservation_path *path, const struct path_order *order,
                      struct deadline deadline)
{
    struct path_worker *worker;
    bool begins;
    int r;

    if (place >= ARRAY_SIZE(workers->workers) || order->argument_size > PATH_ARGUMENT_MAXIMUM)
        return -EINVAL;
    if (!workers->workers[place])
        workers->workers[place] = make_worker(workers);
    worker = workers->workers[place];
    if (!worker)
        return -ENOMEM;
    (void)pthread_mutex_lock(&workers->mutex);
    r = give_order(worker, path, order, deadline);
    begins = r == 0 && !worker->begun;
    worker->begun |= begins;
    workers->threads += begins;
    (void)pthread_mutex_unlock(&workers->mutex);
    if (begins)
        return begin_worker(worker);
    if (r == 0)
        (void)pthread_cond_signal(&worker->given);
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
    for (size_t i = 0; i < ARRAY_SIZE(workers->workers); i++) {
        if (workers->workers[i])
            (void)pthread_cond_signal(&workers->workers[i]->given);
    }
    (void)pthread_mutex_unlock(&workers->mutex);
    if (last)
        free_all(workers);
}
