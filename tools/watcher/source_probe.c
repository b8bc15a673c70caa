/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health probes: asked by a worker, on a connection that stays open where the protocol allows it; a failure when it fails so often in a row.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/probe_session.h"
#include "tools/watcher/worker.h"

#define INTERVAL_MS 1000
#define INTERVAL_MIN_MS 100
#define DEADLINE_MS 5000
#define GRACE_MS 1000

struct probe_state {
    struct probe_session session;
};

static int probe_turn(void *state, uint64_t limit_ms, char *reason, size_t size)
{
    struct probe_state *probe = state;
    const struct probe_context context = { .timeout_ms = limit_ms };
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = probe_session_ask(&probe->session, &context, deadline_in(limit_ms), &why);

    if (r < 0)
        (void)text_format(reason, size, "%s", why.text ? why.text : strerror(-r));
    return r;
}

static unsigned int threshold(const struct watch_source *source)
{
    return source->item.failures > 0 ? (unsigned int)source->item.failures : 1;
}

/* The worker that does not come back at all hangs in its probe beyond the probe's own deadline: that counts as one more failure. */
static void on_answer(struct watch_source *source, int result, const char *reason)
{
    if (result == 0) {
        source->tries = 0;
        source->suspect_ms = 0;
        source_well(source);
        return;
    }
    if (source->suspect_ms == 0)
        source->suspect_ms = deadline_now_ms();
    if (++source->tries >= threshold(source))
        source_failed(source, reason);
}

static int probe_begin(struct watch_source *source, struct text_buffer *why)
{
    struct probe_state state;
    struct worker_spec spec = { .turn = probe_turn, .state = &state, .state_size = sizeof(state) };
    _cleanup_free_ char *thing = text_printf("probe %s %s", source->watch->resource, source->item.target);
    int r = probe_session_open(source->item.target, &state.session, why);

    if (r < 0 || !thing)
        return r < 0 ? r : -ENOMEM;
    if (state.session.url.scheme == PROBE_PROCESS || state.session.url.scheme == PROBE_EXEC)
        return -ENOTSUP; /* they belong to the agent: it knows the processes, the user and the environment */
    spec.name = thing;
    spec.interval_ms = source->item.interval_ms ? source->item.interval_ms : INTERVAL_MS;
    if (spec.interval_ms < INTERVAL_MIN_MS)
        spec.interval_ms = INTERVAL_MIN_MS;
    /* The probe ends itself at its deadline; the worker's is somewhat later. */
    spec.grace_ms = GRACE_MS;
    spec.deadline_ms = source->item.deadline_ms ? source->item.deadline_ms : DEADLINE_MS;
    return worker_open(source, &spec, on_answer);
}

static int look_at_last(struct watch_source *source, struct text_buffer *why)
{
    if (source->state == SOURCE_FAILED) {
        text_buffer_printf(why, "%s", source->detail ? source->detail : "failed");
        return 0;
    }
    return source->state == SOURCE_WELL;
}

const struct source_kind source_probe = { .soft = true, .open = probe_begin, .close = worker_close, .look = look_at_last };
