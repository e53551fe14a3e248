/* SPDX-License-Identifier: MIT */
/* recycler.h - pages of large bodies that are gone, kept for the next ones.
 *
 * A test that uploads the same file over and over would have the kernel zero as much new memory
 * each time, which takes a quarter to half as long as hashing it. What is kept stays the
 * kernel's to take back whenever it is short of memory, is never more than KEPT_BYTES_MAX, and
 * goes when nobody wanted it for some seconds.
 *
 * Lock: one, inside; nothing is called under it but the kernel. */
#ifndef S3MEM_STORE_RECYCLER_H
#define S3MEM_STORE_RECYCLER_H

#include "base/base.h"

#include <pthread.h>

#define KEPT_MAX       8
#define KEPT_BYTES_MAX MiB(160)
#define KEPT_TIDIES    5

struct recycler {
    pthread_mutex_t lock;
    struct stretch {
        void *pages;
        size_t size;
        unsigned unused; /* calls of recycler_tidy since it came */
    } kept[KEPT_MAX];    /* oldest first */
    size_t count, bytes, bytes_max;
};

/* bytes_max: 0 = KEPT_BYTES_MAX, which is the most. */
void recycler_init(struct recycler *r, uint64_t bytes_max);
void recycler_release(struct recycler *r);
/* Pages as of try_pages, but with anything in them; NULL when none that fit are kept. */
MUST_CHECK void *recycler_take(struct recycler *r, size_t size);
/* Gives back what has been kept for KEPT_TIDIES calls of this. */
void recycler_tidy(struct recycler *r);
/* Takes pages that came from try_pages or recycler_take. */
void recycler_give(struct recycler *r, void *pages, size_t size);

#endif
