/* SPDX-License-Identifier: MIT */
/* store_loader_test.c - what the loader refuses; names of states; clearing. That a whole state
 * survives is in disk_document_test.c. */
#include "store_util.h"

struct fixture {
    struct store *store;
    struct branch *main;
    struct loader *loader;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    f->store = test_store(0);
    f->main = store_branch(f->store, STR("main"));
    f->loader = loader_new(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    loader_free(f->loader);
    branch_unref(f->main);
    store_free(f->store);
    mem_free(f);
    return 0;
}

/* ---- the loader -------------------------------------------------------------------- */

static enum s3_err bucket(struct fixture *f, const char *name, enum versioning versioning)
{
    struct bucket_info info = {.versioning = versioning, .owner = doc_new(f->store, STR("me"))};

    snprintf(info.name, sizeof(info.name), "%s", name);
    enum s3_err err = loader_bucket(f->loader, &info);
    doc_unref(info.owner);
    return err;
}

static enum s3_err record(struct fixture *f, struct str key, uint64_t number, const char *what)
{
    struct record_spec spec = {.key = key};
    struct record_place place = {.number = number,
                                 .is_current = strchr(what, 'c'),
                                 .is_null = strchr(what, 'n'),
                                 .delete_marker = strchr(what, 'm')};
    struct body *body = place.delete_marker ? NULL : body_new(f->store, 0);

    return loader_record(f->loader, &spec, body, &place);
}

static void test_records_in_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(bucket(f, "bucket", VERSIONING_ENABLED), S3_OK);
    assert_int_equal(record(f, STR("a"), 9, "c"), S3_OK);
    assert_int_equal(record(f, STR("a"), 7, "n"), S3_OK);
    assert_int_equal(record(f, STR("a"), 3, ""), S3_OK);
    assert_int_equal(record(f, STR("b"), 8, "m"), S3_OK);
    assert_int_equal(record(f, STR("b"), 2, ""), S3_OK);
    assert_int_equal(bucket(f, "bucket2", VERSIONING_NEVER), S3_OK);
    assert_int_equal(record(f, STR("a"), 1, "cn"), S3_OK);
    assert_int_equal(loader_finish(f->loader, STR("s"), STR(""), 5, false), NAMED_OK);

    struct named_info info;
    assert_true(store_snapshot_next(f->store, STR(""), false, &info));
    assert_string_equal(info.name, "s");
    assert_int_equal(info.created_ns, 5);
    assert_int_equal(info.bucket_count, 2);
    assert_int_equal(info.object_count, 2);
    assert_int_equal(info.version_count, 4);
    assert_false(store_snapshot_next(f->store, STR("s"), false, &info));
    /* What comes now is newer than all that was loaded. */
    test_bucket(f->main, BUCKET);
    test_put(f->store, f->main, STR("new"), STR("x"), NULL);
    struct target at = {BUCKET, STR("new")};
    AUTO(record) r = NULL;
    struct record_place place;
    assert_int_equal(object_get(&r, f->main, &at, STR_NONE), S3_OK);
    record_place(r, &place);
    assert_true(place.number > 9);
}

#define REFUSED(call)                                                                          \
    do {                                                                                       \
        assert_int_equal(call, S3_INVALID_ARGUMENT);                                           \
        /* Whatever comes after it: nothing can mend it. */                                    \
        assert_int_equal(bucket(f, "zzz", VERSIONING_NEVER), S3_INVALID_ARGUMENT);             \
        loader_free(f->loader);                                                                \
        f->loader = loader_new(f->store);                                                      \
    } while (0)

static void test_hostile_buckets(void **state)
{
    struct fixture *f = *state;

    REFUSED(bucket(f, "", VERSIONING_NEVER));
    REFUSED(bucket(f, "a/b", VERSIONING_NEVER));
    REFUSED(bucket(f, "abc", (enum versioning)3));
    assert_int_equal(bucket(f, "bbb", VERSIONING_NEVER), S3_OK);
    REFUSED(bucket(f, "bbb", VERSIONING_NEVER));
    assert_int_equal(bucket(f, "bbb", VERSIONING_NEVER), S3_OK);
    REFUSED(bucket(f, "aaa", VERSIONING_NEVER));
    REFUSED(record(f, STR("before any bucket"), 1, "c"));
}

