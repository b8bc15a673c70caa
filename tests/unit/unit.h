/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TESTS_UNIT_H
#define VIGIL_TESTS_UNIT_H
/*
 * What every unit test includes: cmocka with the headers it needs in front, and faults on demand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A folder of this test's own under TMPDIR (or /tmp), removed by unit_remove_folder with all that it holds. */
char *unit_make_folder(void);
void unit_remove_folder(char *path);

/* How many descriptors this process has open. */
size_t unit_count_fds(void);

/* A mount namespace of this process's own, with an empty tmpfs on the first folder of each path's (so /run for /run/vigil); as a group
 * setup: returns 0 or -1. */
int unit_private_folders(const char *path, const char *other);

/* What a function did that ran in a process of its own. */
struct unit_run {
    int code;            /* its exit code; 256 + the signal that ended it */
    char output[16384];  /* standard output */
    char errors[16384];  /* standard error */
};

/* Runs function in a child with input (NULL: /dev/null) as standard input, and a time limit of 60 s. */
void unit_run(struct unit_run *run, int (*function)(void *context), void *context, const char *input);

/*
 * Torture: the libc calls named in FAULT_WRAPS (tests/unit/Makemodule.am) go through a counter, and the one whose turn has come
 * fails once with `error` (a NULL with ENOMEM for the allocators).
 *
 *     for (unsigned int turn = 1; fault_next(turn, EIO); turn++) { call the function; fault_end(); claims }
 *
 * fault_next arms the turn, and returns false when the previous round made fewer calls than its turn: every call has then failed once.
 * Only what was compiled with the wraps is counted; fault_end stops the counting, so that the test's own calls are not failed.
 */
int fault_next(unsigned int turn, int error);
void fault_end(void);
/* True when the armed call was reached and failed in this round. */
int fault_hit(void);
/* The name of the call that failed last: for messages. */
const char *fault_name(void);

#endif
