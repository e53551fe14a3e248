/* SPDX-License-Identifier: MIT */
/* certificate.h - a certificate authority of the moment, and a server's certificate of it: TLS
 * for tests without files. */
#ifndef S3MEM_BASE_CERTIFICATE_H
#define S3MEM_BASE_CERTIFICATE_H

#include "base/buf.h"

/* PEM texts, NUL-terminated. */
struct certificate {
    struct buf ca;   /* the authority's certificate; its key is forgotten */
    struct buf cert; /* the server's */
    struct buf key;  /* its private key */
};

/* OpenSSL takes no wildcard below a name of one label: clients that use it need
 * BUCKET.s3.localhost.
 *
 * For localhost, 127.0.0.1, ::1 and these names (letters, digits, - _ and dots; or IPv4 addresses),
 * with one label before them (BUCKET.NAME), or before "s3." (BUCKET.s3.NAME). Valid from yesterday
 * for 397 days, the longest that browsers take. False: OpenSSL refuses. */
MUST_CHECK bool certificate_make(struct certificate *out, const struct str *names,
                                 size_t count);
/* Wipes the key. Accepts zeroed memory. */
void certificate_release(struct certificate *c);

#endif
