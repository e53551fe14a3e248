/* SPDX-License-Identifier: MIT */
/* object.c - objects and their versions: what a put, a delete and a rename do to a key.
 *
 *               never versioned   enabled                    suspended
 *   put         replaces          old one → versions         replaces the null version, an old
 *                                                            one with an id → versions
 *   delete      removes           the same, and a marker     the same, and a null marker
 *   delete id   -                 removes that version; when it was on top, the next one below
 *                                 is current again unless it is a marker
 *
 * Guarded by the branch's lock; see bucket.h for the trees. */
#include "store/object.h"
#include "store/bucket.h"
#include "store/conditions.h"
#include "store/id.h"
#include "store/upload.h"

#include <assert.h>

/* ---- reading ----------------------------------------------------------------------- */

/* A version as the client names it. */
struct version_ref {
    bool is_null;
    uint64_t sequence;
};

static enum s3_err parse_version(struct str text, struct version_ref *out)
{
    *out = (struct version_ref){.is_null = str_eq(text, STR("null"))};
    if (!out->is_null && !version_id_decode(text, &out->sequence))
        return S3_INVALID_ARGUMENT;
    return S3_OK;
}

static struct record *find_version(const struct bucket *k, struct str key,
                                   const struct version_ref *version)
{
    return version->is_null ? bucket_null_version(k, key)
                            : bucket_version(k, key, version->sequence);
}

static enum s3_err find_record(const struct bucket *k, struct str key, struct str version,
                               struct record **found)
{
    struct version_ref ref;

    if (!version.ptr) {
        *found = bucket_current(k, key);
        if (*found)
            return S3_OK;
        *found = bucket_newest_version(k, key);
        return S3_NO_SUCH_KEY;
    }

    enum s3_err err = parse_version(version, &ref);
    if (err)
        return err;
    *found = find_version(k, key, &ref);
    if (!*found)
        return S3_NO_SUCH_VERSION;
    return record_is_delete_marker(*found) ? S3_METHOD_NOT_ALLOWED : S3_OK;
}

enum s3_err object_find(struct record **out, enum versioning *versioning, struct branch *b,
                        const struct target *at, struct str version)
{
    struct record *found = NULL;
    enum s3_err err = S3_NO_SUCH_BUCKET;

    b = branch_read_lock_at(b, at->bucket);
    const struct bucket *k = root_bucket(b->root, at->bucket);
    if (k) {
        err = find_record(k, at->key, version, &found);
        record_ref(found);
        *versioning = k->versioning;
    }
    branch_unlock(b);
    if (found)
        record_prefetch(found);
    *out = found;
    return err;
}

enum s3_err object_get(struct record **out, struct branch *b, const struct target *at,
                       struct str version)
{
    enum versioning versioning;

    return object_find(out, &versioning, b, at, version);
}

/* ---- steps of a change (after edit_own) -------------------------------------------- */

/* Something left the bucket for good. */
static void drop_old(struct edit *e, struct record *old, struct write_result *result)
{
    if (!old)
        return;
    if (result && !result->old)
        result->old = record_ref(old);
    edit_drop(e, old);
}

/* What was current makes way: kept as a version, or gone if its place as the null version is.
 */
static void shelve(struct edit *e, struct record *old, struct write_result *result)
{
    if (!old)
        return;
    if (e->bucket->versioning == VERSIONING_ENABLED || !record_is_null_version(old))
        edit_add_version(e, old);
    else
        drop_old(e, old, result);
}

/* Where the next write makes a null version, the one among the noncurrent ones goes. */
static void drop_null_version(struct edit *e, struct str key, struct write_result *result)
{
    struct record *null_version;

    if (e->bucket->versioning != VERSIONING_SUSPENDED || e->bucket->nulls.count == 0)
        return;
    null_version = tree_find(&e->bucket->nulls, object_tree.compare, &key);
    if (null_version)
        drop_old(e, edit_remove_version(e, null_version), result);
}

static void publish(struct edit *e, struct record *r, struct write_result *result)
{
    enum versioning versioning = e->bucket->versioning;

    record_publish(r, store_next_sequence(e->branch->store), versioning != VERSIONING_ENABLED);
    if (result && versioning != VERSIONING_NEVER)
        record_version_id(r, result->version_id);
}

