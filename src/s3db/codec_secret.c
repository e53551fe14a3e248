/* SPDX-License-Identifier: MIT */
/* codec_secret.c - attributes that s3db.js encrypts: base64 of salt, IV, ciphertext and tag.
 * Version 19 encrypts twice, 12 and 21 once. All of them decrypt what was encrypted once. */
#include "s3db/codec.h"

#include "s3db/js.h"

#define SALT_SIZE 16
#define ROUNDS    100000
#define LEAST     (SALT_SIZE + CIPHER_IV_SIZE + CIPHER_TAG_SIZE) /* of an empty secret */
/* How often a value can have been encrypted. Each layer costs the time of ROUNDS. */
#define LAYERS_MAX 4

/* The bytes of what may be ciphertext by its length and alphabet. */
static bool read_sealed(struct str text, struct buf *bytes)
{
    return buf_add_unbase64(bytes, text) && buf_ok(bytes) && bytes->len >= LEAST;
}

static bool looks_sealed(struct str text)
{
    AUTO_BUF(bytes, text.len + 1);

    return read_sealed(text, &bytes);
}

static void derive_key(struct str passphrase, const char *salt, uint8_t key[CIPHER_KEY_SIZE])
{
    cipher_key(passphrase, str_of(salt, SALT_SIZE), ROUNDS, key);
}

/* One layer. False: text is no ciphertext, or not under this passphrase. */
static bool unseal(struct str text, struct str passphrase, struct buf *out)
{
    AUTO_BUF(bytes, text.len + 1);
    uint8_t key[CIPHER_KEY_SIZE], iv[CIPHER_IV_SIZE];
    bool ok;

    if (!read_sealed(text, &bytes))
        return false;
    derive_key(passphrase, bytes.ptr, key);
    memcpy(iv, bytes.ptr + SALT_SIZE, sizeof(iv));
    ok = cipher_open(out, key, iv, str_from(buf_str(&bytes), SALT_SIZE + CIPHER_IV_SIZE));
    mem_wipe(key, sizeof(key));
    return ok && buf_ok(out);
}

static void wipe(struct buf *b)
{
    if (b->ptr)
        mem_wipe(b->ptr, b->len);
    buf_reset(b);
}

json_t *secret_decode(struct str text, struct str passphrase, bool *closed)
{
    AUTO_BUF(plain, text.len + 1);
    AUTO_BUF(inner, text.len + 1);
    json_t *value;

    if (!looks_sealed(text))
        return codec_text(text);
    if (passphrase.len == 0 || !unseal(text, passphrase, &plain)) {
        *closed = true;
        return codec_text(text);
    }
    for (int layer = 1; layer < LAYERS_MAX; layer++) {
        struct buf opened = inner;

        if (!unseal(buf_str(&plain), passphrase, &opened)) {
            inner = opened;
            break;
        }
        wipe(&plain);
        inner = plain;
        plain = opened;
    }
    /* What the writer had none of. */
    if (str_eq(buf_str(&plain), STR("undefined")) || str_eq(buf_str(&plain), STR("null")))
        return json_null();
    value = codec_text(buf_str(&plain));
    wipe(&plain);
    wipe(&inner);
    return value;
}

bool secret_encode(const json_t *value, struct str passphrase, struct buf *out, struct buf *why)
{
    struct str text = js_str(value);
    AUTO_BUF(bytes, text.len + LEAST + 1);
    uint8_t key[CIPHER_KEY_SIZE], head[SALT_SIZE + CIPHER_IV_SIZE];

    if (!json_is_string(value))
        return codec_needs(why, "text", value);
    if (looks_sealed(text)) {
        buf_add(out, text);
        return true;
    }
    if (passphrase.len == 0)
        return codec_needs_form(why, "a passphrase, to encrypt it with,");
    cipher_random(head, sizeof(head));
    buf_add(&bytes, str_of((const char *)head, sizeof(head)));
    derive_key(passphrase, (const char *)head, key);
    cipher_seal(&bytes, key, head + SALT_SIZE, text);
    mem_wipe(key, sizeof(key));
    out->failed |= !buf_ok(&bytes);
    buf_add_base64(out, buf_str(&bytes));
    return true;
}
