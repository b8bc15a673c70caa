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

/* The same in a detached process that begins after one interval and notes its identity in the state file. Returns 0 or -errno. */
int announcer_start(const struct announcer *announcer, const char *state_path);

/* 1 when the process of the state file is alive, 0 when not, or -errno. */
int announcer_alive(const char *state_path);

/* Ends the process of the state file, and waits until it has ended; a pid that now belongs to another is left alone. Returns 0 (also where there was none),
 * -ETIMEDOUT, or -errno. */
int announcer_stop(const char *state_path, struct deadline deadline);

/* Reads a state file's text ("PID START_TICKS"). Pure. Returns 0 or -EBADMSG. */
struct process_identity;
int announcer_parse_state(const char *text, struct process_identity *ret);

#endif
