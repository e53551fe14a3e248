/* SPDX-License-Identifier: MIT */
/* branch.c - branches and snapshots: names for roots. A branch is written through, a snapshot
 * only read and forked. Who they are is in names.c; a branch's lock guards its root. */
#include "store/branch.h"
#include "store/bucket.h"
#include "store/names.h"

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

/* ---- labels ------------------------------------------------------------------------ */

static size_t label_size(struct str name, struct str from)
{
    return name.len + from.len + 2;
}

static void label_fill(struct label *label, struct str name, struct str from,
                       int64_t created_ns)
{
    assert(name.len > 0 && name.len <= NAME_MAX_LEN && from.len <= NAME_MAX_LEN);
    *label = (struct label){
        .created_ns = created_ns, .name_len = (uint8_t)name.len, .from_len = (uint8_t)from.len};
    *str_put(label->text, name) = '\0';
    *str_put(label->text + name.len + 1, from) = '\0';
}

static struct str label_name(const struct label *label)
{
    return str_of(label->text, label->name_len);
}

struct str label_from(const struct label *label)
{
    return str_of(label->text + label->name_len + 1, label->from_len);
}

/* ---- what names stand for ---------------------------------------------------------- */

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
    return str_cmp(*(const struct str *)key, snapshot_name(item));
}

static void ref_snapshot(void *item)
{
    refs_take(&((struct snapshot *)item)->refs);
}

struct str snapshot_name(const struct snapshot *snapshot)
{
    return label_name(&snapshot->label);
}

static size_t snapshot_size(struct str name, struct str from)
{
    return sizeof(struct snapshot) + label_size(name, from);
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || !refs_drop(&snapshot->refs))
        return;
    account_give(&snapshot->root->store->account, ACCOUNT_TREE,
                 snapshot_size(snapshot_name(snapshot), label_from(&snapshot->label)));
    root_unref(snapshot->root);
    mem_free(snapshot);
}

static void unref_snapshot(void *item)
{
    snapshot_unref(item);
}

const struct tree_type snapshot_tree = {compare_snapshot, ref_snapshot, unref_snapshot};

/* ---- branches ---------------------------------------------------------------------- */

size_t branch_size(struct str name, struct str from)
{
    return sizeof(struct branch) + label_size(name, from);
}

struct branch *branch_new(struct store *store, struct str name, struct str from,
                          struct root *root)
{
    struct branch *b = try_malloc(branch_size(name, from));
    pthread_rwlockattr_t attr;

    if (!b) {
        root_unref(root);
        return NULL;
    }
    account_force(&store->account, ACCOUNT_TREE, branch_size(name, from));
    *b = (struct branch){.store = store, .root = root};
    label_fill(&b->label, name, from, clock_now_ns());
    atomic_init(&b->refs, 1);
    /* Or a stream of readers would starve the writers. */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&b->lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    return b;
}

static struct branch *branch_successor(struct branch *b)
{
    return atomic_load_explicit(&b->successor, memory_order_acquire);
}

/* Not by recursion: successors may be many. */
void branch_unref(struct branch *b)
{
    while (b && refs_drop(&b->refs)) {
        struct branch *successor = branch_successor(b);

        account_give(&b->store->account, ACCOUNT_TREE,
                     branch_size(branch_name(b), label_from(&b->label)));
        root_unref(b->root);
        pthread_rwlock_destroy(&b->lock);
        mem_free(b->kept);
        mem_free(b);
        b = successor;
    }
}

struct str branch_name(const struct branch *b)
{
    return label_name(&b->label);
}

void branch_read_lock(struct branch *b)
{
    pthread_rwlock_rdlock(&b->lock);
}

void branch_write_lock(struct branch *b)
{
    pthread_rwlock_wrlock(&b->lock);
}

/* The branch that what concerns this bucket goes to; NULL: b. */
static struct branch *next_for(struct branch *b, struct str bucket)
{
    struct branch *successor = branch_successor(b);

    return successor && !str_eq(str_c(b->kept), bucket) ? successor : NULL;
}

struct branch *branch_read_lock_at(struct branch *b, struct str bucket)
{
    struct branch *next;

    for (branch_read_lock(b); (next = next_for(b, bucket)); branch_read_lock(b)) {
        branch_unlock(b);
        b = next;
    }
    return b;
}

struct branch *branch_write_lock_at(struct branch *b, struct str bucket)
{
    struct branch *next;

    for (branch_write_lock(b); (next = next_for(b, bucket)); branch_write_lock(b)) {
        branch_unlock(b);
        b = next;
    }
    return b;
}

