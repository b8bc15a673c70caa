/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_CREDENTIALS_H
#define VIGIL_CLOUD_CREDENTIALS_H
/*
 * Keys of a cloud: from a file in the vendor's own format, or from the metadata service, kept for the node in a file until shortly before they end.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/text.h"

#define CREDENTIALS_TOKEN_SIZE 12288

struct credentials {
    char access[192];
    char secret[256];
    char token[CREDENTIALS_TOKEN_SIZE]; /* "" where there is none */
    int64_t expires;                    /* seconds since 1970; 0: they do not end */
    bool known;
};

/* How one of a vendor's files names things. */
struct credential_format {
    bool json;             /* else ini: [section], name = value */
    const char *section;   /* the default section (ini) or profile */
    const char *profiles;  /* json: the list of profiles, each with "name"; NULL: the object itself is the profile */
    const char *current;   /* json: where the current profile's name stands; NULL: none */
    const char *access, *secret, *token;
};

/* Finds the keys in the text of a file. formats: ended by a row without access. Returns 0, -ENODATA (no such profile, or a key that is missing or empty),
 * -EINVAL (malformed, or a key with blanks or too long) with what is wrong appended to why, without any part of a secret. Pure. */
int credentials_parse(const struct credential_format *formats, const char *text, size_t length, const char *profile,
                      struct credentials *ret, struct text_buffer *why);

/* Reads such a file, which must be a regular one of root's or this user's that nobody else can read. As above, and -EPERM, -errno. */
int credentials_read_file(const char *path, const struct credential_format *formats, const char *profile,
                          struct credentials *ret, struct text_buffer *why);

/* Sets a key with its checks (not empty, graphic ASCII, not too long). 0 or -EINVAL. */
int credentials_set(struct credentials *keys, const char *access, const char *secret, const char *token, int64_t expires);

/* True when they are there and last for at least margin_s more. */
bool credentials_usable(const struct credentials *keys, int64_t now, int64_t margin_s);

/* The node's copy: text of four lines. 0 or -errno; a copy that is not ours, open to others, or malformed is -ENODATA. */
int credentials_load(const char *path, struct credentials *ret);
int credentials_save(const char *path, const struct credentials *keys);

void credentials_wipe(struct credentials *keys);

#endif
