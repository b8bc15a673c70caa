/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_CONNECTION_H
#define VIGIL_HEALTH_CONNECTION_H
/*
 * A stream connection to a service, with every step bounded by a deadline.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"

/* True when the host is a literal address or "localhost": connecting then asks no name server, which could hang. */
bool connection_host_is_numeric(const char *host);

/* Connects to host and port, trying each address in turn. Returns a non-blocking descriptor, -ETIMEDOUT, -EHOSTUNREACH where the
 * name has no address, or -errno of the last try (-ECONNREFUSED). */
int connection_open(const char *host, unsigned int port, struct deadline deadline);

/* Connects to a unix socket. Returns like connection_open. */
int connection_open_socket(const char *path, struct deadline deadline);

/* Sends all bytes. Returns 0, -ETIMEDOUT or -errno (no SIGPIPE). */
int connection_send(int fd, const char *bytes, size_t length, struct deadline deadline);

/* Receives at least one byte, at most size. Returns the count, 0 at the end of the stream, -ETIMEDOUT or -errno. */
int connection_receive(int fd, char *buffer, size_t size, struct deadline deadline);

#endif
