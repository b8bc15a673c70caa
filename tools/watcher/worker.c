/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"

#define WORKERS_MAX 256
#define START_AGAIN_MS 1000
/* A timer that comes so late says that vigild, and most likely the whole machine, stood still meanwhile (a virtual machine that was paused or moved):
 * the turn gets its time again. Not for ever, or what hangs would never be told on a machine that is always late. */
#define LATE_MS 500
#define LATE_TURNS 3

struct turn_answer {
    int32_t result;
    char reason[200];
};

struct worker {
    struct worker *next;
    char *name;
    struct worker_spec spec;
    void *state;
    struct watch_source *source; /* NULL: left behind while it hangs */
    worker_listener listener;
    struct watcher *watcher;
    pid_t pid;
    int socket;
    uint64_t began_ms;
    uint64_t due_ms;   /* when overdue is to be called */
    unsigned int late; /* so often in a row it came late */
    qb_loop_timer_handle timer;
};

static struct worker *workers;
static unsigned int worker_count;

static struct worker *find(const char *name)
{
    struct worker *worker = workers;

    while (worker && strcmp(worker->name, name) != 0)
        worker = worker->next;
    return worker;
}

static void free_worker(struct worker *worker)
{
    struct worker **list = &workers;

    while (*list && *list != worker)
        list = &(*list)->next;
    if (*list)
        *list = worker->next;
    worker_count--;
    free(worker->name);
    free(worker->state);
    free(worker);
}

static void disconnect(struct worker *worker)
{
    watcher_cancel(worker->watcher, &worker->timer);
    if (worker->socket >= 0) {
        (void)qb_loop_poll_del(worker->watcher->loop, worker->socket);
        (void)close(worker->socket);
        worker->socket = -1;
    }
}

void workers_reap(void)
{
    struct worker *next;

    for (struct worker *worker = workers; worker; worker = next) {
        next = worker->next;
        if (worker->pid > 0 && waitpid(worker->pid, NULL, WNOHANG) == worker->pid)
            worker->pid = -1;
        if (worker->pid < 0 && !worker->source)
            free_worker(worker);
    }
}

/* ---- the child ---------------------------------------------------------------------------------------------------------------------- */

static int run(int socket, void *argument)
{
    const struct worker *worker = argument;
    struct turn_answer answer;
    uint64_t limit_ms;

    (void)prctl(PR_SET_NAME, "vigild-worker");
    while (recv(socket, &limit_ms, sizeof(limit_ms), 0) == (ssize_t)sizeof(limit_ms)) {
        memset(&answer, 0, sizeof(answer));
        answer.result = worker->spec.turn(worker->state, limit_ms, answer.reason, sizeof(answer.reason));
        if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
            break;
    }
    return 0;
}

/* ---- vigild's side -------------------------------------------------------------------------------------------------------------------- */

static void next_turn(void *data);
static void overdue(void *data);
static void expect_within(struct worker *worker, uint64_t ms);
static void start_again(void *data);

static void tell(struct worker *worker, int result, const char *reason)
{
    if (worker->source)
        worker->listener(worker->source, result, reason);
}

static int on_turn(int fd, int events _unused_, void *data)
{
    struct worker *worker = data;
    struct turn_answer answer;
    ssize_t length = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
    uint64_t took_ms = deadline_now_ms() - worker->began_ms;

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    worker->late = 0;
    watcher_cancel(worker->watcher, &worker->timer);
    if (length != (ssize_t)sizeof(answer)) {
        disconnect(worker);
        watcher_timer(worker->watcher, START_AGAIN_MS, worker, start_again, &worker->timer);
        return 0;
    }
    answer.reason[sizeof(answer.reason) - 1] = '\0';
    watcher_timer(worker->watcher, took_ms < worker->spec.interval_ms ? worker->spec.interval_ms - took_ms : 0, worker, next_turn,
                  &worker->timer);
    tell(worker, answer.result, answer.reason);
    return 0;
}

static int start(struct worker *worker)
{
    int socket, r = child_worker(run, worker, &socket, &worker->pid);

    if (r < 0)
        return r;
    r = qb_loop_poll_add(worker->watcher->loop, QB_LOOP_MED, socket, POLLIN, worker, on_turn);
    if (r < 0) {
        (void)close(socket);
        return r;
    }
    worker->socket = socket;
    next_turn(worker);
    return 0;
}

