/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user may say about a log-in by IPMI; see ipmi.h. */
#include <freeipmi/freeipmi.h>
#include <string.h>

#include "base/number.h"
#include "power/ipmi.h"

static const struct {
    const char *name;
    unsigned int bits;
} workarounds[] = {
    { "none", 0 },
    { "authcap", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES },
    { "intel20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION },
    { "supermicro20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION },
    { "sun20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION },
    { "opensesspriv", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE },
    { "integritycheckvalue", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE },
};

static int find_workaround(const char *name, size_t length, unsigned int *bits)
{
    for (size_t i = 0; i < ARRAY_SIZE(workarounds); i++)
        if (strlen(workarounds[i].name) == length && strncmp(workarounds[i].name, name, length) == 0) {
            *bits |= workarounds[i].bits;
            return 0;
        }
    return -EINVAL;
}

int ipmi_workarounds_parse(const char *text, unsigned int *ret, struct text_buffer *why)
{
    unsigned int bits = 0;
    const char *word;
    size_t length;

    while (text_next_word(&text, " ,", &word, &length))
        if (find_workaround(word, length, &bits) < 0) {
            text_buffer_printf(why, "of these, separated by commas: authcap intel20 supermicro20 sun20 opensesspriv "
                                    "integritycheckvalue none");
            return -EINVAL;
        }
    *ret = bits;
    return 0;
}

const char *const ipmi_cipher_names[] = { "best", "0", "1", "2", "3", "6", "7", "8", "11", "12", "15", "16", "17", NULL };
static const int cipher_suites[] = { POWER_CIPHER_BEST, 0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17 };
_Static_assert(ARRAY_SIZE(cipher_suites) + 1 == ARRAY_SIZE(ipmi_cipher_names), "one suite for each name");

int ipmi_cipher_at(int index)
{
    return index >= 0 && (size_t)index < ARRAY_SIZE(cipher_suites) ? cipher_suites[index] : POWER_CIPHER_BEST;
}

/* Suites without an integrity algorithm: 0 (no authentication either), 1, 6, 15. */
bool ipmi_cipher_is_safe(int suite)
{
    return suite != 0 && suite != 1 && suite != 6 && suite != 15;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

int ipmi_k_g_parse(const char *text, unsigned char ret[POWER_K_G_LENGTH])
{
    unsigned char key[POWER_K_G_LENGTH] = {};
    size_t length;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    length = strlen(text);
    if (length == 0 || length > 2 * sizeof(key) || length % 2 != 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        int value = hex_value(text[i]);

        if (value < 0)
            return -EINVAL;
        key[i / 2] = (unsigned char)(key[i / 2] << 4 | value);
    }
    memcpy(ret, key, sizeof(key));
    explicit_bzero(key, sizeof(key));
    return 0;
}

int ipmi_target_parse(const char *text, int *ret)
{
    uint64_t address;
    int r = text ? number_parse_unsigned(text, UINT8_MAX, &address) : -ENODATA;

    *ret = r == 0 ? (int)address : POWER_TARGET_SELF;
    return r;
}

int ipmi_workarounds_check(const char *text, struct text_buffer *why)
{
    unsigned int bits;

    return ipmi_workarounds_parse(text, &bits, why);
}

int ipmi_k_g_check(const char *text, struct text_buffer *why)
{
    unsigned char key[POWER_K_G_LENGTH];
    int r = ipmi_k_g_parse(text, key);

    explicit_bzero(key, sizeof(key));
    if (r < 0)
        text_buffer_printf(why, "up to 40 hexadecimal digits, an even number of them");
    return r;
}

int ipmi_target_check(const char *text, struct text_buffer *why)
{
    int target;

    if (ipmi_target_parse(text, &target) == 0)
        return 0;
    text_buffer_printf(why, "a slave address such as 0x24");
    return -EINVAL;
}

static int check_length(const char *text, size_t longest, struct text_buffer *why)
{
    if (strlen(text) <= longest)
        return 0;
    text_buffer_printf(why, "at most %zu bytes, since IPMI has no room for more", longest);
    return -EINVAL;
}

int ipmi_username_check(const char *text, struct text_buffer *why)
{
    return check_length(text, IPMI_USERNAME_LONGEST, why);
}

int ipmi_password_check(const char *text, struct text_buffer *why)
{
    return check_length(text, IPMI_PASSWORD_LONGEST, why);
}
