/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/device_name.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* The tag as typed, and udev's folder of links for it (60-persistent-storage.rules). */
static const struct {
    const char *tag;
    const char *folder;
    enum device_kind kind;
} forms[] = {
    { "UUID=", "/dev/disk/by-uuid/", DEVICE_UUID },
    { "LABEL=", "/dev/disk/by-label/", DEVICE_LABEL },
    { "PARTUUID=", "/dev/disk/by-partuuid/", DEVICE_PARTUUID },
    { "PARTLABEL=", "/dev/disk/by-partlabel/", DEVICE_PARTLABEL },
    { "WWN=", "/dev/disk/by-id/wwn-", DEVICE_WWN },
    { "-U", NULL, DEVICE_UUID },
    { "-L", NULL, DEVICE_LABEL },
};

const char *device_kind_name(enum device_kind kind)
{
    static const char *const names[] = {
        [DEVICE_PATH] = "path",         [DEVICE_UUID] = "UUID",           [DEVICE_LABEL] = "LABEL",
        [DEVICE_PARTUUID] = "PARTUUID", [DEVICE_PARTLABEL] = "PARTLABEL", [DEVICE_WWN] = "WWN",
    };

    return names[kind];
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)tolower((unsigned char)digit);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Undoes udev's \x20 for bytes that do not fit a link's name, in place. */
static void unescape_link(char *text)
{
    char *out = text;

    for (const char *in = text; *in; out++) {
        if (in[0] == '\\' && in[1] == 'x' && hex_value(in[2]) >= 0 && hex_value(in[3]) >= 0) {
            *out = (char)(hex_value(in[2]) * 16 + hex_value(in[3]));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

static int set_value(struct device_name *name, enum device_kind kind, const char *value)
{
    if (!value || !*value)
        return -EINVAL;
    name->kind = kind;
    return text_copy(name->value, sizeof(name->value), value) < 0 ? -ENAMETOOLONG : 0;
}

/* Whether the link names a partition of the disk, which the disk's own name does not tell. */
static bool names_partition(const char *link)
{
    const char *part = strstr(link, "-part");

    return part && isdigit((unsigned char)part[strlen("-part")]);
}

/* The name behind a folder of udev's links, or NULL where the path is no such link. */
static const char *link_name(const char *path, const char *folder, enum device_kind kind)
{
    const char *link = folder ? text_after(path, folder) : NULL;

    if (!link || !*link || strchr(link, '/'))
        return NULL;
    return kind == DEVICE_WWN && names_partition(link) ? NULL : link;
}

static int parse_path(const char *text, struct device_name *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const char *link = link_name(text, forms[i].folder, forms[i].kind);
        int r;

        if (!link)
            continue;
        r = set_value(name, forms[i].kind, link);
        if (r == 0)
            unescape_link(name->value);
        return r;
    }
    return set_value(name, DEVICE_PATH, text);
}

int device_name_parse(const char *text, struct device_name *ret)
{
    struct device_name name = { 0 };
    int r = -EINVAL;

    if (text[0] == '/') {
        r = parse_path(text, &name);
    } else {
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
            const char *value = text_after(text, forms[i].tag);

            if (!value)
                continue;
            if (forms[i].tag[0] == '-')
                value += strspn(value, " \t");
            r = set_value(&name, forms[i].kind, value);
            break;
        }
    }
    if (r == 0)
        *ret = name;
    return r;
}

/* The digits behind every known prefix. udev's scsi- and multipath's names put one digit before them, the kind of designator: 3 for NAA
 * (scsi_id(8)). */
static const char *wwn_digits(const char *text)
{
    static const char *const prefixes[] = { "wwn-", "nvme-", "scsi-3", "dm-uuid-mpath-3", "mpath-3", "0x", "naa.", "eui.", "uuid.", "t10." };

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        const char *rest = text_after(text, prefixes[i]);

        if (rest)
            text = rest;
    }
    return text;
}

bool device_wwn_equal(const char *a, const char *b)
{
    a = wwn_digits(a);
    b = wwn_digits(b);
    return *a != '\0' && strcasecmp(a, b) == 0;
}
