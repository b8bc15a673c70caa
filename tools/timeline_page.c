/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeline as one HTML page: a drawing (SVG) with a lane for each node, how long each part took, and a table of all events, which says all that the drawing
 * says. No script, no font and no picture from elsewhere; whatever stands in an event is escaped.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/timeline_view.h"

#define WIDTH 1160
#define GUTTER 120 /* of the nodes' names */
#define MARGIN 24
#define ROW 22
#define LETTER 6.4 /* of a label, in units of the drawing, on average */
#define LABEL_LIMIT 52
#define NODES_LIMIT 32
#define ROWS_LIMIT 60 /* of a lane */
#define DRAWN_LIMIT 400
#define AXIS_HEIGHT 34

static void escape(struct text_buffer *page, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            text_buffer_printf(page, "&amp;");
            break;
        case '<':
            text_buffer_printf(page, "&lt;");
            break;
        case '>':
            text_buffer_printf(page, "&gt;");
            break;
        case '"':
            text_buffer_printf(page, "&quot;");
            break;
        case '\'':
            text_buffer_printf(page, "&#39;");
            break;
        default:
            text_buffer_append(page, text, 1);
        }
    }
}

/* ---- where things are drawn --------------------------------------------------------------------------------------------- */

struct item {
    size_t entry, end; /* indexes; end is the timeline's where it is a point */
    size_t lane;
    size_t row;
    double from, to; /* on the drawing */
    bool label_left;
    char label[LABEL_LIMIT + 8];
};

struct lane {
    const char *node;
    size_t rows;
    double taken[ROWS_LIMIT]; /* how far to the right each row is taken */
    double top;
};

struct drawing {
    const struct timeline_view *view;
    struct item items[DRAWN_LIMIT];
    size_t item_count;
    size_t left_out;
    struct lane lanes[NODES_LIMIT];
    size_t lane_count;
    int64_t from_ns, to_ns;
    double height;
};

static double x_of(const struct drawing *drawing, int64_t time_ns)
{
    double share = (double)(time_ns - drawing->from_ns) / (double)(drawing->to_ns - drawing->from_ns);

    return GUTTER + MARGIN + share * (WIDTH - GUTTER - 2 * MARGIN);
}

static size_t find_lane(struct drawing *drawing, const char *node)
{
    for (size_t i = 0; i < drawing->lane_count; i++) {
        if (text_equal(drawing->lanes[i].node, node))
            return i;
    }
    if (drawing->lane_count == NODES_LIMIT)
        return NODES_LIMIT;
    drawing->lanes[drawing->lane_count] = (struct lane){ .node = node };
    return drawing->lane_count++;
}

/* Cuts at a whole character; an ellipsis says so. */
static void set_label(struct item *item, const struct event *event)
{
    char words[512], cut[LABEL_LIMIT];

    (void)timeline_words(event, words, sizeof(words));
    event_set_text(cut, sizeof(cut), words);
    (void)text_format(item->label, sizeof(item->label), "%s%s", cut, strlen(words) > strlen(cut) ? "\xe2\x80\xa6" : "");
}

/* The topmost row of the lane where it meets nothing that is there. */
static void choose_row(struct drawing *drawing, struct item *item)
{
    struct lane *lane = &drawing->lanes[item->lane];
    double label = LETTER * (double)strlen(item->label) + 16;
    double left, right;

    item->label_left = item->to + label > WIDTH;
    left = item->label_left ? item->from - label : item->from - 8;
    right = item->label_left ? item->to + 10 : item->to + label;
    for (item->row = 0; item->row < lane->rows && lane->taken[item->row] > left; item->row++)
        ;
    if (item->row == lane->rows && lane->rows < ROWS_LIMIT)
        lane->taken[lane->rows++] = 0;
    if (item->row == ROWS_LIMIT)
        item->row = ROWS_LIMIT - 1;
    if (right > lane->taken[item->row])
        lane->taken[item->row] = right;
}

static bool is_end_of_bar(const struct drawing *drawing, size_t entry)
{
    for (size_t i = 0; i < drawing->item_count; i++) {
        if (drawing->items[i].end == entry)
            return true;
    }
    return false;
}

