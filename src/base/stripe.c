/* SPDX-License-Identifier: MIT */
/* stripe.c - stripes are given out in turn. */
#include "base/stripe.h"

#include <stdatomic.h>

unsigned thread_stripe(void)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned own; /* from 1 */

    if (own == 0)
        own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % STRIPES + 1;
    return own - 1;
}
