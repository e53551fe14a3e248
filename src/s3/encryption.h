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

#endif
