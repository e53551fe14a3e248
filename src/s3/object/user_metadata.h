/* SPDX-License-Identifier: MIT */
/* user_metadata.h - x-amz-meta-* headers of a write. */
#ifndef S3MEM_S3_USER_METADATA_H
#define S3MEM_S3_USER_METADATA_H

#include "s3/call.h"

#define META_PREFIX "x-amz-meta-"

/* Adds them as ATTR_META, names in lower case, values as GET will return them.
 * METADATA_TOO_LARGE; INVALID_ARGUMENT: a name that is none for a header */
MUST_CHECK enum s3_err s3_attrs_from_user_metadata(struct s3_call *c, struct buf *attrs);

/* A header value in UTF-8: what a form field or the query of a presigned URL gave, they already
 * are; header bytes are ISO-8859-1. */
bool s3_header_is_utf8(const struct s3_call *c, const struct header *h);

#endif
