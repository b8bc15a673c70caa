/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage that does not answer in time, and reservations that are gone. Both ask the device in a worker, which may hang; vigild never does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "storage/device_io.h"
#include "storage/reservation.h"
#include "tools/watcher/privileges.h"
#include "tools/watcher/worker.h"

#define LATENCY_INTERVAL_MS 1000
#define DEADLINE_MS 10000
#define RESERVATION_INTERVAL_MS 5000
#define READ_BYTES 4096U
#define ERRORS_IN_A_ROW 2

struct device_state {
    dev_t number;
    uint64_t key;
    int fd;
};

/* ---- latency -------------------------------------------------------------------------------------------------------------------------- */

static int open_device(struct device_state *device)
{
    struct block_device node;
    struct stat status;
    int r;

    if (device->fd >= 0)
        return 0;
    r = device_from_number(device->number, &node);
    if (r < 0)
        return r;
    device->fd = open(node.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (device->fd < 0)
        return -errno;
    if (fstat(device->fd, &status) == 0 && S_ISBLK(status.st_mode) && status.st_rdev == device->number)
        return 0;
    (void)close(device->fd);
    device->fd = -1;
    return -ESTALE;
}

/* At a random place: the same block again and again is answered by the array's cache. */
static int read_turn(void *state, uint64_t limit_ms _unused_, char *reason, size_t size)
{
    static char buffer[READ_BYTES] __attribute__((aligned(4096)));
    struct device_state *device = state;
    uint64_t bytes = 0, number = 0;
    int r = open_device(device);

    if (r < 0) {
        (void)text_format(reason, size, "the device can't be opened: %s", strerror(-r));
        return -EAGAIN;
    }
    if ((ioctl(device->fd, BLKGETSIZE64, &bytes) < 0 || bytes < READ_BYTES))
        r = -ENOMEDIUM;
    if (r == 0) {
        if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
            number = deadline_now_ms();
        if (pread(device->fd, buffer, READ_BYTES, (off_t)(number % (bytes / READ_BYTES) * READ_BYTES)) != (ssize_t)READ_BYTES)
            r = errno ? -errno : -EIO;
    }
    if (r < 0)
        (void)text_format(reason, size, "a read failed: %s", strerror(-r));
    return r;
}

static void on_answer(struct watch_source *source, int result, const char *reason)
{
    _cleanup_free_ char *why = text_printf("storage %s: %s", source->item.target, reason);

    if (result == 0) {
        source->tries = 0;
        source_well(source);
        return;
    }
    if (result == -EAGAIN)
        return;
    /* A read that is overdue is its own second look; one that failed is made again. */
    if (result != -ETIMEDOUT && ++source->tries < ERRORS_IN_A_ROW)
        return;
    source_failed(source, why ? why : "storage does not answer");
}

static int begin(struct watch_source *source, const char *name, worker_turn turn, uint64_t interval_ms, worker_listener listener)
{
    struct device_state device = { .number = (dev_t)source->item.device, .key = source->item.key, .fd = -1 };
    struct worker_spec spec = { .turn = turn, .state = &device, .state_size = sizeof(device) };
    _cleanup_free_ char *thing = text_printf("%s %s", name, source->item.target);

    if (!thing)
        return -ENOMEM;
    spec.name = thing;
    spec.interval_ms = source->item.interval_ms ? source->item.interval_ms : interval_ms;
    spec.deadline_ms = source->item.deadline_ms ? source->item.deadline_ms : DEADLINE_MS;
    if (spec.interval_ms < 100)
        spec.interval_ms = 100;
    return worker_open(source, &spec, listener);
}

static int latency_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    return begin(source, "latency", read_turn, LATENCY_INTERVAL_MS, on_answer);
}

/* The worker's next answer tells; until then what was last known holds. */
static int look_at_last(struct watch_source *source, struct text_buffer *why)
{
    if (source->state == SOURCE_FAILED) {
        text_buffer_printf(why, "%s", source->detail ? source->detail : "failed");
        return 0;
    }
    return source->state == SOURCE_WELL;
}

const struct source_kind source_latency = { .soft = true, .open = latency_begin, .close = worker_close, .look = look_at_last };

/* ---- reservations ------------------------------------------------------------------------------------------------------------------------ */

/* A path or host that is lost says nothing about the reservation. */
static int judge_state(const struct reservation_state *state, uint64_t key, char *reason, size_t size)
{
    if (reservation_state_count(state, key) == 0)
        (void)text_format(reason, size, "this node's registration (key 0x%llx) is gone: it was fenced, or the storage forgot it",
                          (unsigned long long)key);
    else if (!reservation_type_excludes(state->type))
        (void)text_format(reason, size, "nobody holds the reservation any more: any node could write");
    else
        return 0;
    return -RESERVATION_CONFLICT;
}

static int reservation_turn(void *state, uint64_t limit_ms, char *reason, size_t size)
{
    static struct reservation_state seen;
    struct device_state *device = state;
    _cleanup_reservation_ struct reservation_device *handle = NULL;
    struct deadline deadline = deadline_in(limit_ms);
    struct block_device node;
    int r = device_from_number(device->number, &node);

    (void)privileges_raise();
    if (r == 0)
        r = reservation_open(node.path, deadline, NULL, &handle);
    if (r == 0)
        r = reservation_read(handle, deadline, &seen);
    if (r == 0)
        return judge_state(&seen, device->key, reason, size);
    return r == -RESERVATION_TRANSPORT || r == -RESERVATION_UNIT_ATTENTION || r == -RESERVATION_BUSY ? -EAGAIN : r;
}

/* Only what was seen counts: a device that does not answer is the latency source's. */
static void on_reservation(struct watch_source *source, int result, const char *reason)
{
    _cleanup_free_ char *why = text_printf("reservation of %s: %s", source->item.target, reason);

    if (result == 0) {
        source->tries = 0;
        source_well(source);
    } else if (result == -RESERVATION_CONFLICT && ++source->tries >= ERRORS_IN_A_ROW) {
        source_failed(source, why ? why : "the reservation is lost");
    }
}

static int reservation_begin(struct watch_source *source, struct text_buffer *why _unused_)
{
    return begin(source, "reservation", reservation_turn, RESERVATION_INTERVAL_MS, on_reservation);
}

const struct source_kind source_reservation = { .open = reservation_begin, .close = worker_close, .look = look_at_last };
