/* SPDX-License-Identifier: MIT */
/* named.c - looking at branches and snapshots: what they are and what they hold. Buckets are
 * counted on a root, which nobody can change. */
#include "store/bucket.h"
#include "store/names.h"

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
static void fill_named(struct str name, const struct label *label, struct root *root,
                       struct named_info *out)
{
    *out = (struct named_info){.created_ns = label->created_ns};
    str_put(out->name, name);
    str_put(out->from, label_from(label));
    count_buckets(root, out);
    root_unref(root);
}

bool store_branch_next(struct store *store, struct str after, bool inclusive,
                       struct named_info *out)
{
    struct branch *b = names_next(store, NAMES_BRANCHES, after, inclusive);

    if (b)
        fill_named(branch_name(b), &b->label, branch_root(b), out);
    branch_unref(b);
    return b != NULL;
}

bool store_snapshot_next(struct store *store, struct str after, bool inclusive,
                         struct named_info *out)
{
    struct snapshot *snapshot = names_next(store, NAMES_SNAPSHOTS, after, inclusive);

    if (snapshot)
        fill_named(snapshot_name(snapshot), &snapshot->label, root_ref(snapshot->root), out);
    snapshot_unref(snapshot);
    return snapshot != NULL;
}
