/* SPDX-License-Identifier: MIT */
/* branch.c - branches and snapshots: names for roots. A branch is written through, a snapshot
 * only read and forked. Both maps are guarded by the store's lock, a branch's root by its own.
 */
#include "store/branch.h"
#include "store/bucket.h"

#include <assert.h>

/* ---- roots ------------------------------------------------------------------------- */

struct root *root_new(struct store *store)
{
    struct root *root = xmalloc(sizeof(*root));

    *root = (struct root){.store = store};
    atomic_init(&root->refs, 1);
    account_force(&store->account, ACCOUNT_TREE, sizeof(*root));
    return root;
}

struct root *root_ref(struct root *root)
{
    refs_take(&root->refs);
    return root;
}

static void root_reap(struct reap *reap)
{
    struct root *root = (struct root *)((char *)reap - offsetof(struct root, reap));
    struct account *account = &root->store->account;

    tree_release(&root->buckets, &bucket_tree, account);
    account_give(account, ACCOUNT_TREE, sizeof(*root));
    mem_free(root);
}

void root_unref(struct root *root)
{
    if (root && refs_drop(&root->refs))
        reaper_push(root->store->reaper, &root->reap, root_reap, root->buckets.count + 1);
}

struct bucket *root_bucket(const struct root *root, struct str name)
{
    return tree_find(&root->buckets, bucket_tree.compare, &name);
}

/* ---- maps of names ----------------------------------------------------------------- */

static int compare_branch(const void *key, const void *item)
{
    return str_cmp(*(const struct str *)key, branch_name(item));
}

static void ref_branch(void *item)
{
    refs_take(&((struct branch *)item)->refs);
}

static void unref_branch(void *item)
{
    branch_unref(item);
}

const struct tree_type branch_tree = {compare_branch, ref_branch, unref_branch};

static int compare_snapshot(const void *key, const void *item)
{
    const struct snapshot *snapshot = item;

    return str_cmp(*(const struct str *)key, str_c(snapshot->label.name));
}

static void ref_snapshot(void *item)
{
    refs_take(&((struct snapshot *)item)->refs);
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || !refs_drop(&snapshot->refs))
        return;
    root_unref(snapshot->root);
    mem_free(snapshot);
}

static void unref_snapshot(void *item)
{
    snapshot_unref(item);
}

const struct tree_type snapshot_tree = {compare_snapshot, ref_snapshot, unref_snapshot};

static void label_fill(struct label *label, struct str name, struct str from,
                       int64_t created_ns)
{
    assert(name.len > 0 && name.len <= NAME_MAX_LEN && from.len <= NAME_MAX_LEN);
    *label = (struct label){.created_ns = created_ns};
    memcpy(label->name, name.ptr, name.len);
    if (from.len > 0)
        memcpy(label->from, from.ptr, from.len);
}

/* Puts b under a name that is free. Takes it when OK. */
static enum named put_branch(struct store *store, struct str name, struct branch *b)
{
    enum named result = NAMED_OK;

    pthread_rwlock_wrlock(&store->lock);
    if (tree_find(&store->branches, compare_branch, &name)) {
        result = NAMED_EXISTS;
    } else if (!node_cache_reserve(&store->cache,
                                   tree_write_bound(store->branches.count + 1))) {
        result = NAMED_NO_MEMORY;
    } else {
        void *none = tree_put(&store->branches, &branch_tree, &store->cache, &name, b);
        assert(!none);
    }
    pthread_rwlock_unlock(&store->lock);
    return result;
}

/* Returns the map's reference, or NULL. */
static void *remove_name(struct store *store, struct tree *names, const struct tree_type *type,
                         struct str name)
{
    /* Nobody shares a map of names, so nothing is copied and no node needed. */
    pthread_rwlock_wrlock(&store->lock);
    void *removed = tree_remove(names, type, &store->cache, &name);
    pthread_rwlock_unlock(&store->lock);
    return removed;
}

/* ---- branches ---------------------------------------------------------------------- */