static void test_hostile_records(void **state)
{
    static char long_key[KEY_MAX + 1];
    struct fixture *f = *state;
    static const struct {
        const char *first;
        uint64_t first_number;
        const char *second_key;
        uint64_t second_number;
        const char *second;
    } pairs[] = {
        {"c", 5, "a", 5, ""},   /* the same number twice */
        {"c", 5, "a", 6, ""},   /* newer below older */
        {"c", 5, "a", 4, "c"},  /* two current ones */
        {"cn", 5, "a", 4, "n"}, /* two null versions */
        {"c", 5, "A", 4, "c"},  /* keys out of order */
        {"c", 5, "b", 0, "c"},  /* no number */
        {"c", 5, "b", UINT64_MAX, "c"},
        {"c", 5, "b", 4, ""},   /* the newest is neither current nor a marker */
        {"c", 5, "b", 4, "cm"}, /* a marker is never current */
        {"c", 5, "", 4, "c"},
    };

    memset(long_key, 'k', sizeof(long_key));
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        assert_int_equal(bucket(f, "bucket", VERSIONING_ENABLED), S3_OK);
        assert_int_equal(record(f, STR("a"), pairs[i].first_number, pairs[i].first), S3_OK);
        REFUSED(record(f, str_c(pairs[i].second_key), pairs[i].second_number, pairs[i].second));
    }
    assert_int_equal(bucket(f, "bucket", VERSIONING_ENABLED), S3_OK);
    REFUSED(record(f, str_of(long_key, sizeof(long_key)), 1, "c"));
    /* Without versioning there are only current null versions. */
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    REFUSED(record(f, STR("a"), 1, "c"));
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    REFUSED(record(f, STR("a"), 1, "nm"));
}

static void test_hostile_uploads(void **state)
{
    struct fixture *f = *state;
    struct upload_spec spec = {.key = STR("up")};
    char id[UPLOAD_ID_SIZE];
    struct part part = {.number = 1, .size = 3};

    test_bucket(f->main, BUCKET);
    assert_int_equal(upload_create(f->main, BUCKET, &spec, id), S3_OK);
    REFUSED(loader_upload(f->loader, &spec, str_c(id), false)); /* in no bucket */
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    REFUSED(loader_upload(f->loader, &spec, STR("no id"), false));
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    REFUSED(
        loader_upload(f->loader, &(struct upload_spec){.key = STR("other")}, str_c(id), false));
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    assert_int_equal(loader_upload(f->loader, &spec, str_c(id), false), S3_OK);
    REFUSED(loader_upload(f->loader, &spec, str_c(id), false)); /* twice */
    for (uint32_t wrong = 0; wrong < 4; wrong++) {
        assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
        assert_int_equal(loader_upload(f->loader, &spec, str_c(id), false), S3_OK);
        part.body = body_new(f->store, 3);
        assert_true(body_append(part.body, "abc", 3));
        part.number = wrong == 1 ? 0 : wrong == 2 ? PART_NUMBER_MAX + 1 : 1;
        part.size = wrong == 3 ? 4 : 3;
        if (wrong == 0)
            assert_int_equal(loader_part(f->loader, &part), S3_OK);
        if (wrong == 0) {
            part.body = body_new(f->store, 3);
            assert_true(body_append(part.body, "abc", 3));
        }
        REFUSED(loader_part(f->loader, &part)); /* the first time: number 1 twice */
    }
    assert_int_equal(bucket(f, "bucket", VERSIONING_NEVER), S3_OK);
    assert_int_equal(loader_upload(f->loader, &spec, str_c(id), false), S3_OK);
    REFUSED(record(f, STR("z"), 5, "cn")); /* records come before uploads */
}

/* ---- names and clearing ------------------------------------------------------------ */

