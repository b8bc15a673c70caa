/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_STORAGE_CALL_H
#define VIGIL_STORAGE_STORAGE_CALL_H
/*
 * Calls that touch storage, one at a time per thing: child_call() with the name of the thing, waiting for an earlier caller (a monitor's read
 * while a stop begins) as long as the deadline allows.
 */
#include <sys/types.h>

#include "base/child.h"

/* Names of things for storage_call(): short enough for a file's name. Both return buffer. */
#define STORAGE_NAME_SIZE 40
const char *storage_name_device(dev_t number, char buffer[static STORAGE_NAME_SIZE]);
const char *storage_name_path(const char *path, char buffer[static STORAGE_NAME_SIZE]);

/* As child_call(). -EBUSY: an earlier call on the same thing did not come back until the deadline; a function whose own answer may be
 * EBUSY puts it into the reply. */
int storage_call(child_function function, void *argument, void *reply, size_t reply_size, const char *name,
                 struct deadline deadline);

/* What an error of a call that touches storage means, as the end of "DEVICE ..." or "cannot ...: ...". */
const char *storage_error_text(int error);

#endif
