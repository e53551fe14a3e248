/* SPDX-License-Identifier: MIT */
/* random.h - random bytes and the ids made of them. Fast (a per-thread generator seeded from
 * the kernel): ids of requests and uploads, not keys. */
#ifndef S3MEM_BASE_RANDOM_H
#define S3MEM_BASE_RANDOM_H

#include "base/str.h"

uint64_t random_u64(void);
void random_bytes(void *out, size_t size);
/* n characters of A-Z0-9, no NUL added: x-amz-request-id is 16 of them. */
void random_id(char *out, size_t n);
/* n characters of A-Za-z0-9._ : upload ids. */
void random_token(char *out, size_t n);

#endif
