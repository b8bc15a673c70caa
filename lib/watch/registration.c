/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "watch/protocol.h"

static const char first_line[] = "vigil-watch 1";

static const char *const kind_names[WATCH_KINDS] = {
    [WATCH_PROCESS] = "process",   [WATCH_CGROUP] = "cgroup",           [WATCH_LISTENER] = "listener", [WATCH_ADDRESS] = "address",
    [WATCH_LINK] = "link",         [WATCH_MOUNT] = "mount",             [WATCH_DEVICE] = "device",     [WATCH_RESERVATION] = "reservation",
    [WATCH_LATENCY] = "latency",   [WATCH_PROBE] = "probe",
};

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "pid", offsetof(struct watch_item, pid) },
    { "start", offsetof(struct watch_item, start) },
    { "index", offsetof(struct watch_item, index) },
    { "port", offsetof(struct watch_item, port) },
    { "device", offsetof(struct watch_item, device) },
    { "writable", offsetof(struct watch_item, writable) },
    { "key", offsetof(struct watch_item, key) },
    { "interval", offsetof(struct watch_item, interval_ms) },
    { "deadline", offsetof(struct watch_item, deadline_ms) },
    { "failures", offsetof(struct watch_item, failures) },
};

const char *watch_kind_name(enum watch_kind kind)
{
    return kind < WATCH_KINDS ? kind_names[kind] : "unknown";
}

struct watch_item *watch_registration_add(struct watch_registration *registration, enum watch_kind kind, const char *target)
{
    struct watch_item *item;

    if (registration->count >= WATCH_ITEMS_MAX)
        return NULL;
    item = &registration->items[registration->count++];
    *item = (struct watch_item){ .kind = kind, .target = target };
    return item;
}

bool watch_resource_name_valid(const char *name)
{
    size_t length = strnlen(name, 241);

    return length > 0 && length <= 240 && name[0] != '.' && !strchr(name, '/') && text_is_printable_utf8(name, length) &&
           !strchr(name, '\t');
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

void watch_escape(struct text_buffer *buffer, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte == 0x7f || byte == '%')
            text_buffer_printf(buffer, "%%%02X", byte);
        else
            text_buffer_append(buffer, text, 1);
    }
}

static uint64_t *number_of(struct watch_item *item, size_t i)
{
    return (uint64_t *)(void *)((char *)item + numbers[i].offset);
}

static void format_item(const struct watch_item *item, struct text_buffer *text)
{
    struct watch_item copy = *item;

    text_buffer_printf(text, "%s ", kind_names[item->kind]);
    watch_escape(text, item->target);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (*number_of(&copy, i) > 0)
            text_buffer_printf(text, "\t%s=%llu", numbers[i].name, (unsigned long long)*number_of(&copy, i));
    text_buffer_append(text, "\n", 1);
}

int watch_registration_format(const struct watch_registration *registration, struct text_buffer *text)
{
    text_buffer_printf(text, "%s\nresource ", first_line);
    watch_escape(text, registration->resource);
    text_buffer_printf(text, "\tagent=%s\n", registration->agent);
    for (size_t i = 0; i < registration->count; i++)
        format_item(&registration->items[i], text);
    if (text->failed)
        return -ENOMEM;
    return text->length > WATCH_TEXT_MAX ? -E2BIG : 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

int watch_unescape(char *text)
{
    char *to = text;

    for (; *text; text++, to++) {
        int high, low;

        *to = *text;
        if (*text != '%')
            continue;
        high = hex_digit(text[1]);
        low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || high * 16 + low == 0)
            return -EBADMSG;
        *to = (char)(high * 16 + low);
        text += 2;
    }
    *to = '\0';
    return 0;
}

/* Cuts the text at its first separator and returns what stands behind it, or NULL where there is none. */
static char *cut(char *text, char separator)
{
    char *end = strchr(text, separator);

    if (!end)
        return NULL;
    *end = '\0';
    return end + 1;
}

