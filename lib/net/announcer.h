/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ANNOUNCER_H
#define VIGIL_NET_ANNOUNCER_H
/*
 * The announcer: a process that repeats the announcements of an address in the background and ends with it. It looks at the address before each
 * packet and listens for its removal, so that it never announces what has been withdrawn, whoever withdrew it.
 */
#include "net/interface_address.h"
#include "net/link.h"

struct announcer {
    struct ip_address ip;
    unsigned int index;        /* of the interface */
    char label[IFNAMSIZ];      /* IPv4: the label or the interface's name, as address_look takes it */
    unsigned int count;        /* how many announcements */
    unsigned int interval_ms;  /* between two of them */
    uint64_t refresh_ms;       /* and then one every so often, as long as the address is there; 0: no more */
};

/* Sends `count` announcements one after the other, the first at once. Ends early, with success, when the address has gone.
 * Returns 0, -ETIMEDOUT, or -errno. */
int announcer_run(const struct announcer *announcer, struct deadline deadline);

/* The same in a detached process that begins after one interval and notes its identity in the state file (net/background.h). Returns 0 or -errno. */
int announcer_start(const struct announcer *announcer, const char *state_path);

#endif