static void add_item(struct drawing *drawing, size_t entry)
{
    const struct timeline *timeline = drawing->view->timeline;
    struct item *item = &drawing->items[drawing->item_count];

    if (is_end_of_bar(drawing, entry))
        return;
    *item = (struct item){ .entry = entry, .end = timeline_find_end(timeline, entry, drawing->view->end) };
    item->lane = find_lane(drawing, timeline->entries[entry].event.node);
    if (drawing->item_count == DRAWN_LIMIT - 1 || item->lane == NODES_LIMIT) {
        drawing->left_out++;
        return;
    }
    item->from = item->to = x_of(drawing, timeline->entries[entry].time_ns);
    if (item->end < drawing->view->end) {
        item->to = x_of(drawing, timeline->entries[item->end].time_ns);
        set_label(item, &timeline->entries[item->end].event);
    } else {
        set_label(item, &timeline->entries[entry].event);
    }
    choose_row(drawing, item);
    drawing->item_count++;
}

static void lay_out(struct drawing *drawing)
{
    const struct timeline_view *view = drawing->view;
    double top = AXIS_HEIGHT;

    drawing->from_ns = view->timeline->entries[view->first].time_ns;
    drawing->to_ns = view->timeline->entries[view->end - 1].time_ns;
    if (drawing->to_ns - drawing->from_ns < 1000000)
        drawing->to_ns = drawing->from_ns + 1000000;
    for (size_t i = view->first; i < view->end; i++)
        add_item(drawing, i);
    for (size_t i = 0; i < drawing->lane_count; i++) {
        drawing->lanes[i].top = top;
        top += ROW * (double)drawing->lanes[i].rows + 12;
    }
    drawing->height = top + 6;
}

/* ---- the drawing ---------------------------------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, so that at most ten ticks fit. */
static double tick_step(double span)
{
    double step = 0.001;

    while (span / step > 10) {
        if (span / (2 * step) <= 10)
            return 2 * step;
        if (span / (5 * step) <= 10)
            return 5 * step;
        step *= 10;
    }
    return step;
}

static void draw_axis(const struct drawing *drawing, struct text_buffer *page)
{
    int64_t zero_ns = drawing->view->timeline->entries[drawing->view->trigger].time_ns;
    double first = (double)(drawing->from_ns - zero_ns) / 1e9, last = (double)(drawing->to_ns - zero_ns) / 1e9;
    double step = tick_step(last - first);

    for (int64_t i = (int64_t)(first / step) - 1; (double)i * step <= last; i++) {
        double x = x_of(drawing, zero_ns + (int64_t)((double)i * step * 1e9));

        if ((double)i * step < first)
            continue;
        text_buffer_printf(page, "<line class=\"%s\" x1=\"%.1f\" y1=\"22\" x2=\"%.1f\" y2=\"%.1f\"/>", i == 0 ? "zero" : "tick", x, x,
                           drawing->height);
        text_buffer_printf(page, "<text class=\"axis\" x=\"%.1f\" y=\"16\" text-anchor=\"middle\">%.*f s</text>\n", x,
                           step < 0.01 ? 3 : step < 0.1 ? 2 : step < 1 ? 1 : 0, (double)i * step);
    }
}

static void draw_lanes(const struct drawing *drawing, struct text_buffer *page)
{
    for (size_t i = 0; i < drawing->lane_count; i++) {
        const struct lane *lane = &drawing->lanes[i];

        text_buffer_printf(page, "<rect class=\"lane\" x=\"0\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" rx=\"6\"/>", lane->top, WIDTH,
                           ROW * (double)lane->rows + 6);
        text_buffer_printf(page, "<text class=\"node\" x=\"12\" y=\"%.1f\">", lane->top + 20);
        escape(page, lane->node);
        text_buffer_printf(page, "</text>\n");
    }
}