static int parse_number(char *field, struct watch_item *item)
{
    char *value = cut(field, '=');

    for (size_t i = 0; value && i < ARRAY_SIZE(numbers); i++)
        if (text_equal(field, numbers[i].name))
            return number_parse_unsigned(value, UINT64_MAX, number_of(item, i)) < 0 ? -EBADMSG : 0;
    return -EBADMSG;
}

static int parse_kind(const char *name, enum watch_kind *ret)
{
    for (int kind = 0; kind < WATCH_KINDS; kind++)
        if (text_equal(name, kind_names[kind])) {
            *ret = (enum watch_kind)kind;
            return 0;
        }
    return -EBADMSG;
}

static int parse_item(char *line, struct watch_registration *registration)
{
    char *target = cut(line, ' ');
    char *fields = target ? cut(target, '\t') : NULL;
    struct watch_item *item;
    enum watch_kind kind;

    if (!target || parse_kind(line, &kind) < 0 || watch_unescape(target) < 0)
        return -EBADMSG;
    item = watch_registration_add(registration, kind, target);
    if (!item)
        return -EBADMSG;
    while (fields) {
        char *field = fields;

        fields = cut(field, '\t');
        if (parse_number(field, item) < 0)
            return -EBADMSG;
    }
    return 0;
}

static int parse_resource(char *line, struct watch_registration *registration)
{
    char *name = strncmp(line, "resource ", 9) == 0 ? line + 9 : NULL;
    char *agent = name ? cut(name, '\t') : NULL;

    if (!agent || strncmp(agent, "agent=", 6) != 0 || watch_unescape(name) < 0 || !watch_resource_name_valid(name) ||
        !watch_resource_name_valid(agent + 6))
        return -EBADMSG;
    if (text_copy(registration->resource, sizeof(registration->resource), name) < 0 ||
        text_copy(registration->agent, sizeof(registration->agent), agent + 6) < 0)
        return -EBADMSG;
    return 0;
}

static int parse_lines(char *text, struct watch_registration *registration)
{
    char *line = text, *next = cut(line, '\n');
    int r;

    if (!next || strncmp(line, "vigil-watch ", 12) != 0)
        return -EBADMSG;
    if (!text_equal(line, first_line))
        return -EPROTONOSUPPORT;
    line = next;
    next = cut(line, '\n');
    r = next ? parse_resource(line, registration) : -EBADMSG;
    while (r == 0 && *next != '\0') {
        line = next;
        next = cut(line, '\n');
        r = next ? parse_item(line, registration) : -EBADMSG;
    }
    return r;
}

int watch_registration_parse(const char *bytes, size_t length, struct watch_registration *ret)
{
    _cleanup_watch_registration_ struct watch_registration read = { 0 };
    int r;

    if (length > WATCH_TEXT_MAX || memchr(bytes, '\0', length))
        return -EBADMSG;
    read.text = strndup(bytes, length);
    if (!read.text)
        return -ENOMEM;
    r = parse_lines(read.text, &read);
    if (r < 0)
        return r;
    *ret = read;
    read.text = NULL;
    return 0;
}

void watch_registration_free(struct watch_registration *registration)
{
    free(registration->text);
    registration->text = NULL;
    registration->count = 0;
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

int watch_registration_path(const char *resource, char *buffer, size_t size)
{
    int r;

    if (!watch_resource_name_valid(resource))
        return -EINVAL;
    r = text_format(buffer, size, "%s/%s", WATCH_FOLDER, resource);
    return r < 0 ? r : 0;
}

int watch_registration_exists(const char *resource)
{
    char path[PATH_MAX];
    struct stat status;
    int r = watch_registration_path(resource, path, sizeof(path));

    if (r < 0)
        return r;
    if (lstat(path, &status) == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

int watch_registration_stamp(const char *resource, uint64_t *ret)
{
    char path[PATH_MAX];
    struct stat status;
    int r = watch_registration_path(resource, path, sizeof(path));

    if (r < 0)
        return r;
    if (lstat(path, &status) < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    *ret = ((uint64_t)status.st_ino << 40) ^ ((uint64_t)status.st_ctim.tv_sec * 1000000000 + (uint64_t)status.st_ctim.tv_nsec);
    return 0;
}