/* ---- put --------------------------------------------------------------------------- */

void object_put_owned(struct edit *e, struct record *r, struct write_result *result)
{
    struct str key = record_key_of(r);

    drop_null_version(e, key, result);
    publish(e, r, result);
    struct record *old = edit_set_current(e, r);
    if (result)
        result->existed = old != NULL;
    shelve(e, old, result);
    branch_notify_locked(e->branch, (struct change){.kind = CHANGE_OBJECT_PUT,
                                                    .bucket = bucket_name(e->bucket),
                                                    .record = r});
}

enum s3_err object_put(struct branch *b, struct str bucket, struct record *record,
                       const struct write_conditions *conditions, struct write_result *result)
{
    struct edit e;

    if (result)
        *result = (struct write_result){.old = NULL};

    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err && conditions_any(conditions))
        err = conditions_check(conditions, bucket_current(e.bucket, record_key_of(record)));
    if (!err)
        err = edit_own_numbered(&e);
    if (!err)
        object_put_owned(&e, TAKE(record), result);
    edit_end(&e);
    record_unref(record);
    return err;
}

/* ---- delete ------------------------------------------------------------------------ */

/* A marker is needed wherever versions are kept. NULL and S3_OK where they are not. */
static enum s3_err make_marker(struct edit *e, struct str key, struct record **marker)
{
    *marker = NULL;
    if (e->bucket->versioning == VERSIONING_NEVER)
        return S3_OK;
    if (key.len > KEY_MAX)
        return S3_KEY_TOO_LONG_ERROR;
    *marker = record_new_marker(e->branch->store, key, clock_now_ns());
    return *marker ? S3_OK : S3_SLOW_DOWN;
}

/* Takes marker. */
static void delete_current(struct edit *e, struct str key, struct record *marker,
                           struct write_result *result)
{
    struct str name = bucket_name(e->bucket);

    upload_mark_overtaken(e, key);
    drop_null_version(e, key, result);
    struct record *old = edit_remove_current(e, key);
    if (result)
        result->existed = old != NULL;
    if (!marker) {
        if (old)
            branch_notify_locked(
                e->branch,
                (struct change){.kind = CHANGE_OBJECT_DELETED, .bucket = name, .record = old});
        drop_old(e, old, result);
        return;
    }
    shelve(e, old, result);
    publish(e, marker, result);
    if (result)
        result->delete_marker = true;
    edit_add_version(e, marker);
    branch_notify_locked(
        e->branch,
        (struct change){.kind = CHANGE_DELETE_MARKER, .bucket = name, .record = marker});
}

/* A key without current record whose newest version is not a marker gets that one back. */
static void promote(struct edit *e, struct str key)
{
    struct record *next = bucket_newest_version(e->bucket, key);

    if (bucket_current(e->bucket, key) || !next || record_is_delete_marker(next))
        return;
    struct record *none = edit_set_current(e, edit_remove_version(e, next));
    assert(!none);
}

static void delete_version(struct edit *e, struct record *r, struct write_result *result)
{
    struct str key = record_key_of(r);
    bool current = bucket_current(e->bucket, key) == r;

    if (current)
        upload_mark_overtaken(e, key);
    r = current ? edit_remove_current(e, key) : edit_remove_version(e, r);
    promote(e, key);
    if (result) {
        result->existed = true;
        result->delete_marker = record_is_delete_marker(r);
    }
    branch_notify_locked(e->branch, (struct change){.kind = CHANGE_OBJECT_DELETED,
                                                    .bucket = bucket_name(e->bucket),
                                                    .record = r});
    drop_old(e, r, result);
}

static enum s3_err delete_current_locked(struct edit *e, struct str key,
                                         const struct write_conditions *conditions,
                                         struct write_result *result)
{
    struct record *current = bucket_current(e->bucket, key), *marker;
    enum s3_err err = conditions_check_delete(conditions, current);

