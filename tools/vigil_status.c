/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vigil status: what vigild watches on this node, how, and how it is. Where vigild does not run it says so, and lists the registrations that stand.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/number.h"
#include "tools/vigil.h"
#include "watch/client.h"

#define ANSWER_MS 3000

/* A field of a status line, or "" where there is none. */
static const char *field(const char *line, size_t length, const char *name, char *buffer, size_t size)
{
    if (watch_status_field(line, length, name, buffer, size) < 0)
        buffer[0] = '\0';
    return text_make_printable(buffer);
}

/* "3.2 s ago", or "never" where the field is empty. */
static const char *age(const char *line, size_t length, const char *name, char *buffer, size_t size)
{
    uint64_t ms = 0;
    char text[32], duration[32];

    if (number_parse_unsigned(field(line, length, name, text, sizeof(text)), UINT64_MAX, &ms) < 0)
        (void)text_copy(buffer, size, "never");
    else
        (void)text_format(buffer, size, "%s ago", number_format_duration(ms < 1000 ? ms : ms / 100 * 100, duration, sizeof(duration)));
    return buffer;
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

static void print_resource_line(const char *line, size_t length)
{
    char resource[WATCH_NAME_SIZE], agent[64], state[32], reports[32], failure[512], when[48];

    (void)printf("%s (%s): %s", field(line, length, "resource", resource, sizeof(resource)), field(line, length, "agent", agent, sizeof(agent)),
                 field(line, length, "state", state, sizeof(state)));
    if (!text_empty(field(line, length, "reports", reports, sizeof(reports))) && !text_equal(reports, "0"))
        (void)printf(", reported %s time%s", reports, text_equal(reports, "1") ? "" : "s");
    (void)printf("\n");
    if (!text_empty(field(line, length, "last_failure", failure, sizeof(failure))))
        (void)printf("    last failure %s: %s\n", age(line, length, "last_failure_ms", when, sizeof(when)), failure);
}

static void print_item_line(const char *line, size_t length)
{
    char item[64], target[512], state[32], detail[512], when[48];

    (void)printf("    %-12s %-8s last sign of life %-12s %s", field(line, length, "item", item, sizeof(item)),
                 field(line, length, "state", state, sizeof(state)), age(line, length, "sign_ms", when, sizeof(when)),
                 field(line, length, "target", target, sizeof(target)));
    if (!text_empty(field(line, length, "detail", detail, sizeof(detail))))
        (void)printf(" (%s)", detail);
    (void)printf("\n");
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */

/* All fields of a line as members: names that end in _ms and "reports" are numbers. */
static void append_fields(struct text_buffer *json, const char *line, size_t length)
{
    const char *cursor = line, *end = line + length;

    while (cursor < end) {
        const char *tab = memchr(cursor, '\t', (size_t)(end - cursor));
        size_t part = (size_t)((tab ? tab : end) - cursor), name_length;
        const char *equals;
        char name[64], value[1024];
        uint64_t number;

        for (; part > 0 && *cursor == ' '; part--)
            cursor++;
        equals = memchr(cursor, '=', part);
        name_length = equals ? (size_t)(equals - cursor) : 0;
        if (name_length > 0 && name_length < sizeof(name)) {
            memcpy(name, cursor, name_length);
            name[name_length] = '\0';
            (void)field(line, length, name, value, sizeof(value));
            if ((text_ends_with(name, "_ms") || text_equal(name, "reports")) && number_parse_unsigned(value, INT64_MAX, &number) == 0)
                json_unsigned(json, name, number);
            else
                json_text(json, name, value);
        }
        cursor += part + 1;
    }
}

/* ---- all pages of the list ---------------------------------------------------------------------------------------------- */

struct status_output {
    bool as_json;
    struct text_buffer json;
    bool in_resource; /* its object and its array of items are open */
    size_t resources;
};

static void close_resource(struct status_output *output)
{
    if (!output->in_resource)
        return;
    json_close(&output->json, ']');
    json_close(&output->json, '}');
    output->in_resource = false;
}

static void take_line(struct status_output *output, const char *line, size_t length)
{
    bool item = length > 0 && line[0] == ' ';

    if (!item)
        output->resources++;
    if (!output->as_json) {
        if (item)
            print_item_line(line, length);
        else
            print_resource_line(line, length);
        return;
    }
    if (!item)
        close_resource(output);
    else if (!output->in_resource)
        return; /* an item of nothing */
    json_open(&output->json, NULL, '{');
    append_fields(&output->json, line, length);
    if (item) {
        json_close(&output->json, '}');
    } else {
        json_open(&output->json, "items", '[');
        output->in_resource = true;
    }
}

static int fail_request(const struct command_run *run, int error)
{
    if (error == -ENOENT)
        return command_fail(run, COMMAND_FAILURE, "vigild does not run on this node: agents work by polling alone; systemctl start vigild");
    if (error == -EACCES)
        return command_fail(run, COMMAND_FAILURE, "only root and members of haclient may ask vigild");
    if (error == -ELIBACC)
        return command_fail(run, COMMAND_FAILURE, "libqb cannot be loaded: install libqb100");
    return command_fail(run, COMMAND_FAILURE, "vigild does not answer: %s", strerror(-error));
}

static int list_watches(struct watch_connection *connection, struct status_output *output)
{
    struct deadline deadline = deadline_in(ANSWER_MS);
    uint64_t cursor = 0;

    do {
        struct watch_message_view view;
        const char *next, *line;
        size_t length;
        _cleanup_free_ char *page = NULL;
        int r = watch_request(connection, WATCH_LIST, cursor, NULL, 0, &view, deadline);

        if (r == 0)
            r = view.error;
        if (r < 0)
            return r;
        page = strndup(view.payload, view.length);
        if (!page)
            return -ENOMEM;
        next = page;
        while (text_next_word(&next, "\n", &line, &length))
            take_line(output, line, length);
        cursor = view.cursor;
    } while (cursor > 0);
    return 0;
}

/* ---- about vigild itself ------------------------------------------------------------------------------------------------ */

static void print_daemon(const char *payload, size_t length, struct status_output *output)
{
    _cleanup_free_ char *text = strndup(payload, length);
    const char *next = text, *line;
    size_t line_length;

    if (output->as_json)
        json_open(&output->json, "vigild", '{');
    while (next && text_next_word(&next, "\n", &line, &line_length)) {
        _cleanup_free_ char *name = strndup(line, line_length);
        char *equals = name ? strchr(name, '=') : NULL;

        if (!equals)
            continue;
        *equals = '\0';
        if (output->as_json)
            json_text(&output->json, name, equals + 1);
        else
            (void)printf("%s: %s\n", name, equals + 1);
    }
    if (output->as_json)
        json_close(&output->json, '}');
    else
        (void)printf("\n");
}

static int ask_daemon(struct watch_connection *connection, struct status_output *output)
{
    struct watch_message_view view;
    int r = watch_request(connection, WATCH_DAEMON, 0, NULL, 0, &view, deadline_in(ANSWER_MS));

    if (r == 0)
        r = view.error;
    if (r == 0)
        print_daemon(view.payload, view.length, output);
    return r;
}

static int show(struct watch_connection *connection, struct status_output *output)
{
    int r = ask_daemon(connection, output);

    if (r < 0)
        return r;
    if (output->as_json)
        json_open(&output->json, "resources", '[');
    r = list_watches(connection, output);
    close_resource(output);
    if (output->as_json)
        json_close(&output->json, ']');
    else if (r == 0 && output->resources == 0)
        (void)printf("nothing is watched: no resource of Vigil runs here, or none has been monitored since vigild began\n");
    return r;
}

/* ---- without vigild ----------------------------------------------------------------------------------------------------- */

static void show_file(const char *name, struct status_output *output)
{
    _cleanup_watch_registration_ struct watch_registration registration = { .count = 0 };
    _cleanup_free_ char *text = NULL;
    char path[PATH_MAX];
    size_t length = 0;

    if (watch_registration_path(name, path, sizeof(path)) < 0 || file_read(path, WATCH_TEXT_MAX, &text, &length) < 0 ||
        watch_registration_parse(text, length, &registration) < 0)
        return;
    output->resources++;
    if (output->as_json) {
        json_open(&output->json, NULL, '{');
        json_text(&output->json, "resource", registration.resource);
        json_text(&output->json, "agent", registration.agent);
        json_text(&output->json, "state", "unwatched");
        json_open(&output->json, "items", '[');
    } else {
        (void)printf("%s (%s): registered, nobody watches\n", registration.resource, registration.agent);
    }
    for (size_t i = 0; i < registration.count; i++) {
        const struct watch_item *item = &registration.items[i];

        if (!output->as_json) {
            (void)printf("    %-12s %s\n", watch_kind_name(item->kind), item->target ? item->target : "");
            continue;
        }
        json_open(&output->json, NULL, '{');
        json_text(&output->json, "item", watch_kind_name(item->kind));
        json_text(&output->json, "target", item->target);
        json_close(&output->json, '}');
    }
    if (output->as_json) {
        json_close(&output->json, ']');
        json_close(&output->json, '}');
    }
}

/* What stands in /run is what vigild will watch when it runs again. */
static void show_files(struct status_output *output)
{
    _cleanup_closedir_ DIR *directory = opendir(WATCH_FOLDER);
    const struct dirent *entry;

    if (output->as_json) {
        json_null(&output->json, "vigild");
        json_open(&output->json, "resources", '[');
    }
    while (directory && (entry = readdir(directory))) {
        if (watch_resource_name_valid(entry->d_name))
            show_file(entry->d_name, output);
    }
    if (output->as_json)
        json_close(&output->json, ']');
}

static int run_status(struct command_run *run, const void *options _unused_)
{
    _cleanup_watch_connection_ struct watch_connection *connection = NULL;
    struct status_output output = { .as_json = run->json };
    int r = watch_connect(&connection, deadline_in(ANSWER_MS)), code = COMMAND_SUCCESS;

    if (run->json)
        json_open(&output.json, NULL, '{');
    if (r == 0)
        r = show(connection, &output);
    else if (r == -ENOENT)
        show_files(&output);
    if (r < 0)
        code = fail_request(run, r);
    if (run->json && (r == 0 || r == -ENOENT)) {
        json_close(&output.json, '}');
        text_buffer_append(&output.json, "\n", 1);
        if (output.json.failed)
            code = command_fail(run, COMMAND_FAILURE, "out of memory");
        else
            (void)fwrite(output.json.text, 1, output.json.length, stdout);
    }
    text_buffer_free(&output.json);
    return code;
}

const struct command command_status = {
    .name = "status",
    .shortdesc = "what is watched on this node, and how it is",
    .longdesc = "Prints what vigild is connected to, and for each resource that it watches here: how (each source with its target), the age of each source's last sign of "
                "life, and the last failure.\n\n"
                "Where vigild does not run it says so (exit code 1), and lists what it would watch.",
    .offers_json = true,
    .function = run_status,
};
