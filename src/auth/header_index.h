/* SPDX-License-Identifier: MIT */
/* header_index.h - a request's headers by name, where a client names as many as it sends. */
#ifndef S3MEM_AUTH_HEADER_INDEX_H
#define S3MEM_AUTH_HEADER_INDEX_H

#include "app/app.h"

/* Fewer are gone through one by one. */
#define HEADER_INDEX_MIN 32

struct header_index {
    const struct request *req;
    const struct header **sorted; /* by name, then as they came; NULL: there are few */
};

/* False: no memory. */
MUST_CHECK bool header_index_init(struct header_index *x, const struct request *req);
void header_index_release(struct header_index *x);
/* The next header of that name (ASCII case ignored), as they came; NULL: there are no more. *at is
 * 0 for the first. */
const struct header *header_index_next(const struct header_index *x, struct str name,
                                       size_t *at);

#endif
