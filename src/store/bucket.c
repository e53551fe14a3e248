/* SPDX-License-Identifier: MIT */
/* bucket.c - buckets: their settings, their trees and the changes to these. */
#include "store/bucket.h"
#include "store/upload.h"

#include <assert.h>

/* ---- trees ------------------------------------------------------------------------- */

static int compare_bucket(const void *key, const void *item)
{
    return str_cmp(*(const struct str *)key, bucket_name(item));
}

static int compare_object(const void *key, const void *item)
{
    return str_cmp(*(const struct str *)key, record_key_of(item));
}

static int compare_version(const void *key, const void *item)
{
    const struct version_key *wanted = key;
    uint64_t sequence = record_sequence(item);
    int order = str_cmp(wanted->key, record_key_of(item));

    if (order != 0)
        return order;
    return (wanted->sequence < sequence) - (wanted->sequence > sequence);
}

static void ref_record(void *item)
{
    record_ref(item);
}

static void unref_record(void *item)
{
    record_unref(item);
}

static void ref_bucket(void *item)
{
    bucket_ref(item);
}

static void unref_bucket(void *item)
{
    bucket_unref(item);
}

const struct tree_type bucket_tree = {compare_bucket, ref_bucket, unref_bucket};
const struct tree_type object_tree = {compare_object, ref_record, unref_record};
const struct tree_type version_tree = {compare_version, ref_record, unref_record};

/* ---- life -------------------------------------------------------------------------- */

struct str bucket_name(const struct bucket *k)
{
    return str_c(k->name);
}

void bucket_ref(struct bucket *k)
{
    refs_take(&k->refs);
}

static void bucket_reap(struct reap *reap)
{
    struct bucket *k = (struct bucket *)((char *)reap - offsetof(struct bucket, reap));
    bucket_empty(k);
    doc_unref(k->owner);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        doc_unref(k->docs[i]);
    account_give(&k->store->account, ACCOUNT_RECORD, sizeof(*k));
    mem_free(k);
}

void bucket_unref(struct bucket *k)
{
    if (!k || !refs_drop(&k->refs))
        return;
    uint64_t weight = k->objects.count + k->versions.count + k->uploads.count + 1;
    reaper_push(k->store->reaper, &k->reap, bucket_reap, weight);
}

/* Settings only; the trees are empty. */
static struct bucket *bucket_new(struct store *store, const struct bucket_spec *spec)
{
    struct bucket *k = try_malloc(sizeof(*k));
    struct doc *owner = doc_new(store, spec->owner);
    struct doc *tagging = spec->tagging.ptr ? doc_new(store, spec->tagging) : NULL;

    if (!k || !owner || (spec->tagging.ptr && !tagging) ||
        !account_take(&store->account, ACCOUNT_RECORD, sizeof(*k))) {
        doc_unref(tagging);
        doc_unref(owner);
        mem_free(k);
        return NULL;
    }
    *k = (struct bucket){.store = store, .created_ns = clock_now_ns(), .owner = owner};
    atomic_init(&k->refs, 1);
    k->docs[BUCKET_DOC_TAGGING] = tagging;
    str_put(k->name, spec->name);
    str_put(k->region, spec->region);
    return k;
}

struct bucket *bucket_copy(const struct bucket *k)
{
    struct bucket *copy = xmalloc(sizeof(*copy));

    *copy = (struct bucket){.versioning = k->versioning,
                            .store = k->store,
                            .objects = tree_share(&k->objects),
                            .versions = tree_share(&k->versions),
                            .nulls = tree_share(&k->nulls),
                            .uploads = tree_share(&k->uploads),
                            .object_bytes = k->object_bytes,
                            .version_bytes = k->version_bytes,
                            .created_ns = k->created_ns,
                            .owner = doc_ref(k->owner)};
    atomic_init(&copy->refs, 1);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        copy->docs[i] = doc_ref(k->docs[i]);
    memcpy(copy->name, k->name, sizeof(k->name));
    memcpy(copy->region, k->region, sizeof(k->region));
    account_force(&k->store->account, ACCOUNT_RECORD, sizeof(*k));
    return copy;
}

