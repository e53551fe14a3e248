/* SPDX-License-Identifier: MIT */
/* source_digest.h - digests of bytes that are in the store already, for copies whose source
 * does not have them. Read in turns: a copy of 5 GiB must not stall the I/O thread's other
 * clients. */
#ifndef S3MEM_S3_SOURCE_DIGEST_H
#define S3MEM_S3_SOURCE_DIGEST_H

#include "store/store.h"

/* Zeroed memory is one with nothing to do. */
struct source_digest {
    struct record *from; /* borrowed */
    uint64_t at, end;
    struct digest md5, sum;
};

/* wants_md5 or alg != CHECKSUM_NONE, or there is nothing to read. */
void source_digest_begin(struct source_digest *d, struct record *from, uint64_t first,
                         uint64_t len, bool wants_md5, enum checksum_alg alg);
/* Reads for some milliseconds; true when all is read. */
MUST_CHECK bool source_digest_turn(struct source_digest *d);
void source_digest_release(struct source_digest *d);

#endif
