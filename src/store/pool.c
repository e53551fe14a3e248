/* SPDX-License-Identifier: MIT */
/* pool.c - size classes 8 bytes apart up to FINE_MAX, which holds a record with the largest
 * inline body, and 64 apart up to SLOT_MAX; each is a list of chunks that have a free slot. A
 * full chunk is in no list until a slot of it comes back. Larger sizes are single allocations
 * with the pool in front.
 *
 * Locks: one per class, then `spare_lock` for the empty chunks that are kept. They are the last
 * in the store's lock order.
 *
 * Under AddressSanitizer every slot is an allocation of its own, so that it sees each use after
 * free and each leak. */
#include "store/pool.h"

#include <assert.h>
#include <pthread.h>

#define CHUNK_SIZE      KiB(256)
#define SLOT_MAX        KiB(8)
#define FINE_MAX        KiB(5)
#define FINE_STEP       8
#define COARSE_STEP     64
#define FINE_COUNT      (FINE_MAX / FINE_STEP)
#define CLASS_COUNT     (FINE_COUNT + (SLOT_MAX - FINE_MAX) / COARSE_STEP)
#define SPARE_MAX       4
#define ARENA_SIZE      MiB(2) /* a huge page */
#define BIG_POOL_CHUNKS (MiB(32) / CHUNK_SIZE)

#if defined(__SANITIZE_ADDRESS__)
#define EVERY_SLOT_ALONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EVERY_SLOT_ALONE 1
#endif
#endif
#ifndef EVERY_SLOT_ALONE
#define EVERY_SLOT_ALONE 0
#endif

struct slot {
    struct slot *next;
};

struct size_class {
    pthread_mutex_t lock;
    struct chunk *partial; /* chunks with a free slot */
    uint32_t slot_size, slots;
};

struct chunk {
    struct pool *pool;
    struct size_class *class;
    struct chunk *next, *prev; /* in class->partial */
    struct slot *free;         /* slots that came back */
    uint32_t used;
    uint32_t fresh; /* slots from here on were never handed out: their pages are untouched */
};

struct pool {
    void *owner;
    pthread_mutex_t spare_lock;
    struct chunk *spare;             /* linked by next */
    size_t spare_count, chunk_count; /* spare ones; all */
    struct size_class classes[CLASS_COUNT];
};

/* In front of what is not in a chunk. */
struct single {
    struct pool *pool;
    uint64_t unused; /* keeps what follows 16-byte aligned */
};

static size_t class_index(size_t size)
{
    if (size <= FINE_MAX)
        return size == 0 ? 0 : (size - 1) / FINE_STEP;
    return FINE_COUNT + (size - FINE_MAX - 1) / COARSE_STEP;
}

static size_t class_size(size_t index)
{
    if (index < FINE_COUNT)
        return (index + 1) * FINE_STEP;
    return FINE_MAX + (index - FINE_COUNT + 1) * COARSE_STEP;
}

static bool is_single(size_t size)
{
    return EVERY_SLOT_ALONE || size > SLOT_MAX;
}

size_t pool_slot_size(size_t size)
{
    return size > SLOT_MAX ? size + sizeof(struct single) : class_size(class_index(size));
}

struct pool *pool_new(void *owner)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));

    pool->owner = owner;
    pthread_mutex_init(&pool->spare_lock, NULL);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        struct size_class *class = &pool->classes[i];

        pthread_mutex_init(&class->lock, NULL);
        class->slot_size = (uint32_t)class_size(i);
        class->slots = (uint32_t)((CHUNK_SIZE - sizeof(struct chunk)) / class->slot_size);
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        assert(!pool->classes[i].partial);
        pthread_mutex_destroy(&pool->classes[i].lock);
    }
    while (pool->spare) {
        struct chunk *chunk = pool->spare;

        pool->spare = chunk->next;
        mem_pages_free(chunk, CHUNK_SIZE);
    }
    pthread_mutex_destroy(&pool->spare_lock);
    mem_free(pool);
}

/* ---- chunks ------------------------------------------------------------------------ */

static struct chunk *chunk_of(void *slot)
{
    return (struct chunk *)((uintptr_t)slot & ~(uintptr_t)(CHUNK_SIZE - 1));
}

static void chunk_link(struct chunk *chunk)
{
    struct size_class *class = chunk->class;

    chunk->prev = NULL;
    chunk->next = class->partial;
    if (chunk->next)
        chunk->next->prev = chunk;
    class->partial = chunk;
}