void bucket_empty(struct bucket *k)
{
    struct account *account = &k->store->account;

    tree_release(&k->objects, &object_tree, account);
    tree_release(&k->versions, &version_tree, account);
    tree_release(&k->nulls, &object_tree, account);
    tree_release(&k->uploads, &upload_tree, account);
    k->object_bytes = k->version_bytes = 0;
}

/* ---- reading ----------------------------------------------------------------------- */

struct record *bucket_current(const struct bucket *k, struct str key)
{
    return tree_find(&k->objects, compare_object, &key);
}

struct record *bucket_newest_version(const struct bucket *k, struct str key)
{
    struct cursor cursor;
    struct version_key newest = {key, SEQUENCE_MAX};
    struct record *r = cursor_seek(&cursor, &k->versions, compare_version, &newest);

    return r && str_eq(record_key_of(r), key) ? r : NULL;
}

struct record *bucket_version(const struct bucket *k, struct str key, uint64_t sequence)
{
    struct record *current = bucket_current(k, key);
    struct version_key wanted = {key, sequence};

    if (current && record_sequence(current) == sequence)
        return record_is_null_version(current) ? NULL : current;

    struct record *r = tree_find(&k->versions, compare_version, &wanted);
    return r && !record_is_null_version(r) ? r : NULL;
}

struct record *bucket_null_version(const struct bucket *k, struct str key)
{
    struct record *current = bucket_current(k, key);

    if (current && record_is_null_version(current))
        return current;
    return tree_find(&k->nulls, compare_object, &key);
}

/* ---- writing ----------------------------------------------------------------------- */

enum s3_err edit_begin(struct edit *e, struct branch *b, struct str bucket)
{
    b = branch_write_lock_at(b, bucket);
    *e = (struct edit){.branch = b, .bucket = root_bucket(b->root, bucket)};
    return e->bucket ? S3_OK : S3_NO_SUCH_BUCKET;
}

/* No change makes more writes to a bucket's trees than a rename in a suspended bucket: at
 * either key an object, a version and a null version that go or come, and an upload that is
 * marked. */
#define WRITES_MAX 12

enum s3_err edit_own(struct edit *e)
{
    struct branch *b = e->branch;
    struct bucket *k = e->bucket;
    uint64_t most = k->objects.count + k->versions.count + k->uploads.count + WRITES_MAX;
    size_t nodes = tree_write_bound(b->root->buckets.count) +
                   WRITES_MAX * tree_write_bound(most) + e->more_nodes;

    e->nodes = store_take_nodes(b->store, nodes);
    if (!e->nodes)
        return S3_SLOW_DOWN;

    struct str name = bucket_name(k);
    struct tree *buckets = &branch_own_root_locked(b)->buckets;
    void **slot = tree_own(buckets, &bucket_tree, e->nodes, &name);

    if (!refs_alone(&k->refs)) {
        *slot = e->bucket = bucket_copy(k);
        bucket_unref(k);
    }
    return S3_OK;
}

enum s3_err edit_own_numbered(struct edit *e)
{
    return store_has_numbers(e->branch->store) ? edit_own(e) : S3_INTERNAL_ERROR;
}

void edit_drop(struct edit *e, struct record *r)
{
    if (!r)
        return;
    assert(e->dropped_count < ARRAY_LEN(e->dropped));
    e->dropped[e->dropped_count++] = r;
}

void edit_end(struct edit *e)
{
    store_give_nodes(e->branch->store, e->nodes);
    branch_unlock(e->branch);
    for (size_t i = 0; i < e->dropped_count; i++)
        record_unref(e->dropped[i]);
}

