/* SPDX-License-Identifier: MIT */
/* misroute.h - requests that no row of ops.def fits: a method that a sub-resource does not have,
 * a bucket's sub-resource with a key, an object's without one. */
#ifndef S3MEM_S3_MISROUTE_H
#define S3MEM_S3_MISROUTE_H

#include "s3/call.h"

/* True: S3 takes the name for a sub-resource here; false: a read ignores it. */
bool sub_resource_counts(const struct s3_call *c, enum op_scope scope, struct str name);
/* Answers a request whose sub-resource (STR_NONE: none) has no row for this method and scope.
 * S3_OK: c->op is the bucket's row that answers a read nevertheless, and the key is forgotten.
 * METHOD_NOT_ALLOWED with Allow, INVALID_REQUEST, NO_LOGGING_STATUS_FOR_KEY */
MUST_CHECK enum s3_err misrouted(struct s3_call *c, enum op_scope scope, struct str name);

#endif
