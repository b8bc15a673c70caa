/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_TOOLS_PRIVILEGES_H
#define VIGIL_TOOLS_PRIVILEGES_H
/*
 * What of root's rights vigild keeps (capabilities(7)): it stays user root, since its files and Pacemaker's connections are root's.
 *
 *   effective always:   DAC_OVERRIDE (Pacemaker's connections belong to hacluster), CHOWN (libqb gives haclient its part), NET_ADMIN (ends of sockets),
 *                       NET_RAW (ARP), KILL (a worker)
 *   only in a worker:   SYS_ADMIN, SYS_RAWIO (reading a reservation)
 */

/* Gives the others up, for good. Returns 0 or -errno. */
int privileges_drop(void);

/* In a worker: makes those of a worker effective. Returns 0 or -errno. */
int privileges_raise(void);

#endif
