/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLUSTER_QUORUM_H
#define VIGIL_CLUSTER_QUORUM_H
/*
 * Whether this node's partition has quorum, by Corosync's own word (libquorum, quorum_getquorate(3)). The library is opened in a child, so that
 * nobody pays for it who does not ask, and a Corosync that is stopped in its tracks holds nobody.
 */
#include "base/deadline.h"

/* Returns 1 with quorum, 0 without, or not known: -ENOTCONN (Corosync does not run or does not answer), -ENOTSUP (Corosync has no quorum
 * provider, so every partition would count), -ELIBACC (libquorum cannot be loaded), -ETIMEDOUT, or another -errno. */
int quorum_look(struct deadline deadline);

/* What such an error means, as the end of a sentence. */
const char *quorum_error_text(int error);

#endif
