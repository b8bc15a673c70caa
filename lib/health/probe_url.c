/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health/probe_url.h"

#include <string.h>

#include "base/number.h"

/* What a scheme looks like: its name, and the port that IANA registered for it (0: none). */
static const struct scheme {
    const char *name;
    unsigned int port;
    bool address;         /* "//host:port" follows; else the rest is taken as it stands */
    bool query_is_option; /* what follows '?' is ours and not the request's */
} schemes[PROBE_SCHEMES] = {
    [PROBE_PROCESS] = { "process", 0, false, false },
    [PROBE_EXEC] = { "exec", 0, false, false },
    [PROBE_TCP] = { "tcp", 0, true, true },
    [PROBE_HTTP] = { "http", 80, true, false },
    [PROBE_HTTPS] = { "https", 443, true, false },
    [PROBE_SMTP] = { "smtp", 25, true, true },
    [PROBE_IMAP] = { "imap", 143, true, true },
    [PROBE_POP3] = { "pop3", 110, true, true },
    [PROBE_MYSQL] = { "mysql", 3306, true, true },
    [PROBE_PGSQL] = { "pgsql", 5432, true, true },
    [PROBE_REDIS] = { "redis", 6379, true, true },
};

/* A borrowed piece of the address. */
struct piece {
    const char *bytes;
    size_t length;
};

const char *probe_scheme_name(enum probe_scheme scheme)
{
    return scheme < PROBE_SCHEMES ? schemes[scheme].name : "?";
}

static int refuse(struct text_buffer *why, const char *problem, struct piece piece)
{
    if (why)
        text_buffer_printf(why, "%s '%.*s'", problem, (int)(piece.length < 200 ? piece.length : 200), piece.bytes);
    return -EINVAL;
}

/* Takes what stands before the first of any of the stop bytes; the rest begins with that byte, or is empty. */
static struct piece piece_until(struct piece *rest, const char *stops)
{
    struct piece taken = { rest->bytes, 0 };

    while (taken.length < rest->length && !strchr(stops, rest->bytes[taken.length]))
        taken.length++;
    rest->bytes += taken.length;
    rest->length -= taken.length;
    return taken;
}

