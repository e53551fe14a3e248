/* SPDX-License-Identifier: MIT */
/* tree.c - red-black trees with path copying and without parent pointers.
 *
 * A write walks down and makes every node on its way its own (own()): a node with one reference
 * is, because its parent is too; any other is replaced by a copy, which takes references on
 * both children and the item. What the walk did is kept as a path of links (addresses of child
 * pointers), along which the balance is restored upwards. */
#include "store/tree.h"

#include <assert.h>

#define CACHE_LINE 64

struct node {
    struct node *left, *right;
    void *item;
    _Atomic uint32_t refs;
    bool red;
};

_Static_assert(sizeof(struct node) == 32, "part of the 100 bytes an object may cost");

struct writer {
    const struct tree_type *type;
    struct node_cache *cache;
    struct node **path[TREE_HEIGHT_MAX + 2];
    int depth;
};

/* ---- nodes ------------------------------------------------------------------------- */

void node_cache_init(struct node_cache *cache, struct pool *pool, struct account *account)
{
    *cache = (struct node_cache){.pool = pool, .account = account};
}

bool node_cache_reserve(struct node_cache *cache, size_t count)
{
    while (cache->count < count) {
        void *batch[64];
        size_t want = count - cache->count + ARRAY_LEN(batch) / 2;
        size_t got = pool_take_many(cache->pool, sizeof(struct node), batch,
                                    want < ARRAY_LEN(batch) ? want : ARRAY_LEN(batch));

        if (got == 0)
            return false;
        for (size_t i = got; i-- > 0;) {
            struct node *node = batch[i];

            node->left = cache->free;
            cache->free = node;
        }
        cache->count += got;
        account_force(cache->account, ACCOUNT_TREE, got * sizeof(struct node));
    }
    return true;
}

static void node_free(struct account *account, struct node *node)
{
    pool_give(node, sizeof(*node));
    account_give(account, ACCOUNT_TREE, sizeof(*node));
}

void node_cache_release(struct node_cache *cache)
{
    while (cache->free) {
        struct node *node = cache->free;

        cache->free = node->left;
        node_free(cache->account, node);
    }
    cache->count = 0;
}

size_t tree_write_bound(uint64_t count)
{
    size_t log2 = count ? 64 - (size_t)__builtin_clzll(count) : 0;

    /* A path of at most 2 log2(n + 1) nodes, a sibling on each level, and the last rotation's.
     */
    return 4 * (log2 + 1) + 4;
}

static struct node *node_new(struct node_cache *cache, void *item)
{
    struct node *node = cache->free;

    assert(node); /* node_cache_reserve was not asked for enough */
    cache->free = node->left;
    cache->count--;
    node->left = node->right = NULL;
    node->item = item;
    atomic_init(&node->refs, 1);
    node->red = true;
    return node;
}

static struct node *node_ref(struct node *node)
{
    if (node)
        atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

/* True when that was the last reference. */
static bool node_unref(struct node *node)
{
    return atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) == 1;
}

/* A big tree is in no cache: each step down waits for memory, first for the item to compare
 * with, then for the child. Asking for both children first makes that one wait. */
static inline void prefetch_children(const struct node *node)
{
    __builtin_prefetch(node->left);
    __builtin_prefetch(node->right);
}

static bool is_red(const struct node *node)
{
    return node && node->red;
}

/* Makes the node behind an owned link owned. */
static struct node *own(struct writer *w, struct node **link)
{
    struct node *shared = *link;

    /* acquire: whoever dropped the other reference has finished reading. */
    if (atomic_load_explicit(&shared->refs, memory_order_acquire) == 1)
        return shared;

    struct node *copy = node_new(w->cache, shared->item);
    copy->left = node_ref(shared->left);
    copy->right = node_ref(shared->right);
    copy->red = shared->red;
    w->type->ref(copy->item);
    *link = copy;
    if (node_unref(shared)) {
        /* The others let go meanwhile. The copy holds children and item, so none of them ends
         * here, however much hangs below. */
        if (shared->left)
            (void)node_unref(shared->left);
        if (shared->right)
            (void)node_unref(shared->right);
        w->type->unref(shared->item);
        node_free(w->cache->account, shared);
    }
    return copy;
}

/* ---- balance ----------------------------------------------------------------------- */

