/* SPDX-License-Identifier: MIT */
/* Numbers that come from outside: those out of range are refused, and when they are used up
 * writes fail; nothing ends the process. */
#include "store/id.h"
#include "store_util.h"

struct fixture {
    struct store *store;
    struct branch *main;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = test_store(0);
    f->main = store_branch(f->store, STR("main"));
    test_bucket(f->main, BUCKET);
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

static struct bucket_info info_of(struct store *store, enum versioning versioning)
{
    struct bucket_info info = {.versioning = versioning, .owner = doc_new(store, STR("me"))};

    snprintf(info.name, sizeof(info.name), "%s", BUCKET.ptr);
    return info;
}

/* ---- a client's document ----------------------------------------------------------- */

static enum s3_err load_record(struct store *store, uint64_t number, bool finish)
{
    struct bucket_info info = info_of(store, VERSIONING_NEVER);
    AUTO(loader) l = loader_new(store);
    struct record_spec spec = {.key = STR("k"), .mtime_ns = INT64_MAX};
    struct record_place place = {.number = number, .is_null = true, .is_current = true};
    enum s3_err err = loader_bucket(l, &info);

    bucket_info_release(&info);
    assert_int_equal(err, S3_OK);
    err = loader_record(l, &spec, body_new(store, 0), &place);
    if (!err && finish)
        assert_int_equal(loader_finish(l, STR("s"), STR(""), 0, true), NAMED_OK);
    return err;
}

static enum s3_err load_upload(struct store *store, uint64_t number)
{
    struct bucket_info info = info_of(store, VERSIONING_NEVER);
    AUTO(loader) l = loader_new(store);
    struct upload_spec spec = {.key = STR("k"), .initiated_ns = INT64_MIN};
    char id[UPLOAD_ID_SIZE];
    enum s3_err err = loader_bucket(l, &info);

    bucket_info_release(&info);
    assert_int_equal(err, S3_OK);
    upload_id_encode(number, spec.key, id);
    return loader_upload(l, &spec, str_c(id), false);
}

static void test_numbers_of_documents(void **state)
{
    static const uint64_t refused[] = {0, LOADER_SEQUENCE_MAX + 1, SEQUENCE_MAX,
                                       SEQUENCE_MAX + 1, UINT64_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        assert_int_equal(load_record(f->store, refused[i], false), S3_INVALID_ARGUMENT);
        assert_int_equal(load_upload(f->store, refused[i]), S3_INVALID_ARGUMENT);
    }
    assert_int_equal(load_upload(f->store, LOADER_SEQUENCE_MAX), S3_OK);
    /* The largest that is taken leaves room for all that is written afterwards. */
    assert_int_equal(load_record(f->store, LOADER_SEQUENCE_MAX, true), S3_OK);
    test_put(f->store, f->main, STR("after"), STR("x"), NULL);
    assert_true(store_sequence(f->store) > LOADER_SEQUENCE_MAX);
}

/* ---- a database -------------------------------------------------------------------- */

static enum s3_err replay_one(struct replay *r, uint64_t number, bool is_null)
{
    struct record_spec spec = {.key = STR("k")};
    struct record_place place = {.number = number, .is_null = is_null, .delete_marker = true};

    return replay_record(r, BUCKET, &spec, NULL, &place);
}

static struct replay *replay_begin(struct store *store)
{
    struct bucket_info info = info_of(store, VERSIONING_SUSPENDED);
    struct replay *r = replay_new(store, NULL);

