/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/library.h"

static struct {
    __typeof__(&EVP_Digest) digest;
    __typeof__(&EVP_sha256) sha256;
    __typeof__(&EVP_sha1) sha1;
    __typeof__(&HMAC) hmac;
} crypto;

int digest_load(void)
{
    const struct library_symbol symbols[] = {
        LIBRARY_SYMBOL(crypto.digest, "EVP_Digest"),
        LIBRARY_SYMBOL(crypto.sha256, "EVP_sha256"),
        LIBRARY_SYMBOL(crypto.sha1, "EVP_sha1"),
        LIBRARY_SYMBOL(crypto.hmac, "HMAC"),
    };

    if (crypto.hmac)
        return 0;
    if (library_load("libcrypto.so.3", "libssl3", symbols, ARRAY_SIZE(symbols), NULL) == 0)
        return 0;
    return library_load("libcrypto.so.1.1", "libssl1.1", symbols, ARRAY_SIZE(symbols), NULL);
}

int digest_sha256(const void *bytes, size_t length, unsigned char out[DIGEST_SHA256_SIZE])
{
    int r = digest_load();

    if (r < 0)
        return r;
    return crypto.digest(bytes, length, out, NULL, crypto.sha256(), NULL) == 1 ? 0 : -EIO;
}

int digest_sha256_hex(const void *bytes, size_t length, char out[DIGEST_HEX_SIZE])
{
    unsigned char hash[DIGEST_SHA256_SIZE];
    int r = digest_sha256(bytes, length, hash);

    if (r == 0)
        digest_hex(hash, sizeof(hash), out);
    return r;
}

static int hmac(const EVP_MD *type, const void *key, size_t key_length, const void *bytes, size_t length,
                unsigned char *out)
{
    unsigned int size = 0;

    return crypto.hmac(type, key, (int)key_length, bytes, length, out, &size) ? 0 : -EIO;
}

int digest_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                       unsigned char out[DIGEST_SHA256_SIZE])
{
    int r = digest_load();

    return r < 0 ? r : hmac(crypto.sha256(), key, key_length, bytes, length, out);
}

int digest_hmac_sha1(const void *key, size_t key_length, const void *bytes, size_t length,
                     unsigned char out[DIGEST_SHA1_SIZE])
{
    int r = digest_load();

    return r < 0 ? r : hmac(crypto.sha1(), key, key_length, bytes, length, out);
}

void digest_hex(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void digest_base64(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        group |= i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < length ? bytes[i + 2] : 0;
        *out++ = digits[group >> 18];
        *out++ = digits[(group >> 12) & 63];
        *out++ = i + 1 < length ? digits[(group >> 6) & 63] : '=';
        *out++ = i + 2 < length ? digits[group & 63] : '=';
    }
    *out = '\0';
}

int digest_nonce(char out[33])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    digest_hex(bytes, sizeof(bytes), out);
    return 0;
}

uint32_t digest_random(uint32_t limit)
{
    uint32_t number = 0;

    /* Without the kernel's random numbers the jitter is what is lost, no more. */
    (void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
    return limit > 0 ? number % limit : 0;
}
