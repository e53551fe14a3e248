/* SPDX-License-Identifier: MIT */
/* listing.c - walks a bucket in key order: objects, versions (two trees merged) or uploads.
 *
 * Everything under a common prefix is passed by one seek to behind it, so a listing costs
 * O(log n) for each result however many keys a prefix stands for. The root that the listing
 * holds keeps all it points to alive and unchanged. */
#include "store/bucket.h"
#include "store/id.h"
#include "store/upload.h"

/* One tree and where the listing is in it. */
struct source {
    const struct tree *tree;
    tree_compare *from;   /* key: struct seek_key */
    tree_compare *beyond; /* key: struct str, a prefix */
    struct cursor cursor;
};

struct listing {
    struct root *root; /* counted */
    const struct bucket *bucket;
    enum listing_kind kind;
    struct str prefix, delimiter; /* in bytes */
    struct str last_key;          /* of the entry before; borrowed from the root */
    size_t source_count;
    struct source sources[2]; /* LIST_VERSIONS: objects, versions: the order at equal keys */
    char bytes[];
};

/* ---- order ------------------------------------------------------------------------- */

/* A place in a tree: behind this entry of the key, or behind all of them. */
struct seek_key {
    struct str key;
    bool behind_all;
    uint64_t sequence; /* versions go on with older ones, uploads with younger */
};

static int record_from(const void *key, const void *item)
{
    const struct seek_key *from = key;
    int order = str_cmp(from->key, record_key_of(item));

    if (order != 0)
        return order;
    return from->behind_all || record_sequence(item) >= from->sequence ? 1 : -1;
}

static int upload_from(const void *key, const void *item)
{
    const struct seek_key *from = key;
    int order = str_cmp(from->key, upload_key(item));

    if (order != 0)
        return order;
    return from->behind_all || upload_sequence(item) <= from->sequence ? 1 : -1;
}

/* Sorts behind every key that starts with the prefix. */
static int compare_beyond(struct str prefix, struct str key)
{
    int order = memcmp(prefix.ptr, key.ptr, prefix.len < key.len ? prefix.len : key.len);

    return order != 0 ? order : 1;
}

static int record_beyond(const void *key, const void *item)
{
    return compare_beyond(*(const struct str *)key, record_key_of(item));
}

static int upload_beyond(const void *key, const void *item)
{
    return compare_beyond(*(const struct str *)key, upload_key(item));
}

/* ---- opening ----------------------------------------------------------------------- */

static struct str item_key(const struct listing *l, const void *item)
{
    return l->kind == LIST_UPLOADS ? upload_key(item) : record_key_of(item);
}

/* The part of a key that a delimiter makes a common prefix; empty when none does. */
static struct str common_prefix(const struct listing *l, struct str key)
{
    if (l->delimiter.len == 0)
        return STR_NONE;

    size_t at = str_find(str_from(key, l->prefix.len), l->delimiter);

    if (at == SIZE_MAX)
        return STR_NONE;
    return str_of(key.ptr, l->prefix.len + at + l->delimiter.len);
}

static void add_source(struct listing *l, const struct tree *tree, tree_compare *from,
                       tree_compare *beyond)
{
    l->sources[l->source_count++] =
        (struct source){.tree = tree, .from = from, .beyond = beyond};
}

static void seek_from(struct listing *l, const struct seek_key *from)
{
    for (size_t i = 0; i < l->source_count; i++)
        cursor_seek(&l->sources[i].cursor, l->sources[i].tree, l->sources[i].from, from);
}

static void seek_beyond(struct listing *l, struct str prefix)
{
    for (size_t i = 0; i < l->source_count; i++)
        cursor_seek(&l->sources[i].cursor, l->sources[i].tree, l->sources[i].beyond, &prefix);
}

/* What comes before all entries of a key. */
static struct seek_key first_of(const struct listing *l, struct str key)
{
    return (struct seek_key){.key = key, .sequence = l->kind == LIST_UPLOADS ? 0 : UINT64_MAX};
}

