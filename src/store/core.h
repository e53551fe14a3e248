/* SPDX-License-Identifier: MIT */
/* core.h - struct store, which the files of this room share.
 *
 * Lock order: store.lock → branch.lock → the locks inside pool and reaper. Nothing that could
 * free much or call out (but observers, which must not block) runs under them. */
#ifndef S3MEM_STORE_CORE_H
#define S3MEM_STORE_CORE_H

#include "s3mem/store.h"
#include "store/account.h"
#include "store/pool.h"
#include "store/reaper.h"
#include "store/recycler.h"
#include "store/tree.h"

#include <pthread.h>

#define OBSERVERS_MAX 8
/* Names of buckets end with NUL. */
#define BUCKET_NAME_SIZE 64

/* Records, uploads and their ids are numbered by one counter: newer is larger, whatever the
 * clock says. 48 bits are kept. */
#define SEQUENCE_MAX ((UINT64_C(1) << 48) - 1)
/* Numbers that come from outside stay far below that: those of a client's document, and those
 * of a database, which may have gone on from a document's. */
#define LOADER_SEQUENCE_MAX (UINT64_C(1) << 46)
#define REPLAY_SEQUENCE_MAX (UINT64_C(1) << 47)
/* From here on writes fail. The rest is for those that have begun. */
#define SEQUENCE_END (SEQUENCE_MAX - (UINT64_C(1) << 20))
#define SEGMENT_END  (UINT64_C(1) << 62)

struct store {
    struct account account;
    struct pool *pool;
    struct reaper *reaper;
    struct recycler recycler;
    _Atomic uint64_t sequence; /* the last one given out */
    _Atomic uint64_t segment;  /* likewise of body segments' numbers */
    atomic_uint fork_count;    /* branches besides main; changed a moment too early or late */

    pthread_rwlock_t lock; /* guards the four below */
    struct tree branches;  /* struct branch by name */
    struct tree snapshots; /* struct snapshot by name */
    struct node_cache cache;

    struct {
        store_observer *fn;
        void *arg;
    } observers[OBSERVERS_MAX]; /* fixed while there is traffic */
    size_t observer_count;
};

static inline uint64_t store_next_sequence(struct store *store)
{
    return atomic_fetch_add_explicit(&store->sequence, 1, memory_order_relaxed) + 1;
}

/* Are there numbers for another write? To be asked before it begins. */
static inline bool store_has_numbers(struct store *store)
{
    return atomic_load_explicit(&store->sequence, memory_order_relaxed) < SEQUENCE_END;
}

/* What is written from now on is newer than what was brought in under this number. */
static inline void store_raise_sequence(struct store *store, uint64_t number)
{
    uint64_t last = atomic_load_explicit(&store->sequence, memory_order_relaxed);

    while (last < number && !atomic_compare_exchange_weak(&store->sequence, &last, number))
        continue;
}

static inline bool checksum_is_good(const struct checksum *sum)
{
    return sum->alg < CHECKSUM_COUNT && sum->type <= CHECKSUM_FULL_OBJECT;
}

static inline struct store *store_of_slot(void *slot, size_t size)
{
    return pool_owner(slot, size);
}

static inline void refs_take(_Atomic uint32_t *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True for the last one, with everything the others did visible. */
MUST_CHECK static inline bool refs_drop(_Atomic uint32_t *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* Is the caller's reference the only one? Then the thing may be changed. */
static inline bool refs_alone(_Atomic uint32_t *refs)
{
    return atomic_load_explicit(refs, memory_order_acquire) == 1;
}

#endif