/* The child on the other side comes up. Both nodes are owned. */
static void rotate(struct node **link, bool left)
{
    struct node *top = *link;
    struct node *child = left ? top->right : top->left;

    if (left) {
        top->right = child->left;
        child->left = top;
    } else {
        top->left = child->right;
        child->right = top;
    }
    *link = child;
}

/* path[at] leads to a red node whose parent may be red. */
static void insert_fix(struct writer *w, int at)
{
    struct node ***path = w->path;

    while (at >= 2 && (*path[at - 1])->red) {
        struct node *parent = *path[at - 1], *grand = *path[at - 2];
        bool left = path[at - 1] == &grand->left;
        struct node **uncle = left ? &grand->right : &grand->left;

        if (is_red(*uncle)) {
            own(w, uncle)->red = false;
            parent->red = false;
            grand->red = true;
            at -= 2;
            continue;
        }
        if (path[at] == (left ? &parent->right : &parent->left))
            rotate(path[at - 1], left);
        rotate(path[at - 2], !left);
        (*path[at - 2])->red = false;
        grand->red = true;
        return;
    }
}

/* The subtree behind path[at] has one black node too few. */
static void remove_fix(struct writer *w, int at)
{
    struct node ***path = w->path;

    while (at > 0) {
        struct node *parent = *path[at - 1];
        bool left = path[at] == &parent->left;
        struct node **link = left ? &parent->right : &parent->left;
        struct node *sibling = own(w, link);

        if (sibling->red) { /* its black child becomes the sibling */
            sibling->red = false;
            parent->red = true;
            rotate(path[at - 1], left);
            path[at] = left ? &sibling->left : &sibling->right;
            path[at + 1] = left ? &parent->left : &parent->right;
            at++;
            continue;
        }

        struct node **near = left ? &sibling->left : &sibling->right;
        struct node **far = left ? &sibling->right : &sibling->left;

        if (!is_red(*near) && !is_red(*far)) {
            sibling->red = true;
            if (parent->red) {
                parent->red = false;
                return;
            }
            at--;
            continue;
        }
        if (!is_red(*far)) {
            own(w, near)->red = false;
            sibling->red = true;
            rotate(link, !left);
            sibling = *link;
            far = left ? &sibling->right : &sibling->left;
        }
        own(w, far)->red = false;
        sibling->red = parent->red;
        parent->red = false;
        rotate(path[at - 1], left);
        return;
    }
}

/* ---- writing ----------------------------------------------------------------------- */

/* Walks down to key, owning the way: path[depth - 1] is the link to its node. False when there
 * is none; *end is then the empty link where it belongs. */
static bool walk(struct writer *w, struct tree *t, const void *key, struct node ***end)
{
    struct node **link = &t->root;

    w->depth = 0;
    while (*link) {
        struct node *node = own(w, link);

        w->path[w->depth++] = link;
        prefetch_children(node);
        int order = w->type->compare(key, node->item);
        if (order == 0)
            return true;
        link = order < 0 ? &node->left : &node->right;
    }
    *end = link;
    return false;
}

void *tree_put(struct tree *t, const struct tree_type *type, struct node_cache *cache,
               const void *key, void *item)
{
    struct writer w = {.type = type, .cache = cache};
    struct node **end;

    if (walk(&w, t, key, &end)) {
        struct node *node = *w.path[w.depth - 1];
        void *replaced = node->item;

        node->item = item;
        return replaced;
    }
    *end = node_new(cache, item);
    w.path[w.depth] = end;
    insert_fix(&w, w.depth);
    t->root->red = false;
    t->count++;
    return NULL;
}

void **tree_own(struct tree *t, const struct tree_type *type, struct node_cache *cache,
                const void *key)
{
    struct writer w = {.type = type, .cache = cache};
    struct node **end;
    bool found = walk(&w, t, key, &end);

    assert(found);
    return &(*w.path[w.depth - 1])->item;
}

void *tree_remove(struct tree *t, const struct tree_type *type, struct node_cache *cache,
                  const void *key)
{
    struct writer w = {.type = type, .cache = cache};
    struct node **end;

    /* Looking first keeps a miss from copying the path. */
    if (!tree_find(t, type->compare, key) || !walk(&w, t, key, &end))
        return NULL;

    struct node *node = *w.path[w.depth - 1];
    void *removed = node->item;

    if (node->left && node->right) { /* the successor's item moves up, its node goes */
        struct node *holder = node;
        struct node **link = &node->right;

        do {
            node = own(&w, link);
            w.path[w.depth++] = link;
            link = &node->left;
        } while (node->left);
        holder->item = node->item;
    }

    struct node **link = w.path[w.depth - 1];
    struct node *child = NULL;
    if (node->left)
        child = own(&w, &node->left);
    else if (node->right)
        child = own(&w, &node->right);
    bool short_of_black = !node->red && !child;

    *link = child;
    if (child) /* an only child is red, below a black node */
        child->red = false;
    node_free(cache->account, node);
    if (short_of_black)
        remove_fix(&w, w.depth - 1);
    t->count--;
    return removed;
}

