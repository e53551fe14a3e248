/* SPDX-License-Identifier: MIT */
/* restore.c - a branch gets another state: restored or cleared, all of it or one bucket.
 *
 * Calls in flight finish on the state they began with, writers too: what a test left running
 * must not get into the state that the next one begins with. So the store gets a new branch of
 * the same name, and the old one is left to those who hold it. After one bucket was restored
 * that is so for this bucket; what they do to others goes to the new branch (its successor).
 *
 * LIVE -> SUCCEEDED, under store.lock. */
#include "store/branch.h"
#include "store/bucket.h"
#include "store/names.h"

/* ---- succession -------------------------------------------------------------------- */

/* The branch that goes by the name of b now; NULL when it was deleted. */
static struct branch *current_locked(struct store *store, const struct branch *b)
{
    return find_branch_locked(store, branch_name(b));
}

/* The caller's reference on *b becomes one on the branch of that name as it is now. */
static void renew_locked(struct branch **b, struct branch *now)
{
    branch_tree.ref(now);
    branch_unref(*b);
    *b = now;
}

/* Takes root. */
static struct branch *branch_like(const struct branch *b, struct root *root)
{
    struct branch *other = branch_new(b->store, branch_name(b), label_from(&b->label), root);

    if (!other)
        return NULL;
    other->label.created_ns = b->label.created_ns;
    other->from_snapshot = b->from_snapshot;
    other->of_key = b->of_key;
    atomic_init(&other->used_ns, atomic_load_explicit(&b->used_ns, memory_order_relaxed));
    return other;
}

/* Makes next the store's branch of now's name, and tells the observers: whoever finds it there
 * waits with writing until then. now's lock is held for reading: nothing is written to it
 * meanwhile, and those who read need not be waited for.
 * Takes next when true; *old: a reference to be dropped without the locks. */
static bool replace_branch_locked(struct branch *now, struct branch *next, struct change reset,
                                  struct branch **old)
{
    void *replaced = NULL;

    branch_write_lock(next);
    bool done = names_put_locked(now->store, NAMES_BRANCHES, branch_name(now), next, &replaced);
    if (done) {
        reset.kind = CHANGE_BRANCH_RESET;
        branch_notify_locked(now, reset);
        now->unseen = true;
    }
    branch_unlock(next);
    *old = replaced;
    return done;
}

/* Takes root. *old: a reference to be dropped without the lock. */
static enum named reset_locked(struct store *store, struct branch **b, struct root *root,
                               struct str snapshot, struct branch **old)
{
    struct branch *now = current_locked(store, *b), *next;

    if (!now) { /* deleted: nobody would see it */
        root_unref(root);
        return NAMED_OK;
    }
    next = branch_like(now, root);
    if (!next)
        return NAMED_NO_MEMORY;
    branch_read_lock(now);
    bool done = replace_branch_locked(now, next, (struct change){.name = snapshot}, old);
    branch_unlock(now);
    if (done)
        renew_locked(b, next);
    else
        branch_unref(next);
    return done ? NAMED_OK : NAMED_NO_MEMORY;
}

/* ---- one bucket -------------------------------------------------------------------- */

enum named branch_take_bucket(struct branch *b, const struct root *source, struct str bucket)
{
    struct bucket *k = root_bucket(source, bucket), *gone = NULL;
    bool done;

    branch_write_lock(b);
    if (k) {
        bucket_ref(k);
        done = branch_put_bucket_locked(b, k);
        if (!done)
            bucket_unref(k);
    } else {
        done = branch_remove_bucket_locked(b, bucket, &gone);
    }
    branch_unlock(b);
    bucket_unref(gone);
    return done ? NAMED_OK : NAMED_NO_MEMORY;
}

/* What now holds, but for the bucket; now's lock is held. NULL when memory is out. */
static struct branch *branch_with_bucket(struct branch *now, const struct root *source,
                                         struct str bucket)
{
    struct branch *next = branch_like(now, root_ref(now->root));

    if (next && branch_take_bucket(next, source, bucket)) {
        branch_unref(next);
        return NULL;
    }
    return next;
}

