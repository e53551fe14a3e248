/* SPDX-License-Identifier: MIT */
/* digest.c - running and one-shot digests over OpenSSL, xxHash and crc.c.
 *
 * OpenSSL's older functions, one set a digest: EVP goes the long way through contexts and
 * providers, an eighth of the time that a digest of a small object takes. They are declared
 * deprecated in favour of it, not gone.
 *
 * States are large; so each thread keeps a few idle ones of each algorithm: digest_init takes
 * one, digest_final gives it back (to the thread that ends the digest). They are freed when the
 * thread ends. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "base/digest.h"
#include "base/checksum.h"
#include "base/die.h"
#include "base/mem.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <xxhash.h>

#define IDLE_MAX 4

struct idle_states {
    void *states[CHECKSUM_COUNT][IDLE_MAX];
    unsigned count[CHECKSUM_COUNT];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t idle_key;
static _Thread_local struct idle_states *idle;

static bool is_crc(enum checksum_alg alg)
{
    return checksum_can_combine(alg);
}

/* ---- idle states ------------------------------------------------------------------- */

static size_t openssl_state_size(enum checksum_alg alg)
{
    switch (alg) {
    case CHECKSUM_MD5:
        return sizeof(MD5_CTX);
    case CHECKSUM_SHA1:
        return sizeof(SHA_CTX);
    case CHECKSUM_SHA256:
        return sizeof(SHA256_CTX);
    default:
        return sizeof(SHA512_CTX);
    }
}

static void state_free(enum checksum_alg alg, void *state)
{
    if (alg == CHECKSUM_XXHASH64)
        XXH64_freeState(state);
    else if (alg == CHECKSUM_XXHASH3 || alg == CHECKSUM_XXHASH128)
        XXH3_freeState(state);
    else
        mem_free(state);
}

static void free_idle(void *arg)
{
    struct idle_states *all = arg;

    for (unsigned alg = 0; alg < CHECKSUM_COUNT; alg++) {
        while (all->count[alg] > 0)
            state_free((enum checksum_alg)alg, all->states[alg][--all->count[alg]]);
    }
    mem_free(all);
    idle = NULL;
}

static void set_up(void)
{
    if (pthread_key_create(&idle_key, free_idle) != 0)
        die("no thread key left");
}

static struct idle_states *idle_of_thread(void)
{
    if (!idle) {
        pthread_once(&once, set_up);
        idle = xcalloc(1, sizeof(*idle));
        pthread_setspecific(idle_key, idle);
    }
    return idle;
}

static void *state_take(enum checksum_alg alg)
{
    struct idle_states *all = idle_of_thread();
    void *state;

    if (all->count[alg] > 0)
        return all->states[alg][--all->count[alg]];
    if (alg == CHECKSUM_XXHASH64)
        state = XXH64_createState();
    else if (alg == CHECKSUM_XXHASH3 || alg == CHECKSUM_XXHASH128)
        state = XXH3_createState();
    else
        state = xmalloc(openssl_state_size(alg));
    if (!state)
        die("out of memory (digest state)");
    return state;
}

static void state_give_back(enum checksum_alg alg, void *state)
{
    struct idle_states *all = idle_of_thread();

    if (all->count[alg] < IDLE_MAX)
        all->states[alg][all->count[alg]++] = state;
    else
        state_free(alg, state);
}

/* ---- OpenSSL's digests ------------------------------------------------------------- */

union openssl_state {
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
    SHA512_CTX sha512;
};

static void must(int openssl_success)
{
    if (openssl_success != 1)
        die("OpenSSL failed to hash");
}

static void openssl_start(enum checksum_alg alg, void *state)
{
    if (alg == CHECKSUM_MD5)
        must(MD5_Init(state));
    else if (alg == CHECKSUM_SHA256)
        must(SHA256_Init(state));
    else if (alg == CHECKSUM_SHA1)
        must(SHA1_Init(state));
    else
        must(SHA512_Init(state));
}

static void openssl_update(enum checksum_alg alg, void *state, const void *data, size_t len)
{
    if (alg == CHECKSUM_MD5)
        must(MD5_Update(state, data, len));
    else if (alg == CHECKSUM_SHA256)
        must(SHA256_Update(state, data, len));
    else if (alg == CHECKSUM_SHA1)
        must(SHA1_Update(state, data, len));
    else
        must(SHA512_Update(state, data, len));
}

static void openssl_finish(enum checksum_alg alg, void *state, uint8_t *out)
{
    if (alg == CHECKSUM_MD5)
        must(MD5_Final(out, state));
    else if (alg == CHECKSUM_SHA256)
        must(SHA256_Final(out, state));
    else if (alg == CHECKSUM_SHA1)
        must(SHA1_Final(out, state));
    else
        must(SHA512_Final(out, state));
}

/* ---- running digests --------------------------------------------------------------- */

