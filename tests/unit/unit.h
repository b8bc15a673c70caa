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
