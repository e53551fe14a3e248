/* SPDX-License-Identifier: MIT */
/* branch.h - the inside of branches and roots. */
#ifndef S3MEM_STORE_BRANCH_H
#define S3MEM_STORE_BRANCH_H

#include "store/core.h"

struct bucket;

/* What branches and snapshots are called, when they were made and of what. */
struct label {
    int64_t created_ns;
    char name[NAME_MAX_LEN + 1];
    char from[NAME_MAX_LEN + 1]; /* empty for "main" */
};

/* All buckets at one instant. Changed in place only by the one branch that holds it alone. */
struct root {
    _Atomic uint32_t refs;
    struct store *store;
    struct tree buckets; /* struct bucket by name */
    struct reap reap;
};

struct branch {
    _Atomic uint32_t refs;
    struct store *store;
    pthread_rwlock_t lock;   /* guards root (which one, and what is in it) and cache */
    struct root *root;       /* never NULL */
    struct node_cache cache; /* for writers */
    bool unseen;             /* a loader's own, or nobody's any more: observers are not told */
    struct label label;
    /* When one bucket was restored (restore.c) the store has another branch of this name, a
     * reference; then this one is good for what its holders do to that bucket only. */
    struct branch *successor;
    char kept[BUCKET_NAME_SIZE];
};

struct snapshot {
    _Atomic uint32_t refs;
    struct root *root;
    struct label label;
};

extern const struct tree_type branch_tree;
extern const struct tree_type snapshot_tree;

struct root *root_new(struct store *store);
struct bucket *root_bucket(const struct root *root, struct str name);

/* Takes root, and gives the caller's reference on it to the branch. NULL when memory is out. */
struct branch *branch_new(struct store *store, struct str name, struct str from,
                          struct root *root);
/* Takes root. NULL when memory is out. */
struct snapshot *snapshot_new(struct str name, struct str from, int64_t created_ns,
                              struct root *root);
void snapshot_unref(struct snapshot *snapshot);
/* Puts a snapshot under its name; with replace in place of the one that has it. Takes it when
 * OK. */
MUST_CHECK enum named snapshot_add(struct store *store, struct snapshot *snapshot,
                                   bool replace);

/* Gives b, which nobody has seen yet, the bucket of another state, and takes it away when that
 * has none. */
MUST_CHECK enum named branch_take_bucket(struct branch *b, const struct root *source,
                                         struct str bucket);
/* Takes root: the state of main. */
MUST_CHECK enum named branch_load_main(struct store *store, struct root *root,
                                       int64_t created_ns);
/* store.lock is held. */
struct branch *find_branch_locked(const struct store *store, struct str name);
struct snapshot *find_snapshot_locked(const struct store *store, struct str name);
bool branch_is_main(struct str name);

void branch_read_lock(struct branch *b);
void branch_write_lock(struct branch *b);
/* For what concerns one bucket: lock b or, if that bucket is not what it was kept for, the one
 * that came after it. Returns which; b keeps it alive. */
struct branch *branch_read_lock_at(struct branch *b, struct str bucket);
struct branch *branch_write_lock_at(struct branch *b, struct str bucket);
void branch_unlock(struct branch *b);
/* The branch's root, held by nobody else. Write lock held; nodes reserved by the caller. */
struct root *branch_own_root_locked(struct branch *b);

/* Tells the observers; the branch's lock is held. */
void branch_notify_locked(struct branch *b, struct change change);
/* The same of what no branch does; store.lock is held. */
void store_notify_locked(struct store *store, const struct change *change);

#endif
