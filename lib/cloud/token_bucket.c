/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/token_bucket.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cloud/digest.h"

/* The lock is held for a read and a write: whoever does not get it in this time goes without. */
#define LOCK_MS 500
#define FARTHEST_MS 600000

uint64_t token_bucket_parse(const char *text, uint64_t now_ms)
{
    uint64_t full_at;

    if (number_parse_unsigned(text, UINT64_MAX, &full_at) < 0 || full_at > now_ms + FARTHEST_MS)
        return now_ms;
    return full_at > now_ms ? full_at : now_ms;
}

uint64_t token_bucket_wait(const struct token_bucket *bucket, bool urgent, uint64_t now_ms, uint64_t *full_at_ms)
{
    uint64_t steady = bucket->rate > bucket->burst ? bucket->rate - bucket->burst : 1;
    uint64_t step = (60000 + steady - 1) / steady;
    unsigned int burst = urgent ? bucket->burst : bucket->burst - bucket->burst / 4;
    uint64_t allowed = now_ms + step * (burst > 0 ? burst - 1 : 0);
    uint64_t wait = *full_at_ms > allowed ? *full_at_ms - allowed : 0;

    *full_at_ms = (*full_at_ms > now_ms ? *full_at_ms : now_ms) + step;
    return wait;
}

/* The file has two slots of one line each: the moment at which the bucket is full again, and that until which the cloud is left alone. */
enum slot { SLOT_FULL, SLOT_PAUSE };
#define SLOT_BYTES 32

static uint64_t read_slot(int fd, enum slot slot, uint64_t now_ms)
{
    char text[SLOT_BYTES];
    ssize_t length = pread(fd, text, sizeof(text) - 1, (off_t)slot * SLOT_BYTES);

    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, " \n")] = '\0';
    return token_bucket_parse(text, now_ms);
}

static void write_slot(int fd, enum slot slot, uint64_t moment_ms)
{
    char text[SLOT_BYTES + 1];
    int length = text_format(text, sizeof(text), "%-31" PRIu64 "\n", moment_ms);

    /* A full disk loses the count and stops nobody. */
    (void)!pwrite(fd, text, (size_t)length, (off_t)slot * SLOT_BYTES);
}

/* One try with the lock held. 0: the token is taken; -EAGAIN: *ret_wait_ms more to wait; -EBUSY: so long, since the cloud has said "too many". Nothing is taken ahead:
 * two hundred monitors that wait must not have spent the tokens that a fencing finds when it comes. */
static int try_take(int fd, const struct token_bucket *bucket, bool urgent, uint64_t *ret_wait_ms)
{
    uint64_t now = deadline_now_ms(), full_at = read_slot(fd, SLOT_FULL, now);
    uint64_t pause = urgent ? 0 : read_slot(fd, SLOT_PAUSE, now) - now;
    uint64_t wait = token_bucket_wait(bucket, urgent, now, &full_at);

    if (wait == 0 && pause == 0) {
        write_slot(fd, SLOT_FULL, full_at);
        return 0;
    }
    *ret_wait_ms = wait > pause ? wait : pause;
    return wait > pause ? -EAGAIN : -EBUSY;
}

int token_bucket_take(const struct token_bucket *bucket, bool urgent, struct deadline deadline, uint64_t *ret_waited_ms)
{
    uint64_t begin = deadline_now_ms();
    bool waited = false;

    for (;;) {
        _cleanup_close_ int fd = file_lock(bucket->path, deadline_within(deadline, LOCK_MS));
        uint64_t wait = 0, jitter, left;
        int r = fd >= 0 ? try_take(fd, bucket, urgent, &wait) : 0;

        if (ret_waited_ms)
            *ret_waited_ms = waited ? deadline_now_ms() - begin : 0;
        left = deadline_left_ms(deadline);
        if (r == 0 || wait >= left)
            return r;
        if (fd >= 0)
            (void)close(TAKE_FD(fd));
        /* Not all of those that wait at the same moment. */
        jitter = digest_random((uint32_t)(wait / 4 + 20));
        (void)deadline_sleep(deadline, wait + (jitter < left - wait ? jitter : 0));
        waited = true;
    }
}

void token_bucket_pause(const struct token_bucket *bucket, uint64_t ms)
{
    _cleanup_close_ int fd = file_lock(bucket->path, deadline_in(LOCK_MS));
    uint64_t now = deadline_now_ms();

    if (fd >= 0 && now + ms > read_slot(fd, SLOT_PAUSE, now))
        write_slot(fd, SLOT_PAUSE, now + ms);
}
