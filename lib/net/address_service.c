/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_service.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdarg.h>
#include <string.h>

#define LINK_RETRY_MS 1000

void address_service_close(struct address_service *service)
{
    netlink_close(&service->netlink);
    cleanup_close(&service->neighbour_fd);
    text_buffer_free(&service->why);
    text_buffer_free(&service->notes);
}

int address_fail(struct address_service *service, int error, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (service->why.length > 0)
        address_note(service, LOG_ERR, "%s", text ? text : "out of memory");
    else
        text_buffer_printf(&service->why, "%s", text ? text : "out of memory");
    return error;
}

int address_fail_errno(struct address_service *service, const char *what, int error)
{
    int kind = error == -EPERM || error == -EACCES ? -EPERM : -EIO;

    if (error == -EADDRNOTAVAIL)
        return address_fail(service, kind, "%s %s: another process took it away meanwhile", what, service->ip);
    return address_fail(service, kind, "%s %s: %s", what, service->ip, strerror(-error));
}

void address_note(struct address_service *service, int level, const char *format, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = text_vprintf(format, arguments);
    va_end(arguments);
    if (text)
        text_buffer_printf(&service->notes, "%d%s\n", level, text);
}

/* The interface is gone. An interface that was renamed has kept its addresses, so absence must be seen on all of them. */
static int find_elsewhere(struct address_service *service)
{
    const char *nic = service->wanted.nic;
    int error;

    service->wanted.nic = NULL;
    error = nic ? virtual_address_find_link(&service->netlink, &service->wanted, &service->link, service->run->deadline) : -ENOENT;
    if (error == 0)
        error = virtual_address_look(&service->netlink, &service->wanted, &service->link, &service->found, service->run->deadline);
    service->wanted.nic = nic;
    if (error < 0 && error != -ENOENT && error != -ENODEV)
        return address_fail_errno(service, "cannot tell the state of", error);
    return error <= 0 ? -ENODEV : -EXDEV;
}

int address_service_find(struct address_service *service)
{
    int error = virtual_address_find_link(&service->netlink, &service->wanted, &service->link, service->run->deadline);

    if (error == -ENOENT)
        return 0;
    if (error == -ENODEV)
        return find_elsewhere(service);
    if (error == 0)
        error = virtual_address_look(&service->netlink, &service->wanted, &service->link, &service->found, service->run->deadline);
    return error < 0 ? address_fail_errno(service, "cannot tell the state of", error) : error;
}

int address_service_check(struct address_service *service, bool watch_link)
{
    char label[IFNAMSIZ];

    if (virtual_address_label(&service->wanted, &service->link, label) < 0)
        return address_fail(service, -EINVAL, "label %s:%s is longer than 15 characters: shorten iflabel", service->link.name,
                            service->wanted.label);
    if (service->wanted.label && service->wanted.ip.family == AF_INET && !text_equal(label, service->found.label))
        return address_fail(service, -EIO, "%s is on %s without its label %s (it has %s): a restart of the resource sets it",
                            service->ip, service->link.name, label, service->found.label[0] ? service->found.label : "none");
    if (service->found.flags & IFA_F_DADFAILED)
        return address_fail(service, -EIO, "%s on %s is unusable: another host has it (duplicate address detection failed)",
                            service->ip, service->link.name);
    if (service->config->link_check && watch_link && !link_is_running(&service->link))
        return address_fail(service, -ENETDOWN, "interface %s of %s is %s: check cable, switch port and driver", service->link.name,
                            service->ip, link_state_text(&service->link));
    return 0;
}

void address_service_await_link(struct address_service *service)
{
    struct link link;

    for (int looks = 1; looks < service->config->monitor_retries; looks++) {
        int error = virtual_address_find_link(&service->netlink, &service->wanted, &link, service->run->deadline);

        if (error == -ENOENT || (error == 0 && (!service->config->link_check || link_is_running(&link))) ||
            deadline_sleep(service->run->deadline, LINK_RETRY_MS) < 0)
            return;
    }
}

bool address_service_is_as_wanted(const struct address_service *service)
{
    const struct interface_address *found = &service->found;
    const struct virtual_address *wanted = &service->wanted;
    char label[IFNAMSIZ];

    if (found->flags & IFA_F_DADFAILED || (wanted->prefix >= 0 && found->prefix != (unsigned int)wanted->prefix))
        return false;
    return wanted->ip.family == AF_INET6 || !wanted->label ||
           (virtual_address_label(wanted, &service->link, label) == 0 && text_equal(found->label, label));
}
