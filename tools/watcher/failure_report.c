/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a confirmed failure: once to Pacemaker, never for what is to be left alone, and not again and again.
 *
 * One failure is one report: a watch that has reported does so again only when its source was well in between, or its agent has registered it
 * anew (a start). A source that can be wrong (soft) is held back as well: after a report the next one waits, twice as long each time, and then
 * only goes out when the source still fails. What is a fact (a process has ended, an address is gone) is never held back: polling would count it, too.
 */
#include <errno.h>
#include <string.h>

#include "tools/watcher/watcher.h"

#define HOLD_FIRST_MS 10000
#define HOLD_MAX_MS 600000
#define HOLD_FORGET_MS 3600000 /* an hour without a report: the back-off begins anew */
#define BUSY_AGAIN_MS 50       /* another operation of the resource is under way */
#define EXCEPTED_AGAIN_MS 5000 /* unmanaged or in maintenance */
#define LOST_AGAIN_MS 1000     /* no connection to Pacemaker */

static void retry(void *data);

static void retry_later(struct watch *watch, uint64_t ms)
{
    watcher_cancel(watch->watcher, &watch->retry);
    watcher_timer(watch->watcher, ms, watch, retry, &watch->retry);
}

static void hold(struct watch *watch, uint64_t now)
{
    if (watch->state != WATCH_HELD)
        watcher_note(watch->watcher, EVENT_FAILURE_DISMISSED, watch->resource, 0,
                     "held back for %llu ms, since it was reported a short while ago: %s", (unsigned long long)(watch->hold_until_ms - now),
                     watch->last_failure ? watch->last_failure : "");
    watch->state = WATCH_HELD;
    retry_later(watch, watch->hold_until_ms - now);
}

static void send(struct watch *watch)
{
    static uint64_t last_id;

    watch->state = WATCH_REPORTING;
    watch->report_id = ++last_id;
    if (cluster_link_report(watch->watcher, watch, watch->last_failure ? watch->last_failure : "failed") < 0)
        watch_report_answered(watch->watcher, watch->report_id, -ENOTCONN);
}

/* By our own back-off, not by an answer of Pacemaker: a fact need not wait behind that. */
static bool is_held_by_us(const struct watch *watch, uint64_t now)
{
    return watch->state == WATCH_HELD && watch->culprit && watch->culprit->kind->soft && watch->hold_until_ms > now;
}

void watch_report(struct watch *watch, struct watch_source *source, const char *why)
{
    uint64_t now = deadline_now_ms();
    bool overtakes = !source->kind->soft && is_held_by_us(watch, now);
    char *copy = strdup(why);

    if (watch->state == WATCH_REPORTED || watch->state == WATCH_REPORTING || (watch->state == WATCH_HELD && watch->retry && !overtakes)) {
        free(copy);
        return;
    }
    watcher_cancel(watch->watcher, &watch->retry);
    if (copy) {
        free(watch->last_failure);
        watch->last_failure = copy;
    }
    watch->culprit = source;
    watch->failed_ms = now;
    if (source->kind->soft && watch->hold_until_ms > now)
        hold(watch, now);
    else
        send(watch);
}

/* Looks once more before it is said again. */
static void retry(void *data)
{
    struct watch *watch = data;
    struct watch_source *culprit = watch->culprit;

    watch->retry = 0;
    if (!table_stands(watch) || !culprit)
        return;
    watch->state = WATCH_WATCHED;
    source_check(culprit);
    /* What failed behind it was not said, for its sake. A look may find the registration withdrawn. */
    for (size_t i = 0; watch->state == WATCH_WATCHED && i < watch->source_count; i++)
        if (watch->sources[i].state == SOURCE_FAILED)
            source_check(&watch->sources[i]);
}

static void back_off(struct watch *watch)
{
    uint64_t now = deadline_now_ms();

    if (watch->hold_ms == 0 || now > watch->hold_until_ms + HOLD_FORGET_MS)
        watch->hold_ms = HOLD_FIRST_MS;
    else if (watch->hold_ms < HOLD_MAX_MS / 2)
        watch->hold_ms *= 2;
    else
        watch->hold_ms = HOLD_MAX_MS;
    watch->hold_until_ms = now + watch->hold_ms;
}

static void reported(struct watch *watch)
{
    uint64_t seen = watch->culprit ? watch->culprit->suspect_ms : watch->failed_ms;

    watch->state = WATCH_REPORTED;
    watch->reports++;
    if (watch->culprit && watch->culprit->kind->soft)
        back_off(watch);
    watcher_note(watch->watcher, EVENT_FAILURE_REPORTED, watch->resource, (int64_t)(deadline_now_ms() - seen), "%s",
                 watch->last_failure ? watch->last_failure : "");
}

static void dismissed(struct watch *watch, const char *why)
{
    watcher_note(watch->watcher, EVENT_FAILURE_DISMISSED, watch->resource, 0, "%s: %s", why, watch->last_failure ? watch->last_failure : "");
}

/* What it means that Pacemaker was not told, and when to try again; NULL: not a dismissal. */
static const struct answer {
    int result;
    const char *dismissal;
    uint64_t again_ms; /* 0: never */
} answers[] = {
    { -EINPROGRESS, NULL, BUSY_AGAIN_MS },
    { -EALREADY, "not reported, since Pacemaker knows of a failure already", 0 },
    { -EPERM, "not reported, since the resource is unmanaged, in maintenance or blocked", EXCEPTED_AGAIN_MS },
    { -ENOENT, "not reported, since Pacemaker does not have it as running here", EXCEPTED_AGAIN_MS },
};

static void not_reported(struct watch *watch, int result)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].result != result)
            continue;
        if (answers[i].dismissal && watch->retries == 0)
            dismissed(watch, answers[i].dismissal);
        watch->state = answers[i].again_ms > 0 ? WATCH_HELD : WATCH_REPORTED;
        if (answers[i].again_ms > 0)
            retry_later(watch, answers[i].again_ms);
        watch->retries += answers[i].dismissal != NULL;
        return;
    }
    /* Where the connection went while the report was under way, the resource's history tells whether it arrived. */
    if (watch->retries++ == 0)
        watcher_note(watch->watcher, EVENT_REPORT_FAILED, watch->resource, result, "Pacemaker can't be told (%s): %s", strerror(-result),
                     watch->last_failure ? watch->last_failure : "");
    watch->state = WATCH_HELD;
    retry_later(watch, LOST_AGAIN_MS);
}

void watch_report_answered(struct watcher *watcher, uint64_t report_id, int result)
{
    for (size_t i = 0; i < watcher->watch_count; i++) {
        struct watch *watch = watcher->watches[i];

        if (watch->report_id != report_id || watch->state != WATCH_REPORTING)
            continue;
        if (result == 0)
            reported(watch);
        else
            not_reported(watch, result);
        /* Well again while Pacemaker was told: nobody comes to say so once more. */
        if (watch->state == WATCH_REPORTED && watch->culprit && watch->culprit->state == SOURCE_WELL)
            watch_recovered(watch);
        return;
    }
}

void watch_recovered(struct watch *watch)
{
    if (watch->state == WATCH_WITHDRAWN || watch->state == WATCH_REPORTING)
        return;
    for (size_t i = 0; i < watch->source_count; i++)
        if (watch->sources[i].state == SOURCE_FAILED)
            return;
    watcher_cancel(watch->watcher, &watch->retry);
    watch->state = WATCH_WATCHED;
    watch->retries = 0;
}
