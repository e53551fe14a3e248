/* SPDX-License-Identifier: MIT */
/* loader.c - building a state from outside: a snapshot document, a database.
 *
 * It is written into a branch that nobody else knows, and becomes a snapshot at the end. What
 * comes may be hostile: everything that the trees rely on (order, one current record a key, one
 * null version, numbers) is checked here. */
#include "store/bucket.h"
#include "store/id.h"
#include "store/parts.h"
#include "store/upload.h"

#include <assert.h>

struct loader {
    struct store *store;
    struct branch *branch;
    enum s3_err err;  /* the first one; sticky */
    uint64_t highest; /* number loaded */
    bool finished;

    char bucket[BUCKET_NAME_SIZE]; /* the last one; empty before the first */
    enum versioning versioning;
    /* Of the last record. */
    struct buf key;
    bool any_record, null_seen;
    uint64_t number;
    /* Of the last upload, which ends the bucket's records. */
    struct buf upload_key;
    char upload_id[UPLOAD_ID_SIZE];
    uint64_t upload_number;
    uint32_t part_number;
    bool any_upload;
};

static enum s3_err fail(struct loader *l, enum s3_err err)
{
    if (!l->err)
        l->err = err;
    return l->err;
}

struct loader *loader_new(struct store *store)
{
    struct loader *l = xcalloc(1, sizeof(*l));

    l->store = store;
    buf_init(&l->key, KEY_MAX + 1);
    buf_init(&l->upload_key, KEY_MAX + 1);
    l->branch = branch_new(store, STR("loading"), STR(""), root_new(store));
    if (l->branch)
        l->branch->unseen = true;
    else
        l->err = S3_SLOW_DOWN;
    return l;
}

void loader_free(struct loader *l)
{
    if (!l)
        return;
    branch_unref(l->branch);
    buf_release(&l->key);
    buf_release(&l->upload_key);
    mem_free(l);
}

static struct str current_bucket(const struct loader *l)
{
    return str_c(l->bucket);
}

static void keep(struct buf *b, struct str text)
{
    buf_reset(b);
    buf_add(b, text);
}

static bool number_is_good(uint64_t number)
{
    return number > 0 && number <= LOADER_SEQUENCE_MAX;
}

/* ---- buckets ----------------------------------------------------------------------- */

static bool is_bucket_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_';
}

static bool bucket_is_good(const struct loader *l, const struct bucket_info *info)
{
    struct str name = str_of(info->name, strnlen(info->name, sizeof(info->name)));
    struct str region = str_of(info->region, strnlen(info->region, sizeof(info->region)));

    if (name.len == 0 || name.len == sizeof(info->name) || region.len == sizeof(info->region) ||
        (unsigned)info->versioning > VERSIONING_SUSPENDED || !info->owner)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_bucket_char(name.ptr[i]))
            return false;
    }
    /* It goes into headers. */
    for (size_t i = 0; i < region.len; i++) {
        if (!is_bucket_char(region.ptr[i]) || region.ptr[i] == '.')
            return false;
    }
    return str_cmp(name, current_bucket(l)) > 0;
}

/* What bucket_create cannot be told. */
static enum s3_err settle_bucket(struct loader *l, const struct bucket_info *info)
{
    struct edit e;
    enum s3_err err = edit_begin(&e, l->branch, current_bucket(l));

    if (!err)
        err = edit_own(&e);
    if (!err)
        bucket_settle(e.bucket, info);
    edit_end(&e);
    return err;
}

enum s3_err loader_bucket(struct loader *l, const struct bucket_info *info)
{
    struct bucket_spec spec = {.name = str_c(info->name), .region = str_c(info->region)};
    enum s3_err err;

    if (l->err)
        return l->err;
    if (!bucket_is_good(l, info))
        return fail(l, S3_INVALID_ARGUMENT);
    spec.owner = doc_str(info->owner);
    err = bucket_create(l->branch, &spec);
    if (err)
        return fail(l, err);
    memcpy(l->bucket, info->name, sizeof(l->bucket));
    l->versioning = info->versioning;
    l->any_record = l->any_upload = false;
    err = settle_bucket(l, info);
    return err ? fail(l, err) : S3_OK;
}

/* ---- records ----------------------------------------------------------------------- */

/* Is it the first, and so the newest, record of its key? */
static bool begins_key(const struct loader *l, struct str key)
{
    return !l->any_record || !str_eq(key, buf_str(&l->key));
}

