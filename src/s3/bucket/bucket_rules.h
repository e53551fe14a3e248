/* SPDX-License-Identifier: MIT */
/* bucket_rules.h - regions of buckets and requests, and the URL a bucket is known by. */
#ifndef S3MEM_S3_BUCKET_RULES_H
#define S3MEM_S3_BUCKET_RULES_H

#include "s3/call.h"

#define REGION_US_EAST_1 STR("us-east-1")

/* A region of Amazon's ("eu-west-1"), or the one this server was given. */
bool region_is_known(const struct s3_call *c, struct str region);
/* The region whose endpoint the request was meant for: the one it was signed for (is_signed),
 * else the server's. */
struct str s3_request_region(struct s3_call *c, bool *is_signed);
/* What x-amz-bucket-region says: a LocationConstraint of EU means eu-west-1. */
struct str s3_bucket_region(const struct bucket_info *bucket);
/* "http://bucket.host" or "http://host/bucket", as the request addressed us: that the client
 * can reach again. */
struct str s3_bucket_url(struct s3_call *c);
/* That of the request's key. */
struct str s3_object_url(struct s3_call *c);
/* <Owner><ID>...</ID></Owner>. S3 sends no DisplayName since 2025. */
void xml_owner(struct buf *b, struct str owner);

#endif