static const char *class_of(const struct timeline *timeline, const struct item *item, size_t end)
{
    const struct event *event = &timeline->entries[item->entry].event;

    if (item->end < end && timeline->entries[item->end].event.value != 0)
        return "failure";
    if (event->kind == EVENT_FENCING_BEGIN)
        return "fencing";
    if (event->kind == EVENT_START_BEGIN)
        return "start";
    if (event->kind == EVENT_STOP_BEGIN)
        return "stop";
    return timeline_is_failure(event) ? "failure" : "point";
}

/* A bar for what has a begin and an end, a square on its corner for a failure, a disc for the rest. */
static void draw_shape(const struct drawing *drawing, const struct item *item, double y, struct text_buffer *page)
{
    const char *class = class_of(drawing->view->timeline, item, drawing->view->end);
    double width = item->to - item->from;

    if (item->end < drawing->view->end)
        text_buffer_printf(page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"13\" rx=\"3\"/>", class, item->from, y - 7,
                           width > 3 ? width : 3);
    else if (text_equal(class, "point"))
        text_buffer_printf(page, "<circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", item->from, y);
    else
        text_buffer_printf(page, "<path class=\"%s\" d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\"/>", class, item->from, y - 6);
}

static void draw_item(const struct drawing *drawing, const struct item *item, struct text_buffer *page)
{
    const struct timeline_entry *entry = &drawing->view->timeline->entries[item->entry];
    double y = drawing->lanes[item->lane].top + ROW * (double)item->row + 14;
    char time[40], uncertainty[24], words[512];

    text_buffer_printf(page, "<g><title>%s +/- %s: ", view_clock_time(entry->time_ns, time, sizeof(time)),
                       view_uncertainty(entry, uncertainty, sizeof(uncertainty)));
    escape(page, timeline_words(&entry->event, words, sizeof(words)));
    text_buffer_printf(page, "</title>");
    draw_shape(drawing, item, y, page);
    text_buffer_printf(page, "<text x=\"%.1f\" y=\"%.1f\"%s>", item->label_left ? item->from - 10 : item->to + 10, y + 4,
                       item->label_left ? " text-anchor=\"end\"" : "");
    escape(page, item->label);
    text_buffer_printf(page, "</text></g>\n");
}

static void draw(const struct drawing *drawing, struct text_buffer *page)
{
    text_buffer_printf(page,
                       "<figure><svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"drawn\" xmlns=\"http://www.w3.org/2000/svg\">\n"
                       "<title id=\"drawn\">The events on a time axis, a lane for each node; the table below says the same</title>\n",
                       WIDTH, drawing->height);
    draw_lanes(drawing, page);
    draw_axis(drawing, page);
    for (size_t i = 0; i < drawing->item_count; i++)
        draw_item(drawing, &drawing->items[i], page);
    text_buffer_printf(page, "</svg>\n<figcaption>Seconds since the first failure. A bar is a start, a stop or a fencing, from its begin to its end; "
                             "a square on its corner is a failure, a disc is anything else.");
    if (drawing->left_out > 0)
        text_buffer_printf(page, " %zu more events are in the table only.", drawing->left_out);
    text_buffer_printf(page, "</figcaption></figure>\n");
}

/* ---- the tables ------------------------------------------------------------------------------------------------------------ */

static void print_phases(const struct timeline_view *view, struct text_buffer *page)
{
    if (view->phase_count == 0)
        return;
    text_buffer_printf(page, "<h2>How long it took</h2>\n<table class=\"phases\"><thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Seconds</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < view->phase_count; i++) {
        text_buffer_printf(page, "<tr><th scope=\"row\">");
        escape(page, view->phases[i].name);
        text_buffer_printf(page, "</th><td>%.3f</td></tr>\n", (double)(view->phases[i].to_ns - view->phases[i].from_ns) / 1e9);
    }
    text_buffer_printf(page, "</tbody></table>\n");
}

