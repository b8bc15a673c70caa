/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/volume_state.h"

#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "base/text.h"

#define STATE_LIMIT 4096

static int parse_number(const char *text, uint64_t *ret)
{
    return number_parse_unsigned(text, UINT64_MAX, ret) < 0 ? -EBADMSG : 0;
}

/* One line, "key value". Unknown keys are of a newer version and do not hurt. */
static int parse_line(char *line, struct volume_state *state)
{
    char *value = strchr(line, ' ');
    uint64_t number = 0;
    int r = 0;

    if (!value)
        return -EBADMSG;
    *value++ = '\0';
    if (text_equal(line, "asked"))
        return text_copy(state->asked, sizeof(state->asked), value) < 0 ? -EBADMSG : 0;
    if (text_equal(line, "portals"))
        return text_copy(state->portals, sizeof(state->portals), value) < 0 ? -EBADMSG : 0;
    r = parse_number(value, &number);
    if (text_equal(line, "mount"))
        state->mount_id = number;
    else if (text_equal(line, "superblock"))
        state->superblock = (dev_t)number;
    else if (text_equal(line, "block"))
        state->block = (dev_t)number;
    else if (text_equal(line, "key"))
        state->key = number;
    else if (text_equal(line, "disk") && state->disk_count < VOLUME_STATE_DISKS)
        state->disks[state->disk_count++].number = (dev_t)number;
    else if (text_equal(line, "paths") && state->disk_count > 0)
        state->disks[state->disk_count - 1].paths = (unsigned int)number;
    else if (text_equal(line, "detached"))
        state->detached = number != 0;
    else
        return 0;
    return r;
}

int volume_state_parse(const char *text, size_t length, struct volume_state *ret)
{
    struct volume_state state = { 0 };
    char copy[STATE_LIMIT + 1], *line = copy;

    if (length > STATE_LIMIT || memchr(text, '\0', length))
        return -EBADMSG;
    memcpy(copy, text, length);
    copy[length] = '\0';
    while (*line) {
        char *end = strchr(line, '\n');

        /* A line without its end was cut: the file is not whole. */
        if (!end)
            return -EBADMSG;
        *end++ = '\0';
        if (parse_line(line, &state) < 0)
            return -EBADMSG;
        line = end;
    }
    if (state.asked[0] == '\0')
        return -EBADMSG;
    *ret = state;
    return 0;
}

int volume_state_read(const char *path, struct volume_state *ret)
{
    _cleanup_free_ char *text = NULL;
    size_t length;
    int r;

    if (text_empty(path))
        return -ENOENT;
    r = file_read(path, STATE_LIMIT, &text, &length);
    if (r < 0)
        return r;
    return volume_state_parse(text, length, ret);
}

int volume_state_write(const char *path, const struct volume_state *state)
{
    _cleanup_text_buffer_ struct text_buffer text = { 0 };

    if (text_empty(path))
        return -ENOENT;
    text_buffer_printf(&text, "asked %s\nmount %" PRIu64 "\nsuperblock %" PRIu64 "\nblock %" PRIu64 "\ndetached %d\n",
                       state->asked, state->mount_id, (uint64_t)state->superblock, (uint64_t)state->block, state->detached);
    if (state->key != 0)
        text_buffer_printf(&text, "key %" PRIu64 "\n", state->key);
    if (state->portals[0] != '\0')
        text_buffer_printf(&text, "portals %s\n", state->portals);
    for (unsigned int i = 0; i < state->disk_count && i < VOLUME_STATE_DISKS; i++)
        text_buffer_printf(&text, "disk %" PRIu64 "\npaths %u\n", (uint64_t)state->disks[i].number, state->disks[i].paths);
    if (text.failed)
        return -ENOMEM;
    return file_write(path, 0600, text.text, text.length);
}
