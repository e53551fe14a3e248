/* SPDX-License-Identifier: MIT */
/* evidence.h - what a request shows of who sent it, found in one walk over its headers and its
 * query. Everything is borrowed from the request; a missing value is STR_NONE. */
#ifndef S3MEM_AUTH_EVIDENCE_H
#define S3MEM_AUTH_EVIDENCE_H

#include "auth/auth.h"

enum evidence_id {
    /* headers */
    SEEN_AUTHORIZATION,
    SEEN_DATE,
    SEEN_AMZ_DATE,
    SEEN_CONTENT_SHA256,
    SEEN_TOKEN,
    SEEN_CONTENT_ENCODING,
    SEEN_CONTENT_TYPE,
    SEEN_CONTENT_MD5,
    SEEN_DECODED_LENGTH,
    SEEN_FORWARDED_HOST,
    SEEN_FORWARDED_PORT,
    SEEN_HEADERS, /* end of the headers; below: query parameters, decoded */
    SEEN_Q_ALGORITHM = SEEN_HEADERS,
    SEEN_Q_CREDENTIAL,
    SEEN_Q_DATE,
    SEEN_Q_EXPIRES,
    SEEN_Q_SIGNED_HEADERS,
    SEEN_Q_SIGNATURE,
    SEEN_Q_CONTENT_SHA256,
    SEEN_Q_TOKEN,
    SEEN_Q_V2_KEY,
    SEEN_Q_V2_EXPIRES,
    SEEN_Q_V2_SIGNATURE,
    SEEN_COUNT
};

struct evidence {
    const struct request *req;
    struct str virtual_bucket;
    int64_t now_ns;
    struct str seen[SEEN_COUNT]; /* the first of each */
    size_t authorizations;       /* how many Authorization headers */
    struct buf decoded;          /* owned: query values that were percent-encoded */
};

void evidence_collect(struct evidence *e, const struct request *req, struct str virtual_bucket,
                      int64_t now_ns);
void evidence_release(struct evidence *e);

/* The next "name=value" of a query; has_value tells "a" from "a=". False at the end. Empty
 * parts
 * ("a&&b") are skipped. */
struct query_part {
    struct str name, value; /* percent-encoded */
    bool has_value;
};
bool query_next(struct str *rest, struct query_part *part);

#endif
