/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/loopback_handover.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "net/address_withdraw.h"

static const char *note_path(const struct address_service *service, char *buffer, size_t size)
{
    return agent_state_path(service->run, "loopback", buffer, size) == 0 ? buffer : NULL;
}

static struct interface_address loopback_entry(const struct address_service *service)
{
    return (struct interface_address){ .ip = service->wanted.ip, .prefix = 32, .index = 1, .preferred_s = LIFETIME_FOREVER,
                                       .valid_s = LIFETIME_FOREVER, .label = "lo" };
}

int loopback_take(struct address_service *service)
{
    struct interface_address entry = loopback_entry(service), found;
    char path[512];
    int seen;

    if (!service->config->lvs_support)
        return 0;
    seen = address_look(&service->netlink, &service->wanted.ip, entry.index, "lo", &found, service->run->deadline);
    if (seen == 0)
        return 0;
    if (seen > 0 && note_path(service, path, sizeof(path)))
        seen = file_write(path, 0600, "1\n", 2);
    if (seen >= 0)
        seen = address_withdraw(&service->netlink, &entry, service->run->deadline);
    return seen < 0 ? address_fail_errno(service, "cannot take from the loopback interface", seen) : 0;
}

void loopback_return(struct address_service *service)
{
    struct interface_address entry = loopback_entry(service);
    char path[512];
    int error;

    if (!service->config->lvs_support || !note_path(service, path, sizeof(path)) || access(path, F_OK) < 0)
        return;
    error = address_add(&service->netlink, &entry, service->run->deadline);
    if (error < 0 && error != -EEXIST)
        address_note(service, LOG_WARNING, "cannot put %s back on the loopback interface: %s", service->ip, strerror(-error));
    else
        (void)unlink(path);
}
