/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/service_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

int service_notify(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_close_ int fd = -1;
    int length;

    if (text_empty(path))
        return 0;
    length = text_copy(address.sun_path, sizeof(address.sun_path), path);
    if (length < 0)
        return length;
    /* '@' stands for the first byte of an abstract address (unix(7)). */
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)) < 0)
        return -errno;
    return 1;
}

uint64_t service_watchdog_ms(void)
{
    const char *limit = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    uint64_t us = 0, pid = 0;

    if (!limit || number_parse_unsigned(limit, UINT64_MAX, &us) < 0)
        return 0;
    if (whose && (number_parse_unsigned(whose, INT32_MAX, &pid) < 0 || pid != (uint64_t)getpid()))
        return 0;
    return us / 2000;
}