/* The place of the last page's last entry, told by its id. */
static enum s3_err find_marker(const struct listing *l, const struct listing_query *q,
                               struct seek_key *from)
{
    *from = first_of(l, q->after);
    if (l->kind == LIST_UPLOADS)
        return upload_id_decode(q->after_id, q->after, &from->sequence) ? S3_OK
                                                                        : S3_INVALID_ARGUMENT;
    if (str_eq(q->after_id, STR("null"))) {
        /* If it has gone meanwhile its place is unknown: better list the key again. */
        const struct record *r = bucket_null_version(l->bucket, q->after);
        if (r)
            from->sequence = record_sequence(r);
        return S3_OK;
    }
    return version_id_decode(q->after_id, &from->sequence) ? S3_OK : S3_INVALID_ARGUMENT;
}

static enum s3_err seek_start(struct listing *l, const struct listing_query *q)
{
    struct seek_key from = first_of(l, l->prefix);

    if (q->after.len > 0 && str_cmp(q->after, l->prefix) >= 0) {
        bool inside = str_has_prefix(q->after, l->prefix);
        struct str listed = inside ? common_prefix(l, q->after) : STR_NONE;

        if (listed.len > 0) {
            seek_beyond(l, listed);
            return S3_OK;
        }
        from = (struct seek_key){.key = q->after, .behind_all = true};
        if (q->after_id.ptr && l->kind != LIST_OBJECTS) {
            enum s3_err err = find_marker(l, q, &from);
            if (err)
                return err;
        }
    }
    seek_from(l, &from);
    return S3_OK;
}

enum s3_err listing_open(struct listing **out, struct root *root,
                         const struct listing_query *query)
{
    const struct bucket *k = root_bucket(root, query->bucket);

    *out = NULL;
    if (!k)
        return S3_NO_SUCH_BUCKET;

    struct listing *l = try_malloc(sizeof(*l) + query->prefix.len + query->delimiter.len);
    if (!l)
        return S3_SLOW_DOWN;
    *l = (struct listing){.root = root, .bucket = k, .kind = query->kind};
    refs_take(&root->refs);
    l->prefix = str_of(l->bytes, query->prefix.len);
    l->delimiter = str_of(l->bytes + query->prefix.len, query->delimiter.len);
    str_put(str_put(l->bytes, query->prefix), query->delimiter);

    if (l->kind == LIST_UPLOADS)
        add_source(l, &k->uploads, upload_from, upload_beyond);
    else
        add_source(l, &k->objects, record_from, record_beyond);
    if (l->kind == LIST_VERSIONS)
        add_source(l, &k->versions, record_from, record_beyond);

    enum s3_err err = seek_start(l, query);
    if (err)
        listing_close(l);
    else
        *out = l;
    return err;
}

void listing_close(struct listing *l)
{
    if (!l)
        return;
    root_unref(l->root);
    mem_free(l);
}

/* ---- walking ----------------------------------------------------------------------- */

/* The source whose next entry comes first; NULL at the end. */
static struct source *next_source(struct listing *l)
{
    struct source *best = NULL;
    struct str best_key = STR_NONE;

    for (size_t i = 0; i < l->source_count; i++) {
        const void *item = cursor_item(&l->sources[i].cursor);

        if (!item)
            continue;
        struct str key = item_key(l, item);
        if (!best || str_cmp(key, best_key) < 0) {
            best = &l->sources[i];
            best_key = key;
        }
    }
    return best;
}

static bool is_latest(const struct listing *l, const struct source *source, const void *item)
{
    struct str key = record_key_of(item);

    if (source == &l->sources[0])
        return true;
    /* Looked up at the head of a key only; a page may begin in the middle of one. */
    return !str_eq(key, l->last_key) && !bucket_current(l->bucket, key) &&
           bucket_newest_version(l->bucket, key) == item;
}

bool listing_next(struct listing *l, struct listing_entry *entry)
{
    struct source *source = next_source(l);

    *entry = (struct listing_entry){.record = NULL};
    if (!source)
        return false;

    void *item = cursor_item(&source->cursor);
    struct str key = item_key(l, item);

    if (!str_has_prefix(key, l->prefix))
        return false;
    entry->common_prefix = common_prefix(l, key);
    if (entry->common_prefix.ptr) {
        seek_beyond(l, entry->common_prefix);
        return true;
    }
    if (l->kind == LIST_UPLOADS) {
        entry->upload = item;
    } else {
        entry->record = item;
        entry->is_latest = l->kind == LIST_VERSIONS && is_latest(l, source, item);
    }
    l->last_key = key;
    cursor_next(&source->cursor);
    return true;
}
