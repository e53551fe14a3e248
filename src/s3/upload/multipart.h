/* SPDX-License-Identifier: MIT */
/* multipart.h - what the multipart files share. */
#ifndef S3MEM_S3_MULTIPART_H
#define S3MEM_S3_MULTIPART_H

#include "s3/call.h"

/* The upload that ?uploadId names (new reference); NO_SUCH_UPLOAD, also for another key's id.
 */
MUST_CHECK enum s3_err multipart_upload(struct s3_call *c, struct upload **out);
/* "crc32" as error messages spell an algorithm; "null" for CHECKSUM_NONE. NUL-terminated. */
const char *multipart_alg_name(struct s3_call *c, enum checksum_alg alg);
const char *multipart_type_name(enum checksum_type type);
/* x-amz-checksum-type in any case; CHECKSUM_TYPE_NONE without it. INVALID_REQUEST */
MUST_CHECK enum s3_err multipart_checksum_type(struct s3_call *c, enum checksum_type *type);
/* What an algorithm means without x-amz-checksum-type (aws-recorded:
 * test_multipart_checksum_type_default_for_checksum). */
enum checksum_type multipart_default_type(enum checksum_alg alg);

/* ?partNumber, 1 to PART_NUMBER_MAX. INVALID_ARGUMENT */
MUST_CHECK enum s3_err multipart_part_number(struct s3_call *c, uint32_t *number);

#endif
