/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/scsi_command.h"

#include <errno.h>

/* A power-on, a reset and a preemption may each leave a unit attention behind, for each of them one command. */
#define ATTEMPTS 8
#define BUSY_WAIT_MS 50

/* Sense keys (SPC-4 table 48). */
enum {
    SENSE_NO_SENSE = 0x0,
    SENSE_RECOVERED = 0x1,
    SENSE_NOT_READY = 0x2,
    SENSE_ILLEGAL_REQUEST = 0x5,
    SENSE_UNIT_ATTENTION = 0x6,
    SENSE_ABORTED_COMMAND = 0xb,
};

/* Additional sense code and qualifier (SPC-4 annex F). */
#define ASC(code, qualifier) ((code) << 8 | (qualifier))

int scsi_sense_parse(const uint8_t *bytes, size_t length, struct scsi_sense_data *ret)
{
    uint8_t response = length > 0 ? bytes[0] & 0x7f : 0;

    if ((response == 0x72 || response == 0x73) && length >= 4) {
        *ret = (struct scsi_sense_data){ true, bytes[1] & 0xf, bytes[2], bytes[3] };
        return 0;
    }
    if ((response == 0x70 || response == 0x71) && length >= 3) {
        *ret = (struct scsi_sense_data){ true, bytes[2] & 0xf, 0, 0 };
        /* Byte 7 says how much follows it; the codes are bytes 12 and 13. */
        if (length >= 14 && bytes[7] >= 6) {
            ret->code = bytes[12];
            ret->qualifier = bytes[13];
        }
        return 0;
    }
    return -EBADMSG;
}

static int illegal_request(const struct scsi_sense_data *sense)
{
    switch (ASC(sense->code, sense->qualifier)) {
    case ASC(0x20, 0x00): /* invalid command operation code */
    case ASC(0x24, 0x00): /* invalid field in CDB: the service action or the type */
        return -RESERVATION_NOT_SUPPORTED;
    case ASC(0x25, 0x00): /* logical unit not supported */
        return -ENODEV;
    case ASC(0x26, 0x00): /* invalid field in parameter list: APTPL, for REGISTER (SPC-4 5.13.7) */
        return -RESERVATION_APTPL_REFUSED;
    case ASC(0x55, 0x04): /* insufficient registration resources */
        return -RESERVATION_FULL;
    default:
        return -RESERVATION_DEVICE_ERROR;
    }
}

static int not_ready(const struct scsi_sense_data *sense)
{
    switch (ASC(sense->code, sense->qualifier)) {
    case ASC(0x04, 0x01): /* becoming ready */
    case ASC(0x04, 0x0a): /* asymmetric access state transition */
        return -EAGAIN;
    case ASC(0x04, 0x0b): /* target port in standby state */
    case ASC(0x04, 0x0c): /* target port in unavailable state */
        return -RESERVATION_TRANSPORT;
    default:
        return -RESERVATION_DEVICE_ERROR;
    }
}

static int check_condition(const struct scsi_sense_data *sense)
{
    if (!sense->valid)
        return -RESERVATION_MALFORMED;
    switch (sense->key) {
    case SENSE_NO_SENSE:
    case SENSE_RECOVERED:
        return 0;
    case SENSE_UNIT_ATTENTION: /* something happened; the command was not carried out (SAM-5 5.14) */
    case SENSE_ABORTED_COMMAND:
        return -EAGAIN;
    case SENSE_NOT_READY:
        return not_ready(sense);
    case SENSE_ILLEGAL_REQUEST:
        return illegal_request(sense);
    default:
        return -RESERVATION_DEVICE_ERROR;
    }
}

int scsi_command_verdict(const struct scsi_command *command)
{
    switch (command->status) {
    case SCSI_GOOD:
        return 0;
    case SCSI_CHECK_CONDITION:
        return check_condition(&command->sense);
    case SCSI_RESERVATION_CONFLICT:
        return -RESERVATION_CONFLICT;
    case SCSI_BUSY:
    case SCSI_TASK_SET_FULL:
    case SCSI_ACA_ACTIVE:
    case SCSI_TASK_ABORTED:
        return -EAGAIN;
    default:
        return -RESERVATION_DEVICE_ERROR;
    }
}

static int final_error(const struct scsi_command *command)
{
    return command->status == SCSI_CHECK_CONDITION && command->sense.key == SENSE_UNIT_ATTENTION ? -RESERVATION_UNIT_ATTENTION
                                                                                                  : -RESERVATION_BUSY;
}

int scsi_command_run(const struct scsi_transport *transport, struct scsi_command *command, struct deadline deadline)
{
    for (unsigned int attempt = 0;; attempt++) {
        bool attention;
        int r;

        command->received = 0;
        command->status = SCSI_GOOD;
        command->sense = (struct scsi_sense_data){ 0 };
        r = transport->execute(transport->context, command, deadline);
        if (r == 0)
            r = scsi_command_verdict(command);
        if (r != -EAGAIN)
            return r;
        attention = final_error(command) == -RESERVATION_UNIT_ATTENTION;
        if (attention && attempt + 1 >= ATTEMPTS)
            return -RESERVATION_UNIT_ATTENTION;
        if (deadline_sleep(deadline, attention ? 0 : BUSY_WAIT_MS) < 0)
            return final_error(command);
    }
}
