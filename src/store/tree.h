/* SPDX-License-Identifier: MIT */
/* tree.h - persistent red-black trees: buckets, objects, versions, uploads, parts, branches.
 *
 * A struct tree is a handle; several may share nodes (tree_share). A writer changes in place
 * the nodes that only its handle leads to (one reference each, all the way from the root) and
 * copies the others, so nobody who shares the tree sees a change. Nodes are taken from a cache
 * that is filled beforehand, so a write that has begun cannot fail.
 *
 * The caller guards a handle: one writer, or readers only. Different handles need no common
 * lock though they share nodes: the reference counts are atomic, and a shared node never
 * changes. */
#ifndef S3MEM_STORE_TREE_H
#define S3MEM_STORE_TREE_H

#include "store/account.h"
#include "store/pool.h"

struct node;

struct tree {
    struct node *root;
    uint64_t count;
};

/* <0, 0, >0 as key sorts before, at or behind item. Any monotonous function will do to seek. */
typedef int tree_compare(const void *key, const void *item);

/* What a tree holds: counted items, one reference per node. */
struct tree_type {
    tree_compare *compare;
    void (*ref)(void *item);
    void (*unref)(void *item);
};

/* Nodes set aside for one writer. */
struct node_cache {
    struct pool *pool;
    struct account *account;
    struct node *free;
    size_t count;
};

void node_cache_init(struct node_cache *cache, struct pool *pool, struct account *account);
void node_cache_release(struct node_cache *cache);
/* Has at least count nodes afterwards; false when memory is out. */
MUST_CHECK bool node_cache_reserve(struct node_cache *cache, size_t count);
/* Nodes one write to a tree with this many items can need at most. */
size_t tree_write_bound(uint64_t count);

/* NULL when there is none. Borrowed. */
void *tree_find(const struct tree *t, tree_compare *compare, const void *key);
/* The last item that does not sort behind key; NULL when there is none. */
void *tree_find_last(const struct tree *t, tree_compare *compare, const void *key);

/* Takes item, whose key this is. Returns the item it replaced (the caller's reference) or NULL.
 */
MUST_CHECK void *tree_put(struct tree *t, const struct tree_type *type,
                          struct node_cache *cache, const void *key, void *item);
/* Returns the item taken out (the caller's reference) or NULL. */
MUST_CHECK void *tree_remove(struct tree *t, const struct tree_type *type,
                             struct node_cache *cache, const void *key);
/* Where the tree keeps the item of that key, which must be there; only this handle leads to it,
 * so the item may be exchanged for another of equal key, or changed if nobody else holds it. */
void **tree_own(struct tree *t, const struct tree_type *type, struct node_cache *cache,
                const void *key);

/* Another handle on the same nodes. O(1). */
struct tree tree_share(const struct tree *t);
/* Drops the handle's nodes: O(nodes that nobody else holds), for the reaper. */
void tree_release(struct tree *t, const struct tree_type *type, struct account *account);

/* In-order walk; the tree must not change meanwhile (hold a shared handle). */
#define TREE_HEIGHT_MAX 96 /* 2 log2 of more nodes than fit an address space */
struct cursor {
    const struct node *path[TREE_HEIGHT_MAX];
    int depth;
};
/* To the first item that does not sort before key; that item or NULL. */
void *cursor_seek(struct cursor *c, const struct tree *t, tree_compare *compare,
                  const void *key);
void *cursor_first(struct cursor *c, const struct tree *t);
void *cursor_next(struct cursor *c);
/* NULL behind the last one. */
void *cursor_item(const struct cursor *c);

/* For tests: order, colours, black height, count. */
bool tree_is_sound(const struct tree *t, int (*compare_items)(const void *a, const void *b));

#endif
