/* SPDX-License-Identifier: MIT */
/* store.c - the store as a whole: birth, end, numbers, observers. */
#include "store/branch.h"
#include "store/core.h"

#include <assert.h>
#include <stdlib.h>

struct store *store_new(const struct store_options *options)
{
    struct store *store = xcalloc(1, sizeof(*store));
    struct str main_name = STR("main");

    store->account.limit = options->max_memory_bytes;
    store->pool = pool_new(store);
    store->reaper = reaper_new();
    recycler_init(&store->recycler);
    pthread_rwlock_init(&store->lock, NULL);
    node_cache_init(&store->cache, store->pool, &store->account);
    struct branch *main_branch = branch_new(store, main_name, STR(""), root_new(store));
    if (!main_branch || !node_cache_reserve(&store->cache, tree_write_bound(1))) {
        log_error("no memory to start with");
        abort();
    }
    void *none =
        tree_put(&store->branches, &branch_tree, &store->cache, &main_name, main_branch);
    assert(!none);
    return store;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    tree_release(&store->snapshots, &snapshot_tree, &store->account);
    tree_release(&store->branches, &branch_tree, &store->account);
    node_cache_release(&store->cache);
    reaper_free(store->reaper);
    /* A record, body, upload or root that somebody still holds would dangle. */
    assert(atomic_load(&store->account.total) == 0);
    pool_free(store->pool);
    recycler_release(&store->recycler);
    pthread_rwlock_destroy(&store->lock);
    mem_free(store);
}

bool store_name_ok(struct str name)
{
    if (name.len < 1 || name.len > NAME_MAX_LEN || str_eq(name, STR(".")) ||
        str_eq(name, STR("..")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("-._~+=@", c))))
            return false;
    }
    return true;
}

void store_stats(struct store *store, struct store_stats *out)
{
    struct account *account = &store->account;

    *out = (struct store_stats){
        .memory_bytes = atomic_load_explicit(&account->total, memory_order_relaxed),
        .tree_bytes = atomic_load_explicit(&account->bytes[ACCOUNT_TREE], memory_order_relaxed),
        .record_bytes =
            atomic_load_explicit(&account->bytes[ACCOUNT_RECORD], memory_order_relaxed),
        .body_bytes = atomic_load_explicit(&account->bytes[ACCOUNT_BODY], memory_order_relaxed),
        .data_bytes = atomic_load_explicit(&account->data, memory_order_relaxed),
        .reaping = reaper_pending(store->reaper)};
}

uint64_t store_sequence(struct store *store)
{
    return atomic_load_explicit(&store->sequence, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *counter, uint64_t number)
{
    uint64_t last = atomic_load_explicit(counter, memory_order_relaxed);

    while (last < number && !atomic_compare_exchange_weak(counter, &last, number))
        continue;
}

bool store_continue_after(struct store *store, uint64_t number, uint64_t segment)
{
    if (number > REPLAY_SEQUENCE_MAX || segment > SEGMENT_END)
        return false;
    raise_to(&store->sequence, number);
    raise_to(&store->segment, segment);
    return true;
}

void store_reap_wait(struct store *store)
{
    reaper_wait(store->reaper);
}

void store_unobserve(struct store *store, store_observer *fn, void *arg)
{
    size_t kept = 0;

    for (size_t i = 0; i < store->observer_count; i++) {
        if (store->observers[i].fn != fn || store->observers[i].arg != arg)
            store->observers[kept++] = store->observers[i];
    }
    store->observer_count = kept;
}

void store_observe(struct store *store, store_observer *fn, void *arg)
{
    assert(store->observer_count < OBSERVERS_MAX);
    store->observers[store->observer_count].fn = fn;
    store->observers[store->observer_count++].arg = arg;
}
