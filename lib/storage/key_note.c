/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/key_note.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "storage/reservation_key.h"
#include "storage/storage_call.h"

#define FOLDER VIGIL_RUNDIR "/fence"
/* corosync.conf(5) */
#define CONFIGURATION "/etc/corosync/corosync.conf"
#define NOTE_SIZE 96

static int format_path(const char *cluster, const char *node, char *buffer, size_t size)
{
    _cleanup_free_ char *names = text_printf("%s\n%s", cluster, node);
    char name[STORAGE_NAME_SIZE];

    if (!names)
        return -ENOMEM;
    return text_format(buffer, size, FOLDER "/key-%s", storage_name_path(names, name));
}

/* The whole note of a key, with the configuration file as it is. */
static int format_note(uint64_t key, char *buffer, size_t size)
{
    char text[RESERVATION_KEY_TEXT_SIZE];
    struct stat status;

    if (stat(CONFIGURATION, &status) < 0)
        return -errno;
    return text_format(buffer, size, "%s %" PRIu64 " %" PRId64 ".%09ld", reservation_key_format(key, text), (uint64_t)status.st_ino, (int64_t)status.st_mtim.tv_sec,
                       status.st_mtim.tv_nsec);
}

int key_note_read(const char *cluster, const char *node, uint64_t *ret_key)
{
    char path[128], text[NOTE_SIZE], wanted[NOTE_SIZE];
    uint64_t key;
    int r = format_path(cluster, node, path, sizeof(path));

    if (r < 0)
        return r;
    r = file_read_line(path, text, sizeof(text));
    if (r < 0)
        return r;
    if (reservation_key_parse(text, strcspn(text, " "), &key) < 0)
        return -EBADMSG;
    r = format_note(key, wanted, sizeof(wanted));
    if (r < 0)
        return r;
    if (!text_equal(text, wanted))
        return -ENOENT;
    *ret_key = key;
    return 0;
}

int key_note_write(const char *cluster, const char *node, uint64_t key)
{
    char path[128], text[NOTE_SIZE];
    int r = format_path(cluster, node, path, sizeof(path));

    if (r >= 0)
        r = format_note(key, text, sizeof(text));
    if (r < 0)
        return r;
    r = file_make_directory(FOLDER, 0700);
    return r < 0 ? r : file_write(path, 0600, text, strlen(text));
}
