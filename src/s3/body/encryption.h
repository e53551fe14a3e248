/* SPDX-License-Identifier: MIT */
/* encryption.h - server-side encryption as far as clients can see it: which headers they must
 * send, which are remembered and returned. Bytes are never encrypted, keys are never kept. */
#ifndef S3MEM_S3_ENCRYPTION_H
#define S3MEM_S3_ENCRYPTION_H

#include "s3/call.h"

/* The x-amz-server-side-encryption* headers of a write, checked, as attributes. AES256 is S3's
 * default and is implied, not stored.
 * INVALID_ARGUMENT, INVALID_ENCRYPTION_ALGORITHM_ERROR */
MUST_CHECK enum s3_err s3_attrs_from_encryption(struct s3_call *c, struct buf *attrs);

/* A read of an object that has a customer key must show that key, any other must not.
 * prefix: "x-amz-" or "x-amz-copy-source-" (before "server-side-encryption-customer-...").
 * INVALID_REQUEST, ACCESS_DENIED, INVALID_ARGUMENT, INVALID_ENCRYPTION_ALGORITHM_ERROR */
MUST_CHECK enum s3_err s3_check_customer_key(struct s3_call *c, const char *prefix,
                                             const struct record *r);

/* Under a key of KMS or of the customer the MD5 of an object's or a part's bytes is replaced by
 * what S3 has for an ETag then: bytes that tell nothing of the content, others with each write.
 * Source: AWS API Object, ETag; aws-recorded test_multipart_upload_sse_c (parts with the same
 * bytes), test_s3_copy_object_in_place_with_encryption. */
void s3_hide_md5(struct str attrs, uint8_t md5[MD5_SIZE]);

#endif
