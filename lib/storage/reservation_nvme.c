/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations of NVMe namespaces, by the kernel's command passthrough (linux/nvme_ioctl.h). The kernel's IOC_PR_* calls would do for registering, but they
 * always ask to keep registrations over a power loss, and cannot read who is registered before Linux 6.20.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "storage/nvme_reservation.h"
#include "storage/reservation_backend.h"

#define COMMAND_TIMEOUT_MS 30000
#define RETRY_MS 50
#define REPORT_SIZE (64 + 64 * RESERVATION_KEYS_MAXIMUM)

/* Opcodes (figure 346). */
enum {
    RESERVATION_REGISTER = 0x0d,
    RESERVATION_REPORT = 0x0e,
    RESERVATION_ACQUIRE = 0x11,
    RESERVATION_RELEASE = 0x15,
};
enum { REGISTER_NEW = 0, REGISTER_REMOVE = 1, REGISTER_REPLACE = 2 };
enum { ACQUIRE = 0, ACQUIRE_PREEMPT = 1, ACQUIRE_PREEMPT_AND_ABORT = 2 };
#define IGNORE_KEY (1U << 3)
#define KEEP_OVER_POWER_LOSS (3U << 30)
#define LOSE_ON_POWER_LOSS (2U << 30)
/* The report does not have the size of the host identifiers that was asked for (figure 126). */
#define STATUS_HOST_IDENTIFIER 0x018

