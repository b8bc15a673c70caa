/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_LIBRARY_H
#define VIGIL_BASE_LIBRARY_H
/*
 * Libraries that are loaded when they are first needed, so that a monitor does not pay for those that it does not use.
 */
#include <stddef.h>

#include "base/text.h"

/* A function of the library, and where its address goes. */
struct library_symbol {
    const char *name;
    void *address; /* the address of a function pointer */
};
#define LIBRARY_SYMBOL(pointer, symbol_name) { .name = (symbol_name), .address = &(pointer) }

/* Loads a library ("libpq.so.5") and finds count symbols. It stays loaded. Returns 0, or -ELIBACC with the reason and the remedy appended
 * to why (may be NULL); `package` is the Debian package that holds it. */
int library_load(const char *file, const char *package, const struct library_symbol *symbols, size_t count,
                 struct text_buffer *why);

#endif
