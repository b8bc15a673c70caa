/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/lvm_report.h"

#include <string.h>
#include <strings.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/number.h"

/* "lvm" and what a caller gives. */
#define ARGUMENTS_MAX 24
#define FIELDS 6
#define UUID_LENGTH 32

static int copy_field(const char *field, size_t length, char *buffer, size_t size)
{
    if (length >= size)
        return -EBADMSG;
    memcpy(buffer, field, length);
    buffer[length] = '\0';
    return 0;
}

/* "4lTrfR-mnlz-...", 32 letters and digits in all. */
static int copy_uuid(const char *field, size_t length, char buffer[static UUID_LENGTH + 1])
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (field[i] == '-')
            continue;
        if (used == UUID_LENGTH || field[i] == '\0' || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", field[i]))
            return -EBADMSG;
        buffer[used++] = field[i];
    }
    buffer[used] = '\0';
    return used == UUID_LENGTH ? 0 : -EBADMSG;
}

/* Splits at the separator, keeping empty fields. */
static bool split_fields(const char *line, size_t length, const char *fields[static FIELDS], size_t lengths[static FIELDS])
{
    const char *end = line + length;
    size_t count = 0;

    while (line < end && *line == ' ')
        line++;
    for (;;) {
        const char *separator = memchr(line, LVM_SEPARATOR[0], (size_t)(end - line));

        if (count == FIELDS)
            return false;
        fields[count] = line;
        lengths[count++] = (size_t)((separator ? separator : end) - line);
        if (!separator)
            return count == FIELDS;
        line = separator + 1;
    }
}

static int parse_line(const char *line, size_t length, struct lvm_group *ret)
{
    const char *fields[FIELDS];
    size_t lengths[FIELDS];
    struct lvm_group group = { 0 };
    char number[24];
    uint64_t missing;

    if (!split_fields(line, length, fields, lengths) || copy_uuid(fields[0], lengths[0], group.uuid) < 0 ||
        copy_field(fields[1], lengths[1], group.system_id, sizeof(group.system_id)) < 0 ||
        copy_field(fields[2], lengths[2], group.lock_type, sizeof(group.lock_type)) < 0 ||
        copy_field(fields[3], lengths[3], number, sizeof(number)) < 0 || number_parse_unsigned(number, UINT32_MAX, &missing) < 0)
        return -EBADMSG;
    group.missing = (unsigned long)missing;
    group.exported = lengths[4] > 0;
    group.autoactivation = lengths[5] > 0 && fields[5][0] != ' ';
    *ret = group;
    return 0;
}

int lvm_group_parse(const char *text, size_t length, struct lvm_group *ret)
{
    const char *end = text + length;
    size_t found = 0;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        struct lvm_group group;

        if (!line_end)
            line_end = end;
        if (parse_line(text, (size_t)(line_end - text), &group) == 0) {
            if (found == 0)
                *ret = group;
            found++;
        }
        text = line_end + 1;
    }
    if (found == 0)
        return -ENOENT;
    return found == 1 ? 0 : -ENOTUNIQ;
}

int lvm_system_id_parse(const char *text, size_t length, char *buffer, size_t size)
{
    static const char label[] = "system ID:";
    const char *end = text + length;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        if (!line_end)
            line_end = end;
        while (text < line_end && *text == ' ')
            text++;
        if ((size_t)(line_end - text) > strlen(label) && strncasecmp(text, label, strlen(label)) == 0) {
            for (text += strlen(label); text < line_end && *text == ' '; text++)
                ;
            if (text == line_end || memchr(text, '\0', (size_t)(line_end - text)) || copy_field(text, (size_t)(line_end - text), buffer, size) < 0)
                return -ENOENT;
            return 0;
        }
        text = line_end + 1;
    }
    return -ENOENT;
}

int lvm_run(const char *const *arguments, struct deadline deadline, struct text_buffer *output)
{
    /* Not in the user's language, and not with a complaint about our descriptors. */
    static const char *const environment[] = { "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1", NULL };
    const char *argv[ARGUMENTS_MAX + 2] = { "lvm" };
    const struct child_spec spec = { .argv = argv, .environment = environment };
    _cleanup_child_result_ struct child_result result = { 0 };
    size_t count = 1;
    int r;

    for (; *arguments && count <= ARGUMENTS_MAX; arguments++)
        argv[count++] = *arguments;
    r = child_run(&spec, deadline, &result);
    if (output && result.output.length > 0)
        text_buffer_append(output, result.output.text, result.output.length);
    if (r == -ENOENT)
        return -ENOPKG;
    if (r < 0)
        return r;
    return result.exit_code == 0 ? 0 : -EIO;
}

int lvm_group_read(const char *name, struct deadline deadline, struct lvm_group *ret, struct text_buffer *output)
{
    /* --foreign: groups of other nodes are hidden otherwise. */
    const char *const arguments[] = { "vgs", "--foreign", "--noheadings", "--separator", LVM_SEPARATOR, "-o", LVM_GROUP_FIELDS, "--", name, NULL };
    int r = lvm_run(arguments, deadline, output);

    if (r < 0 && r != -EIO)
        return r;
    r = output->text ? lvm_group_parse(output->text, output->length, ret) : -ENOENT;
    return r;
}

int lvm_system_id_read(struct deadline deadline, char *buffer, size_t size)
{
    static const char *const arguments[] = { "systemid", NULL };
    _cleanup_text_buffer_ struct text_buffer output = { 0 };
    int r = lvm_run(arguments, deadline, &output);

    if (r < 0)
        return r;
    return lvm_system_id_parse(output.text ? output.text : "", output.length, buffer, size);
}
