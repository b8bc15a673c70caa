/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

int library_load(const char *file, const char *package, const struct library_symbol *symbols, size_t count,
                 struct text_buffer *why)
{
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);

    if (!library) {
        if (why)
            text_buffer_printf(why, "library %s can't be loaded, install package %s", file, package);
        return -ELIBACC;
    }
    for (size_t i = 0; i < count; i++) {
        void *symbol = dlsym(library, symbols[i].name);

        if (!symbol) {
            if (why)
                text_buffer_printf(why, "library %s has no %s, it is too old", file, symbols[i].name);
            return -ELIBACC;
        }
        /* POSIX dlsym: a function's address comes as void *, which ISO C does not convert. */
        memcpy(symbols[i].address, &symbol, sizeof(symbol));
    }
    return 0;
}
