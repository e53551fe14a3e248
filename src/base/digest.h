/* SPDX-License-Identifier: MIT */
/* digest.h - MD5, SHA-256, HMAC and S3's ten object checksums, streamed.
 * Source: AWS "Checking object integrity" (algorithms, COMPOSITE and FULL_OBJECT types). */
#ifndef S3MEM_BASE_DIGEST_H
#define S3MEM_BASE_DIGEST_H

#include "base/str.h"

enum checksum_alg {
    CHECKSUM_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_SHA512,
    CHECKSUM_MD5,
    CHECKSUM_XXHASH64,
    CHECKSUM_XXHASH3,
    CHECKSUM_XXHASH128,
    CHECKSUM_COUNT
};

enum checksum_type { CHECKSUM_TYPE_NONE, CHECKSUM_COMPOSITE, CHECKSUM_FULL_OBJECT };

#define DIGEST_MAX  64 /* SHA-512 */
#define MD5_SIZE    16
#define SHA256_SIZE 32

/* A finished checksum; big-endian bytes as they are base64-encoded on the wire. */
struct checksum {
    uint8_t alg;  /* enum checksum_alg */
    uint8_t type; /* enum checksum_type */
    uint8_t bytes[DIGEST_MAX];
};

/* "CRC64NVME" as in x-amz-checksum-algorithm; the XML element and header stem follow:
 * <ChecksumCRC64NVME>, x-amz-checksum-crc64nvme (always lower case). */
struct str checksum_name(enum checksum_alg alg);
struct str checksum_header(enum checksum_alg alg);  /* "x-amz-checksum-crc64nvme" */
struct str checksum_element(enum checksum_alg alg); /* "ChecksumCRC64NVME" */
size_t checksum_size(enum checksum_alg alg);        /* bytes, 0 for NONE */
/* Names are matched without regard to case; CHECKSUM_NONE when unknown. */
enum checksum_alg checksum_by_name(struct str name);
enum checksum_alg checksum_by_header(struct str header_name);
/* May this algorithm give a FULL_OBJECT multipart checksum by combining the parts' (CRCs only)?
 */
bool checksum_can_combine(enum checksum_alg alg);
/* CRC64NVME allows FULL_OBJECT only; every other algorithm allows COMPOSITE. */
bool checksum_can_composite(enum checksum_alg alg);

/* Checksum of a‖b from those of a and of b (b_len bytes long), in O(log b_len). Both of the
 * same CRC algorithm; the result's type is FULL_OBJECT. Never reads the bytes again. */
void checksum_combine(struct checksum *a, const struct checksum *b, uint64_t b_len);

/* A running digest of one algorithm. No allocation for the CRCs; the others own an OpenSSL or
 * xxHash state until digest_final or digest_release. Zeroed memory is a valid empty digest
 * (digest_release on it does nothing). */
struct digest {
    enum checksum_alg alg;
    uint64_t crc;
    void *state; /* OpenSSL's or xxHash's; NULL for CRCs */
};
void digest_init(struct digest *d, enum checksum_alg alg);
void digest_update(struct digest *d, const void *data, size_t len);
/* Writes checksum_size(alg) bytes and releases the state. */
void digest_final(struct digest *d, uint8_t *out);
void digest_release(struct digest *d);

/* One-shot. */
void digest_once(enum checksum_alg alg, struct str data, uint8_t *out);
void sha256_once(struct str data, uint8_t out[SHA256_SIZE]);
void md5_once(struct str data, uint8_t out[MD5_SIZE]);
void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE]);
void hmac_sha1(struct str key, struct str data, uint8_t out[20]); /* SigV2 */

#endif
