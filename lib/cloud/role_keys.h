/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_ROLE_KEYS_H
#define VIGIL_CLOUD_ROLE_KEYS_H
/*
 * Internal to lib/cloud: the keys of a handle, wherever they come from. Those of a role are kept for the node, so that many agents ask the
 * metadata service once an hour and not once a call.
 */
#include "cloud/cloud_provider.h"

/* Sees to it that cloud->keys can be used: 0 or -errno with the failure. */
int role_keys_need(struct cloud *cloud, struct deadline deadline);

/* The cloud does not take them: neither this process nor the node's copy keeps them. */
void role_keys_forget(struct cloud *cloud);

/* The path of a file of this cloud, account and kind ("keys", "bucket") in the run folder, which is made. 0 or -errno. */
int role_keys_path(const struct cloud *cloud, const char *kind, const char *account, char *buffer, size_t size);

#endif
