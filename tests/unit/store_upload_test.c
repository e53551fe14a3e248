/* SPDX-License-Identifier: MIT */
/* Multipart uploads: parts in any order, views that stay as they were, the races of completion.
 */
#include "store_util.h"

struct fixture {
    struct store *store;
    struct branch *main;
    char id[UPLOAD_ID_SIZE];
};

static const struct target at_key = {{"bucket", 6}, {"key", 3}};

static void begin(struct fixture *f)
{
    struct upload_spec spec = {.key = at_key.key,
                               .initiated_ns = 42,
                               .checksum_alg = CHECKSUM_CRC32,
                               .checksum_type = CHECKSUM_FULL_OBJECT,
                               .owner = STR("me"),
                               .attrs = STR("\1\1x")};

    assert_int_equal(upload_create(f->main, BUCKET, &spec, f->id), S3_OK);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = test_store(0);
    f->main = store_branch(f->store, STR("main"));
    test_bucket(f->main, BUCKET);
    begin(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    branch_unref(f->main);
    store_free(f->store);
    mem_free(f);
    return 0;
}

static enum s3_err put_part(struct fixture *f, uint32_t number, struct str content)
{
    struct part part = {.number = number, .size = content.len};

    part.body = body_new(f->store, content.len);
    assert_true(body_append(part.body, content.ptr, content.len));
    md5_once(content, part.md5);
    return upload_put_part(f->main, &at_key, str_c(f->id), &part);
}

static struct upload *view(struct fixture *f)
{
    struct upload *u = NULL;

    assert_int_equal(upload_get(&u, f->main, &at_key, str_c(f->id)), S3_OK);
    return u;
}

static enum s3_err complete_seen(struct fixture *f, struct upload *seen,
                                 const struct write_conditions *conditions)
{
    struct body *bodies[10];
    struct record_spec spec = {.key = at_key.key, .upload_id = upload_id(seen)};
    const struct part *part = NULL;
    size_t count = 0;

    while ((part = upload_part_from(seen, part ? part->number + 1 : 1)))
        bodies[count++] = part->body;
    spec.part_count = (uint32_t)count;
    struct record *r = record_new(f->store, &spec, body_join(f->store, bodies, count));
    assert_non_null(r);
    return upload_complete(f->main, &at_key, seen, r, conditions, NULL);
}

static enum s3_err complete(struct fixture *f, const struct write_conditions *conditions)
{
    AUTO(upload) seen = view(f);

    return complete_seen(f, seen, conditions);
}

static struct record *current(struct fixture *f)
{
    struct record *r = NULL;

    assert_int_equal(object_get(&r, f->main, &at_key, STR_NONE), S3_OK);
    return r;
}

static uint64_t upload_count(struct fixture *f)
{
    struct bucket_info info;

    assert_int_equal(bucket_get(f->main, BUCKET, &info), S3_OK);
    uint64_t count = info.upload_count;
    bucket_info_release(&info);
    return count;
}

static void test_remembers_its_beginning(void **state)
{
    AUTO(upload) u = view(*state);

    assert_str_equal(upload_key(u), at_key.key);
    assert_str_equal(upload_owner(u), STR("me"));
    assert_str_equal(upload_attrs(u), STR("\1\1x"));
    assert_str_equal(upload_id(u), str_c(((struct fixture *)*state)->id));
    assert_int_equal(upload_initiated_ns(u), 42);
    assert_int_equal(upload_checksum_alg(u), CHECKSUM_CRC32);
    assert_int_equal(upload_checksum_type(u), CHECKSUM_FULL_OBJECT);
    assert_null(upload_part_from(u, 0));
}

static void test_parts_in_any_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put_part(f, 10000, STR("three")), S3_OK);
    assert_int_equal(put_part(f, 1, STR("wrong")), S3_OK);
    assert_int_equal(put_part(f, 7, STR("two, ")), S3_OK);
    assert_int_equal(put_part(f, 1, STR("one, ")), S3_OK);

    struct upload *u = view(f);
    assert_int_equal(upload_part_from(u, 0)->number, 1);
    assert_int_equal(upload_part_from(u, 2)->number, 7);
    assert_int_equal(upload_part_from(u, 8)->number, 10000);
    assert_null(upload_part_from(u, 10001));
    upload_unref(u);

    assert_int_equal(complete(f, NULL), S3_OK);
    AUTO(record) r = current(f);
    assert_str_equal(test_content(r), STR("one, two, three"));
    assert_str_equal(record_upload_id(r), str_c(f->id));
    assert_int_equal(record_part_count(r), 3);
    assert_int_equal(upload_count(f), 0);
    assert_int_equal(upload_get(&u, f->main, &at_key, str_c(f->id)), S3_NO_SUCH_UPLOAD);
    assert_null(u);
    assert_int_equal(put_part(f, 1, STR("late")), S3_NO_SUCH_UPLOAD);
}

