/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/timeline_view.h"

#include <string.h>
#include <time.h>

#include "base/json_text.h"

/* "2026-11-22T19:31:07.123456789"; so many digits of the fraction, from the byte `from` on. */
static size_t format_time(int64_t time_ns, unsigned int digits, size_t from, char *buffer, size_t size)
{
    time_t seconds = (time_t)(time_ns / 1000000000);
    unsigned int fraction = (unsigned int)(time_ns % 1000000000);
    char head[40];
    struct tm utc;

    buffer[0] = '\0';
    if (time_ns < 0 || !gmtime_r(&seconds, &utc) || strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        return 0;
    for (unsigned int i = digits; i < 9; i++)
        fraction /= 10;
    return (size_t)text_format(buffer, size, "%s.%0*u", head + from, (int)digits, fraction);
}

const char *view_time(int64_t time_ns, char *buffer, size_t size)
{
    if (format_time(time_ns, 3, 0, buffer, size) > 10)
        buffer[10] = ' ';
    return buffer;
}

const char *view_clock_time(int64_t time_ns, char *buffer, size_t size)
{
    (void)format_time(time_ns, 3, 11, buffer, size);
    return buffer;
}

const char *view_time_rfc3339(int64_t time_ns, char *buffer, size_t size)
{
    size_t length = format_time(time_ns, 9, 0, buffer, size - 1);

    (void)text_copy(buffer + length, 2, length > 0 ? "Z" : "");
    return buffer;
}

const char *view_uncertainty(const struct timeline_entry *entry, char *buffer, size_t size)
{
    if (entry->by_wall_clock)
        (void)text_copy(buffer, size, "?");
    else
        (void)text_format(buffer, size, "%.1f ms", (double)entry->uncertainty_ns / 1e6);
    return buffer;
}

/* The worst of what is known, and whether something is not. */
static uint64_t worst_uncertainty(const struct timeline_view *view, bool *ret_unknown)
{
    uint64_t worst = 0;

    *ret_unknown = false;
    for (size_t i = view->first; i < view->end; i++) {
        const struct timeline_entry *entry = &view->timeline->entries[i];

        if (entry->by_wall_clock)
            *ret_unknown = true;
        else if (entry->uncertainty_ns > worst)
            worst = entry->uncertainty_ns;
    }
    return worst;
}

void view_headline(const struct timeline_view *view, struct text_buffer *text)
{
    const struct timeline_entry *trigger = &view->timeline->entries[view->trigger];
    char words[512];

    text_buffer_printf(text, "%s: %s", trigger->event.node, timeline_words(&trigger->event, words, sizeof(words)));
    for (size_t i = 0; i < view->phase_count; i++) {
        if (text_equal(view->phases[i].name, "until the service was back"))
            text_buffer_printf(text, "; the service was back after %.3f s",
                               (double)(view->phases[i].to_ns - view->phases[i].from_ns) / 1e9);
    }
}

/* ---- text ------------------------------------------------------------------------------------------------------------ */

/* How many columns the longest name takes. */
static int node_width(const struct timeline_view *view)
{
    size_t width = 4;

    for (size_t i = view->first; i < view->end; i++) {
        size_t length = strlen(view->timeline->entries[i].event.node);

        width = length > width ? length : width;
    }
    return (int)width;
}

static void print_line(const struct timeline_view *view, const struct timeline_entry *entry, int width, struct text_buffer *text)
{
    int64_t zero_ns = view->timeline->entries[view->trigger].time_ns;
    char time[40], uncertainty[24], words[512];

    text_buffer_printf(text, "%s  %+10.3f  %7s  %-*s  %s%s\n", view_clock_time(entry->time_ns, time, sizeof(time)),
                       (double)(entry->time_ns - zero_ns) / 1e9, view_uncertainty(entry, uncertainty, sizeof(uncertainty)), width,
                       entry->event.node, timeline_is_failure(&entry->event) ? "! " : "  ",
                       timeline_words(&entry->event, words, sizeof(words)));
}

void timeline_print_text(const struct timeline_view *view, struct text_buffer *text)
{
    const struct timeline_entry *entries = view->timeline->entries;
    int width = node_width(view);
    char time[40];
    bool unknown;
    uint64_t worst = worst_uncertainty(view, &unknown);

    view_headline(view, text);
    text_buffer_printf(text, "\n%s UTC, by the clock of %s; times are right within %.1f ms%s\n", view_time(entries[view->first].time_ns, time, sizeof(time)),
                       view->timeline->reference[0] ? view->timeline->reference : view->node, (double)worst / 1e6,
                       unknown ? ", but for those marked '?', which are by their node's wall clock" : "");
    text_buffer_printf(text, "\n%-12s  %10s  %7s  %-*s  what\n", "time", "seconds", "+/-", width, "node");
    for (size_t i = view->first; i < view->end; i++)
        print_line(view, &entries[i], width, text);
    if (view->phase_count > 0)
        text_buffer_printf(text, "\nHow long it took:\n");
    for (size_t i = 0; i < view->phase_count; i++)
        text_buffer_printf(text, "  %9.3f s  %s\n", (double)(view->phases[i].to_ns - view->phases[i].from_ns) / 1e9, view->phases[i].name);
    if (view->note)
        text_buffer_printf(text, "\n%s\n", view->note);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static void append_entry(const struct timeline_view *view, const struct timeline_entry *entry, struct text_buffer *json)
{
    char buffer[512];

    json_open(json, NULL, '{');
    json_text(json, "time", view_time_rfc3339(entry->time_ns, buffer, sizeof(buffer)));
    json_integer(json, "time_ns", entry->time_ns);
    json_integer(json, "since_trigger_ns", entry->time_ns - view->timeline->entries[view->trigger].time_ns);
    if (entry->by_wall_clock)
        json_null(json, "uncertainty_ns");
    else
        json_unsigned(json, "uncertainty_ns", entry->uncertainty_ns);
    json_boolean(json, "failure", timeline_is_failure(&entry->event));
    json_text(json, "words", timeline_words(&entry->event, buffer, sizeof(buffer)));
    event_append_json(json, &entry->event);
    json_close(json, '}');
}

void timeline_print_json(const struct timeline_view *view, struct text_buffer *json)
{
    json_open(json, NULL, '{');
    json_text(json, "reference", view->timeline->reference);
    json_text(json, "shown_on", view->node);
    json_text(json, "note", view->note);
    json_unsigned(json, "trigger", view->trigger - view->first);
    json_open(json, "phases", '[');
    for (size_t i = 0; i < view->phase_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "name", view->phases[i].name);
        json_integer(json, "from_ns", view->phases[i].from_ns);
        json_integer(json, "duration_ns", view->phases[i].to_ns - view->phases[i].from_ns);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_open(json, "events", '[');
    for (size_t i = view->first; i < view->end; i++)
        append_entry(view, &view->timeline->entries[i], json);
    json_close(json, ']');
    json_close(json, '}');
    text_buffer_append(json, "\n", 1);
}
