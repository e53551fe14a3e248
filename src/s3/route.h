/* SPDX-License-Identifier: MIT */
/* route.h - from a raw target to bucket, key, parameters and a row of ops.def. */
#ifndef S3MEM_S3_ROUTE_H
#define S3MEM_S3_ROUTE_H

#include "s3/call.h"

/* Fills c->at, c->virtual_bucket, c->params. INVALID_URI, KEY_TOO_LONG_ERROR */
MUST_CHECK enum s3_err route_target(struct s3_call *c);
/* Fills c->op. METHOD_NOT_ALLOWED, NOT_IMPLEMENTED, INVALID_REQUEST, INVALID_ARGUMENT: a write's
 * sub-resource that no row of this method and scope knows never becomes another operation. */
MUST_CHECK enum s3_err route_operation(struct s3_call *c);
/* A row of ops.def; NULL behind the last. */
const struct op *route_row(size_t index);
/* 1 .. number of rows: of a row of ops.def, for tables of counters. */
unsigned route_operation_number(const struct op *op);
/* The region that signatures are to be for: the one the host names, else the server's own. */
struct str route_endpoint_region(struct s3_call *c);
/* Bucket named by a Host value below one of the domains; empty for path style. *region: the one
 * it names ("s3.eu-west-1.DOMAIN"), or STR_NONE. Pure. */
struct str route_virtual_bucket(struct str host, const struct str *domains, size_t domain_count,
                                struct str *region);

#endif
