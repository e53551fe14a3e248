/* SPDX-License-Identifier: MIT */
/* pool.h - memory for the many small things of a store: tree nodes and records. Slots of one
 * size class lie side by side in aligned chunks without a header each; a free finds its chunk,
 * and through it the pool, from the address. An empty chunk goes back to the kernel. */
#ifndef S3MEM_STORE_POOL_H
#define S3MEM_STORE_POOL_H

#include "base/base.h"

struct pool;

/* owner: what pool_owner answers for every slot. */
struct pool *pool_new(void *owner);
/* Every slot must be back. Accepts NULL. */
void pool_free(struct pool *pool);

/* NULL when memory is out; 8-byte aligned, not zeroed. Any thread. */
MUST_CHECK void *pool_take(struct pool *pool, size_t size);
/* Takes up to count slots under one lock hold; how many there are. */
MUST_CHECK size_t pool_take_many(struct pool *pool, size_t size, void **out, size_t count);
/* size: what it was taken with. Any thread. */
void pool_give(void *slot, size_t size);
void *pool_owner(void *slot, size_t size);
/* What a slot of this size really occupies. */
size_t pool_slot_size(size_t size);

#endif
