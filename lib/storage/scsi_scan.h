/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_SCSI_SCAN_H
#define VIGIL_STORAGE_SCSI_SCAN_H
/*
 * LUNs that the array has shown since a host adapter last looked: each host of a storage network (iSCSI, Fibre Channel, SAS) is told to look again.
 */
#include "base/deadline.h"

/* Tells the hosts to scan, each in a child of its own: an adapter whose link is down may hang in its scan, and must not hold the others. sysfs: where sysfs is
 * mounted. Returns how many hosts were told and have ended their scan, or -errno. */
int scsi_hosts_scan(const char *sysfs, struct deadline deadline);

#endif
