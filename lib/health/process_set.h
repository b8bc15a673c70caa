/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_HEALTH_PROCESS_SET_H
#define VIGIL_HEALTH_PROCESS_SET_H
/*
 * All the processes of one application, whatever they fork and however they detach.
 *
 * Where a version 2 cgroup can be made, the set is that cgroup: a child is born in its parent's cgroup and can't leave it by setsid
 * or a double fork (cgroup-v2.rst). It stands at the root of the hierarchy, beside the system's slices, so that it outlives a restart
 * of Pacemaker; its name carries the PID namespace where that is not the first one, since containers share the hierarchy.
 *
 * What left the cgroup is looked for in /proc as well, since pam_systemd moves whatever goes through su, runuser or a login into a
 * cgroup of its own: processes that carry the mark in their first environment, those in the session of the start command, the main
 * process and its session. Where no cgroup can be made, these are the whole set. A process that leaves the session and also overwrites its
 * environment, as PostgreSQL's backends do, is then found only by its main process.
 */
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/process.h"

/* The environment variable that marks a process of an application. */
#define PROCESS_SET_MARK "VIGIL_APPLICATION"

struct process_set {
    char cgroup[512];                /* its folder, or "" where none could be made */
    char mark[320];                  /* PROCESS_SET_MARK=NAME */
    struct process_identity session; /* the leader of the start command's session; pid 0: none known */
    struct process_identity main;    /* a member wherever it went; pid 0: none known */
};

/* The set of that name, made or not. Changes nothing. Returns 0, or -ENAMETOOLONG. */
int process_set_locate(const char *name, struct process_set *ret);

/* Makes the set's cgroup; clears set->cgroup where none can be made, which is no failure. Returns 0. */
int process_set_create(struct process_set *set);

/* 1 when at least one process lives, 0 when none does, -errno when that could not be seen. */
int process_set_populated(const struct process_set *set);

/* True when the process belongs to the set. */
bool process_set_contains(const struct process_set *set, pid_t pid);

/* Lists up to size members (those of other PID namespaces are left out). Returns their number, which may be above size, or -errno. */
int process_set_list(const struct process_set *set, pid_t *pids, size_t size);

/* The only member whose parent is not a member: what a daemon's start command leaves behind. Returns 0, -ESRCH when there is
 * none or more than one, or -errno. */
int process_set_find_main(const struct process_set *set, struct process_identity *ret);

/* Sends a signal to every member; SIGKILL also reaches what they fork meanwhile. Returns 0 or -errno. */
int process_set_signal(const struct process_set *set, int signal);

/* Waits until no member lives. Returns 0, -ETIMEDOUT, or -errno. */
int process_set_wait_empty(const struct process_set *set, struct deadline deadline);

/* Takes the empty cgroup away. Returns 0 (also where there is none) or -errno. */
int process_set_remove(const struct process_set *set);

/* True when the length bytes of /proc/PID/environ hold the mark as one of their entries. Pure. */
bool process_set_environ_marked(const char *bytes, size_t length, const char *mark);

#endif
