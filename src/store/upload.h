/* SPDX-License-Identifier: MIT */
/* upload.h - multipart uploads as the trees see them. */
#ifndef S3MEM_STORE_UPLOAD_H
#define S3MEM_STORE_UPLOAD_H

#include "store/bucket.h"

/* Oldest first; 0 seeks the first upload of a key. */
struct upload_key {
    struct str key;
    uint64_t sequence;
};

extern const struct tree_type upload_tree; /* keys: struct upload_key */

uint64_t upload_sequence(const struct upload *u);
/* An upload as it was elsewhere, with its number. NO_SUCH_BUCKET, SLOW_DOWN */
MUST_CHECK enum s3_err upload_load(struct branch *b, struct str bucket,
                                   const struct upload_spec *spec, uint64_t sequence,
                                   bool overtaken);
/* NO_SUCH_BUCKET, NO_SUCH_UPLOAD, SLOW_DOWN */
MUST_CHECK enum s3_err upload_set_overtaken(struct branch *b, const struct target *at,
                                            struct str id, bool overtaken);
/* The key's object is about to be deleted: its uploads so far may no longer be completed under
 * a condition. After edit_own. */
void upload_mark_overtaken(struct edit *e, struct str key);

#endif
