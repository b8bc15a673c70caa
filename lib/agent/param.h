/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_AGENT_PARAM_H
#define VIGIL_AGENT_PARAM_H
/*
 * The parameter table: one row says everything about a parameter, and parsing, checking, metadata, --help, man page, golden
 * test and fuzzer read it from there.
 *
 *     static const struct param params[] = {
 *         { "ip", PARAM_TEXT(struct vip_config, ip), .required = true, .unique_group = "address",
 *           .check = address_check, .shortdesc = "IPv4 or IPv6 address", .longdesc = "..." },
 *         { "arp_count", PARAM_INTEGER(struct vip_config, arp_count), .minimum = 0, .maximum = 100, .default_value = "5", ... },
 *         {}
 *     };
 *
 * The member's C type is checked against the parameter's type when the table is compiled.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct param;

/* A class of parameters: how its text is read into the config member, and what the two dialects of metadata call it. */
struct param_type {
    const char *name;          /* as --help says it: "text", "duration" */
    const char *ocf_content;   /* OCF 1.1 <content type>: string integer boolean select */
    const char *fence_content; /* fence dialect: string integer boolean select second */
    /* Reads text into *field. Returns 0, or -EINVAL / -ERANGE / -errno with what is wanted written to `why` as the end
     * of the sentence "parameter NAME is 'TEXT': ...". Pure: looks at nothing but its arguments. */
    int (*parse)(const struct param *param, const char *text, void *field, struct text_buffer *why);
};

extern const struct param_type param_type_text;     /* const char *: any printable UTF-8 of at most 8,192 bytes, not empty */
extern const struct param_type param_type_path;     /* const char *: an absolute path of at most 4,095 bytes */
extern const struct param_type param_type_boolean;  /* bool */
extern const struct param_type param_type_integer;  /* int: minimum..maximum of the row (both 0: 0..INT_MAX) */
extern const struct param_type param_type_duration; /* uint64_t: milliseconds; a bare number is seconds; bounds in milliseconds */
extern const struct param_type param_type_size;     /* uint64_t: bytes, units K M G T */
extern const struct param_type param_type_choice;   /* int: the index in the row's choices */

struct param {
    const char *name;
    /* The type and the place of its config member: written by PARAM_TEXT() and its kin. */
    const struct param_type *type;
    size_t offset;

    bool required;
    bool reloadable;              /* reload-agent applies a change of it without a restart */
    bool secret;                  /* its value is never printed or logged, and it has no default */
    bool advanced;                /* shown last in --help */
    const char *unique_group;     /* OCF 1.1 unique-group: no two resources have the same values in all of a group */
    const char *default_value;    /* as text, read like a user's; NULL: the member stays zero */
    const char *const *aliases;   /* deprecated names, NULL-terminated, so that a stock agent's names go on working */
    const char *const *choices;   /* for param_type_choice, NULL-terminated */
    int64_t minimum, maximum;     /* bounds (integer, duration in ms); both 0: the type's own */
    char short_option;            /* fence dialect: -x */
    /* A check of the syntax beyond the type. Returns 0, or -EINVAL with what is wanted in why, as parse does. Pure. */
    int (*check)(const char *text, struct text_buffer *why);
    const char *shortdesc;
    const char *longdesc;
};

/* The offset of a member, and a compile error unless the member has the C type that the parameter's type writes. */
#define PARAM_OFFSET_(structure, member, c_type)                                                                \
    .offset = offsetof(structure, member) +                                                                     \
              0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((structure *)0)->member), c_type) ? 1 : -1])
#define PARAM_TEXT(structure, member) .type = &param_type_text, PARAM_OFFSET_(structure, member, const char *)
#define PARAM_PATH(structure, member) .type = &param_type_path, PARAM_OFFSET_(structure, member, const char *)
#define PARAM_BOOLEAN(structure, member) .type = &param_type_boolean, PARAM_OFFSET_(structure, member, bool)
#define PARAM_INTEGER(structure, member) .type = &param_type_integer, PARAM_OFFSET_(structure, member, int)
#define PARAM_DURATION(structure, member) .type = &param_type_duration, PARAM_OFFSET_(structure, member, uint64_t)
#define PARAM_SIZE(structure, member) .type = &param_type_size, PARAM_OFFSET_(structure, member, uint64_t)
#define PARAM_CHOICE(structure, member) .type = &param_type_choice, PARAM_OFFSET_(structure, member, int)
/* A parameter whose member and type an agent's own class defines. */
#define PARAM_OF(structure, member, c_type, type_address) .type = (type_address), PARAM_OFFSET_(structure, member, c_type)
/* A list of names inside a row: .aliases = NAMES("netmask", "cidr") */
#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The row that has this name or alias ('-' and '_' alike), or NULL. table ends with an empty row; NULL is an empty table. */
const struct param *param_find(const struct param *table, const char *name);

/* Reads one value into the config. `text` must outlive the config, since text members borrow from it. Returns 0, or -EINVAL / -ERANGE with
 * the whole sentence, without the value of a secret, appended to why. */
int param_parse(const struct param *param, const char *text, void *config, struct text_buffer *why);

/* Fills the config with the defaults of a table. A default that does not parse is our own mistake and aborts. */
void param_set_defaults(const struct param *table, void *config);

#endif
