/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VIGIL_CLOUD_DIGEST_H
#define VIGIL_CLOUD_DIGEST_H
/*
 * SHA-256, HMAC and the texts that they are sent as. OpenSSL's libcrypto does the work; it is opened at the first use.
 */
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SHA256_SIZE 32
#define DIGEST_SHA1_SIZE 20
#define DIGEST_HEX_SIZE (2 * DIGEST_SHA256_SIZE + 1)
#define DIGEST_BASE64_SIZE 64

/* Opens libcrypto. Returns 0 or -ELIBACC. The functions below do it themselves. */
int digest_load(void);

/* All return 0, -ELIBACC (no libcrypto) or -EIO (it refused). */
int digest_sha256(const void *bytes, size_t length, unsigned char out[DIGEST_SHA256_SIZE]);
int digest_sha256_hex(const void *bytes, size_t length, char out[DIGEST_HEX_SIZE]);
int digest_hmac_sha256(const void *key, size_t key_length, const void *bytes, size_t length,
                       unsigned char out[DIGEST_SHA256_SIZE]);
int digest_hmac_sha1(const void *key, size_t key_length, const void *bytes, size_t length,
                     unsigned char out[DIGEST_SHA1_SIZE]);

/* Lower case hexadecimal; out has room for 2 * length + 1. */
void digest_hex(const unsigned char *bytes, size_t length, char *out);

/* RFC 4648, with padding; out has room for 4 * ((length + 2) / 3) + 1. */
void digest_base64(const unsigned char *bytes, size_t length, char *out);

/* Sixteen random bytes as 32 hexadecimal digits, from the kernel (getrandom(2)). Returns 0 or -errno. */
int digest_nonce(char out[33]);

/* A random number from 0 to limit - 1, for jitter. */
uint32_t digest_random(uint32_t limit);

#endif
