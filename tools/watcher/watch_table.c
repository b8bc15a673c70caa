/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watches: registered over IPC, kept as files, taken up again at a start, dropped when their file goes.
 *
 * The order of a registration: the file is written, the sources are open, the client hears of it. Whatever is cut off in between was not acknowledged.
 * A file that stands at a start is a promise: what it names was not withdrawn, so that a process which has ended since then has failed.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tools/watcher/watcher.h"

#define WATCHES_MAX 4096
#define HISTORIES_MAX 512 /* withdrawn watches that are remembered */

const char *const watch_state_names[] = { "watched", "reporting", "failed", "held", "withdrawn" };

static struct watch *find(struct watcher *watcher, const char *resource)
{
    for (size_t i = 0; i < watcher->watch_count; i++)
        if (strcmp(watcher->watches[i]->resource, resource) == 0)
            return watcher->watches[i];
    return NULL;
}

static void drop(struct watch *watch)
{
    watcher_cancel(watch->watcher, &watch->retry);
    sources_close(watch);
    free(watch->text);
    free(watch->agent);
    watch->text = NULL;
    watch->agent = NULL;
    watch->retries = 0;
    watch->state = WATCH_WITHDRAWN;
    watch->used_ms = deadline_now_ms();
}

static void free_watch(struct watch *watch)
{
    drop(watch);
    free(watch->resource);
    free(watch->last_failure);
    free(watch);
}

/* The oldest history goes where there are too many. */
static void forget_oldest(struct watcher *watcher)
{
    size_t oldest = SIZE_MAX, withdrawn = 0;

    for (size_t i = 0; i < watcher->watch_count; i++) {
        if (watcher->watches[i]->state != WATCH_WITHDRAWN)
            continue;
        withdrawn++;
        if (oldest == SIZE_MAX || watcher->watches[i]->used_ms < watcher->watches[oldest]->used_ms)
            oldest = i;
    }
    if (withdrawn <= HISTORIES_MAX)
        return;
    free_watch(watcher->watches[oldest]);
    watcher->watches[oldest] = watcher->watches[--watcher->watch_count];
}

static struct watch *add(struct watcher *watcher, const char *resource)
{
    struct watch **watches, *watch;

    forget_oldest(watcher);
    if (watcher->watch_count >= WATCHES_MAX)
        return NULL;
    watches = realloc(watcher->watches, (watcher->watch_count + 1) * sizeof(struct watch *));
    if (!watches)
        return NULL;
    watcher->watches = watches;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->watcher = watcher;
    watch->state = WATCH_WITHDRAWN;
    watch->resource = strdup(resource);
    if (!watch->resource) {
        free(watch);
        return NULL;
    }
    watches[watcher->watch_count++] = watch;
    return watch;
}

/* ---- registering --------------------------------------------------------------------------------------------------------------- */

static void describe(const struct watch *watch, struct text_buffer *text)
{
    for (size_t i = 0; i < watch->source_count; i++)
        text_buffer_printf(text, "%s%s %s", i > 0 ? ", " : "", watch_kind_name(watch->sources[i].item.kind),
                           watch->sources[i].item.target);
}

/* Puts a registration in the place of what the resource had; takes the registration over. */
static int take(struct watcher *watcher, struct watch_registration *registration, struct watch **ret, struct text_buffer *why)
{
    struct watch *watch = find(watcher, registration->resource);
    int r;

    if (!watch)
        watch = add(watcher, registration->resource);
    if (!watch) {
        watch_registration_free(registration);
        text_buffer_printf(why, "vigild has no room for one more resource");
        return -ENOSPC;
    }
    drop(watch);
    watch->text = TAKE_PTR(registration->text);
    watch->agent = strdup(registration->agent);
    watch->state = WATCH_WATCHED;
    watch->since_ms = deadline_now_ms();
    r = watch->agent ? sources_open(watch, registration, why) : -ENOMEM;
    if (r < 0)
        drop(watch);
    *ret = watch;
    return r;
}

/* What was bad when it was opened. */
static void look_at_all(struct watch *watch)
{
    for (size_t i = 0; i < watch->source_count; i++)
        if (watch->sources[i].state == SOURCE_SUSPECT)
            source_check(&watch->sources[i]);
}

