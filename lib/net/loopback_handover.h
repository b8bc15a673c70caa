/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_LOOPBACK_HANDOVER_H
#define VIGIL_NET_LOOPBACK_HANDOVER_H
/*
 * On a real server of LVS: the address moves from the loopback interface to the network and back.
 */
#include "net/address_service.h"

/* Takes the address off the loopback interface, if it is there and lvs_support is set, and notes that stop is to bring it back. Returns 0 or -errno. */
int loopback_take(struct address_service *service);

/* Puts it back where it was taken from there. What fails is a note. */
void loopback_return(struct address_service *service);

#endif
