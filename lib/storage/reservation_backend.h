/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_RESERVATION_BACKEND_H
#define VIGIL_STORAGE_RESERVATION_BACKEND_H
/*
 * Internal to lib/storage: the table of operations behind reservation.h, one for each way to a device. A new kind of storage is one more file with
 * one more table.
 */
#include <sys/types.h>

#include "storage/iscsi_url.h"
#include "storage/reservation.h"
#include "storage/scsi_command.h"

/* All return as the functions of reservation.h. */
struct reservation_operations {
    int (*capabilities)(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret);
    int (*read)(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret);
    /* Registers on every path that is alive. replace: whatever is registered there; else only where nothing is, and a path that has a registration
     * is left as it is. ret->done counts those that were registered now. */
    int (*add)(struct reservation_device *device, uint64_t key, bool replace, enum reservation_aptpl aptpl, struct deadline deadline,
               struct reservation_paths *ret);
    int (*reserve)(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline);
    /* On every path that is alive; success where there was nothing to release, or to remove. */
    int (*release)(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline);
    int (*remove)(struct reservation_device *device, uint64_t key, struct deadline deadline);
    int (*preempt)(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                   struct deadline deadline);
    void (*close)(struct reservation_device *device);
};

enum { RESERVATION_PATHS_MAXIMUM = 64 };

/* A path of a map. */
struct reservation_path {
    char path[64];
    dev_t number;
    bool alive;        /* answers, as far as was seen */
    bool running;      /* the kernel says that it does */
    uint64_t sequence; /* the kernel's number of this disk (diskseq), 0 where it gives none */
};

struct reservation_device {
    const struct reservation_operations *operations;
    struct reservation_identity identity;
    struct scsi_transport transport; /* SCSI and iSCSI */
    int fd;                          /* NVMe */
    uint32_t nvme_namespace;
    bool nvme_extended;              /* report by 128-bit host identifiers */
    struct reservation_path paths[RESERVATION_PATHS_MAXIMUM]; /* of a map; identity.paths of them */
    int (*open_path)(const char *path, struct scsi_transport *ret);
    struct path_workers *workers; /* of a map, from the first command on */
};

extern const struct reservation_operations reservation_over_scsi;
extern const struct reservation_operations reservation_over_nvme;
extern const struct reservation_operations reservation_over_multipath;

/* Put the way to an open device into place, and read who it is. 0 or an error, with the reason appended to why. */
int reservation_open_scsi(struct reservation_device *device, dev_t number, struct deadline deadline, struct text_buffer *why);
int reservation_open_nvme(struct reservation_device *device, dev_t number, struct text_buffer *why);
int reservation_open_multipath(struct reservation_device *device, dev_t number, struct deadline deadline, struct text_buffer *why);
int reservation_open_iscsi(struct reservation_device *device, const struct iscsi_lun_url *url, struct deadline deadline, struct text_buffer *why);

/* Reads the name of every path of a map that is alive. One that does not answer is dead from now on; one that bears another name than the others is an
 * error: the map leads to two disks. */
int reservation_identify_paths(struct reservation_device *device, struct deadline deadline, struct text_buffer *why);

/* Registers on one SCSI path. Returns 0, -RESERVATION_CONFLICT (not replace: something is registered there), or an error; *ret_kept: with APTPL. */
int scsi_register_path(const struct scsi_transport *transport, uint64_t key, bool replace, enum reservation_aptpl aptpl,
                       struct deadline deadline, bool *ret_kept);

/* Takes the registration of one SCSI path back. Returns 0, also where nothing was registered there, or an error. */
int scsi_unregister_path(const struct scsi_transport *transport, uint64_t key, struct deadline deadline);

/* Appends a sentence to why, where there is one; returns error. */
int reservation_explain(struct text_buffer *why, int error, const char *format, ...) _printf_(3, 4);

/* True where the error tells of the way to the device, not of the device. */
bool reservation_path_failed(int error);

/* Whether the kernel would give commands to a SCSI disk, and its sequence number. */
bool reservation_read_path(dev_t number, uint64_t *ret_sequence);

/* The disk or map that reservations on a block device are made on (of a partition, of a logical volume on one disk). From /sys alone. 0, -ENOTUNIQ where that is
 * not one, or -errno. */
int reservation_find_disk(dev_t number, dev_t *ret);

/* The device number that a file holds ("8:16"). 0, -EBADMSG or -errno. */
int reservation_read_number(const char *path, dev_t *ret);

/* An attribute of a block device below /sys/dev/block, its newline cut. Returns its length, or -errno. */
int reservation_read_attribute(dev_t number, const char *name, char *buffer, size_t size);

#endif
