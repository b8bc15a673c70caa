/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_LVM_REPORT_H
#define VIGIL_STORAGE_LVM_REPORT_H
/*
 * What LVM's commands say of a volume group. They run in start and stop only, with a deadline; a monitor asks the device mapper (device_mapper.h).
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/text.h"

struct lvm_group {
    char uuid[40];       /* without hyphens, as in a device's dm uuid "LVM-..." */
    char system_id[132]; /* whose it is; "" for nobody's */
    char lock_type[16];  /* "none", or lvmlockd's ("sanlock", "dlm") */
    unsigned long missing; /* physical volumes that are not there */
    bool exported;
    bool autoactivation; /* the operating system activates it where it appears */
};

/* The columns of the report, as `lvm vgs -o` takes them, and what stands between two. */
#define LVM_GROUP_FIELDS "vg_uuid,vg_systemid,vg_lock_type,vg_missing_pv_count,vg_exported,vg_autoactivation"
#define LVM_SEPARATOR "|"

/* Reads the report of one group; warnings before it are left out. Pure. Returns 0, -ENOENT when no line is a report, or -ENOTUNIQ when several are. */
int lvm_group_parse(const char *text, size_t length, struct lvm_group *ret);

/* Reads what `lvm systemid` prints ("  system ID: n1"). Pure. Returns 0, or -ENOENT when this node has none. */
int lvm_system_id_parse(const char *text, size_t length, char *buffer, size_t size);

/* Runs an LVM command: arguments behind "lvm", NULL-terminated. Returns 0, -ETIMEDOUT, -ENOPKG when LVM is not
 * installed, -EIO when it failed, or -errno. output receives what it said. */
int lvm_run(const char *const *arguments, struct deadline deadline, struct text_buffer *output);

/* Returns 0, -ENOENT when this node sees no such group, or as lvm_run(). */
int lvm_group_read(const char *name, struct deadline deadline, struct lvm_group *ret, struct text_buffer *output);
int lvm_system_id_read(struct deadline deadline, char *buffer, size_t size);

#endif
