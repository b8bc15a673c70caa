/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI commands over an iSCSI session of our own (libiscsi): a node can fence through an array that its kernel is not logged in to, or no longer.
 *
 * The session's nexus is the initiator's name and the ISID (RFC 7143, 4.4.1). The ISID is always the same for a LUN, so that a registration is found again
 * instead of a new one being left behind with each call, and never the kernel's, whose session would be reinstated away.
 *
 * It begins as open-iscsi's do (vendor 00023D, a zero byte, then the number of the session), with numbers from the far end: where a session of this initiator holds the
 * reservation, Linux' target takes another session of it for unregistered, be it registered or not, unless the first four bytes of their ISIDs are the same
 * (drivers/target/target_core_pr.c, target_scsi3_pr_reservation_check, compares eight characters of their text). It would then refuse to preempt.
 */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <string.h>

#include "base/file.h"
#include "base/library.h"
#include "storage/reservation_backend.h"
#include "storage/scsi_reservation.h"

#define ISID_VENDOR 0x00023d
#define ISID_LAST 0xffffU
#define ISID_OTHER 0x4000U /* so far from there, where the kernel has reached that number */
#define INITIATOR_FILE "/etc/iscsi/initiatorname.iscsi"
#define COMMAND_SECONDS_MAXIMUM 30

struct libiscsi {
    __typeof__(iscsi_create_context) *create_context;
    __typeof__(iscsi_destroy_context) *destroy_context;
    __typeof__(iscsi_set_isid_oui) *set_isid;
    __typeof__(iscsi_set_targetname) *set_target;
    __typeof__(iscsi_set_session_type) *set_session_type;
    __typeof__(iscsi_set_header_digest) *set_header_digest;
    __typeof__(iscsi_set_initiator_username_pwd) *set_chap;
    __typeof__(iscsi_set_noautoreconnect) *set_no_reconnect;
    __typeof__(iscsi_set_timeout) *set_timeout;
    __typeof__(iscsi_full_connect_sync) *connect;
    __typeof__(iscsi_logout_sync) *logout;
    __typeof__(iscsi_get_error) *get_error;
    __typeof__(iscsi_scsi_command_sync) *command;
    __typeof__(scsi_create_task) *create_task;
    __typeof__(scsi_free_scsi_task) *free_task;
};

struct session {
    struct libiscsi library;
    struct iscsi_context *context;
    int lun;
    bool connected;
};

static int open_library(struct libiscsi *ret, struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(ret->create_context, "iscsi_create_context"),
        LIBRARY_SYMBOL(ret->destroy_context, "iscsi_destroy_context"),
        LIBRARY_SYMBOL(ret->set_isid, "iscsi_set_isid_oui"),
        LIBRARY_SYMBOL(ret->set_target, "iscsi_set_targetname"),
        LIBRARY_SYMBOL(ret->set_session_type, "iscsi_set_session_type"),
        LIBRARY_SYMBOL(ret->set_header_digest, "iscsi_set_header_digest"),
        LIBRARY_SYMBOL(ret->set_chap, "iscsi_set_initiator_username_pwd"),
        LIBRARY_SYMBOL(ret->set_no_reconnect, "iscsi_set_noautoreconnect"),
        LIBRARY_SYMBOL(ret->set_timeout, "iscsi_set_timeout"),
        LIBRARY_SYMBOL(ret->connect, "iscsi_full_connect_sync"),
        LIBRARY_SYMBOL(ret->logout, "iscsi_logout_sync"),
        LIBRARY_SYMBOL(ret->get_error, "iscsi_get_error"),
        LIBRARY_SYMBOL(ret->command, "iscsi_scsi_command_sync"),
        LIBRARY_SYMBOL(ret->create_task, "scsi_create_task"),
        LIBRARY_SYMBOL(ret->free_task, "scsi_free_scsi_task"),
    };

    return library_load("libiscsi.so.7", "libiscsi7", symbols, ARRAY_SIZE(symbols), why);
}

/* libiscsi counts whole seconds, and 0 is for ever. */
static int seconds_left(struct deadline deadline)
{
    uint64_t seconds = deadline_left_ms(deadline) / 1000 + 1;

    return seconds > COMMAND_SECONDS_MAXIMUM ? COMMAND_SECONDS_MAXIMUM : (int)seconds;
}

/* Status values above a byte are libiscsi's own: cancelled, timed out, session lost. */
static int read_answer(const struct scsi_task *task, struct scsi_command *command)
{
    if (task->status < 0 || task->status > 0xff)
        return -RESERVATION_TRANSPORT;
    command->status = (enum scsi_command_status)task->status;
    if (task->status == SCSI_STATUS_CHECK_CONDITION)
        command->sense = (struct scsi_sense_data){ true, (uint8_t)task->sense.key, (uint8_t)(task->sense.ascq >> 8), (uint8_t)task->sense.ascq };
    if (command->writes)
        return 0;
    if (task->datain.size > 0) {
        command->received = (size_t)task->datain.size < command->data_length ? (size_t)task->datain.size : command->data_length;
        memcpy(command->data, task->datain.data, command->received);
    }
    return 0;
}

