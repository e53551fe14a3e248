/* SPDX-License-Identifier: MIT */
/* sigv2.h - AWS Signature Version 2, in the Authorization header and in presigned URLs. */
#ifndef S3MEM_AUTH_SIGV2_H
#define S3MEM_AUTH_SIGV2_H

#include "auth/evidence.h"

/* Borrowed from the request and its evidence. */
struct sigv2_claim {
    bool presigned;
    struct str access_key;
    struct str signature; /* base64 */
    struct str date;      /* the string to sign's date line: Date, Expires or empty */
};

/* As for SigV4: what is wrong with a presigned URL is an error with and without credentials. As
 * much of *out as could be read is filled on failure too. INVALID_ARGUMENT, ACCESS_DENIED */
MUST_CHECK enum s3_err sigv2_read_header(struct sigv2_claim *out, struct auth_failure *failure,
                                         const struct evidence *e);
MUST_CHECK enum s3_err sigv2_read_query(struct sigv2_claim *out, struct auth_failure *failure,
                                        const struct evidence *e);
MUST_CHECK enum s3_err sigv2_verify(struct auth_result *out, struct auth_failure *failure,
                                    const struct auth_config *config, const struct evidence *e,
                                    const struct sigv2_claim *claim);

/* The base64 signature of a text. */
#define SIGV2_SIGNATURE_LEN 28
void sigv2_sign(struct str secret, struct str text, char out[SIGV2_SIGNATURE_LEN]);

#endif
