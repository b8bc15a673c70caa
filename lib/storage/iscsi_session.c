/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/iscsi_session.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"

/* ---- portals ------------------------------------------------------------------------------------------------------------------------- */

static int parse_port(const char *text, uint16_t *ret)
{
    uint64_t number;

    if (text[0] < '0' || text[0] > '9' || number_parse_unsigned(text, UINT16_MAX, &number) < 0 || number == 0)
        return -EINVAL;
    *ret = (uint16_t)number;
    return 0;
}

/* What may stand in a host's name or address. It becomes part of a path below open-iscsi's database, so that '/' and a leading '.' or '-' are none. */
static bool is_address(const char *text)
{
    return text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_%") == strlen(text);
}

/* Splits "[address]:port" or "address:port"; an address of several colons without brackets has no port. */
static int split_portal(char *text, char **ret_address, char **ret_port)
{
    char *colon = strchr(text, ':'), *bracket;

    *ret_address = text;
    *ret_port = NULL;
    if (text[0] == '[') {
        bracket = strchr(text, ']');
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return -EINVAL;
        *bracket = '\0';
        *ret_address = text + 1;
        *ret_port = bracket[1] == ':' ? bracket + 2 : NULL;
        return 0;
    }
    if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
        *ret_port = colon + 1;
    }
    return 0;
}

int iscsi_portal_parse(const char *text, size_t length, struct iscsi_portal *ret)
{
    struct iscsi_portal portal = { .port = ISCSI_PORT };
    char copy[160], *address, *port, *comma;

    if (length == 0 || length >= sizeof(copy) || memchr(text, '\0', length))
        return -EINVAL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    comma = strchr(copy, ',');
    if (comma)
        *comma = '\0';
    if (split_portal(copy, &address, &port) < 0 || !is_address(address))
        return -EINVAL;
    if (port && parse_port(port, &portal.port) < 0)
        return -EINVAL;
    if (text_copy(portal.address, sizeof(portal.address), address) < 0)
        return -EINVAL;
    *ret = portal;
    return 0;
}

const char *iscsi_portal_format(const struct iscsi_portal *portal, char *buffer, size_t size)
{
    bool six = strchr(portal->address, ':');

    (void)text_format(buffer, size, "%s%s%s:%u", six ? "[" : "", portal->address, six ? "]" : "", portal->port);
    return buffer;
}

static bool address_equal(const char *a, const char *b)
{
    struct in6_addr six_a, six_b;
    struct in_addr four_a, four_b;

    if (inet_pton(AF_INET6, a, &six_a) == 1 && inet_pton(AF_INET6, b, &six_b) == 1)
        return memcmp(&six_a, &six_b, sizeof(six_a)) == 0;
    if (inet_pton(AF_INET, a, &four_a) == 1 && inet_pton(AF_INET, b, &four_b) == 1)
        return four_a.s_addr == four_b.s_addr;
    return strcasecmp(a, b) == 0;
}

bool iscsi_portal_equal(const struct iscsi_portal *a, const struct iscsi_portal *b)
{
    return a->port == b->port && address_equal(a->address, b->address);
}

int iscsi_portals_parse(const char *text, struct iscsi_portal portals[static ISCSI_PORTALS_MAX])
{
    const char *word;
    size_t length;
    int count = 0;

    while (text && text_next_word(&text, " \t", &word, &length)) {
        if (count == ISCSI_PORTALS_MAX)
            return -E2BIG;
        if (iscsi_portal_parse(word, length, &portals[count]) < 0)
            return -EINVAL;
        count++;
    }
    return count;
}

int iscsi_discovery_parse(const char *text, size_t length, const char *target, struct iscsi_portal portals[static ISCSI_PORTALS_MAX])
{
    const char *end = text + length;
    size_t target_length = strlen(target);
    int count = 0;

    while (text < end && count < ISCSI_PORTALS_MAX) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        const char *blank;

        if (!line_end)
            line_end = end;
        blank = memchr(text, ' ', (size_t)(line_end - text));
        if (blank && (size_t)(line_end - blank - 1) == target_length && memcmp(blank + 1, target, target_length) == 0 &&
            iscsi_portal_parse(text, (size_t)(blank - text), &portals[count]) == 0)
            count++;
        text = line_end + 1;
    }
    return count;
}

/* ---- sessions by sysfs ----------------------------------------------------------------------------------------------------------------- */

