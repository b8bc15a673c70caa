/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node as a whole is short of memory, or stuck in I/O: the kernel's pressure stall information (Documentation/accounting/psi.rst). A trigger wakes
 * us when tasks were stalled so long within the window; the node attribute of that kind then is yellow, and green again when the trigger was silent for a
 * while. Pacemaker acts on it only where node-health-strategy says so.
 *
 * The attribute outlives a vigild that is ended or restarted: what was set to yellow is noted in HEALTH_FOLDER, so that the next one clears it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "tools/watcher/watcher.h"

#define HEALTH_FOLDER VIGIL_RUNDIR "/health" /* as the attributes themselves, gone when the node is restarted */
#define WINDOW_US 2000000 /* the unprivileged kind: a multiple of 2 s */
#define QUIET_MS 30000

struct pressure {
    const char *path, *attribute, *what;
    unsigned int stall_us; /* all tasks stalled ("full") for so long within the window */
    struct watcher *watcher;
    int fd;
    uint64_t stalled_us; /* since the boot, at the last look */
    bool yellow;
    uint64_t last_ms;
    qb_loop_timer_handle timer;
};

static struct pressure pressures[] = {
    { .path = "/proc/pressure/memory", .attribute = "#health-vigil-memory", .what = "memory", .stall_us = 600000, .fd = -1 },
    { .path = "/proc/pressure/io", .attribute = "#health-vigil-io", .what = "I/O", .stall_us = 1800000, .fd = -1 },
};

/* A file that is named like the attribute, without its '#'. */
static void format_note(const struct pressure *pressure, char *path, size_t size)
{
    (void)text_format(path, size, HEALTH_FOLDER "/%s", pressure->attribute + 1);
}

/* Stands before the attribute does, and until it is green again. Where it can't be written, only a restart of vigild would be late to clear it. */
static void note_yellow(const struct pressure *pressure)
{
    char path[PATH_MAX];

    format_note(pressure, path, sizeof(path));
    if (file_make_directory(HEALTH_FOLDER, 0750) == 0)
        (void)file_write(path, 0640, "", 0);
}

static void forget_yellow(const struct pressure *pressure)
{
    char path[PATH_MAX];

    format_note(pressure, path, sizeof(path));
    (void)unlink(path);
}

static bool yellow_is_noted(const struct pressure *pressure)
{
    char path[PATH_MAX];

    format_note(pressure, path, sizeof(path));
    return access(path, F_OK) == 0;
}

static void set(struct pressure *pressure, bool yellow)
{
    struct watcher *watcher = pressure->watcher;
    int r;

    if (yellow)
        note_yellow(pressure);
    r = cluster_link_health(watcher, pressure->attribute, yellow ? "yellow" : "green");
    if (r == 0)
        pressure->yellow = yellow;
    if (!pressure->yellow)
        forget_yellow(pressure);
    if (r < 0)
        return;
    watcher_note(watcher, EVENT_NODE_HEALTH, NULL, yellow, "%s=%s: %s", pressure->attribute, yellow ? "yellow" : "green",
                 yellow ? "tasks are stalled for want of it" : "no stall for half a minute");
}

static void look_for_quiet(void *data)
{
    struct pressure *pressure = data;
    uint64_t quiet_ms = deadline_now_ms() - pressure->last_ms;

    pressure->timer = 0;
    if (quiet_ms >= QUIET_MS)
        set(pressure, false);
    if (pressure->yellow)
        watcher_timer(pressure->watcher, quiet_ms < QUIET_MS ? QUIET_MS - quiet_ms : 1000, pressure, look_for_quiet, &pressure->timer);
}

/* The time of stalls since the boot, from "full avg10=0.00 avg60=0.00 avg300=0.00 total=4711". Returns 0 or -errno. */
static int read_stalled(struct pressure *pressure)
{
    char text[256], *total;
    ssize_t length = pread(pressure->fd, text, sizeof(text) - 1, 0);

    if (length < 0)
        return -errno;
    text[length] = '\0';
    total = strstr(text, "full ");
    total = total ? strstr(total, "total=") : NULL;
    if (!total)
        return -EBADMSG;
    total += strlen("total=");
    total[strspn(total, "0123456789")] = '\0';
    return number_parse_unsigned(total, UINT64_MAX, &pressure->stalled_us);
}

/* A trigger of a process without CAP_SYS_RESOURCE comes twice for nothing when it is new (Linux 6.4 and later, psi_trigger_create() begins with the wrong
 * total): so what was stalled since the last look decides. Half, since the kernel's window does not begin where ours does. */
static bool has_stalled(struct pressure *pressure)
{
    uint64_t before_us = pressure->stalled_us;

    return read_stalled(pressure) == 0 && pressure->stalled_us - before_us >= pressure->stall_us / 2;
}

/* One window with a stall can be an accident; two within the quiet time are not. */
static int on_stall(int fd _unused_, int events _unused_, void *data)
{
    struct pressure *pressure = data;
    uint64_t now = deadline_now_ms();
    bool again = pressure->last_ms != 0 && now - pressure->last_ms < QUIET_MS;

    if (!has_stalled(pressure))
        return 0;
    pressure->last_ms = now;
    if (pressure->yellow || !again)
        return 0;
    set(pressure, true);
    if (pressure->yellow)
        watcher_timer(pressure->watcher, QUIET_MS, pressure, look_for_quiet, &pressure->timer);
    return 0;
}

/* A vigild before us has set it: as if there had been a stall just now. */
static void take_up(struct pressure *pressure)
{
    if (!yellow_is_noted(pressure))
        return;
    pressure->yellow = true;
    pressure->last_ms = deadline_now_ms();
    watcher_timer(pressure->watcher, QUIET_MS, pressure, look_for_quiet, &pressure->timer);
}

static int open_trigger(struct pressure *pressure)
{
    char trigger[64];
    int r, length = text_format(trigger, sizeof(trigger), "full %u %u", pressure->stall_us, WINDOW_US);

    pressure->fd = open(pressure->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (pressure->fd < 0)
        return -errno;
    if (write(pressure->fd, trigger, (size_t)length + 1) < 0)
        return -errno;
    r = read_stalled(pressure);
    if (r < 0)
        return r;
    return qb_loop_poll_add(pressure->watcher->loop, QB_LOOP_LOW, pressure->fd, POLLPRI, pressure, on_stall);
}

static void close_trigger(struct pressure *pressure)
{
    if (pressure->fd >= 0)
        (void)close(pressure->fd);
    pressure->fd = -1;
}

/* A kernel without PSI is no error. */
int pressure_open(struct watcher *watcher)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof(pressures) / sizeof(pressures[0]); i++) {
        int r;

        pressures[i].watcher = watcher;
        take_up(&pressures[i]);
        r = open_trigger(&pressures[i]);
        if (r < 0) {
            close_trigger(&pressures[i]);
            failed = r;
        }
    }
    return failed;
}

void pressure_close(struct watcher *watcher)
{
    for (size_t i = 0; i < sizeof(pressures) / sizeof(pressures[0]); i++) {
        watcher_cancel(watcher, &pressures[i].timer);
        if (pressures[i].fd < 0)
            continue;
        (void)qb_loop_poll_del(watcher->loop, pressures[i].fd);
        close_trigger(&pressures[i]);
    }
}
