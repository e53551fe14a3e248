/* SPDX-License-Identifier: MIT */
/* bucket.h - a bucket's trees, and what a writer does to them.
 *
 * Of each key, `objects` has the current record unless that is a delete marker; `versions` has
 * all others, newest first; `nulls` finds the one among those whose id is "null". If a key has
 * versions but no object, its newest version is a delete marker. Without versioning the last
 * two are empty. */
#ifndef S3MEM_STORE_BUCKET_H
#define S3MEM_STORE_BUCKET_H

#include "store/branch.h"
#include "store/core.h"
#include "store/record.h"

struct bucket {
    _Atomic uint32_t refs;
    enum versioning versioning;
    struct store *store;
    struct tree objects;  /* struct record by key */
    struct tree versions; /* struct record by key, newest first */
    struct tree nulls;    /* those of versions that are null versions, by key */
    struct tree uploads;  /* struct upload by key, oldest first */
    uint64_t object_bytes, version_bytes;
    int64_t created_ns;
    struct doc *owner;
    struct doc *docs[BUCKET_DOC_COUNT];
    struct reap reap;
    char name[BUCKET_NAME_SIZE];
    char region[32];
};

extern const struct tree_type bucket_tree;  /* keys: struct str */
extern const struct tree_type object_tree;  /* keys: struct str */
extern const struct tree_type version_tree; /* keys: struct version_key */

/* Newest first: SEQUENCE_MAX seeks the first version of a key. */
struct version_key {
    struct str key;
    uint64_t sequence;
};

struct str bucket_name(const struct bucket *k);
void bucket_ref(struct bucket *k);
/* The last one hands the trees to the reaper. */
void bucket_unref(struct bucket *k);
/* A bucket that shares all of k's trees and documents. */
struct bucket *bucket_copy(const struct bucket *k);
/* Drops what k alone holds: O(1) when there is a copy. Settings stay. */
void bucket_empty(struct bucket *k);
/* Takes over what bucket_create cannot be told: time, versioning, documents. After edit_own. */
void bucket_settle(struct bucket *k, const struct bucket_info *info);
/* *out is to be released. */
void bucket_info_fill(const struct bucket *k, struct bucket_info *out);

/* ---- reading (a lock or a reference on the bucket held) ---------------------------- */

struct record *bucket_current(const struct bucket *k, struct str key);
/* The newest of what `versions` has of the key; NULL when there is nothing. */
struct record *bucket_newest_version(const struct bucket *k, struct str key);
/* Current or not, by the number in its id, or the null version. NULL when there is none. */
struct record *bucket_version(const struct bucket *k, struct str key, uint64_t sequence);
struct record *bucket_null_version(const struct bucket *k, struct str key);

/* ---- writing ----------------------------------------------------------------------- */

/* b's write lock is held. False when memory is out. */
/* Takes k when true: in place of the bucket of its name, if there is one. */
MUST_CHECK bool branch_put_bucket_locked(struct branch *b, struct bucket *k);
/* *gone: a reference to be dropped; NULL when there was none. */
MUST_CHECK bool branch_remove_bucket_locked(struct branch *b, struct str bucket,
                                            struct bucket **gone);

/* A change to one bucket: holds the branch's write lock from edit_begin to edit_end.
 * Look at `bucket` first; after edit_own it may be changed, and nothing can fail any more. */
struct edit {
    struct branch *branch;
    struct bucket *bucket;
    struct node_cache *nodes;  /* from edit_own to edit_end */
    size_t more_nodes;         /* to reserve beyond what the bucket's own trees can need */
    struct record *dropped[4]; /* references to drop once the lock is released */
    size_t dropped_count;
};

/* NO_SUCH_BUCKET. edit_end is due in any case. */
MUST_CHECK enum s3_err edit_begin(struct edit *e, struct branch *b, struct str bucket);
/* SLOW_DOWN when memory is out; nothing has changed then. */
MUST_CHECK enum s3_err edit_own(struct edit *e);
/* The same for a change that gives numbers. INTERNAL_ERROR when they are used up. */
MUST_CHECK enum s3_err edit_own_numbered(struct edit *e);
void edit_end(struct edit *e);
/* Takes r (may be NULL). */
void edit_drop(struct edit *e, struct record *r);

/* After edit_own. Sizes and counts follow. Each takes and returns references. */
/* Returns the record it replaced, or NULL. */
MUST_CHECK struct record *edit_set_current(struct edit *e, struct record *r);
MUST_CHECK struct record *edit_remove_current(struct edit *e, struct str key);
void edit_add_version(struct edit *e, struct record *r);
/* version is one of bucket->versions. */
MUST_CHECK struct record *edit_remove_version(struct edit *e, struct record *version);

#endif
