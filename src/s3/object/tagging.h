/* SPDX-License-Identifier: MIT */
/* tagging.h - tag sets of XML documents. Inside the server tags are a URL query ("a=1&b=2",
 * RFC 3986 escapes), in the order they came. s3_check_tag_query (call.h) makes one of a header.
 */
#ifndef S3MEM_S3_TAGGING_H
#define S3MEM_S3_TAGGING_H

#include "s3/call.h"
#include "s3/xml/xml_read.h"

#define OBJECT_TAGS_MAX 10
#define BUCKET_TAGS_MAX 50
/* Longest normalised query: 50 tags of 128 + 256 characters of 4 bytes of 3 escaped characters.
 */
#define TAGS_QUERY_MAX KiB(256)

enum tag_owner { TAGS_OF_OBJECT, TAGS_OF_BUCKET, TAGS_OF_NEW_BUCKET };

/* The Tag children of `set` (a TagSet, or Tags of CreateBucketConfiguration; NULL: none) as a
 * query. INVALID_TAG, MALFORMED_XML, BAD_REQUEST (too many) */
MUST_CHECK enum s3_err s3_read_tag_set(struct s3_call *c, const struct xml_node *set,
                                       enum tag_owner owner, struct buf *query);
/* The same of a Tagging document's root. */
MUST_CHECK enum s3_err s3_read_tagging(struct s3_call *c, const struct xml_node *root,
                                       enum tag_owner owner, struct buf *query);
/* <TagSet> of a query. */
void xml_tag_set(struct buf *xml, struct str query);

#endif