static void test_names(void **state)
{
    static char long_name[NAME_MAX_LEN + 1];
    struct fixture *f = *state;
    struct named_info info;

    memset(long_name, 'n', sizeof(long_name));
    assert_true(store_name_ok(str_of(long_name, NAME_MAX_LEN)));
    assert_false(store_name_ok(str_of(long_name, NAME_MAX_LEN + 1)));
    assert_true(store_name_ok(STR("AKIA.a-b_c~d+e=f@g")));
    assert_false(store_name_ok(STR("")));
    assert_false(store_name_ok(STR(".")));
    assert_false(store_name_ok(STR("..")));
    assert_false(store_name_ok(STR("a/b")));
    assert_false(store_name_ok(str_of("a\0b", 3)));

    test_bucket(f->main, BUCKET);
    test_put(f->store, f->main, STR("k"), STR("12345"), NULL);
    assert_int_equal(store_snapshot_take(f->store, f->main, STR("s")), NAMED_OK);
    assert_int_equal(store_fork(f->store, STR("b"), STR_NONE, STR("s")), NAMED_OK);
    assert_int_equal(store_fork(f->store, STR("c"), STR("b"), STR_NONE), NAMED_OK);
    assert_true(store_branch_next(f->store, STR(""), false, &info));
    assert_string_equal(info.name, "b");
    assert_string_equal(info.from, "s");
    assert_int_equal(info.object_bytes, 5);
    assert_true(store_branch_next(f->store, STR("b"), false, &info));
    assert_string_equal(info.name, "c");
    assert_string_equal(info.from, "b");
    assert_true(store_branch_next(f->store, STR("main"), true, &info));
    assert_string_equal(info.name, "main");
    assert_string_equal(info.from, "");
    assert_false(store_branch_next(f->store, STR("main"), false, &info));
}

static uint64_t data_bytes(struct store *store)
{
    struct store_stats stats;

    store_reap_wait(store);
    store_stats(store, &stats);
    return stats.data_bytes;
}

static void test_clear(void **state)
{
    static char large[100000];
    struct fixture *f = *state;
    struct bucket_info before;
    struct cleared count = {0};
    bool done = false;
    char key[16];

    test_bucket(f->main, BUCKET);
    assert_int_equal(bucket_clear(f->main, STR("none"), NULL), S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_clear_prefix(f->main, STR("none"), STR("p"), 1, &count, &done),
                     S3_NO_SUCH_BUCKET);
    assert_int_equal(bucket_set_versioning(f->main, BUCKET, VERSIONING_ENABLED), S3_OK);
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof(key), "p/%02d", i % 10);
        test_put(f->store, f->main, str_c(key), STR("x"), NULL);
    }
    test_put(f->store, f->main, STR("other"), str_of(large, sizeof(large)), NULL);
    assert_int_equal(data_bytes(f->store), 30 + sizeof(large));
    for (int turns = 0; !done; turns++) {
        assert_true(turns < 10);
        assert_int_equal(bucket_clear_prefix(f->main, BUCKET, STR("p/"), 7, &count, &done),
                         S3_OK);
    }
    assert_int_equal(count.objects, 10);
    assert_int_equal(count.versions, 20);
    assert_int_equal(data_bytes(f->store), sizeof(large));
    assert_int_equal(bucket_clear(f->main, BUCKET, &before), S3_OK);
    assert_int_equal(before.object_count, 1);
    bucket_info_release(&before);
    assert_int_equal(data_bytes(f->store), 0);
    assert_int_equal(bucket_get(f->main, BUCKET, &before), S3_OK);
    assert_int_equal(before.versioning, VERSIONING_ENABLED);
    assert_int_equal(before.object_count + before.version_count, 0);
    bucket_info_release(&before);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_records_in_order), T(test_hostile_buckets), T(test_hostile_records),
        T(test_hostile_uploads),  T(test_names),           T(test_clear),
    };

    return cmocka_run_group_tests_name("store/loader", tests, NULL, NULL);
}
