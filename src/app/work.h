/* SPDX-License-Identifier: MIT */
/* work.h - what long work shows of itself while it runs, and how it is asked to stop. The
 * worker counts, anybody reads; whoever sets cancel finds the work ended soon, with nothing
 * half done left behind. */
#ifndef S3MEM_APP_WORK_H
#define S3MEM_APP_WORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct work {                                 /* zeroed at first */
    atomic_uint_least64_t items, items_total; /* objects, records ...; total 0: not known */
    atomic_uint_least64_t bytes, bytes_total;
    atomic_bool cancel;
};

/* Each accepts NULL: nobody looks. */

static inline void work_expect(struct work *w, uint64_t items, uint64_t bytes)
{
    if (!w)
        return;
    atomic_store_explicit(&w->items_total, items, memory_order_relaxed);
    atomic_store_explicit(&w->bytes_total, bytes, memory_order_relaxed);
}

static inline void work_count(struct work *w, uint64_t items, uint64_t bytes)
{
    if (!w)
        return;
    atomic_fetch_add_explicit(&w->items, items, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->bytes, bytes, memory_order_relaxed);
}

/* To be asked at every item, and every MiB or so of a long one. */
static inline bool work_cancelled(const struct work *w)
{
    return w && atomic_load_explicit(&w->cancel, memory_order_relaxed);
}

#endif
