/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/mount_table.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/number.h"
#include "base/text.h"

/* A thousand mounts are about 100 KiB; a table beyond this is a runaway that nobody can judge. */
#define MOUNT_TABLE_LIMIT ((size_t)64 << 20)

void mount_table_free(struct mount_table *table)
{
    free(table->entries);
    free(table->text);
    *table = (struct mount_table){ 0 };
}

static bool is_octal(char byte)
{
    return byte >= '0' && byte <= '7';
}

/* Undoes \040 and its kin in place: the kernel writes blank, tab, newline, '#' and backslash that way (fs/proc_namespace.c). */
static void unescape_field(char *field)
{
    char *out = field;

    for (const char *in = field; *in; out++) {
        if (in[0] == '\\' && is_octal(in[1]) && is_octal(in[2]) && is_octal(in[3])) {
            *out = (char)(((in[1] - '0') << 6) | ((in[2] - '0') << 3) | (in[3] - '0'));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

/* Cuts the next field off, terminated and with its escapes undone. Exactly one blank separates, so a field may be empty
 * (a mount without a source). NULL at the end of the line. */
static char *cut_field(char **cursor)
{
    char *field = *cursor, *end;

    if (!field)
        return NULL;
    end = strchr(field, ' ');
    if (end)
        *end++ = '\0';
    *cursor = end;
    unescape_field(field);
    return field;
}

static int parse_id(const char *text, uint64_t *ret)
{
    return text && number_parse_unsigned(text, UINT64_MAX, ret) == 0 ? 0 : -EBADMSG;
}

static int parse_device(char *text, dev_t *ret)
{
    char *colon = text ? strchr(text, ':') : NULL;
    uint64_t major_number, minor_number;

    if (!colon)
        return -EBADMSG;
    *colon = '\0';
    if (number_parse_unsigned(text, UINT32_MAX, &major_number) < 0 ||
        number_parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
        return -EBADMSG;
    *ret = makedev((unsigned int)major_number, (unsigned int)minor_number);
    return 0;
}

/* Skips the optional fields ("shared:1 master:2"), which a lone "-" ends. */
static bool skip_optional_fields(char **cursor)
{
    const char *field;

    while ((field = cut_field(cursor))) {
        if (text_equal(field, "-"))
            return true;
    }
    return false;
}

static int parse_line(char *line, struct mount_entry *entry)
{
    char *cursor = line;

    if (parse_id(cut_field(&cursor), &entry->id) < 0 || parse_id(cut_field(&cursor), &entry->parent_id) < 0 ||
        parse_device(cut_field(&cursor), &entry->device) < 0)
        return -EBADMSG;
    entry->root = cut_field(&cursor);
    entry->mount_point = cut_field(&cursor);
    entry->options = cut_field(&cursor);
    if (!entry->options || !skip_optional_fields(&cursor))
        return -EBADMSG;
    entry->type = cut_field(&cursor);
    entry->source = cut_field(&cursor);
    entry->super_options = cut_field(&cursor);
    return entry->super_options ? 0 : -EBADMSG;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n';
    return count + 1;
}

static int parse_lines(char *text, struct mount_table *table)
{
    while (text && *text) {
        char *end = strchr(text, '\n');

        if (end)
            *end++ = '\0';
        if (*text) {
            if (parse_line(text, &table->entries[table->count]) < 0)
                return -EBADMSG;
            table->count++;
        }
        text = end;
    }
    return 0;
}

int mount_table_parse(const char *text, size_t length, struct mount_table *ret)
{
    _cleanup_mount_table_ struct mount_table table = { 0 };
    int r;

    if (memchr(text, '\0', length))
        return -EBADMSG;
    table.text = malloc(length + 1);
    table.entries = calloc(count_lines(text, length), sizeof(*table.entries));
    if (!table.text || !table.entries)
        return -ENOMEM;
    memcpy(table.text, text, length);
    table.text[length] = '\0';
    r = parse_lines(table.text, &table);
    if (r < 0)
        return r;
    *ret = table;
    table = (struct mount_table){ 0 };
    return 0;
}

static int read_whole(int fd, struct text_buffer *text)
{
    char block[16384];
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text_buffer_append(text, block, (size_t)n);
        if (text->failed)
            return -ENOMEM;
        if (text->length > MOUNT_TABLE_LIMIT)
            return -EFBIG;
    }
    return 0;
}

/* The kernel raises POLLPRI on the file when the mounts of its namespace changed since it was opened (or polled). */
static bool changed_since_open(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLPRI | POLLERR));
}

/* One reading. Returns 0, -EAGAIN when the table changed meanwhile, or -errno. */
static int read_once(const char *path, struct text_buffer *text)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    r = read_whole(fd, text);
    if (r == 0 && changed_since_open(fd))
        return -EAGAIN;
    return r;
}

int mount_table_read(pid_t pid, struct deadline deadline, struct mount_table *ret)
{
    char path[64] = "/proc/self/mountinfo";

    if (pid != 0)
        (void)text_format(path, sizeof(path), "/proc/%ld/mountinfo", (long)pid);
    for (;;) {
        _cleanup_text_buffer_ struct text_buffer text = { 0 };
        int r = read_once(path, &text);

        if (r == 0)
            return mount_table_parse(text.text ? text.text : "", text.length, ret);
        if (r != -EAGAIN)
            return r;
        if (deadline_passed(deadline))
            return -EAGAIN;
    }
}

static const struct mount_entry *find_parent(const struct mount_table *table, const struct mount_entry *entry)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entries[i].id == entry->parent_id && table->entries[i].id != entry->id)
            return &table->entries[i];
    }
    return NULL;
}

/* Whether `other` hides `entry` from path lookups: it is mounted on top of it, or was mounted later, beside it, on a folder above. */
static bool covers(const struct mount_entry *other, const struct mount_entry *entry)
{
    if (other == entry)
        return false;
    if (other->parent_id == entry->id)
        return text_equal(other->mount_point, entry->mount_point);
    return other->parent_id == entry->parent_id && !text_equal(other->mount_point, entry->mount_point) &&
           path_is_within(entry->mount_point, other->mount_point);
}

bool mount_table_covered(const struct mount_table *table, const struct mount_entry *entry)
{
    const struct mount_entry *from = NULL;

    /* Up the chain of parents, where the child that we come from does not count: it is what is looked at. The chain ends at the root; a
     * table that loops (it never should) ends with the count. */
    for (size_t depth = 0; entry && depth <= table->count; depth++) {
        for (size_t i = 0; i < table->count; i++) {
            if (&table->entries[i] != from && covers(&table->entries[i], entry))
                return true;
        }
        from = entry;
        entry = find_parent(table, entry);
    }
    return false;
}

const struct mount_entry *mount_table_top(const struct mount_table *table, const char *mount_point)
{
    for (size_t i = table->count; i > 0; i--) {
        const struct mount_entry *entry = &table->entries[i - 1];

        if (text_equal(entry->mount_point, mount_point) && !mount_table_covered(table, entry))
            return entry;
    }
    return NULL;
}

bool mount_option_present(const char *options, const char *option)
{
    const char *word;
    size_t length, wanted = strlen(option);

    while (options && text_next_word(&options, ",", &word, &length)) {
        if (length >= wanted && memcmp(word, option, wanted) == 0 && (length == wanted || word[wanted] == '='))
            return true;
    }
    return false;
}

bool path_is_within(const char *path, const char *folder)
{
    const char *rest;

    if (text_equal(folder, "/"))
        return path[0] == '/';
    rest = text_after(path, folder);
    return rest && (*rest == '\0' || *rest == '/');
}
