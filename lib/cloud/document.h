/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_DOCUMENT_H
#define VIGIL_CLOUD_DOCUMENT_H
/*
 * What a cloud answers, XML (libxml2) or JSON (jansson), as one kind of tree. Bounded: 2 MiB of text, 32 levels, 65,536 nodes. XML with a document
 * type, and so with entities of its own, is refused; namespaces are ignored.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DOCUMENT_BYTES ((size_t)2 << 20)
#define DOCUMENT_DEPTH 32
#define DOCUMENT_NODES 65536

struct document_node {
    const char *name;  /* element or member; "" in a JSON array and for the root of JSON */
    const char *text;  /* text of a leaf ("" where empty, numbers and booleans as JSON writes them); NULL for null and where there are children */
    struct document_node *child; /* first one */
    struct document_node *next;  /* sibling */
    bool list;         /* a JSON array */
};

/* Zero-initialise; document_free gives the memory back. */
struct document {
    struct document_node *root; /* XML: the outermost element */
    struct document_chunk *chunks;
    size_t nodes;
    size_t used; /* of the newest chunk */
};

/* Pure but for loading the libraries. Return 0, -EBADMSG (not of this kind, or beyond a bound), -ELIBACC, -ENOMEM. */
int document_parse_xml(const char *bytes, size_t length, struct document *ret);
int document_parse_json(const char *bytes, size_t length, struct document *ret);
void document_free(struct document *document);
#define _cleanup_document_ _cleanup_(document_free)

/* The node at a path of names below node: "placement/availabilityZone". The first of several. NULL where it is not there; node may be NULL. */
const struct document_node *document_find(const struct document_node *node, const char *path);

/* The first child of what is at the path, for loops over lists; NULL where there is none. */
const struct document_node *document_first(const struct document_node *node, const char *path);

/* The text at the path, "" where it is absent or no leaf. Borrowed. */
const char *document_text(const struct document_node *node, const char *path);

/* Copies an identifier: 0, or -EBADMSG where it is too long or holds anything but graphic ASCII. An absent one is "". */
int document_copy(const struct document_node *node, const char *path, char *buffer, size_t size);

/* Copies words for people: made printable and cut to the buffer. */
void document_words(const struct document_node *node, const char *path, char *buffer, size_t size);

/* A number that is not negative; fallback where it is absent or none. */
uint64_t document_number(const struct document_node *node, const char *path, uint64_t fallback);

bool document_true(const struct document_node *node, const char *path);

/* Seconds since 1970 (UTC) of "2012-10-16T20:00:21.000Z", "2021-05-17T09:43Z", "2016-04-25 20:04:34"; 0 where it is none. `offset_s` is
 * taken off a time without a zone. */
int64_t document_parse_time(const char *text, int64_t offset_s);

#endif
