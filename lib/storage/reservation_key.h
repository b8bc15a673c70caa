/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_KEY_H
#define VIGIL_STORAGE_RESERVATION_KEY_H
/*
 * Keys of persistent reservations. A node's key is made of the cluster's name and of Corosync's node id, so that it stays the same when nodes
 * come and go, is the same on every device and every path, and tells whose it is:
 *
 *     bits 63-56  0x56 ('V')
 *     bits 55-32  the first 24 bits of a hash of the cluster's name (FNV-1a, 64 bit, folded)
 *     bits 31-0   node id (Corosync: 1 to 2^32-1)
 *
 * No key is ever zero: SPC-4 5.13 makes zero mean "no key". Keys are compared as numbers, never as texts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* "0x" and sixteen digits, with leading zeros, and the NUL. */
#define RESERVATION_KEY_TEXT_SIZE 19

/* The key of a node. Returns 0, or -EINVAL for an empty cluster name or node id 0. Pure. */
int reservation_key_make(const char *cluster_name, uint32_t node_id, uint64_t *ret);

/* The node id in a key of this cluster: 0, or -ENOENT for the key of another cluster or of another product. Pure. */
int reservation_key_node(const char *cluster_name, uint64_t key, uint32_t *ret_node_id);

/* Writes a key as "0x0123456789abcdef". Returns buffer. */
const char *reservation_key_format(uint64_t key, char buffer[static RESERVATION_KEY_TEXT_SIZE]);

/* Reads 1 to 16 hexadecimal digits, with or without 0x: "1", "0x0001" and "0x0000000000000001" are the same key. Returns 0, or -EINVAL (zero
 * is no key). Pure. */
int reservation_key_parse(const char *text, size_t length, uint64_t *ret);

/* The key map of a user: "n1=0x1 n2=0x2"; blanks, commas or semicolons separate. A node and a key stand only once. Visits each pair, only when the whole map is
 * good. Returns the number of pairs, or -EINVAL with what is wrong appended to why (may be NULL). Pure. */
typedef void (*reservation_key_visitor)(void *context, const char *node, uint64_t key);
int reservation_key_map_walk(const char *map, reservation_key_visitor visitor, void *context, struct text_buffer *why);

/* The key of a node: 0, -ENOENT, or -EINVAL. Names are compared without regard to case, as Pacemaker does it. Pure. */
int reservation_key_map_find(const char *map, const char *node, uint64_t *ret);

#endif
