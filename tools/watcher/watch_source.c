/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all sources share: a sign is a suspicion, the second look decides, what can't be told is looked at again and never reported.
 */
#include <errno.h>
#include <string.h>

#include "tools/watcher/watcher.h"

#define UNKNOWN_AGAIN_MS 500

const char *const source_state_names[] = { "well", "suspect", "failed", "unknown" };

static const struct source_kind *const kinds[WATCH_KINDS] = {
    [WATCH_PROCESS] = &source_process,   [WATCH_CGROUP] = &source_cgroup, [WATCH_LISTENER] = &source_listener,
    [WATCH_ADDRESS] = &source_address,   [WATCH_LINK] = &source_link,     [WATCH_MOUNT] = &source_mount,
    [WATCH_DEVICE] = &source_device,     [WATCH_RESERVATION] = &source_reservation,
    [WATCH_LATENCY] = &source_latency,   [WATCH_PROBE] = &source_probe,
};

const struct source_kind *source_kind_of(enum watch_kind kind)
{
    return kinds[kind];
}

static void set_detail(struct watch_source *source, const char *text)
{
    free(source->detail);
    source->detail = text ? strdup(text) : NULL;
}

static void second_look(void *data);

static void look_later(struct watch_source *source, uint64_t ms)
{
    watcher_cancel(source->watch->watcher, &source->timer);
    watcher_timer(source->watch->watcher, ms, source, second_look, &source->timer);
}

void source_well(struct watch_source *source)
{
    enum source_state before = source->state;
    struct watch *watch = source->watch;

    if (source->closed)
        return;
    source->sign_ms = deadline_now_ms();
    source->tries = 0;
    if (before == SOURCE_WELL)
        return;
    source->state = SOURCE_WELL;
    watcher_cancel(watch->watcher, &source->timer);
    if (before == SOURCE_SUSPECT)
        watcher_note(watch->watcher, EVENT_FAILURE_DISMISSED, watch->resource, 0, "%s %s is well at the second look",
                     watch_kind_name(source->item.kind), source->item.target);
    else
        watcher_note(watch->watcher, EVENT_SOURCE_REGAINED, watch->resource, 0, "%s %s is well again", watch_kind_name(source->item.kind),
                     source->item.target);
    set_detail(source, NULL);
    if (before == SOURCE_FAILED)
        watch_recovered(watch);
}

static void set_unknown(struct watch_source *source, int error)
{
    if (source->state != SOURCE_UNKNOWN)
        watcher_note(source->watch->watcher, EVENT_SOURCE_LOST, source->watch->resource, error, "%s %s can't be looked at: %s",
                     watch_kind_name(source->item.kind), source->item.target, strerror(-error));
    source->state = SOURCE_UNKNOWN;
    set_detail(source, strerror(-error));
    source->tries++;
    look_later(source, UNKNOWN_AGAIN_MS * (source->tries < 20 ? source->tries : 20));
}

void source_failed(struct watch_source *source, const char *why)
{
    struct watch *watch = source->watch;

    if (source->closed || !table_stands(watch))
        return;
    if (source->state != SOURCE_FAILED) {
        if (source->suspect_ms == 0)
            source->suspect_ms = deadline_now_ms();
        watcher_note(watch->watcher, EVENT_FAILURE_CONFIRMED, watch->resource, 0, "%s", why);
    }
    source->state = SOURCE_FAILED;
    set_detail(source, why);
    watch_report(watch, source, source->detail ? source->detail : "failed");
}

void source_check(struct watch_source *source)
{
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r;

    if (source->closed)
        return;
    r = source->kind->look(source, &why);
    if (r > 0) {
        source_well(source);
        source->suspect_ms = 0;
    } else if (r < 0) {
        set_unknown(source, r);
    } else if (source->state == SOURCE_WELL || source->state == SOURCE_UNKNOWN) {
        source_suspect(source);
    } else if (source->state == SOURCE_FAILED || !source->timer) { /* not before the second look is due */
        source->sign_ms = deadline_now_ms();
        source_failed(source, why.text ? why.text : "failed");
    }
}

static void second_look(void *data)
{
    struct watch_source *source = data;

    source->timer = 0;
    if (table_stands(source->watch))
        source_check(source);
}

/* The file is asked before the look, since the look may come upon what a stop has ended just now. */
void source_suspect(struct watch_source *source)
{
    struct watch *watch = source->watch;

    if (source->closed || source->state == SOURCE_SUSPECT || source->state == SOURCE_FAILED || !table_stands(watch))
        return;
    source->state = SOURCE_SUSPECT;
    source->suspect_ms = deadline_now_ms();
    watcher_note(watch->watcher, EVENT_FAILURE_SEEN, watch->resource, 0, "%s %s", watch_kind_name(source->item.kind), source->item.target);
    if (source->kind->settle_ms > 0)
        look_later(source, source->kind->settle_ms);
    else
        source_check(source);
}

/* ---- opening and closing ------------------------------------------------------------------------------------------------------ */

static void link_source(struct watch_source *source)
{
    struct watch_source **list = &source->watch->watcher->sources_of[source->item.kind];

    source->next_of_kind = *list;
    *list = source;
}

static void unlink_source(struct watch_source *source)
{
    struct watch_source **list = &source->watch->watcher->sources_of[source->item.kind];

    while (*list && *list != source)
        list = &(*list)->next_of_kind;
    if (*list)
        *list = source->next_of_kind;
}

static void source_close(struct watch_source *source)
{
    watcher_cancel(source->watch->watcher, &source->timer);
    unlink_source(source);
    source->kind->close(source);
    set_detail(source, NULL);
    source->closed = true;
}

static int source_open(struct watch *watch, size_t i, const struct watch_item *item, struct text_buffer *why)
{
    struct watch_source *source = &watch->sources[i];
    int r;

    *source = (struct watch_source){ .watch = watch, .item = *item, .fd = -1, .sign_ms = deadline_now_ms() };
    source->kind = source_kind_of(source->item.kind);
    link_source(source);
    r = source->kind->open(source, why);
    if (r < 0)
        unlink_source(source);
    return r;
}

int sources_open(struct watch *watch, const struct watch_registration *registration, struct text_buffer *why)
{
    watch->sources = calloc(registration->count + 1, sizeof(*watch->sources));
    if (!watch->sources)
        return -ENOMEM;
    for (watch->source_count = 0; watch->source_count < registration->count; watch->source_count++) {
        const struct watch_item *item = &registration->items[watch->source_count];
        int r = source_open(watch, watch->source_count, item, why);

        if (r == 0)
            continue;
        if (!why->text)
            text_buffer_printf(why, "%s %s can't be watched: %s", watch_kind_name(item->kind), item->target, strerror(-r));
        sources_close(watch);
        return r;
    }
    return 0;
}

void sources_close(struct watch *watch)
{
    for (size_t i = 0; i < watch->source_count; i++)
        source_close(&watch->sources[i]);
    /* A walk along the sources of a kind may stand on one of these. */
    if (watch->sources && qb_loop_job_add(watch->watcher->loop, QB_LOOP_LOW, watch->sources, free) < 0)
        free(watch->sources);
    watch->sources = NULL;
    watch->source_count = 0;
    watch->culprit = NULL;
}
