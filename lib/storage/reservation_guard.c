/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reservation_guard.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "storage/device_name.h"
#include "storage/storage_call.h"

#define FIRST_LINE "vigil-guard 1"
#define FILE_LIMIT 4096

/* The name of the file for an owner and a device. */
static void format_path(const char *owner, const char *spec, char *buffer, size_t size)
{
    char owner_name[STORAGE_NAME_SIZE], spec_name[STORAGE_NAME_SIZE];

    (void)text_format(buffer, size, RESERVATION_GUARD_FOLDER "/%s-%s", storage_name_path(owner, owner_name), storage_name_path(spec, spec_name));
}

int reservation_guard(const char *owner, const char *spec, uint64_t key, const char *wwid)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };
    char path[256], key_text[RESERVATION_KEY_TEXT_SIZE];
    int r;

    if (strpbrk(owner, "\r\n") || strpbrk(spec, "\r\n") || strpbrk(wwid, "\r\n") || key == 0)
        return -EINVAL;
    text_buffer_printf(&text, "%s\nowner %s\nkey %s\nwwid %s\ndevice %s\n", FIRST_LINE, owner, reservation_key_format(key, key_text), wwid, spec);
    if (text.failed)
        return -ENOMEM;
    r = file_make_directory(RESERVATION_GUARD_FOLDER, 0755);
    if (r < 0)
        return r;
    format_path(owner, spec, path, sizeof(path));
    return file_write(path, 0644, text.text, text.length);
}

