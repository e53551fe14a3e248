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
    str_put(label->name, name);
    str_put(label->from, from);
}

/* Puts b under a name that is free. Takes it when OK. The store's lock is held. */
static enum named put_branch_locked(struct store *store, struct branch *b)
{
    struct str name = branch_name(b);

    if (find_branch_locked(store, name))
        return NAMED_EXISTS;
    if (!node_cache_reserve(&store->cache, tree_write_bound(store->branches.count + 1)))
        return NAMED_NO_MEMORY;

    void *none = tree_put(&store->branches, &branch_tree, &store->cache, &name, b);
    assert(!none);
    return NAMED_OK;
}

/* Returns the map's reference, or NULL. Nobody shares a map of names, so nothing is copied and
 * no node needed. The store's lock is held. */
static void *remove_name_locked(struct store *store, struct tree *names,
                                const struct tree_type *type, struct str name)
{
    return tree_remove(names, type, &store->cache, &name);
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

/* Not by recursion: successors may be many. */
void branch_unref(struct branch *b)
{
    while (b && refs_drop(&b->refs)) {
        struct branch *successor = b->successor;

        root_unref(b->root);
        node_cache_release(&b->cache);
        pthread_rwlock_destroy(&b->lock);
        mem_free(b);
        b = successor;
    }
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

/* Once set these do not change, and are set under the lock. */
static bool has_moved_on(const struct branch *b, struct str bucket)
{
    return b->successor && !str_eq(str_c(b->kept), bucket);
}

struct branch *branch_read_lock_at(struct branch *b, struct str bucket)
{
    for (branch_read_lock(b); has_moved_on(b, bucket); branch_read_lock(b)) {
        struct branch *next = b->successor;

        branch_unlock(b);
        b = next;
    }
    return b;
}

struct branch *branch_write_lock_at(struct branch *b, struct str bucket)
{
    for (branch_write_lock(b); has_moved_on(b, bucket); branch_write_lock(b)) {
        struct branch *next = b->successor;

        branch_unlock(b);
        b = next;
    }
    return b;
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

void store_notify_locked(struct store *store, const struct change *change)
{
    for (size_t i = 0; i < store->observer_count; i++)
        store->observers[i].fn(store->observers[i].arg, change);
}

void branch_notify_locked(struct branch *b, struct change change)
{
    if (b->unseen || b->store->observer_count == 0)
        return;
    change.branch = branch_name(b);
    if (change.record)
        change.key = record_key(change.record);
    if (change.upload)
        change.key = upload_key(change.upload);
    store_notify_locked(b->store, &change);
}

bool branch_is_main(struct str name)
{
    return str_eq(name, STR("main"));
}

struct branch *find_branch_locked(const struct store *store, struct str name)
{
    return tree_find(&store->branches, compare_branch, &name);
}

struct branch *store_branch(struct store *store, struct str name)
{
    /* Asked for with every signed request; most stores have no other branch. */
    if (!branch_is_main(name) &&
        atomic_load_explicit(&store->fork_count, memory_order_acquire) == 0)
        return NULL;
    pthread_rwlock_rdlock(&store->lock);
    struct branch *b = find_branch_locked(store, name);
    if (b)
        ref_branch(b);
    pthread_rwlock_unlock(&store->lock);
    return b;
}

/* ---- forking ----------------------------------------------------------------------- */

struct snapshot *find_snapshot_locked(const struct store *store, struct str name)
{
    return tree_find(&store->snapshots, compare_snapshot, &name);
}

/* Takes root. */
static enum named fork_locked(struct store *store, struct str name, struct str from,
                              bool from_snapshot, int64_t created_ns, struct root *root)
{
    struct branch *b = branch_new(store, name, from, root);
    enum named result = b ? put_branch_locked(store, b) : NAMED_NO_MEMORY;

    if (result) {
        branch_unref(b);
        return result;
    }
    atomic_fetch_add(&store->fork_count, 1);
    b->label.created_ns = created_ns;
    store_notify_locked(store, &(struct change){.kind = CHANGE_BRANCH_FORKED,
                                                .branch = name,
                                                .name = from,
                                                .from_snapshot = from_snapshot,
                                                .time_ns = created_ns});
    return NAMED_OK;
}

/* Nothing is written to the source before the fork is known to all. */
static enum named fork_branch_locked(struct store *store, struct str name, struct str from)
{
    struct branch *source = find_branch_locked(store, from);
    enum named result;

    if (!source)
        return NAMED_MISSING;
    branch_read_lock(source);
    result = fork_locked(store, name, from, false, clock_now_ns(), root_ref(source->root));
    branch_unlock(source);
    return result;
}

enum named store_fork(struct store *store, struct str name, struct str from_branch,
                      struct str from_snapshot)
{
    enum named result = NAMED_MISSING;

    pthread_rwlock_wrlock(&store->lock);
    if (from_snapshot.ptr) {
        const struct snapshot *source = find_snapshot_locked(store, from_snapshot);

        if (source)
            result = fork_locked(store, name, from_snapshot, true, clock_now_ns(),
                                 root_ref(source->root));
    } else {
        result = fork_branch_locked(store, name, from_branch);
    }
    pthread_rwlock_unlock(&store->lock);
    return result;
}

enum named store_branch_delete(struct store *store, struct str name)
{
    struct branch *b = NULL;

    pthread_rwlock_wrlock(&store->lock);
    if (!branch_is_main(name))
        b = remove_name_locked(store, &store->branches, &branch_tree, name);
    if (b) {
        /* Calls that hold it finish unseen. */
        branch_write_lock(b);
        branch_notify_locked(b, (struct change){.kind = CHANGE_BRANCH_DELETED});
        b->unseen = true;
        branch_unlock(b);
        atomic_fetch_sub(&store->fork_count, 1);
    }
    pthread_rwlock_unlock(&store->lock);
    branch_unref(b);
    return b ? NAMED_OK : NAMED_MISSING;
}

enum named store_add_branch(struct store *store, struct str name, struct str from,
                            int64_t created_ns, struct root *root)
{
    enum named result;

    if (branch_is_main(name))
        return branch_load_main(store, root, created_ns);
    pthread_rwlock_wrlock(&store->lock);
    result = fork_locked(store, name, from, false, created_ns, root);
    pthread_rwlock_unlock(&store->lock);
    return result;
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

/* Takes it when OK; *old: the one whose place it took, to be dropped. */
static enum named put_snapshot_locked(struct store *store, struct snapshot *snapshot,
                                      bool replace, struct snapshot **old)
{
    struct str name = str_c(snapshot->label.name);

    *old = NULL;
    if (!replace && find_snapshot_locked(store, name))
        return NAMED_EXISTS;
    if (!node_cache_reserve(&store->cache, tree_write_bound(store->snapshots.count + 1)))
        return NAMED_NO_MEMORY;
    *old = tree_put(&store->snapshots, &snapshot_tree, &store->cache, &name, snapshot);
    return NAMED_OK;
}

static void notify_snapshot_locked(struct store *store, enum change_kind kind,
                                   const struct snapshot *snapshot)
{
    store_notify_locked(store, &(struct change){.kind = kind,
                                                .branch = str_c(snapshot->label.from),
                                                .name = str_c(snapshot->label.name),
                                                .time_ns = snapshot->label.created_ns,
                                                .root = snapshot->root});
}

enum named snapshot_add(struct store *store, struct snapshot *snapshot, bool replace)
{
    struct snapshot *old;
    enum named result;

    pthread_rwlock_wrlock(&store->lock);
    result = put_snapshot_locked(store, snapshot, replace, &old);
    if (!result)
        notify_snapshot_locked(store, CHANGE_SNAPSHOT_LOADED, snapshot);
    pthread_rwlock_unlock(&store->lock);
    snapshot_unref(old);
    return result;
}

enum named store_add_snapshot(struct store *store, struct str name, struct str from,
                              int64_t created_ns, struct root *root)
{
    struct snapshot *snapshot = snapshot_new(name, from, created_ns, root);
    enum named result = snapshot ? snapshot_add(store, snapshot, false) : NAMED_NO_MEMORY;

    if (result)
        snapshot_unref(snapshot);
    return result;
}

/* Nothing is written to the branch before the snapshot is known to all. */
enum named store_snapshot_take(struct store *store, struct branch *b, struct str name)
{
    struct snapshot *none;
    enum named result = NAMED_NO_MEMORY;

    pthread_rwlock_wrlock(&store->lock);
    branch_read_lock(b);
    struct snapshot *snapshot =
        snapshot_new(name, branch_name(b), clock_now_ns(), root_ref(b->root));
    if (snapshot)
        result = put_snapshot_locked(store, snapshot, false, &none);
    if (!result)
        notify_snapshot_locked(
            store, b->unseen ? CHANGE_SNAPSHOT_LOADED : CHANGE_SNAPSHOT_TAKEN, snapshot);
    branch_unlock(b);
    pthread_rwlock_unlock(&store->lock);
    if (result)
        snapshot_unref(snapshot);
    return result;
}

struct root *store_snapshot_root(struct store *store, struct str name)
{
    struct root *root = NULL;

    pthread_rwlock_rdlock(&store->lock);
    const struct snapshot *snapshot = find_snapshot_locked(store, name);
    if (snapshot)
        root = root_ref(snapshot->root);
    pthread_rwlock_unlock(&store->lock);
    return root;
}

enum named store_snapshot_drop(struct store *store, struct str name)
{
    struct snapshot *snapshot;

    pthread_rwlock_wrlock(&store->lock);
    snapshot = remove_name_locked(store, &store->snapshots, &snapshot_tree, name);
    if (snapshot)
        notify_snapshot_locked(store, CHANGE_SNAPSHOT_DROPPED, snapshot);
    pthread_rwlock_unlock(&store->lock);
    snapshot_unref(snapshot);
    return snapshot ? NAMED_OK : NAMED_MISSING;
}
