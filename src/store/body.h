/* SPDX-License-Identifier: MIT */
/* body.h - what the store itself asks of a body. */
#ifndef S3MEM_STORE_BODY_H
#define S3MEM_STORE_BODY_H

#include "store/store.h"

/* Gives back what a body that has been written reserved and did not need. Only its writer. */
void body_seal(struct body *b);
/* All bytes, into body_len(b) bytes of memory. */
void body_copy_out(const struct body *b, char *out);

#endif