struct record *edit_set_current(struct edit *e, struct record *r)
{
    struct bucket *k = e->bucket;
    struct str key = record_key_of(r);
    struct record *old = tree_put(&k->objects, &object_tree, e->nodes, &key, r);

    k->object_bytes += record_size(r);
    if (old)
        k->object_bytes -= record_size(old);
    return old;
}

struct record *edit_remove_current(struct edit *e, struct str key)
{
    struct bucket *k = e->bucket;
    struct record *old = tree_remove(&k->objects, &object_tree, e->nodes, &key);

    if (old)
        k->object_bytes -= record_size(old);
    return old;
}

void edit_add_version(struct edit *e, struct record *r)
{
    struct bucket *k = e->bucket;
    struct version_key at = {record_key_of(r), record_sequence(r)};
    void *none = tree_put(&k->versions, &version_tree, e->nodes, &at, r);

    assert(!none);
    k->version_bytes += record_size(r);
    if (record_is_null_version(r)) {
        none = tree_put(&k->nulls, &object_tree, e->nodes, &at.key, record_ref(r));
        assert(!none);
    }
}

struct record *edit_remove_version(struct edit *e, struct record *version)
{
    struct bucket *k = e->bucket;
    struct version_key at = {record_key_of(version), record_sequence(version)};

    if (record_is_null_version(version))
        record_unref(tree_remove(&k->nulls, &object_tree, e->nodes, &at.key));

    struct record *removed = tree_remove(&k->versions, &version_tree, e->nodes, &at);

    assert(removed == version);
    k->version_bytes -= record_size(removed);
    return removed;
}

/* ---- the door ---------------------------------------------------------------------- */

static enum s3_err check_spec(const struct bucket_spec *spec)
{
    if (spec->name.len == 0 || spec->name.len >= BUCKET_NAME_SIZE ||
        memchr(spec->name.ptr, '\0', spec->name.len))
        return S3_INVALID_BUCKET_NAME;
    if (spec->region.len >= sizeof(((struct bucket *)NULL)->region))
        return S3_INVALID_LOCATION_CONSTRAINT;
    return S3_OK;
}

bool branch_put_bucket_locked(struct branch *b, struct bucket *k)
{
    struct str name = bucket_name(k);
    struct node_cache *nodes =
        store_take_nodes(b->store, tree_write_bound(b->root->buckets.count + 1));

    if (!nodes)
        return false;
    bucket_unref(tree_put(&branch_own_root_locked(b)->buckets, &bucket_tree, nodes, &name, k));
    store_give_nodes(b->store, nodes);
    return true;
}

bool branch_remove_bucket_locked(struct branch *b, struct str bucket, struct bucket **gone)
{
    struct node_cache *nodes =
        store_take_nodes(b->store, tree_write_bound(b->root->buckets.count));

    if (!nodes)
        return false;
    *gone = tree_remove(&branch_own_root_locked(b)->buckets, &bucket_tree, nodes, &bucket);
    store_give_nodes(b->store, nodes);
    return true;
}

static void notify_settings(struct branch *b, enum change_kind kind, const struct bucket *k)
{
    struct bucket_info info;

    if (b->store->observer_count == 0)
        return;
    bucket_info_fill(k, &info);
    branch_notify_locked(
        b, (struct change){.kind = kind, .bucket = str_c(info.name), .info = &info});
    bucket_info_release(&info);
}

enum s3_err bucket_create(struct branch *b, const struct bucket_spec *spec)
{
    enum s3_err err = check_spec(spec);

    if (err)
        return err;

    struct bucket *k = bucket_new(b->store, spec);
    if (!k)
        return S3_SLOW_DOWN;

    struct str name = bucket_name(k);

    b = branch_write_lock_at(b, name);
    if (root_bucket(b->root, name))
        err = S3_BUCKET_ALREADY_EXISTS;
    else if (!branch_put_bucket_locked(b, k))
        err = S3_SLOW_DOWN;
    else
        notify_settings(b, CHANGE_BUCKET_CREATED, TAKE(k));
    branch_unlock(b);
    bucket_unref(k);
    return err;
}