/* ---- reading ----------------------------------------------------------------------- */

void *tree_find(const struct tree *t, tree_compare *compare, const void *key)
{
    const struct node *node = t->root;

    while (node) {
        prefetch_children(node);
        int order = compare(key, node->item);

        if (order == 0)
            return node->item;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

void *tree_find_last(const struct tree *t, tree_compare *compare, const void *key)
{
    const struct node *node = t->root;
    void *last = NULL;

    while (node) {
        if (compare(key, node->item) < 0) {
            node = node->left;
        } else {
            last = node->item;
            node = node->right;
        }
    }
    return last;
}

void *cursor_item(const struct cursor *c)
{
    return c->depth > 0 ? c->path[c->depth - 1]->item : NULL;
}

static void descend_left(struct cursor *c, const struct node *node)
{
    for (; node; node = node->left) {
        /* The walk comes back to this item, then goes right. */
        __builtin_prefetch(node->item);
        __builtin_prefetch((const char *)node->item + CACHE_LINE);
        __builtin_prefetch(node->right);
        c->path[c->depth++] = node;
    }
}

void *cursor_first(struct cursor *c, const struct tree *t)
{
    c->depth = 0;
    descend_left(c, t->root);
    return cursor_item(c);
}

void *cursor_seek(struct cursor *c, const struct tree *t, tree_compare *compare,
                  const void *key)
{
    const struct node *node = t->root;
    int found = 0;

    c->depth = 0;
    while (node) {
        c->path[c->depth++] = node;
        prefetch_children(node);
        if (compare(key, node->item) <= 0) {
            found = c->depth;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    c->depth = found;
    return cursor_item(c);
}

void *cursor_next(struct cursor *c)
{
    if (c->depth == 0)
        return NULL;

    const struct node *node = c->path[c->depth - 1];

    if (node->right) {
        descend_left(c, node->right);
    } else {
        const struct node *child;

        do {
            child = c->path[--c->depth];
        } while (c->depth > 0 && c->path[c->depth - 1]->right == child);
    }
    return cursor_item(c);
}

/* ---- sharing and dropping ---------------------------------------------------------- */

struct tree tree_share(const struct tree *t)
{
    node_ref(t->root);
    return *t;
}

void tree_release(struct tree *t, const struct tree_type *type, struct account *account)
{
    struct node *pending[TREE_HEIGHT_MAX + 1];
    int count = 0;

    if (t->root)
        pending[count++] = t->root;
    *t = (struct tree){NULL, 0};
    while (count > 0) {
        struct node *node = pending[--count];

        if (!node_unref(node))
            continue;
        if (node->right)
            pending[count++] = node->right;
        if (node->left)
            pending[count++] = node->left;
        type->unref(node->item);
        node_free(account, node);
    }
}

/* ---- checking ---------------------------------------------------------------------- */

struct inspection {
    int (*compare)(const void *a, const void *b);
    const void *previous;
    uint64_t count;
};

/* Black height, or -1 when a rule is broken. Recursion is bounded: the height is checked. */
static int inspect(struct inspection *in, const struct node *node, bool parent_red, int depth)
{
    if (!node)
        return 0;
    if ((node->red && parent_red) || depth >= TREE_HEIGHT_MAX)
        return -1;

    int left = inspect(in, node->left, node->red, depth + 1);
    if (in->previous && in->compare(in->previous, node->item) >= 0)
        return -1;
    in->previous = node->item;
    in->count++;

    int right = inspect(in, node->right, node->red, depth + 1);
    if (left < 0 || left != right)
        return -1;
    return left + !node->red;
}

bool tree_is_sound(const struct tree *t, int (*compare_items)(const void *a, const void *b))
{
    struct inspection in = {.compare = compare_items};

    return !is_red(t->root) && inspect(&in, t->root, false, 0) >= 0 && in.count == t->count;
}