static void read_attribute(const char *sysfs, const char *class_and_name, const char *attribute, char *buffer, size_t size)
{
    char path[512];

    if (text_format(path, sizeof(path), "%s/class/%s/%s", sysfs, class_and_name, attribute) < 0 || file_read_line(path, buffer, size) < 0)
        buffer[0] = '\0';
    /* What the kernel does not know. */
    if (text_equal(buffer, "<NULL>") || text_equal(buffer, "(null)"))
        buffer[0] = '\0';
}

static void read_portal(const char *sysfs, unsigned int id, const char *prefix, struct iscsi_portal *ret)
{
    char connection[64], name[40], port[16];

    (void)text_format(connection, sizeof(connection), "iscsi_connection/connection%u:0", id);
    (void)text_format(name, sizeof(name), "%saddress", prefix);
    read_attribute(sysfs, connection, name, ret->address, sizeof(ret->address));
    (void)text_format(name, sizeof(name), "%sport", prefix);
    read_attribute(sysfs, connection, name, port, sizeof(port));
    if (parse_port(port, &ret->port) < 0)
        ret->port = 0;
}

/* The link of a session leads through its SCSI host: ".../host3/session1/iscsi_session/session1". */
static unsigned int host_of(const char *sysfs, const char *class_and_name)
{
    char path[512], target[1024], *host, *slash;
    uint64_t number = 0;
    ssize_t length;

    if (text_format(path, sizeof(path), "%s/class/%s", sysfs, class_and_name) < 0)
        return 0;
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return 0;
    target[length] = '\0';
    host = strstr(target, "/host");
    if (!host)
        return 0;
    host += strlen("/host");
    slash = strchr(host, '/');
    if (slash)
        *slash = '\0';
    (void)number_parse_unsigned(host, UINT32_MAX, &number);
    return (unsigned int)number;
}

/* Returns true when the entry is a session of the target. */
static bool read_session(const char *sysfs, const char *entry, const char *target, struct iscsi_session *ret)
{
    const char *digits = text_after(entry, "session");
    char name[128];
    uint64_t id;

    if (!digits || number_parse_unsigned(digits, UINT32_MAX, &id) < 0 ||
        text_format(name, sizeof(name), "iscsi_session/%s", entry) < 0)
        return false;
    *ret = (struct iscsi_session){ .id = (unsigned int)id };
    read_attribute(sysfs, name, "targetname", ret->target, sizeof(ret->target));
    if (!text_equal(ret->target, target))
        return false;
    read_attribute(sysfs, name, "state", ret->state, sizeof(ret->state));
    ret->logged_in = text_equal(ret->state, "LOGGED_IN");
    ret->host = host_of(sysfs, name);
    read_portal(sysfs, ret->id, "", &ret->portal);
    read_portal(sysfs, ret->id, "persistent_", &ret->configured);
    return true;
}

int iscsi_sessions_read(const char *sysfs, const char *target, struct iscsi_session sessions[static ISCSI_SESSIONS_MAX])
{
    char path[512];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;
    int count = 0;

    if (text_format(path, sizeof(path), "%s/class/iscsi_session", sysfs) < 0)
        return -ENAMETOOLONG;
    folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(folder)) && count < ISCSI_SESSIONS_MAX) {
        if (entry->d_name[0] != '.' && read_session(sysfs, entry->d_name, target, &sessions[count]))
            count++;
    }
    return count;
}

const struct iscsi_session *iscsi_session_find(const struct iscsi_session *sessions, size_t count, const struct iscsi_portal *portal)
{
    const struct iscsi_session *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!iscsi_portal_equal(&sessions[i].configured, portal) && !iscsi_portal_equal(&sessions[i].portal, portal))
            continue;
        /* Of two, the one that works. */
        if (!found || sessions[i].logged_in)
            found = &sessions[i];
    }
    return found;
}

/* ---- records of open-iscsi's database -------------------------------------------------------------------------------------------------- */

#define RECORD_LIMIT 65536
#define RECORD_END "# END RECORD"

/* The setting that a line is about, or count. */
static size_t setting_of_line(const char *line, size_t length, const struct iscsi_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t name = strlen(settings[i].name);

        if (length > name && memcmp(line, settings[i].name, name) == 0 && (line[name] == ' ' || line[name] == '='))
            return i;
    }
    return count;
}

static int check_settings(const struct iscsi_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (const char *byte = settings[i].value; *byte; byte++) {
            if ((unsigned char)*byte < ' ')
                return -EINVAL;
        }
    }
    return 0;
}