static bool piece_skip(struct piece *rest, const char *prefix)
{
    size_t length = strlen(prefix);

    if (rest->length < length || memcmp(rest->bytes, prefix, length) != 0)
        return false;
    rest->bytes += length;
    rest->length -= length;
    return true;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* Copies a piece, terminated; with decode, %XX becomes its byte (which may not be 0, since C text ends there). */
static int piece_copy(struct piece piece, bool decode, char *buffer, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < piece.length; i++) {
        char byte = piece.bytes[i];

        if (decode && byte == '%') {
            int high = i + 2 < piece.length ? hex_digit(piece.bytes[i + 1]) : -1;
            int low = i + 2 < piece.length ? hex_digit(piece.bytes[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0)
                return -EINVAL;
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= size)
            return -EINVAL;
        buffer[used++] = byte;
    }
    buffer[used] = '\0';
    return 0;
}

static int parse_status(const char *text, struct probe_url *url)
{
    char low[8];
    int64_t first, last;
    const char *dash = strchr(text, '-');
    size_t length = dash ? (size_t)(dash - text) : strlen(text);

    if (length >= sizeof(low))
        return -EINVAL;
    memcpy(low, text, length);
    low[length] = '\0';
    if (number_parse(low, 100, 599, &first) < 0)
        return -EINVAL;
    last = first;
    if (dash && number_parse(dash + 1, first, 599, &last) < 0)
        return -EINVAL;
    url->status_low = (unsigned int)first;
    url->status_high = (unsigned int)last;
    return 0;
}

static int parse_timeout(const char *text, struct probe_url *url)
{
    uint64_t ms;

    if (number_parse_duration(text, 1000, &ms) < 0 || ms == 0 || ms > 3600 * 1000)
        return -EINVAL;
    url->timeout_ms = ms;
    return 0;
}

static int parse_option(struct piece name, struct piece value, struct probe_url *url)
{
    struct {
        const char *name;
        char *buffer;
        size_t size;
    } texts[] = {
        { "query", url->query, sizeof(url->query) },
        { "text", url->text, sizeof(url->text) },
        { "socket", url->socket, sizeof(url->socket) },
        { "password_file", url->password_file, sizeof(url->password_file) },
    };
    char word[32], decoded[64];

    if (piece_copy(name, false, word, sizeof(word)) < 0)
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (text_equal(word, texts[i].name))
            return piece_copy(value, true, texts[i].buffer, texts[i].size);
    if (piece_copy(value, true, decoded, sizeof(decoded)) < 0)
        return -EINVAL;
    if (text_equal(word, "status"))
        return parse_status(decoded, url);
    if (text_equal(word, "timeout"))
        return parse_timeout(decoded, url);
    if (text_equal(word, "insecure"))
        return number_parse_boolean(decoded, &url->insecure);
    return -EINVAL;
}

static int parse_options(struct piece options, struct probe_url *url, struct text_buffer *why)
{
    while (options.length > 0) {
        struct piece value = piece_until(&options, "&");
        struct piece whole = value;
        struct piece name = piece_until(&value, "=");

        (void)piece_skip(&options, "&");
        if (whole.length == 0)
            continue;
        if (!piece_skip(&value, "=") || parse_option(name, value, url) < 0)
            return refuse(why, "unknown or wrong option", whole);
    }
    return 0;
}

static int parse_port(struct piece piece, struct probe_url *url)
{
    char digits[8];
    int64_t port;

    if (piece_copy(piece, false, digits, sizeof(digits)) < 0 || number_parse(digits, 1, 65535, &port) < 0)
        return -EINVAL;
    url->port = (unsigned int)port;
    return 0;
}

/* [USER@]HOST[:PORT] */
static int parse_authority(struct piece authority, struct probe_url *url, struct text_buffer *why)
{
    struct piece whole = authority, host = authority;
    struct piece user = piece_until(&host, "@");

    if (piece_skip(&host, "@")) {
        if (memchr(user.bytes, ':', user.length))
            return refuse(why, "a password may not stand in an address (use password_file=):", host);
        if (piece_copy(user, true, url->user, sizeof(url->user)) < 0)
            return refuse(why, "bad user", user);
        authority = host;
    }
    if (piece_skip(&authority, "[")) {
        host = piece_until(&authority, "]");
        if (!piece_skip(&authority, "]"))
            return refuse(why, "a bracket is open in", whole);
    } else {
        host = piece_until(&authority, ":");
    }
    if (piece_copy(host, false, url->host, sizeof(url->host)) < 0)
        return refuse(why, "too long a host", host);
    if (host.length == 0)
        (void)text_copy(url->host, sizeof(url->host), "localhost");
    if (piece_skip(&authority, ":") ? parse_port(authority, url) < 0 : authority.length > 0)
        return refuse(why, "bad port in", whole);
    return 0;
}

static int parse_address(struct piece rest, struct probe_url *url, struct text_buffer *why)
{
    const struct scheme *scheme = &schemes[url->scheme];
    struct piece authority, path;
    int error;

    if (!piece_skip(&rest, "//"))
        return refuse(why, "'//' is missing before", rest);
    authority = piece_until(&rest, "/?#");
    error = parse_authority(authority, url, why);
    if (error < 0)
        return error;
    path = piece_until(&rest, scheme->query_is_option ? "?#" : "#");
    if (scheme->query_is_option)
        (void)piece_skip(&path, "/");
    if (piece_copy(path, scheme->query_is_option, url->path, sizeof(url->path)) < 0)
        return refuse(why, "bad path", path);
    if (scheme->query_is_option && piece_skip(&rest, "?")) {
        struct piece options = piece_until(&rest, "#");

        error = parse_options(options, url, why);
        if (error < 0)
            return error;
    }
    if (piece_skip(&rest, "#"))
        return parse_options(rest, url, why);
    return 0;
}

/* What every scheme needs in the end. */
static int check_complete(const struct probe_url *url, struct piece whole, struct text_buffer *why)
{
    if (url->scheme == PROBE_EXEC && url->path[0] == '\0')
        return refuse(why, "no command in", whole);
    if (schemes[url->scheme].address && url->port == 0 && url->socket[0] == '\0')
        return refuse(why, "a port is missing in", whole);
    if (url->socket[0] != '\0' && url->socket[0] != '/')
        return refuse(why, "a socket needs an absolute path in", whole);
    if (url->password_file[0] != '\0' && url->password_file[0] != '/')
        return refuse(why, "a password file needs an absolute path in", whole);
    return 0;
}

int probe_url_parse(const char *bytes, size_t length, struct probe_url *ret, struct text_buffer *why)
{
    struct piece whole = { bytes, length }, rest = whole;
    struct piece name;
    enum probe_scheme scheme = 0;
    int error;

    memset(ret, 0, sizeof(*ret));
    if (!text_is_printable_utf8(bytes, length))
        return refuse(why, "bytes that are no printable UTF-8", (struct piece){ "", 0 });
    name = piece_until(&rest, ":");
    while (scheme < PROBE_SCHEMES && (strlen(schemes[scheme].name) != name.length ||
                                      memcmp(schemes[scheme].name, name.bytes, name.length) != 0))
        scheme++;
    if (scheme == PROBE_SCHEMES || !piece_skip(&rest, ":"))
        return refuse(why, "unknown kind of probe", whole);
    ret->scheme = scheme;
    ret->port = schemes[scheme].port;
    ret->status_low = 200;
    ret->status_high = 399;
    if (schemes[scheme].address)
        error = parse_address(rest, ret, why);
    else
        error = piece_copy(rest, false, ret->path, sizeof(ret->path)) < 0 ? refuse(why, "too long", whole) : 0;
    return error < 0 ? error : check_complete(ret, whole, why);
}
