/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes that speak lines of text: a bare connection, mail servers, redis. Each waits for a greeting and asks one question that needs
 * no login, since a greeting alone may come from a process that hangs right behind it.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "health/connection.h"
#include "health/probe_kinds.h"
#include "health/reply.h"

typedef enum reply_verdict (*reply_function)(const char *bytes, size_t length);

/* Reads until the reply can be judged. */
static int expect(int fd, reply_function judge, struct deadline deadline, struct text_buffer *why)
{
    char bytes[4096], line[100];
    size_t length = 0;
    enum reply_verdict verdict = REPLY_INCOMPLETE;

    while (verdict == REPLY_INCOMPLETE) {
        int r = length < sizeof(bytes) ? connection_receive(fd, bytes + length, sizeof(bytes) - length, deadline) : 0;

        if (r < 0) {
            text_buffer_printf(why, r == -ETIMEDOUT ? "it accepted the connection" : "the connection broke");
            return r;
        }
        if (r == 0) {
            text_buffer_printf(why, "the connection was closed before the answer was complete");
            return -ECONNRESET;
        }
        length += (size_t)r;
        verdict = judge(bytes, length);
    }
    if (verdict == REPLY_GOOD)
        return 0;
    text_buffer_printf(why, "%s '%s'", verdict == REPLY_BAD ? "the service answered" : "this is not the protocol:",
                       reply_first_line(bytes, length, line, sizeof(line)));
    return -EPROTO;
}

static int ask(int fd, const char *question, reply_function judge, struct deadline deadline, struct text_buffer *why)
{
    int r = connection_send(fd, question, strlen(question), deadline);

    if (r < 0) {
        text_buffer_printf(why, "can't send: %s", strerror(-r));
        return r;
    }
    return expect(fd, judge, deadline, why);
}

/* A whole mail dialogue. */
struct dialogue {
    reply_function greeting;
    const char *question;
    reply_function answer;
    const char *farewell; /* courtesy: its answer is not waited for */
};

static int converse(const struct dialogue *dialogue, const struct probe_url *url, struct deadline deadline,
                    struct text_buffer *why)
{
    _cleanup_close_ int fd = probe_connect(url, deadline, why);
    int r;

    if (fd < 0)
        return fd;
    r = expect(fd, dialogue->greeting, deadline, why);
    if (r == 0)
        r = ask(fd, dialogue->question, dialogue->answer, deadline, why);
    if (r == 0)
        (void)connection_send(fd, dialogue->farewell, strlen(dialogue->farewell), deadline);
    return r;
}

int probe_ask_smtp(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                   struct text_buffer *why)
{
    static const struct dialogue smtp = { reply_smtp, "NOOP\r\n", reply_smtp, "QUIT\r\n" };

    return converse(&smtp, url, deadline, why);
}

int probe_ask_imap(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                   struct text_buffer *why)
{
    static const struct dialogue imap = { reply_imap_greeting, "v1 NOOP\r\n", reply_imap_tagged, "v2 LOGOUT\r\n" };

    return converse(&imap, url, deadline, why);
}

/* POP3 knows NOOP only behind a login (RFC 1939, 5), so that QUIT is the question. */
int probe_ask_pop3(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                   struct text_buffer *why)
{
    static const struct dialogue pop3 = { reply_pop3, "QUIT\r\n", reply_pop3, "" };

    return converse(&pop3, url, deadline, why);
}

static int redis_login(int fd, const struct probe_url *url, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_(text_buffer_free) struct text_buffer command = { 0 };
    char *password = NULL;
    int r = probe_read_password(url, &password, why);

    if (r < 0 || !password)
        return r;
    /* RESP arrays need no quoting, whatever the password holds. */
    text_buffer_printf(&command, "*%d\r\n$4\r\nAUTH\r\n", url->user[0] ? 3 : 2);
    if (url->user[0])
        text_buffer_printf(&command, "$%zu\r\n%s\r\n", strlen(url->user), url->user);
    text_buffer_printf(&command, "$%zu\r\n%s\r\n", strlen(password), password);
    file_wipe_secret(password);
    if (command.failed || !command.text)
        return -ENOMEM;
    r = ask(fd, command.text, reply_redis, deadline, why);
    explicit_bzero(command.text, command.length);
    return r;
}

int probe_ask_redis(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                    struct text_buffer *why)
{
    _cleanup_close_ int fd = probe_connect(url, deadline, why);
    int r;

    if (fd < 0)
        return fd;
    r = redis_login(fd, url, deadline, why);
    return r < 0 ? r : ask(fd, "PING\r\n", reply_redis, deadline, why);
}

/* Reads until the text has come. */
static int expect_text(int fd, const char *wanted, struct deadline deadline, struct text_buffer *why)
{
    char bytes[4096];
    size_t length = 0;

    while (length < sizeof(bytes)) {
        int r = connection_receive(fd, bytes + length, sizeof(bytes) - length, deadline);

        if (r < 0) {
            text_buffer_printf(why, "the text '%s' did not come", wanted);
            return r;
        }
        length += (size_t)r;
        if (memmem(bytes, length, wanted, strlen(wanted)))
            return 0;
        if (r == 0)
            break;
    }
    text_buffer_printf(why, "the text '%s' is not in the answer", wanted);
    return -EPROTO;
}

int probe_ask_tcp(const struct probe_url *url, const struct probe_context *context _unused_, struct deadline deadline,
                  struct text_buffer *why)
{
    _cleanup_close_ int fd = probe_connect(url, deadline, why);

    if (fd < 0)
        return fd;
    return url->text[0] ? expect_text(fd, url->text, deadline, why) : 0;
}

/* ---- kept-open connections ------------------------------------------------------------------------------------------ */

static const struct dialogue *kept_dialogue(enum probe_scheme scheme)
{
    static const struct dialogue smtp = { reply_smtp, "NOOP\r\n", reply_smtp, "" };
    static const struct dialogue imap = { reply_imap_greeting, "v1 NOOP\r\n", reply_imap_tagged, "" };
    static const struct dialogue redis = { NULL, "PING\r\n", reply_redis, "" };

    return scheme == PROBE_SMTP ? &smtp : scheme == PROBE_IMAP ? &imap : scheme == PROBE_REDIS ? &redis : NULL;
}

bool probe_can_keep_line(enum probe_scheme scheme)
{
    return kept_dialogue(scheme) != NULL;
}

static int begin_line(const struct probe_url *url, const struct dialogue *dialogue, struct deadline deadline, struct text_buffer *why)
{
    _cleanup_close_ int fd = probe_connect(url, deadline, why);
    int r;

    if (fd < 0)
        return fd;
    r = dialogue->greeting ? expect(fd, dialogue->greeting, deadline, why) : redis_login(fd, url, deadline, why);
    return r < 0 ? r : TAKE_FD(fd);
}

int probe_keep_line(const struct probe_url *url, int *fd, struct deadline deadline, struct text_buffer *why)
{
    const struct dialogue *dialogue = kept_dialogue(url->scheme);
    int r;

    if (!dialogue)
        return -EOPNOTSUPP;
    if (*fd < 0)
        *fd = begin_line(url, dialogue, deadline, why);
    if (*fd < 0) {
        r = *fd;
        *fd = -1;
        return r;
    }
    return ask(*fd, dialogue->question, dialogue->answer, deadline, why);
}
