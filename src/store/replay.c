/* SPDX-License-Identifier: MIT */
/* replay.c - a state made of another one by changes as observers were told them, in any order
 * within a key: what a database holds comes back as the same trees, shared as they were. */
#include "store/body.h"
#include "store/bucket.h"
#include "store/id.h"
#include "store/parts.h"
#include "store/upload.h"

#include <assert.h>

struct replay {
    struct store *store;
    struct branch *branch; /* unseen */
};

struct replay *replay_new(struct store *store, struct root *from)
{
    struct replay *r = xcalloc(1, sizeof(*r));

    r->store = store;
    r->branch = branch_new(store, STR("replaying"), STR(""), from ? from : root_new(store));
    if (!r->branch) {
        mem_free(r);
        return NULL;
    }
    r->branch->unseen = true;
    return r;
}

void replay_free(struct replay *r)
{
    if (!r)
        return;
    branch_unref(r->branch);
    mem_free(r);
}

struct root *replay_root(struct replay *r)
{
    return branch_root(r->branch);
}

/* edit_begin and edit_own; edit_end is due in any case. */
static enum s3_err begin(struct edit *e, struct replay *r, struct str bucket)
{
    enum s3_err err = edit_begin(e, r->branch, bucket);

    return err ? err : edit_own(e);
}

/* ---- buckets ----------------------------------------------------------------------- */

enum s3_err replay_bucket(struct replay *r, const struct bucket_info *info)
{
    struct bucket_spec spec = {.name = str_c(info->name),
                               .region = str_c(info->region),
                               .owner = doc_str(info->owner)};
    enum s3_err err = (unsigned)info->versioning > VERSIONING_SUSPENDED
                          ? S3_INVALID_ARGUMENT
                          : bucket_create(r->branch, &spec);
    struct edit e;

    if (err && err != S3_BUCKET_ALREADY_EXISTS)
        return err;
    err = begin(&e, r, spec.name);
    if (!err)
        bucket_settle(e.bucket, info);
    edit_end(&e);
    return err;
}

enum s3_err replay_take_bucket(struct replay *r, struct root *from, struct str bucket)
{
    if (!root_bucket(from, bucket))
        return S3_NO_SUCH_BUCKET;
    return branch_take_bucket(r->branch, from, bucket) == NAMED_OK ? S3_OK : S3_SLOW_DOWN;
}

enum s3_err replay_no_bucket(struct replay *r, struct str bucket)
{
    enum s3_err err = bucket_clear(r->branch, bucket, NULL);

    if (!err)
        err = bucket_delete(r->branch, bucket);
    return err == S3_NO_SUCH_BUCKET ? S3_OK : err;
}

/* ---- records ----------------------------------------------------------------------- */

static bool number_is_good(uint64_t number)
{
    return number > 0 && number <= REPLAY_SEQUENCE_MAX;
}

/* The record that has this place; NULL when there is none. */
static struct record *at_place(const struct bucket *k, struct str key,
                               const struct record_place *place)
{
    return place->is_null ? bucket_null_version(k, key) : bucket_version(k, key, place->number);
}

/* Takes it out; the next newest does not become current. */
static void take_out(struct edit *e, struct record *r)
{
    bool current = bucket_current(e->bucket, record_key_of(r)) == r;

    edit_drop(e,
              current ? edit_remove_current(e, record_key_of(r)) : edit_remove_version(e, r));
}

/* The newest of a key's records is its current one, unless that is a delete marker. */
static void settle_key(struct edit *e, struct str key)
{
    struct record *current = bucket_current(e->bucket, key);
    struct record *newest = bucket_newest_version(e->bucket, key);

    if (!newest || (current && record_sequence(current) > record_sequence(newest)))
        return;
    if (current)
        edit_add_version(e, edit_remove_current(e, key));
    if (record_is_delete_marker(newest))
        return;

    struct record *none = edit_set_current(e, edit_remove_version(e, newest));
    assert(!none);
}

