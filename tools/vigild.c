/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigild: watches what the agents have registered and tells Pacemaker at once of what broke. See tools/watcher/watcher.h.
 *
 * Optional: agents work without it, and polling goes on underneath it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/service_notify.h"
#include "tools/watcher/fencing_link.h"
#include "tools/watcher/flight.h"
#include "tools/watcher/privileges.h"
#include "tools/watcher/watcher.h"
#include "tools/watcher/worker.h"

#define REAP_EVERY_MS 5000
#define PREDECESSOR_LIMIT_MS 5000 /* a vigild that was killed a moment ago: on a busy machine it takes its time to end */

static struct watcher watcher = { .folder_fd = -1, .lock_fd = -1 };
static uint64_t watchdog_ms;

/* ---- the process --------------------------------------------------------------------------------------------------------------------------- */

static int32_t on_signal(int32_t number _unused_, void *data)
{
    struct watcher *own = data;

    qb_loop_stop(own->loop);
    return 0;
}

static void on_watchdog(void *data)
{
    static qb_loop_timer_handle handle;

    (void)service_notify("WATCHDOG=1");
    watcher_timer(data, watchdog_ms, data, on_watchdog, &handle);
}

static void on_reap(void *data)
{
    static qb_loop_timer_handle handle;

    workers_reap();
    watcher_timer(data, REAP_EVERY_MS, data, on_reap, &handle);
}

/* One vigild on a node. The lock ends with this process, whatever its children do (fcntl(2)): that is how agents know that it runs. One that
 * is about to end is waited for. */
static int lock_folder(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct deadline deadline = deadline_in(PREDECESSOR_LIMIT_MS);
    int r = file_make_directory(WATCH_FOLDER, 0750);

    if (r < 0)
        return r;
    watcher.lock_fd = open(WATCH_FOLDER "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (watcher.lock_fd < 0)
        return -errno;
    while (fcntl(watcher.lock_fd, F_SETLK, &lock) < 0) {
        if (errno != EACCES && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (deadline_sleep(deadline, 10) < 0)
            return -EBUSY;
    }
    return 0;
}

static void on_recorder_event(void *context, const struct event *event)
{
    ipc_server_event(context, event);
}

static int open_flight(void)
{
    const struct flight_config config = { .loop = watcher.loop, .recorder = watcher.recorder, .listener = on_recorder_event, .context = &watcher };

    return flight_open(&config, &watcher.flight);
}

static int open_recorder(void)
{
    const struct recorder_config config = { 0 };

    return recorder_open(&config, &watcher.recorder);
}

static int open_cluster(void)
{
    int r = fencing_link_open(&watcher);

    return r < 0 ? r : cluster_link_open(&watcher);
}

static int open_table(void)
{
    return table_open(&watcher);
}

static int open_ipc(void)
{
    return ipc_server_open(&watcher);
}

/* A kernel without it is no error. */
static int open_pressure(void)
{
    (void)pressure_open(&watcher);
    return 0;
}

/* In this order: the children are forked while there is little to copy, and nobody registers before the earlier registrations are taken up. */
static const struct {
    const char *what;
    int (*open)(void);
} parts[] = {
    { "lock " WATCH_FOLDER, lock_folder },
    { "watch the node's pressure", open_pressure },
    { "drop privileges", privileges_drop },
    { "start the recorder", open_recorder },
    { "start the process that speaks to Pacemaker", open_cluster },
    { "feed the recorder", open_flight },
    { "take up the registrations in " WATCH_FOLDER, open_table },
    { "listen for agents", open_ipc },
};

static int open_all(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        int r = parts[i].open();

        if (r < 0) {
            log_error("can't %s: %s", parts[i].what, r == -EBUSY && i == 0 ? "another vigild runs" : strerror(-r));
            fprintf(stderr, "vigild: can't %s: %s\n", parts[i].what, r == -EBUSY && i == 0 ? "another vigild runs" : strerror(-r));
            return r;
        }
    }
    return 0;
}

static void close_all(void)
{
    if (watcher.recorder)
        watcher_note(&watcher, EVENT_WATCHER_STOPPED, NULL, 0, "ended in order; polling goes on");
    ipc_server_close(&watcher);
    pressure_close(&watcher);
    if (watcher.folder_fd >= 0)
        table_close(&watcher);
    cluster_link_close(&watcher);
    fencing_link_close(&watcher);
    flight_close(watcher.flight);
    recorder_close(watcher.recorder);
    qb_loop_destroy(watcher.loop);
}

static int serve(void)
{
    int r;

    watcher.started_ms = deadline_now_ms();
    watcher.loop = qb_loop_create();
    if (!watcher.loop)
        return -ENOMEM;
    r = open_all();
    if (r == 0) {
        (void)qb_loop_signal_add(watcher.loop, QB_LOOP_HIGH, SIGTERM, &watcher, on_signal, NULL);
        (void)qb_loop_signal_add(watcher.loop, QB_LOOP_HIGH, SIGINT, &watcher, on_signal, NULL);
        watcher_note(&watcher, EVENT_WATCHER_STARTED, NULL, 0, "vigild %s", PACKAGE_VERSION);
        watchdog_ms = service_watchdog_ms();
        if (watchdog_ms > 0)
            on_watchdog(&watcher);
        on_reap(&watcher);
        (void)service_notify("READY=1\nSTATUS=watching");
        qb_loop_run(watcher.loop);
        (void)service_notify("STOPPING=1");
    }
    close_all();
    return r;
}

static int usage(FILE *to, int code)
{
    fprintf(to, "Usage: vigild\n"
                "Watches what Vigil's resource agents have registered, and tells Pacemaker at once of what broke. Runs in the foreground; systemd's "
                "vigild.service starts it.\n"
                "  -h, --help     this text\n"
                "  -V, --version  the version\n");
    return code;
}

int main(int argc, char *argv[])
{
    child_reserve_streams();
    if (argc == 2 && (text_equal(argv[1], "--help") || text_equal(argv[1], "-h")))
        return usage(stdout, 0);
    if (argc == 2 && (text_equal(argv[1], "--version") || text_equal(argv[1], "-V"))) {
        printf("vigild %s\n", PACKAGE_VERSION);
        return 0;
    }
    if (argc > 1)
        return usage(stderr, 2);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(027);
    log_open("vigild");
    /* The first line opens the log. libqb's loop logs, too; where it does so before the log is open, libqb 2.0 says nothing more for good. */
    log_info("vigild %s begins", PACKAGE_VERSION);
    return serve() < 0;
}