/* A view does not change; completing from one that is out of date is refused. */
static void test_view_stays(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put_part(f, 1, STR("old")), S3_OK);
    AUTO(upload) seen = view(f);
    assert_int_equal(put_part(f, 1, STR("newer")), S3_OK);
    assert_int_equal(put_part(f, 2, STR("more")), S3_OK);
    assert_int_equal(upload_part_from(seen, 1)->size, 3);
    assert_null(upload_part_from(seen, 2));
    assert_int_equal(complete_seen(f, seen, NULL), S3_CONDITIONAL_REQUEST_CONFLICT);
    assert_int_equal(complete(f, NULL), S3_OK);
    assert_int_equal(complete_seen(f, seen, NULL), S3_NO_SUCH_UPLOAD);
}

static void test_abort(void **state)
{
    struct fixture *f = *state;
    struct target elsewhere = {BUCKET, STR("other")};

    assert_int_equal(put_part(f, 1, STR("x")), S3_OK);
    assert_int_equal(upload_abort(f->main, &elsewhere, str_c(f->id)), S3_NO_SUCH_UPLOAD);
    assert_int_equal(upload_abort(f->main, &at_key, STR("no id")), S3_NO_SUCH_UPLOAD);
    assert_int_equal(upload_abort(f->main, &at_key, str_c(f->id)), S3_OK);
    assert_int_equal(upload_abort(f->main, &at_key, str_c(f->id)), S3_NO_SUCH_UPLOAD);
    elsewhere.bucket = STR("none");
    assert_int_equal(upload_abort(f->main, &elsewhere, str_c(f->id)), S3_NO_SUCH_BUCKET);
    assert_int_equal(upload_count(f), 0);
}

/* Uploads do not keep a bucket from being deleted; they go with it. */
static void test_bucket_goes_with_uploads(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put_part(f, 1, STR("x")), S3_OK);
    assert_int_equal(bucket_delete(f->main, BUCKET), S3_OK);
    test_bucket(f->main, BUCKET);
    assert_int_equal(put_part(f, 1, STR("x")), S3_NO_SUCH_UPLOAD);
}

static void test_snapshot_holds_uploads(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put_part(f, 1, STR("kept")), S3_OK);
    assert_int_equal(NAMED_OK, store_snapshot_take(f->store, f->main, STR("s")));
    assert_int_equal(put_part(f, 1, STR("changed")), S3_OK);
    assert_int_equal(complete(f, NULL), S3_OK);
    assert_int_equal(NAMED_OK, store_snapshot_restore(f->store, &f->main, STR("s")));
    assert_int_equal(complete(f, NULL), S3_OK);

    struct record *r = current(f);
    assert_str_equal(test_content(r), STR("kept"));
    record_unref(r);
    assert_int_equal(NAMED_OK, store_snapshot_drop(f->store, STR("s")));
}

/* ---- conditions (recorded: test_multipart_if_match_* and _if_none_match_*) --------- */

static void etag_of(struct fixture *f, char out[ETAG_SIZE])
{
    AUTO(record) r = current(f);

    record_etag(r, out);
}

static void delete_key(struct fixture *f)
{
    assert_int_equal(object_delete(f->main, &at_key, STR_NONE, NULL, NULL), S3_OK);
}

