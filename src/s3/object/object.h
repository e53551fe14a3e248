/* SPDX-License-Identifier: MIT */
/* object.h - what the operations on one object share. */
#ifndef S3MEM_S3_OBJECT_H
#define S3MEM_S3_OBJECT_H

#include "s3/call.h"

/* Limit of the packed attributes of one object: 8 KiB of headers S3 accepts, and ten tags. */
#define ATTRS_MAX KiB(128)

/* The object that a read names by key and ?versionId (new reference), and the state of its
 * bucket. Sets the headers of delete markers. NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION,
 * METHOD_NOT_ALLOWED, INVALID_ARGUMENT */
MUST_CHECK enum s3_err s3_find_object(struct s3_call *c, struct record **out,
                                      enum versioning *versioning);

/* INVALID_ARGUMENT "Invalid version id specified". */
enum s3_err s3_invalid_version_id(struct s3_call *c, struct str version);
/* Deletes may not ask to bypass a retention that no bucket can have yet. INVALID_ARGUMENT
 * (aws-recorded: test_delete_object_with_no_locking) */
MUST_CHECK enum s3_err s3_check_bypass(struct s3_call *c);

/* x-amz-version-id of a record read from a bucket in that state: none if never versioned. */
void s3_reply_version_id(struct s3_call *c, const struct record *r, enum versioning versioning);
/* ETag, Last-Modified, x-amz-version-id: what a 304 has too. */
void s3_reply_validators(struct s3_call *c, const struct record *r, enum versioning versioning);

/* Headers of a write that S3 refuses by themselves: ACLs, object lock, appends.
 * ACCESS_CONTROL_LIST_NOT_SUPPORTED, INVALID_REQUEST, NOT_IMPLEMENTED */
MUST_CHECK enum s3_err s3_check_write_headers(struct s3_call *c);

/* The parts of s3_attrs_from_headers, which copies replace one by one. */
MUST_CHECK enum s3_err s3_attrs_from_system_headers(struct s3_call *c, struct buf *attrs);
MUST_CHECK enum s3_err s3_attrs_from_storage_class(struct s3_call *c, struct buf *attrs);
MUST_CHECK enum s3_err s3_attrs_from_redirect(struct s3_call *c, struct buf *attrs);
MUST_CHECK enum s3_err s3_attrs_from_tagging(struct s3_call *c, struct buf *attrs);

/* Storage classes whose bytes must be restored before they can be read. */
bool s3_is_archived(const struct record *r);
/* "STANDARD" when none is stored. */
struct str s3_storage_class(const struct record *r);

/* The response-* parameters of a read, checked. INVALID_REQUEST (anonymous), INVALID_ARGUMENT
 */
MUST_CHECK enum s3_err s3_check_response_overrides(struct s3_call *c);

#endif
