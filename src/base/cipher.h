/* SPDX-License-Identifier: MIT */
/* cipher.h - AES-256-GCM and the key it takes from a passphrase. */
#ifndef S3MEM_BASE_CIPHER_H
#define S3MEM_BASE_CIPHER_H

#include "base/buf.h"

#define CIPHER_KEY_SIZE 32
#define CIPHER_IV_SIZE  12
#define CIPHER_TAG_SIZE 16

/* PBKDF2 with HMAC-SHA256. Takes as long as `rounds` says: a hundred thousand are some ten
 * milliseconds. */
void cipher_key(struct str passphrase, struct str salt, unsigned rounds,
                uint8_t key[CIPHER_KEY_SIZE]);
/* Bytes that nobody can guess, unlike those of random.h. */
void cipher_random(void *out, size_t size);
/* Appends the ciphertext, as long as plain is, and the tag. */
void cipher_seal(struct buf *out, const uint8_t key[CIPHER_KEY_SIZE],
                 const uint8_t iv[CIPHER_IV_SIZE], struct str plain);
/* Appends the plain text. False: another key, or sealed has been changed (nothing is appended);
 * sealed is ciphertext and tag. */
MUST_CHECK bool cipher_open(struct buf *out, const uint8_t key[CIPHER_KEY_SIZE],
                            const uint8_t iv[CIPHER_IV_SIZE], struct str sealed);

#endif