static void chunk_unlink(struct chunk *chunk)
{
    if (chunk->prev)
        chunk->prev->next = chunk->next;
    else
        chunk->class->partial = chunk->next;
    if (chunk->next)
        chunk->next->prev = chunk->prev;
}

static void spare_push_locked(struct pool *pool, struct chunk *chunk)
{
    chunk->next = pool->spare;
    pool->spare = chunk;
    pool->spare_count++;
}

/* A big pool gets several chunks at once, in a huge page if the kernel has one: looking up a
 * key among a million misses the TLB half as often. A small one must not pay for 2 MiB. */
static bool spare_fill_locked(struct pool *pool)
{
    bool big = pool->chunk_count >= BIG_POOL_CHUNKS;
    size_t size = big ? ARENA_SIZE : CHUNK_SIZE;
    char *pages = try_pages(size, size);

    for (size_t at = 0; pages && at < size; at += CHUNK_SIZE) {
        spare_push_locked(pool, (struct chunk *)(pages + at));
        pool->chunk_count++;
    }
    return pages != NULL;
}

static struct chunk *chunk_new(struct pool *pool, struct size_class *class)
{
    struct chunk *chunk = NULL;

    pthread_mutex_lock(&pool->spare_lock);
    if (pool->spare || spare_fill_locked(pool)) {
        chunk = pool->spare;
        pool->spare = chunk->next;
        pool->spare_count--;
    }
    pthread_mutex_unlock(&pool->spare_lock);

    if (chunk)
        *chunk = (struct chunk){.pool = pool, .class = class};
    return chunk;
}

static void chunk_free(struct chunk *chunk)
{
    struct pool *pool = chunk->pool;

    pthread_mutex_lock(&pool->spare_lock);
    bool keep = pool->spare_count < SPARE_MAX;
    if (keep)
        spare_push_locked(pool, chunk);
    else
        pool->chunk_count--;
    pthread_mutex_unlock(&pool->spare_lock);

    if (!keep)
        mem_pages_free(chunk, CHUNK_SIZE);
}

/* The chunk is in its class's list and has a free slot; leaves the list with its last one. */
static void *chunk_take(struct chunk *chunk)
{
    struct size_class *class = chunk->class;
    void *slot;

    if (chunk->free) {
        slot = chunk->free;
        chunk->free = chunk->free->next;
    } else {
        slot = (char *)(chunk + 1) + (size_t)chunk->fresh++ * class->slot_size;
    }
    if (++chunk->used == class->slots)
        chunk_unlink(chunk);
    return slot;
}

/* ---- slots ------------------------------------------------------------------------- */

static void *single_take(struct pool *pool, size_t size)
{
    struct single *single = try_malloc(sizeof(*single) + size);

    if (!single)
        return NULL;
    single->pool = pool;
    return single + 1;
}

size_t pool_take_many(struct pool *pool, size_t size, void **out, size_t count)
{
    size_t taken = 0;

    if (is_single(size)) {
        while (taken < count && (out[taken] = single_take(pool, size)))
            taken++;
        return taken;
    }
    if (mem_fails_now())
        return 0;

    struct size_class *class = &pool->classes[class_index(size)];

    pthread_mutex_lock(&class->lock);
    while (taken < count) {
        if (!class->partial) {
            struct chunk *chunk = chunk_new(pool, class);
            if (!chunk)
                break;
            chunk_link(chunk);
        }
        out[taken++] = chunk_take(class->partial);
    }
    pthread_mutex_unlock(&class->lock);
    return taken;
}

void *pool_take(struct pool *pool, size_t size)
{
    void *slot;

    return pool_take_many(pool, size, &slot, 1) == 1 ? slot : NULL;
}

void pool_give(void *slot, size_t size)
{
    if (is_single(size)) {
        mem_free((struct single *)slot - 1);
        return;
    }

    struct chunk *chunk = chunk_of(slot);
    struct size_class *class = chunk->class;
    bool empty;

    pthread_mutex_lock(&class->lock);
    ((struct slot *)slot)->next = chunk->free;
    chunk->free = slot;
    if (chunk->used-- == class->slots)
        chunk_link(chunk);
    empty = chunk->used == 0;
    if (empty)
        chunk_unlink(chunk);
    pthread_mutex_unlock(&class->lock);

    if (empty)
        chunk_free(chunk);
}

void *pool_owner(void *slot, size_t size)
{
    return is_single(size) ? ((struct single *)slot - 1)->pool->owner
                           : chunk_of(slot)->pool->owner;
}