static void put_little(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/* Gives one command. Returns its status field, or -errno. */
static int command_once(struct reservation_device *device, struct nvme_passthru_cmd *command)
{
    struct nvme_passthru_cmd copy = *command;
    int r = ioctl(device->fd, NVME_IOCTL_IO_CMD, &copy);

    if (r >= 0)
        return r & 0x7ff;
    return errno == ENOTTY || errno == EINVAL ? -RESERVATION_NOT_SUPPORTED : errno == EINTR ? 0x371 : -errno;
}

static int run_command(struct reservation_device *device, struct nvme_passthru_cmd *command, struct deadline deadline, int *ret_status)
{
    command->nsid = device->nvme_namespace;
    command->timeout_ms = COMMAND_TIMEOUT_MS;
    for (;;) {
        int status, r;

        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        status = command_once(device, command);
        if (ret_status)
            *ret_status = status;
        r = status < 0 ? status : nvme_status_error((unsigned int)status);
        if (r != -EAGAIN)
            return r;
        if (deadline_sleep(deadline, RETRY_MS) < 0)
            return -RESERVATION_BUSY;
    }
}

static int report_once(struct reservation_device *device, uint8_t *data, struct deadline deadline, int *ret_status)
{
    struct nvme_passthru_cmd command = {
        .opcode = RESERVATION_REPORT,
        .addr = (uintptr_t)data,
        .data_len = REPORT_SIZE,
        .cdw10 = REPORT_SIZE / 4 - 1, /* counted from zero, in double words */
        .cdw11 = device->nvme_extended,
    };

    return run_command(device, &command, deadline, ret_status);
}

static int read_report(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret, bool *ret_kept)
{
    _cleanup_free_ uint8_t *data = calloc(1, REPORT_SIZE);
    int status = 0, r;

    if (!data)
        return -ENOMEM;
    r = report_once(device, data, deadline, &status);
    /* Which size of host identifiers a controller reports with is told by its refusal of the other. */
    if (status == STATUS_HOST_IDENTIFIER || r == -RESERVATION_NOT_SUPPORTED) {
        device->nvme_extended = !device->nvme_extended;
        r = report_once(device, data, deadline, &status);
    }
    return r < 0 ? r : nvme_report_parse(data, REPORT_SIZE, device->nvme_extended, ret, ret_kept);
}

static int nvme_read(struct reservation_device *device, struct deadline deadline, struct reservation_state *ret)
{
    bool kept;

    return read_report(device, deadline, ret, &kept);
}

/* What the kernel shows of RESCAP in Identify Namespace is nothing: the report itself tells that there are reservations. */
static int nvme_capabilities(struct reservation_device *device, struct deadline deadline, struct reservation_capabilities *ret)
{
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    bool kept = false;
    int r = state ? read_report(device, deadline, state, &kept) : -ENOMEM;

    if (r == 0)
        *ret = (struct reservation_capabilities){ .aptpl = kept, .aptpl_active = kept, .all_target_ports = true };
    return r;
}

static int register_once(struct reservation_device *device, unsigned int action, uint64_t old_key, uint64_t new_key, unsigned int flags,
                         struct deadline deadline)
{
    uint8_t data[16];
    struct nvme_passthru_cmd command = {
        .opcode = RESERVATION_REGISTER,
        .addr = (uintptr_t)data,
        .data_len = sizeof(data),
        .cdw10 = action | flags,
    };

    put_little(data, old_key);
    put_little(data + 8, new_key);
    return run_command(device, &command, deadline, NULL);
}

/* A host that is registered replaces its key; one that is not registers. IEKEY makes both one (7.3: "replace" with it registers a host that was not). Controllers
 * differ in that, so both are tried. */
static int register_key(struct reservation_device *device, uint64_t key, bool replace, unsigned int keep, struct deadline deadline)
{
    int r = register_once(device, REGISTER_NEW, 0, key, keep, deadline);

    if (r != -RESERVATION_CONFLICT || !replace)
        return r;
    return register_once(device, REGISTER_REPLACE, 0, key, keep | IGNORE_KEY, deadline);
}

static int nvme_add(struct reservation_device *device, uint64_t key, bool replace, enum reservation_aptpl aptpl, struct deadline deadline,
                    struct reservation_paths *ret)
{
    int r = -RESERVATION_NOT_SUPPORTED;

    *ret = (struct reservation_paths){ .total = 1, .aptpl = aptpl != RESERVATION_APTPL_OFF };
    if (ret->aptpl)
        r = register_key(device, key, replace, KEEP_OVER_POWER_LOSS, deadline);
    if (aptpl == RESERVATION_APTPL_DEMAND && r == -RESERVATION_NOT_SUPPORTED)
        r = -RESERVATION_APTPL_REFUSED;
    if (r == -RESERVATION_NOT_SUPPORTED) {
        ret->aptpl = false;
        r = register_key(device, key, replace, LOSE_ON_POWER_LOSS, deadline);
    }
    if (r == -RESERVATION_NOT_SUPPORTED) /* not even the bits that say so */
        r = register_key(device, key, replace, 0, deadline);
    if (r == -RESERVATION_CONFLICT && !replace)
        return 0;
    ret->done = r == 0;
    ret->first_error = r;
    return r;
}

static int acquire(struct reservation_device *device, unsigned int action, uint64_t key, uint64_t victim, enum reservation_type type,
                   struct deadline deadline)
{
    uint8_t data[16];
    struct nvme_passthru_cmd command = {
        .opcode = RESERVATION_ACQUIRE,
        .addr = (uintptr_t)data,
        .data_len = sizeof(data),
        .cdw10 = action | (unsigned int)nvme_type_code(type) << 8,
    };

    put_little(data, key);
    put_little(data + 8, victim);
    return run_command(device, &command, deadline, NULL);
}

static int nvme_reserve(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    return acquire(device, ACQUIRE, key, 0, type, deadline);
}

/* Linux' target (drivers/nvme/target/pr.c, nvmet_pr_preempt) tells the holder of a reservation of registrants that it has preempted, and has removed nobody: it only
 * changes the type. Under the type of which all registrants are holders it removes. Who may write is the same under both, so that nobody gets in meanwhile. */
static int preempt_as_holder(struct reservation_device *device, unsigned int action, uint64_t key, uint64_t victim, enum reservation_type type,
                             struct deadline deadline)
{
    _cleanup_free_ struct reservation_state *state = calloc(1, sizeof(*state));
    enum reservation_type shared = reservation_type_of_all(type);
    int r = state ? nvme_read(device, deadline, state) : -ENOMEM;

    for (int try = 0; r == 0 && try < 2 && reservation_state_count(state, victim) > 0 && shared != RESERVATION_NONE; try++) {
        if (try == 0 && state->holder != key && state->type != shared)
            return 0; /* another preempted this host's reservation: the caller looks again */
        r = acquire(device, action, key, victim, shared, deadline);
        if (r == 0)
            r = nvme_read(device, deadline, state);
    }
    return r;
}

static int nvme_preempt(struct reservation_device *device, uint64_t key, uint64_t victim, enum reservation_type type, bool abort,
                        struct deadline deadline)
{
    unsigned int action = abort ? ACQUIRE_PREEMPT_AND_ABORT : ACQUIRE_PREEMPT;
    int r = acquire(device, action, key, victim, type, deadline);

    return r < 0 ? r : preempt_as_holder(device, action, key, victim, type, deadline);
}

static int nvme_release(struct reservation_device *device, uint64_t key, enum reservation_type type, struct deadline deadline)
{
    uint8_t data[8];
    struct nvme_passthru_cmd command = {
        .opcode = RESERVATION_RELEASE,
        .addr = (uintptr_t)data,
        .data_len = sizeof(data),
        .cdw10 = (unsigned int)nvme_type_code(type) << 8,
    };
    int r;

    put_little(data, key);
    r = run_command(device, &command, deadline, NULL);
    return r == -RESERVATION_CONFLICT ? 0 : r;
}

static int nvme_remove(struct reservation_device *device, uint64_t key, struct deadline deadline)
{
    int r = register_once(device, REGISTER_REMOVE, key, 0, 0, deadline);

    return r == -RESERVATION_CONFLICT ? 0 : r;
}

static void nvme_close(struct reservation_device *device)
{
    cleanup_close(&device->fd);
    device->fd = -1;
}

const struct reservation_operations reservation_over_nvme = {
    .capabilities = nvme_capabilities,
    .read = nvme_read,
    .add = nvme_add,
    .reserve = nvme_reserve,
    .release = nvme_release,
    .remove = nvme_remove,
    .preempt = nvme_preempt,
    .close = nvme_close,
};

int reservation_open_nvme(struct reservation_device *device, dev_t number, struct text_buffer *why)
{
    struct reservation_identity *identity = &device->identity;
    int namespace;

    device->fd = open(identity->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (device->fd < 0)
        return reservation_explain(why, errno == ENXIO ? -ENODEV : -errno, "%s cannot be opened: %s", identity->path, strerror(errno));
    namespace = ioctl(device->fd, NVME_IOCTL_ID);
    if (namespace <= 0)
        return reservation_explain(why, -ENODEV, "%s is no NVMe namespace", identity->path);
    device->nvme_namespace = (uint32_t)namespace;
    device->nvme_extended = true;
    device->operations = &reservation_over_nvme;
    identity->transport = RESERVATION_NVME;
    identity->paths = identity->paths_alive = 1;
    (void)reservation_read_attribute(number, "wwid", identity->wwid, sizeof(identity->wwid));
    return 0;
}
