/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/probe.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "health/connection.h"
#include "health/probe_kinds.h"

/* A reason as it comes back from a child. */
#define REASON_SIZE 512

static const struct probe_kind {
    probe_function ask;
    bool isolated; /* uses a library that may hang or spoil this process: it is asked in a child */
} kinds[PROBE_SCHEMES] = {
    [PROBE_PROCESS] = { probe_ask_process, false }, [PROBE_EXEC] = { probe_ask_exec, false },
    [PROBE_TCP] = { probe_ask_tcp, false },         [PROBE_HTTP] = { probe_ask_http, false },
    [PROBE_HTTPS] = { probe_ask_https, true },      [PROBE_SMTP] = { probe_ask_smtp, false },
    [PROBE_IMAP] = { probe_ask_imap, false },       [PROBE_POP3] = { probe_ask_pop3, false },
    [PROBE_MYSQL] = { probe_ask_mysql, true },      [PROBE_PGSQL] = { probe_ask_pgsql, true },
    [PROBE_REDIS] = { probe_ask_redis, false },
};

struct isolated_call {
    const struct probe_url *url;
    const struct probe_context *context;
    struct deadline deadline;
};

static int ask_in_child(void *argument, void *reply, size_t reply_size)
{
    const struct isolated_call *call = argument;
    _cleanup_text_buffer_ struct text_buffer why = { 0 };
    int r = kinds[call->url->scheme].ask(call->url, call->context, call->deadline, &why);

    if (r < 0 && why.text)
        (void)text_format(reply, reply_size, "%s", why.text);
    return r < 0 ? r : 0;
}

static int ask_isolated(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                        struct text_buffer *why)
{
    struct isolated_call call = { url, context, deadline };
    char reason[REASON_SIZE] = "";
    /* The child may take its whole time to say what it waited for: a moment more than that is for its answer. */
    int r = child_call(ask_in_child, &call, reason, sizeof(reason), NULL,
                       (struct deadline){ deadline.at_ms + 100 });

    if (r == -EPIPE)
        text_buffer_printf(why, "the process that asked it died");
    else if (r < 0 && reason[0])
        text_buffer_printf(why, "%s", reason);
    return r;
}

static bool needs_child(const struct probe_url *url)
{
    /* A password file may lie on a volume that hangs. */
    return kinds[url->scheme].isolated || url->password_file[0] ||
           (url->host[0] && !url->socket[0] && !connection_host_is_numeric(url->host));
}

/* A name of the probe for a reason: without its options, which may be long. */
static void describe(const struct probe_url *url, struct text_buffer *why)
{
    if (url->socket[0])
        text_buffer_printf(why, "%s probe of %s: ", probe_scheme_name(url->scheme), url->socket);
    else if (url->host[0])
        text_buffer_printf(why, "%s probe of %s port %u: ", probe_scheme_name(url->scheme), url->host, url->port);
    else
        text_buffer_printf(why, "%s probe '%.100s': ", probe_scheme_name(url->scheme), url->path);
}

int probe_run(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
              struct text_buffer *why)
{
    uint64_t timeout_ms = url->timeout_ms ? url->timeout_ms : context->timeout_ms;
    struct deadline own = deadline_within(deadline, timeout_ms);
    uint64_t began_ms = deadline_now_ms();
    _cleanup_text_buffer_ struct text_buffer detail = { 0 };
    char waited[32];
    int r = needs_child(url) ? ask_isolated(url, context, own, &detail)
                             : kinds[url->scheme].ask(url, context, own, &detail);

    if (r >= 0)
        return 0;
    describe(url, why);
    if (r == -ETIMEDOUT)
        text_buffer_printf(why, "timed out, no answer within %s%s%s",
                           number_format_duration(deadline_now_ms() - began_ms, waited, sizeof(waited)),
                           detail.text ? "; " : "", detail.text ? detail.text : "");
    else
        text_buffer_printf(why, "%s", detail.text ? detail.text : strerror(-r));
    return r;
}

int probe_list_check(const char *list, struct text_buffer *why)
{
    _cleanup_vector_ char **addresses = NULL;
    struct probe_url url;
    int r = text_split_command(list, &addresses);

    if (r < 0) {
        text_buffer_printf(why, "%s", r == -EINVAL ? "a quote is open" : "no probe in it");
        return -EINVAL;
    }
    for (size_t i = 0; addresses[i]; i++) {
        r = probe_url_parse(addresses[i], strlen(addresses[i]), &url, why);
        if (r < 0)
            return r;
    }
    return 0;
}

int probe_list_run(const char *list, const struct probe_context *context, struct deadline deadline,
                   struct text_buffer *why)
{
    _cleanup_vector_ char **addresses = NULL;
    int r = text_split_command(list, &addresses);

    for (size_t i = 0; r == 0 && addresses[i]; i++) {
        struct probe_url url;

        r = probe_url_parse(addresses[i], strlen(addresses[i]), &url, why);
        if (r == 0)
            r = probe_run(&url, context, deadline, why);
    }
    return r;
}

/* ---- what the kinds share ---------------------------------------------------------------------------------------- */

int probe_refuse_connection(int error, struct text_buffer *why)
{
    if (error == -ECONNREFUSED)
        text_buffer_printf(why, "connection refused, nothing listens there");
    else if (error == -EHOSTUNREACH)
        text_buffer_printf(why, "no such host, or no route to it");
    else if (error == -ENOENT)
        text_buffer_printf(why, "there is no such socket");
    else if (error == -ETIMEDOUT)
        text_buffer_printf(why, "the connection was not accepted");
    else
        text_buffer_printf(why, "can't connect: %s", strerror(-error));
    return error;
}

int probe_connect(const struct probe_url *url, struct deadline deadline, struct text_buffer *why)
{
    int fd = url->socket[0] ? connection_open_socket(url->socket, deadline)
                            : connection_open(url->host, url->port, deadline);

    return fd < 0 ? probe_refuse_connection(fd, why) : fd;
}

int probe_become_user(const struct probe_context *context, struct text_buffer *why)
{
    const struct passwd *passwd = context->user ? getpwnam(context->user) : NULL;

    if (!context->user || geteuid() != 0)
        return 0;
    if (!passwd) {
        text_buffer_printf(why, "user '%s' is unknown on this node", context->user);
        return -ENOENT;
    }
    if (initgroups(context->user, passwd->pw_gid) < 0 || setgid(passwd->pw_gid) < 0 || setuid(passwd->pw_uid) < 0) {
        int error = -errno;

        text_buffer_printf(why, "can't become user '%s': %s", context->user, strerror(-error));
        return error;
    }
    return 0;
}

int probe_read_password(const struct probe_url *url, char **ret_password, struct text_buffer *why)
{
    int r = url->password_file[0] ? file_read_secret(url->password_file, ret_password) : 0;

    if (r == -EPERM)
        text_buffer_printf(why, "password file '%s' is readable by others, chmod it to 600", url->password_file);
    else if (r < 0)
        text_buffer_printf(why, "can't read password file '%s': %s", url->password_file, strerror(-r));
    return r;
}
