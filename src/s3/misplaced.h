/* SPDX-License-Identifier: MIT */
/* misplaced.h - what S3 has for other operations, and refuses here rather than ignores. */
#ifndef S3MEM_S3_MISPLACED_H
#define S3MEM_S3_MISPLACED_H

#include "s3/call.h"

/* Refuses ?versionId and headers that the operation must not have; before authentication, as S3
 * does. INVALID_ARGUMENT */
MUST_CHECK enum s3_err s3_refuse_misplaced(struct s3_call *c);
/* Refuses ?versionId where there are no versions. INVALID_ARGUMENT */
MUST_CHECK enum s3_err s3_refuse_version(struct s3_call *c);

#endif
