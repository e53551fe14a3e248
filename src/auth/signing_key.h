/* SPDX-License-Identifier: MIT */
/* signing_key.h - SigV4's derived keys, and the cache of them that each credential carries.
 * Deriving takes four HMACs, which is more than the rest of a verification: so a credential
 * remembers the keys of the last days and regions. The cache is guarded by its own mutex and
 * lives and dies (wiped) with the secret that it was derived from. */
#ifndef S3MEM_AUTH_SIGNING_KEY_H
#define S3MEM_AUTH_SIGNING_KEY_H

#include "auth/auth.h"

#define REGION_MAX     64 /* longer regions are malformed */
#define SCOPE_DATE_LEN 8

struct key_cache;
struct key_cache *key_cache_new(void);
void key_cache_free(struct key_cache *cache);

/* HMAC chain over date ("20150830"), region, "s3", "aws4_request". */
void signing_key_derive(struct str secret, struct str date, struct str region,
                        uint8_t out[SHA256_SIZE]);
/* The same through the credential's cache. credential must come from a set (credentials_find).
 */
void signing_key_get(const struct credential *credential, struct str date, struct str region,
                     uint8_t out[SHA256_SIZE]);

/* credentials.c: the cache beside a credential of a set. */
struct key_cache *credential_key_cache(const struct credential *credential);

#endif
