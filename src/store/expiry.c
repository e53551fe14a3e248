/* SPDX-License-Identifier: MIT */
/* expiry.c - branches that were made for an access key go when nobody misses them: unused for
 * some time, held by nobody, and still what their source is now, so that forking them again
 * makes the same.
 *
 * A request that looks one up takes a reference first and then looks whether it expired; the
 * reaper first says that it expired and then counts references. Both are sequentially
 * consistent: the one that is second sees the other. So no call is left with a branch that is
 * gone, and no write is lost. */
#include "store/branch.h"
#include "store/names.h"

bool branch_use(struct branch *b)
{
    /* Only orders the reference that was taken before what is loaded next. */
    atomic_fetch_add_explicit(&b->refs, 0, memory_order_seq_cst);
    if (atomic_load_explicit(&b->expired, memory_order_seq_cst))
        return false;
    atomic_store_explicit(&b->used_ns, clock_coarse_ns(), memory_order_relaxed);
    return true;
}

static const struct root *root_now(struct branch *b)
{
    branch_read_lock(b);
    const struct root *root = b->root;
    branch_unlock(b);
    return root;
}

/* A root that somebody else holds is not changed in place: the same root is the same state. */
static bool is_as_its_source_locked(struct store *store, struct branch *b)
{
    struct str from = label_from(&b->label);
    const struct root *root = root_now(b);

    if (b->from_snapshot) {
        const struct snapshot *snapshot = find_snapshot_locked(store, from);
        return snapshot && snapshot->root == root;
    }
    struct branch *source = find_branch_locked(store, from);
    return source && root_now(source) == root;
}

static bool is_idle(struct store *store, struct branch *b)
{
    int64_t used_ns = atomic_load_explicit(&b->used_ns, memory_order_relaxed);

    return clock_coarse_ns() - used_ns >= store->branch_idle_ns;
}

/* The caller's reference and that of the store's names are all there are. */
static bool nobody_holds(struct branch *b)
{
    return atomic_load_explicit(&b->refs, memory_order_seq_cst) == 2;
}

static void expire(struct store *store, struct branch *b)
{
    void *gone = NULL;

    pthread_mutex_lock(&store->lock);
    if (find_branch_locked(store, branch_name(b)) == b) {
        atomic_store_explicit(&b->expired, true, memory_order_seq_cst);
        if (!nobody_holds(b) || !is_idle(store, b) || !is_as_its_source_locked(store, b) ||
            !names_remove_locked(store, NAMES_BRANCHES, branch_name(b), &gone))
            atomic_store_explicit(&b->expired, false, memory_order_seq_cst);
        if (gone)
            branch_bury_locked(b);
    }
    pthread_mutex_unlock(&store->lock);
    branch_unref(gone);
}

void expire_branches(void *arg)
{
    struct store *store = arg;
    struct branch *b = names_next(store, NAMES_BRANCHES, STR(""), true), *next;

    for (; b; b = next) {
        if (b->of_key && is_idle(store, b))
            expire(store, b);
        next = names_next(store, NAMES_BRANCHES, branch_name(b), false);
        branch_unref(b);
    }
}
