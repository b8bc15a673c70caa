/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_POWER_SECRETS_H
#define VIGIL_POWER_SECRETS_H
/*
 * What a log-in to a management controller must keep to itself: the password and the controller's key (Kg).
 */
#include "power/power.h"

/* Where the secrets come from, as the user said it. Borrowed; a file goes before a value. */
struct secrets_source {
    const char *password;
    const char *password_file;
    const char *k_g; /* hexadecimal */
    const char *k_g_file;
};

/* Zero-initialise; secrets_wipe gives the memory back, overwritten. */
struct secrets {
    const char *password; /* NULL: none; borrowed from the source or from own_password */
    char *own_password;
    const unsigned char *k_g; /* NULL: none, else own_k_g */
    unsigned char own_k_g[POWER_K_G_LENGTH];
};

/* Reads the secrets. Returns 0, or -errno with "thing, cause: remedy" appended to why, without any part of a secret. */
int secrets_read(const struct secrets_source *source, struct secrets *ret, struct text_buffer *why);
void secrets_wipe(struct secrets *secrets);

#endif
