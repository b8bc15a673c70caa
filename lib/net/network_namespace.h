/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_NET_NETWORK_NAMESPACE_H
#define VIGIL_NET_NETWORK_NAMESPACE_H
/*
 * Named network namespaces, as `ip netns` keeps them (ip-netns(8)).
 */

/* Moves this process into a named network namespace. Returns 0, -ENOENT where there is none of that name, -EINVAL for a name that is none, or -errno. */
int network_namespace_enter(const char *name);

#endif
