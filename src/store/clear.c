/* SPDX-License-Identifier: MIT */
/* clear.c - emptying a bucket at once, or a prefix of it key by key. */
#include "store/bucket.h"
#include "store/upload.h"

/* The bucket keeps its settings; what it held goes to the reaper with a copy of it. */
enum s3_err bucket_clear(struct branch *b, struct str bucket, struct bucket_info *before)
{
    struct bucket *gone = NULL;
    struct edit e;
    enum s3_err err = edit_begin(&e, b, bucket);

    if (!err)
        err = edit_own(&e);
    if (!err) {
        if (before)
            bucket_info_fill(e.bucket, before);
        gone = bucket_copy(e.bucket);
        bucket_empty(e.bucket);
        branch_notify_locked(e.branch,
                             (struct change){.kind = CHANGE_BUCKET_RESET, .bucket = bucket});
    }
    edit_end(&e);
    bucket_unref(gone);
    return err;
}

/* ---- a prefix ---------------------------------------------------------------------- */

static struct record *first_object(const struct bucket *k, struct str prefix)
{
    struct cursor cursor;
    struct record *r = cursor_seek(&cursor, &k->objects, object_tree.compare, &prefix);

    return r && str_has_prefix(record_key_of(r), prefix) ? r : NULL;
}

static struct record *first_version(const struct bucket *k, struct str prefix)
{
    struct version_key from = {prefix, SEQUENCE_MAX};
    struct cursor cursor;
    struct record *r = cursor_seek(&cursor, &k->versions, version_tree.compare, &from);

    return r && str_has_prefix(record_key_of(r), prefix) ? r : NULL;
}

/* Versions go before what is current, the oldest first: so what is left of the key is at any
 * moment a key as it could have been. NULL when there is nothing. */
static struct record *next_to_go(const struct bucket *k, struct str prefix)
{
    struct record *object = first_object(k, prefix), *version = first_version(k, prefix);
    struct version_key oldest;

    if (!version || (object && str_cmp(record_key_of(object), record_key_of(version)) < 0))
        return object;
    oldest = (struct version_key){record_key_of(version), 0};
    return tree_find_last(&k->versions, version_tree.compare, &oldest);
}

/* Removes one record; *found is false when there was none. */
static enum s3_err clear_record(struct branch *b, struct str bucket, struct str prefix,
                                struct cleared *count, bool *found)
{
    struct edit e;
    enum s3_err err = edit_begin(&e, b, bucket);
    struct record *r = err ? NULL : next_to_go(e.bucket, prefix);

    *found = r != NULL;
    if (r)
        err = edit_own(&e);
    if (r && !err) {
        bool current = bucket_current(e.bucket, record_key_of(r)) == r;
        struct record *gone =
            current ? edit_remove_current(&e, record_key_of(r)) : edit_remove_version(&e, r);

        if (current)
            count->objects++;
        else
            count->versions++;
        branch_notify_locked(
            e.branch,
            (struct change){.kind = CHANGE_OBJECT_DELETED, .bucket = bucket, .record = gone});
        edit_drop(&e, gone);
    }
    edit_end(&e);
    return err;
}

/* The first upload under the prefix, a reference; NULL when there is none. */
static struct upload *first_upload(struct branch *b, struct str bucket, struct str prefix)
{
    struct upload_key from = {prefix, 0};
    struct upload *u = NULL;
    struct cursor cursor;

    b = branch_read_lock_at(b, bucket);
    const struct bucket *k = root_bucket(b->root, bucket);
    if (k)
        u = cursor_seek(&cursor, &k->uploads, upload_tree.compare, &from);
    if (u && str_has_prefix(upload_key(u), prefix))
        upload_ref(u);
    else
        u = NULL;
    branch_unlock(b);
    return u;
}

static enum s3_err clear_upload(struct branch *b, struct str bucket, struct str prefix,
                                struct cleared *count, bool *found)
{
    AUTO(upload) u = first_upload(b, bucket, prefix);
    struct target at;
    enum s3_err err;

    *found = u != NULL;
    if (!u)
        return S3_OK;
    at = (struct target){bucket, upload_key(u)};
    err = upload_abort(b, &at, upload_id(u));
    if (!err)
        count->uploads++;
    /* Somebody else ended it: it is gone all the same. */
    return err == S3_NO_SUCH_UPLOAD ? S3_OK : err;
}

enum s3_err bucket_clear_prefix(struct branch *b, struct str bucket, struct str prefix,
                                size_t most, struct cleared *count, bool *done)
{
    bool found = true;

    *done = false;
    for (size_t i = 0; i < most; i++) {
        enum s3_err err = clear_record(b, bucket, prefix, count, &found);

        if (!err && !found)
            err = clear_upload(b, bucket, prefix, count, &found);
        if (err)
            return err;
        if (!found) {
            *done = true;
            return S3_OK;
        }
    }
    return S3_OK;
}
