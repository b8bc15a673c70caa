/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_WITHDRAW_H
#define VIGIL_NET_ADDRESS_WITHDRAW_H
/*
 * Takes an address off an interface without harm to the other addresses there.
 */
#include "net/interface_address.h"

/* Removes one address, exactly as it was found. The kernel removes the secondary addresses of a network with its primary one, unless promote_secondaries is
 * set (ip-sysctl.rst): they are put back. Returns 0 (also where the address had gone already) or -errno: whether it is gone is for
 * the caller to look at. */
int address_withdraw(struct netlink *netlink, const struct interface_address *address, struct deadline deadline);

#endif
