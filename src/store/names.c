/* SPDX-License-Identifier: MIT */
/* names.c - the maps of branches and snapshots, and how their past versions go.
 *
 * PUBLISHED -> REPLACED (no new reader finds it) -> freed once every stripe of name_readers was
 * seen at 0 after that: a reader that marks its stripe later loads the newer version, as both
 * sides are sequentially consistent. */
#include "store/names.h"
#include "store/branch.h"

#include <time.h>

#define GRACE_STEP_NS (50 * NS_PER_S / 1000000)

struct names {
    struct store *store;
    struct tree maps[NAMES_MAPS]; /* struct branch, struct snapshot, by name */
    struct reap reap;
};

static const struct tree_type *type_of(enum names_map map)
{
    return map == NAMES_BRANCHES ? &branch_tree : &snapshot_tree;
}

/* ---- reading ----------------------------------------------------------------------- */

static const struct names *begin_reading(struct store *store)
{
    atomic_fetch_add_explicit(&store->name_readers[thread_stripe()].count, 1,
                              memory_order_seq_cst);
    return atomic_load_explicit(&store->names, memory_order_seq_cst);
}

static void end_reading(struct store *store)
{
    atomic_fetch_sub_explicit(&store->name_readers[thread_stripe()].count, 1,
                              memory_order_release);
}

void *names_get(struct store *store, enum names_map map, struct str name)
{
    const struct names *names = begin_reading(store);
    void *item = tree_find(&names->maps[map], type_of(map)->compare, &name);

    if (item)
        type_of(map)->ref(item);
    end_reading(store);
    return item;
}

/* Sorts behind every name up to the key. */
static int behind_branch(const void *key, const void *item)
{
    return branch_tree.compare(key, item) >= 0 ? 1 : -1;
}

static int behind_snapshot(const void *key, const void *item)
{
    return snapshot_tree.compare(key, item) >= 0 ? 1 : -1;
}

void *names_next(struct store *store, enum names_map map, struct str after, bool inclusive)
{
    tree_compare *behind = map == NAMES_BRANCHES ? behind_branch : behind_snapshot;
    const struct names *names = begin_reading(store);
    struct cursor cursor;
    void *item = cursor_seek(&cursor, &names->maps[map],
                             inclusive ? type_of(map)->compare : behind, &after);

    if (item)
        type_of(map)->ref(item);
    end_reading(store);
    return item;
}

/* ---- past versions ----------------------------------------------------------------- */

static bool stripe_is_free(struct store *store, size_t i)
{
    return atomic_load_explicit(&store->name_readers[i].count, memory_order_seq_cst) == 0;
}

static void names_free(struct names *names)
{
    struct account *account = &names->store->account;

    for (int map = 0; map < NAMES_MAPS; map++)
        tree_release(&names->maps[map], type_of((enum names_map)map), account);
    account_give(account, ACCOUNT_TREE, sizeof(*names));
    mem_free(names);
}

static void reap_names(struct reap *reap)
{
    struct names *names = (struct names *)((char *)reap - offsetof(struct names, reap));

    for (size_t i = 0; i < STRIPES; i++)
        while (!stripe_is_free(names->store, i))
            nanosleep(&(struct timespec){.tv_nsec = GRACE_STEP_NS}, NULL);
    names_free(names);
}

/* Frees what nobody will read any more: at once when nobody is reading, which is rarely not so.
 * Little is freed, but for what the reaper gets: the path that was replaced. */
static void retire(struct names *names)
{
    for (size_t i = 0; i < STRIPES; i++)
        if (!stripe_is_free(names->store, i)) {
            reaper_push(names->store->reaper, &names->reap, reap_names, 1);
            return;
        }
    names_free(names);
}

/* ---- changing ---------------------------------------------------------------------- */

static struct names *names_new(struct store *store)
{
    struct names *names = xmalloc(sizeof(*names));

    *names = (struct names){.store = store};
    account_force(&store->account, ACCOUNT_TREE, sizeof(*names));
    return names;
}

/* Who changes names holds store.lock: it sees what the last one published. */
static struct names *current_locked(struct store *store)
{
    return atomic_load_explicit(&store->names, memory_order_relaxed);
}

static struct names *copy_locked(struct store *store)
{
    const struct names *current = current_locked(store);
    struct names *next = names_new(store);

    for (int map = 0; map < NAMES_MAPS; map++)
        next->maps[map] = tree_share(&current->maps[map]);
    return next;
}

static void publish_locked(struct store *store, struct names *next)
{
    retire(atomic_exchange_explicit(&store->names, next, memory_order_seq_cst));
}

void names_init(struct store *store)
{
    atomic_init(&store->names, names_new(store));
}

void names_release(struct store *store)
{
    names_free(current_locked(store));
}

void *names_find_locked(struct store *store, enum names_map map, struct str name)
{
    return tree_find(&current_locked(store)->maps[map], type_of(map)->compare, &name);
}

uint64_t names_count_locked(struct store *store, enum names_map map)
{
    return current_locked(store)->maps[map].count;
}

bool names_put_locked(struct store *store, enum names_map map, struct str name, void *item,
                      void **old)
{
    uint64_t count = names_count_locked(store, map);
    struct node_cache *nodes = store_take_nodes(store, tree_write_bound(count + 1));
    struct names *next;

    if (!nodes)
        return false;
    next = copy_locked(store);
    *old = tree_put(&next->maps[map], type_of(map), nodes, &name, item);
    store_give_nodes(store, nodes);
    publish_locked(store, next);
    return true;
}

bool names_remove_locked(struct store *store, enum names_map map, struct str name, void **old)
{
    uint64_t count = names_count_locked(store, map);
    struct node_cache *nodes;
    struct names *next;

    *old = NULL;
    if (!names_find_locked(store, map, name))
        return true;
    nodes = store_take_nodes(store, tree_write_bound(count));
    if (!nodes)
        return false;
    next = copy_locked(store);
    *old = tree_remove(&next->maps[map], type_of(map), nodes, &name);
    store_give_nodes(store, nodes);
    publish_locked(store, next);
    return true;
}
