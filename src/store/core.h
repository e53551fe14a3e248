/* SPDX-License-Identifier: MIT */
/* core.h - struct store, which the files of this room share.
 *
 * Lock order: store.lock → branch.lock → the locks inside pool and reaper. Nothing that could
 * free much or call out (but observers, which must not block) runs under them. Looking up a
 * branch or a snapshot takes no lock (names.h). */
#ifndef S3MEM_STORE_CORE_H
#define S3MEM_STORE_CORE_H

#include "store/account.h"
#include "store/pool.h"
#include "store/reaper.h"
#include "store/recycler.h"
#include "store/store.h"
#include "store/tree.h"

#include <pthread.h>

#define OBSERVERS_MAX 8
/* Writers that keep nodes for the next one; more at once take theirs from the pool. */
#define SPARE_NODES_MAX 16
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

    pthread_mutex_t lock; /* for who changes names: branches and snapshots come, go, or are
                           * restored, one at a time */
    _Atomic(struct names *) names;
    struct {
        _Alignas(64) _Atomic uint64_t count;
    } name_readers[STRIPES];
    uint32_t branch_limit;  /* of those that are forked, besides main; 0 = none */
    int64_t branch_idle_ns; /* see store_options */
    _Atomic(struct node_cache *) spare_nodes[SPARE_NODES_MAX];

    struct {
        store_observer *fn;
        void *arg;
    } observers[OBSERVERS_MAX]; /* fixed while there is traffic */
    size_t observer_count;
};

/* At least count nodes for one write, a cache of the store's; NULL when memory is out. The
 * write gives back what it did not use: nothing is kept for a branch. */
MUST_CHECK struct node_cache *store_take_nodes(struct store *store, size_t count);
/* Accepts NULL. */
void store_give_nodes(struct store *store, struct node_cache *nodes);
/* Frees the nodes that are kept for the next writers. */
void store_drop_nodes(struct store *store);

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
