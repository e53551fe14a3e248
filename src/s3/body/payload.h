/* SPDX-License-Identifier: MIT */
/* payload.h - a request body on its way in: payload hash, aws-chunked, digests, checks.
 *
 * payload_begin reads from the headers what is to be expected (mode, Content-MD5, one
 * x-amz-checksum-* header or trailer, lengths); payload_feed takes the wire bytes and hands
 * decoded bytes to the sink; payload_finish verifies. Nothing is hashed twice: when the signed
 * payload hash and the checksum are both SHA-256 of the same bytes, one digest serves both. */
#ifndef S3MEM_S3_PAYLOAD_H
#define S3MEM_S3_PAYLOAD_H

#include "auth/auth.h"
#include "store/store.h"

struct s3_call;
typedef enum s3_err payload_sink(void *arg, const char *data, size_t len);

struct payload {
    struct chunked *chunked; /* NULL unless the body is aws-chunked */
    payload_sink *sink;
    void *sink_arg;
    struct body *body;    /* BODY_STREAM: the object's bytes; TAKE it in the handler */
    uint64_t expected;    /* decoded length, CONTENT_LENGTH_NONE when unknown */
    uint64_t received;    /* decoded bytes so far */
    struct digest sha256; /* of the payload as signed, when x-amz-content-sha256 is a hash */
    struct digest md5;    /* always for BODY_STREAM; for documents when Content-MD5 is there */
    struct digest sum;    /* the checksum asked for, or CRC64NVME for objects */
    struct digest crc64;  /* beside it, for parts of uploads without an algorithm: their
                           * object's CRC64NVME is combined from the parts' */
    bool has_crc64;
    bool has_sha256, has_md5, has_content_md5, sum_is_payload_hash;
    uint8_t content_md5[MD5_SIZE];
    struct checksum claimed; /* alg NONE: none, or it comes as a trailer (sum.alg tells) */
    bool claimed_in_trailer;
    struct checksum checksum;    /* computed; alg NONE until payload_finish */
    struct checksum crc64_value; /* alg NONE unless has_crc64 */
    uint8_t md5_value[MD5_SIZE]; /* computed; valid after payload_finish when has_md5 */
};

/* The only x-amz-checksum-ALGORITHM header, its text borrowed; CHECKSUM_NONE when there is none.
 * INVALID_REQUEST: there are several, or it names no algorithm */
MUST_CHECK enum s3_err payload_checksum_header(struct s3_call *c, enum checksum_alg *alg,
                                               struct str *value);
/* The same with its value decoded. INVALID_REQUEST */
MUST_CHECK enum s3_err payload_claimed_checksum(struct s3_call *c, struct checksum *out);
/* INVALID_REQUEST: the header's value is no checksum; a header names an algorithm that is none.
 */
enum s3_err payload_invalid_checksum(struct s3_call *c, enum checksum_alg alg);
enum s3_err payload_unsupported_algorithm(struct s3_call *c);
/* Behind payload_begin. INVALID_REQUEST: the client sends no digest of the body with it.
 * Sources: backlot/routers/s3.py (DeleteObjects, measured), versitygw issue 1521 (PutBucketTagging;
 * PutObjectTagging needs none: issue 1662). */
MUST_CHECK enum s3_err payload_require_digest(struct s3_call *c);
/* Installs the sink later with payload_set_sink, before the first payload_feed.
 * default_alg: computed when the client names none (CHECKSUM_NONE: compute none).
 * with_md5: compute the MD5 even without Content-MD5.
 * Errors: INVALID_DIGEST, INVALID_REQUEST (checksum headers), MISSING_CONTENT_LENGTH,
 * INVALID_ARGUMENT, NOT_IMPLEMENTED (other transfer encodings) */
MUST_CHECK enum s3_err payload_begin(struct s3_call *c, enum checksum_alg default_alg,
                                     bool with_md5);
/* Computes CRC64NVME too (payload.crc64_value); nothing when it is the checksum already. */
void payload_add_crc64(struct payload *p);
void payload_set_sink(struct payload *p, payload_sink *sink, void *arg);
MUST_CHECK enum s3_err payload_feed(struct s3_call *c, const char *data, size_t len);
/* BAD_DIGEST, INCOMPLETE_BODY, X_AMZ_CONTENT_SHA256_MISMATCH, SIGNATURE_DOES_NOT_MATCH ... */
MUST_CHECK enum s3_err payload_finish(struct s3_call *c);
void payload_release(struct payload *p);
/* Allocates p->body for the expected length and makes it the sink. ENTITY_TOO_LARGE, SLOW_DOWN
 */
MUST_CHECK enum s3_err payload_into_body(struct s3_call *c);

#endif