struct branch *branch_new(struct store *store, struct str name, struct str from,
                          struct root *root)
{
    struct branch *b = try_malloc(sizeof(*b));
    pthread_rwlockattr_t attr;

    if (!b) {
        root_unref(root);
        return NULL;
    }
    *b = (struct branch){.store = store, .root = root};
    label_fill(&b->label, name, from, clock_now_ns());
    atomic_init(&b->refs, 1);
    /* Or a stream of readers would starve the writers. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&b->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    node_cache_init(&b->cache, store->pool, &store->account);
    return b;
}

void branch_unref(struct branch *b)
{
    if (!b || !refs_drop(&b->refs))
        return;
    root_unref(b->root);
    node_cache_release(&b->cache);
    pthread_rwlock_destroy(&b->lock);
    mem_free(b);
}

struct str branch_name(const struct branch *b)
{
    return str_c(b->label.name);
}

void branch_read_lock(struct branch *b)
{
    pthread_rwlock_rdlock(&b->lock);
}

void branch_write_lock(struct branch *b)
{
    pthread_rwlock_wrlock(&b->lock);
}

void branch_unlock(struct branch *b)
{
    pthread_rwlock_unlock(&b->lock);
}

struct root *branch_own_root_locked(struct branch *b)
{
    struct root *shared = b->root;

    if (!refs_alone(&shared->refs)) {
        b->root = root_new(b->store);
        b->root->buckets = tree_share(&shared->buckets);
        root_unref(shared);
    }
    return b->root;
}

struct root *branch_root(struct branch *b)
{
    branch_read_lock(b);
    struct root *root = root_ref(b->root);
    branch_unlock(b);
    return root;
}

void branch_notify_locked(struct branch *b, enum change_kind kind, struct str bucket,
                          struct record *record, struct upload *upload)
{
    struct store *store = b->store;
    struct change change = {.kind = kind,
                            .branch = branch_name(b),
                            .bucket = bucket,
                            .key = record ? record_key(record) : STR_NONE,
                            .record = record,
                            .upload = upload};

    if (b->unseen)
        return;
    if (upload)
        change.key = upload_key(upload);
    for (size_t i = 0; i < store->observer_count; i++)
        store->observers[i].fn(store->observers[i].arg, &change);
}

struct branch *store_branch(struct store *store, struct str name)
{
    struct branch *b = store->main;

    if (str_eq(name, branch_name(b))) {
        ref_branch(b);
        return b;
    }
    /* Asked for with every signed request; most stores have no other branch. */
    if (atomic_load_explicit(&store->fork_count, memory_order_acquire) == 0)
        return NULL;
    pthread_rwlock_rdlock(&store->lock);
    b = tree_find(&store->branches, compare_branch, &name);
    if (b)
        ref_branch(b);
    pthread_rwlock_unlock(&store->lock);
    return b;
}

/* The state of a snapshot when one is named, else of a branch. */
static struct root *root_of_source(struct store *store, struct str branch, struct str snapshot)
{
    struct root *root = NULL;

    if (!snapshot.ptr) {
        AUTO(branch) from = store_branch(store, branch);
        return from ? branch_root(from) : NULL;
    }
    pthread_rwlock_rdlock(&store->lock);
    const struct snapshot *from = tree_find(&store->snapshots, compare_snapshot, &snapshot);
    if (from)
        root = root_ref(from->root);
    pthread_rwlock_unlock(&store->lock);
    return root;
}

enum named store_fork(struct store *store, struct str name, struct str from_branch,
                      struct str from_snapshot)
{
    struct root *root = root_of_source(store, from_branch, from_snapshot);
    struct str from = from_snapshot.ptr ? from_snapshot : from_branch;
    struct branch *b = root ? branch_new(store, name, from, root) : NULL;
    enum named result;

    if (!b)
        return root ? NAMED_NO_MEMORY : NAMED_MISSING;
    atomic_fetch_add(&store->fork_count, 1);
    result = put_branch(store, name, b);
    if (result) {
        atomic_fetch_sub(&store->fork_count, 1);
        branch_unref(b);
    }
    return result;
}

enum named store_branch_delete(struct store *store, struct str name)
{
    if (str_eq(name, branch_name(store->main)))
        return NAMED_MISSING;

