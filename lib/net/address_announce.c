/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address_announce.h"

#include <errno.h>
#include <string.h>

#include "net/announcer.h"
#include "net/background.h"

static void describe_announcer(const struct address_service *service, int count, struct announcer *ret)
{
    *ret = (struct announcer){ .ip = service->wanted.ip, .index = service->link.index, .count = (unsigned int)count,
                               .interval_ms = (unsigned int)service->config->arp_interval,
                               .refresh_ms = service->config->announce_refresh_ms };
    (void)virtual_address_label(&service->wanted, &service->link, ret->label);
}

/* Repeats in the background; where no process can be made for that, here. A peer that was not told is no reason to take the address away, so
 * failures are only noted. */
static void announce_repeatedly(struct address_service *service, const struct announcer *announcer)
{
    char path[512];
    int error = agent_state_path(service->run, "announcer", path, sizeof(path));

    if (error == 0)
        error = background_stop(path, service->run->deadline);
    if (error == 0 && service->config->arp_bg)
        error = announcer_start(announcer, path);
    if (error == 0 && service->config->arp_bg)
        return;
    if (error < 0)
        address_note(service, LOG_WARNING, "%s is announced by this action itself, since the background announcer failed: %s",
                     service->ip, strerror(-error));
    error = announcer_run(announcer, deadline_share(service->run->deadline, 80));
    if (error < 0)
        address_note(service, LOG_WARNING, "announcing %s failed: %s", service->ip, strerror(-error));
}

void address_announce(struct address_service *service, int count)
{
    struct announcer announcer;
    int error;

    describe_announcer(service, 1, &announcer);
    if (!link_has_neighbours(&service->link))
        return;
    error = announcer_run(&announcer, service->run->deadline);
    if (error < 0)
        address_note(service, LOG_ERR, "cannot announce %s on %s: %s", service->ip, service->link.name, strerror(-error));
    announcer.count = (unsigned int)count - 1;
    if (announcer.count || announcer.refresh_ms)
        announce_repeatedly(service, &announcer);
}

void address_keep_announcing(struct address_service *service)
{
    struct announcer announcer;
    char path[512];

    if (service->config->arp_count_refresh > 0)
        address_announce(service, service->config->arp_count_refresh);
    else if (service->config->announce_refresh_ms && link_has_neighbours(&service->link) &&
             agent_state_path(service->run, "announcer", path, sizeof(path)) == 0 && background_alive(path) == 0) {
        describe_announcer(service, 0, &announcer);
        announce_repeatedly(service, &announcer);
    }
}

int address_stop_announcing(struct address_service *service)
{
    char path[512];
    int error = agent_state_path(service->run, "announcer", path, sizeof(path));

    if (error == 0)
        error = background_stop(path, deadline_share(service->run->deadline, 50));
    if (error == -ETIMEDOUT)
        return address_fail(service, -EIO, "the process that announces %s did not end after SIGKILL", service->ip);
    if (error < 0)
        address_note(service, LOG_WARNING, "the process that announces %s was not looked for (it ends with the address): %s",
                     service->ip, strerror(-error));
    return 0;
}
