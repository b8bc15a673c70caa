/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_DOCUMENT_BUILD_H
#define VIGIL_CLOUD_DOCUMENT_BUILD_H
/*
 * Internal to document*.c: how a parser builds the tree. All memory is the document's.
 */
#include "cloud/document.h"

/* A node without a parent, or NULL beyond the bound or without memory. */
struct document_node *document_add(struct document *document, const char *name, size_t name_length);

/* A terminated copy, or NULL. */
char *document_keep(struct document *document, const char *bytes, size_t length);

#endif