static void start_again(void *data)
{
    struct worker *worker = data;

    worker->timer = 0;
    if (worker->pid > 0 && waitpid(worker->pid, NULL, WNOHANG) == worker->pid)
        worker->pid = -1;
    if (worker->pid < 0 && start(worker) == 0)
        return;
    watcher_timer(worker->watcher, START_AGAIN_MS, worker, start_again, &worker->timer);
    if (worker->pid > 0 && deadline_now_ms() - worker->began_ms > worker->spec.deadline_ms)
        tell(worker, -ETIMEDOUT, "an earlier one still hangs");
}

static void next_turn(void *data)
{
    struct worker *worker = data;
    uint64_t limit_ms = worker->spec.deadline_ms;

    worker->timer = 0;
    worker->began_ms = deadline_now_ms();
    (void)send(worker->socket, &limit_ms, sizeof(limit_ms), MSG_DONTWAIT | MSG_NOSIGNAL);
    expect_within(worker, limit_ms + worker->spec.grace_ms);
}

static void expect_within(struct worker *worker, uint64_t ms)
{
    worker->due_ms = deadline_now_ms() + ms;
    watcher_timer(worker->watcher, ms, worker, overdue, &worker->timer);
}

static bool is_excused(struct worker *worker)
{
    return deadline_now_ms() > worker->due_ms + LATE_MS && worker->late++ < LATE_TURNS;
}

/* Said again from time to time: what is told may have been held back. */
static void overdue(void *data)
{
    struct worker *worker = data;
    char reason[80];

    worker->timer = 0;
    if (is_excused(worker)) {
        expect_within(worker, worker->spec.deadline_ms + worker->spec.grace_ms);
        return;
    }
    (void)text_format(reason, sizeof(reason), "no answer within %llu ms", (unsigned long long)worker->spec.deadline_ms);
    expect_within(worker, worker->spec.deadline_ms > 1000 ? worker->spec.deadline_ms : 1000);
    tell(worker, -ETIMEDOUT, reason);
}

static struct worker *make(struct watch_source *source, const struct worker_spec *spec)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return NULL;
    worker->name = strdup(spec->name);
    worker->state = malloc(spec->state_size);
    if (!worker->name || !worker->state) {
        free(worker->name);
        free(worker->state);
        free(worker);
        return NULL;
    }
    memcpy(worker->state, spec->state, spec->state_size);
    worker->spec = *spec;
    worker->watcher = source->watch->watcher;
    worker->socket = -1;
    worker->next = workers;
    workers = worker;
    worker_count++;
    return worker;
}

/* One that was left behind and has not ended yet: the next process has what the new registration says, and is as old as that. */
static int renew(struct worker *worker, const struct worker_spec *spec)
{
    void *state = malloc(spec->state_size);

    if (!state)
        return -ENOMEM;
    memcpy(state, spec->state, spec->state_size);
    free(worker->state);
    worker->state = state;
    worker->spec = *spec;
    worker->began_ms = deadline_now_ms();
    watcher_cancel(worker->watcher, &worker->timer);
    watcher_timer(worker->watcher, START_AGAIN_MS / 20, worker, start_again, &worker->timer);
    return 0;
}

int worker_open(struct watch_source *source, const struct worker_spec *spec, worker_listener listener)
{
    struct worker *worker;
    int r = 0;

    workers_reap();
    worker = find(spec->name);
    if (worker && worker->source)
        return -EBUSY;
    if (worker) { /* it does not end: what it hangs in is waited for */
        r = renew(worker, spec);
        if (r < 0)
            return r;
    } else {
        if (worker_count >= WORKERS_MAX)
            return -EUSERS;
        worker = make(source, spec);
        if (!worker)
            return -ENOMEM;
        r = start(worker);
        if (r < 0) {
            free_worker(worker);
            return r;
        }
    }
    worker->source = source;
    worker->listener = listener;
    source->data = worker;
    return 0;
}

/* One that hangs in the kernel is asked to end, and kept on the list until it has: a new one would hang, too. */
void worker_close(struct watch_source *source)
{
    struct worker *worker = source->data;

    if (!worker)
        return;
    source->data = NULL;
    worker->source = NULL;
    if (worker->pid > 0)
        (void)kill(worker->pid, SIGKILL);
    disconnect(worker);
    workers_reap();
}
