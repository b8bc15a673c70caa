/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_TOKEN_BUCKET_H
#define VIGIL_CLOUD_TOKEN_BUCKET_H
/*
 * One token bucket for all agents of a node and one account, in a locked file. An account's quota is shared: two hundred disks that each poll as they
 * please would throttle the one call that fences.
 *
 * The state is one moment, that at which the bucket will be full again (the "theoretical arrival time" of ITU-T I.371's generic cell rate
 * algorithm): a call moves it on by 60 s / (rate - burst), and waits as long as it lies more than the burst ahead. So no minute sees more than rate calls: a burst,
 * and what comes behind it.
 */
#include <stdbool.h>

#include "base/deadline.h"

struct token_bucket {
    const char *path;
    unsigned int rate;  /* calls in any minute */
    unsigned int burst; /* of these, calls that may come at once: less than rate; a quarter of them is kept for urgent ones */
};

/* Takes a token, waiting for it: whoever waits holds none, so that an urgent call stands behind none of those. Returns 0, or -EAGAIN as soon as it is known that there
 * would be none by the deadline (nothing is taken then); -EBUSY: only since the cloud
 * has said "too many" (token_bucket_pause). A bucket that cannot be locked or written does not stop anybody: 0. *ret_waited_ms (may be NULL) gets the wait. */
int token_bucket_take(const struct token_bucket *bucket, bool urgent, struct deadline deadline, uint64_t *ret_waited_ms);

/* The cloud has said "too many": nobody on this node sends for so long (ten minutes at most), but urgent calls. */
void token_bucket_pause(const struct token_bucket *bucket, uint64_t ms);

/* Pure: the state's text ("full-at-ms"), read at now_ms. One that is not of this form, or lies more than ten minutes ahead, is an empty past: now_ms. */
uint64_t token_bucket_parse(const char *text, uint64_t now_ms);

/* Pure: how long a call has to wait at now_ms, and what the state is once it has gone. */
uint64_t token_bucket_wait(const struct token_bucket *bucket, bool urgent, uint64_t now_ms, uint64_t *full_at_ms);

#endif
