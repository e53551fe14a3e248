/* SPDX-License-Identifier: MIT */
/* conditions.h - may a write go ahead? Called under the lock that the write holds. */
#ifndef S3MEM_STORE_CONDITIONS_H
#define S3MEM_STORE_CONDITIONS_H

#include "store/store.h"

/* False: there is no need to look for the current record. c may be NULL. */
static inline bool conditions_any(const struct write_conditions *c)
{
    return c && (c->if_match.ptr || c->if_none_match.ptr);
}

/* c may be NULL; current NULL when the key has no object (or a delete marker on top).
 * PRECONDITION_FAILED; NO_SUCH_KEY (if_match without an object) */
MUST_CHECK enum s3_err conditions_check(const struct write_conditions *c,
                                        const struct record *current);
/* The same for a delete, with its further conditions. S3 does not look below a delete marker
 * (LocalStack issue 13894, ministack issue 1475, both measured; its guide says 412). */
MUST_CHECK enum s3_err conditions_check_delete(const struct write_conditions *c,
                                               const struct record *current);

#endif
