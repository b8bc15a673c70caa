/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_START_H
#define VIGIL_NET_ADDRESS_START_H
/*
 * Brings the address up: the link, the question whether another host has it, the address itself, and its use.
 */
#include "net/address_service.h"

/* Brings up an address that is on its link already: the link, IPv6 duplicate address detection, its route in another table. What cannot be brought up is
 * removed again. Returns 0 or -errno. */
int address_complete(struct address_service *service);

/* Puts the address on the interface where it belongs, which is then service->link, and looks at it there. Another host that has it is named. Returns 0 or
 * -errno (-ENODEV: no such interface). */
int address_raise(struct address_service *service);

#endif
