/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reservation_key.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define KEY_MARK UINT64_C(0x56) /* 'V' */
#define KEY_MARK_SHIFT 56
#define KEY_CLUSTER_SHIFT 32
#define KEY_CLUSTER_MASK UINT64_C(0xffffff)

/* FNV-1a of 64 bits (draft-eastlake-fnv, 3), folded by xor to the 24 bits that a key has room for. */
static uint64_t hash_cluster(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return (hash ^ hash >> 24 ^ hash >> 48) & KEY_CLUSTER_MASK;
}

int reservation_key_make(const char *cluster_name, uint32_t node_id, uint64_t *ret)
{
    if (text_empty(cluster_name) || node_id == 0)
        return -EINVAL;
    *ret = KEY_MARK << KEY_MARK_SHIFT | hash_cluster(cluster_name) << KEY_CLUSTER_SHIFT | node_id;
    return 0;
}

int reservation_key_node(const char *cluster_name, uint64_t key, uint32_t *ret_node_id)
{
    uint32_t node_id = (uint32_t)key;
    uint64_t made;

    if (reservation_key_make(cluster_name, node_id, &made) < 0 || made != key)
        return -ENOENT;
    *ret_node_id = node_id;
    return 0;
}

const char *reservation_key_format(uint64_t key, char buffer[static RESERVATION_KEY_TEXT_SIZE])
{
    (void)text_format(buffer, RESERVATION_KEY_TEXT_SIZE, "0x%016" PRIx64, key);
    return buffer;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int reservation_key_parse(const char *text, size_t length, uint64_t *ret)
{
    uint64_t key = 0;

    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
        length -= 2;
    }
    if (length == 0 || length > 16)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return -EINVAL;
        key = key << 4 | (uint64_t)digit;
    }
    if (key == 0)
        return -EINVAL;
    *ret = key;
    return 0;
}

/* ---- key map ------------------------------------------------------------------------------------------------------ */

#define MAP_SEPARATORS " \t\r\n,;"

struct pair {
    char node[256];
    uint64_t key;
};

static bool is_node_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static int parse_pair(const char *word, size_t length, struct pair *ret)
{
    const char *equals = memchr(word, '=', length);
    size_t name_length = equals ? (size_t)(equals - word) : 0;

    if (!equals || name_length >= sizeof(ret->node))
        return -EINVAL;
    memcpy(ret->node, word, name_length);
    ret->node[name_length] = '\0';
    return is_node_name(ret->node) ? reservation_key_parse(equals + 1, length - name_length - 1, &ret->key) : -EINVAL;
}

/* Whether the node or the key of a pair came before it. */
static bool is_double(const char *map, const char *place, const struct pair *pair)
{
    const char *cursor = map, *word;
    struct pair earlier;
    size_t length;

    while (text_next_word(&cursor, MAP_SEPARATORS, &word, &length) && word < place) {
        if (parse_pair(word, length, &earlier) == 0 && (strcasecmp(earlier.node, pair->node) == 0 || earlier.key == pair->key))
            return true;
    }
    return false;
}

static int check_map(const char *map, struct text_buffer *why)
{
    const char *cursor = map, *word;
    struct pair pair;
    size_t length;
    int count = 0;

    for (; text_next_word(&cursor, MAP_SEPARATORS, &word, &length); count++) {
        const char *wrong = parse_pair(word, length, &pair) < 0 ? "is no NODE=KEY with 1 to 16 hexadecimal digits, not all zero"
                            : is_double(map, word, &pair)       ? "has a node or a key that came before"
                                                                : NULL;

        if (wrong && why)
            text_buffer_printf(why, "'%.*s' %s", (int)length, word, wrong);
        if (wrong)
            return -EINVAL;
    }
    if (count == 0 && why)
        text_buffer_printf(why, "it names no node");
    return count > 0 ? count : -EINVAL;
}

int reservation_key_map_walk(const char *map, reservation_key_visitor visitor, void *context, struct text_buffer *why)
{
    int count = check_map(map, why);
    const char *cursor = map, *word;
    struct pair pair;
    size_t length;

    while (count > 0 && visitor && text_next_word(&cursor, MAP_SEPARATORS, &word, &length)) {
        if (parse_pair(word, length, &pair) == 0)
            visitor(context, pair.node, pair.key);
    }
    return count;
}

struct map_search {
    const char *node;
    uint64_t key;
};

static void compare_node(void *context, const char *node, uint64_t key)
{
    struct map_search *search = context;

    if (strcasecmp(node, search->node) == 0)
        search->key = key;
}

int reservation_key_map_find(const char *map, const char *node, uint64_t *ret)
{
    struct map_search search = { .node = node };
    int count = reservation_key_map_walk(map, compare_node, &search, NULL);

    if (count < 0)
        return count;
    if (search.key == 0)
        return -ENOENT;
    *ret = search.key;
    return 0;
}
