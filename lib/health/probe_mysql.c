/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MySQL and MariaDB through libmariadb, in a child: the library's calls block, each with a time-out of whole seconds, so that the
 * deadline is kept by whoever waits for the child.
 */
#include <mysql.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/library.h"
#include "health/probe_kinds.h"
#include "health/reply.h"

static struct {
    __typeof__(&mysql_init) init;
    __typeof__(&mysql_options) options;
    __typeof__(&mysql_real_connect) connect;
    __typeof__(&mysql_real_query) query;
    __typeof__(&mysql_store_result) store_result;
    __typeof__(&mysql_fetch_row) fetch_row;
    __typeof__(&mysql_num_fields) field_count;
    __typeof__(&mysql_free_result) free_result;
    __typeof__(&mysql_error) error;
    __typeof__(&mysql_close) close;
} my;

static int load(struct text_buffer *why)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(my.init, "mysql_init"),
        LIBRARY_SYMBOL(my.options, "mysql_options"),
        LIBRARY_SYMBOL(my.connect, "mysql_real_connect"),
        LIBRARY_SYMBOL(my.query, "mysql_real_query"),
        LIBRARY_SYMBOL(my.store_result, "mysql_store_result"),
        LIBRARY_SYMBOL(my.fetch_row, "mysql_fetch_row"),
        LIBRARY_SYMBOL(my.field_count, "mysql_num_fields"),
        LIBRARY_SYMBOL(my.free_result, "mysql_free_result"),
        LIBRARY_SYMBOL(my.error, "mysql_error"),
        LIBRARY_SYMBOL(my.close, "mysql_close"),
    };

    return library_load("libmariadb.so.3", "libmariadb3", symbols, ARRAY_SIZE(symbols), why);
}

static int refuse(MYSQL *connection, struct text_buffer *why)
{
    const char *message = my.error(connection);
    char line[300];

    text_buffer_printf(why, "%s", reply_first_line(message, strlen(message), line, sizeof(line)));
    return -EPROTO;
}

static int connect_server(MYSQL *connection, const struct probe_url *url, const char *password,
                          struct deadline deadline, struct text_buffer *why)
{
    /* Somewhat longer than the deadline, so that it is the deadline that ends a wait, and the reason says so. */
    unsigned int seconds = (unsigned int)(deadline_left_ms(deadline) / 1000 + 2);

    (void)my.options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    (void)my.options(connection, MYSQL_OPT_READ_TIMEOUT, &seconds);
    (void)my.options(connection, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    /* "localhost" would silently mean the default socket: mysql_real_connect(3). */
    if (!my.connect(connection, url->socket[0] ? NULL : text_equal(url->host, "localhost") ? "127.0.0.1" : url->host,
                    url->user[0] ? url->user : NULL, password, url->path[0] ? url->path : NULL, url->port,
                    url->socket[0] ? url->socket : NULL, 0))
        return refuse(connection, why);
    return 0;
}

static int query(MYSQL *connection, const struct probe_url *url, struct text_buffer *why)
{
    const char *text = url->query[0] ? url->query : "SELECT 1";
    MYSQL_RES *result;
    MYSQL_ROW row = NULL;
    int r = 0;

    if (my.query(connection, text, strlen(text)) != 0)
        return refuse(connection, why);
    result = my.store_result(connection);
    if (result)
        row = my.fetch_row(result);
    if (url->text[0] && !(row && my.field_count(result) > 0 && text_equal(row[0], url->text))) {
        text_buffer_printf(why, "the query answered '%.100s' where '%s' is wanted", row && row[0] ? row[0] : "",
                           url->text);
        r = -EPROTO;
    }
    if (result)
        my.free_result(result);
    return r;
}

int probe_ask_mysql(const struct probe_url *url, const struct probe_context *context, struct deadline deadline,
                    struct text_buffer *why)
{
    char *password = NULL;
    MYSQL *connection;
    int r = load(why);

    if (r == 0)
        r = probe_read_password(url, &password, why);
    /* Over a unix socket the server may ask which user we are (plugin unix_socket). */
    if (r == 0 && url->socket[0])
        r = probe_become_user(context, why);
    connection = r == 0 ? my.init(NULL) : NULL;
    if (connection) {
        r = connect_server(connection, url, password, deadline, why);
        if (r == 0)
            r = query(connection, url, why);
        my.close(connection);
    } else if (r == 0) {
        r = -ENOMEM;
    }
    file_wipe_secret(password);
    return r;
}
