/* SPDX-License-Identifier: MIT */
/* sigv4.h - AWS Signature Version 4, in the Authorization header and in presigned URLs. */
#ifndef S3MEM_AUTH_SIGV4_H
#define S3MEM_AUTH_SIGV4_H

#include "auth/evidence.h"

#define SIGV4_ALGORITHM   "AWS4-HMAC-SHA256"
#define SIGV4A_ALGORITHM  "AWS4-ECDSA-P256-SHA256"
#define UNSIGNED_PAYLOAD  "UNSIGNED-PAYLOAD"
#define SIGNATURE_HEX_LEN (2 * SHA256_SIZE)

/* "AKID/20150830/us-east-1/s3/aws4_request" in its parts. The access key may contain slashes.
 */
struct sigv4_credential {
    struct str access_key;
    struct str scope; /* from the date to the end */
    struct str date, region, service, terminal;
};

/* What a request claims. Borrowed from the request, its evidence, or the claim itself: a claim
 * must not be copied. */
struct sigv4_claim {
    bool presigned;
    struct sigv4_credential credential;
    struct str signed_headers;
    struct str signature;
    struct str amz_date; /* "20150830T123600Z" */
    int64_t time_ns;
    char date_text[AMZ_DATE_SIZE]; /* amz_date when it was made from a Date header */
};

/* Splits a credential. False when it is malformed; then access_key is what stands before the
 * first slash, for servers that do not verify. */
MUST_CHECK bool sigv4_split_credential(struct str text, struct sigv4_credential *out);
/* NULL, or what is wrong with date, service or terminal, in S3's words (into text). */
const char *sigv4_credential_fault(const struct sigv4_credential *c, char *text, size_t size);

/* Reads the claim of an Authorization header, without the rules that need credentials. As much
 * of *out as could be read is filled on failure too. AUTHORIZATION_HEADER_MALFORMED,
 * ACCESS_DENIED */
MUST_CHECK enum s3_err sigv4_read_header(struct sigv4_claim *out, struct auth_failure *failure,
                                         const struct evidence *e);
/* Reads the claim of a presigned URL; what is wrong with it, its expiry included, is an error
 * whether credentials are known or not. AUTHORIZATION_QUERY_PARAMETERS_ERROR, ACCESS_DENIED */
MUST_CHECK enum s3_err sigv4_read_query(struct sigv4_claim *out, struct auth_failure *failure,
                                        const struct evidence *e);
/* Verifies a claim with the credentials of config. Fills the credential of out and, when the
 * body comes in signed chunks, what their verification needs. out->payload is set before. */
MUST_CHECK enum s3_err sigv4_verify(struct auth_result *out, struct auth_failure *failure,
                                    const struct auth_config *config, const struct evidence *e,
                                    const struct sigv4_claim *claim);

/* Finds the credential and checks the session token that it may demand. INVALID_ACCESS_KEY_ID,
 * INVALID_TOKEN. Shared with SigV2 and POST forms. */
MUST_CHECK enum s3_err credential_check(const struct credential **out,
                                        struct auth_failure *failure,
                                        const struct credentials *credentials,
                                        struct str access_key, struct str token);

/* The hex signature of a text. */
void sigv4_sign(const uint8_t key[SHA256_SIZE], struct str text, char out[SIGNATURE_HEX_LEN]);

#endif
