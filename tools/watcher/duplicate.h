/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_DUPLICATE_H
#define VIGIL_TOOLS_DUPLICATE_H
/*
 * Another host that claims a watched IPv4 address (ARP; RFC 5227, 2.4). It is noted and shown, and is no failure of the resource: a restart would refuse the
 * address, and leave it to the other host. Of IPv6 the kernel tells by itself when it adds the address, later claims are not seen.
 */
#include "net/ip_address.h"
#include "tools/watcher/watcher.h"

void duplicate_add(struct watch_source *source, const struct ip_address *ip);
void duplicate_remove(struct watch_source *source);

#endif
