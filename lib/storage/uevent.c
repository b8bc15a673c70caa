/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/uevent.h"

#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

/* The kernel's buffer is 2048 (UEVENT_BUFFER_SIZE), with the path in front of it. */
#define EVENT_SIZE 8192

static unsigned int number_of(const char *text)
{
    uint64_t number = 0;

    (void)number_parse_unsigned(text, INT32_MAX, &number);
    return (unsigned int)number;
}

/* "ACTION@PATH", then KEY=VALUE, each with its end. */
int uevent_parse(const char *bytes, size_t length, struct uevent *ret)
{
    struct uevent event = { .action = "", .subsystem = "", .name = "", .path_action = "", .path = "", .valid_paths = -1 };
    unsigned int major_number = 0, minor_number = 0;
    const char *end = bytes + length, *text = bytes;

    if (length == 0 || bytes[length - 1] != '\0' || !strchr(bytes, '@'))
        return -EBADMSG;
    for (text += strlen(text) + 1; text < end; text += strlen(text) + 1) {
        const char *value;

        if ((value = text_after(text, "ACTION=")))
            event.action = value;
        else if ((value = text_after(text, "SUBSYSTEM=")))
            event.subsystem = value;
        else if ((value = text_after(text, "DEVNAME=")))
            event.name = value;
        else if ((value = text_after(text, "MAJOR=")))
            major_number = number_of(value);
        else if ((value = text_after(text, "MINOR=")))
            minor_number = number_of(value);
        else if ((value = text_after(text, "DM_ACTION=")))
            event.path_action = value;
        else if ((value = text_after(text, "DM_PATH=")))
            event.path = value;
        else if ((value = text_after(text, "DM_NR_VALID_PATHS=")))
            event.valid_paths = (int)number_of(value);
    }
    event.number = makedev(major_number, minor_number);
    *ret = event;
    return 0;
}

bool uevent_brings_block(const struct uevent *event)
{
    return text_equal(event->subsystem, "block") && !text_equal(event->action, "remove") && !text_equal(event->action, "offline");
}

int uevent_open(void)
{
    struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* Takes all events that are there. Returns true when one of them is of interest, or some were lost. Only the kernel (port 0) counts. */
static bool take_events(int fd)
{
    bool interesting = false;

    for (;;) {
        char bytes[EVENT_SIZE];
        struct sockaddr_nl sender = { 0 };
        socklen_t size = sizeof(sender);
        struct uevent event;
        ssize_t length = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&sender, &size);

        if (length < 0)
            return errno == ENOBUFS ? true : interesting;
        if (sender.nl_pid == 0 && uevent_parse(bytes, (size_t)length, &event) == 0 && uevent_brings_block(&event))
            interesting = true;
    }
}

int uevent_await_block(int fd, struct deadline deadline, unsigned int quiet_ms)
{
    struct deadline quiet = deadline_within(deadline, quiet_ms);

    if (fd < 0)
        return deadline_sleep(deadline, quiet_ms);
    for (;;) {
        int r = deadline_wait_fd(quiet, fd, POLLIN);

        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        if (r < 0)
            return 0;
        if (take_events(fd))
            return 0;
    }
}
