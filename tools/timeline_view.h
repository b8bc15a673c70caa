/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_TIMELINE_VIEW_H
#define VIGIL_TOOLS_TIMELINE_VIEW_H
/*
 * What the ways to show a timeline share: `vigil timeline` as text, as JSON and as a page.
 */
#include "base/text.h"
#include "watch/timeline.h"

/* The part of a timeline that is shown. */
struct timeline_view {
    const struct timeline *timeline;
    size_t first, end; /* entries, end exclusive; at least one */
    size_t trigger;
    struct timeline_phase phases[TIMELINE_PHASES];
    size_t phase_count;
    const char *node;      /* where it is shown */
    const char *note;      /* a warning that belongs to it, or NULL */
};

/* "2026-11-22 19:31:07.123" in UTC, or with a T and a Z as RFC 3339 has it, in nanoseconds. Returns buffer. */
const char *view_time(int64_t time_ns, char *buffer, size_t size);
const char *view_time_rfc3339(int64_t time_ns, char *buffer, size_t size);
const char *view_clock_time(int64_t time_ns, char *buffer, size_t size); /* "19:31:07.123" */

/* How sure the time is: "0.3 ms", or "?" where it is not known. Returns buffer. */
const char *view_uncertainty(const struct timeline_entry *entry, char *buffer, size_t size);

/* A line that says what it was: "n1 is lost: the service was back after 4.713 s". */
void view_headline(const struct timeline_view *view, struct text_buffer *text);

void timeline_print_text(const struct timeline_view *view, struct text_buffer *text);
void timeline_print_json(const struct timeline_view *view, struct text_buffer *json);
/* One self-contained HTML page. */
void timeline_print_page(const struct timeline_view *view, struct text_buffer *page);

#endif
