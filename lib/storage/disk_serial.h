/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_DISK_SERIAL_H
#define VIGIL_STORAGE_DISK_SERIAL_H
/*
 * A disk by the serial number that it bears: what the device itself has told the kernel, never a link of udev's, which may be stale.
 *
 * NVMe: /sys/block/X/device/serial is from the controller's Identify data (NVM Express base specification, Identify Controller, bytes 4 to 23), read when
 * the controller was found. virtio-blk: /sys/block/X/serial asks the device at each read (virtio 1.2, 5.2.6, VIRTIO_BLK_T_GET_ID, 20
 * bytes). SCSI: page 0x80 of the vital product data (SPC-4, 7.8.16), /sys/block/X/device/vpd_pg80.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "storage/device_find.h"

#define DISK_SERIAL_SIZE 64

/* A whole disk as the kernel has it now. */
struct disk_identity {
    struct block_device device;
    char serial[DISK_SERIAL_SIZE];
    uint64_t sequence; /* /sys/block/X/diskseq: no other disk of this boot ever has it (Linux 5.15); 0 where the kernel has none */
    uint64_t size_bytes;
};

/* Whether a serial is the wanted one: the same text, or, where `cut` is true, the first 20 bytes of it, which is all that virtio carries. Pure. */
bool disk_serial_equal(const char *serial, const char *wanted, bool cut);

/* The serial in the bytes of a vpd_pg80 file. Pure. Returns 0, -EBADMSG. */
int disk_serial_parse_vpd80(const unsigned char *bytes, size_t length, char *ret, size_t size);

/* Looks at every whole disk once. wanted: the serials that mean this disk, ended by NULL; the first 20 bytes count too where a serial is that long (virtio).
 * Returns 0; -ENODEV: every disk was asked and none is it; -EEXIST: two bear the serial; -ETIMEDOUT / -EBUSY / -errno: a disk that
 * may be the one did not answer. */
int disk_find(const char *const *wanted, struct deadline deadline, struct disk_identity *ret);

/* The same, woken by the kernel's uevents, until it is there. */
int disk_wait(const char *const *wanted, struct deadline deadline, struct disk_identity *ret);

/* Waits until no disk has the number with that sequence any more. Returns 0, -ETIMEDOUT, -errno. */
int disk_wait_gone(const struct disk_identity *disk, struct deadline deadline);

/* Whether the disk that was found is still the one behind its number, without touching it: 1; 0: no disk has the number, or another one; -errno: not known. Cheap, for
 * monitors. Where the kernel gives no sequence, the serial is read again, in a child where that asks the device. */
int disk_is_present(const struct disk_identity *disk, struct deadline deadline);

/* Asks the device itself, past what the kernel remembers: NVMe Identify Controller; for others a read of their serial. Returns 0; -ESTALE: another serial;
 * -ETIMEDOUT / -EBUSY: it does not answer; -errno. */
int disk_verify(const struct disk_identity *disk, struct deadline deadline);

/* Writes what is cached for the device to it and drops the cache (fsync, BLKFLSBUF), in a child. Returns 0, -EBUSY (an earlier one hangs), -ETIMEDOUT,
 * -EIO, -errno. */
int disk_flush(const struct block_device *device, struct deadline deadline);

#endif