void digest_init(struct digest *d, enum checksum_alg alg)
{
    *d = (struct digest){.alg = alg};
    if (is_crc(alg) || alg == CHECKSUM_NONE)
        return;
    d->state = state_take(alg);
    switch (alg) {
    case CHECKSUM_XXHASH64:
        XXH64_reset(d->state, 0);
        break;
    case CHECKSUM_XXHASH3:
        XXH3_64bits_reset(d->state);
        break;
    case CHECKSUM_XXHASH128:
        XXH3_128bits_reset(d->state);
        break;
    default:
        openssl_start(alg, d->state);
    }
}

void digest_update(struct digest *d, const void *data, size_t len)
{
    if (len == 0)
        return;
    switch (d->alg) {
    case CHECKSUM_CRC32:
    case CHECKSUM_CRC32C:
    case CHECKSUM_CRC64NVME:
        d->crc = crc_update(crc_kind_of(d->alg), d->crc, data, len);
        break;
    case CHECKSUM_XXHASH64:
        XXH64_update(d->state, data, len);
        break;
    case CHECKSUM_XXHASH3:
        XXH3_64bits_update(d->state, data, len);
        break;
    case CHECKSUM_XXHASH128:
        XXH3_128bits_update(d->state, data, len);
        break;
    case CHECKSUM_NONE:
        break;
    default:
        openssl_update(d->alg, d->state, data, len);
    }
}

void digest_final(struct digest *d, uint8_t *out)
{
    switch (d->alg) {
    case CHECKSUM_CRC32:
    case CHECKSUM_CRC32C:
    case CHECKSUM_CRC64NVME:
        put_big_endian(out, d->crc, checksum_size(d->alg));
        break;
    case CHECKSUM_XXHASH64:
        put_big_endian(out, XXH64_digest(d->state), 8);
        break;
    case CHECKSUM_XXHASH3:
        put_big_endian(out, XXH3_64bits_digest(d->state), 8);
        break;
    case CHECKSUM_XXHASH128: {
        XXH128_hash_t hash = XXH3_128bits_digest(d->state);

        put_big_endian(out, hash.high64, 8);
        put_big_endian(out + 8, hash.low64, 8);
        break;
    }
    case CHECKSUM_NONE:
        break;
    default:
        openssl_finish(d->alg, d->state, out);
    }
    digest_release(d);
}

void digest_release(struct digest *d)
{
    if (d->state)
        state_give_back(d->alg, TAKE(d->state));
    *d = (struct digest){.alg = CHECKSUM_NONE};
}

/* ---- one-shot ---------------------------------------------------------------------- */

void digest_once(enum checksum_alg alg, struct str data, uint8_t *out)
{
    struct digest d;

    digest_init(&d, alg);
    digest_update(&d, data.ptr, data.len);
    digest_final(&d, out);
}

/* Without a look at the idle states. */
static void openssl_once(enum checksum_alg alg, struct str first, struct str second,
                         uint8_t *out)
{
    union openssl_state state;

    openssl_start(alg, &state);
    if (first.len > 0)
        openssl_update(alg, &state, first.ptr, first.len);
    if (second.len > 0)
        openssl_update(alg, &state, second.ptr, second.len);
    openssl_finish(alg, &state, out);
}

void sha256_once(struct str data, uint8_t out[SHA256_SIZE])
{
    openssl_once(CHECKSUM_SHA256, data, STR_NONE, out);
}

void md5_once(struct str data, uint8_t out[MD5_SIZE])
{
    openssl_once(CHECKSUM_MD5, data, STR_NONE, out);
}

#define HMAC_BLOCK 64 /* of SHA-1 and SHA-256 */

/* One of HMAC's two digests: of the key's block, each byte changed by `pad`, then the message.
 */
static void hmac_pass(enum checksum_alg alg, const uint8_t key_block[HMAC_BLOCK], uint8_t pad,
                      struct str message, uint8_t *out)
{
    uint8_t padded[HMAC_BLOCK];

    for (size_t i = 0; i < HMAC_BLOCK; i++)
        padded[i] = key_block[i] ^ pad;
    openssl_once(alg, str_of((const char *)padded, HMAC_BLOCK), message, out);
    mem_wipe(padded, sizeof(padded));
}

/* RFC 2104. OpenSSL's own HMAC spends most of its time on allocation and lookup. */
static void hmac(enum checksum_alg alg, struct str key, struct str data, uint8_t *out)
{
    uint8_t key_block[HMAC_BLOCK] = {0};
    uint8_t inner[DIGEST_MAX];

    if (key.len > HMAC_BLOCK)
        digest_once(alg, key, key_block);
    else if (key.len > 0)
        str_put(key_block, key);
    hmac_pass(alg, key_block, 0x36, data, inner);
    hmac_pass(alg, key_block, 0x5C, str_of((const char *)inner, checksum_size(alg)), out);
    mem_wipe(key_block, sizeof(key_block));
    mem_wipe(inner, sizeof(inner));
}

void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE])
{
    hmac(CHECKSUM_SHA256, key, data, out);
}

void hmac_sha1(struct str key, struct str data, uint8_t out[20])
{
    hmac(CHECKSUM_SHA1, key, data, out);
}
