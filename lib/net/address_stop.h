/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_STOP_H
#define VIGIL_NET_ADDRESS_STOP_H
/*
 * Takes the address away, with its connections, its routes in other tables and its selection label.
 */
#include "net/address_service.h"

/* Removes every entry of the address that was found on the link, and looks again. Returns 0 when it was seen to be gone, or -errno. */
int address_remove_all(struct address_service *service);

/* The same, and resets its connections where that is asked for: before, so that the peers are told; and after, for those that
 * came in between. Returns 0 or -errno. */
int address_bring_down(struct address_service *service);

/* What a stop undoes on the node once the address has gone: selection label, loopback interface, cached routes. What fails is at most a note. */
void address_tidy_up(struct address_service *service);

#endif
