/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_SCSI_COMMAND_H
#define VIGIL_STORAGE_SCSI_COMMAND_H
/*
 * One SCSI command and what became of it, over any way to the device: the kernel (SG_IO), an iSCSI session of our own, or a fake in a test.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "storage/reservation.h"

/* Status codes (SAM-5 5.3.1). */
enum scsi_command_status {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
    SCSI_BUSY = 0x08,
    SCSI_RESERVATION_CONFLICT = 0x18,
    SCSI_TASK_SET_FULL = 0x28,
    SCSI_ACA_ACTIVE = 0x30,
    SCSI_TASK_ABORTED = 0x40,
};

/* What a check condition says (SPC-4 4.5). */
struct scsi_sense_data {
    bool valid;
    uint8_t key;
    uint8_t code;      /* additional sense code */
    uint8_t qualifier;
};

/* Reads sense data in fixed or in descriptor format. Returns 0, or -EBADMSG when it is neither, or too short to tell. Pure. */
int scsi_sense_parse(const uint8_t *bytes, size_t length, struct scsi_sense_data *ret);

struct scsi_command {
    uint8_t cdb[16];
    size_t cdb_length;
    bool writes;         /* data goes to the device */
    uint8_t *data;
    size_t data_length;
    size_t received;     /* how much of data the device filled */
    enum scsi_command_status status;
    struct scsi_sense_data sense;
};

struct scsi_transport {
    /* Gives the command to the device. Returns 0 when the device answered (status and sense are set), or -RESERVATION_TRANSPORT, -ENODEV, -ETIMEDOUT,
     * -errno. */
    int (*execute)(void *context, struct scsi_command *command, struct deadline deadline);
    void (*close)(void *context);
    void *context;
};

/* Executes a command, again where the answer asks for it (unit attention, busy, aborted), until the deadline. Returns 0 for GOOD, or the error by
 * its name; the command holds the last answer. */
int scsi_command_run(const struct scsi_transport *transport, struct scsi_command *command, struct deadline deadline);

/* What a status and its sense come to: 0, or an error; -EAGAIN where the command is to be given again. Pure. */
int scsi_command_verdict(const struct scsi_command *command);

/* The way through the kernel: SG_IO on an open block device. The descriptor is the transport's from now on. Returns 0 or -errno. */
int scsi_generic_open(const char *path, struct scsi_transport *ret);

#endif
