/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/iscsi_url.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"

#define DEFAULT_PORT 3260
#define LUN_MAXIMUM 16383

static int wrong(struct text_buffer *why, const char *what)
{
    if (why)
        text_buffer_printf(why, "%s; write iscsi://HOST[:PORT]/TARGET/LUN", what);
    return -EINVAL;
}

static int copy_part(const char *begin, const char *end, char *buffer, size_t size)
{
    size_t length = (size_t)(end - begin);

    if (length == 0 || length >= size)
        return -EINVAL;
    memcpy(buffer, begin, length);
    buffer[length] = '\0';
    return 0;
}

/* A host's name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(const char *host)
{
    bool bracket = host[0] == '[';

    for (const char *next = host; *next; next++) {
        bool good = isalnum((unsigned char)*next) || strchr("-._", *next) ||
                    (bracket && (strchr(":%", *next) || (*next == '[' && next == host) || (*next == ']' && !next[1])));

        if (!good)
            return false;
    }
    return host[0] && host[0] != '-' && (!bracket || text_ends_with(host, "]"));
}

/* [USER@]HOST[:PORT] */
static int parse_portal(const char *text, struct iscsi_lun_url *url, struct text_buffer *why)
{
    const char *host = strrchr(text, '@'), *colon;
    int64_t port = DEFAULT_PORT;
    char name[256];

    if (host && (copy_part(text, host, url->user, sizeof(url->user)) < 0 || strchr(url->user, ':')))
        return wrong(why, "the user's name is empty or too long");
    if (strchr(url->user, '%'))
        return wrong(why, "a password does not belong into an URL: put it into a file and add ?password_file=PATH");
    host = host ? host + 1 : text;
    colon = host[0] == '[' && strchr(host, ']') ? strchr(strchr(host, ']'), ':') : strchr(host, ':');
    if (colon && (!isdigit((unsigned char)colon[1]) || number_parse(colon + 1, 1, 65535, &port) < 0))
        return wrong(why, "the port is no number from 1 to 65535");
    if (copy_part(host, colon ? colon : host + strlen(host), name, sizeof(name)) < 0 || !is_host(name))
        return wrong(why, "the host is no name and no address");
    (void)text_format(url->portal, sizeof(url->portal), "%s:%u", name, (unsigned int)port);
    return 0;
}

/* RFC 3722: iSCSI names are lower-case ASCII letters, digits, '-', '.', ':'; upper case is taken, too, and beyond ASCII. */
static bool is_target(const char *name)
{
    return *name && text_is_printable_utf8(name, strlen(name)) && !strpbrk(name, " /?&@\t") && strlen(name) < 224;
}

static int parse_option(const char *option, struct iscsi_lun_url *url, struct text_buffer *why)
{
    const char *path = text_after(option, "password_file="), *initiator = text_after(option, "initiator=");

    if (path && path[0] == '/' && text_copy(url->password_file, sizeof(url->password_file), path) > 0)
        return 0;
    if (initiator && is_target(initiator) && text_copy(url->initiator, sizeof(url->initiator), initiator) > 0)
        return 0;
    return wrong(why, "behind '?' only password_file=/PATH and initiator=NAME can stand, with '&' between them");
}

static int parse_options(char *options, struct iscsi_lun_url *url, struct text_buffer *why)
{
    int r = 0;

    while (r == 0 && options) {
        char *next = strchr(options, '&');

        if (next)
            *next++ = '\0';
        r = parse_option(options, url, why);
        options = next;
    }
    return r;
}

int iscsi_url_parse(const char *text, struct iscsi_lun_url *ret, struct text_buffer *why)
{
    struct iscsi_lun_url url = { .lun = 0 };
    char copy[2048], *options, *target, *lun;
    const char *rest = text_after(text, "iscsi://");
    int64_t number;
    int r;

    if (!rest || text_copy(copy, sizeof(copy), rest) < 0 || !text_is_printable_utf8(copy, strlen(copy)))
        return wrong(why, "this is no iscsi:// URL, or too long");
    options = strchr(copy, '?');
    if (options)
        *options++ = '\0';
    target = strchr(copy, '/');
    lun = target ? strrchr(target + 1, '/') : NULL;
    if (!target || !lun)
        return wrong(why, "the target or the LUN is missing");
    *target++ = '\0';
    *lun++ = '\0';
    if (!is_target(target) || text_copy(url.target, sizeof(url.target), target) < 0)
        return wrong(why, "the target's name has bytes that it cannot have, or more than 223");
    if (!isdigit((unsigned char)*lun) || number_parse(lun, 0, LUN_MAXIMUM, &number) < 0)
        return wrong(why, "the LUN is no number from 0 to 16383");
    url.lun = (unsigned int)number;
    r = parse_portal(copy, &url, why);
    if (r == 0)
        r = parse_options(options, &url, why);
    if (r == 0 && (url.user[0] == '\0') != (url.password_file[0] == '\0'))
        r = wrong(why, "CHAP needs both the user's name and password_file");
    if (r == 0)
        *ret = url;
    return r;
}

int iscsi_initiator_parse(const char *text, char *buffer, size_t size)
{
    const char *cursor = text, *line;
    size_t length;

    while (text_next_word(&cursor, "\r\n", &line, &length)) {
        char name[512];

        if (length >= sizeof(name) || copy_part(line, line + length, name, sizeof(name)) < 0)
            continue;
        if (!text_after(text_trim(name), "InitiatorName="))
            continue;
        if (is_target(text_trim(name) + strlen("InitiatorName=")) &&
            text_copy(buffer, size, text_trim(name) + strlen("InitiatorName=")) > 0)
            return 0;
    }
    return -ENODATA;
}
