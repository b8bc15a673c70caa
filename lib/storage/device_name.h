/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_DEVICE_NAME_H
#define VIGIL_STORAGE_DEVICE_NAME_H
/*
 * How a user names a block device. A path may move from disk to disk between two starts; the other names belong to the disk, or to
 * what is written on it.
 */
#include <stdbool.h>
#include <stddef.h>

enum device_kind {
    DEVICE_PATH,      /* /dev/sdb1, /dev/mapper/mpatha, or any link to one */
    DEVICE_UUID,      /* of the file system */
    DEVICE_LABEL,     /* of the file system */
    DEVICE_PARTUUID,  /* of the partition */
    DEVICE_PARTLABEL, /* of the partition */
    DEVICE_WWN,       /* of the disk: as written below /dev/disk/by-id or as the kernel writes it */
};

struct device_name {
    enum device_kind kind;
    char value[256]; /* the path, or what stands behind the '=' */
};

/* Reads UUID=..., LABEL=..., PARTUUID=..., PARTLABEL=..., WWN=..., mount(8)'s "-U ..." and "-L ...", or an absolute path. The links of
 * /dev/disk/by-uuid and its kin, and the wwn- links of by-id, are read as the name that they stand for, so that the name is
 * verified on the disk and works where udev made no link. Pure.
 * Returns 0, -EINVAL for any other form, or -ENAMETOOLONG. */
int device_name_parse(const char *text, struct device_name *ret);

/* "UUID", "LABEL", ...; "path". */
const char *device_kind_name(enum device_kind kind);

/* True when both are the same worldwide name, whatever prefix each wears: "wwn-0x6001405...", "naa.6001405...", "scsi-36001405...",
 * "mpath-36001405...", "eui.0025...", "nvme-eui.0025...", "0x6001405...". Pure. */
bool device_wwn_equal(const char *a, const char *b);

#endif