static void test_if_none_match_with_put(void **state)
{
    struct fixture *f = *state;
    struct write_conditions absent = {.if_none_match = STR("*")};

    test_put(f->store, f->main, at_key.key, STR("x"), NULL);
    assert_int_equal(complete(f, &absent), S3_PRECONDITION_FAILED);
}

static void test_if_none_match_with_delete(void **state)
{
    struct fixture *f = *state;
    struct write_conditions absent = {.if_none_match = STR("*")};

    test_put(f->store, f->main, at_key.key, STR("x"), NULL);
    begin(f);
    assert_int_equal(complete(f, &absent), S3_PRECONDITION_FAILED);
    delete_key(f);
    assert_int_equal(complete(f, &absent), S3_OPERATION_ABORTED);
    begin(f); /* an upload that began after the delete may */
    assert_int_equal(complete(f, &absent), S3_OK);
}

static void test_if_match_with_put(void **state)
{
    struct fixture *f = *state;
    char before[ETAG_SIZE], during[ETAG_SIZE];

    test_put(f->store, f->main, at_key.key, STR("test"), NULL);
    etag_of(f, before);
    begin(f);
    test_put(f->store, f->main, at_key.key, STR("test2"), NULL);
    etag_of(f, during);

    struct write_conditions match = {.if_match = str_c(before)};
    assert_int_equal(complete(f, &match), S3_PRECONDITION_FAILED);
    match.if_match = str_c(during);
    assert_int_equal(complete(f, &match), S3_OPERATION_ABORTED);
    begin(f);
    assert_int_equal(complete(f, &match), S3_OK);
}

static void test_if_match_with_delete(void **state)
{
    struct fixture *f = *state;
    char etag[ETAG_SIZE];

    test_put(f->store, f->main, at_key.key, STR("test"), NULL);
    etag_of(f, etag);
    begin(f);

    struct write_conditions match = {.if_match = str_c(etag)};
    delete_key(f);
    assert_int_equal(complete(f, &match), S3_NO_SUCH_KEY);
    test_put(f->store, f->main, at_key.key, STR("test"), NULL);
    assert_int_equal(complete(f, &match), S3_OPERATION_ABORTED);
    assert_int_equal(complete(f, NULL), S3_OK);
}

/* The mark of a delete lies on the newest upload and outlives it. */
static void test_overtaken_outlives_the_newest(void **state)
{
    struct fixture *f = *state;
    struct write_conditions absent = {.if_none_match = STR("*")};
    char oldest[UPLOAD_ID_SIZE], newest[UPLOAD_ID_SIZE];

    memcpy(oldest, f->id, sizeof(oldest));
    begin(f);
    begin(f);
    memcpy(newest, f->id, sizeof(newest));
    test_put(f->store, f->main, at_key.key, STR("x"), NULL);
    delete_key(f);
    assert_int_equal(upload_abort(f->main, &at_key, str_c(newest)), S3_OK);
    memcpy(f->id, oldest, sizeof(oldest));
    assert_int_equal(complete(f, &absent), S3_OPERATION_ABORTED);
    assert_int_equal(upload_count(f), 2);
    assert_int_equal(complete(f, NULL), S3_OK);
}

static void test_versioned_delete_overtakes(void **state)
{
    struct fixture *f = *state;
    struct write_conditions absent = {.if_none_match = STR("*")};

    assert_int_equal(bucket_set_versioning(f->main, BUCKET, VERSIONING_ENABLED), S3_OK);
    delete_key(f);
    assert_int_equal(complete(f, &absent), S3_OPERATION_ABORTED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_remembers_its_beginning),
        T(test_parts_in_any_order),
        T(test_view_stays),
        T(test_abort),
        T(test_bucket_goes_with_uploads),
        T(test_snapshot_holds_uploads),
        T(test_if_none_match_with_put),
        T(test_if_none_match_with_delete),
        T(test_if_match_with_put),
        T(test_if_match_with_delete),
        T(test_overtaken_outlives_the_newest),
        T(test_versioned_delete_overtakes),
    };

    return cmocka_run_group_tests_name("store/upload", tests, NULL, NULL);
}