static void print_row(const struct timeline_view *view, const struct timeline_entry *entry, struct text_buffer *page)
{
    char buffer[512];

    text_buffer_printf(page, "<tr%s><td>%s</td>", timeline_is_failure(&entry->event) ? " class=\"failed\"" : "",
                       view_clock_time(entry->time_ns, buffer, sizeof(buffer)));
    text_buffer_printf(page, "<td>%+.3f</td>", (double)(entry->time_ns - view->timeline->entries[view->trigger].time_ns) / 1e9);
    text_buffer_printf(page, "<td>%s</td><td>", view_uncertainty(entry, buffer, sizeof(buffer)));
    escape(page, entry->event.node);
    text_buffer_printf(page, "</td><td>%s", timeline_is_failure(&entry->event) ? "<strong>Failure:</strong> " : "");
    escape(page, timeline_words(&entry->event, buffer, sizeof(buffer)));
    text_buffer_printf(page, "</td></tr>\n");
}

static void print_events(const struct timeline_view *view, struct text_buffer *page)
{
    text_buffer_printf(page, "<h2>All events</h2>\n<table><thead><tr><th scope=\"col\">Time (UTC)</th><th scope=\"col\">Seconds</th>"
                             "<th scope=\"col\">+/-</th><th scope=\"col\">Node</th><th scope=\"col\">What</th></tr></thead><tbody>\n");
    for (size_t i = view->first; i < view->end; i++)
        print_row(view, &view->timeline->entries[i], page);
    text_buffer_printf(page, "</tbody></table>\n");
}

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--text:#1c2330;--soft:#59637a;--lane:#f1f4f9;--line:#d5dbe6;--start:#1f7a4d;--stop:#8a6100;"
    "--fencing:#6a3fb5;--failure:#c22b2b;--point:#2c5fb8}"
    "@media (prefers-color-scheme:dark){:root{--back:#12161e;--text:#e6eaf2;--soft:#9aa5ba;--lane:#1b212c;--line:#333c4c;--start:#4cc38a;"
    "--stop:#e0b04a;--fencing:#b394f0;--failure:#ff7a70;--point:#7fb0ff}}"
    "body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}"
    "h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}p,figcaption{color:var(--soft)}"
    "figure{margin:1.5rem 0;overflow-x:auto}svg{width:100%;min-width:56rem;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--text)}"
    "svg .node{font-weight:600;font-size:14px}svg .axis{fill:var(--soft);font-size:11px}.lane{fill:var(--lane)}.tick{stroke:var(--line)}"
    ".zero{stroke:var(--failure);stroke-dasharray:4 3}.start{fill:var(--start)}.stop{fill:var(--stop)}.fencing{fill:var(--fencing)}"
    ".failure{fill:var(--failure)}.point{fill:var(--point)}"
    "table{border-collapse:collapse;width:100%}table.phases{width:auto}th,td{border-bottom:1px solid var(--line);padding:.25rem .8rem .25rem 0;"
    "text-align:left;vertical-align:top;font-weight:400}thead th{color:var(--soft)}td{font-variant-numeric:tabular-nums}.failed strong{color:var(--failure)}";

void timeline_print_page(const struct timeline_view *view, struct text_buffer *page)
{
    _cleanup_text_buffer_ struct text_buffer headline = { 0 };
    struct drawing *drawing = calloc(1, sizeof(*drawing));
    char time[40];

    if (!drawing) {
        page->failed = true;
        return;
    }
    drawing->view = view;
    lay_out(drawing);
    view_headline(view, &headline);
    text_buffer_printf(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    escape(page, headline.text ? headline.text : "");
    text_buffer_printf(page, "</title>\n<style>%s</style></head><body><main>\n<h1>", style);
    escape(page, headline.text ? headline.text : "");
    text_buffer_printf(page, "</h1>\n<p>%s UTC, by the clock of ", view_time(view->timeline->entries[view->first].time_ns, time, sizeof(time)));
    escape(page, view->timeline->reference[0] ? view->timeline->reference : view->node);
    text_buffer_printf(page, ". A time marked ? was placed by its own node's wall clock.</p>\n");
    draw(drawing, page);
    print_phases(view, page);
    print_events(view, page);
    if (view->note) {
        text_buffer_printf(page, "<p>");
        escape(page, view->note);
        text_buffer_printf(page, "</p>\n");
    }
    text_buffer_printf(page, "</main></body></html>\n");
    free(drawing);
}