int iscsi_record_merge(const char *text, size_t length, const struct iscsi_setting *settings, size_t count, struct text_buffer *ret)
{
    const char *end = text + length;
    bool complete = false;

    if (check_settings(settings, count) < 0)
        return -EINVAL;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));

        if (!line_end || memchr(text, '\0', (size_t)(line_end - text)))
            return -EBADMSG;
        if ((size_t)(line_end - text) == strlen(RECORD_END) && memcmp(text, RECORD_END, strlen(RECORD_END)) == 0 && !complete) {
            for (size_t i = 0; i < count; i++)
                text_buffer_printf(ret, "%s = %s\n", settings[i].name, settings[i].value);
            complete = true;
        }
        if (setting_of_line(text, (size_t)(line_end - text), settings, count) == count)
            text_buffer_append(ret, text, (size_t)(line_end - text) + 1);
        text = line_end + 1;
    }
    if (!complete)
        return -EBADMSG;
    return ret->failed ? -ENOMEM : 0;
}

static void wipe_buffer(struct text_buffer *buffer)
{
    if (buffer->text)
        explicit_bzero(buffer->text, buffer->capacity);
    text_buffer_free(buffer);
}

static int update_file(const char *path, const struct iscsi_setting *settings, size_t count)
{
    _cleanup_(wipe_buffer) struct text_buffer merged = { 0 };
    char *text = NULL;
    size_t length;
    int r = file_read(path, RECORD_LIMIT, &text, &length);

    if (r < 0)
        return r;
    r = iscsi_record_merge(text, length, settings, count, &merged);
    if (r == 0)
        r = file_write(path, 0600, merged.text, merged.length);
    explicit_bzero(text, length);
    free(text);
    return r;
}

/* The records of one portal: a file, or a folder with one for each interface. Returns how many were written, or -errno. */
static int update_path(const char *path, const struct iscsi_setting *settings, size_t count)
{
    _cleanup_closedir_ DIR *folder = opendir(path);
    const struct dirent *entry;
    int written = 0, r;

    if (!folder) {
        if (errno != ENOTDIR)
            return -errno;
        r = update_file(path, settings, count);
        return r < 0 ? r : 1;
    }
    while ((entry = readdir(folder))) {
        char file[1024];

        if (entry->d_name[0] == '.')
            continue;
        if (text_format(file, sizeof(file), "%s/%s", path, entry->d_name) < 0)
            return -ENAMETOOLONG;
        r = update_file(file, settings, count);
        if (r < 0)
            return r;
        written++;
    }
    return written;
}

/* The database's entry "ADDRESS,PORT[,TPGT]" is for this portal. */
static bool entry_is_portal(const char *entry, const struct iscsi_portal *portal)
{
    char copy[256], *comma;
    struct iscsi_portal found = { .port = 0 };

    if (text_copy(copy, sizeof(copy), entry) < 0)
        return false;
    comma = strchr(copy, ',');
    if (!comma)
        return false;
    *comma++ = '\0';
    comma[strcspn(comma, ",")] = '\0';
    if (parse_port(comma, &found.port) < 0 || text_copy(found.address, sizeof(found.address), copy) < 0)
        return false;
    return iscsi_portal_equal(&found, portal);
}

static int update_target(const char *database, const char *target, const struct iscsi_portal *portal, const struct iscsi_setting *settings,
                         size_t count)
{
    char path[512];
    _cleanup_closedir_ DIR *folder = NULL;
    const struct dirent *entry;
    int written = 0;

    if (text_format(path, sizeof(path), "%s/%s", database, target) < 0)
        return -ENAMETOOLONG;
    folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(folder))) {
        char record[1024];
        int r;

        if (!entry_is_portal(entry->d_name, portal))
            continue;
        if (text_format(record, sizeof(record), "%s/%s", path, entry->d_name) < 0)
            return -ENAMETOOLONG;
        r = update_path(record, settings, count);
        if (r < 0)
            return r;
        written += r;
    }
    return written;
}

int iscsi_record_update(const char *database, const char *target, const struct iscsi_portal *portal, const struct iscsi_setting *settings, size_t count)
{
    /* Debian; Red Hat and SUSE. */
    static const char *const databases[] = { "/etc/iscsi/nodes", "/var/lib/iscsi/nodes" };
    int written = 0;

    if (database)
        return update_target(database, target, portal, settings, count);
    for (size_t i = 0; i < ARRAY_SIZE(databases); i++) {
        int r = update_target(databases[i], target, portal, settings, count);

        if (r < 0)
            return r;
        written += r;
    }
    return written;
}
