/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/storage_call.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/text.h"

#define RETRY_MS 20

const char *storage_name_device(dev_t number, char buffer[static STORAGE_NAME_SIZE])
{
    (void)text_format(buffer, STORAGE_NAME_SIZE, "block-%u-%u", major(number), minor(number));
    return buffer;
}

/* A path may be longer than a file's name: FNV-1a of it. Two paths that share a name by chance only wait for each other. */
const char *storage_name_path(const char *path, char buffer[static STORAGE_NAME_SIZE])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    (void)text_format(buffer, STORAGE_NAME_SIZE, "path-%016" PRIx64, hash);
    return buffer;
}

int storage_call(child_function function, void *argument, void *reply, size_t reply_size, const char *name,
                 struct deadline deadline)
{
    for (;;) {
        int r = child_call(function, argument, reply, reply_size, name, deadline);

        if (r != -EBUSY)
            return r;
        if (deadline_sleep(deadline, RETRY_MS) < 0)
            return -EBUSY;
    }
}

const char *storage_error_text(int error)
{
    switch (error) {
    case -ETIMEDOUT:
        return "no answer in time: the storage hangs";
    case -EBUSY:
        return "an earlier call on it still hangs in the kernel";
    case -EIO:
        return "input/output error";
    case -ENOMEDIUM:
        return "the device is there but has no medium (size 0)";
    case -ENOTBLK:
        return "not a block device";
    case -EPIPE:
        return "the process that looked died";
    case -ELIBACC:
        return "libblkid or libmount cannot be loaded: install libblkid1 and libmount1";
    default:
        return strerror(-error);
    }
}
