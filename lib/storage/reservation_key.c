/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reservation_key.h"

#include <errno.h>
#include <inttypes.h>

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
