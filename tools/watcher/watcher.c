/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/watcher/watcher.h"

#include <stdio.h>
#include <string.h>

#include "agent/log.h"

static int level_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_FAILURE_CONFIRMED:
    case EVENT_FAILURE_REPORTED:
    case EVENT_REPORT_FAILED:
    case EVENT_CLUSTER_LOST:
    case EVENT_NODE_HEALTH:
        return LOG_WARNING;
    case EVENT_CLUSTER_REGAINED:
    case EVENT_FAILURE_DISMISSED:
    case EVENT_SOURCE_LOST:
    case EVENT_SOURCE_REGAINED:
        return LOG_NOTICE;
    default:
        return LOG_DEBUG;
    }
}

void watcher_note(struct watcher *own, enum event_kind kind, const char *resource, int64_t value, const char *format, ...)
{
    char text[EVENT_TEXT_SIZE], name[32];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)recorder_note_text(own->recorder, kind, resource, NULL, value, text);
    log_line(level_of(kind), "%s%s%s: %s", resource ? resource : "", resource ? ": " : "", event_kind_name((uint16_t)kind, name, sizeof(name)), text);
}

void watcher_timer(struct watcher *own, uint64_t ms, void *data, void (*callback)(void *data), qb_loop_timer_handle *handle)
{
    *handle = 0;
    if (qb_loop_timer_add(own->loop, QB_LOOP_HIGH, ms * 1000000ULL, data, callback, handle) < 0)
        log_error("no timer can be set, out of memory");
}

void watcher_cancel(struct watcher *own, qb_loop_timer_handle *handle)
{
    if (*handle)
        (void)qb_loop_timer_del(own->loop, *handle);
    *handle = 0;
}
