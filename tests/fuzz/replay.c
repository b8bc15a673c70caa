/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target on its corpus, and on changed copies of it, as an ordinary test: no fuzzer and no clang needed.
 *
 * The corpus of fuzz_NAME is tests/fuzz/corpus/NAME below the source folder, which `make check` puts into the environment as srcdir;
 * arguments name other files instead. Each file is one TAP test.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_LIMIT (1024 * 1024)
#define CHANGED_COPIES 500

/* The same numbers in each run: xorshift, Marsaglia 2003. */
static uint32_t next_random(void)
{
    static uint32_t state = 2463534242U;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* A copy of exactly its size, so that a read behind the end is seen by a sanitizer or valgrind. */
static void run_copy(const char *bytes, size_t size)
{
    _cleanup_free_ uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
}

/* Cut short, a byte changed, a byte dropped or one put in. */
static void run_changed(const char *bytes, size_t size)
{
    _cleanup_free_ char *changed = malloc(size + 1);
    size_t place = size ? next_random() % size : 0;

    if (!changed)
        abort();
    memcpy(changed, bytes, size);
    switch (size ? next_random() % 4 : 3) {
    case 0:
        size = place;
        break;
    case 1:
        changed[place] = (char)next_random();
        break;
    case 2:
        memmove(changed + place, changed + place + 1, size - place - 1);
        size--;
        break;
    default:
        memmove(changed + place + 1, changed + place, size - place);
        changed[place] = (char)next_random();
        size++;
    }
    run_copy(changed, size);
}

/* Returns 0, or 1 where the file could not be read. A finding ends the program, which the test driver sees. */
static int replay_file(const char *path)
{
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;
    int r = file_read(path, INPUT_LIMIT, &bytes, &size);

    if (r < 0) {
        (void)printf("# %s: %s\n", path, strerror(-r));
        return 1;
    }
    run_copy(bytes, size);
    for (int i = 0; i < CHANGED_COPIES; i++)
        run_changed(bytes, size);
    return 0;
}

static int replay_one(const char *path, int number)
{
    int failed;

    (void)fflush(stdout);
    failed = replay_file(path);
    (void)printf("%sok %d - %s\n", failed ? "not " : "", number, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    return failed;
}

static int replay_folder(const char *folder, int *count)
{
    struct dirent **entries = NULL;
    int failed = 0, found = scandir(folder, &entries, NULL, alphasort);

    if (found < 0)
        (void)printf("# %s: %s\n", folder, strerror(errno));
    for (int i = 0; i < found; i++) {
        _cleanup_free_ struct dirent *entry = entries[i];
        _cleanup_free_ char *path = text_printf("%s/%s", folder, entry->d_name);

        if (path && entry->d_name[0] != '.')
            failed += replay_one(path, ++*count);
    }
    free(entries);
    return failed;
}

int main(int argc, char *argv[])
{
    const char *source = getenv("srcdir");
    const char *name = strstr(argv[0], "fuzz_") ? strstr(argv[0], "fuzz_") : "";
    int count = 0, failed = 0;

    for (const char *next = name; (next = strstr(next + 1, "fuzz_"));)
        name = next;
    for (int i = 1; i < argc; i++)
        failed += replay_one(argv[i], ++count);
    if (argc == 1) {
        _cleanup_free_ char *folder = text_printf("%s/tests/fuzz/corpus/%s", source ? source : ".", name + strlen("fuzz_"));

        failed += folder ? replay_folder(folder, &count) : 1;
    }
    (void)printf("1..%d\n", count);
    return failed || count == 0;
}