    assert_int_equal(replay_bucket(r, &info), S3_OK);
    info.versioning = (enum versioning)7;
    assert_int_equal(replay_bucket(r, &info), S3_INVALID_ARGUMENT);
    bucket_info_release(&info);
    return r;
}

static void test_numbers_of_a_database(void **state)
{
    struct fixture *f = *state;
    struct replay *r = replay_begin(f->store);
    struct upload_spec spec = {.key = STR("k")};
    char id[UPLOAD_ID_SIZE];

    assert_int_equal(replay_one(r, 0, false), S3_INVALID_ARGUMENT);
    assert_int_equal(replay_one(r, REPLAY_SEQUENCE_MAX + 1, false), S3_INVALID_ARGUMENT);
    assert_int_equal(replay_one(r, UINT64_MAX, true), S3_INVALID_ARGUMENT);
    upload_id_encode(SEQUENCE_MAX, spec.key, id);
    assert_int_equal(replay_upload(r, BUCKET, &spec, str_c(id), false), S3_INVALID_ARGUMENT);
    /* A null version and another one of the same number: they would lie at one place. */
    assert_int_equal(replay_one(r, 5, false), S3_OK);
    assert_int_equal(replay_one(r, 5, true), S3_INVALID_ARGUMENT);
    assert_int_equal(replay_one(r, 6, true), S3_OK);
    assert_int_equal(replay_one(r, 6, false), S3_INVALID_ARGUMENT);
    assert_int_equal(replay_one(r, 6, true), S3_OK);
    replay_free(r);

    uint64_t before = store_sequence(f->store);
    assert_false(store_continue_after(f->store, REPLAY_SEQUENCE_MAX + 1, 0));
    assert_false(store_continue_after(f->store, (uint64_t)-1, 0));
    assert_false(store_continue_after(f->store, 0, (uint64_t)INT64_MAX));
    assert_int_equal(store_sequence(f->store), before);
    assert_true(store_continue_after(f->store, REPLAY_SEQUENCE_MAX, 7));
    test_put(f->store, f->main, STR("after"), STR("x"), NULL);
}

static void test_parts_of_a_database(void **state)
{
    struct fixture *f = *state;
    struct replay *r = replay_begin(f->store);
    struct part_info parts[] = {{.number = 1, .size = 2}, {.number = 3, .size = 1}};
    struct record_spec spec = {.key = STR("k"), .part_count = 2, .parts = parts};
    struct record_place place = {.number = 1, .is_null = true};

    for (int wrong = 0; wrong < 7; wrong++) {
        struct body *body = body_new(f->store, 3);

        assert_true(body_append(body, "abc", 3));
        parts[0].number = wrong == 1 ? 0 : wrong == 2 ? PART_NUMBER_MAX + 1 : 1;
        parts[1].number = wrong == 3 ? 1 : 3;
        parts[1].size = wrong == 4 ? UINT64_MAX : 1;
        parts[1].checksum.alg = wrong == 5 ? CHECKSUM_COUNT : CHECKSUM_NONE;
        spec.part_count = wrong == 6 ? PART_NUMBER_MAX + 1 : 2;
        spec.parts = wrong == 6 ? NULL : parts;
        assert_int_equal(replay_record(r, BUCKET, &spec, body, &place),
                         wrong ? S3_INVALID_ARGUMENT : S3_OK);
    }
    replay_free(r);
}

/* ---- the end ----------------------------------------------------------------------- */

static enum s3_err put(struct fixture *f, struct str key)
{
    return object_put(f->main, BUCKET, test_record(f->store, key, STR("x")), NULL, NULL);
}

static void test_used_up(void **state)
{
    struct fixture *f = *state;
    struct upload_spec spec = {.key = STR("up")};
    struct target up = {BUCKET, STR("up")}, old = {BUCKET, STR("old")},
                  other = {BUCKET, STR("other")};
    char id[UPLOAD_ID_SIZE], none[UPLOAD_ID_SIZE];
    AUTO(record) r = NULL;
    AUTO(upload) u = NULL;

    assert_int_equal(put(f, old.key), S3_OK);
    assert_int_equal(put(f, other.key), S3_OK);
    assert_int_equal(upload_create(f->main, BUCKET, &spec, id), S3_OK);
    assert_int_equal(upload_get(&u, f->main, &up, str_c(id)), S3_OK);
    store_raise_sequence(f->store, SEQUENCE_END - 1);
    assert_int_equal(put(f, STR("last")), S3_OK);

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(put(f, STR("more")), S3_INTERNAL_ERROR);
        assert_int_equal(upload_create(f->main, BUCKET, &spec, none), S3_INTERNAL_ERROR);
        assert_int_equal(object_rename(f->main, BUCKET, old.key, STR("new"), NULL, NULL),
                         S3_INTERNAL_ERROR);
        assert_int_equal(upload_complete(f->main, &up, u,
                                         test_record(f->store, up.key, STR("x")), NULL, NULL),
                         S3_INTERNAL_ERROR);
    }
    assert_int_equal(store_sequence(f->store), SEQUENCE_END);
    /* What needs none goes on, deleting above all. */
    assert_int_equal(object_get(&r, f->main, &old, STR_NONE), S3_OK);
    assert_int_equal(object_delete(f->main, &old, STR_NONE, NULL, NULL), S3_OK);
    assert_int_equal(upload_abort(f->main, &up, str_c(id)), S3_OK);
    /* A delete marker needs one. */
    assert_int_equal(bucket_set_versioning(f->main, BUCKET, VERSIONING_ENABLED), S3_OK);
    assert_int_equal(object_delete(f->main, &other, STR_NONE, NULL, NULL), S3_INTERNAL_ERROR);
    assert_int_equal(object_delete(f->main, &other, STR("null"), NULL, NULL), S3_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_numbers_of_documents),
        T(test_numbers_of_a_database),
        T(test_parts_of_a_database),
        T(test_used_up),
    };

    return cmocka_run_group_tests_name("store/numbers", tests, NULL, NULL);
}