/* Does the key have another record of this number? One of them is a null version. */
static bool number_is_taken(const struct bucket *k, struct str key,
                            const struct record_place *place)
{
    const struct record *null_version = bucket_null_version(k, key);

    return place->is_null ? bucket_version(k, key, place->number) != NULL
                          : null_version && record_sequence(null_version) == place->number;
}

/* Takes r. */
static enum s3_err put(struct replay *replay, struct str bucket, struct record *r,
                       const struct record_place *place)
{
    struct edit e;
    enum s3_err err = begin(&e, replay, bucket);

    if (!err && number_is_taken(e.bucket, record_key_of(r), place))
        err = S3_INVALID_ARGUMENT;
    if (!err) {
        struct str key = record_key_of(r);
        struct record *old = at_place(e.bucket, key, place);

        if (old)
            take_out(&e, old);
        if (!record_is_delete_marker(r) && !bucket_current(e.bucket, key) &&
            !bucket_newest_version(e.bucket, key)) {
            struct record *none = edit_set_current(&e, TAKE(r));
            assert(!none);
        } else {
            edit_add_version(&e, TAKE(r));
            settle_key(&e, key);
        }
    }
    edit_end(&e);
    record_unref(r);
    return err;
}

enum s3_err replay_record(struct replay *replay, struct str bucket,
                          const struct record_spec *spec, struct body *body,
                          const struct record_place *place)
{
    struct record *r;

    if (spec->key.len == 0 || spec->key.len > KEY_MAX || !number_is_good(place->number) ||
        !body != place->delete_marker || !checksum_is_good(&spec->checksum) ||
        (body && !parts_are_good(spec, body_len(body)))) {
        body_unref(body);
        return S3_INVALID_ARGUMENT;
    }
    r = place->delete_marker ? record_new_marker(replay->store, spec->key, spec->mtime_ns)
                             : record_new(replay->store, spec, body);
    if (!r)
        return S3_SLOW_DOWN;
    record_publish(r, place->number, place->is_null);
    store_raise_sequence(replay->store, place->number);
    return put(replay, bucket, r, place);
}

enum s3_err replay_no_record(struct replay *r, const struct target *at,
                             const struct record_place *place)
{
    struct edit e;
    enum s3_err err = begin(&e, r, at->bucket);

    if (!err) {
        struct record *old = at_place(e.bucket, at->key, place);

        if (old)
            take_out(&e, old);
        settle_key(&e, at->key);
    }
    edit_end(&e);
    return err;
}

bool replay_has(struct replay *r, const struct target *at)
{
    AUTO(record) found = NULL;

    return object_get(&found, r->branch, at, STR_NONE) == S3_OK;
}

/* ---- uploads ----------------------------------------------------------------------- */

enum s3_err replay_upload(struct replay *r, struct str bucket, const struct upload_spec *spec,
                          struct str upload_id, bool overtaken)
{
    struct target at = {bucket, spec->key};
    uint64_t number;
    enum s3_err err;

    if (spec->key.len == 0 || spec->key.len > KEY_MAX ||
        !upload_id_decode(upload_id, spec->key, &number) || !number_is_good(number) ||
        spec->checksum_alg >= CHECKSUM_COUNT || spec->checksum_type > CHECKSUM_FULL_OBJECT)
        return S3_INVALID_ARGUMENT;
    store_raise_sequence(r->store, number);
    err = upload_set_overtaken(r->branch, &at, upload_id, overtaken);
    return err == S3_NO_SUCH_UPLOAD ? upload_load(r->branch, bucket, spec, number, overtaken)
                                    : err;
}

enum s3_err replay_no_upload(struct replay *r, const struct target *at, struct str upload_id)
{
    enum s3_err err = upload_abort(r->branch, at, upload_id);

    return err == S3_NO_SUCH_UPLOAD ? S3_OK : err;
}

enum s3_err replay_part(struct replay *r, const struct target *at, struct str upload_id,
                        const struct part *part)
{
    if (!part->body || part->number < 1 || part->number > PART_NUMBER_MAX ||
        part->size != body_len(part->body) || !checksum_is_good(&part->checksum)) {
        body_unref(part->body);
        return S3_INVALID_ARGUMENT;
    }
    return upload_put_part(r->branch, at, upload_id, part);
}
