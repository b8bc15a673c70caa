/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/network_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

int network_namespace_enter(const char *name)
{
    _cleanup_close_ int fd = -1;
    char path[512];

    if (!*name || strchr(name, '/') || text_equal(name, ".") || text_equal(name, "..") ||
        text_format(path, sizeof(path), "/run/netns/%s", name) < 0)
        return -EINVAL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        return -errno;
    return 0;
}
