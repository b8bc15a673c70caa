/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_LOG_H
#define VIGIL_AGENT_LOG_H
/*
 * Logging by Pacemaker's conventions, through libqb: to syslog under the facility of PCMK_logfacility / HA_LOGFACILITY (daemon), to the
 * file of PCMK_logfile / HA_LOGFILE where there is one, and to standard error when a person calls on a terminal. libqb is opened
 * at the first line that passes the filter: an action that has nothing to say does not pay for it. The blackbox stays off. A process that was forked closes what it
 * inherited at once, before its descriptors are put in order, and opens its own at its first line.
 */
#include <stdbool.h>
#include <syslog.h>

#include "base/cleanup.h"

/* Names the program in each line ("vip(db_ip)"). name must stay valid. */
void log_open(const char *name);

/* Levels are syslog's: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG (only with PCMK_debug / HA_debug on). */
void log_line(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Turns debug lines on, and (for a fence agent's --verbose) copies every line to standard error. */
void log_set_verbose(bool verbose);
/* Copies every line to this file as well (a fence agent's debug_file). Returns 0 or -errno. */
int log_set_file(const char *path);

#endif
