/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL through libpq. It runs in a child: libpq resolves names and may read files without a deadline.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/library.h"
#include "health/probe_kinds.h"
#include "health/reply.h"

static struct {
    __typeof__(&PQconnectStartParams) connect_start;
    __typeof__(&PQconnectPoll) connect_poll;
    __typeof__(&PQsocket) socket;
    __typeof__(&PQstatus) status;
    __typeof__(&PQerrorMessage) error_message;
    __typeof__(&PQsendQuery) send_query;
    __typeof__(&PQconsumeInput) consume_input;
    __typeof__(&PQisBusy) is_busy;
    __typeof__(&PQgetResult) get_result;
    __typeof__(&PQresultStatus) result_status;
    __typeof__(&PQntuples) row_count;
    __typeof__(&PQgetvalue) value;
    __typeof__(&PQclear) clear;
    __typeof__(&PQfinish) finish;
} pq;

static int load(struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(pq.connect_start, "PQconnectStartParams"), LIBRARY_SYMBOL(pq.connect_poll, "PQconnectPoll"),
        LIBRARY_SYMBOL(pq.socket, "PQsocket"),                    LIBRARY_SYMBOL(pq.status, "PQstatus"),
        LIBRARY_SYMBOL(pq.error_message, "PQerrorMessage"),       LIBRARY_SYMBOL(pq.send_query, "PQsendQuery"),
        LIBRARY_SYMBOL(pq.consume_input, "PQconsumeInput"),       LIBRARY_SYMBOL(pq.is_busy, "PQisBusy"),
        LIBRARY_SYMBOL(pq.get_result, "PQgetResult"),             LIBRARY_SYMBOL(pq.result_status, "PQresultStatus"),
        LIBRARY_SYMBOL(pq.row_count, "PQntuples"),                LIBRARY_SYMBOL(pq.value, "PQgetvalue"),
        LIBRARY_SYMBOL(pq.clear, "PQclear"),                      LIBRARY_SYMBOL(pq.finish, "PQfinish"),
    };

    return library_load("libpq.so.5", "libpq5", symbols, ARRAY_SIZE(symbols), why);
}

static int refuse(PGconn *connection, struct text_buffer *why)
{
    const char *message = pq.error_message(connection);
    char line[300];

    text_buffer_printf(why, "%s", reply_first_line(message, strlen(message), line, sizeof(line)));
    return -EPROTO;
}

/* PQconnectPoll's rules: libpq, "Database Connection Control Functions". */
static int finish_connect(PGconn *connection, struct deadline deadline, struct text_buffer *why)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    while (step != PGRES_POLLING_OK) {
        int r;

        if (step == PGRES_POLLING_FAILED || pq.status(connection) == CONNECTION_BAD)
            return refuse(connection, why);
        r = deadline_wait_fd(deadline, pq.socket(connection), step == PGRES_POLLING_READING ? POLLIN : POLLOUT);
        if (r < 0) {
            text_buffer_printf(why, "while it was connecting");
            return r;
        }
        step = pq.connect_poll(connection);
    }
    return 0;
}

static PGconn *begin_connect(const struct probe_url *url, const char *password)
{
    char port[8];
    const char *keys[8] = { "application_name" }, *values[8] = { "vigil" };
    size_t n = 1;

    (void)text_format(port, sizeof(port), "%u", url->port);
    keys[n] = "host";
    values[n++] = url->socket[0] ? url->socket : url->host;
    keys[n] = "port";
    values[n++] = port;
    keys[n] = "dbname";
    values[n++] = url->path[0] ? url->path : "postgres";
    if (url->user[0]) {
        keys[n] = "user";
        values[n++] = url->user;
    }
    if (password) {
        keys[n] = "password";
        values[n++] = password;
    }
    keys[n] = NULL;
    values[n] = NULL;
    return pq.connect_start(keys, values, 0);
}

static int judge_result(PGconn *connection, PGresult *result, const char *wanted, struct text_buffer *why)
{
    ExecStatusType status = pq.result_status(result);
    const char *value = status == PGRES_TUPLES_OK && pq.row_count(result) > 0 ? pq.value(result, 0, 0) : "";

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        return refuse(connection, why);
    if (!wanted[0] || text_equal(value, wanted))
        return 0;
    text_buffer_printf(why, "the query answered '%.100s' where '%s' is wanted", value, wanted);
    return -EPROTO;
}

/* Waits for one result of a query; NULL of PQgetResult is the end of it. */
static int wait_result(PGconn *connection, struct deadline deadline, struct text_buffer *why)
{
    while (pq.is_busy(connection)) {
        int r = deadline_wait_fd(deadline, pq.socket(connection), POLLIN);

        if (r < 0) {
            text_buffer_printf(why, "while it was answering the query");
            return r;
        }
        if (!pq.consume_input(connection))
            return refuse(connection, why);
    }
    return 0;
}

static int query(PGconn *connection, const struct probe_url *url, struct deadline deadline, struct text_buffer *why)
{
    PGresult *result;
    int r, verdict = 0;

    if (!pq.send_query(connection, url->query[0] ? url->query : "SELECT 1"))
        return refuse(connection, why);
    for (;;) {
        r = wait_result(connection, deadline, why);
        if (r < 0)
            return r;
        result = pq.get_result(connection);
        if (!result)
            return verdict;
        if (verdict == 0)
            verdict = judge_result(connection, result, url->text, why);
        pq.clear(result);
    }
}

int probe_ask_pgsql(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why)
{
    char *password = NULL;
    PGconn *connection;
    int r = load(why);

    if (r == 0)
        r = probe_read_password(url, &password, why);
    /* Over a unix socket "peer" authentication asks which user we are. */
    if (r == 0 && url->socket[0])
        r = probe_become_user(context, why);
    if (r < 0) {
        file_wipe_secret(password);
        return r;
    }
    connection = begin_connect(url, password);
    file_wipe_secret(password);
    if (!connection)
        return -ENOMEM;
    r = finish_connect(connection, deadline, why);
    if (r == 0)
        r = query(connection, url, deadline, why);
    pq.finish(connection);
    return r;
}