static bool record_is_good(const struct loader *l, const struct record_spec *spec,
                           const struct body *body, const struct record_place *place)
{
    bool first = begins_key(l, spec->key);

    if (!l->bucket[0] || l->any_upload || spec->key.len == 0 || spec->key.len > KEY_MAX ||
        !number_is_good(place->number))
        return false;
    if (l->any_record &&
        (str_cmp(spec->key, buf_str(&l->key)) < 0 || (!first && place->number >= l->number)))
        return false;
    /* The newest is current, or the marker that hides the others. */
    if (first != (place->is_current || (place->delete_marker && first)) ||
        (place->is_current && place->delete_marker))
        return false;
    if (place->is_null && !first && l->null_seen)
        return false;
    if (l->versioning == VERSIONING_NEVER && (!place->is_null || !place->is_current))
        return false;
    return place->delete_marker ? !body
                                : body && parts_are_good(spec, body_len(body)) &&
                                      checksum_is_good(&spec->checksum);
}

static enum s3_err insert_record(struct loader *l, struct record *r,
                                 const struct record_place *place)
{
    struct edit e;
    enum s3_err err = edit_begin(&e, l->branch, current_bucket(l));

    if (!err)
        err = edit_own(&e);
    if (!err && place->is_current) {
        struct record *none = edit_set_current(&e, record_ref(r));

        assert(!none);
    } else if (!err) {
        edit_add_version(&e, record_ref(r));
    }
    edit_end(&e);
    return err;
}

enum s3_err loader_record(struct loader *l, const struct record_spec *spec, struct body *body,
                          const struct record_place *place)
{
    enum s3_err err = l->err;
    struct record *r;

    if (!err && !record_is_good(l, spec, body, place))
        err = S3_INVALID_ARGUMENT;
    if (err) {
        body_unref(body);
        return fail(l, err);
    }
    r = place->delete_marker ? record_new_marker(l->store, spec->key, spec->mtime_ns)
                             : record_new(l->store, spec, body);
    if (!r)
        return fail(l, S3_SLOW_DOWN);
    record_publish(r, place->number, place->is_null);
    l->null_seen = place->is_null || (l->null_seen && !begins_key(l, spec->key));
    if (begins_key(l, spec->key))
        keep(&l->key, spec->key);
    l->any_record = true;
    l->number = place->number;
    if (place->number > l->highest)
        l->highest = place->number;
    err = insert_record(l, r, place);
    record_unref(r);
    return err ? fail(l, err) : S3_OK;
}

/* ---- uploads ----------------------------------------------------------------------- */

enum s3_err loader_upload(struct loader *l, const struct upload_spec *spec, struct str id,
                          bool overtaken)
{
    uint64_t number = 0;
    int order = l->any_upload ? str_cmp(spec->key, buf_str(&l->upload_key)) : 1;
    enum s3_err err = l->err;

    if (err)
        return err;
    if (!l->bucket[0] || spec->key.len == 0 || spec->key.len > KEY_MAX ||
        !upload_id_decode(id, spec->key, &number) || !number_is_good(number) || order < 0 ||
        (order == 0 && number <= l->upload_number) || spec->checksum_alg >= CHECKSUM_COUNT ||
        spec->checksum_type > CHECKSUM_FULL_OBJECT)
        return fail(l, S3_INVALID_ARGUMENT);
    err = upload_load(l->branch, current_bucket(l), spec, number, overtaken);
    if (err)
        return fail(l, err);
    keep(&l->upload_key, spec->key);
    upload_id_encode(number, spec->key, l->upload_id);
    l->upload_number = number;
    l->part_number = 0;
    l->any_upload = true;
    if (number > l->highest)
        l->highest = number;
    return S3_OK;
}

enum s3_err loader_part(struct loader *l, const struct part *part)
{
    struct target at = {current_bucket(l), buf_str(&l->upload_key)};
    enum s3_err err = l->err;

    if (!err && (!l->any_upload || part->number <= l->part_number ||
                 part->number > PART_NUMBER_MAX || !part->body ||
                 part->size != body_len(part->body) || !checksum_is_good(&part->checksum)))
        err = S3_INVALID_ARGUMENT;
    if (err) {
        body_unref(part->body);
        return fail(l, err);
    }
    l->part_number = part->number;
    err = upload_put_part(l->branch, &at, str_c(l->upload_id), part);
    return err ? fail(l, err) : S3_OK;
}

/* ---- the end ----------------------------------------------------------------------- */

enum named loader_finish(struct loader *l, struct str name, struct str from, int64_t created_ns,
                         bool replace)
{
    struct snapshot *snapshot;
    enum named result;

    assert(!l->err && !l->finished);
    l->finished = true;
    snapshot = snapshot_new(name, from, created_ns, branch_root(l->branch));
    if (!snapshot)
        return NAMED_NO_MEMORY;
    store_raise_sequence(l->store, l->highest);
    result = snapshot_add(l->store, snapshot, replace);
    if (result)
        snapshot_unref(snapshot);
    return result;
}
