/* SPDX-License-Identifier: MIT */
/* policy.h - POST policy documents: JSON with an expiration and conditions on the form. */
#ifndef S3MEM_AUTH_POLICY_H
#define S3MEM_AUTH_POLICY_H

#include "auth/auth.h"

struct post_fields {
    const struct form_field *fields;
    size_t count;
};
/* The first field of that name, case ignored; STR_NONE when absent. */
struct str post_field(const struct post_fields *form, struct str name);

/* Holds the form against a policy (base64, as sent). Fills min_size and max_size of out.
 * INVALID_POLICY_DOCUMENT, ACCESS_DENIED (expired, a condition failed, a field not covered) */
MUST_CHECK enum s3_err policy_check(struct post_policy *out, struct auth_failure *failure,
                                    struct str policy, const struct post_fields *form);

#endif
