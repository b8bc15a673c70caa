/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_BASE_SERVICE_NOTIFY_H
#define VIGIL_BASE_SERVICE_NOTIFY_H
/*
 * A service tells systemd how it is: datagrams to the socket of NOTIFY_SOCKET (sd_notify(3)). Outside of systemd all of it does nothing.
 */
#include <stdint.h>

/* Sends "READY=1", "WATCHDOG=1", "STATUS=..." (several with '\n' between). Returns 1 when it was sent, 0 without systemd, -errno. */
int service_notify(const char *message);

/* How often systemd wants to hear WATCHDOG=1, in milliseconds: half of what it tolerates (sd_watchdog_enabled(3)); 0: it does not watch this process. */
uint64_t service_watchdog_ms(void);

#endif
