/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations over one SCSI path.
 */
#include <errno.h>
#include <string.h>

#include "storage/device_io.h"
#include "storage/device_name.h"
#include "storage/reservation_backend.h"
#include "storage/scsi_reservation.h"

static int order_once(const struct scsi_transport *transport, uint64_t key, bool replace, bool aptpl, struct deadline deadline)
{
    const struct scsi_reserve_order order = {
        .action = replace ? SCSI_REGISTER_AND_IGNORE : SCSI_REGISTER,
        .service_key = key, /* the reservation key is zero: not registered yet, or ignored (SPC-4 5.13.7) */
        .aptpl = aptpl,
    };

    return scsi_reserve_out(transport, &order, deadline);
}

/* A target that does not keep registrations should say "invalid field in parameter list" (SPC-4 5.13.7); tgtd says that of the command, and LIO, when it has no
 * folder to keep them in, that it failed. */
static bool refuses_to_keep(int error)
{
    return error == -RESERVATION_APTPL_REFUSED || error == -RESERVATION_NOT_SUPPORTED || error == -RESERVATION_DEVICE_ERROR;
}

/* Whether it was the keeping that was refused, by the target's own word of what it can do. */
static int name_refusal(const struct scsi_transport *transport, struct deadline deadline, int error)
{
    struct reservation_capabilities capabilities = { .aptpl = true };

    if (error == -RESERVATION_NOT_SUPPORTED && scsi_read_capabilities(transport, deadline, &capabilities) == 0 && !capabilities.aptpl)
        return -RESERVATION_APTPL_REFUSED;
    return error;
}

int scsi_register_path(const struct scsi_transport *transport, uint64_t key, bool replace, enum reservation_aptpl aptpl,
                       struct deadline deadline, bool *ret_kept)
{
    int r = -RESERVATION_APTPL_REFUSED;

    *ret_kept = aptpl != RESERVATION_APTPL_OFF;
    if (*ret_kept)
        r = order_once(transport, key, replace, true, deadline);
    if (!refuses_to_keep(r))
        return r;
    if (aptpl == RESERVATION_APTPL_DEMAND)
        return name_refusal(transport, deadline, r);
    *ret_kept = false;
    return order_once(transport, key, replace, false, deadline);
}

/* The bit of the last REGISTER counts for the whole logical unit, be it one that takes a registration back (SPC-4 5.13.5): without it, this node's leaving would have
 * the array forget at its next loss of power which of the others are fenced. */
int scsi_unregister_path(const struct scsi_transport *transport, uint64_t key, struct deadline deadline)
{
    struct scsi_reserve_order order = { .action = SCSI_REGISTER, .key = key };
    struct reservation_capabilities capabilities;
    int r = scsi_read_capabilities(transport, deadline, &capabilities);

    order.aptpl = r < 0 || capabilities.aptpl_active;
    r = scsi_reserve_out(transport, &order, deadline);
    if (order.aptpl && refuses_to_keep(r)) {
        order.aptpl = false;
        r = scsi_reserve_out(transport, &order, deadline);
    }
    return r == -RESERVATION_CONFLICT ? 0 : r;
}

static int scsi_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret)
{
    return scsi_read_capabilities(&device->transport, deadline, ret);
}

static int scsi_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    return scsi_read_state(&device->transport, deadline, ret);
}

static int scsi_add(struct reservation_device *device, uint64_t key, bool replace, enum reservation_aptpl aptpl, struct deadline deadline,
                    struct reservation_paths *ret)
{
    int r;

    *ret = (struct reservation_paths){ .total = 1 };
    r = scsi_register_path(&device->transport, key, replace, aptpl, deadline, &ret->aptpl);
    if (r == 0)
        ret->done = 1;
    if (r == -RESERVATION_CONFLICT && !replace)
        return 0;
    ret->first_error = r;
    return r;
}

static int scsi_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    const struct scsi_reserve_order order = { .action = SCSI_RESERVE, .type = type, .key = key };

    return scsi_reserve_out(&device->transport, &order, deadline);
}

/* A conflict: this path is not registered, and holds nothing. */
static int scsi_release(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    const struct scsi_reserve_order order = { .action = SCSI_RELEASE, .type = type, .key = key };
    int r = scsi_reserve_out(&device->transport, &order, deadline);

    return r == -RESERVATION_CONFLICT ? 0 : r;
}

static int scsi_remove(struct reservation_device *device, uint64_t key, struct deadline deadline)
{
    return scsi_unregister_path(&device->transport, key, deadline);
}

static int scsi_preempt(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                        struct deadline deadline)
{
    const struct scsi_reserve_order order = {
        .action = abort ? SCSI_PREEMPT_AND_ABORT : SCSI_PREEMPT,
        .type = type,
        .key = key,
        .service_key = victim,
    };

    return scsi_reserve_out(&device->transport, &order, deadline);
}

static void scsi_close(struct reservation_device *device)
{
    if (device->transport.close)
        device->transport.close(device->transport.context);
    device->transport = (struct scsi_transport){ 0 };
}

const struct reservation_operations reservation_over_scsi = {
    .capabilities = scsi_capabilities,
    .read = scsi_read,
    .add = scsi_add,
    .reserve = scsi_reserve,
    .release = scsi_release,
    .remove = scsi_remove,
    .preempt = scsi_preempt,
    .close = scsi_close,
};

/* The kernel keeps the name that it read when it found the disk. An array that was told to show another LUN at the same place shows the new one only to who
 * asks the disk itself. */
static int check_name(struct reservation_device *device, dev_t number, struct text_buffer *why)
{
    const struct reservation_identity *identity = &device->identity;
    char known[128];

    if (reservation_read_attribute(number, "device/wwid", known, sizeof(known)) <= 0 || !identity->wwid[0])
        return 0;
    if (strncmp(known, identity->wwid, 4) != 0 || !text_after(known, "naa.") || device_wwn_equal(known, identity->wwid))
        return 0;
    return reservation_explain(why, -RESERVATION_OTHER_DEVICE,
                               "%s was %s and is %s now: the array shows another LUN under the same name; rescan the device", identity->path, known,
                               identity->wwid);
}

int reservation_open_scsi(struct reservation_device *device, dev_t number, struct deadline deadline, struct text_buffer *why)
{
    struct reservation_identity *identity = &device->identity;
    int r = device->open_path(identity->path, &device->transport);

    if (r < 0)
        return reservation_explain(why, r, "%s cannot be opened: %s", identity->path, strerror(-r));
    device->operations = &reservation_over_scsi;
    identity->transport = RESERVATION_SCSI;
    identity->paths = identity->paths_alive = 1;
    device->paths[0].running = reservation_read_path(number, &device->paths[0].sequence);
    r = scsi_read_wwid(&device->transport, deadline, identity->wwid, sizeof(identity->wwid));
    if (r < 0)
        return reservation_explain(why, r, "%s: %s", identity->path, reservation_error_text(r));
    return check_name(device, number, why);
}