/* expected: see store_snapshot_swap_bucket; NULL: whatever it is. */
static enum named reset_bucket_locked(struct store *store, struct branch **b,
                                      const struct snapshot *snapshot, struct str bucket,
                                      const struct root *expected, struct branch **old)
{
    struct branch *now = current_locked(store, *b), *next;

    if (!now)
        return NAMED_OK;
    branch_read_lock(now);
    /* Whoever holds a root keeps its buckets from being changed in place. */
    if (expected && root_bucket(now->root, bucket) != root_bucket(expected, bucket)) {
        branch_unlock(now);
        return NAMED_EXISTS;
    }
    next = branch_with_bucket(now, snapshot->root, bucket);
    bool done =
        next &&
        replace_branch_locked(
            now, next, (struct change){.bucket = bucket, .name = snapshot_name(snapshot)}, old);
    if (done) {
        now->kept = xstrndup(bucket);
        branch_tree.ref(next);
        atomic_store_explicit(&now->successor, next, memory_order_release);
    }
    branch_unlock(now);
    if (done)
        renew_locked(b, next);
    else
        branch_unref(next);
    return done ? NAMED_OK : NAMED_NO_MEMORY;
}

/* ---- the door ---------------------------------------------------------------------- */

enum named store_snapshot_restore(struct store *store, struct branch **b, struct str name)
{
    struct branch *old = NULL;
    enum named result = NAMED_MISSING;

    /* Held until it is restored, so that nobody hears of the snapshot's end before. */
    pthread_mutex_lock(&store->lock);
    const struct snapshot *snapshot = find_snapshot_locked(store, name);
    if (snapshot)
        result = reset_locked(store, b, root_ref(snapshot->root), name, &old);
    pthread_mutex_unlock(&store->lock);
    branch_unref(old);
    return result;
}

enum named store_snapshot_swap_bucket(struct store *store, struct branch **b, struct str name,
                                      struct str bucket, struct root *expected)
{
    struct branch *old = NULL;
    enum named result = NAMED_MISSING;

    pthread_mutex_lock(&store->lock);
    const struct snapshot *snapshot = find_snapshot_locked(store, name);
    if (snapshot && bucket.len > 0 && bucket.len < BUCKET_NAME_SIZE)
        result = reset_bucket_locked(store, b, snapshot, bucket, expected, &old);
    pthread_mutex_unlock(&store->lock);
    branch_unref(old);
    return result;
}

enum named store_snapshot_restore_bucket(struct store *store, struct branch **b,
                                         struct str name, struct str bucket)
{
    return store_snapshot_swap_bucket(store, b, name, bucket, NULL);
}

static void tell_of_passing(struct store *store, enum change_kind kind,
                            const struct snapshot *passing)
{
    store_notify_locked(store, &(struct change){.kind = kind,
                                                .branch = label_from(&passing->label),
                                                .name = snapshot_name(passing),
                                                .time_ns = passing->label.created_ns,
                                                .root = passing->root});
}

enum named store_adopt_bucket(struct store *store, struct branch **b, struct root *root,
                              struct str bucket)
{
    struct branch *old = NULL;
    struct snapshot *passing;
    enum named result;

    if (!root_bucket(root, bucket))
        return NAMED_MISSING;
    /* To the observers a snapshot comes, is restored and goes; no client has one of this name.
     */
    passing = snapshot_new(STR("/adopted"), branch_name(*b), clock_now_ns(), root_ref(root));
    if (!passing)
        return NAMED_NO_MEMORY;
    pthread_mutex_lock(&store->lock);
    tell_of_passing(store, CHANGE_SNAPSHOT_LOADED, passing);
    result = reset_bucket_locked(store, b, passing, bucket, NULL, &old);
    tell_of_passing(store, CHANGE_SNAPSHOT_DROPPED, passing);
    pthread_mutex_unlock(&store->lock);
    branch_unref(old);
    snapshot_unref(passing);
    return result;
}

enum named branch_clear(struct branch **b)
{
    struct store *store = (*b)->store;
    struct branch *old = NULL;
    enum named result;

    pthread_mutex_lock(&store->lock);
    result = reset_locked(store, b, root_new(store), STR_NONE, &old);
    pthread_mutex_unlock(&store->lock);
    branch_unref(old);
    return result;
}

enum named branch_load_main(struct store *store, struct root *root, int64_t created_ns)
{
    struct branch *b = store_branch(store, STR("main")), *old = NULL;
    enum named result;

    pthread_mutex_lock(&store->lock);
    result = reset_locked(store, &b, root, STR_NONE, &old);
    if (!result)
        b->label.created_ns = created_ns; /* nobody else has seen it yet */
    pthread_mutex_unlock(&store->lock);
    branch_unref(old);
    branch_unref(b);
    return result;
}
