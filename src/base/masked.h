/* SPDX-License-Identifier: MIT */
/* masked.h - what may be written down of a request: not what would open anything to whoever
 * reads it. Nothing is allocated for finding out, so that running out of memory reveals
 * nothing. */
#ifndef S3MEM_BASE_MASKED_H
#define S3MEM_BASE_MASKED_H

#include "base/buf.h"

#define MASK STR("***")

/* Is the value of this header, or of the query parameter that stands for it, a secret? */
bool header_is_secret(struct str name);

/* A target, a URL or what may hold one, well-formed or not, with "***" for the values of secret
 * parameters and for "user:password". Names are recognised in any case, and encoded any number
 * of times, with their '?', '&' and '=' (as in a copy source, or a URL that was encoded once too
 * often); spoilt ones, too. */
void buf_add_masked_target(struct buf *out, struct str target);
/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=***". What does not look like
 * that is masked, not guessed at. */
void buf_add_masked_authorization(struct buf *out, struct str value);

#endif
