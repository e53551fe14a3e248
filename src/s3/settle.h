/* SPDX-License-Identifier: MIT */
/* settle.h - writes and the disk that follows the store: nothing is changed while it takes
 * nothing, and under --durability=always nothing is answered before it is safe. */
#ifndef S3MEM_S3_SETTLE_H
#define S3MEM_S3_SETTLE_H

#include "s3/call.h"

/* Before a write. SLOW_DOWN: the disk takes nothing at present. */
MUST_CHECK enum s3_err settle_may_write(struct s3_call *c);
/* After a write: *wait when its change is not safe yet; ask again once woken. SLOW_DOWN: it
 * was made, but cannot be brought to disk. */
MUST_CHECK enum s3_err settle_written(struct s3_call *c, bool *wait);
/* The call ends, whatever it waited for. */
void settle_leave(struct s3_call *c);

#endif
