/* SPDX-License-Identifier: MIT */
/* object.h - the put that other changes end in (CompleteMultipartUpload, rename). */
#ifndef S3MEM_STORE_OBJECT_H
#define S3MEM_STORE_OBJECT_H

#include "store/bucket.h"

/* After edit_own and the caller's checks. Takes r. result may be NULL, else it is cleared. */
void object_put_owned(struct edit *e, struct record *r, struct write_result *result);

#endif
