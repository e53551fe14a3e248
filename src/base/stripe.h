/* SPDX-License-Identifier: MIT */
/* stripe.h - what all threads write to at every request exists several times, a cache line
 * each: every thread uses its own. */
#ifndef S3MEM_BASE_STRIPE_H
#define S3MEM_BASE_STRIPE_H

#define STRIPES 16

/* The calling thread's, below STRIPES; the same in all its life. Threads beyond STRIPES share.
 */
unsigned thread_stripe(void);

#endif