    if (err || (!current && e->bucket->versioning == VERSIONING_NEVER))
        return err;
    err = make_marker(e, key, &marker);
    if (!err)
        err = marker ? edit_own_numbered(e) : edit_own(e);
    if (err)
        record_unref(marker);
    else
        delete_current(e, key, marker, result);
    return err;
}

static enum s3_err delete_version_locked(struct edit *e, struct str key, struct str version,
                                         const struct write_conditions *conditions,
                                         struct write_result *result)
{
    struct version_ref ref;
    enum s3_err err = parse_version(version, &ref);

    if (err)
        return err;

    struct record *r = find_version(e->bucket, key, &ref);

    err = conditions_check_delete(conditions, r && record_is_delete_marker(r) ? NULL : r);
    if (!err && result && e->bucket->versioning != VERSIONING_NEVER)
        str_put(result->version_id, version);
    if (err || !r)
        return err;
    err = edit_own(e);
    if (!err)
        delete_version(e, r, result);
    return err;
}

enum s3_err object_delete(struct branch *b, const struct target *at, struct str version,
                          const struct write_conditions *conditions,
                          struct write_result *result)
{
    struct edit e;

    if (result)
        *result = (struct write_result){.old = NULL};

    enum s3_err err = edit_begin(&e, b, at->bucket);

    if (!err && version.ptr)
        err = delete_version_locked(&e, at->key, version, conditions, result);
    else if (!err)
        err = delete_current_locked(&e, at->key, conditions, result);
    edit_end(&e);
    return err;
}

/* ---- replace and rename ------------------------------------------------------------ */

enum s3_err object_replace(struct branch *b, const struct target *at, struct record *expected,
                           struct record *changed)
{
    struct edit e;
    struct version_key key = {at->key, record_sequence(expected)};
    enum s3_err err = edit_begin(&e, b, at->bucket);

    assert(str_eq(record_key_of(changed), record_key_of(expected)));
    if (!err && bucket_current(e.bucket, at->key) != expected &&
        tree_find(&e.bucket->versions, version_tree.compare, &key) != expected)
        err = S3_CONDITIONAL_REQUEST_CONFLICT;
    if (!err)
        err = edit_own(&e);
    if (!err) {
        record_publish(changed, key.sequence, record_is_null_version(expected));
        if (bucket_current(e.bucket, at->key) == expected) {
            edit_drop(&e, edit_set_current(&e, record_ref(changed)));
        } else {
            edit_drop(&e, edit_remove_version(&e, expected));
            edit_add_version(&e, record_ref(changed));
        }
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_OBJECT_PUT,
                                                       .bucket = bucket_name(e.bucket),
                                                       .record = changed});
    }
    edit_end(&e);
    record_unref(changed);
    return err;
}

static enum s3_err check_rename(const struct edit *e, struct str from, struct str to,
                                const struct write_conditions *destination,
                                const struct write_conditions *source)
{
    struct record *moved = bucket_current(e->bucket, from);

    if (!moved)
        return S3_NO_SUCH_KEY;
    if (to.len > KEY_MAX)
        return S3_KEY_TOO_LONG_ERROR;
    if (str_eq(from, to))
        return S3_INVALID_REQUEST;

    enum s3_err err = conditions_check_delete(source, moved);
    return err ? err : conditions_check(destination, bucket_current(e->bucket, to));
}

enum s3_err object_rename(struct branch *b, struct str bucket, struct str from, struct str to,
                          const struct write_conditions *destination,
                          const struct write_conditions *source)
{
    struct edit e;
    struct record *renamed = NULL, *marker = NULL;
    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err)
        err = check_rename(&e, from, to, destination, source);
    if (!err) {
        renamed = record_with_key(b->store, bucket_current(e.bucket, from), to);
        err = renamed ? make_marker(&e, from, &marker) : S3_SLOW_DOWN;
    }
    if (!err)
        err = edit_own_numbered(&e);
    if (!err) {
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_GROUP_BEGIN});
        object_put_owned(&e, TAKE(renamed), NULL);
        delete_current(&e, from, TAKE(marker), NULL);
        branch_notify_locked(e.branch, (struct change){.kind = CHANGE_GROUP_END});
    }
    edit_end(&e);
    record_unref(renamed);
    record_unref(marker);
    return err;
}
