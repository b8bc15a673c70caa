/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "power/secrets.h"

#include <string.h>

#include "base/file.h"
#include "power/ipmi.h"

static int read_secret_file(const char *path, char **ret, struct text_buffer *why)
{
    int r = file_read_secret(path, ret);

    if (r == -EPERM)
        text_buffer_printf(why, "%s may be read by others: make it belong to root with mode 0600", path);
    else if (r == -ENODATA)
        text_buffer_printf(why, "%s is empty: write the secret into its first line", path);
    else if (r < 0)
        text_buffer_printf(why, "%s cannot be read, %s: make that file, with mode 0600, on every node", path, strerror(-r));
    return r;
}

static int read_password(const struct secrets_source *source, struct secrets *ret, struct text_buffer *why)
{
    int r;

    ret->password = source->password;
    if (!source->password_file)
        return 0;
    r = read_secret_file(source->password_file, &ret->own_password, why);
    if (r < 0)
        return r;
    if (strlen(ret->own_password) > IPMI_PASSWORD_LONGEST) {
        text_buffer_printf(why, "the password in %s is longer than %d bytes: IPMI has no room for more", source->password_file,
                           IPMI_PASSWORD_LONGEST);
        return -EINVAL;
    }
    ret->password = ret->own_password;
    return 0;
}

static int read_k_g(const struct secrets_source *source, struct secrets *ret, struct text_buffer *why)
{
    char *text = NULL;
    int r = 0;

    if (!source->k_g && !source->k_g_file)
        return 0;
    if (source->k_g_file)
        r = read_secret_file(source->k_g_file, &text, why);
    if (r == 0) {
        r = ipmi_k_g_parse(text ? text : source->k_g, ret->own_k_g);
        if (r < 0)
            text_buffer_printf(why, "the controller's key is not up to 40 hexadecimal digits, an even number of them: mend %s",
                               source->k_g_file ? source->k_g_file : "it");
        else
            ret->k_g = ret->own_k_g;
    }
    file_wipe_secret(text);
    return r;
}

int secrets_read(const struct secrets_source *source, struct secrets *ret, struct text_buffer *why)
{
    int r = read_password(source, ret, why);

    return r < 0 ? r : read_k_g(source, ret, why);
}

void secrets_wipe(struct secrets *secrets)
{
    file_wipe_secret(secrets->own_password);
    explicit_bzero(secrets, sizeof(*secrets));
}
