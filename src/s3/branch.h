/* SPDX-License-Identifier: MIT */
/* branch.h - choosing the branch that serves a request. */
#ifndef S3MEM_S3_BRANCH_H
#define S3MEM_S3_BRANCH_H

#include "s3/call.h"

#define BRANCH_HEADER STR("x-s3mem-branch")

/* By header, or by the access key that signed the request. NO_SUCH_BRANCH (the header's; or
 * what --branch-per-key forks from is not there), SLOW_DOWN */
MUST_CHECK enum s3_err s3_choose_branch(struct s3_call *c);
/* The same for a key that is known later: a form's. */
MUST_CHECK enum s3_err s3_choose_branch_of_key(struct s3_call *c, struct str key);

#endif
