/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_ANNOUNCE_H
#define VIGIL_NET_ADDRESS_ANNOUNCE_H
/*
 * Tells the neighbours where the address is, once or again and again. A peer that was not told is no reason to take the address away:
 * failures are notes.
 */
#include "net/address_service.h"

/* Announces the address on its link `count` times, the first time before this returns; then every announce_refresh_ms, if that is set. */
void address_announce(struct address_service *service, int count);

/* What a monitor does for the announcements: repeats them where that is asked for, and starts a periodic announcer again that has died. */
void address_keep_announcing(struct address_service *service);

/* Ends the announcer. Returns 0 (also where it could not be looked for: it ends with the address), or -EIO when it did not end. */
int address_stop_announcing(struct address_service *service);

#endif
