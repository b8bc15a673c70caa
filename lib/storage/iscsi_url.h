/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_STORAGE_ISCSI_URL_H
#define VIGIL_STORAGE_ISCSI_URL_H
/*
 * iscsi://[USER@]HOST[:PORT]/TARGET/LUN[?password_file=PATH][&initiator=NAME]
 *
 * The form of libiscsi and qemu, with one difference: a password stands in no URL, since an URL ends up in the CIB, in logs and in records. CHAP's
 * password is the first line of password_file.
 */
#include <stdint.h>

#include "base/text.h"

struct iscsi_lun_url {
    char user[256];          /* CHAP; "" for none */
    char portal[300];        /* HOST:PORT, as libiscsi takes it */
    char target[224];        /* RFC 7143, 4.2.7: at most 223 bytes */
    unsigned int lun;        /* 0 to 16383: what flat and peripheral addressing can name */
    char password_file[1024];
    char initiator[224];     /* "" for this host's own */
};

/* Reads the URL. Returns 0, or -EINVAL with what is wanted appended to why (may be NULL). Pure. */
int iscsi_url_parse(const char *text, struct iscsi_lun_url *ret, struct text_buffer *why);

/* "InitiatorName=iqn..." in the text of /etc/iscsi/initiatorname.iscsi. Returns 0, or -ENODATA. Pure. */
int iscsi_initiator_parse(const char *text, char *buffer, size_t size);

#endif
