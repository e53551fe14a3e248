/* SPDX-License-Identifier: MIT */
/* signing_key.c - derived SigV4 keys and their cache.
 * Source: AWS "Authenticating Requests (AWS Signature Version 4)", signing key. */
#include "auth/signing_key.h"

#include <pthread.h>

#define CACHED_KEYS 8 /* presigned URLs of a week, all used at once */

struct cached_key {
    char date[SCOPE_DATE_LEN];
    char region[REGION_MAX];
    size_t region_len;
    uint8_t key[SHA256_SIZE];
};

struct key_cache {
    pthread_mutex_t lock;
    struct cached_key keys[CACHED_KEYS];
    unsigned count;
    unsigned next; /* the one to be replaced: round robin */
};

struct key_cache *key_cache_new(void)
{
    struct key_cache *cache = xcalloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void key_cache_free(struct key_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->lock);
    mem_wipe(cache, sizeof(*cache));
    mem_free(cache);
}

static struct str key_str(const uint8_t key[SHA256_SIZE])
{
    return str_of((const char *)key, SHA256_SIZE);
}

void signing_key_derive(struct str secret, struct str date, struct str region,
                        uint8_t out[SHA256_SIZE])
{
    uint8_t even[SHA256_SIZE], odd[SHA256_SIZE];
    AUTO_BUF(first, secret.len + 4);
    buf_reserve(&first, secret.len + 4); /* at once: growing would leave copies behind */
    buf_add(&first, STR("AWS4"));
    buf_add(&first, secret);
    hmac_sha256(buf_str(&first), date, even);
    hmac_sha256(key_str(even), region, odd);
    hmac_sha256(key_str(odd), STR("s3"), even);
    hmac_sha256(key_str(even), STR("aws4_request"), out);
    mem_wipe(first.ptr, first.len);
    mem_wipe(even, sizeof(even));
    mem_wipe(odd, sizeof(odd));
}

static bool find_locked(const struct key_cache *cache, struct str date, struct str region,
                        uint8_t out[SHA256_SIZE])
{
    for (unsigned i = 0; i < cache->count; i++) {
        const struct cached_key *k = &cache->keys[i];
        if (memcmp(k->date, date.ptr, SCOPE_DATE_LEN) == 0 &&
            str_eq(str_of(k->region, k->region_len), region)) {
            memcpy(out, k->key, SHA256_SIZE);
            return true;
        }
    }
    return false;
}

static void add_locked(struct key_cache *cache, struct str date, struct str region,
                       const uint8_t key[SHA256_SIZE])
{
    struct cached_key *k = &cache->keys[cache->next];
    cache->next = (cache->next + 1) % CACHED_KEYS;
    if (cache->count < CACHED_KEYS)
        cache->count++;
    mem_wipe(k, sizeof(*k));
    memcpy(k->date, date.ptr, SCOPE_DATE_LEN);
    str_put(k->region, region);
    k->region_len = region.len;
    memcpy(k->key, key, SHA256_SIZE);
}

void signing_key_get(const struct credential *credential, struct str date, struct str region,
                     uint8_t out[SHA256_SIZE])
{
    struct key_cache *cache = credential_key_cache(credential);
    struct str secret = str_c(credential->secret_key);
    if (date.len != SCOPE_DATE_LEN || region.len == 0 || region.len > REGION_MAX) {
        signing_key_derive(secret, date, region, out);
        return;
    }
    pthread_mutex_lock(&cache->lock);
    bool found = find_locked(cache, date, region, out);
    pthread_mutex_unlock(&cache->lock);
    if (found)
        return;
    signing_key_derive(secret, date, region, out);
    uint8_t other[SHA256_SIZE];
    pthread_mutex_lock(&cache->lock);
    if (!find_locked(cache, date, region, other)) /* another thread may have been first */
        add_locked(cache, date, region, out);
    pthread_mutex_unlock(&cache->lock);
    mem_wipe(other, sizeof(other));
}
