/* SPDX-License-Identifier: MIT */
/* canonical.h - the canonical request of SigV4 as S3 builds it: the path is decoded and encoded
 * once, never normalised ("a//b" and "a/../b" are keys). */
#ifndef S3MEM_AUTH_CANONICAL_H
#define S3MEM_AUTH_CANONICAL_H

#include "auth/auth.h"

struct canonical_form {
    struct str signed_headers; /* "host;x-amz-date", in the client's order */
    struct str payload_hash;   /* the last line */
    struct str host;           /* what stands for the Host header */
};

/* Appends the canonical request; the caller checks buf_ok. The query parameter X-Amz-Signature
 * is left out. */
void canonical_request(struct buf *out, const struct request *req,
                       const struct canonical_form *form);

/* Decodes percent-encoding and encodes again as RFC 3986 wants it. A stray '%' counts as
 * itself. */
void canonical_encode(struct buf *out, struct str escaped, bool keep_slash, bool plus_is_space);

/* A header's value with runs of blanks made one. */
void canonical_value(struct buf *out, struct str value);

/* The path of the request line; absolute-form targets ("http://host/b/k") lose their authority.
 */
struct str canonical_path(const struct request *req);

#endif