    struct branch *b = remove_name(store, &store->branches, &branch_tree, name);

    if (!b)
        return NAMED_MISSING;
    atomic_fetch_sub(&store->fork_count, 1);
    branch_unref(b);
    return NAMED_OK;
}

/* Takes root. */
static void branch_reset(struct branch *b, struct root *root)
{
    branch_write_lock(b);
    struct root *old = b->root;
    b->root = root;
    branch_notify_locked(b, CHANGE_BRANCH_RESET, STR_NONE, NULL, NULL);
    branch_unlock(b);
    root_unref(old);
}

void branch_clear(struct branch *b)
{
    branch_reset(b, root_new(b->store));
}

/* ---- snapshots --------------------------------------------------------------------- */

struct snapshot *snapshot_new(struct str name, struct str from, int64_t created_ns,
                              struct root *root)
{
    struct snapshot *snapshot = try_malloc(sizeof(*snapshot));

    if (!snapshot) {
        root_unref(root);
        return NULL;
    }
    *snapshot = (struct snapshot){.root = root};
    label_fill(&snapshot->label, name, from, created_ns);
    atomic_init(&snapshot->refs, 1);
    return snapshot;
}

enum named snapshot_add(struct store *store, struct snapshot *snapshot, bool replace)
{
    struct str name = str_c(snapshot->label.name);
    struct snapshot *old = NULL;
    enum named result = NAMED_OK;

    pthread_rwlock_wrlock(&store->lock);
    if (!replace && tree_find(&store->snapshots, compare_snapshot, &name))
        result = NAMED_EXISTS;
    else if (!node_cache_reserve(&store->cache, tree_write_bound(store->snapshots.count + 1)))
        result = NAMED_NO_MEMORY;
    else
        old = tree_put(&store->snapshots, &snapshot_tree, &store->cache, &name, snapshot);
    pthread_rwlock_unlock(&store->lock);
    snapshot_unref(old);
    return result;
}

enum named store_snapshot_take(struct store *store, struct branch *b, struct str name)
{
    struct snapshot *snapshot =
        snapshot_new(name, branch_name(b), clock_now_ns(), branch_root(b));
    enum named result = snapshot ? snapshot_add(store, snapshot, false) : NAMED_NO_MEMORY;

    if (result)
        snapshot_unref(snapshot);
    return result;
}

struct root *store_snapshot_root(struct store *store, struct str name)
{
    return root_of_source(store, STR_NONE, name);
}

enum named store_snapshot_restore(struct store *store, struct branch *b, struct str name)
{
    struct root *root = store_snapshot_root(store, name);

    if (!root)
        return NAMED_MISSING;
    branch_reset(b, root);
    return NAMED_OK;
}

enum named store_snapshot_restore_bucket(struct store *store, struct branch *b, struct str name,
                                         struct str bucket)
{
    AUTO(root) source = store_snapshot_root(store, name);
    struct bucket *old = NULL;

    if (!source)
        return NAMED_MISSING;

    struct bucket *k = root_bucket(source, bucket);

    branch_write_lock(b);
    bool ready = node_cache_reserve(&b->cache, tree_write_bound(b->root->buckets.count + 1));
    if (ready) {
        struct tree *buckets = &branch_own_root_locked(b)->buckets;

        if (k) {
            bucket_ref(k);
            old = tree_put(buckets, &bucket_tree, &b->cache, &bucket, k);
        } else {
            old = tree_remove(buckets, &bucket_tree, &b->cache, &bucket);
        }
        branch_notify_locked(b, CHANGE_BRANCH_RESET, bucket, NULL, NULL);
    }
    branch_unlock(b);
    bucket_unref(old);
    return ready ? NAMED_OK : NAMED_NO_MEMORY;
}

enum named store_snapshot_drop(struct store *store, struct str name)
{
    struct snapshot *snapshot = remove_name(store, &store->snapshots, &snapshot_tree, name);

    unref_snapshot(snapshot);
    return snapshot ? NAMED_OK : NAMED_MISSING;
}
