/* SPDX-License-Identifier: MIT */
/* named.c - looking at branches and snapshots: what they are and what they hold. The store's
 * lock is held to find one; its buckets are counted on its root, which nobody can change. */
#include "store/bucket.h"

static void count_buckets(struct root *root, struct named_info *out)
{
    struct cursor cursor;

    for (const struct bucket *k = cursor_first(&cursor, &root->buckets); k;
         k = cursor_next(&cursor)) {
        out->bucket_count++;
        out->object_count += k->objects.count;
        out->object_bytes += k->object_bytes;
        out->version_count += k->versions.count;
        out->version_bytes += k->version_bytes;
        out->upload_count += k->uploads.count;
    }
}

/* Takes root. */
static void fill_named(const struct label *label, struct root *root, struct named_info *out)
{
    *out = (struct named_info){.created_ns = label->created_ns};
    memcpy(out->name, label->name, sizeof(out->name));
    memcpy(out->from, label->from, sizeof(out->from));
    count_buckets(root, out);
    root_unref(root);
}

/* Sorts behind every name up to the key. */
static int behind_branch(const void *key, const void *item)
{
    return branch_tree.compare(key, item) >= 0 ? 1 : -1;
}

static int behind_snapshot(const void *key, const void *item)
{
    return snapshot_tree.compare(key, item) >= 0 ? 1 : -1;
}

bool store_branch_next(struct store *store, struct str after, bool inclusive,
                       struct named_info *out)
{
    tree_compare *from = inclusive ? branch_tree.compare : behind_branch;
    struct cursor cursor;

    pthread_rwlock_rdlock(&store->lock);
    struct branch *b = cursor_seek(&cursor, &store->branches, from, &after);
    if (b)
        branch_tree.ref(b);
    pthread_rwlock_unlock(&store->lock);
    if (!b)
        return false;
    fill_named(&b->label, branch_root(b), out);
    branch_unref(b);
    return true;
}

bool store_snapshot_next(struct store *store, struct str after, bool inclusive,
                         struct named_info *out)
{
    tree_compare *from = inclusive ? snapshot_tree.compare : behind_snapshot;
    struct cursor cursor;

    pthread_rwlock_rdlock(&store->lock);
    struct snapshot *snapshot = cursor_seek(&cursor, &store->snapshots, from, &after);
    if (snapshot)
        snapshot_tree.ref(snapshot);
    pthread_rwlock_unlock(&store->lock);
    if (!snapshot)
        return false;
    fill_named(&snapshot->label, root_ref(snapshot->root), out);
    snapshot_unref(snapshot);
    return true;
}
