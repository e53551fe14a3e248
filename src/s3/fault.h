/* SPDX-License-Identifier: MIT */
/* fault.h - what goes wrong with a call because somebody wants to see it. */
#ifndef S3MEM_S3_FAULT_H
#define S3MEM_S3_FAULT_H

#include "s3/call.h"

/* Asks whether something is to go wrong with the call, and notes it in c->fault. An error or a
 * cut that need not wait is returned at once. */
MUST_CHECK enum s3_err fault_begin(struct s3_call *c);
/* The rest is for calls that are c->faulty. */

/* These bytes came: must the client wait before it may send more? */
MUST_CHECK bool fault_holds_body(struct s3_call *c);
/* Is it too early to carry it out? Then the waker is set. */
MUST_CHECK bool fault_delays(struct s3_call *c);
/* Instead of carrying it out: S3_OK, or the error to answer. */
MUST_CHECK enum s3_err fault_refuses(struct s3_call *c);
/* Spoils the reply that is ready. */
void fault_spoil(struct s3_call *c);

#endif