int table_register(struct watcher *watcher, const char *text, size_t length, struct text_buffer *why)
{
    struct watch_registration registration = { 0 };
    _cleanup_text_buffer_ struct text_buffer words = { 0 };
    struct watch *watch;
    char path[PATH_MAX];
    int r = watch_registration_parse(text, length, &registration);

    if (r < 0) {
        text_buffer_printf(why, "this is not a registration that vigild %s understands", PACKAGE_VERSION);
        return r;
    }
    r = watch_registration_path(registration.resource, path, sizeof(path));
    if (r == 0)
        r = file_write(path, 0600, text, length);
    if (r < 0) {
        text_buffer_printf(why, "can't write %s: %s", path, strerror(-r));
        watch_registration_free(&registration);
        return r;
    }
    r = take(watcher, &registration, &watch, why);
    if (r < 0) {
        (void)unlink(path);
        return r;
    }
    describe(watch, &words);
    watcher_note(watcher, EVENT_WATCH_ADDED, watch->resource, 0, "%s", words.text ? words.text : "");
    look_at_all(watch);
    return 0;
}

static void withdrawn(struct watch *watch)
{
    if (watch->state == WATCH_WITHDRAWN)
        return;
    drop(watch);
    watcher_note(watch->watcher, EVENT_WATCH_WITHDRAWN, watch->resource, 0, "withdrawn by its agent");
}

int table_withdraw(struct watcher *watcher, const char *resource)
{
    struct watch *watch = find(watcher, resource);
    char path[PATH_MAX];
    int r = watch_registration_path(resource, path, sizeof(path));

    if (r < 0)
        return r;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    if (watch)
        withdrawn(watch);
    return 0;
}

/* The file of a registration that replaced this one while we looked would stand, too: it comes through us, so that there is none. An answer that can't be
 * had counts as withdrawn: polling goes on underneath. */
bool table_stands(struct watch *watch)
{
    if (watch->state == WATCH_WITHDRAWN)
        return false;
    if (watch_registration_exists(watch->resource) > 0)
        return true;
    withdrawn(watch);
    return false;
}

/* ---- the folder ------------------------------------------------------------------------------------------------------------------ */

static void look_through(struct watcher *watcher)
{
    for (size_t i = 0; i < watcher->watch_count; i++)
        (void)table_stands(watcher->watches[i]);
}

static void on_removed(struct watcher *watcher, const char *name)
{
    struct watch *watch = find(watcher, name);

    if (watch)
        (void)table_stands(watch);
}

static int on_folder(int fd, int events _unused_, void *data)
{
    struct watcher *watcher = data;
    char buffer[8192] __attribute__((aligned(8)));
    ssize_t length = read(fd, buffer, sizeof(buffer));

    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= length;) {
        const struct inotify_event *event = (const void *)(buffer + at);

        if (event->mask & IN_Q_OVERFLOW)
            look_through(watcher);
        else if (event->len > 0)
            on_removed(watcher, event->name);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    return 0;
}

static void adopt(struct watcher *watcher, const char *name)
{
    struct watch_registration registration = { 0 };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    _cleanup_free_ char *text = NULL;
    struct watch *watch;
    char path[PATH_MAX];
    size_t length = 0;
    int r = watch_registration_path(name, path, sizeof(path));

    if (r < 0)
        return;
    r = file_read(path, WATCH_TEXT_MAX, &text, &length);
    if (r == 0)
        r = watch_registration_parse(text, length, &registration);
    if (r == 0 && !text_equal(registration.resource, name)) {
        watch_registration_free(&registration);
        r = -EBADMSG;
    }
    if (r == 0)
        r = take(watcher, &registration, &watch, &why);
    if (r < 0) {
        log_warning("the registration of %s is not taken up: %s", name, why.text ? why.text : strerror(-r));
        (void)unlink(path);
        return;
    }
    watcher_note(watcher, EVENT_WATCH_ADDED, watch->resource, 0, "taken up again");
    look_at_all(watch);
}

static int adopt_all(struct watcher *watcher)
{
    _cleanup_closedir_ DIR *folder = opendir(WATCH_FOLDER);
    struct dirent *entry;

    if (!folder)
        return -errno;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            adopt(watcher, entry->d_name);
    return 0;
}

int table_open(struct watcher *watcher)
{
    int r;

    watcher->folder_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watcher->folder_fd < 0 || inotify_add_watch(watcher->folder_fd, WATCH_FOLDER, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR) < 0)
        return -errno;
    r = qb_loop_poll_add(watcher->loop, QB_LOOP_HIGH, watcher->folder_fd, POLLIN, watcher, on_folder);
    return r < 0 ? r : adopt_all(watcher);
}

void table_close(struct watcher *watcher)
{
    for (size_t i = 0; i < watcher->watch_count; i++)
        free_watch(watcher->watches[i]);
    free(watcher->watches);
    watcher->watches = NULL;
    watcher->watch_count = 0;
    if (watcher->folder_fd >= 0) {
        (void)qb_loop_poll_del(watcher->loop, watcher->folder_fd);
        (void)close(watcher->folder_fd);
    }
}
