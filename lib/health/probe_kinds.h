/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PROBE_KINDS_H
#define VIGIL_HEALTH_PROBE_KINDS_H
/*
 * The kinds of probes, for the table in probe.c. Each returns 0, or -errno with what went wrong in why (the address stands before it).
 */
#include "health/probe.h"

typedef int (*probe_function)(const struct probe_url *url, const struct probe_context *context,
                              struct deadline deadline, struct text_buffer *why);

int probe_ask_process(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                      struct text_buffer *why);
int probe_ask_exec(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);
int probe_ask_tcp(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                  struct text_buffer *why);
int probe_ask_smtp(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);
int probe_ask_imap(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);
int probe_ask_pop3(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);
int probe_ask_redis(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why);
int probe_ask_http(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why);
int probe_ask_https(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why);
int probe_ask_pgsql(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why);
int probe_ask_mysql(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why);

/* Says what a failed connection means. Returns error. */
int probe_refuse_connection(int error, struct text_buffer *why);

/* Opens the address of a probe. Returns a descriptor, or -errno with why. */
int probe_connect(const struct probe_url *url, struct deadline deadline, struct text_buffer *why);

/* Gives up root for the application's user, for good: for a child that asks over a unix socket, where the user is the credential. Returns
 * 0 or -errno with why. */
int probe_become_user(const struct probe_context *context, struct text_buffer *why);

/* Reads password_file= where one is given. Returns 0 (*ret_password is NULL without one; file_wipe_secret frees it), or -errno with why. */
int probe_read_password(const struct probe_url *url, char **ret_password, struct text_buffer *why);

/* The same on a connection that stays open: *fd is -1 before the first call; a call that fails leaves it for its caller to close. */
bool probe_can_keep_line(enum probe_scheme scheme);
int probe_keep_line(const struct probe_url *url, int *fd, struct deadline deadline, struct text_buffer *why);
int probe_keep_http(const struct probe_url *url, int *fd, struct deadline deadline, struct text_buffer *why);

#endif
