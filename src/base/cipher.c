/* SPDX-License-Identifier: MIT */
/* cipher.c - AES-256-GCM and PBKDF2 over OpenSSL. */
#include "base/cipher.h"
#include "base/die.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static void must(int openssl_success)
{
    if (openssl_success != 1)
        die("OpenSSL failed to encrypt");
}

void cipher_key(struct str passphrase, struct str salt, unsigned rounds,
                uint8_t key[CIPHER_KEY_SIZE])
{
    if (passphrase.len > INT_MAX || salt.len > INT_MAX)
        die("a passphrase of %zu bytes", passphrase.len);
    must(PKCS5_PBKDF2_HMAC(passphrase.len > 0 ? passphrase.ptr : "", (int)passphrase.len,
                           (const unsigned char *)salt.ptr, (int)salt.len, (int)rounds,
                           EVP_sha256(), CIPHER_KEY_SIZE, key));
}

void cipher_random(void *out, size_t size)
{
    if (size > INT_MAX)
        die("%zu random bytes", size);
    must(RAND_bytes(out, (int)size));
}

static EVP_CIPHER_CTX *context_new(void)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (!context)
        die("out of memory (cipher state)");
    return context;
}

void cipher_seal(struct buf *out, const uint8_t key[CIPHER_KEY_SIZE],
                 const uint8_t iv[CIPHER_IV_SIZE], struct str plain)
{
    EVP_CIPHER_CTX *context;
    int len = 0;

    if (plain.len > INT_MAX || !buf_reserve(out, plain.len + CIPHER_TAG_SIZE)) {
        out->failed = true;
        return;
    }
    context = context_new();
    must(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv));
    if (plain.len > 0)
        must(EVP_EncryptUpdate(context, (unsigned char *)out->ptr + out->len, &len,
                               (const unsigned char *)plain.ptr, (int)plain.len));
    out->len += (size_t)len;
    must(EVP_EncryptFinal_ex(context, (unsigned char *)out->ptr + out->len, &len));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, CIPHER_TAG_SIZE,
                             out->ptr + out->len));
    out->len += CIPHER_TAG_SIZE;
    EVP_CIPHER_CTX_free(context);
}

bool cipher_open(struct buf *out, const uint8_t key[CIPHER_KEY_SIZE],
                 const uint8_t iv[CIPHER_IV_SIZE], struct str sealed)
{
    uint8_t tag[CIPHER_TAG_SIZE];
    EVP_CIPHER_CTX *context;
    size_t size;
    int len = 0, rest = 0;
    bool ok;

    if (sealed.len < sizeof(tag) || sealed.len > INT_MAX)
        return false;
    size = sealed.len - sizeof(tag);
    /* One byte more: EVP_DecryptFinal_ex wants to be told of some place. */
    if (!buf_reserve(out, size + 1))
        return true; /* out of room sticks to the buf; the text is not to blame */
    memcpy(tag, sealed.ptr + size, sizeof(tag));
    context = context_new();
    must(EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, CIPHER_TAG_SIZE, tag));
    if (size > 0)
        must(EVP_DecryptUpdate(context, (unsigned char *)out->ptr + out->len, &len,
                               (const unsigned char *)sealed.ptr, (int)size));
    ok = EVP_DecryptFinal_ex(context, (unsigned char *)out->ptr + out->len + len, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    if (ok)
        out->len += (size_t)len;
    else
        mem_wipe(out->ptr + out->len, size);
    return ok;
}