bool branch_is_current(struct branch *b, struct str bucket)
{
    struct branch *at = branch_read_lock_at(b, bucket);
    bool current = !at->unseen;

    branch_unlock(at);
    return current;
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

/* The store has no such branch any more: calls that hold it finish unseen. */
void branch_bury_locked(struct branch *b)
{
    branch_read_lock(b);
    branch_notify_locked(b, (struct change){.kind = CHANGE_BRANCH_DELETED});
    b->unseen = true;
    branch_unlock(b);
}

bool branch_is_main(struct str name)
{
    return str_eq(name, STR("main"));
}

struct branch *find_branch_locked(struct store *store, struct str name)
{
    return names_find_locked(store, NAMES_BRANCHES, name);
}

struct branch *store_branch(struct store *store, struct str name)
{
    struct branch *b;

    while ((b = names_get(store, NAMES_BRANCHES, name)) && b->of_key && !branch_use(b)) {
        branch_unref(b);
        /* The reaper is about to take it away, and holds the lock until that is decided. */
        pthread_mutex_lock(&store->lock);
        pthread_mutex_unlock(&store->lock);
    }
    return b;
}

/* ---- forking ----------------------------------------------------------------------- */

struct snapshot *find_snapshot_locked(struct store *store, struct str name)
{
    return names_find_locked(store, NAMES_SNAPSHOTS, name);
}

/* What a fork is made of besides a root. */
struct fork {
    struct str name, from;
    bool from_snapshot, of_key;
    int64_t created_ns;
};

/* Takes root. Nobody writes to the fork before its observers know of it. */
static enum named fork_locked(struct store *store, const struct fork *fork, struct root *root)
{
    struct branch *b = branch_new(store, fork->name, fork->from, root);
    void *none = NULL;

    if (!b)
        return NAMED_NO_MEMORY;
    b->from_snapshot = fork->from_snapshot;
    b->of_key = fork->of_key;
    atomic_init(&b->used_ns, clock_coarse_ns());
    b->label.created_ns = fork->created_ns;
    branch_write_lock(b);
    bool done = names_put_locked(store, NAMES_BRANCHES, fork->name, b, &none);
    if (done)
        store_notify_locked(store, &(struct change){.kind = CHANGE_BRANCH_FORKED,
                                                    .branch = fork->name,
                                                    .name = fork->from,
                                                    .from_snapshot = fork->from_snapshot,
                                                    .time_ns = fork->created_ns});
    branch_unlock(b);
    assert(!none);
    if (!done)
        branch_unref(b);
    return done ? NAMED_OK : NAMED_NO_MEMORY;
}

/* May there be another branch of that name? */
static enum named check_fork_locked(struct store *store, const struct fork *fork)
{
    uint64_t others = names_count_locked(store, NAMES_BRANCHES) - 1;

    if (find_branch_locked(store, fork->name))
        return NAMED_EXISTS;
    if (store->branch_limit > 0 && others >= store->branch_limit)
        return NAMED_TOO_MANY;
    return account_has_room(&store->account, branch_size(fork->name, fork->from))
               ? NAMED_OK
               : NAMED_NO_MEMORY;
}

/* Nothing is written to the source before the fork is known to all. */
static enum named fork_branch_locked(struct store *store, const struct fork *fork)
{
    struct branch *source = find_branch_locked(store, fork->from);
    enum named result;

    if (!source)
        return NAMED_MISSING;
    branch_read_lock(source);
    result = fork_locked(store, fork, root_ref(source->root));
    branch_unlock(source);
    return result;
}

static enum named fork_snapshot_locked(struct store *store, const struct fork *fork)
{
    const struct snapshot *source = find_snapshot_locked(store, fork->from);

    return source ? fork_locked(store, fork, root_ref(source->root)) : NAMED_MISSING;
}

static enum named fork_source_locked(struct store *store, const struct fork *fork)
{
    enum named result = check_fork_locked(store, fork);

    if (result)
        return result;
    return fork->from_snapshot ? fork_snapshot_locked(store, fork)
                               : fork_branch_locked(store, fork);
}

enum named store_fork(struct store *store, struct str name, struct str from_branch,
                      struct str from_snapshot)
{
    struct fork fork = {.name = name,
                        .from = from_snapshot.ptr ? from_snapshot : from_branch,
                        .from_snapshot = from_snapshot.ptr,
                        .created_ns = clock_now_ns()};

    pthread_mutex_lock(&store->lock);
    enum named result = fork_source_locked(store, &fork);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum named store_fork_for_key(struct store *store, struct str key, struct str from)
{
    struct fork fork = {
        .name = key, .from = from, .of_key = true, .created_ns = clock_now_ns()};

    pthread_mutex_lock(&store->lock);
    fork.from_snapshot = find_snapshot_locked(store, from) != NULL;
    enum named result = fork_source_locked(store, &fork);
    pthread_mutex_unlock(&store->lock);
    return result;
}

enum named store_branch_delete(struct store *store, struct str name)
{
    enum named result = NAMED_MISSING;
    void *gone = NULL;

    pthread_mutex_lock(&store->lock);
    if (!branch_is_main(name))
        result = names_remove_locked(store, NAMES_BRANCHES, name, &gone) ? NAMED_OK
                                                                         : NAMED_NO_MEMORY;
    if (gone)
        branch_bury_locked(gone);
    pthread_mutex_unlock(&store->lock);
    branch_unref(gone);
    return !result && !gone ? NAMED_MISSING : result;
}

enum named store_add_branch(struct store *store, struct str name, struct str from,
                            int64_t created_ns, struct root *root)
{
    struct fork fork = {.name = name, .from = from, .created_ns = created_ns};
    enum named result = NAMED_EXISTS;

    if (branch_is_main(name))
        return branch_load_main(store, root, created_ns);
    pthread_mutex_lock(&store->lock);
    if (!find_branch_locked(store, name))
        result = fork_locked(store, &fork, TAKE(root));
    pthread_mutex_unlock(&store->lock);
    root_unref(root);
    return result;
}

/* ---- snapshots --------------------------------------------------------------------- */

struct snapshot *snapshot_new(struct str name, struct str from, int64_t created_ns,
                              struct root *root)
{
    struct account *account = &root->store->account;
    size_t size = snapshot_size(name, from);
    struct snapshot *snapshot = NULL;

    if (account_take(account, ACCOUNT_TREE, size)) {
        snapshot = try_malloc(size);
        if (!snapshot)
            account_give(account, ACCOUNT_TREE, size);
    }
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
                                      bool replace, void **old)
{
    struct str name = snapshot_name(snapshot);

    *old = NULL;
    if (!replace && find_snapshot_locked(store, name))
        return NAMED_EXISTS;
    return names_put_locked(store, NAMES_SNAPSHOTS, name, snapshot, old) ? NAMED_OK
                                                                         : NAMED_NO_MEMORY;
}

static void notify_snapshot_locked(struct store *store, enum change_kind kind,
                                   const struct snapshot *snapshot)
{
    store_notify_locked(store, &(struct change){.kind = kind,
                                                .branch = label_from(&snapshot->label),
                                                .name = snapshot_name(snapshot),
                                                .time_ns = snapshot->label.created_ns,
                                                .root = snapshot->root});
}

enum named snapshot_add(struct store *store, struct snapshot *snapshot, bool replace)
{
    void *old;
    enum named result;

    pthread_mutex_lock(&store->lock);
    result = put_snapshot_locked(store, snapshot, replace, &old);
    if (!result)
        notify_snapshot_locked(store, CHANGE_SNAPSHOT_LOADED, snapshot);
    pthread_mutex_unlock(&store->lock);
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
    void *none;
    enum named result = NAMED_NO_MEMORY;

    pthread_mutex_lock(&store->lock);
    branch_read_lock(b);
    struct snapshot *snapshot =
        snapshot_new(name, branch_name(b), clock_now_ns(), root_ref(b->root));
    if (snapshot)
        result = put_snapshot_locked(store, snapshot, false, &none);
    if (!result)
        notify_snapshot_locked(
            store, b->unseen ? CHANGE_SNAPSHOT_LOADED : CHANGE_SNAPSHOT_TAKEN, snapshot);
    branch_unlock(b);
    pthread_mutex_unlock(&store->lock);
    if (result)
        snapshot_unref(snapshot);
    return result;
}

struct root *store_snapshot_root(struct store *store, struct str name)
{
    struct snapshot *snapshot = names_get(store, NAMES_SNAPSHOTS, name);
    struct root *root = snapshot ? root_ref(snapshot->root) : NULL;

    snapshot_unref(snapshot);
    return root;
}

enum named store_snapshot_drop(struct store *store, struct str name)
{
    void *gone;
    bool done;

    pthread_mutex_lock(&store->lock);
    done = names_remove_locked(store, NAMES_SNAPSHOTS, name, &gone);
    if (gone)
        notify_snapshot_locked(store, CHANGE_SNAPSHOT_DROPPED, gone);
    pthread_mutex_unlock(&store->lock);
    snapshot_unref(gone);
    return gone ? NAMED_OK : done ? NAMED_MISSING : NAMED_NO_MEMORY;
}