enum s3_err bucket_delete(struct branch *b, struct str bucket)
{
    enum s3_err err = S3_OK;
    struct bucket *gone = NULL;

    b = branch_write_lock_at(b, bucket);
    struct bucket *k = root_bucket(b->root, bucket);
    if (!k)
        err = S3_NO_SUCH_BUCKET;
    else if (k->objects.count > 0 || k->versions.count > 0)
        err = S3_BUCKET_NOT_EMPTY;
    else if (!branch_remove_bucket_locked(b, bucket, &gone))
        err = S3_SLOW_DOWN;
    else
        branch_notify_locked(b,
                             (struct change){.kind = CHANGE_BUCKET_DELETED, .bucket = bucket});
    branch_unlock(b);
    bucket_unref(gone);
    return err;
}

void bucket_settle(struct bucket *k, const struct bucket_info *info)
{
    k->created_ns = info->created_ns;
    k->versioning = info->versioning;
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++) {
        doc_unref(k->docs[i]);
        k->docs[i] = doc_ref(info->docs[i]);
    }
}

void bucket_info_fill(const struct bucket *k, struct bucket_info *out)
{
    *out = (struct bucket_info){.owner = doc_ref(k->owner),
                                .created_ns = k->created_ns,
                                .versioning = k->versioning,
                                .object_count = k->objects.count,
                                .object_bytes = k->object_bytes,
                                .version_count = k->versions.count,
                                .version_bytes = k->version_bytes,
                                .upload_count = k->uploads.count};
    memcpy(out->name, k->name, sizeof(k->name));
    memcpy(out->region, k->region, sizeof(k->region));
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        out->docs[i] = doc_ref(k->docs[i]);
}

void bucket_info_release(struct bucket_info *info)
{
    doc_unref(info->owner);
    for (size_t i = 0; i < BUCKET_DOC_COUNT; i++)
        doc_unref(info->docs[i]);
    *info = (struct bucket_info){.owner = NULL};
}

enum s3_err bucket_get(struct branch *b, struct str bucket, struct bucket_info *out)
{
    b = branch_read_lock_at(b, bucket);
    const struct bucket *k = root_bucket(b->root, bucket);
    if (k)
        bucket_info_fill(k, out);
    branch_unlock(b);
    return k ? S3_OK : S3_NO_SUCH_BUCKET;
}

enum s3_err bucket_set_doc(struct branch *b, struct str bucket, enum bucket_doc which,
                           struct doc *doc)
{
    struct edit e;
    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err)
        err = edit_own(&e);
    if (!err) {
        struct doc *old = e.bucket->docs[which];

        e.bucket->docs[which] = doc;
        doc = old;
        notify_settings(e.branch, CHANGE_BUCKET_SETTING, e.bucket);
    }
    edit_end(&e);
    doc_unref(doc);
    return err;
}

enum s3_err bucket_set_versioning(struct branch *b, struct str bucket,
                                  enum versioning versioning)
{
    struct edit e;
    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err)
        err = edit_own(&e);
    if (!err) {
        e.bucket->versioning = versioning;
        notify_settings(e.branch, CHANGE_BUCKET_SETTING, e.bucket);
    }
    edit_end(&e);
    return err;
}

static int compare_behind(const void *key, const void *item)
{
    return compare_bucket(key, item) >= 0 ? 1 : -1;
}

bool root_bucket_next(struct root *root, struct str after, bool inclusive,
                      struct bucket_info *out)
{
    struct cursor cursor;
    struct bucket *k = cursor_seek(&cursor, &root->buckets,
                                   inclusive ? compare_bucket : compare_behind, &after);

    if (k)
        bucket_info_fill(k, out);
    return k != NULL;
}
