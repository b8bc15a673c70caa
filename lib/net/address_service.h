/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_ADDRESS_SERVICE_H
#define VIGIL_NET_ADDRESS_SERVICE_H
/*
 * The address as a service of this node: what one action works on, and where the address is now. How it comes, goes and is announced:
 * address_start.h, address_stop.h, address_announce.h. Nothing here logs.
 *
 * All functions that return -errno have given the reason by address_fail, but for -ENODEV and -EXDEV. Meaning of errors to the agent: -ENODEV there is no such
 * interface; -EXDEV there is none, and the address is on another; -EINVAL the configuration can work nowhere; -EAFNOSUPPORT this node can not have the
 * address; -EPERM not permitted; -ENETDOWN the link of an address that is there can not carry packets; -EIO anything else failed or is not known.
 */
#include <syslog.h>

#include "agent/agent.h"
#include "net/address_config.h"

struct address_service {
    const struct address_config *config;
    const struct agent_run *run; /* its deadline, and where state files lie */
    struct virtual_address wanted;
    char ip[IP_TEXT_SIZE];
    char nic[INTERFACE_NAME_SIZE];
    struct netlink netlink;
    int neighbour_fd;            /* what asks the network; kept to the end, since closing it takes its time */
    struct link link;            /* where the address was found, or belongs */
    struct interface_address found;
    struct text_buffer why;      /* the reason of the first failure: thing, cause, remedy */
    struct text_buffer notes;    /* what is worth a line in the log: a digit (syslog's level), text, '\n' */
};
#define ADDRESS_SERVICE_CLOSED ((struct address_service){ .neighbour_fd = -1 })

/* Closes what is open and frees the texts; config and run stay the caller's. */
void address_service_close(struct address_service *service);
#define _cleanup_address_service_ _cleanup_(address_service_close)

/* Looks for the address on this node. Returns 1 with link and found, 0 when it was seen to be absent, or -errno (-EXDEV: with link and found). */
int address_service_find(struct address_service *service);

/* Gives an interface that comes and goes the looks that monitor_retries allows, a second apart. */
void address_service_await_link(struct address_service *service);

/* Judges an address that was found: label, duplicate address detection, and (where watch_link is set and the configuration
 * says so) the link. Returns 0 or -errno. */
int address_service_check(struct address_service *service, bool watch_link);

/* True where an address that was found is just as wanted, so that a start need not add it anew. */
bool address_service_is_as_wanted(const struct address_service *service);

/* Notes why; a later reason becomes a note for the log. Returns error. */
int address_fail(struct address_service *service, int error, const char *format, ...) _printf_(3, 4);

/* Notes a call to the kernel that failed with -errno: "WHAT IP: cause". Returns -EPERM or -EIO. */
int address_fail_errno(struct address_service *service, const char *what, int error);

/* Adds a line for the log. level is syslog's. */
void address_note(struct address_service *service, int level, const char *format, ...) _printf_(3, 4);

#endif