int reservation_unguard(const char *owner, const char *spec)
{
    char path[256];

    format_path(owner, spec, path, sizeof(path));
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Reads "NAME VALUE\n" at *text and moves it behind. The value may be empty. */
static int take_line(const char **text, const char *end, const char *name, char *value, size_t size)
{
    size_t name_length = strlen(name), length;
    const char *newline = *text < end ? memchr(*text, '\n', (size_t)(end - *text)) : NULL;
    const char *begin = *text + name_length;

    if (!newline || (size_t)(newline - *text) < name_length || memcmp(*text, name, name_length) != 0)
        return -EBADMSG;
    length = (size_t)(newline - begin);
    if (length >= size || !text_is_printable_utf8(begin, length))
        return -EBADMSG;
    memcpy(value, begin, length);
    value[length] = '\0';
    *text = newline + 1;
    return 0;
}

int reservation_guarded_parse(const char *text, size_t length, struct reservation_guarded *ret)
{
    const char *end = text + length;
    struct reservation_guarded seen = { .key = 0 };
    char first[2], key[RESERVATION_KEY_TEXT_SIZE];
    int r = take_line(&text, end, FIRST_LINE, first, sizeof(first));

    if (r == 0)
        r = take_line(&text, end, "owner ", seen.owner, sizeof(seen.owner));
    if (r == 0)
        r = take_line(&text, end, "key ", key, sizeof(key));
    if (r == 0)
        r = take_line(&text, end, "wwid ", seen.wwid, sizeof(seen.wwid));
    if (r == 0)
        r = take_line(&text, end, "device ", seen.device, sizeof(seen.device));
    if (r < 0 || text != end || first[0] || !seen.device[0] || reservation_key_parse(key, strlen(key), &seen.key) < 0)
        return -EBADMSG;
    *ret = seen;
    return 0;
}

static int read_guarded(const char *name, struct reservation_guarded *ret)
{
    _cleanup_free_ char *path = text_printf("%s/%s", RESERVATION_GUARD_FOLDER, name), *text = NULL;
    size_t length;
    int r = path ? file_read(path, FILE_LIMIT, &text, &length) : -ENOMEM;

    return r < 0 ? r : reservation_guarded_parse(text, length, ret);
}

/* Files of this list are named "path-..."; a temporary one of file_write, which a power loss may leave, is not. */
static bool is_listed(const char *name)
{
    return text_after(name, "path-") && strlen(name) == 2 * strlen("path-0123456789abcdef") + 1;
}

int reservation_guarded_read(struct reservation_guarded **ret, unsigned int *ret_damaged)
{
    _cleanup_closedir_ DIR *directory = opendir(RESERVATION_GUARD_FOLDER);
    _cleanup_free_ struct reservation_guarded *list = NULL;
    const struct dirent *entry;
    int count = 0;

    if (!directory && errno != ENOENT)
        return -errno;
    if (ret_damaged)
        *ret_damaged = 0;
    while (directory && (entry = readdir(directory))) {
        struct reservation_guarded *grown;
        int r;

        if (!is_listed(entry->d_name))
            continue;
        if (count >= RESERVATION_GUARDED_MAXIMUM)
            return -E2BIG;
        grown = realloc(list, sizeof(*list) * ((size_t)count + 1));
        if (!grown)
            return -ENOMEM;
        list = grown;
        r = read_guarded(entry->d_name, &list[count]);
        if (r == -EBADMSG && ret_damaged) {
            (*ret_damaged)++;
            continue;
        }
        if (r < 0 && r != -ENOENT) /* taken away since */
            return r;
        count += r == 0;
    }
    *ret = TAKE_PTR(list);
    return count;
}

static bool is_other_disk(const struct reservation_guarded *guarded, const struct reservation_answer *answer)
{
    const char *known = guarded->wwid, *seen = answer->identity.wwid;

    return *known && *seen && !text_equal(known, seen) && !device_wwn_equal(known, seen);
}

enum reservation_guard_verdict reservation_guard_judge(const struct reservation_guarded *guarded, const struct reservation_answer *answer,
                                                       const struct reservation_state *state)
{
    if (answer->error == -RESERVATION_OTHER_DEVICE)
        return GUARD_LOST;
    if (answer->error == 0 && is_other_disk(guarded, answer))
        return GUARD_MOVED;
    if (answer->error < 0)
        return GUARD_UNKNOWN;
    return reservation_state_count(state, guarded->key) > 0 ? GUARD_KEPT : GUARD_LOST;
}

/* An entry of the list is about this key on this disk. */
static bool is_about(const struct reservation_guarded *guarded, uint64_t key, const struct reservation_identity *identity)
{
    bool same_name = guarded->wwid[0] && identity->wwid[0] &&
                     (text_equal(guarded->wwid, identity->wwid) || device_wwn_equal(guarded->wwid, identity->wwid));

    return guarded->key == key && (same_name || text_equal(guarded->device, identity->path));
}

int reservation_unguard_owner(const char *owner)
{
    _cleanup_free_ struct reservation_guarded *list = NULL;
    unsigned int damaged; /* guards nothing, so that it can stay */
    int count = reservation_guarded_read(&list, &damaged), r = 0;

    for (int i = 0; i < count; i++) {
        int removed = text_equal(list[i].owner, owner) ? reservation_unguard(owner, list[i].device) : 0;

        r = r < 0 ? r : removed;
    }
    return count < 0 ? count : r;
}

int reservation_guard_forget(uint64_t key, const struct reservation_identity *identity)
{
    _cleanup_free_ struct reservation_guarded *list = NULL;
    unsigned int damaged; /* guards nothing, so that it can stay */
    int count = reservation_guarded_read(&list, &damaged), r = 0;

    for (int i = 0; i < count && r == 0; i++) {
        if (is_about(&list[i], key, identity))
            r = reservation_unguard(list[i].owner, list[i].device);
    }
    return count < 0 ? count : r;
}

bool reservation_is_guarded(uint64_t key, const struct reservation_identity *identity)
{
    _cleanup_free_ struct reservation_guarded *list = NULL;
    int count = reservation_guarded_read(&list, NULL);

    for (int i = 0; i < count; i++) {
        if (is_about(&list[i], key, identity))
            return true;
    }
    return count < 0;
}
