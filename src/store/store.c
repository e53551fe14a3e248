/* SPDX-License-Identifier: MIT */
/* store.c - the store as a whole: birth, end, numbers, observers. */
#include "store/branch.h"
#include "store/core.h"
#include "store/names.h"

#include <assert.h>
#include <stdlib.h>

/* ---- nodes for writers ------------------------------------------------------------- */

/* The first that nobody uses: as many exist as there were writers at once. */
static struct node_cache *take_spare(struct store *store)
{
    for (size_t i = 0; i < SPARE_NODES_MAX; i++) {
        _Atomic(struct node_cache *) *spare = &store->spare_nodes[i];

        if (!atomic_load_explicit(spare, memory_order_relaxed))
            continue;
        struct node_cache *nodes = atomic_exchange_explicit(spare, NULL, memory_order_acquire);
        if (nodes)
            return nodes;
    }
    return NULL;
}

void store_drop_nodes(struct store *store)
{
    for (struct node_cache *nodes; (nodes = take_spare(store)); mem_free(nodes))
        node_cache_release(nodes);
}

struct node_cache *store_take_nodes(struct store *store, size_t count)
{
    struct node_cache *nodes = take_spare(store);

    if (!nodes) {
        nodes = xmalloc(sizeof(*nodes));
        node_cache_init(nodes, store->pool, &store->account);
    }
    if (node_cache_reserve(nodes, count))
        return nodes;
    store_give_nodes(store, nodes);
    return NULL;
}

void store_give_nodes(struct store *store, struct node_cache *nodes)
{
    for (size_t i = 0; i < SPARE_NODES_MAX && nodes; i++) {
        _Atomic(struct node_cache *) *spare = &store->spare_nodes[i];
        struct node_cache *none = NULL;

        if (!atomic_load_explicit(spare, memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(spare, &none, nodes, memory_order_release,
                                                    memory_order_relaxed))
            return;
    }
    if (nodes)
        node_cache_release(nodes);
    mem_free(nodes);
}

/* ---- life -------------------------------------------------------------------------- */

struct store *store_new(const struct store_options *options)
{
    struct store *store = xcalloc(1, sizeof(*store));
    struct str main_name = STR("main");

    store->account.limit = options->max_memory_bytes;
    store->branch_limit = options->branch_limit;
    store->branch_idle_ns = options->branch_idle_ns;
    store->pool = pool_new(store);
    store->reaper = reaper_new();
    recycler_init(&store->recycler, options->max_memory_bytes / 8);
    pthread_mutex_init(&store->lock, NULL);
    names_init(store);
    void *none = NULL, *main_branch = branch_new(store, main_name, STR(""), root_new(store));
    if (!main_branch ||
        !names_put_locked(store, NAMES_BRANCHES, main_name, main_branch, &none)) {
        log_error("no memory to start with");
        abort();
    }
    assert(!none);
    if (store->branch_idle_ns > 0)
        reaper_look(store->reaper, expire_branches, store, store->branch_idle_ns / 10 + 1);
    return store;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    /* Before the names: the reaper may be about to drop some. */
    reaper_settle(store->reaper);
    names_release(store);
    store_drop_nodes(store);
    reaper_free(store->reaper);
    /* A record, body, upload or root that somebody still holds would dangle. */
    assert(atomic_load(&store->account.total) == 0);
    pool_free(store->pool);
    recycler_release(&store->recycler);
    pthread_mutex_destroy(&store->lock);
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
        .request_bytes =
            atomic_load_explicit(&account->bytes[ACCOUNT_REQUEST], memory_order_relaxed) +
            atomic_load_explicit(&account->bytes[ACCOUNT_WORK], memory_order_relaxed) +
            atomic_load_explicit(&account->bytes[ACCOUNT_REPLY], memory_order_relaxed),
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

void store_tidy(struct store *store)
{
    recycler_tidy(&store->recycler);
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
