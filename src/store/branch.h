/* SPDX-License-Identifier: MIT */
/* branch.h - the inside of branches and roots. */
#ifndef S3MEM_STORE_BRANCH_H
#define S3MEM_STORE_BRANCH_H

#include "store/core.h"

struct bucket;

/* What branches and snapshots are called, when they were made and of what; at the end of both.
 */
struct label {
    int64_t created_ns;
    uint8_t name_len, from_len;
    char text[]; /* the name, what it was made of (empty for "main"), each with a NUL */
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
    bool unseen;        /* a loader's own, or nobody's any more: observers are not told. Set
                         * under store.lock and lock, held for reading at least */
    bool from_snapshot; /* what the label names as its source is a snapshot */
    bool of_key;        /* made for an access key: goes when idle (expiry.c) */
    _Atomic bool expired;
    struct store *store;
    struct root *root; /* never NULL */
    /* When one bucket was restored (restore.c) the store has another branch of this name, a
     * reference; then this one is good for what its holders do to that bucket only. Set once,
     * while no writer has the lock. */
    _Atomic(struct branch *) successor;
    char *kept;              /* that bucket's name, owned; set before */
    _Atomic int64_t used_ns; /* monotonic; only of_key */
    pthread_rwlock_t lock;   /* guards root (which one, and what is in it) */
    struct label label;
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

/* Takes root. NULL when memory is out; that there is room under the limit is the caller's to
 * ask, with branch_size. */
struct branch *branch_new(struct store *store, struct str name, struct str from,
                          struct root *root);
size_t branch_size(struct str name, struct str from);
/* Takes root. NULL when memory is out, or beyond the limit. */
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
struct str snapshot_name(const struct snapshot *snapshot);
struct str label_from(const struct label *label);
/* store.lock is held. */
struct branch *find_branch_locked(struct store *store, struct str name);
struct snapshot *find_snapshot_locked(struct store *store, struct str name);
/* expiry.c: marks b, made for an access key and just looked up, as used. False: it is going. */
MUST_CHECK bool branch_use(struct branch *b);
/* Takes away the branches made for access keys that are idle, see store_options. */
void expire_branches(void *store);
/* Tells that b, which the store has let go of, is deleted. store.lock is held. */
void branch_bury_locked(struct branch *b);
bool branch_is_main(struct str name);

void branch_read_lock(struct branch *b);
void branch_write_lock(struct branch *b);
/* For what concerns one bucket: lock b or, if that bucket is not what it was kept for, the one
 * that came after it. Returns which; b keeps it alive. */
struct branch *branch_read_lock_at(struct branch *b, struct str bucket);
struct branch *branch_write_lock_at(struct branch *b, struct str bucket);
void branch_unlock(struct branch *b);
/* The branch's root, held by nobody else. Write lock held. */
struct root *branch_own_root_locked(struct branch *b);

/* Tells the observers; the branch's lock is held. */
void branch_notify_locked(struct branch *b, struct change change);
/* The same of what no branch does; store.lock is held. */
void store_notify_locked(struct store *store, const struct change *change);

#endif
