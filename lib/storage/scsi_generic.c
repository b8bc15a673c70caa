/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI commands through the kernel: SG_IO on a block device (include/scsi/sg.h, version 3).
 */
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "storage/scsi_command.h"

/* When this time is over the kernel aborts the command and, where that does not help, resets the device, which hits its other users, too: so it is much
 * longer than a caller waits, who sits in a child that is left behind. */
#define COMMAND_TIMEOUT_MS 30000

/* Host bytes (include/scsi/scsi_status.h) that a command may come back with. */
enum {
    HOST_OK = 0x00,
    HOST_NO_CONNECT = 0x01,
    HOST_BAD_TARGET = 0x04,
};

struct generic {
    int fd;
};

static int host_error(unsigned int host_status)
{
    return host_status == HOST_BAD_TARGET ? -ENODEV : -RESERVATION_TRANSPORT;
}

static int generic_execute(void *context, struct scsi_command *command, struct deadline deadline)
{
    const struct generic *generic = context;
    uint8_t sense[96] = { 0 };
    struct sg_io_hdr header = {
        .interface_id = 'S',
        .dxfer_direction = command->writes ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV,
        .cmd_len = (unsigned char)command->cdb_length,
        .mx_sb_len = sizeof(sense),
        .dxfer_len = (unsigned int)command->data_length,
        .dxferp = command->data,
        .cmdp = command->cdb,
        .sbp = sense,
        .timeout = COMMAND_TIMEOUT_MS,
    };

    if (deadline_passed(deadline))
        return -ETIMEDOUT;
    if (ioctl(generic->fd, SG_IO, &header) < 0)
        return errno == ENODEV || errno == ENXIO ? -ENODEV : errno == ENOTTY || errno == EINVAL ? -RESERVATION_NOT_SUPPORTED : -errno;
    command->status = (enum scsi_command_status)(header.status & 0x7e);
    if (header.sb_len_wr > 0)
        (void)scsi_sense_parse(sense, header.sb_len_wr, &command->sense);
    command->received = command->data_length;
    if (header.resid > 0)
        command->received -= (size_t)header.resid < command->received ? (size_t)header.resid : command->received;
    /* A conflict may come with a host byte of its own; the device has answered all the same. */
    if (command->status == SCSI_GOOD && header.host_status != HOST_OK)
        return host_error(header.host_status);
    return 0;
}

static void generic_close(void *context)
{
    struct generic *generic = context;

    (void)close(generic->fd);
    free(generic);
}

/* Read-only: root may give any command all the same (drivers/scsi/scsi_ioctl.c, scsi_cmd_allowed), and closing a descriptor that could write makes udev look
 * at the disk again. O_NONBLOCK: no command is sent by the open itself, which a reservation might refuse. */
int scsi_generic_open(const char *path, struct scsi_transport *ret)
{
    _cleanup_free_ struct generic *generic = malloc(sizeof(*generic));

    if (!generic)
        return -ENOMEM;
    generic->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (generic->fd < 0)
        return errno == ENXIO ? -ENODEV : -errno;
    *ret = (struct scsi_transport){ generic_execute, generic_close, TAKE_PTR(generic) };
    return 0;
}
