/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/probe_session.h"

#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "health/connection.h"
#include "health/probe_kinds.h"

int probe_session_open(const char *address, struct probe_session *ret, struct text_buffer *why)
{
    ret->fd = -1;
    return probe_url_parse(address, strlen(address), &ret->url, why);
}

void probe_session_close(struct probe_session *session)
{
    if (session->fd >= 0)
        (void)close(session->fd);
    session->fd = -1;
}

/* A name may have to be looked up, and a password file may hang: then as always. */
static bool can_keep(const struct probe_url *url)
{
    if (url->password_file[0] || (url->host[0] && !url->socket[0] && !connection_host_is_numeric(url->host)))
        return false;
    return url->scheme == PROBE_HTTP || (url->scheme == PROBE_TCP && !url->text[0]) || probe_can_keep_line(url->scheme);
}

/* Open and silent is well; at its end it is connected to again, which shows whether anybody accepts. */
static int keep_tcp(const struct probe_url *url, int *fd, struct deadline deadline, struct text_buffer *why)
{
    char byte;
    ssize_t length = *fd < 0 ? 0 : recv(*fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    int opened;

    if (length > 0 || (length < 0 && errno == EAGAIN))
        return 0;
    opened = probe_connect(url, deadline, why);
    if (opened < 0)
        return opened;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = opened;
    return 0;
}

static int ask_kept(struct probe_session *session, struct deadline deadline, struct text_buffer *why)
{
    if (session->url.scheme == PROBE_TCP)
        return keep_tcp(&session->url, &session->fd, deadline, why);
    if (session->url.scheme == PROBE_HTTP)
        return probe_keep_http(&session->url, &session->fd, deadline, why);
    return probe_keep_line(&session->url, &session->fd, deadline, why);
}

static void describe(const struct probe_url *url, struct text_buffer *why)
{
    if (url->socket[0])
        text_buffer_printf(why, "%s probe of %s: ", probe_scheme_name(url->scheme), url->socket);
    else
        text_buffer_printf(why, "%s probe of %s port %u: ", probe_scheme_name(url->scheme), url->host, url->port);
}

int probe_session_ask(struct probe_session *session, const struct probe_context *context, struct deadline deadline, struct text_buffer *why)
{
    uint64_t timeout_ms = session->url.timeout_ms ? session->url.timeout_ms : context->timeout_ms;
    struct deadline own = deadline_within(deadline, timeout_ms);
    _cleanup_text_buffer_ struct text_buffer detail = { 0 }, again = { 0 };
    bool was_open = session->fd >= 0;
    char waited[32];
    int r;

    if (!can_keep(&session->url))
        return probe_run(&session->url, context, deadline, why);
    r = ask_kept(session, own, &detail);
    if (r < 0)
        probe_session_close(session);
    if (r < 0 && r != -ETIMEDOUT && was_open) {
        r = ask_kept(session, own, &again);
        if (r < 0)
            probe_session_close(session);
    }
    if (r >= 0)
        return 0;
    describe(&session->url, why);
    if (r == -ETIMEDOUT)
        text_buffer_printf(why, "no answer within %s", number_format_duration(timeout_ms, waited, sizeof(waited)));
    else
        text_buffer_printf(why, "%s", again.text ? again.text : detail.text ? detail.text : strerror(-r));
    return r;
}