static int session_execute(void *context, struct scsi_command *command, struct deadline deadline)
{
    struct session *session = context;
    struct iscsi_data out = { command->data_length, command->data };
    struct scsi_task *task;
    int r;

    if (deadline_passed(deadline))
        return -ETIMEDOUT;
    task = session->library.create_task((int)command->cdb_length, command->cdb, command->writes ? SCSI_XFER_WRITE : SCSI_XFER_READ,
                                        (int)command->data_length);
    if (!task)
        return -ENOMEM;
    (void)session->library.set_timeout(session->context, seconds_left(deadline));
    r = session->library.command(session->context, session->lun, task, command->writes ? &out : NULL) ? read_answer(task, command)
                                                                                                      : -RESERVATION_TRANSPORT;
    session->library.free_task(task);
    return r;
}

static void session_close(void *context)
{
    struct session *session = context;

    if (!session)
        return;
    if (session->context) {
        (void)session->library.set_timeout(session->context, 1);
        if (session->connected)
            (void)session->library.logout(session->context);
        (void)session->library.destroy_context(session->context);
    }
    free(session);
}

static void cleanup_session(struct session **session)
{
    session_close(*session);
}

static int find_initiator(const struct iscsi_lun_url *url, char *buffer, size_t size, struct text_buffer *why)
{
    _cleanup_free_ char *text = NULL;
    int r;

    if (url->initiator[0])
        return text_copy(buffer, size, url->initiator) < 0 ? -EINVAL : 0;
    r = file_read(INITIATOR_FILE, 65536, &text, NULL);
    if (r == 0)
        r = iscsi_initiator_parse(text, buffer, size);
    return r < 0 ? reservation_explain(why, r, "this host has no initiator name (%s): install open-iscsi, or add ?initiator=iqn... to the URL",
                                       INITIATOR_FILE)
                 : 0;
}

static int set_chap(const struct session *session, const struct iscsi_lun_url *url, struct text_buffer *why)
{
    char *password = NULL;
    int r;

    if (!url->user[0])
        return 0;
    r = file_read_secret(url->password_file, &password);
    if (r < 0)
        return reservation_explain(why, r, "password_file %s: %s: it must belong to root and have mode 0600", url->password_file,
                                   strerror(-r));
    r = session->library.set_chap(session->context, url->user, password) == 0 ? 0 : -ENOMEM;
    file_wipe_secret(password);
    return r;
}

/* Of 16 bits; open-iscsi uses the number of the kernel's session. */
static uint32_t choose_qualifier(unsigned int lun)
{
    uint32_t qualifier = ISID_LAST - lun % ISID_OTHER;
    char path[64];

    (void)text_format(path, sizeof(path), "/sys/class/iscsi_session/session%u", qualifier);
    return access(path, F_OK) == 0 ? qualifier - ISID_OTHER : qualifier;
}

static int log_in(struct session *session, const struct iscsi_lun_url *url, struct deadline deadline, struct text_buffer *why)
{
    const struct libiscsi *library = &session->library;
    char initiator[224];
    int r = find_initiator(url, initiator, sizeof(initiator), why);

    if (r < 0)
        return r;
    session->context = library->create_context(initiator);
    if (!session->context)
        return -ENOMEM;
    (void)library->set_isid(session->context, ISID_VENDOR, choose_qualifier(url->lun));
    (void)library->set_target(session->context, url->target);
    (void)library->set_session_type(session->context, ISCSI_SESSION_NORMAL);
    (void)library->set_header_digest(session->context, ISCSI_HEADER_DIGEST_NONE_CRC32C);
    library->set_no_reconnect(session->context, 1);
    (void)library->set_timeout(session->context, seconds_left(deadline));
    r = set_chap(session, url, why);
    if (r < 0)
        return r;
    /* No LUN: its unit attentions are met by scsi_command_run. */
    if (library->connect(session->context, url->portal, -1) != 0)
        return reservation_explain(why, -RESERVATION_TRANSPORT, "no session with %s at %s: %s; see that the target runs and admits initiator %s",
                                   url->target, url->portal, library->get_error(session->context), initiator);
    session->connected = true;
    return 0;
}

int reservation_open_iscsi(struct reservation_device *device, const struct iscsi_lun_url *url, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_(cleanup_session) struct session *session = calloc(1, sizeof(*session));
    struct reservation_identity *identity = &device->identity;
    int r;

    if (!session)
        return -ENOMEM;
    r = open_library(&session->library, why);
    if (r == 0)
        r = log_in(session, url, deadline, why);
    if (r < 0)
        return r;
    session->lun = (int)url->lun;
    device->transport = (struct scsi_transport){ session_execute, session_close, TAKE_PTR(session) };
    device->operations = &reservation_over_scsi;
    identity->transport = RESERVATION_ISCSI;
    identity->paths = identity->paths_alive = 1;
    (void)text_format(identity->path, sizeof(identity->path), "iscsi://%s/%s/%u", url->portal, url->target, url->lun);
    r = scsi_read_wwid(&device->transport, deadline, identity->wwid, sizeof(identity->wwid));
    return r < 0 ? reservation_explain(why, r, "LUN %u of %s does not tell its name: %s", url->lun, url->target, reservation_error_text(r)) : 0;
}
