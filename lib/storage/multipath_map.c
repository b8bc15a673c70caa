/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/multipath_map.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "storage/device_mapper.h"

/* A priority group or path has a handful of selector arguments; more is no status of this kernel. */
#define ARGUMENTS_MAX 64U
#define TEXT_SIZE 16384

/* ---- words of a status text -------------------------------------------------------------------------------------------------------- */

static int next_word(const char **cursor, char *buffer, size_t size)
{
    const char *word;
    size_t length;

    if (!text_next_word(cursor, " ", &word, &length) || length >= size)
        return -EBADMSG;
    memcpy(buffer, word, length);
    buffer[length] = '\0';
    return 0;
}

static int next_number(const char **cursor, uint64_t maximum, uint64_t *ret)
{
    char word[24];
    int r = next_word(cursor, word, sizeof(word));

    if (r < 0 || word[0] < '0' || word[0] > '9' || number_parse_unsigned(word, maximum, ret) < 0)
        return -EBADMSG;
    return 0;
}

/* A count and as many words, of no interest here. */
static int skip_counted(const char **cursor)
{
    char word[256];
    uint64_t count;
    int r = next_number(cursor, ARGUMENTS_MAX, &count);

    for (; r == 0 && count > 0; count--)
        r = next_word(cursor, word, sizeof(word));
    return r;
}

/* "8:16" */
static int next_device(const char **cursor, dev_t *ret)
{
    char word[32], *colon;
    uint64_t major_number, minor_number;

    if (next_word(cursor, word, sizeof(word)) < 0)
        return -EBADMSG;
    colon = strchr(word, ':');
    if (!colon)
        return -EBADMSG;
    *colon = '\0';
    if (number_parse_unsigned(word, UINT32_MAX, &major_number) < 0 || number_parse_unsigned(colon + 1, UINT32_MAX, &minor_number) < 0)
        return -EBADMSG;
    *ret = makedev((unsigned int)major_number, (unsigned int)minor_number);
    return 0;
}

/* "8:16 A 0 arguments..." */
static int parse_path(const char **cursor, uint64_t arguments, struct multipath_map *map)
{
    struct multipath_path path = { 0 };
    char word[256];
    uint64_t failures;

    if (map->count == MULTIPATH_PATHS_MAX || next_device(cursor, &path.number) < 0 || next_word(cursor, word, sizeof(word)) < 0)
        return -EBADMSG;
    if (!text_equal(word, "A") && !text_equal(word, "F"))
        return -EBADMSG;
    path.active = word[0] == 'A';
    if (next_number(cursor, UINT32_MAX, &failures) < 0)
        return -EBADMSG;
    for (; arguments > 0; arguments--) {
        if (next_word(cursor, word, sizeof(word)) < 0)
            return -EBADMSG;
    }
    map->active += path.active;
    map->paths[map->count++] = path;
    return 0;
}

/* "A 0 2 2 8:16 A 0 0 1 8:32 A 0 0 1": the state, the selector's own arguments, how many paths and arguments of each, the paths. */
static int parse_group(const char **cursor, struct multipath_map *map)
{
    char state[8];
    uint64_t paths, arguments;
    int r;

    if (next_word(cursor, state, sizeof(state)) < 0 || state[1] != '\0' || !strchr("ADE", state[0]))
        return -EBADMSG;
    if (skip_counted(cursor) < 0 || next_number(cursor, MULTIPATH_PATHS_MAX, &paths) < 0 || next_number(cursor, ARGUMENTS_MAX, &arguments) < 0)
        return -EBADMSG;
    for (r = 0; r == 0 && paths > 0; paths--)
        r = parse_path(cursor, arguments, map);
    return r;
}

int multipath_status_parse(const char *text, struct multipath_map *ret)
{
    struct multipath_map map = { .count = 0 };
    uint64_t groups, current;

    /* features, hardware handler */
    if (skip_counted(&text) < 0 || skip_counted(&text) < 0)
        return -EBADMSG;
    if (next_number(&text, ARGUMENTS_MAX, &groups) < 0 || next_number(&text, ARGUMENTS_MAX, &current) < 0)
        return -EBADMSG;
    for (; groups > 0; groups--) {
        if (parse_group(&text, &map) < 0)
            return -EBADMSG;
    }
    *ret = map;
    return 0;
}

int multipath_table_queues(const char *text)
{
    char word[256];
    uint64_t features;
    int queues = 0;

    if (next_number(&text, ARGUMENTS_MAX, &features) < 0)
        return -EBADMSG;
    for (; features > 0; features--) {
        if (next_word(&text, word, sizeof(word)) < 0)
            return -EBADMSG;
        if (text_equal(word, "queue_if_no_path"))
            queues = 1;
    }
    return queues;
}

/* ---- the kernel ------------------------------------------------------------------------------------------------------------------- */

static int read_target(dev_t number, enum dm_text kind, char text[static TEXT_SIZE])
{
    char type[16];
    int r = device_mapper_target(number, kind, type, sizeof(type), text, TEXT_SIZE);

    if (r == -ENXIO || r == -ENODATA)
        return 0;
    if (r < 0)
        return r;
    return text_equal(type, "multipath");
}

int multipath_map_read(dev_t number, struct multipath_map *ret)
{
    char text[TEXT_SIZE];
    int r = read_target(number, DM_TEXT_STATUS, text);

    if (r <= 0)
        return r;
    r = multipath_status_parse(text, ret);
    return r < 0 ? r : 1;
}

int multipath_map_queues(dev_t number)
{
    char text[TEXT_SIZE];
    int r = read_target(number, DM_TEXT_TABLE, text);

    return r <= 0 ? r : multipath_table_queues(text);
}

int multipath_map_set_queueing(dev_t number, bool on, struct deadline deadline)
{
    return device_mapper_message(number, on ? "queue_if_no_path" : "fail_if_no_path", deadline);
}
