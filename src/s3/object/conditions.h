/* SPDX-License-Identifier: MIT */
/* conditions.h - matching of ETag lists, and the conditions that only some operations have. */
#ifndef S3MEM_S3_CONDITIONS_H
#define S3MEM_S3_CONDITIONS_H

#include "s3/call.h"

/* Does a list as in If-Match ("*", or ETags separated by commas, quotes optional as for S3)
 * name this quoted ETag? weak: "W/" before an ETag is ignored (If-None-Match), else it never
 * matches. */
bool etag_list_matches(struct str list, struct str etag, bool weak);

/* If-Range of a read: whether the Range header counts. True when the header is absent. */
bool s3_if_range_holds(const struct s3_call *c, const struct record *r);

/* Was the object modified after this HTTP or ISO date? False when it is no date. */
bool s3_modified_since(const struct record *r, struct str date);

/* If-Match of DeleteObject. NOT_IMPLEMENTED: x-amz-if-match-last-modified-time,
 * x-amz-if-match-size, If-None-Match */
MUST_CHECK enum s3_err s3_delete_conditions(struct s3_call *c, struct write_conditions *out);

#endif
