/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_ISCSI_SESSION_H
#define VIGIL_STORAGE_ISCSI_SESSION_H
/*
 * iSCSI sessions as the kernel shows them in sysfs (scsi_transport_iscsi): what a command says of a login is no proof of one.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define ISCSI_PORT 3260
enum { ISCSI_PORTALS_MAX = 32, ISCSI_SESSIONS_MAX = 64 };

/* Where a target listens. */
struct iscsi_portal {
    char address[128]; /* IPv4, IPv6 without brackets, or a host's name */
    uint16_t port;
};

struct iscsi_session {
    unsigned int id;       /* "session3" */
    unsigned int host;     /* SCSI host of its disks */
    bool logged_in;        /* else failed and being recovered by iscsid, or going */
    char state[32];        /* as the kernel calls it: LOGGED_IN, FAILED, FREE */
    char target[224];      /* the target's iSCSI name (RFC 7143 4.2.7.1: at most 223 bytes) */
    struct iscsi_portal portal;    /* where it is connected now */
    struct iscsi_portal configured; /* where it was told to connect: a target may redirect */
};

/* Reads "192.0.2.1", "192.0.2.1:3260", "[2001:db8::1]:3260", "array.example:3260", each with an optional ",TPGT". Pure. Returns 0 or -EINVAL. */
int iscsi_portal_parse(const char *text, size_t length, struct iscsi_portal *ret);

/* "192.0.2.1:3260", "[2001:db8::1]:3260". Returns buffer. */
const char *iscsi_portal_format(const struct iscsi_portal *portal, char *buffer, size_t size);

/* Whether both are the same: numeric addresses by value, names without regard to case. Pure. */
bool iscsi_portal_equal(const struct iscsi_portal *a, const struct iscsi_portal *b);

/* Reads a blank- or comma-less list of portals. Returns how many, or -EINVAL / -E2BIG. Pure. */
int iscsi_portals_parse(const char *text, struct iscsi_portal portals[static ISCSI_PORTALS_MAX]);

/* Reads what a sendtargets discovery printed ("192.0.2.13:3260,1 iqn...." a line; the last field is the target) and keeps the portals of this target.
 * Lines of any other form are left out. Returns how many (at most ISCSI_PORTALS_MAX). Pure. */
int iscsi_discovery_parse(const char *text, size_t length, const char *target, struct iscsi_portal portals[static ISCSI_PORTALS_MAX]);

/* All sessions to this target. sysfs: where sysfs is mounted. Returns how many (0: none, or no iSCSI in this kernel), or -errno. */
int iscsi_sessions_read(const char *sysfs, const char *target, struct iscsi_session sessions[static ISCSI_SESSIONS_MAX]);

/* The session that was told to connect to this portal (or is connected to it), or NULL. */
const struct iscsi_session *iscsi_session_find(const struct iscsi_session *sessions, size_t count, const struct iscsi_portal *portal);

/* A setting of a record of open-iscsi's database. */
struct iscsi_setting {
    const char *name;  /* "node.session.auth.username" */
    const char *value;
};

/* Puts settings into the text of a record ("name = value" lines): replaces what is there, adds what is not before "# END RECORD". The result, which may
 * hold secrets, is appended to *ret. Pure. Returns 0, -EBADMSG when the text is no record, -EINVAL for a value that would break the line, or -ENOMEM. */
int iscsi_record_merge(const char *text, size_t length, const struct iscsi_setting *settings, size_t count, struct text_buffer *ret);

/* Puts settings into the records of a portal of a target, as iscsiadm -o update would, but with no secret in an argument vector. database: open-iscsi's folder
 * of nodes, or NULL for where distributions keep it. Returns how many records were written (0: there is none), or -errno. */
int iscsi_record_update(const char *database, const char *target, const struct iscsi_portal *portal, const struct iscsi_setting *settings, size_t count);

#endif
